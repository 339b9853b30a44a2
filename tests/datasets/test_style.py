"""Changes of style: what each does to a picture, and what it leaves."""

import numpy as np
import pytest
import torch

from spaceforms.datasets import Augmentation, load_emoji, style
from spaceforms.datasets.augment import to_float

EPS = torch.finfo(torch.float32).eps


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return to_float(load_emoji(size=16).images[:128])


def constant(colour: list[float], count: int = 1) -> torch.Tensor:
    return torch.tensor(colour).view(1, 3, 1, 1).expand(count, 3, 6, 6).contiguous()


@pytest.mark.parametrize("change", style.CHANGES, ids=lambda change: change.__name__)
def test_a_change_keeps_shape_range_and_what_it_was_given(change, images) -> None:
    how = torch.linspace(0, 1 - EPS, len(images))
    before = images.clone()
    out = change(images, how)
    assert out.shape == images.shape
    assert out.dtype == images.dtype
    assert out.min() >= 0
    assert out.max() <= 1 + 2 * EPS
    assert torch.equal(images, before)
    assert (out - images).abs().amax((1, 2, 3)).gt(0.01).float().mean() > 0.5
    # Row by row: what a picture becomes does not depend on the others.
    alone = change(images[5:6], how[5:6])
    torch.testing.assert_close(out[5:6], alone, atol=4 * EPS, rtol=0)
    odd = change(torch.rand(3, 3, 7, 7), how[:3])
    assert odd.shape == (3, 3, 7, 7)


@pytest.mark.parametrize("change", style.CHANGES, ids=lambda change: change.__name__)
def test_white_stays_white_but_for_the_ground(change) -> None:
    how = torch.linspace(0, 0.99, 20)
    white = torch.ones(20, 3, 8, 8)
    out = change(white, how)
    if change is style.ground:
        assert (out - out[..., :1, :1]).abs().max() <= 4 * EPS  # one colour a picture
        assert out.amin(1).max() < 0.8
        assert out.amin() >= 0.4 - 4 * EPS
        assert len(torch.unique(out[:, 0, 0, 0])) > 10
    else:
        torch.testing.assert_close(out, white, atol=4 * EPS, rtol=0)


def test_the_hue_is_turned_and_grey_is_left() -> None:
    red, grey = constant([0.7, 0.4, 0.4], 3), constant([0.3, 0.3, 0.3], 3)
    how = torch.tensor([1 / 2, 1 / 2 + 1 / 3, 1 / 2 - 1 / 3])  # by 0, 120 and -120 degrees
    out = style.recolour(red, how)[:, :, 2, 2]
    wanted = torch.tensor([[0.7, 0.4, 0.4], [0.4, 0.7, 0.4], [0.4, 0.4, 0.7]])
    torch.testing.assert_close(out, wanted, atol=8 * EPS, rtol=0)
    torch.testing.assert_close(style.recolour(grey, how), grey, atol=8 * EPS, rtol=0)


def test_colour_is_taken_away_and_brightness_kept() -> None:
    red = constant([0.8, 0.2, 0.2], 2)
    out = style.grey(red, torch.tensor([0.0, 0.5]))[:, :, 0, 0]
    torch.testing.assert_close(out[0], torch.full((3,), 0.4))
    torch.testing.assert_close(out[1], torch.tensor([0.5, 0.35, 0.35]))


def test_levels_are_as_many_as_drawn() -> None:
    ramp = torch.linspace(0, 1, 64).view(1, 1, 8, 8).expand(4, 3, 8, 8)
    out = style.posterise(ramp, torch.tensor([0.0, 0.25, 0.5, 0.75]))
    assert [len(torch.unique(picture)) for picture in out] == [2, 3, 4, 5]


def test_a_power_of_tone_goes_from_a_half_to_two() -> None:
    grey = constant([0.25, 0.25, 0.25], 3)
    out = style.tone(grey, torch.tensor([0.0, 0.5, 1.0]))[:, 0, 0, 0]
    torch.testing.assert_close(out, torch.tensor([0.5, 0.25, 0.0625]))


def test_light_falls_from_a_side_on_what_is_not_white() -> None:
    black = constant([0.5, 0.5, 0.0], 2)
    right, below = style.shade(black, torch.tensor([0.0, 0.25]))
    torch.testing.assert_close(right[0, 0], 0.5 + torch.linspace(-0.3, 0.3, 6))
    torch.testing.assert_close(below[0, :, 0], 0.5 + torch.linspace(-0.3, 0.3, 6))
    half = style.shade(constant([0.5, 0.5, 0.5]), torch.zeros(1))[0, 0, 0]
    torch.testing.assert_close(half, 0.5 + torch.linspace(-0.15, 0.15, 6))


def test_strokes_grow_and_shrink_by_a_pixel() -> None:
    stroke = torch.ones(2, 3, 9, 9)
    stroke[..., 3:6, 3:6] = 0
    thin, thick = style.thicken(stroke, torch.tensor([0.0, 1.0]))
    # 0.8 of the way to a stroke of one pixel, or of five.
    torch.testing.assert_close(thin[0, 4], torch.tensor([1, 1, 1, 0.8, 0, 0.8, 1, 1, 1]))
    torch.testing.assert_close(thick[0, 4], torch.tensor([1, 1, 0.2, 0, 0, 0, 0.2, 1, 1]))
    torch.testing.assert_close(style.thicken(stroke, torch.full((2,), 0.5)), stroke)


def test_edges_are_drawn_where_colours_meet_and_nowhere_else() -> None:
    halves = constant([0.9, 0.8, 0.7], 2)
    halves[..., 3:] = torch.tensor([0.4, 0.8, 0.7]).view(3, 1, 1)
    found = style.edges(halves)[0, 0]
    torch.testing.assert_close(found[0], torch.tensor([0, 0, 0.5, 0.5, 0, 0]))
    for change, wanted in ((style.outline, halves[1] * (1 - found)), (style.draft, 1 - found)):
        out = change(halves, torch.tensor([0.0, 1.0]))
        torch.testing.assert_close(out[1], wanted.expand(3, 6, 6))
    torch.testing.assert_close(style.outline(halves, torch.zeros(2)), halves)


def test_blurs_are_means_of_three_by_three_and_of_two_by_two() -> None:
    point = torch.zeros(1, 3, 6, 6)
    point[..., 2, 2] = 1
    full = style.soften(point, torch.ones(1))[0, 0]
    torch.testing.assert_close(full[1:4, 1:4], torch.full((3, 3), 1 / 9))
    assert full.sum() == pytest.approx(1.0)
    coarse = style.coarsen(point, torch.ones(1))[0, 0]
    # A block of mean 1/4, spread bilinearly over its neighbours: the sum is kept, the peak is not.
    assert coarse.sum() == pytest.approx(1.0)
    assert coarse.max() == pytest.approx(0.25 * 0.75**2)
    torch.testing.assert_close(style.coarsen(point, torch.zeros(1)), point)


def test_a_ground_is_coloured_outside_and_white_inside_stays() -> None:
    ring = torch.ones(1, 3, 9, 9)
    ring[..., 2:7, 2:7] = 0.2
    ring[..., 4, 4] = 1.0
    out = style.ground(ring, torch.tensor([0.0]))  # red
    torch.testing.assert_close(out[0, :, 0, 0], torch.tensor([1.0, 0.55, 0.55]))
    torch.testing.assert_close(out[..., 2:7, 2:7], ring[..., 2:7, 2:7])
    assert (out[0, 1, [0, 4, 8], [4, 8, 1]] < 0.6).all()


def test_strength_zero_is_the_identity_and_one_is_often_a_change(images) -> None:
    draws = torch.rand(len(images), 2 * len(style.CHANGES), generator=torch.manual_seed(0))
    assert torch.equal(style.restyle(images, draws, 0.0), images)
    changed = [
        (style.restyle(images, draws, strength) != images).any((1, 2, 3)).float().mean().item()
        for strength in (0.25, 1.0)
    ]
    # Of independent chances, as often as not all of them fail; four standard errors of 128.
    for strength, share in zip((0.25, 1.0), changed, strict=True):
        wanted = 1 - np.prod([1 - strength * chance for chance in style.CHANGES.values()])
        assert share == pytest.approx(wanted, abs=4 * (wanted * (1 - wanted) / 128) ** 0.5)


def test_changes_hang_on_their_address_and_leave_all_other_draws(images) -> None:
    items = np.arange(len(images))
    styled = Augmentation(style=1.0)
    out = styled(images, items, seed=3, epoch=2)
    assert torch.equal(out, styled(images, items, seed=3, epoch=2))
    part = styled(images[40:50], items[40:50], seed=3, epoch=2)
    torch.testing.assert_close(out[40:50], part, atol=16 * EPS, rtol=0)
    for other in (
        {"seed": 4, "epoch": 2},
        {"seed": 3, "epoch": 1},
        {"seed": 3, "epoch": 2, "view": 1},
    ):
        assert not torch.equal(out, styled(images, items, **other))
    # Where no change was drawn, pictures move and are coloured as without.
    plain = Augmentation()(images, items, seed=3, epoch=2)
    rare = Augmentation(style=0.02)(images, items, seed=3, epoch=2)
    same = (rare - plain).abs().amax((1, 2, 3)) <= 4 * EPS
    assert 0.8 < same.float().mean() < 1


def test_a_strength_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected style in \[0, 1\], got 1.5"):
        Augmentation(style=1.5)
