"""The ring of points: what is in it, in which order it goes, and what it refuses."""

import pytest
import torch
from cases import points

from spaceforms.losses import PointQueue
from spaceforms.manifolds import Lorentz, Sphere


def _push(queue, first, number):
    ids = torch.arange(first, first + number)
    x = torch.nn.functional.normalize(torch.randn(number, 3), dim=-1)
    queue.push(x, ids)
    return dict(zip(ids.tolist(), x, strict=True))


def test_it_holds_the_last_points_pushed_whatever_the_batch_and_grows_until_it_is_full():
    queue, everything = PointQueue(Sphere(), 2, size=7), {}
    assert len(queue) == 0
    assert queue()[0].shape == (0, 3)
    for first, number in ((0, 3), (3, 3), (6, 3), (9, 7), (16, 5), (21, 1)):
        everything |= _push(queue, first, number)
        last = first + number
        x, ids = queue()
        assert len(queue) == len(x) == min(last, 7)
        assert sorted(ids.tolist()) == list(range(max(0, last - 7), last))
        for point, i in zip(x, ids.tolist(), strict=True):
            torch.testing.assert_close(point, everything[i], rtol=0, atol=2e-7)


def test_its_state_is_all_of_it():
    torch.manual_seed(0)
    queue, other = (PointQueue(Sphere(), 2, size=5) for _ in range(2))
    _push(queue, 0, 4)
    _push(queue, 4, 3)
    other.load_state_dict(queue.state_dict())
    batch = torch.nn.functional.normalize(torch.randn(3, 3), dim=-1)
    for q in (queue, other):
        q.push(batch, torch.arange(3))
    for a, b in zip(queue(), other(), strict=True):
        assert torch.equal(a, b)
    assert set(queue.state_dict()) == {"points", "ids", "pushed"}


def test_points_are_of_the_space_as_it_is_when_they_are_read():
    space = Lorentz(-1.0, learnable=True)
    x = points(Lorentz(-1.0), 4, 3, seed=1, dtype=torch.float32)
    queue = PointQueue(space, 3, size=4)
    queue.push(x, torch.arange(4))
    torch.testing.assert_close(queue()[0], x, rtol=1e-6, atol=0)
    with torch.no_grad():
        next(space.parameters()).add_(0.5)
    moved = queue()[0]
    assert space.is_point(moved).all()
    assert torch.equal(moved[:, 1:], x[:, 1:])
    assert not torch.allclose(moved[:, 0], x[:, 0])
    assert not list(queue.parameters())


def test_what_has_a_rows_id_is_its_positive_and_a_read_queue_does_not_change_under_a_push():
    queue = PointQueue(Sphere(), 2, size=4)
    queue.push(torch.eye(3), torch.tensor([7, 8, 9]))
    ids = torch.tensor([8, 5])
    table = queue.positives(ids, torch.tensor([8, 5]))
    assert table.tolist() == [[True, False, False, True, False], [False, True, *[False] * 3]]
    assert queue.positives(ids).tolist() == [[False, True, False], [False] * 3]
    before, _ = queue()
    copy = before.clone()
    queue.push(-torch.eye(3), torch.tensor([1, 2, 3]))
    assert torch.equal(before, copy)


def test_refusals_are_sentences():
    queue = PointQueue(Sphere(), 2, size=4)
    with pytest.raises(ValueError, match=r"got 5 points for a queue of 4; expected at most"):
        queue.push(torch.ones(5, 3), torch.arange(5))
    with pytest.raises(ValueError, match=r"points have shape \(2, 4\) and ids \(2,\); expected"):
        queue.push(torch.ones(2, 4), torch.arange(2))
    with pytest.raises(ValueError, match="size is 0; expected an integer of at least 1"):
        PointQueue(Sphere(), 2, size=0)
    with pytest.raises(TypeError, match="manifold is a str; expected a Manifold"):
        PointQueue("sphere", 2, size=3)
