"""What all statistics share: dtypes, batches, values that are checked."""

import pytest
import torch
from cases import FORMS as CASES, points

from spaceforms.manifolds import Checked, Lorentz
from spaceforms.stats import centroid, geometric_median, horopca, pga, tangent_pca

F64 = torch.float64
FIXED = [name for name in CASES if "learnable" not in name]
MEANS = {
    "mean": lambda m, x, w=None: m.mean(x, w),
    "median": geometric_median,
    "centroid": centroid,
}


@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize("name", FIXED)
def test_half_precision_is_computed_in_single_and_kept(name, kind):
    manifold = CASES[name]
    x = points(manifold, 9, 3, seed=1, spread=0.4).bfloat16()
    m = MEANS[kind](manifold, x)
    assert m.dtype == torch.bfloat16
    exact = MEANS[kind](manifold, x.float())
    torch.testing.assert_close(m, exact.bfloat16())


@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize("name", FIXED)
def test_sets_and_weights_broadcast(name, kind):
    manifold = CASES[name]
    x, w = points(manifold, 3, 1, 5, 2, seed=1, spread=0.6), torch.rand(4, 5, dtype=F64) + 0.1
    m = MEANS[kind](manifold, x, w)
    assert m.shape == (3, 4, manifold.ambient_dim(2))
    one = MEANS[kind](manifold, x[2, 0], w[1])
    torch.testing.assert_close(m[2, 1], one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", MEANS)
@pytest.mark.parametrize("name", FIXED)
def test_a_manifold_that_checks_values_gives_the_same(name, kind):
    manifold = CASES[name]
    x = points(manifold, 7, 3, seed=1, spread=0.6)
    assert torch.equal(MEANS[kind](Checked(manifold), x), MEANS[kind](manifold, x))
    if name.startswith("Euclidean"):
        return
    with pytest.raises(ValueError, match="x has 7 of 7 points off"):
        MEANS[kind](Checked(manifold), 7 * x + 7)


def test_a_start_of_the_mean_is_checked_in_its_own_units():
    space = Checked(Lorentz(-0.3))
    x = points(space._unchecked, 7, 3, seed=1, spread=0.6)
    assert space.dist(space.mean(x, start=x[0]), space.mean(x)) < 1e-14
    with pytest.raises(ValueError, match="start has 1 of 1 points off"):
        space.mean(x, start=x[0] + 1)


@pytest.mark.parametrize("fit", [tangent_pca, pga, horopca])
def test_components_on_a_manifold_that_checks_values(fit):
    x = points(Lorentz(-0.3), 12, 3, seed=1)
    plain, checked = fit(Lorentz(-0.3), x, 2), fit(Checked(Lorentz(-0.3)), x, 2)
    assert torch.equal(checked.project(x), plain.project(x))


@pytest.mark.parametrize("kind", MEANS)
def test_nan_is_not_hidden(kind):
    x = points(Lorentz(), 5, 3, seed=1)
    x[2, 1] = torch.nan
    assert MEANS[kind](Lorentz(), x).isnan().any()
