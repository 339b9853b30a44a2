"""Backdrops: what is drawn has the distances, levels and lengths that it stands for."""

import math

import numpy as np
import pytest
import torch

from spaceforms.manifolds import (
    HalfSpace,
    Klein,
    PoincareBall,
    busemann,
    convert,
    hyperplane,
    signed_distance,
)
from spaceforms.plotting import disk, equidistants, horocycles, polar_grid, tiling

BALL = PoincareBall(-1.0)
CHARTS = {"poincare": BALL, "klein": Klein(-1.0), "half-plane": HalfSpace(-1.0)}


def _points(lines, chart="poincare", reach=4.0):
    """The drawn points of each line on the ball, those that a chart holds to many digits."""
    found = []
    for segment in lines.get_segments():
        x = convert(torch.tensor(np.asarray(segment)), CHARTS[chart], BALL)
        found.append(x[BALL.dist(x, torch.zeros_like(x)) < reach])
    return found


@pytest.mark.parametrize("chart", CHARTS)
def test_a_polar_grid_is_at_its_distances(chart):
    ax = disk(manifold=BALL, chart=chart).ax
    lines = _points(polar_grid((0.5, 1.5), rays=8, ax=ax), chart)
    assert len(lines) == 2 + 8
    for line, distance in zip(lines, (0.5, 1.5), strict=False):
        r = BALL.dist(line, torch.zeros_like(line))
        torch.testing.assert_close(r, torch.full_like(r, distance), rtol=1e-9, atol=0)
        angle = torch.atan2(line[:, 1], line[:, 0]).sort().values
        assert float(angle.diff().max()) < 0.1
    for k, ray in enumerate(lines[2:]):
        out = torch.tensor(
            [math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)], dtype=torch.float64
        )
        normal = torch.tensor([-out[1], out[0]])
        assert float((ray @ normal).abs().max()) < 1e-9
        assert (ray @ out > -1e-9).all()


@pytest.mark.parametrize("chart", CHARTS)
def test_the_busemann_function_is_constant_on_a_horocycle(chart):
    ax = disk(manifold=BALL, chart=chart).ax
    levels = (-1.5, 0.0, 0.7)
    lines = _points(horocycles(0.8, levels, ax=ax), chart)
    ideal = torch.tensor([math.cos(0.8), math.sin(0.8)], dtype=torch.float64)
    for line, level in zip(lines, levels, strict=True):
        assert len(line) > 30
        b = busemann(BALL, line, ideal.expand_as(line))
        torch.testing.assert_close(b, torch.full_like(b, level), rtol=0, atol=1e-8)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("offset", [0.0, 0.6])
def test_equidistants_have_their_distance_from_the_hyperplane(chart, offset):
    ax = disk(manifold=BALL, chart=chart).ax
    distances = (-1.0, 0.0, 0.4)
    lines = _points(equidistants(0.3, offset, distances, ax=ax), chart)
    normal = torch.tensor([math.cos(0.3), math.sin(0.3)], dtype=torch.float64)
    p, a = hyperplane(BALL, normal, torch.tensor(offset, dtype=torch.float64))
    for line, distance in zip(lines, distances, strict=True):
        assert len(line) > 30
        d = signed_distance(BALL, line, p.expand_as(line), a.expand_as(line))
        torch.testing.assert_close(d, torch.full_like(d, distance), rtol=0, atol=1e-8)
    # That at distance 0 is a geodesic: three of its points are on one.
    line = lines[1]
    through = BALL.dist(line[3], line[9]) + BALL.dist(line[9], line[20])
    assert float(through - BALL.dist(line[3], line[20])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("p", "q"), [(7, 3), (4, 5), (3, 7), (5, 4), (6, 4)])
@pytest.mark.parametrize("center", ["face", "vertex"])
def test_a_tiling_has_edges_of_its_length_and_q_of_them_at_a_vertex(p, q, center):
    corner = math.acosh(1 / (math.tan(math.pi / p) * math.tan(math.pi / q)))
    reach = max(2.4, 2.05 * corner)
    lines = _points(tiling(p, q, reach=reach, center=center), reach=math.inf)
    ends = torch.stack([line[[0, -1]] for line in lines])
    length = 2 * math.acosh(math.cos(math.pi / p) / math.sin(math.pi / q))
    found = BALL.dist(ends[:, 0], ends[:, 1])
    torch.testing.assert_close(found, torch.full_like(found, length), rtol=1e-8, atol=0)
    for line in lines[:12]:  # all points of an edge are on the geodesic between its ends
        way = BALL.dist(line[0], line) + BALL.dist(line, line[-1])
        torch.testing.assert_close(way, torch.full_like(way, length), rtol=1e-8, atol=0)
    # Every edge once, and q at each vertex about which all tiles are drawn.
    flat = ends.reshape(-1, 2)
    apart = BALL.cdist(flat, flat) < 1e-4
    middles = BALL.geodesic(ends[:, 0], ends[:, 1], torch.full((len(ends),), 0.5).double())
    assert int((BALL.cdist(middles, middles) < 1e-4).sum()) == len(ends)
    inner = BALL.dist(flat, torch.zeros_like(flat)) < reach - corner
    assert inner.any()
    assert (apart.sum(1)[inner] == q).all()
    at_middle = BALL.dist(flat, torch.zeros_like(flat)).min()
    expected = corner if center == "face" else 0.0
    assert float(at_middle) == pytest.approx(expected, abs=1e-6)


def test_backdrops_lie_below_and_are_faint_unless_asked():
    lines = polar_grid()
    assert lines.get_zorder() < 1
    bold = tiling(7, 3, reach=1.0, color="red", linewidth=2.0, zorder=1.5)
    assert tuple(bold.get_colors()[0][:3]) == (1, 0, 0)
    assert (bold.get_linewidths()[0], bold.get_zorder()) == (2.0, 1.5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tiling(4, 4), r"tiling: \{p, q\} is \{4, 4\}; expected 1/p \+ 1/q < 1/2"),
        (lambda: tiling(7, 3, center="edge"), "tiling: center is 'edge'; expected 'face' or"),
        (lambda: tiling(7, 3, reach=9), "tiling: reach is 9; expected a distance from 0 to 7"),
        (lambda: polar_grid([0.0]), "polar_grid: distances are .*expected positive"),
    ],
)
def test_refusals_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=rf"plotting\.{sentence}"):
        call()
