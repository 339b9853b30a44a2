"""Principal directions: against PCA, against search for the nearest point, on submanifolds."""

import math

import numpy as np
import pytest
import torch
from cases import CASES, normals, points, radius

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, Stereographic
from spaceforms.stats import PrincipalGeodesics, frechet_variance, horopca, pga, tangent_pca

F64 = torch.float64
EPS = torch.finfo(F64).eps
FIXED = [name for name in CASES if "learnable" not in name]
SHAPE = torch.tensor([1.0, 0.6, 0.35, 0.2], dtype=F64)
both = pytest.mark.parametrize("fit", [tangent_pca, pga])
each = pytest.mark.parametrize("name", FIXED)


def sample(manifold, count: int = 40, seed: int = 1, spread: float = 1.0) -> torch.Tensor:
    """Points that vary most along the first axis, less along each further one."""
    scale = 0.4 if manifold.sign > 0 else 1.0
    v = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=F64)
    return manifold.from_normal(spread * scale * radius(manifold) * v * SHAPE)


def flat(manifold, k: int, seed: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """A centre, and points of a k-dimensional geodesic submanifold that passes through it."""
    generator = torch.Generator().manual_seed(seed)
    frame = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=F64))[0][:k]
    center = manifold.from_normal(
        0.5 * radius(manifold) * torch.randn(4, generator=generator, dtype=F64)
    )
    v = torch.randn(30, k, generator=generator, dtype=F64) @ frame
    scale = (0.3 if manifold.sign > 0 else 1.0) * radius(manifold)
    at_origin = manifold.logmap0(manifold.from_normal(scale * v))
    return center, manifold.expmap(center, manifold.transport0(center, at_origin))


@both
@each
def test_components_are_orthonormal_tangent_vectors_at_the_mean(name, fit):
    manifold = CASES[name]
    x = sample(manifold)
    found = fit(manifold, x, 3)
    assert torch.equal(found.mean, manifold.mean(x))
    assert manifold.is_tangent(found.mean, found.components).all()
    gram = manifold.inner(found.mean, found.components[:, None], found.components)
    torch.testing.assert_close(gram, torch.eye(3, dtype=F64), rtol=0, atol=64 * EPS)


@both
def test_on_euclidean_space_both_are_plain_pca(fit):
    x = sample(Euclidean()) + 3.0
    w = torch.rand(40, generator=torch.Generator().manual_seed(0), dtype=F64)
    found = fit(Euclidean(), x, 3, w)
    share = (w / w.sum()).numpy()
    centred = x.numpy() - share @ x.numpy()
    values, vectors = np.linalg.eigh((centred.T * share) @ centred)
    wanted = torch.from_numpy(vectors[:, ::-1][:, :3].copy().T)
    # LBFGS stops where the value no longer changes: the direction is right to sqrt(eps).
    bound = 64 * EPS if fit is tangent_pca else 64 * math.sqrt(EPS)
    assert ((found.axes * wanted).sum(-1).abs() - 1).abs().max() < bound
    torch.testing.assert_close(
        found.explained_variance_ratio,
        torch.from_numpy(values[::-1][:3].copy() / values.sum()),
        rtol=0,
        atol=1024 * EPS,
    )


@both
@pytest.mark.parametrize("k", [1, 2])
@each
def test_points_of_a_geodesic_submanifold_come_back_exactly(name, k, fit):
    manifold = CASES[name]
    center, x = flat(manifold, k)
    found = fit(manifold, x, k, mean=center)
    size = manifold.to_normal(x).norm(dim=-1).max() / radius(manifold)
    bound = 256 * EPS * radius(manifold) * (size.exp() if manifold.sign < 0 else 1)
    assert manifold.dist(found.project(x), x).max() < bound
    assert float(found.explained_variance_ratio.sum()) == pytest.approx(1, abs=256 * EPS)
    assert torch.equal(found.inverse_transform(torch.zeros(k, dtype=F64)), found.mean) or (
        manifold.dist(found.inverse_transform(torch.zeros(k, dtype=F64)), found.mean) < 8 * EPS
    )


@each
def test_the_exact_projection_is_the_nearest_point(name):
    """No point of the submanifold nearby is nearer, and the way there meets it at right angles."""
    manifold = CASES[name]
    x = sample(manifold, spread=1.5)
    found = pga(manifold, x, 2)
    scores, foot = found.transform(x), found.project(x)
    nearest = manifold.dist(foot, x)
    size = radius(manifold)
    generator = torch.Generator().manual_seed(5)
    for step in (1e-4, 1e-2, 0.3):
        other = scores + step * size * torch.randn(scores.shape, generator=generator, dtype=F64)
        assert (manifold.dist(found.inverse_transform(other), x) >= nearest - 64 * EPS * size).all()
    way = manifold.logmap(foot, x)
    # Towards the mean, which lies in the submanifold: a right angle.
    along = manifold.inner(foot, way, manifold.logmap(foot, found.mean))
    product = nearest * manifold.dist(foot, found.mean)
    assert (along.abs() < 256 * EPS * (product + size**2)).all()


@each
def test_exact_components_leave_less_than_linear_ones(name):
    manifold = CASES[name]
    x = sample(manifold, spread=1.5)
    for k in (1, 2):
        exact, linear = pga(manifold, x, k), tangent_pca(manifold, x, k)
        nearest = type(linear)(**{**vars(linear), "exact": True}).project(x)
        left = manifold.sqdist(exact.project(x), x).mean()
        assert left <= manifold.sqdist(nearest, x).mean() * (1 + 64 * EPS)
        assert left <= manifold.sqdist(linear.project(x), x).mean() * (1 + 64 * EPS)
        total = frechet_variance(manifold, x)
        explained = 1 - left / total
        torch.testing.assert_close(
            exact.explained_variance_ratio.sum(), explained, rtol=0, atol=1e-12
        )


@both
@each
def test_all_components_explain_everything_and_give_every_point_back(name, fit):
    manifold = CASES[name]
    x = sample(manifold)
    found = fit(manifold, x, 4)
    assert float(found.explained_variance_ratio.sum()) == pytest.approx(1, abs=64 * EPS)
    torch.testing.assert_close(found.total_variance, frechet_variance(manifold, x))
    if fit is tangent_pca:
        assert (found.variances.diff() <= 0).all()
    size = manifold.to_normal(x).norm(dim=-1).max() / radius(manifold)
    bound = 64 * EPS * radius(manifold) * (size.exp() if manifold.sign < 0 else 1)
    assert manifold.dist(found.project(x), x).max() < bound


@both
@each
def test_a_rotation_about_the_origin_takes_everything_along(name, fit):
    manifold = CASES[name]
    x = sample(manifold)
    turn = torch.linalg.qr(
        torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=F64)
    )[0]
    turned = manifold.from_normal(manifold.to_normal(x) @ turn)
    one, two = fit(manifold, x, 2), fit(manifold, turned, 2)
    torch.testing.assert_close(one.variances, two.variances, rtol=1e-9, atol=1e-9)
    scores = one.transform(x).abs() - two.transform(turned).abs()
    # sqrt(eps): where the greatest variance lies is known to that; its value to eps.
    assert scores.abs().max() < 1024 * math.sqrt(EPS)


def test_the_two_agree_to_third_order_near_the_mean():
    errors = []
    for spread in (0.1, 0.05):
        x = sample(Lorentz(), spread=spread)
        found = tangent_pca(Lorentz(), x, 2)
        exact = type(found)(**{**vars(found), "exact": True})
        errors.append(float((found.transform(x) - exact.transform(x)).abs().max()))
    assert 6 < errors[0] / errors[1] < 10


@both
@each
def test_one_point_and_equal_points_have_no_variance(name, fit):
    manifold = CASES[name]
    x = points(manifold, 1, 3, seed=1, spread=0.5)
    for sample_ in (x, x.expand(5, -1)):
        found = fit(manifold, sample_, 1)
        assert found.explained_variance_ratio.isfinite().all()
        assert found.total_variance < 64 * EPS * radius(manifold) ** 2
        assert manifold.dist(found.project(x), x).max() < 64 * EPS * radius(manifold)


@pytest.mark.parametrize(("manifold", "r"), [(Lorentz(), 200.0), (PoincareBall(), 35.0)])
@both
def test_far_points_have_finite_scores(manifold, r, fit):
    u = torch.nn.functional.normalize(normals(manifold, 20, 3, seed=1), dim=-1)
    x = manifold.from_normal(r * torch.cat([u, -u]))
    found = fit(manifold, x, 2)
    assert found.transform(x).isfinite().all()
    assert (found.transform(x).norm(dim=-1) <= manifold.dist(found.mean, x) * (1 + 64 * EPS)).all()
    on_axis = manifold.from_normal(
        torch.tensor([[r, 0.0], [-r, 0.0], [r / 2, 0.0], [-r / 2, 0.0]], dtype=F64)
    )
    line = fit(manifold, on_axis, 1)
    error = (line.transform(on_axis)[:, 0].abs() - manifold.dist(line.mean, on_axis)).abs()
    assert error.max() < 8 * EPS * r
    assert float(line.explained_variance_ratio) == pytest.approx(1, abs=64 * EPS)


def test_scores_are_differentiable_and_half_precision_is_kept():
    found = pga(Lorentz(), sample(Lorentz()), 2)
    x = sample(Lorentz(), 3, seed=4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: found.transform(Lorentz().proj(x)), x)
    half = x.detach().bfloat16()
    assert found.transform(half).dtype == torch.bfloat16
    single = pga(Lorentz(), sample(Lorentz()).float(), 2)
    assert single.axes.dtype == single.variances.dtype == torch.float32


def test_an_antipode_of_the_mean_has_finite_scores():
    x = sample(Sphere())
    found = pga(Sphere(), x, 2)
    assert found.transform(-found.mean).isfinite().all()


def test_what_is_wrong_gets_a_sentence():
    x = sample(Lorentz())
    with pytest.raises(ValueError, match=r"pga: n_components is 5; expected 1 to 4, the dimension"):
        pga(Lorentz(), x, 5)
    with pytest.raises(ValueError, match=r"tangent_pca: n_components is 3; expected 1 to 2"):
        tangent_pca(Lorentz(), x[:2], 3)
    with pytest.raises(
        ValueError, match=r"n_components is 2\.0; expected an integer of at least 1"
    ):
        tangent_pca(Lorentz(), x, 2.0)
    with pytest.raises(ValueError, match=r"expected one set of points \(N, m\)"):
        pga(Lorentz(), x[None], 2)
    with pytest.raises(ValueError, match=r"scores have shape \(3,\); expected \(\.\.\., 2\)"):
        pga(Lorentz(), x, 2).inverse_transform(torch.zeros(3))
    x[3, 1] = torch.nan
    for analysis in (pga, tangent_pca, horopca):
        with pytest.raises(ValueError, match=r"1 of \d+ points of x are not finite"):
            analysis(Lorentz(), x, 2)


def scores_through_zero(k, learnable=False):
    """Of points about a centre that is kept, as coordinates: scores, and the space."""
    space = Stereographic(k, learnable=learnable).double()
    v = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=F64)
    axes = torch.linalg.qr(v[:3])[0][:2]
    mean, x = 0.2 * v[3], 0.3 * v[:6]
    one = v.new_ones(())
    fitted = PrincipalGeodesics(space, mean, axes, axes[:, 0], one, exact=True)
    return fitted.transform(x), space


@pytest.mark.parametrize("k", [-0.3, -1e-12, 0.0, 1e-12, 0.3])
def test_exact_scores_are_smooth_in_the_curvature_through_zero(k):
    scores, space = scores_through_zero(k, learnable=True)
    (raw,) = space.parameters()
    slopes = [torch.autograd.grad(s, raw, retain_graph=True)[0] for s in scores.flatten()]
    # Central differences of order 6: their error is u over the step, and the step to the sixth.
    h, total = 0.005, torch.zeros_like(scores)
    for i, w in ((1, 45), (2, -9), (3, 1)):
        up, down = (scores_through_zero(k + s * i * h)[0] for s in (1, -1))
        total = total + w * (up - down) / (60 * h)
    torch.testing.assert_close(
        torch.stack(slopes), total.detach().flatten(), rtol=0, atol=64 * EPS / h
    )


def test_on_the_sphere_both_charts_have_the_same_principal_geodesics():
    plane, sphere = Stereographic(0.7), Sphere(0.7)
    # All over the sphere, so that some are beyond a right angle from the mean and the geodesics.
    v = torch.randn(60, 3, generator=torch.Generator().manual_seed(4), dtype=F64)
    mean = torch.tensor([0.3, -0.2, 0.5], dtype=F64)
    one, other = (pga(m, m.from_normal(v), 2, mean=m.from_normal(mean)) for m in (plane, sphere))
    # LBFGS stops where the value no longer changes: the directions are right to sqrt(eps).
    near = {"rtol": 0, "atol": 256 * math.sqrt(EPS)}
    torch.testing.assert_close(one.axes, other.axes, **near)
    torch.testing.assert_close(one.variances, other.variances, rtol=0, atol=1e-12)
    two = PrincipalGeodesics(**{**vars(one), "axes": other.axes})
    scores = two.transform(plane.from_normal(v))
    wanted = other.transform(sphere.from_normal(v))
    assert (wanted.norm(dim=-1) > 0.5 * math.pi * radius(plane)).any()
    torch.testing.assert_close(scores, wanted, rtol=0, atol=1024 * EPS)
