"""The page's geometry, in JavaScript, beside the library and 50 digits."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from chromium import BROWSER, Page

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall
from spaceforms.models.explore.page import STATIC

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    NODE is None and BROWSER is None, reason="neither node nor a Chromium is installed"
)
U = 2.0**-53
L, B = Lorentz(-1.0), PoincareBall(-1.0)
FAR = (0.0, 1e-12, 1e-3, 0.5, 3.0, 9.0, 15.0)


@pytest.fixture
def js(tmp_path):
    """A function (body of a function of `cases`, cases) -> what it returns."""

    def run(body, cases):
        source = (STATIC / "geometry.js").read_text()
        call = f"((cases) => {{ {body} }})({json.dumps(cases)})"
        if NODE is not None:
            path = tmp_path / "run.js"
            path.write_text(f"{source}\nprocess.stdout.write(JSON.stringify({call}));")
            done = subprocess.run([NODE, path], capture_output=True, text=True, check=True)
            return json.loads(done.stdout)
        page = Page(Path(tmp_path / "profile"))
        try:
            return page.run(f"(() => {{ {source}\nreturn {call}; }})()")
        finally:
            page.close()

    return run


def polar(count, seed, most=15.0):
    """Points (r, t), those of FAR in some directions and others at random; as dicts."""
    rng = np.random.default_rng(seed)
    r = np.concatenate([np.repeat(FAR, 3), rng.uniform(0, most, count)])
    t = np.concatenate([np.tile([0.0, math.pi, -2.0], len(FAR)), rng.uniform(-4, 4, count)])
    r = np.minimum(r, most)
    order = rng.permutation(len(r))
    return [{"r": float(r[k]), "t": float(t[k])} for k in order]


def tensor(points, space=L):
    r, t = (torch.tensor([p[k] for p in points], dtype=torch.float64) for k in "rt")
    return space.from_normal(torch.stack([r * t.cos(), r * t.sin()], dim=-1))


def moved_by(points):
    """By how much rounding of directions moves points: one unit of the last place of an angle."""
    r, t = (np.array([p[k] for p in points]) for k in "rt")
    return U * (np.sinh(r) * (1 + np.abs(t)) + r + 1)


def twins(points, seed):
    """Points next to others, at the same radius and not."""
    rng = np.random.default_rng(seed)
    near = [
        {"r": abs(p["r"] + rng.normal() * 1e-6), "t": p["t"] + rng.normal() * math.exp(-p["r"])}
        for p in points
    ]
    return points + points[::3], near + points[::3]  # and equal ones


def test_distances_are_those_of_the_library(js):
    one, two = polar(200, 0), polar(200, 1)
    close = twins(one, 2)
    one, two = one + close[0], two + close[1]
    found = js("return cases[0].map((p, i) => Geometry.dist(p, cases[1][i]));", [one, two])
    expected = L.dist(tensor(one), tensor(two)).numpy()
    bound = 8 * (moved_by(one) + moved_by(two) + U * expected)
    assert (np.abs(found - expected) <= bound).all()
    assert np.median(bound) < 1e-7  # which says something


def test_places_in_a_view_are_those_of_the_library(js):
    points, middles = polar(200, 3), polar(200, 4)
    # The frame that the library carries from the origin has its outward direction at t.
    views = [m | {"turn": m["t"]} for m in middles]
    found = np.array(
        js("return cases[0].map((p, i) => Geometry.place(cases[1][i], p.r, p.t));", [points, views])
    )
    x, c = tensor(points), tensor(middles)
    v = L.space(L.transport0_inverse(c, L.logmap(c, x)))
    expected = B.from_normal(v).numpy()
    # A shift of a length is at most half of it on the disk; a direction of v may be off by that of
    # x over sinh d, seen from the middle.
    bound = 8 * (moved_by(points) + moved_by(middles)) + 8 * U
    assert (np.hypot(*(found - expected).T) <= bound).all()
    assert np.median(bound) < 1e-7


def mobius(view, p):
    """The place of a point in a view, in 50 digits."""
    c, z = (
        mpmath.tanh(mpmath.mpf(q["r"]) / 2) * mpmath.expjpi(mpmath.mpf(q["t"]) / mpmath.pi)
        for q in (view, p)
    )
    turn = mpmath.expj(mpmath.mpf(view["turn"]) - mpmath.mpf(view["t"]))
    return turn * (z - c) / (1 - mpmath.conj(c) * z)


def test_places_are_backward_stable_next_to_50_digits(js):
    rng = np.random.default_rng(5)
    middles = polar(150, 6, most=30.0)
    points = twins(middles, 7)[1][: len(middles)]  # near the middle, however far out that is
    views = [m | {"turn": rng.uniform(-3, 3)} for m in middles]
    found = js(
        "return cases[0].map((p, i) => Geometry.place(cases[1][i], p.r, p.t));", [points, views]
    )
    with mpmath.workdps(50):
        off = [
            float(abs(mpmath.mpc(*z) - mobius(view, p)))
            for z, view, p in zip(found, views, points, strict=True)
        ]
    assert (np.array(off) <= 4 * (moved_by(points) + moved_by(views))).all()


@pytest.mark.parametrize("seed", [8, 9])
def test_a_walk_is_the_translation_along_its_geodesic(js, seed):
    rng = np.random.default_rng(seed)
    middles = polar(120, seed, most=8.0)
    views = [m | {"turn": float(rng.uniform(-3, 3))} for m in middles]
    lengths = rng.choice([1e-9, 0.01, 1.0, 7.0], len(views)).tolist()
    towards = rng.choice([0.0, math.pi, 1.0, -2.5], len(views)) + rng.choice([0, 1e-9], len(views))
    walks = list(zip(lengths, towards.tolist(), strict=True))
    points = polar(120, seed + 10, most=8.0)
    found = js("return cases[0].map((v, i) => Geometry.moved(v, ...cases[1][i]));", [views, walks])
    with mpmath.workdps(50):
        for before, after, (length, direction), p in zip(views, found, walks, points, strict=True):
            way = mpmath.tanh(mpmath.mpf(length) / 2) * mpmath.expj(mpmath.mpf(direction))
            z = mobius(before, p)
            expected = (z - way) / (1 - mpmath.conj(way) * z)
            # A turn about the origin by an ulp moves what is at r by sinh r ulps; so does one
            # about the middle, whose farthest is at the sum of all.
            reach = 2 * before["r"] + length + p["r"]
            assert abs(expected - mobius(after, p)) <= 16 * U * math.cosh(min(reach, 30.0))
            assert abs(before["r"] - after["r"]) <= length * (1 + 4 * U) + 4 * U * before["r"]


def test_a_walk_ends_where_the_exponential_map_does(js):
    middles = polar(150, 12, most=7.5)
    rng = np.random.default_rng(13)
    lengths, towards = rng.uniform(0, 7.5, len(middles)), rng.uniform(-3, 3, len(middles))
    walks = np.stack([lengths, towards], 1).tolist()
    views = [m | {"turn": m["t"]} for m in middles]
    found = js("return cases[0].map((v, i) => Geometry.moved(v, ...cases[1][i]));", [views, walks])
    step = torch.tensor(lengths[:, None] * np.stack([np.cos(towards), np.sin(towards)], 1))
    c = tensor(middles)
    end = L.expmap(c, L.transport0(c, torch.nn.functional.pad(step, (1, 0))))
    reach = np.array([m["r"] for m in middles]) + lengths
    off = L.dist(end, tensor(found)).numpy()
    assert (off <= 32 * U * np.cosh(reach) * 4).all()


def test_a_drag_puts_what_was_taken_under_the_pointer(js):
    rng = np.random.default_rng(14)
    views = [p | {"turn": float(rng.uniform(-3, 3))} for p in polar(150, 15, most=12.0)]
    ends = np.sqrt(rng.uniform(0, 0.999, (2, len(views), 1))) * np.exp(
        1j * rng.uniform(-3, 3, (2, len(views), 1))
    )
    a, b = (np.concatenate([z.real, z.imag], 1) for z in ends)
    found = js(
        """return cases[0].map((v, i) => {
             const p = Geometry.pointAt(v, cases[1][i]);
             return Geometry.place(Geometry.dragged(v, cases[1][i], cases[2][i]), p.r, p.t);
           });""",
        [views, a.tolist(), b.tolist()],
    )
    reach = np.array([v["r"] for v in views])
    rim = 1 / ((1 - (a**2).sum(1)) * (1 - (b**2).sum(1)))  # both ends are known to an ulp only
    assert (np.hypot(*(np.array(found) - b).T) <= 64 * U * np.exp(reach) * rim).all()


def test_a_thousand_drags_there_and_back_move_nothing(js):
    rng = np.random.default_rng(16)
    ends = rng.uniform(-0.65, 0.65, (50, 10, 2, 2)).tolist()  # ten drags there, ten back, 50 times
    points = polar(60, 17, most=12.0)
    after, farthest, places, home = js(
        """const [points, ends] = cases;
           let view = Geometry.home(), most = 0;
           for (const walk of ends) {
             for (const [a, b] of walk) {
               view = Geometry.dragged(view, a, b);
               most = Math.max(most, view.r);
             }
             for (const [a, b] of walk.reverse()) view = Geometry.dragged(view, b, a);
           }
           const at = (v) => points.map((p) => Geometry.place(v, p.r, p.t));
           return [view, most, at(view), at(Geometry.home())];""",
        [points, ends],
    )
    assert farthest > 3  # it has been somewhere
    bound = 1000 * 16 * U * math.exp(farthest)
    assert bound < 1e-3
    z, there = (torch.tensor(q, dtype=torch.float64) for q in (places, home))
    assert L.dist(tensor([after]), L.origin(2, dtype=torch.float64)).item() <= bound
    # Distances of what is drawn, by the library, agree with those of the points themselves.
    inner = torch.tensor([p["r"] < 8 for p in points])
    true = L.cdist(tensor(points), tensor(points))[inner][:, inner]
    for drawn in (z, there):
        seen = B.cdist(drawn, drawn)[inner][:, inner]
        # 1 - |z|² of the disk keeps 53 digits less those of e^r.
        assert (seen - true).abs().max() <= 64 * U * math.exp(8) + 8 * U * math.exp(8) * 8
    # Of the middle's shift and turn, what is at r from it is moved by sinh r times; on the disk
    # that is at most the shift itself.
    assert (z - there).abs().max() <= bound


def test_the_view_towards_a_point_has_it_in_the_middle(js):
    points, middles = polar(100, 18, most=12.0), polar(100, 19, most=12.0)
    views = [m | {"turn": 0.3} for m in middles]
    ends = js(
        "return cases[0].map((p, i) => Geometry.towards(cases[1][i], p, 1));", [points, views]
    )
    halves = js(
        "return cases[0].map((p, i) => Geometry.towards(cases[1][i], p, 0.5));", [points, views]
    )
    x, c = tensor(points), tensor(middles)
    middle = L.geodesic(c, x, torch.tensor(0.5))
    r = np.array([[p["r"], m["r"]] for p, m in zip(points, middles, strict=True)])
    bound = 64 * U * np.exp(r.sum(1))  # of a direction, at the length of the way
    assert (L.dist(tensor(ends), x).numpy() <= np.maximum(bound, 1e-13)).all()
    assert (L.dist(tensor(halves), middle).numpy() <= np.maximum(bound, 1e-13)).all()


def test_arcs_are_geodesics_that_meet_the_rim_at_right_angles(js):
    one, two = polar(200, 20, most=6.0), polar(200, 21, most=6.0)
    a, b = B.from_normal(L.to_normal(tensor(one))), B.from_normal(L.to_normal(tensor(two)))
    apart = L.dist(tensor(one), tensor(two)) > 1e-3
    a, b = a[apart], b[apart]
    found = js(
        """return cases[0].map((a, i) => {
             const b = cases[1][i], arc = Geometry.arc(a, b);
             return [arc.x, arc.y, arc.radius, arc.bend, Geometry.controls(...a, ...b, arc.bend)];
           });""",
        [a.tolist(), b.tolist()],
    )
    curved = [k for k, (*_, bend, _c) in enumerate(found) if abs(bend) > 1e-6]
    assert len(curved) > 150
    ways = B.geodesic(a[:, None], b[:, None], torch.linspace(0, 1, 9, dtype=torch.float64)).numpy()
    for k in curved:
        x, y, radius, bend, controls = found[k]
        # 1 - a.b of two points at the rim keeps what 1 - |a|² does.
        slack = 256 * U * math.exp(6) * (1 + radius) ** 2
        assert abs(x * x + y * y - 1 - radius * radius) <= slack
        assert np.abs(np.hypot(ways[k, :, 0] - x, ways[k, :, 1] - y) - radius).max() <= slack
        if abs(bend) < math.pi / 4:
            t = np.linspace(0, 1, 33)[:, None]
            p = [a[k].numpy(), np.array(controls[:2]), np.array(controls[2:]), b[k].numpy()]
            weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
            cubic = sum(w * q for w, q in zip(weights, p, strict=True))
            assert np.abs(np.hypot(*(cubic - [x, y]).T) - radius).max() <= 3e-4 * radius + slack


def test_a_diameter_is_straight(js):
    found = js(
        "return Geometry.controls(-0.3, 0, 0.6, 0, Geometry.arc([-0.3, 0], [0.6, 0]).bend);", []
    )
    assert found == pytest.approx([0, 0, 0.3, 0], abs=4 * U)


def test_the_disk_and_back(js):
    points = [p for p in polar(200, 22) if p["r"] > 0]
    found = js("return cases.map((p) => Geometry.fromDisk(Geometry.toDisk(p.r, p.t)));", points)
    off = L.dist(tensor(points), tensor(found)).numpy()
    assert (off <= 16 * U * np.exp([p["r"] for p in points])).all()
    disk = js("return cases.map((p) => Geometry.toDisk(p.r, p.t));", points)
    assert np.abs(np.array(disk) - tensor(points, B).numpy()).max() <= 16 * U


def test_flat_space_is_flat(js):
    one, two = polar(100, 23), polar(100, 24)
    x, y = tensor(one, Euclidean()), tensor(two, Euclidean())
    found = js("return cases[0].map((p, i) => Flat.dist(p, cases[1][i]));", [one, two])
    assert np.abs(found - (x - y).norm(dim=-1).numpy()).max() <= 64 * U * 30
    placed = js(
        """const [p, q] = cases, there = Flat.towards(Flat.home(), q, 1);
           const view = Flat.dragged(there, [0, 0], [1, 2]);
           return Array.from(Flat.placeAll(view, Flat.prepare([p.r], [p.t]), new Float64Array(2)));
        """,
        [one[0], two[0]],
    )
    expected = (x[0] - y[0]).numpy() + np.array([1.0, 2.0])
    assert placed == pytest.approx(expected, abs=64 * U * 30)
