"""Cones: that they nest and where they do not, models and papers that agree, hinges, rankings."""

import math
from itertools import combinations

import mpmath as mp
import pytest
import torch
from cases import CASES, normals, once, points, radius, tangent
from hypothesis import given, settings, strategies as st
from torch.autograd import gradcheck

from spaceforms.losses import (
    EntailmentLoss,
    chain_entailment,
    cone_nll,
    entailment,
    entailment_ranking,
    exclusion,
    order_embedding,
    order_ranking,
    radial_order,
)
from spaceforms.manifolds import (
    Checked,
    Euclidean,
    HalfSpace,
    Klein,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    convert,
    convert_vector,
)

F64 = torch.float64
EPS = torch.finfo(F64).eps
HINGES = ("relu", "softplus", "leaky")


def _sn(manifold, r):
    """sn(r/R) of a distance, in the unit that min_radius has."""
    if isinstance(manifold, Stereographic):
        k = manifold.curvature.item()
        root = abs(k) ** 0.5
        return (r * root).sin() / root if k > 0 else (r * root).sinh() / root if k < 0 else r
    return {-1: torch.sinh, 0: lambda t: t, 1: torch.sin}[manifold.sign](r / radius(manifold))


def _unit_length(manifold):
    return 1.0 if isinstance(manifold, Stereographic) else radius(manifold)


def _directions(count, n, generator):
    v = torch.randn(count, n, generator=generator, dtype=F64)
    return v / v.norm(dim=-1, keepdim=True)


def _step(manifold, x, angle, side, length):
    """The point at a distance from x, at an angle from the outward ray towards ``side``."""
    out = manifold.to_normal(x)
    out = out / out.norm(dim=-1, keepdim=True)
    side = side - out * (side * out).sum(-1, keepdim=True)
    side = side / side.norm(dim=-1, keepdim=True)
    direction = angle[:, None].cos() * out + angle[:, None].sin() * side
    return manifold.expmap(x, tangent(manifold, x, length[:, None] * direction)).detach()


def _chain(manifold, generator, *, steps, min_radius, scale=1.0, edge=False, n=3, count=64):
    """Random points, each in the cone (scaled) of the last; on its very edge if wanted."""

    def uniform(low, high):
        return low + (high - low) * torch.rand(count, generator=generator, dtype=F64)

    unit = _unit_length(manifold)
    # sn(r) from 1.05 times 2 min_radius on, so that asin is not near its end.
    reach = 2 * min_radius * uniform(1.05, 2.0)
    k = manifold.curvature.item() * unit**2
    if k < 0:
        start = (reach * (-k) ** 0.5).asinh() / (-k) ** 0.5
    else:
        start = (reach * k**0.5).asin() / k**0.5 if k > 0 else reach
    room = (math.pi / 2 / k**0.5 - start.max().item()) / steps if k > 0 else 1.5
    chain = [manifold.from_normal(start[:, None] * unit * _directions(count, n, generator))]
    for _ in range(steps):
        x = chain[-1].detach()
        share = 1.0 if edge else uniform(-0.3, 1).clamp(min=0)  # on the axis as well
        angle = scale * manifold.half_aperture(x, min_radius).detach() * share
        length = uniform(0.1, 0.95) * room * unit
        chain.append(_step(manifold, x, angle, _directions(count, n, generator), length))
    return [x.detach() for x in chain]


def _excess(manifold, a, b, min_radius, scale=1.0):
    angle, aperture = manifold.cones(a, b, min_radius)
    return (angle - scale * aperture).detach()


def _rounding(manifold, a, b):
    """How far rounding of the points may turn an angle: eps sn(r)/sn(d), seen from either."""
    o = manifold.origin(3, dtype=F64)
    far = torch.maximum(manifold.dist(o, a), manifold.dist(o, b)).detach()
    grown = torch.ones_like(far) if manifold.sign > 0 else _sn(manifold, far)
    return 64 * EPS * (1 + (1 + grown) / _sn(manifold, manifold.dist(a, b).detach()))[:, None]


@settings(max_examples=6, derandomize=True)
@given(
    seed=st.integers(0, 2**31),
    min_radius=st.sampled_from([0.02, 0.1, 0.2]),
    scale=st.sampled_from([0.3, 0.7, 1.0]),
    edge=st.booleans(),
)
@pytest.mark.parametrize("name", once(CASES))
def test_a_point_of_a_cone_brings_its_whole_cone(name, seed, min_radius, scale, edge):
    """Of four points, each in the cone of the last, each is in the cone of every earlier one."""
    manifold, generator = CASES[name], torch.Generator().manual_seed(seed)
    chain = _chain(manifold, generator, steps=3, min_radius=min_radius, scale=scale, edge=edge)
    for a, b in combinations(chain, 2):
        assert (_excess(manifold, a, b, min_radius, scale) <= _rounding(manifold, a, b)).all()


@settings(max_examples=5, derandomize=True)
@given(seed=st.integers(0, 2**31))
def test_in_a_product_a_point_in_all_cones_brings_all_its_cones(seed):
    generator = torch.Generator().manual_seed(seed)
    lorentz = Lorentz(-0.5)
    inner = Product([Euclidean(), Sphere(2.0)])
    flat = [lorentz, Euclidean(), Sphere(2.0), PoincareBall(-2.0), lorentz]
    space = Product([lorentz, inner, PoincareBall(-2.0), lorentz], dims=[3, 6, 3, 3])
    chains = [_chain(f, generator, steps=2, min_radius=0.1) for f in flat]
    for (i, j), name in zip(combinations(range(3), 2), ("ab", "ac", "bc"), strict=True):
        own = [(c[i], c[j]) for c in chains]
        parts = [[c[k] for c in chains] for k in (i, j)]
        a, b = (space.join([p[0], inner.join(p[1:3]), *p[3:]]) for p in parts)
        angle, aperture = space.cones(a, b)
        assert angle.shape == aperture.shape == (64, 5), name
        for k, (f, (p, q)) in enumerate(zip(flat, own, strict=True)):
            # But for the last bit: side by side with other factors it is the form for all inputs.
            alone = f.exterior_angle(p, q)
            assert ((angle[:, k] - alone).abs() <= 4 * 2.0**-53 * alone).all()
            assert torch.equal(aperture[:, k], f.half_aperture(p))
            excess = angle[:, k] - aperture[:, k]
            assert (excess <= _rounding(f, p, q)[:, 0]).all()


@pytest.mark.parametrize("scale", [1.2, 1.5])
def test_an_aperture_scaled_above_one_does_not_nest(manifold, scale):
    """Out along the edge of a's cone and on along the edge of b's, both to the same side."""
    generator = torch.Generator().manual_seed(0)
    unit, count = _unit_length(manifold), 200
    start = 0.35 + 0.1 * torch.rand(count, generator=generator, dtype=F64)
    a = manifold.from_normal(start[:, None] * unit * torch.tensor([1.0, 0.0], dtype=F64)).detach()
    side = torch.tensor([[0.0, 1.0]], dtype=F64)
    length = unit * (0.1 + 0.2 * torch.rand(2, count, generator=generator, dtype=F64))

    def edge(x):
        return scale * manifold.half_aperture(x).detach()

    b = _step(manifold, a, edge(a), side, length[0])
    c = _step(manifold, b, edge(b), side, length[1])
    assert (_excess(manifold, a, b, 0.1, scale).abs() <= 1e-13).all()
    assert (_excess(manifold, b, c, 0.1, scale).abs() <= 1e-13).all()
    assert (_excess(manifold, a, c, 0.1, scale) > 1e-6).all()
    # The reason, by Clairaut: the geodesic from a meets b at a smaller angle than b's own edge.
    o = manifold.origin(2, dtype=F64)
    sn = [_sn(manifold, manifold.dist(o, x).detach()) for x in (a, b)]
    met = (edge(a).sin() * sn[0] / sn[1]).asin()
    assert (met < edge(b)).all()


def test_slack_is_no_part_of_a_cone(manifold):
    """With slack 0.1 two steps of loss 0 make one that has loss."""
    unit = _unit_length(manifold)
    a = manifold.from_normal(torch.tensor([[0.4 * unit, 0.0]], dtype=F64)).detach()
    side, step = torch.tensor([[0.0, 1.0]], dtype=F64), torch.tensor([0.2 * unit], dtype=F64)
    b = _step(manifold, a, manifold.half_aperture(a).detach() + 0.0999, side, step)
    c = _step(manifold, b, manifold.half_aperture(b).detach() + 0.0999, side, step)
    options = {"manifold": manifold, "slack": 0.1}
    assert entailment(a, b, **options) == 0
    assert entailment(b, c, **options) == 0
    assert entailment(a, c, **options) > 0


def test_half_spaces_near_the_origin_do_not_nest(manifold):
    """Below sn(r) = 2 min_radius: b in a's cone, c in b's, c not in a's."""
    unit = _unit_length(manifold)
    a = manifold.from_normal(torch.tensor([[0.08 * unit, 0.0]], dtype=F64)).detach()
    up = torch.tensor([[0.0, 1.0]], dtype=F64)
    angle = torch.tensor([1.55], dtype=F64)
    b = _step(manifold, a, angle, up, torch.tensor([0.1 * unit], dtype=F64))
    out = torch.tensor([[-1.0, 0.5]], dtype=F64)
    c = _step(manifold, b, angle, out, torch.tensor([0.3 * unit], dtype=F64))
    half = torch.tensor([math.pi / 2], dtype=F64)
    assert manifold.half_aperture(a) == manifold.half_aperture(b) == half
    assert _excess(manifold, a, b, 0.1) < 0
    assert _excess(manifold, b, c, 0.1) < 0
    assert _excess(manifold, a, c, 0.1) > 0.1


# -- models and papers -----------------------------------------------------------------------------


def test_hyperbolic_models_have_the_same_cones():
    lorentz = Lorentz(-0.7)
    x, y = points(lorentz, 300, 3, seed=1), points(lorentz, 300, 3, seed=2)
    angle, aperture = lorentz.cones(x, y)
    bound = _rounding(lorentz, x, y)
    sn = _sn(lorentz, lorentz.dist(lorentz.origin(3, dtype=F64), x))[:, None]
    wide = 0.2 / sn  # asin has the condition number tan(psi)/psi
    spread = 64 * EPS * (1 + (1 + sn) * torch.where(wide < 1, wide / (1 - wide**2).abs().sqrt(), 0))
    for other in (PoincareBall(-0.7), Checked(PoincareBall(-0.7)), Stereographic(-0.7)):
        chart = PoincareBall(-0.7)
        p, q = convert(x, lorentz, chart), convert(y, lorentz, chart)
        # Stereographic counts min_radius in lengths, the others in R.
        least = 0.1 / 0.7**0.5 if isinstance(other, Stereographic) else 0.1
        a, b = other.cones(p, q, least)
        assert ((a - angle).abs() <= bound).all()
        assert ((b - aperture).abs() <= spread).all()


def test_cones_computed_in_the_klein_ball_and_the_half_space_are_the_same():
    """Klein: geodesics are straight, the angle by the metric. Half-space: angles are Euclidean."""
    lorentz = Lorentz(-1.0)
    x, y = points(lorentz, 300, 3, seed=1), points(lorentz, 300, 3, seed=2)
    angle = lorentz.exterior_angle(x, y)
    bound = _rounding(lorentz, x, y)[:, 0]

    klein = Klein(lorentz)
    p, q = convert(x, lorentz, klein), convert(y, lorentz, klein)
    w = 1 - p.square().sum(-1)

    def inner(u, v):
        return (u * v).sum(-1) / w + (p * u).sum(-1) * (p * v).sum(-1) / w**2

    step = q - p
    # By atan2 of the inner product and the area, sqrt of Gram's determinant: acos would lose half
    # of the digits of small angles.
    gram = (inner(p, p) * inner(step, step) - inner(p, step) ** 2).clamp(min=0).sqrt()
    flat = torch.atan2(gram, inner(p, step))
    # The metric's entries are 1/w^2 in size, and squared in the determinant.
    assert ((flat - angle).abs() <= bound / w**2).all()

    half = HalfSpace(lorentz)
    origin = lorentz.origin(3, dtype=F64).expand_as(x)
    towards = convert_vector(x, lorentz.logmap(x, y), lorentz, half)
    outward = -convert_vector(x, lorentz.logmap(x, origin), lorentz, half)
    u, v = (t / t.norm(dim=-1, keepdim=True) for t in (towards, outward))
    euclidean = 2 * torch.atan2((u - v).norm(dim=-1), (u + v).norm(dim=-1))
    assert ((euclidean - angle).abs() <= 8 * bound).all()


def _mp(x):
    return [mp.mpf(c) for c in x.tolist()]


@pytest.mark.parametrize("curvature", [-1.0, -0.4])
def test_on_the_hyperboloid_it_is_merus_loss_at_fifty_digits(curvature):
    """Desai et al. 2023, section 3.2 (space part x, c = -K)."""
    lorentz, generator = Lorentz(curvature), torch.Generator().manual_seed(3)
    c = mp.mpf(-curvature)
    with mp.workdps(50):
        for v, w in torch.randn(30, 2, 3, generator=generator, dtype=F64):
            x, y = lorentz.from_normal(v), lorentz.from_normal(w)
            xs, ys = _mp(x[1:]), _mp(y[1:])
            xt, yt = (mp.sqrt(1 / c + mp.fdot(a, a)) for a in (xs, ys))
            form = mp.fdot(xs, ys) - xt * yt
            size = mp.sqrt(mp.fdot(xs, xs))
            exterior = mp.acos((yt + xt * c * form) / (size * mp.sqrt((c * form) ** 2 - 1)))
            aperture = mp.asin(min(mp.mpf(1), 2 * mp.mpf(0.1) / (mp.sqrt(c) * size)))
            wanted = max(mp.mpf(0), exterior - aperture)
            loss = entailment(x, y, manifold=lorentz)
            assert abs(loss.item() - wanted) <= 64 * EPS * (1 + float(mp.tan(aperture * 0.999)))


def test_on_the_ball_it_is_ganeas_energy_at_fifty_digits():
    """Ganea et al. 2018, section 4; K = 0.1 is a radius in ball coordinates."""
    ball, generator = PoincareBall(), torch.Generator().manual_seed(4)
    with mp.workdps(50):
        for v, w in torch.randn(30, 2, 3, generator=generator, dtype=F64):
            x, y = ball.from_normal(v), ball.from_normal(w)
            p, q = _mp(x), _mp(y)
            pp, qq, pq = mp.fdot(p, p), mp.fdot(q, q), mp.fdot(p, q)
            gap = mp.sqrt(mp.fsum((a - b) ** 2 for a, b in zip(p, q, strict=True)))
            exterior = mp.acos(
                (pq * (1 + pp) - pp * (1 + qq))
                / (mp.sqrt(pp) * gap * mp.sqrt(1 + pp * qq - 2 * pq))
            )
            aperture = mp.asin(min(mp.mpf(1), mp.mpf(0.1) * (1 - pp) / mp.sqrt(pp)))
            wanted = max(mp.mpf(0), exterior - aperture)
            loss = entailment(x, y, manifold=ball)
            assert abs(loss.item() - wanted) <= 64 * EPS * (1 + float(mp.tan(aperture * 0.999)))


def test_on_flat_space_it_is_euclips_loss_at_fifty_digits():
    """Chou & Alam 2024: asin(K/|x|) and the angle of x and y - x; K is twice min_radius."""
    flat, generator = Euclidean(), torch.Generator().manual_seed(5)
    with mp.workdps(50):
        for x, y in torch.randn(30, 2, 3, generator=generator, dtype=F64):
            p, q = _mp(x), _mp(y - x)
            size, step = (mp.sqrt(mp.fdot(a, a)) for a in (p, q))
            aperture = mp.asin(min(mp.mpf(1), 2 * mp.mpf(0.1) / size))
            wanted = max(mp.mpf(0), mp.acos(mp.fdot(p, q) / (size * step)) - aperture)
            assert abs(entailment(x, y, manifold=flat).item() - wanted) <= 1e-13


def test_on_a_product_it_is_the_mean_over_the_factors():
    """PHyCLIP: entailment factor by factor; one object or several curvatures, any depth."""
    one, other = Lorentz(-1.0), Lorentz(-0.3, learnable=True)
    space = Product([one, Product([Euclidean(), other]), one], dims=[2, 4, 2])
    x, y = points(space.factors[0], 7, 4, 2, seed=1), points(one, 7, 4, 2, seed=2)
    factors = [one, Euclidean(), other, one]
    parts = [[f.from_normal(one.to_normal(p[:, i])) for i, f in enumerate(factors)] for p in (x, y)]
    a, b = (space.join([p[0], space.factors[1].join(p[1:3]), p[3]]) for p in parts)
    for hinge in HINGES:
        each = [
            entailment(p, q, manifold=f, hinge=hinge, reduction="none")
            for f, p, q in zip(factors, *parts, strict=True)
        ]
        loss = entailment(a, b, manifold=space, hinge=hinge, reduction="none")
        torch.testing.assert_close(loss, torch.stack(each).mean(0), rtol=8 * EPS, atol=EPS)
    (gradient,) = torch.autograd.grad(loss.sum(), list(other.parameters()))
    assert gradient.isfinite()
    assert gradient != 0
    assert torch.equal(entailment(a, b, manifold=Checked(space)), entailment(a, b, manifold=space))
    with pytest.raises(ValueError, match=r"Product\.cones: x has 1 of 1 points off"):
        Checked(space).cones(2 * a[0], b[0])


# -- hinges ----------------------------------------------------------------------------------------


def test_hinges_are_their_formulas(manifold):
    x, y = points(manifold, 50, 3, seed=1), points(manifold, 50, 3, seed=2)
    angle, psi = manifold.exterior_angle(x, y), manifold.half_aperture(x)
    t = angle - 0.8 * psi - 0.05
    options = {"manifold": manifold, "aperture_scale": 0.8, "slack": 0.05, "softness": 0.2}
    wanted = {
        "relu": t.clamp(min=0),
        "softplus": 0.2 * torch.logaddexp(torch.zeros_like(t), t / 0.2),
        "leaky": t.clamp(min=0) + 0.2 * angle,
    }
    for hinge, value in wanted.items():
        loss = entailment(x, y, **options, hinge=hinge, reduction="none")
        torch.testing.assert_close(loss, value, rtol=8 * EPS, atol=8 * EPS)
        module = EntailmentLoss(manifold, aperture_scale=0.8, slack=0.05, softness=0.2, hinge=hinge)
        assert module(x, y) == loss.mean()
        assert hinge in repr(module)
    soft = [
        entailment(x, y, manifold=manifold, hinge="softplus", softness=s, reduction="none")
        for s in (0.1, 1e-3)
    ]
    hard = entailment(x, y, manifold=manifold, reduction="none")
    for s, loss in zip((0.1, 1e-3), soft, strict=True):
        assert (loss >= hard).all()
        assert (loss - hard <= s * math.log(2) * (1 + 8 * EPS)).all()


def test_soft_hinges_have_a_gradient_inside_the_cone_and_relu_has_none(manifold):
    unit = _unit_length(manifold)
    normal = torch.tensor([[0.5, 0.0, 0.0], [1.2, 0.05, 0.0]], dtype=F64) * unit
    parent, child = manifold.from_normal(normal).detach()
    child.requires_grad_()
    for hinge in HINGES:
        loss = entailment(parent, child, manifold=manifold, hinge=hinge)
        (gradient,) = torch.autograd.grad(loss, child)
        assert (gradient.abs().sum() > 0) == (hinge != "relu")
        # Downhill is towards the axis: the second coordinate shrinks.
        assert hinge == "relu" or gradient[-2] > 0


def _corners(manifold, dtype):
    """Pairs (6, m): coincident, parent, child and both at the origin, antipodes, behind."""
    unit = _unit_length(manifold)
    v = torch.tensor([0.5, 0.2, -0.3], dtype=dtype) * unit
    parent = manifold.from_normal(torch.stack([v, 0 * v, v, 0 * v, v, 2 * v])).detach()
    child = manifold.from_normal(torch.stack([v, v, 0 * v, 0 * v, -v, v / 2])).detach()
    if isinstance(manifold, Sphere):
        child[4] = -parent[4]
    return parent.requires_grad_(), child.requires_grad_()


@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=str)
def test_gradients_are_finite_at_the_corners(manifold, dtype):
    p, c = _corners(manifold, dtype)
    for hinge in HINGES:
        options = {"manifold": manifold, "hinge": hinge}
        loss = (
            entailment_ranking(p, c, p[:, None], c[:, None], margin=4.0, **options)
            + chain_entailment([c, p, c], links="all", **options)
            + exclusion(p, c, manifold=manifold)
            + radial_order(p, c, manifold=manifold, margin=0.1)
        )
        for value in (loss, *torch.autograd.grad(loss, (p, c))):
            assert value.isfinite().all()
    energy = entailment(p, c, manifold=manifold, reduction="none")
    angle = manifold.exterior_angle(p, c)
    assert (energy[:2] == 0).all()  # coincident, and from the origin
    assert energy[3] == 0
    assert angle[5].item() == pytest.approx(math.pi, abs=4 * torch.finfo(dtype).eps)


# -- exclusion -------------------------------------------------------------------------------------


def test_exclusion_is_how_far_inside_a_cone_a_point_was_placed(manifold):
    """Children at known angles from the outward ray of parents whose apertures follow from sn."""
    generator = torch.Generator().manual_seed(3)
    parent, _ = _chain(manifold, generator, steps=1, min_radius=0.1)
    angle = math.pi * torch.rand(64, generator=generator, dtype=F64)
    side = _directions(64, 3, generator)
    length = torch.full((64,), 0.3 * _unit_length(manifold), dtype=F64)
    child = _step(manifold, parent, angle, side, length)
    r = manifold.dist(manifold.origin(3, dtype=F64), parent).detach()
    aperture = (0.2 / _sn(manifold, r)).asin()
    for margin, scale in ((0.0, 1.0), (0.3, 0.7)):
        wanted = (margin + scale * aperture - angle).clamp(min=0)
        options = {"margin": margin, "aperture_scale": scale, "reduction": "none"}
        got = exclusion(parent, child, manifold=manifold, **options)
        assert ((got - wanted).abs() <= _rounding(manifold, parent, child)[:, 0]).all()
        assert 0 < (wanted > 0).sum() < 64


def test_exclusion_pushes_out_from_all_over_the_inside():
    space = Lorentz()
    parent = space.from_normal(torch.tensor([0.5, 0.0], dtype=F64))
    for height in (0.01, 0.1, 0.3):
        normal = torch.tensor([1.5, height], dtype=F64, requires_grad=True)
        loss = exclusion(parent, space.from_normal(normal), manifold=space)
        (gradient,) = torch.autograd.grad(loss, normal)
        assert gradient[1] < 0  # downhill is away from the axis


def test_a_point_outside_one_factor_s_cone_is_excluded():
    flat = Euclidean()
    space = Product([flat, flat], dims=[2, 2])
    parent = torch.tensor([0.0, 1.0, 0.0, 1.0])
    inside, beside = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    aperture = math.asin(0.2)
    for first, second, wanted in (
        (inside, inside, 0.1 + aperture),
        (inside, beside, 0.0),
        (beside, beside, 0.0),
    ):
        child = parent + torch.cat([first, second])
        assert exclusion(parent, child, manifold=space).item() == pytest.approx(wanted, rel=1e-6)


def test_the_module_excludes_from_its_own_cones():
    space = Lorentz()
    x = points(space, 2, 5, 3, seed=4)
    cones = EntailmentLoss(space, min_radius=0.2, aperture_scale=0.7, slack=0.1, reduction="none")
    wanted = exclusion(*x, manifold=space, margin=0.4, min_radius=0.2, reduction="none")
    assert torch.equal(cones.exclude(*x, margin=0.4), wanted)


# -- rankings, chains, orders ----------------------------------------------------------------------


def test_the_ranking_is_its_sum_in_loops_and_broadcasts(manifold):
    x = points(manifold, 3, 4, 3, seed=1)
    parent, child = x[0], x[1]
    negative = points(manifold, 4, 5, 3, seed=3)
    loss = entailment_ranking(
        parent, child, parent[:, None], negative, manifold=manifold, margin=0.4, reduction="none"
    )
    for i in range(4):
        total = entailment(parent[i], child[i], manifold=manifold)
        for k in range(5):
            energy = entailment(parent[i], negative[i, k], manifold=manifold)
            total = total + (0.4 - energy).clamp(min=0)
        torch.testing.assert_close(loss[i], total, rtol=16 * EPS, atol=EPS)
    one = entailment_ranking(
        parent, child, negative[0], child[:, None], manifold=manifold, margin=0.4
    )
    wide = negative[0].expand(4, -1, -1)
    assert one == entailment_ranking(
        parent, child, wide, child[:, None].expand(-1, 5, -1), manifold=manifold, margin=0.4
    )


def test_a_negative_inside_a_cone_is_pushed_out_by_soft_hinges_only():
    space = Lorentz()
    normal = torch.tensor([[0.5, 0.0], [1.2, 0.0], [1.5, 0.05]], dtype=F64)
    parent, child, negative = space.from_normal(normal)
    negative = negative.detach()[None].requires_grad_()
    for hinge, margin in (("relu", 0.1), ("softplus", 0.1), ("leaky", 0.1)):
        loss = entailment_ranking(
            parent, child, parent, negative, manifold=space, margin=margin, hinge=hinge
        )
        (gradient,) = torch.autograd.grad(loss, negative)
        if hinge == "relu":
            assert loss == 0.1
            assert (gradient == 0).all()
        else:
            assert gradient[0, 2] < 0  # downhill is away from the axis


def test_rankings_and_chains_have_the_derivative_of_their_differences(manifold):
    v = normals(manifold, 5, 3, seed=7).requires_grad_()

    def loss(v):
        x = manifold.from_normal(v)
        total = radial_order(x[:2], x[2:4], manifold=manifold, margin=0.5)
        total = total + exclusion(x[:2], x[2:4], manifold=manifold, margin=3.0)
        for hinge in HINGES:
            options = {"manifold": manifold, "hinge": hinge}
            total = total + entailment_ranking(x[0], x[1], x[None, 0], x[2:4], margin=1, **options)
            total = total + chain_entailment([x[4], x[:2], x[2:4]], links="all", **options)
        return total

    assert gradcheck(loss, v, fast_mode=True)


@pytest.mark.slow
def test_they_go_into_one_graph_and_under_the_transforms_of_functions():
    torch.compiler.reset()
    space = Product([Lorentz(-1.0), Lorentz(-0.3), Sphere()], dims=[2, 2, 2])
    generator = torch.Generator().manual_seed(0)
    x = space.random_normal(4, 5, 6, std=0.5, generator=generator, dtype=F64)

    def loss(p, c, q, d):
        ranking = entailment_ranking(
            p, c, q[..., None, :], d[..., None, :], manifold=space, hinge="leaky", reduction="none"
        )
        return ranking + cone_nll(p, c, 0.3, manifold=space, reduction="none")

    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    assert torch.equal(compiled(*x), loss(*x))
    batch = torch.func.vmap(torch.func.grad(loss))(*x)
    first = x[0].clone().requires_grad_()
    (wanted,) = torch.autograd.grad(loss(first, *x[1:]).sum(), first)
    torch.testing.assert_close(batch, wanted, rtol=64 * EPS, atol=64 * EPS)


def test_a_chain_is_the_weighted_mean_over_its_links(manifold):
    x = points(manifold, 4, 6, 3, seed=2)
    levels = [x[0, 0], *x[1:]]

    def link(i, j):
        return entailment(levels[i], levels[j], manifold=manifold, reduction="none")

    def close(a, b):
        torch.testing.assert_close(a, b, rtol=16 * EPS, atol=EPS)

    options = {"manifold": manifold, "reduction": "none"}
    close(chain_entailment(levels, **options), (link(0, 1) + link(1, 2) + link(2, 3)) / 3)
    every = [link(i, j) for i, j in combinations(range(4), 2)]
    close(chain_entailment(levels, links="all", **options), torch.stack(every).mean(0))
    weighted = chain_entailment(levels, weights=[3, 0, 1], **options)
    close(weighted, (3 * link(0, 1) + link(2, 3)) / 4)
    assert chain_entailment(levels, manifold=manifold) == chain_entailment(levels, **options).mean()
    assert chain_entailment(x, manifold=manifold) == chain_entailment(list(x), manifold=manifold)


def test_the_order_of_coordinates_is_its_definition_and_transitive():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, 200, 4, generator=generator, dtype=F64)
    wanted = [
        sum(max(0.0, p - c) ** 2 for p, c in zip(*row, strict=True))
        for row in zip(x[0].tolist(), x[1].tolist(), strict=True)
    ]
    loss = order_embedding(x[0], x[1], reduction="none")
    torch.testing.assert_close(loss, torch.tensor(wanted, dtype=F64), rtol=8 * EPS, atol=0)
    a, b, c = x[0], x[0] + x[1], x[0] + x[1] + x[2]
    for pair in ((a, b), (b, c), (a, c)):
        assert order_embedding(*pair) == 0
    assert (order_embedding(b, a, reduction="none") > 0).all()
    ranking = order_ranking(x[0], x[1], x[0][:, None], x[2][None], margin=0.7, reduction="none")
    energies = order_embedding(x[0][:, None], x[2][None], reduction="none")
    torch.testing.assert_close(
        ranking, loss + (0.7 - energies).clamp(min=0).sum(-1), rtol=8 * EPS, atol=0
    )
    assert gradcheck(order_embedding, (x[0, :3].requires_grad_(), x[1, :3].requires_grad_()))


def test_radii_are_ordered_by_the_margin(manifold):
    unit = _unit_length(manifold)
    direction = _directions(5, 3, torch.Generator().manual_seed(0))
    r = torch.tensor([0.2, 0.5, 0.7, 1.0, 1.2], dtype=F64) * unit
    x = manifold.from_normal(r[:, None] * direction)
    loss = radial_order(x[:-1], x[1:], manifold=manifold, margin=0.25 * unit, reduction="none")
    wanted = torch.tensor([0.0, 0.05, 0.0, 0.05], dtype=F64) * unit
    torch.testing.assert_close(loss, wanted, rtol=0, atol=16 * EPS * unit)
    back = radial_order(x[1], x[0], manifold=manifold)
    torch.testing.assert_close(back, r[1] - r[0], rtol=16 * EPS, atol=0)


def test_radii_of_a_product_are_those_of_its_metric():
    space = Product([Lorentz(-1.0), Euclidean()], dims=[2, 3], metric="l1")
    x = space.from_normal(torch.tensor([[0.3, 0.4, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0, 0.0]]))
    torch.testing.assert_close(
        radial_order(x[1], x[0], manifold=space), torch.tensor(0.5), rtol=1e-6, atol=0
    )


X = torch.tensor([0.3, 0.4])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda **o: entailment(X, X, hinge="hard", **o), r"hinge is 'hard'; expected one of relu"),
        (lambda **o: entailment(X, X, slack=-0.1, **o), r"slack is -0.1; expected a non-negative"),
        (lambda **o: entailment(X, X, softness=0, **o), r"softness is 0; expected a positive"),
        (lambda **o: entailment(X, X, min_radius=0, **o), r"min_radius is 0; expected a positive"),
        (lambda **o: entailment(X, X, reduction="max", **o), r"reduction is 'max'"),
        (
            lambda **o: entailment_ranking(X, X, X, X, **o),
            r"negative ones of shape \(\); expected an axis more, \(\.\.\., k\)",
        ),
        (
            lambda **o: entailment_ranking(X, X, X, X[None], margin=0, **o),
            r"margin is 0; expected a positive",
        ),
        (lambda **o: exclusion(X, X, margin=-1, **o), r"exclusion: margin is -1; expected a non-"),
        (
            lambda **o: exclusion(X, X, aperture_scale=0, **o),
            r"aperture_scale is 0; expected a pos",
        ),
        (lambda **o: chain_entailment([X], **o), r"there are 1 levels; expected two"),
        (lambda **o: chain_entailment([X, X], links="some", **o), r"links is 'some'"),
        (
            lambda **o: chain_entailment([X, X, X], weights=[1.0], **o),
            r"weights are \[1.0\] for 2 links",
        ),
        (lambda **o: chain_entailment([X, X], weights=[0], **o), r"not all 0"),
        (lambda **o: radial_order(X, X, margin=-1, **o), r"margin is -1; expected a non-negative"),
        (lambda **o: order_ranking(X, X, X, X), r"expected an axis more"),
        (lambda **o: order_ranking(X, X, X, X[None], margin=-1), r"margin is -1"),
        (lambda **o: order_embedding(X, X[:1]), r"expected the same number of coordinates"),
        (lambda manifold: EntailmentLoss(manifold, slack=-1), r"EntailmentLoss: slack is -1"),
        (lambda manifold: EntailmentLoss(manifold, min_radius=0), r"min_radius is 0"),
    ],
)
def test_refusals_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(manifold=PoincareBall())
