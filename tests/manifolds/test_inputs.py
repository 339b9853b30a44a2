"""What a user may get wrong beyond the first method he calls, and what he must not lose."""

import matplotlib.figure
import pytest
import torch

from spaceforms.losses import EntailmentLoss, InfoNCE, entailment, info_nce
from spaceforms.manifolds import Lorentz, PoincareBall, PositiveScalar, Sphere
from spaceforms.plotting import disk, project_disk

L, X = Lorentz(), Lorentz().from_normal(torch.ones(4, 2) / 2)
NAN = torch.full((3, 3), torch.nan)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: L.cdist(X, None), TypeError, "Lorentz.cdist: y is a NoneType"),
        (lambda: L.cdist(X, X[:, :2]), ValueError, r"Lorentz.cdist: y has shape \(1, 2\) and x"),
        (lambda: L.cinner(X, torch.tensor(1.0)), ValueError, "Lorentz.cinner: y has shape"),
        (lambda: L.cinner(X, X[0]), ValueError, "expected two sets of points"),
        (lambda: L.geodesic(X, X, torch.ones(3)), ValueError, "Lorentz.geodesic: t has shape"),
        (lambda: L.origin(0), ValueError, "expected a dimension of at least 1"),
        (lambda: L.mean(X, torch.zeros(4)), ValueError, "expected non-negative weights"),
        (lambda: Lorentz("a"), TypeError, "Lorentz: curvature is a str"),
        (lambda: Lorentz(-1.0, learnable=True, bounds=(-5,)), ValueError, "expected two numbers"),
        (lambda: entailment(X.long(), X, manifold=L), TypeError, "parent is torch.int64"),
        (lambda: info_nce(X, X, manifold=L, scale=1.0, targets=[0]), TypeError, "are a list"),
        (lambda: InfoNCE("x"), TypeError, "InfoNCE: manifold is 'x'"),
        (lambda: InfoNCE(L, logits="foo"), ValueError, "logits is 'foo'; expected one of neg"),
        (lambda: InfoNCE(L, scale=200.0), ValueError, "scale is 200.0 with max_scale 100"),
        (lambda: EntailmentLoss(L, min_radius=-1), ValueError, "min_radius is -1"),
        (lambda: disk([[0.0, 0.1]], manifold=PoincareBall()), TypeError, "points are a list"),
        (lambda: disk(torch.ones(1, 2), manifold=PoincareBall()), ValueError, "not inside"),
        (lambda: disk(manifold=L, ax=3), TypeError, "ax is a int; expected a matplotlib Axes"),
        (lambda: project_disk(X, manifold=L, groups=["a"]), ValueError, "1 groups for 4 points"),
    ],
)
def test_a_wrong_argument_gets_a_sentence(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_cast_keeps_every_digit_of_the_initial_value(dtype):
    space = Lorentz(-0.7, learnable=True, bounds=(-3.0, -0.1)).to(dtype)
    assert space.curvature.item() == -0.7
    assert PositiveScalar(0.3).to(dtype)().item() == 0.3


def test_nan_is_no_point():
    for space in (Sphere(), Lorentz(), PoincareBall()):
        points = space.from_normal(NAN)
        assert points.isnan().any(-1).all()
        assert not space.is_point(points).any()
        assert space.proj(points).isnan().any(-1).all()
        assert space.half_aperture(points).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("space", [Lorentz(), Lorentz(-0.3), PoincareBall()])
def test_the_mean_of_far_points_is_where_their_logarithms_add_up_to_nothing(space, dtype):
    generator = torch.Generator().manual_seed(0)
    for r in (1.0, 6.0, 12.0):
        u = torch.nn.functional.normalize(torch.randn(20, 4, 3, generator=generator), dim=-1)
        x = space.from_normal((r * u).to(dtype))
        m = space.mean(x)
        residual = space.norm(m, space.logmap(m.unsqueeze(-2), x).mean(-2))
        # Each logarithm has an error of a few units of its length.
        assert residual.max() < 32 * torch.finfo(dtype).eps * 2 * r * space.radius


def test_float16_points_of_a_large_space_stay_within_the_dtype():
    far = Lorentz(-0.05).from_normal(torch.tensor([400.0, 0.0], dtype=torch.float16))
    assert far.isfinite().all()


def test_a_figure_can_be_given():
    figure = matplotlib.figure.Figure()
    assert disk(manifold=L, ax=figure.add_subplot()).points == []
