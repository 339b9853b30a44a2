"""Derivatives by finite differences to second order, and the promised ones at singular places."""

import pytest
import torch
from cases import (
    CASES,
    derivatives_of_differences,
    normals,
    points,
    radius,
    tangent,
    thinned,
)

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere

F64 = torch.float64


def maps(manifold):
    """Functions of two vectors of normal coordinates, which are free of constraints."""
    lift = manifold.from_normal

    def at(a, w):
        return tangent(manifold, lift(a), w)

    return {
        "dist": lambda a, b: manifold.dist(lift(a), lift(b)),
        "sqdist": lambda a, b: manifold.sqdist(lift(a), lift(b)),
        "logmap": lambda a, b: manifold.logmap(lift(a), lift(b)),
        "expmap": lambda a, b: manifold.to_normal(manifold.expmap(lift(a), at(a, b))),
        "geodesic": lambda a, b: manifold.geodesic(lift(a), lift(b), 0.3),
        "midpoint": lambda a, b: manifold.midpoint(lift(a), lift(b)),
        "transport": lambda a, b: manifold.transport(lift(a), lift(b), at(a, a + 2 * b)),
        "inner": lambda a, b: manifold.inner(lift(a), at(a, b), at(a, b)),
        "half_aperture": lambda a, b: manifold.half_aperture(lift(a + 0 * b), 0.05),
        "exterior_angle": lambda a, b: manifold.exterior_angle(lift(a), lift(b)),
        "logdetexp": lambda a, b: manifold.logdetexp(lift(a), at(a, b)),
    }


SINGULAR = {  # where the quantity itself has no derivative
    "dist": {"coincident", "both at the origin"},
    "exterior_angle": {"coincident", "origin", "both at the origin"},
    "half_aperture": {"origin", "both at the origin"},
}


PLACES = ("generic", "far", "origin", "coincident", "both at the origin")
# Far out is where no branch begins: for the slow run.
DEFINED = [
    pytest.param(name, place, marks=pytest.mark.slow if place == "far" else ())
    for name in maps(CASES["Euclidean"])
    for place in PLACES
    if place not in SINGULAR.get(name, ())
]


@pytest.mark.parametrize(
    "manifold", thinned(CASES, without=(Euclidean, PoincareBall)), indirect=True
)
@pytest.mark.parametrize(("name", "place"), DEFINED)
def test_derivatives_are_those_of_finite_differences_to_second_order(manifold, name, place):
    r = radius(manifold)
    a, b = (normals(manifold, 3, seed=s, spread=0.5) for s in (1, 2))
    if place == "far":
        far = 1.3 if manifold.sign > 0 else 3.0
        a, b = far * r * a / a.norm(), 0.8 * far * r * b / b.norm()
    if place in ("origin", "both at the origin"):
        a = torch.zeros_like(a)
    if place == "both at the origin":
        b = torch.zeros_like(a)
    if place == "coincident":
        b = a.clone()
    function = maps(manifold)[name]
    a, b = a.requires_grad_(), b.requires_grad_()
    linear = manifold.sign == 0 and name in ("transport", "logdetexp", "expmap", "midpoint")
    linear |= manifold.sign == 0 and name in ("logmap", "geodesic", "inner")
    assert derivatives_of_differences(function, (a, b), second=not linear)


def test_subgradients_at_singular_places_are_zero(manifold):
    r = radius(manifold)
    for place in (
        normals(manifold, 3, seed=1),
        1e-9 * normals(manifold, 3, seed=1),
        torch.zeros(3),
    ):
        x = manifold.from_normal(place.to(F64)).detach()
        for dtype in (F64, torch.float32):
            a, b = x.to(dtype).requires_grad_(), x.to(dtype).requires_grad_()
            d = manifold.dist(a, b)
            assert d == 0
            assert all((g == 0).all() for g in torch.autograd.grad(d, (a, b)))
            angle = manifold.exterior_angle(a, b)
            assert angle == 0
            assert all((g == 0).all() for g in torch.autograd.grad(angle, (a, b)))
    origin = manifold.origin(3, dtype=F64).detach().requires_grad_()
    y = points(manifold, 3, seed=2)
    angle = manifold.exterior_angle(origin, y)
    assert angle == 0
    assert (torch.autograd.grad(angle, origin)[0] == 0).all()
    near = manifold.from_normal(torch.tensor([0.1 * r, 0, 0], dtype=F64)).detach().requires_grad_()
    aperture = manifold.half_aperture(near, 0.1)
    assert aperture.item() == pytest.approx(torch.pi / 2, rel=1e-15, abs=0)
    assert (torch.autograd.grad(aperture, near)[0] == 0).all()


@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_a_zero_vector_gives_its_base_point_with_the_identity_as_derivative(manifold, dtype):
    if list(manifold.parameters()):
        manifold = Lorentz(-0.7)
    for spread in (0.0, 0.4, 1.0):
        x = points(manifold, 5, 3, seed=1, spread=spread or 1e-30, dtype=dtype)
        zero = torch.zeros_like(x)
        back = manifold.expmap(x, zero)
        tolerance = 2 * torch.finfo(dtype).eps  # division by R and multiplication by it
        torch.testing.assert_close(back, x, rtol=tolerance, atol=tolerance)
        if radius(manifold) == 1.0 and not isinstance(manifold, Sphere):
            assert torch.equal(back, x)
        jacobians = torch.func.vmap(torch.func.jacrev(lambda v, p: manifold.expmap(p, v)))(zero, x)
        w = tangent(manifold, x, torch.randn(5, 3, dtype=dtype))
        off = (jacobians @ w.unsqueeze(-1)).squeeze(-1) - w
        assert (off.abs() <= 16 * tolerance * w.abs().amax(-1, keepdim=True)).all()


def test_the_curvature_has_the_derivative_of_finite_differences():
    for kind, k in ((Lorentz, -0.7), (PoincareBall, -0.7), (Sphere, 0.7)):
        learnable = kind(k, learnable=True)
        u, v = normals(learnable, 3, seed=1, spread=0.4), normals(learnable, 3, seed=2, spread=0.4)

        def value(m, u=u, v=v):
            x, y = m.from_normal(u), m.from_normal(v)
            return m.dist(x, y) + m.half_aperture(x, 0.02) + m.exterior_angle(x, y)

        (raw,) = learnable.parameters()
        (slope,) = torch.autograd.grad(value(learnable), raw)  # d/d log|K|, as raw starts at 0
        h = 1e-5
        up, down = kind(k * (1 + h)), kind(k * (1 - h))
        wanted = (value(up) - value(down)) / (2 * h)
        assert slope.item() == pytest.approx(wanted.item(), rel=1e-6)


def test_egrad2rgrad_is_the_gradient_and_changes_nothing_in_place(manifold):
    x = points(manifold, 6, 3, seed=1).requires_grad_()
    target = points(manifold, 6, 3, seed=2)
    value = manifold.sqdist(x, target).sum() + x[..., 0].square().sum()
    (g,) = torch.autograd.grad(value, x)
    kept = g.clone()
    rgrad = manifold.egrad2rgrad(x.detach(), g)
    assert torch.equal(g, kept)
    assert manifold.is_tangent(x.detach(), rgrad.detach()).all()
    # <rgrad, w>_x = d value(w), for w in three directions; the derivative along exp.
    for k in range(3):
        w = tangent(manifold, x.detach(), torch.eye(3, dtype=F64)[k].expand(6, 3)).detach()

        def along(t, w=w):
            y = manifold.expmap(x.detach(), t[:, None] * w)
            return manifold.sqdist(y, target) + y[..., 0].square()

        t = torch.zeros(6, dtype=F64, requires_grad=True)
        (wanted,) = torch.autograd.grad(along(t).sum(), t)
        inner = manifold.inner(x.detach(), rgrad, w).detach()
        torch.testing.assert_close(inner, wanted, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("n", [2, 3])
def test_logdetexp_is_the_determinant_of_the_jacobian_of_exp(manifold, n):
    x = points(manifold, n, seed=1, spread=0.5)
    v = normals(manifold, n, seed=2)

    def chart(w):  # orthonormal components at x -> orthonormal components at exp(v)
        y = manifold.expmap(x, tangent(manifold, x, w))
        return manifold.logmap(end, y)

    end = manifold.expmap(x, tangent(manifold, x, v)).detach()
    columns = torch.autograd.functional.jacobian(chart, v).T
    frame = torch.stack([tangent(manifold, end, e) for e in torch.eye(n, dtype=F64)])
    rows = [[manifold.inner(end, c, f).detach().item() for f in frame] for c in columns]
    matrix = torch.tensor(rows, dtype=F64)
    wanted = matrix.det().abs().log()
    value = manifold.logdetexp(x, tangent(manifold, x, v)).detach()
    torch.testing.assert_close(value, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
def test_the_mean_differentiates_implicitly(manifold):
    if list(manifold.parameters()):
        manifold = Lorentz(-0.7)
    v = normals(manifold, 5, 2, seed=1, spread=0.5).requires_grad_()
    w = torch.rand(5, dtype=F64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def mean(v, w):
        return manifold.to_normal(manifold.mean(manifold.from_normal(v), w))

    assert derivatives_of_differences(mean, (v, w), second=False)
