"""Horospherical projections against the paper's construction; HoroPCA on what it must keep."""

import pytest
import torch
from cases import CASES, normals, once, points, radius

from spaceforms.manifolds import Lorentz, PoincareBall, Sphere
from spaceforms.stats import distortion, horopca, horospherical_projection, tangent_pca

F64 = torch.float64
EPS = torch.finfo(F64).eps
HYPERBOLIC = [name for name in CASES if CASES[name].sign < 0]
each = pytest.mark.parametrize("name", once(HYPERBOLIC))


def ideal_points(k: int, n: int, seed: int = 3) -> torch.Tensor:
    u = torch.randn(k, n, generator=torch.Generator().manual_seed(seed), dtype=F64)
    return torch.nn.functional.normalize(u, dim=-1)


def hyperboloid(manifold, x: torch.Tensor) -> torch.Tensor:
    """Points of the unit hyperboloid, by the exponential map at its origin."""
    v = manifold.to_normal(x).detach() / radius(manifold)
    r = v.norm(dim=-1, keepdim=True)
    return torch.cat([r.cosh(), r.sinh() / r * v], dim=-1)


def busemann(manifold, x: torch.Tensor, ideal: torch.Tensor) -> torch.Tensor:
    """log(x_t - x_s.p) at K = -1: (N, m), (k, n) -> (N, k)."""
    lifted = hyperboloid(manifold, x)
    return (lifted[:, :1] - lifted[:, 1:] @ ideal.T).log()


def test_the_busemann_function_is_the_limit_of_distances():
    """What the other tests take for granted, from its definition."""
    x, ideal = points(Lorentz(), 5, 3, seed=1), ideal_points(2, 3)
    far = Lorentz().from_normal(20.0 * ideal)
    limit = Lorentz().dist(x[:, None], far) - 20.0
    torch.testing.assert_close(busemann(Lorentz(), x, ideal), limit, rtol=0, atol=1e-12)


@each
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_a_projection_stays_on_its_horospheres_and_lies_in_the_hull(name, k):
    manifold = CASES[name]
    x, ideal = points(manifold, 50, 4, seed=1), ideal_points(k, 4)
    y = horospherical_projection(manifold, x, ideal)
    size = hyperboloid(manifold, x)[:, 0].max().square()
    close = {"rtol": 0, "atol": float(64 * EPS * size)}
    torch.testing.assert_close(busemann(manifold, y, ideal), busemann(manifold, x, ideal), **close)
    across = torch.linalg.qr(ideal.T, mode="complete")[0][:, k:]
    assert (hyperboloid(manifold, y)[:, 1:] @ across).abs().sum() < 1024 * EPS * size
    torch.testing.assert_close(horospherical_projection(manifold, y, ideal), y, **close)


@each
@pytest.mark.parametrize("k", [2, 3])
def test_it_is_the_papers_construction(name, k):
    """x's foot c on the spine, and on the geodesic of M that meets the spine there at a right
    angle the point as far from c as x is, on the origin's side."""
    manifold = CASES[name]
    x, ideal = points(manifold, 50, 4, seed=2), ideal_points(k, 4)
    lifted = hyperboloid(manifold, x)
    metric = torch.diag(torch.tensor([-1.0, 1, 1, 1, 1], dtype=F64))
    spine = torch.cat([torch.ones(k, 1, dtype=F64), ideal], dim=1)
    gram = spine @ metric @ spine.T
    foot = torch.linalg.solve(gram, (lifted @ metric @ spine.T).T).T @ spine
    c = foot / (-(foot @ metric * foot).sum(-1, keepdim=True)).sqrt()
    cosh = -(lifted @ metric * c).sum(-1, keepdim=True)
    origin = torch.eye(5, dtype=F64)[0]
    normal = origin - torch.linalg.solve(gram, spine @ metric @ origin) @ spine
    normal = normal / (normal @ metric @ normal).sqrt()
    both = torch.stack([cosh * c + s * (cosh.square() - 1).sqrt() * normal for s in (1, -1)])
    wanted = both.gather(0, both[..., :1].argmin(0, keepdim=True).expand(1, 50, 5))[0]
    found = hyperboloid(manifold, horospherical_projection(manifold, x, ideal))
    size = float(lifted[:, 0].max()) ** 2 * float(torch.linalg.cond(gram))
    torch.testing.assert_close(found, wanted, rtol=0, atol=64 * EPS * size)


@each
@pytest.mark.parametrize("k", [1, 2, 3])
def test_no_distance_grows_and_points_of_the_hull_stay(name, k):
    manifold = CASES[name]
    x, ideal = points(manifold, 40, 4, seed=4), ideal_points(k, 4)
    y = horospherical_projection(manifold, x, ideal)
    size = manifold.to_normal(x).norm(dim=-1).max() / radius(manifold)
    slack = 256 * EPS * radius(manifold) * size.cosh()
    assert (manifold.cdist(y, y) <= manifold.cdist(x, x) + slack).all()
    assert (manifold.dist(y, horospherical_projection(manifold, y, ideal)) < slack).all()
    o = manifold.origin(4, dtype=F64)
    assert (manifold.dist(o, y) <= manifold.dist(o, x) + slack).all()


def test_points_beyond_the_spine_are_folded_back():
    ideal = torch.eye(2, dtype=F64)
    v = torch.tensor([[0.5, 0.5], [1.5, 1.5], [-1.5, -1.5]], dtype=F64)
    x = Lorentz().from_normal(v)
    y = horospherical_projection(Lorentz(), x, ideal)
    # The spine joins (1, 0) and (0, 1) at infinity: it is asinh(1) from the origin.
    spine = torch.tensor(1.0, dtype=F64).asinh()
    mirrored = 2 * spine - v[1].norm()
    wanted = torch.stack([v[0], v[1] / v[1].norm() * mirrored, v[2]])
    torch.testing.assert_close(Lorentz().to_normal(y), wanted, rtol=0, atol=64 * EPS)


def test_coincident_ideal_points_have_a_limit():
    """Two ideal points that meet keep a plane: nothing is divided by their distance."""
    x = points(Lorentz(), 20, 3, seed=1)
    found = []
    for angle in (1e-3, 1e-5, 1e-7):
        turn = torch.tensor(angle, dtype=F64)
        ideal = torch.stack(
            [torch.eye(3, dtype=F64)[0], torch.stack([turn.cos(), turn.sin(), 0 * turn])]
        )
        found.append(horospherical_projection(Lorentz(), x, ideal))
    near, nearer = (Lorentz().dist(found[i], found[2]).max() for i in (0, 1))
    assert nearer < near / 50


@each
def test_a_projection_is_differentiable(name):
    if "learnable" in name:
        return
    manifold = CASES[name]
    v, ideal = normals(manifold, 3, 3, seed=2).requires_grad_(), ideal_points(2, 3).requires_grad_()

    def project(v, ideal):
        x = manifold.from_normal(v)
        return manifold.to_normal(horospherical_projection(manifold, x, ideal))

    assert torch.autograd.gradcheck(project, (v, ideal), fast_mode=True)
    # At the origin, and at a point of the hull, where the root's argument is a square.
    at = torch.cat([torch.zeros(1, 3, dtype=F64), ideal[:1].detach()]).requires_grad_()
    (gradient,) = torch.autograd.grad(project(at, ideal).sum(), at)
    assert gradient.isfinite().all()


@each
@pytest.mark.parametrize("k", [1, 2])
def test_points_of_a_geodesic_submanifold_keep_all_distances(name, k):
    manifold = CASES[name]
    generator = torch.Generator().manual_seed(0)
    frame = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=F64))[0][:k]
    x = manifold.from_normal(
        torch.randn(30, k, generator=generator, dtype=F64) @ frame * radius(manifold)
    )
    found = horopca(manifold, x, k)
    # The search stops at sqrt(eps) of the best direction, which costs eps of the variance.
    assert found.distortion.relative < 1e-10
    assert found.distortion.variance_kept == pytest.approx(1, abs=1e-10)
    assert found.distortion.rank_correlation == pytest.approx(1, abs=1e-10)
    assert manifold.dist(found.project(x), x).max() < 1e-6 * radius(manifold)


@each
def test_the_variance_is_at_least_that_of_the_tangent_axes_and_the_loss_is_told(name):
    manifold = CASES[name]
    shape = torch.tensor([1.5, 0.9, 0.4, 0.2], dtype=F64)
    v = torch.randn(40, 4, generator=torch.Generator().manual_seed(1), dtype=F64)
    x = manifold.from_normal(radius(manifold) * v * shape)
    found = horopca(manifold, x, 2)
    y = found.transform(x)
    assert y.shape == (40, manifold.ambient_dim(2))
    assert found.distortion == distortion(x, y, manifold=found.manifold)
    assert 0.5 < found.distortion.variance_kept < 1
    # The same distances, drawn in the plane or left in the space.
    in_space = found.project(x)
    size = float((manifold.to_normal(x).detach().norm(dim=-1).max() / radius(manifold)).exp())
    torch.testing.assert_close(
        manifold.cdist(y, y), manifold.cdist(in_space, in_space), rtol=0, atol=1024 * EPS * size
    )

    def spread(points_):
        return manifold.cdist(points_, points_).square().mean()

    first = horopca(manifold, x, 1)
    torch.testing.assert_close(first.ideal_points, found.ideal_points[:1])  # one after the other
    axes = tangent_pca(manifold, x, 4).axes
    for axis in torch.cat([axes, -axes]):
        one = type(found)(manifold, found.mean, axis[None], found.distortion).transform(x)
        assert spread(one) <= spread(first.transform(x)) * (1 + 64 * EPS)


@each
def test_a_rotation_about_the_origin_takes_the_ideal_points_along(name):
    manifold = CASES[name]
    v = normals(manifold, 30, 3, seed=5) * torch.tensor([1.5, 0.8, 0.4], dtype=F64)
    v = torch.cat([v, -v])  # the mean at the origin, where the frame does not turn
    turn = torch.linalg.qr(
        torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=F64)
    )[0]
    one = horopca(manifold, manifold.from_normal(v), 1)
    two = horopca(manifold, manifold.from_normal(v @ turn), 1)
    # The points are as they are seen in a mirror: so p and -p are equally good.
    assert abs(abs(float(one.ideal_points[0] @ turn @ two.ideal_points[0])) - 1) < 1e-7
    assert one.distortion.relative == pytest.approx(two.distortion.relative, abs=1e-6)


def test_the_two_models_agree():
    v = normals(Lorentz(), 30, 3, seed=6) * torch.tensor([1.2, 0.8, 0.4], dtype=F64)
    ideal = ideal_points(2, 3)
    x, y = (m.from_normal(v) for m in (Lorentz(), PoincareBall()))
    a = Lorentz().to_normal(horospherical_projection(Lorentz(), x, ideal))
    b = PoincareBall().to_normal(horospherical_projection(PoincareBall(), y, ideal))
    torch.testing.assert_close(a, b, rtol=0, atol=float(64 * EPS * v.norm(dim=-1).exp().max()))


@each
def test_one_point_equal_points_and_float32(name):
    manifold = CASES[name]
    x = points(manifold, 1, 3, seed=1)
    for sample in (x, x.expand(4, -1)):
        found = horopca(manifold, sample, 1)
        assert found.distortion == (0.0, 1.0, 1.0)
        assert manifold.dist(found.project(sample), sample).max() < 64 * EPS * radius(manifold) * 10
    single = points(manifold, 20, 3, seed=2).float()
    found = horopca(manifold, single, 2)
    assert found.ideal_points.dtype == found.transform(single).dtype == torch.float32


def test_what_is_wrong_gets_a_sentence():
    x = points(Lorentz(), 6, 3)
    with pytest.raises(TypeError, match=r"horopca: manifold is Sphere"):
        horopca(Sphere(), points(Sphere(), 6, 3), 1)
    with pytest.raises(ValueError, match=r"horopca: n_components is 4; expected 1 to 3"):
        horopca(Lorentz(), x, 4)
    with pytest.raises(ValueError, match=r"ideal_points have shape \(4, 3\); expected \(k, 3\)"):
        horospherical_projection(Lorentz(), x, torch.ones(4, 3))
    with pytest.raises(ValueError, match=r"ideal_points have shape \(2, 4\)"):
        horospherical_projection(Lorentz(), x, torch.ones(2, 4))
