"""pytorch-metric-learning itself: its own distances where both have one, its losses, its miners."""

import pytest
import torch
from pytorch_metric_learning import distances, losses, miners

from spaceforms.integrations.metric_learning import ManifoldDistance
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere

SEED = torch.Generator().manual_seed(0)
A, B = torch.randn(2, 12, 5, dtype=torch.float64, generator=SEED)
LABELS = torch.arange(12) % 4


def test_on_flat_space_it_is_their_euclidean_distance():
    theirs = distances.LpDistance(normalize_embeddings=False)
    # theirs expands the square for over 25 rows only; both subtract first here
    torch.testing.assert_close(
        ManifoldDistance(Euclidean())(A, B), theirs(A, B), rtol=1e-14, atol=0
    )
    # theirs adds 1e-6 to each difference: 1e-6 sqrt(5) at most
    rows = ManifoldDistance(Euclidean()).pairwise_distance(A, B)
    torch.testing.assert_close(rows, theirs.pairwise_distance(A, B), rtol=0, atol=2.3e-6)


def test_on_the_sphere_its_cosine_is_their_cosine_similarity():
    ours = ManifoldDistance(Sphere(), lift=False)(
        *(torch.nn.functional.normalize(v) for v in (A, B))
    )
    # A dot product of five is off by 5 u, the cosine of an arc that is off by 4 u by 4 u of it.
    torch.testing.assert_close(ours.cos(), distances.CosineSimilarity()(A, B), rtol=0, atol=2e-15)


def test_the_flags_are_those_of_distances_of_lengths_that_count():
    distance = ManifoldDistance(Lorentz())
    flags = distance.normalize_embeddings, distance.is_inverted, distance.power
    assert flags == (False, False, 1)
    assert distance.smallest_dist(torch.tensor([2.0, 1.0])) == 1
    assert float(distance.margin(3, 1)) == 2
    radial = distance(2 * A, 0 * A[:1])[:, 0]
    torch.testing.assert_close(radial, 2 * A.norm(dim=1), rtol=1e-14, atol=0)
    for flag in ("normalize_embeddings", "is_inverted"):
        with pytest.raises(ValueError, match=f"{flag} is True; expected False"):
            ManifoldDistance(Lorentz(), **{flag: True})


def test_two_models_of_one_space_agree_and_the_power_is_taken():
    one, two = (ManifoldDistance(s(-0.3)) for s in (Lorentz, PoincareBall))
    # Lorentz and ball: 8 u (1 + kappa) each, kappa below 100 within 4 radii of the origin.
    torch.testing.assert_close(one(A, B), two(A, B), rtol=1e-12, atol=0)
    torch.testing.assert_close(ManifoldDistance(Lorentz(-0.3), power=2)(A, B), one(A, B) ** 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda d: losses.TripletMarginLoss(distance=d, margin=0.5),
        lambda d: losses.ContrastiveLoss(distance=d, pos_margin=0, neg_margin=1),
        lambda d: losses.NTXentLoss(distance=d, temperature=0.5),
        lambda d: losses.SupConLoss(distance=d, temperature=0.5),
        lambda d: losses.NCALoss(distance=d),
        lambda d: losses.MarginLoss(distance=d),
        lambda d: losses.CrossBatchMemory(losses.ContrastiveLoss(distance=d), 5, memory_size=24),
    ],
    ids=["triplet", "contrastive", "ntxent", "supcon", "nca", "margin", "xbm"],
)
@pytest.mark.parametrize("space", [Lorentz(-0.7, learnable=True), Sphere(0.2)], ids=str)
def test_their_losses_take_it_and_learn_the_curvature(make, space):
    loss = make(ManifoldDistance(space))
    own = {id(p) for p in loss.parameters()}
    assert {id(p) for p in space.parameters()} <= own
    embeddings = A.float().requires_grad_()
    loss(embeddings, LABELS).backward()
    assert embeddings.grad.isfinite().all()
    assert embeddings.grad.any()
    assert all(p.grad.isfinite().all() for p in space.parameters())


def test_nt_xent_is_the_cross_entropy_of_minus_distances():
    space, two = Lorentz(-0.7), A[:4]
    labels = torch.tensor([0, 1, 0, 1])
    found = losses.NTXentLoss(distance=ManifoldDistance(space), temperature=0.5)(two, labels)
    x = space.from_normal(two)
    logits = -2 * torch.stack([space.dist(p, x) for p in x])
    logits = logits.masked_fill(torch.eye(4, dtype=torch.bool), -torch.inf)
    # Of each row all but itself: one positive, two negatives.
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor([2, 3, 0, 1]))
    # theirs puts 1e-20 and the like into logarithms
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=0)


def test_the_hardest_of_a_batch_are_the_nearest_and_farthest_by_our_distance():
    space = Lorentz(-0.7)
    a, p, n = miners.BatchHardMiner(distance=ManifoldDistance(space))(A, LABELS)
    table = space.cdist(*(space.from_normal(A),) * 2)
    same = LABELS[:, None] == LABELS
    assert torch.equal(p, table.masked_fill(~same, -1)[a].argmax(1))
    assert torch.equal(n, table.masked_fill(same, torch.inf)[a].argmin(1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    a, b = A.to(dtype), B.to(dtype)
    found = ManifoldDistance(Lorentz())(a, b)
    assert found.dtype == dtype
    assert torch.equal(found, ManifoldDistance(Lorentz())(a.float(), b.float()).to(dtype))
