"""What a map returns is a point or a tangent vector in its dtype, to the edge; what is not a number
stays none; and a value that is checked is judged by the dtype it was given in."""

import math
from fractions import Fraction

import mpmath as mp
import pytest
import reference
import torch

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    convert,
    expmap_adjoint,
    expmap_differential,
    hyperplane_distance,
    jacobi_field,
    logits,
    logmap_differential,
    point_reflection,
    reflection,
    ricci,
    riemann,
    translation,
)
from spaceforms.manifolds.gyrovectors import Gyrovectors

F64, F32, BF16, F16 = torch.float64, torch.float32, torch.bfloat16, torch.float16
DTYPES = (F64, F32, BF16, F16)
SIZES = (1.5486, 1e-3, 1e3, 1.0)
KINDS = {
    "Euclidean": lambda k: Euclidean(),
    "Sphere": Sphere,
    "PoincareBall": lambda k: PoincareBall(-k),
    "Lorentz": lambda k: Lorentz(-k),
    "Stereographic, K < 0": lambda k: Stereographic(-k),
    "Stereographic, K > 0": Stereographic,
    "Product": lambda k: Product([Lorentz(-k), PoincareBall(-1e-3), Sphere(1e3), Euclidean()]),
}


def length(manifold: Manifold) -> float:
    """R, and 1 where there is no one."""
    if isinstance(manifold, Product) or manifold.sign == 0:
        return 1.0
    return abs(manifold.curvature.item()) ** -0.5


def vectors(manifold, count, n, dtype, low, high, seed):
    """Of lengths R 10^low to R 10^high, some along an axis or a diagonal; (count, n)."""
    n = n * (len(manifold.factors) if isinstance(manifold, Product) else 1)
    g = torch.Generator().manual_seed(seed)
    v = torch.randn(count, n, generator=g, dtype=F64)
    v[0], v[1, 1:], v[2] = 0, 0, 1
    v = v / v.norm(dim=-1, keepdim=True).clamp(min=1e-300)
    size = 10 ** (low + (high - low) * torch.rand(count, 1, generator=g, dtype=F64))
    most = torch.finfo(dtype).max / 4
    return (v * size * length(manifold)).clamp(-most, most).to(dtype)


def returned(m, n, dtype, seed):
    """(name, what the map returned, None for a point or where it is tangent)."""

    def some(low, high, offset):
        return vectors(m, 24, n, dtype, low, high, 10 * seed + offset)

    yield "from_normal", m.from_normal(some(-6, 6, 0)), None
    x, y, z = (m.from_normal(some(-3, h, o)) for h, o in ((2, 1), (2, 2), (0.8, 3)))
    origin = m.origin(m.to_normal(x).shape[-1], dtype=dtype)
    yield "origin", origin, None
    g = torch.Generator().manual_seed(seed)
    ambient = torch.randn(x.shape, generator=g, dtype=F64) * length(m)
    rim = ambient / ambient.norm(dim=-1, keepdim=True) * (1 + 1e-6 * ambient[..., :1]) * length(m)
    for name, raw in {"proj": 30 * ambient, "proj at the rim": rim}.items():
        yield name, m.proj(raw.to(dtype)), None
    for a, b in [((x, y), (z, x), (x, z))[seed % 3]]:
        free, gradient = m.proj_tangent(a, ambient.to(dtype)), m.egrad2rgrad(a, ambient.to(dtype))
        log, at_origin = m.logmap(a, b), m.logmap0(b)
        moved = m.transport0(a, at_origin)
        for name, (value, base) in {
            "proj_tangent": (free, a), "egrad2rgrad": (gradient, a), "logmap": (log, a),
            "logmap0": (at_origin, origin.expand_as(a)), "transport0": (moved, a),
            "transport": (m.transport(a, b, moved), b),
            "transport of log": (m.transport(a, b, log), b),
            "transport0_inverse": (m.transport0_inverse(a, moved), origin.expand_as(a)),
            "expmap0": (m.expmap0(3 * at_origin), None), "expmap": (m.expmap(a, moved), None),
            "expmap of log": (m.expmap(a, log), None), "beyond": (m.expmap(a, 2 * log), None),
            "expmap of gradient": (m.expmap(a, -gradient), None),
            "expmap of ambient": (m.expmap(a, free), None),
            "geodesic": (m.geodesic(a, b, 0.3), None), "midpoint": (m.midpoint(a, b), None),
        }.items():  # fmt: skip
            yield name, value, base
        yield "geodesic to its end", m.geodesic(a, b, 1.0), None
        if isinstance(m, Gyrovectors):
            yield "mobius_add", m.mobius_add(a, b), None
            yield "coadd", m.coadd(a, b), None
            yield "mobius_scalar", m.mobius_scalar(2.7, a), None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_map_returns_is_a_point_or_tangent_in_its_dtype(kind, dtype):
    for seed, (n, k) in enumerate(zip((1, 2, 16, 300), SIZES, strict=True)):
        m = KINDS[kind](k)
        for name, value, base in returned(m, n, dtype, seed):
            good = m.is_point(value) if base is None else m.is_tangent(base, value)
            if dtype == F16:
                # A vector may be beyond its range (as long as 1/eps at a point far out), and then
                # so is what is made of it.
                good = good | ~value.isfinite().all(-1)
            assert good.all(), (m, n, name, value[~good][0])


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize("kind", [PoincareBall, Stereographic])
def test_no_point_at_the_rim_of_a_ball_is_outside(kind, dtype):
    g = torch.Generator().manual_seed(0)
    for k in (-1.5486, -13.148741102311488, -3.647230287840824, -1e-3):
        ball = kind(k)
        r2 = 1 / Fraction(-k)
        for n in (1, 2, 3, 16):
            v = torch.randn(2000, n, generator=g, dtype=F64)
            v = v / v.norm(dim=-1, keepdim=True) * (-k) ** -0.5
            stretch = 1 + 1e-6 * torch.randn(2000, 1, generator=g, dtype=F64)
            x = ball.proj((v * stretch).to(dtype))
            assert ball.is_point(x).all()
            far = x[x.double().norm(dim=-1).topk(5).indices]
            for row in far.tolist():  # exactly
                assert sum(Fraction(c) ** 2 for c in row) < r2


def test_the_time_part_of_a_far_point_is_that_of_its_space_part():
    # The issue's: x at 25 R, v a vector at the origin carried there.
    m = Lorentz()
    direction = torch.tensor([-1.0, 6.0, -3.0])
    x = m.from_normal(25 * direction / direction.norm())
    v = m.transport0(x, torch.tensor([0.0, -6.0, -7.0, 6.0]))
    g = torch.Generator().manual_seed(0)
    many = torch.randn(300, 3, generator=g)
    far = m.from_normal(24 * many / many.norm(dim=-1, keepdim=True))
    steps = m.transport0(far, torch.cat([many[:, :1] * 0, 3 * many.flip(0)], -1))
    y = torch.cat([m.expmap(x, v)[None], m.expmap(far, steps)])
    assert m.is_point(y).all()
    for row in y[:40]:
        exact = reference.lift(reference.numbers(row[1:]))[0]
        assert abs(reference.numbers(row[:1])[0] / exact - 1) < 4 * torch.finfo(F32).eps


# -- gradients beyond the edge -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F32, F64, BF16], ids=str)
@pytest.mark.parametrize("size", [44.0, 1e3, 1e30])
@pytest.mark.parametrize("name", ["Lorentz", "PoincareBall"])
def test_the_gradient_beyond_the_edge_is_that_of_the_point_it_is_brought_to(name, size, dtype):
    """Of g.y, y = b v/|v|: b/|v| (g - g.u u), u = v/|v|; whatever the size of g."""
    space = Lorentz() if name == "Lorentz" else PoincareBall()
    size = size * (9 if dtype == F64 and name == "Lorentz" else 1)
    v = torch.tensor([[3.0, -4.0, 12.0], [1.0, 0.0, 0.0], [-1.0, 2.0, 2.0]], dtype=F64)
    v = (v / v.norm(dim=-1, keepdim=True) * size).to(dtype).requires_grad_()
    y = space.from_normal(v)
    g = torch.tensor([2.0**40, -(2.0**39), 2.0**41], dtype=dtype)
    (found,) = torch.autograd.grad((y[..., -3:] * g).sum(), v)
    wide, a = v.detach().double(), g.double()
    unit = wide / wide.norm(dim=-1, keepdim=True)
    b = y.detach()[..., -3:].double().norm(dim=-1, keepdim=True)
    right = b / wide.norm(dim=-1, keepdim=True) * (a - (unit * a).sum(-1, keepdim=True) * unit)
    scale = b / wide.norm(dim=-1, keepdim=True) * a.norm()
    assert ((found.double() - right).abs() <= 16 * torch.finfo(dtype).eps * scale).all()


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "Product"])
def test_layers_of_lift_bias_and_chart_have_finite_gradients_at_any_scale(kind):
    m = KINDS[kind](1.0)
    g = torch.Generator().manual_seed(0)
    for scale in (5.0, 20.0, 44.0, 100.0, 1e10):
        leaves = [(torch.randn(8, 4, generator=g) * scale).requires_grad_()]
        x = leaves[0]
        for _ in range(3):
            bias = (torch.randn(4, generator=g) * scale / 3).requires_grad_()
            weight = (torch.randn(4, 4, generator=g) / 2).requires_grad_()
            leaves += [bias, weight]
            p = m.from_normal(x @ weight)
            x = m.to_normal(m.expmap(p, m.transport0(p, m._lift_tangent0(bias).expand_as(p))))
        for d in torch.autograd.grad(x.square().mean(), leaves):
            assert d.isfinite().all(), scale


# -- Checked -------------------------------------------------------------------------------------


def operations(c, m, dtype):
    """Of a checked manifold, at points of the one it is about."""

    def some(high, seed):
        return m.from_normal(vectors(m, 6, 3, dtype, -1, high, seed))

    x, y = some(0.3, 1), some(0.1, 2)
    at_origin = m.logmap0(some(0, 3))
    v, w = m.transport0(x, at_origin), m.logmap(x, y)
    anything = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    yield from {
        "dist": lambda: c.dist(x, y), "sqdist": lambda: c.sqdist(x, y),
        "cdist": lambda: c.cdist(x, y), "cdist, matmul": lambda: c.cdist(x, y, matmul=True),
        "cinner": lambda: c.cinner(x, y), "cinner, matmul": lambda: c.cinner(x, y, matmul=True),
        "expmap": lambda: c.expmap(x, v), "logmap": lambda: c.logmap(x, y),
        "geodesic": lambda: c.geodesic(x, y, 0.3), "midpoint": lambda: c.midpoint(x, y),
        "mean": lambda: c.mean(x), "mean from a start": lambda: c.mean(x, start=y[0]),
        "expmap0": lambda: c.expmap0(at_origin), "logmap0": lambda: c.logmap0(x),
        "to_normal": lambda: c.to_normal(x), "transport": lambda: c.transport(x, y, v),
        "transport0": lambda: c.transport0(x, at_origin), "inner": lambda: c.inner(x, v, w),
        "transport0_inverse": lambda: c.transport0_inverse(x, v), "norm": lambda: c.norm(x, v),
        "logdetexp": lambda: c.logdetexp(x, v), "proj": lambda: c.proj(anything),
        "proj_tangent": lambda: c.proj_tangent(x, anything), "cones": lambda: c.cones(x, y),
        "egrad2rgrad": lambda: c.egrad2rgrad(x, anything),
        "translation": lambda: translation(c, x[0], y[0])(x),
        "point_reflection": lambda: point_reflection(c, x[0])(y),
    }.items()  # fmt: skip
    if isinstance(m, Product):
        return
    back, there = m.logmap(y, x), m.logmap(m.expmap(x, v), y)
    yield from {
        "riemann": lambda: riemann(c, x, v, w, v), "ricci": lambda: ricci(c, x, v, w),
        "hyperplane_distance": lambda: hyperplane_distance(c, x, y, back),
        "logits": lambda: logits(c, x, y, back), "reflection": lambda: reflection(c, x[1], v[1])(y),
        "logits, matmul": lambda: logits(c, x, y, back, matmul=True),
        "expmap_differential": lambda: expmap_differential(c, x, v, w),
        "expmap_adjoint": lambda: expmap_adjoint(c, x, v, there),
        "logmap_differential": lambda: logmap_differential(c, x, y, back),
        "jacobi_field": lambda: jacobi_field(c, x, v, w, v, 0.5),
    }.items()  # fmt: skip


@pytest.mark.parametrize("dtype", [F32, BF16], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_checked_manifold_takes_its_own_points_in_every_operation_and_dtype(kind, dtype):
    manifold = KINDS[kind](1.5486)
    plain = dict(operations(manifold, manifold, dtype))
    for name, checked in operations(Checked(manifold), manifold, dtype):
        found, wanted = checked(), plain[name]()
        pairs = zip(found, wanted, strict=True) if name == "cones" else [(found, wanted)]
        assert all(torch.equal(a, b) for a, b in pairs), name


# -- what is no number ---------------------------------------------------------------------------


def readers(m, x, y, at_origin, v):
    """name -> (map, its arguments, which of them it reads on a curved space)."""
    t = torch.full(x.shape[:1], 0.3, dtype=x.dtype)
    curved = m.sign != 0
    conformal = m._extra_coordinates == 0 and curved
    points = {
        "proj": (m.proj, (x,)), "dist": (m.dist, (x, y)), "sqdist": (m.sqdist, (x, y)),
        "logmap": (m.logmap, (x, y)), "geodesic": (m.geodesic, (x, y, t)),
        "midpoint": (m.midpoint, (x, y)), "to_normal": (m.to_normal, (x,)),
        "logmap0": (m.logmap0, (x,)), "expmap": (m.expmap, (x, v)),
        "expmap0": (m.expmap0, (at_origin,)), "exterior_angle": (m.exterior_angle, (x, y)),
        "half_aperture": (m.half_aperture, (x,)),
        "cdist": (lambda a: m.cdist(a, y).amax(-1), (x,)),
        "cdist, matmul": (lambda a: m.cdist(a, y, matmul=True).amax(-1), (x,)),
        "cinner": (lambda a: m.cinner(a, y), (x,)),
    }  # fmt: skip
    vectors_ = {"transport": (m.transport, (x, y, v)), "transport0": (m.transport0, (y, at_origin))}
    metric = {"norm": (m.norm, (x, v)), "logdetexp": (m.logdetexp, (x, v))}
    for name, (f, arguments) in points.items():
        yield name, f, arguments, range(len(arguments))
    for name, (f, arguments) in vectors_.items():
        last = len(arguments) - 1
        yield name, f, arguments, range(len(arguments)) if curved else [last]
    for name, (f, arguments) in metric.items():
        # On sphere and hyperboloid the one does not depend on x, nor on flat space the other on v.
        reads = [0, 1] if conformal or m._name == "Lorentz" else [1]
        yield name, f, arguments, reads if curved or name == "norm" else []


@pytest.mark.parametrize("spread", [0.3, 8.0])
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "Product"])
def test_nan_stays_nan_in_its_row_and_nowhere_else(kind, spread):
    m = KINDS[kind](1.5486)
    g = torch.Generator().manual_seed(0)
    x, y, u = (m.from_normal(torch.randn(4, 3, generator=g, dtype=F64) * spread) for _ in range(3))
    at_origin = m.logmap0(u)
    v = m.transport0(x, at_origin)
    for name, f, arguments, reads in readers(m, x, y, at_origin, v):
        clean = f(*arguments)
        for j in reads:
            a = arguments[j]
            # Lorentz reads no time part, and a sphere none of what is at its origin or its sine.
            hidden = m._name == "Lorentz" or (
                m._name == "Sphere" and name in ("expmap0", "half_aperture")
            )
            first = int(hidden or (m._name == "Sphere" and name == "transport0" and j == 1))
            for c in range(first if a.ndim > 1 else 0, a.shape[-1] if a.ndim > 1 else 1):
                bad = a.clone()
                bad[(2, c) if a.ndim > 1 else 2] = math.nan
                out = f(*arguments[:j], bad, *arguments[j + 1 :])
                assert out[2].isnan().any(), (name, j, c)
                others = [0, 1, 3]
                assert torch.equal(out[others], clean[others]), (name, j, c)


def test_the_time_part_of_a_lorentz_point_is_not_read_by_a_map_but_by_who_judges():
    m = Lorentz(-0.7)
    x, y = m.from_normal(torch.eye(2)), m.from_normal(torch.ones(2))
    bad = x.clone()
    bad[:, 0] = math.nan
    assert torch.equal(m.dist(bad, y), m.dist(x, y))
    assert torch.equal(m.proj(bad), x)
    assert not m.is_point(bad).any()
    with pytest.raises(ValueError, match="x has 2 of 2 points off the manifold"):
        Checked(m).dist(bad, y)


# -- small laws ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F32, F64, BF16], ids=str)
def test_the_origin_is_neutral_to_the_last_bit_and_keeps_the_derivative(dtype):
    for k in (-1.5486, -1e-3, 0.0, 1e-3, 1.0, 1e3):
        m = Stereographic(k)
        x = m.from_normal(vectors(m, 60, 3, dtype, -6, 6, 1))
        nothing = torch.zeros_like(x)
        assert torch.equal(m.mobius_add(nothing, x), x)
        assert torch.equal(m.mobius_add(x, nothing), x)
        assert (m.mobius_add(-x, x) == 0).all()
    m = Stereographic(-0.7)
    x, o = torch.tensor([0.3, -0.2], dtype=F64), torch.zeros(2, dtype=F64)
    # By y at 0 the differential of x (+) y is (1 + K|x|^2) times the identity.
    slope = torch.func.jacrev(lambda y: m.mobius_add(x, y))(o)
    torch.testing.assert_close(slope, (1 - 0.7 * 0.13) * torch.eye(2, dtype=F64))


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_a_set_with_itself_is_symmetric_to_the_last_bit(kind):
    m = KINDS[kind](1.5486)
    x = m.from_normal(vectors(m, 40, 3, F32, -3, 1, 5)).requires_grad_()
    for squared in (False, True):
        for matmul in (False, True):
            d = m.cdist(x, x, squared=squared, matmul=matmul)
            assert torch.equal(d, d.mT)
            assert not d.diagonal().any()
            # Of the whole table, as of two objects.
            (once,) = torch.autograd.grad(d.sum(), x)
            a, b = x.detach().requires_grad_(), x.detach().clone().requires_grad_()
            twice = torch.autograd.grad(m.cdist(a, b, squared=squared, matmul=matmul).sum(), (a, b))
            total = twice[0] + twice[1]
            torch.testing.assert_close(once, total, rtol=1e-3, atol=1e-4 * total.abs().max().item())


# -- cinner --------------------------------------------------------------------------------------


def form(m, x, y):
    """cinner of two points, from the definition, at 60 digits; and what matmul may be off by."""
    r2 = 1 / abs(mp.mpf(float(m.curvature)))
    a, b = reference.hyperboloid(m, x), reference.hyperboloid(m, y)
    value = mp.fsum(p * q for p, q in zip(a[1:], b[1:], strict=True)) - a[0] * b[0]
    return r2 * value, r2 * a[0] * b[0]


@pytest.mark.parametrize("name", ["Lorentz", "PoincareBall"])
def test_cinner_is_as_accurate_as_dist_and_its_product_within_its_bound(name):
    u = 2.0**-53
    m = Lorentz(-4.132) if name == "Lorentz" else PoincareBall(-4.132)
    g = torch.Generator().manual_seed(0)
    reach = 20 if name == "Lorentz" else 8
    v = torch.randn(12, 2, generator=g, dtype=F64)
    v = v / v.norm(dim=-1, keepdim=True)
    v[6:] = v[:6] + 1e-6 * v[6:]  # in about the same direction
    v = v * torch.linspace(0.01, reach, 12, dtype=F64)[torch.randperm(12, generator=g), None] * 0.49
    x = m.from_normal(v)
    y = m.from_normal(v.flip(0) * 1.1)
    if name == "Lorentz":
        x = torch.cat([x, m.from_space(torch.tensor([[453.46, -3.197e10]], dtype=F64))])
        y = torch.cat([y, m.from_space(torch.tensor([[0.0, -3.468e7]], dtype=F64))])
        assert m.cinner(x[-1:], y[-1:]).item() == pytest.approx(-223.07, abs=0.01)
    direct, product = m.cinner(x, y), m.cinner(x, y, matmul=True)
    for i in range(len(x)):
        for j in range(len(y)):
            exact, size = form(m, x[i], y[j])
            # kappa by the half-steps of each free coordinate, as in the promise.
            kappa = mp.mpf(0)
            for place, point in ((0, x[i]), (1, y[j])):
                for c in range(len(point) - 2, len(point)):
                    moved = point.clone()
                    moved[c] = moved[c] * (1 + 2.0**-26)
                    pair = (moved, y[j]) if place == 0 else (x[i], moved)
                    kappa += abs(form(m, *pair)[0] - exact) / abs(exact) * mp.mpf(2) ** 26
            bound = 8 * u * (1 + kappa) * abs(exact)
            assert abs(direct[i, j].item() - exact) <= bound, (i, j)
            assert abs(product[i, j].item() - exact) <= bound + 1e-15 * size, (i, j)


def test_cinner_of_a_sphere_keeps_the_digits_of_points_at_a_right_angle():
    m = Sphere(1.0)
    angle = torch.tensor([1e-3, 1e-9, 1e-12], dtype=F64)
    x = torch.tensor([[1.0, 0.0, 0.0]], dtype=F64)
    y = torch.stack([angle.sin(), angle.cos(), 0 * angle], -1)
    for value, c in zip(m.cinner(x, y)[0], y, strict=True):
        assert abs(value.item() / c[0].item() - 1) <= 8 * 2.0**-53


def test_a_point_converted_to_a_ball_is_a_point_of_it():
    g = torch.Generator().manual_seed(0)
    for dtype in DTYPES:
        for k in (-1.0, -1.5486):
            source, target = Lorentz(k), PoincareBall(k)
            v = 100 * torch.randn(200, 4, generator=g)
            assert target.is_point(convert(source.from_normal(v.to(dtype)), source, target)).all()
