"""Manifolds that give a chart alone: every operation is that of the quadric, in their words."""

import math
import re
import textwrap
from pathlib import Path

import pytest
import torch
from cases import CHARTS, normals

from spaceforms import stats
from spaceforms.losses import entailment, info_nce
from spaceforms.manifolds import (
    Chart,
    ChartManifold,
    Checked,
    HalfSpace,
    Klein,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    busemann,
    convert,
    convert_vector,
    horosphere_project,
    ideal_point,
    logits,
    point_reflection,
    points_to,
    recentre,
    reflection,
    rotation,
    signed_distance,
    towards,
    translation,
)
from spaceforms.plotting import project_disk
from spaceforms.search import brute_force, build_index
from spaceforms.validation import check_manifold

F64 = torch.float64
U, V, W = (normals(Lorentz(-0.7), 6, 3, seed=seed, spread=0.6) for seed in range(3))
Q, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(3), dtype=F64))

each = pytest.mark.parametrize("name", CHARTS)


def both(name):
    """A chart and its quadric, each with the same points x, y and vectors v at x, w at y."""
    model = CHARTS[name]
    space = model.quadric
    found = []
    for m in (model, space):
        x, y = m.from_normal(U), m.from_normal(V)
        to = (convert_vector(p, q, space, m) for p, q in at(space))
        found.append((m, x, y, *to))
    return found


def at(space):
    x, y = space.from_normal(U), space.from_normal(V)
    v, w = (torch.nn.functional.pad(c, (space.ambient_dim(0), 0)) for c in (V, W))
    return (x, space.transport0(x, v)), (y, space.transport0(y, w))


def close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


NUMBERS = {
    "signed_distance": lambda m, x, y, v, w: signed_distance(m, x, y, w),
    "logits": lambda m, x, y, v, w: logits(m, x, y, w),
    "logits by a product": lambda m, x, y, v, w: logits(m, x, y, w, matmul=True),
    "entailment": lambda m, x, y, v, w: entailment(x, y, manifold=m),
    "info_nce": lambda m, x, y, v, w: info_nce(x, y, manifold=m, scale=3.0),
    "info_nce by tiles": lambda m, x, y, v, w: info_nce(x, y, manifold=m, scale=3.0, tile=2),
    "cinner": lambda m, x, y, v, w: m.cinner(x, y),
    "cinner by a product": lambda m, x, y, v, w: m.cinner(x, y, matmul=True),
    "pga": lambda m, x, y, v, w: stats.pga(m, x, 2).variances,
    "brute_force": lambda m, x, y, v, w: brute_force(m, x, y, 3).distances,
    "picture": lambda m, x, y, v, w: project_disk(x, manifold=m).points,
}
HYPERBOLIC_NUMBERS = {
    "busemann": lambda m, x, y, v, w: busemann(m, x, W),
    "ideal_point": lambda m, x, y, v, w: ideal_point(m, x, v),
    "horopca": lambda m, x, y, v, w: torch.tensor(stats.horopca(m, x, 1).distortion[0]),
}
POINTS = {
    "translation": lambda m, x, y, v, w: translation(m, x, y)(x.flip(0)),
    "its inverse": lambda m, x, y, v, w: translation(m, x, y).inverse()(x.flip(0)),
    "rotation": lambda m, x, y, v, w: rotation(m, Q)(x),
    "reflection": lambda m, x, y, v, w: reflection(m, y, w)(x),
    "point_reflection": lambda m, x, y, v, w: point_reflection(m, y)(x),
    "both": lambda m, x, y, v, w: (rotation(m, Q) @ translation(m, x, y))(y),
    "recentre": lambda m, x, y, v, w: recentre(m, x)[0],
    "centroid": lambda m, x, y, v, w: stats.centroid(m, x),
    "median": lambda m, x, y, v, w: stats.geometric_median(m, x),
    "mean": lambda m, x, y, v, w: m.mean(x),
    "geodesic": lambda m, x, y, v, w: m.geodesic(x, y, -0.4),
    "midpoint": lambda m, x, y, v, w: m.midpoint(x, y),
}
HYPERBOLIC_POINTS = {
    "horosphere_project": lambda m, x, y, v, w: horosphere_project(m, x, W, 0.1),
    "towards": lambda m, x, y, v, w: towards(m, x, W, 0.3),
    "gyromidpoint": lambda m, x, y, v, w: stats.gyromidpoint(m, x),
    "einstein_midpoint": lambda m, x, y, v, w: stats.einstein_midpoint(m, x),
}


@each
@pytest.mark.parametrize("checked", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_operation_is_that_of_the_quadric(name, checked):
    (model, *of_model), (space, *of_space) = both(name)
    model = Checked(model) if checked else model
    numbers, points = dict(NUMBERS), dict(POINTS)
    if space.sign < 0:
        numbers |= HYPERBOLIC_NUMBERS
        points |= HYPERBOLIC_POINTS
    for call in numbers.values():
        close(call(model, *of_model), call(space, *of_space))
    for call in points.values():
        there = call(model, *of_model)
        close(convert(there, CHARTS[name], space), call(space, *of_space))


@each
def test_isometries_push_vectors_and_keep_distances(name):
    (model, x, y, v, _), (space, a, b, u, _) = both(name)
    g, h = (translation(m, p, q) for m, p, q in ((model, x, y), (space, a, b)))
    close(convert_vector(g(x), g.push(x, v), model, space), h.push(a, u))
    close(model.dist(g(x), g(y)), model.dist(x, y))
    close((g.inverse() @ g)(y), y)
    assert repr(g) == f"Translation({model!r})"


@each
def test_the_index_finds_what_brute_force_finds(name):
    pytest.importorskip("faiss")
    model = CHARTS[name]
    points = model.from_normal(normals(model, 200, 3, seed=5))
    queries = model.from_normal(normals(model, 9, 3, seed=6))
    found, exact = (
        build_index(model, points).search(queries, 4),
        brute_force(model, points, queries, 4),
    )
    assert torch.equal(found.indices, exact.indices)
    close(found.distances, exact.distances)


@each
def test_the_metric_is_the_pull_back_and_the_riemannian_gradient_represents_it(name):
    """By autograd through the conversion: <u, v> = (D phi u).(D phi v), and dF(v) = <grad F, v>."""
    (model, x, _, v, _), (space, a, *_) = both(name)
    push = lambda w: torch.func.jvp(lambda p: convert(p, model, space), (x,), (w,))[1]  # noqa: E731
    other = model.proj_tangent(
        x, V[..., : x.shape[-1]] if x.shape[-1] == 3 else torch.cat([V, W], -1)[..., :4]
    )
    close(model.inner(x, v, other), space.inner(a, push(v), push(other)))
    point = x.detach().requires_grad_()
    (g,) = torch.autograd.grad(model.sqdist(point, model.from_normal(V)).sum(), point)
    gradient = model.egrad2rgrad(x, g)
    close(model.inner(x, gradient, other), (g * other).sum(-1))
    close(gradient, -2 * model.logmap(x, model.from_normal(V)))


def test_a_curvature_is_shared_with_a_manifold_or_learned():
    ball = PoincareBall(-0.7, learnable=True)
    shared, own = Klein(ball), Klein(-0.7, learnable=True, bounds=(-7.0, -0.07))
    assert [id(p) for p in shared.parameters()] == [id(p) for p in ball.parameters()]
    assert "learnable=True, bounds=(-7, -0.07)" in repr(own)
    x = Klein(-0.7).from_normal(U)
    (slope,) = torch.autograd.grad(own.dist(x[0], x[1]), list(own.parameters()))
    step = 1e-6
    ends = [Klein(-0.7 + s).dist(x[0], x[1]) for s in (step, -step)]
    (by_raw,) = torch.autograd.grad(own.curvature, list(own.parameters()))
    assert math.isclose(
        (slope / by_raw).item(), ((ends[0] - ends[1]) / (2 * step)).item(), rel_tol=1e-6
    )


def test_what_a_chart_cannot_be_of_is_refused():
    with pytest.raises(
        TypeError, match=r"Klein: curvature is Stereographic.*expected a number, Lor"
    ):
        Klein(Stereographic(-0.5))
    with pytest.raises(ValueError, match=r"expected no learnable and no bounds beside it"):
        Klein(Lorentz(-0.5), learnable=True)
    with pytest.raises(ValueError, match=r"HalfSpace: curvature is 1.0; expected a negative"):
        HalfSpace(1.0)
    with pytest.raises(TypeError, match=r"coordinates that geomstats does not have"):
        points_to("geomstats", Klein(), torch.zeros(2))
    with pytest.raises(
        ValueError, match=r"Klein\.busemann: x has shape|busemann.*no points at inf"
    ):
        busemann(Klein(Sphere(1.0)), torch.zeros(2), torch.ones(2))
    with pytest.raises(ValueError, match=r"Klein\.translation: p has 1 of 1 points off"):
        translation(Checked(Klein()), torch.ones(2), torch.zeros(2))
    assert Klein(HalfSpace(-0.3)).curvature == -0.3
    assert not Klein().is_point(torch.tensor([1.0, 0.0]))
    assert not HalfSpace().is_point(torch.tensor([1.0, 0.0]))


def test_a_product_has_charts_as_factors():
    space = Product([Klein(-0.7), HalfSpace(-0.7), Lorentz(-0.7)], dims=[3, 3, 3])
    other = Product([Lorentz(-0.7)] * 3, dims=[3, 3, 3])
    u, v = torch.cat([U, V, W], -1), torch.cat([W, U, V], -1)
    found = [m.dist(m.from_normal(u), m.from_normal(v)) for m in (space, other)]
    close(*found)
    x, y = space.from_normal(u), space.from_normal(v)
    close(translation(space, x, y)(x), y)


class Gans(ChartManifold):
    """Gans's model (1966), the space part of the hyperboloid: by two methods."""

    def _embed(self, x):
        t = (1 + (x * x).sum(-1, keepdim=True)).sqrt()
        return 1 / t, x / t

    def _drop(self, c, d, dtype):
        return d / c


class Angle(ChartManifold):
    """A sphere's central projection, or a ball's: by two methods."""

    signs = (-1, 0, 1)

    def _embed(self, x):
        if self.sign == 0:
            return torch.ones_like(x[..., :1]), x
        square = (x * x).sum(-1, keepdim=True)
        c = (1 + square).rsqrt() if self.sign > 0 else (1 - square).sqrt()
        return c, c * x if self.sign > 0 else x

    def _drop(self, c, d, dtype):
        return d / c if self.sign > 0 else d


@pytest.mark.parametrize("model", [Gans(-0.7), Angle(-0.7), Angle(0.7), Angle(0.0)], ids=repr)
def test_a_new_manifold_is_two_methods(model):
    """What the page for contributors promises: all maps and operations are those of the quadric."""
    space = model.quadric
    assert isinstance(model, Manifold)
    assert isinstance(model, Chart)
    u, v = 0.4 * U, 0.4 * V  # within the half of the sphere that the projection shows
    a, b = space.from_normal(u), space.from_normal(v)
    x, y = convert(a, space, model), convert(b, space, model)
    close(x, model.from_normal(u))
    close(convert_vector(x, model.logmap(x, y), model, space), space.logmap(a, b))
    close(model.norm(x, model.logmap(x, y)), space.dist(a, b))
    close(model.expmap(x, model.logmap(x, y)), y)
    close(translation(model, x, y)(x), y)
    point = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(model.sqdist(point, y).sum(), point)
    close(model.egrad2rgrad(x, g), -2 * model.logmap(x, y))
    close(model.half_aperture(x), space.half_aperture(a))
    assert repr(model).startswith(f"{type(model).__name__}(")
    check_manifold(model, properties=["dist_value", "exp_inverts_log"], examples=5)


def test_expanded_points_and_the_mean_go_through_derivatives_of_the_chart():
    model = Gans(-0.7)
    x = model.from_normal(0.4 * U)
    one = x[:1].expand(6, -1)
    close(model.logmap(one, x)[0], torch.zeros(3, dtype=F64))
    close(
        convert(model.mean(x), model, model.quadric),
        model.quadric.mean(convert(x, model, model.quadric)),
    )
    assert project_disk(x, manifold=model).points.shape == (6, 2)


WRONG = {
    "not of length 1": ({"_embed": lambda s, x: (1 / s.t(x), x)}, r"c\^2 \+ \|d\|\^2 = "),
    "a sign": ({"_drop": lambda s, c, d, dtype: -d / c}, r"_embed\(_drop\(c, d\)\) is .*again"),
    "no last axis": (
        {"_embed": lambda s, x: (1 / s.t(x)[..., 0], x / s.t(x))},
        r"expected a pair",
    ),
    "a wide c": ({"_embed": lambda s, x: (x / s.t(x), x / s.t(x))}, r"expected a pair \(c, d\)"),
    "one tensor": ({"_embed": lambda s, x: x / s.t(x)}, r"_embed: for coordinates .* pair"),
    "a coordinate more": (
        {"_drop": lambda s, c, d, dtype: torch.cat([c, d], -1)},
        r"_drop: for d .*_extra_coordinates = 1",
    ),
    "holds of a wrong shape": ({"_holds": lambda s, x: x[..., 0] > -9}, r"_holds: .*expected"),
    "holds nothing": ({"_holds": lambda s, x: x[..., :1] > 9}, r"_holds is false at x = "),
    "a root at 0": (
        {"_drop": lambda s, c, d, dtype: d / d.norm(dim=-1, keepdim=True) * (1 / c**2 - 1).sqrt()},
        r"derivative of .* at the origin is not finite",
    ),
}


@pytest.mark.parametrize("slip", WRONG)
def test_a_slip_in_a_chart_is_named(slip):
    body, sentence = WRONG[slip]
    t = lambda self, x: (1 + (x * x).sum(-1, keepdim=True)).sqrt()  # noqa: E731
    model = type("Mine", (Gans,), {"t": t, **body})()
    with pytest.raises(ValueError, match=sentence):
        check_manifold(model, properties=["proj_idempotent"], examples=1)


def test_a_sphere_whose_antipode_is_nowhere_is_named():
    def drop(self, c, d, dtype):
        return d * (2 / (1 + c)).sqrt()

    def embed(self, x):
        square = (x * x).sum(-1, keepdim=True)
        return 1 - square / 2, (1 - square / 4).clamp(min=0).sqrt() * x

    model = type("EqualArea", (Gans,), {"signs": (1,), "_drop": drop, "_embed": embed})(1.0)
    with pytest.raises(ValueError, match=r"EqualArea\._drop\(-1, 0\) is not finite"):
        check_manifold(model, properties=["proj_idempotent"], examples=1)


def test_signs_are_a_tuple():
    with pytest.raises(TypeError, match=r"Mine: signs is -1; expected a tuple"):
        type("Mine", (Gans,), {"signs": -1})()


def test_the_example_of_the_page_for_contributors_is_kleins_model():
    page = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(r"^   ```python\n(.*?)^   ```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, type[ChartManifold]] = {}
    exec(textwrap.dedent(block), names)  # type: ignore[arg-type]
    model = names["BeltramiKlein"](-0.7)
    x, y = Klein(-0.7).from_normal(U), Klein(-0.7).from_normal(V)
    close(model.dist(x, y), Klein(-0.7).dist(x, y))
    close(model.logmap(x, y), Klein(-0.7).logmap(x, y))
    assert not model.is_point(torch.tensor([1.2, 0.0]))
    check_manifold(model, properties=["proj_idempotent", "finite_values"], examples=3)
