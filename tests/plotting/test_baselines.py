"""A dozen pictures beside those that were looked at and kept, baselines/NAME.png.

``python tests/plotting/test_baselines.py`` draws them anew: look at each before it is kept. What is
compared is what a reader sees first, shapes and colours, averaged over four by four dots: another
version of the fonts or of how edges are smoothed is no difference.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image

from spaceforms.distributions import WrappedNormal
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.plotting import (
    cone,
    disk,
    draw_tree,
    equidistants,
    field,
    geodesics,
    horocycles,
    hyperboloid,
    names,
    polar_grid,
    radius_histogram,
    rank_histogram,
    save,
    small_multiples,
    sphere,
    thumbnails,
    tiling,
)

KEPT = Path(__file__).with_name("baselines")
BALL, SPACE, ROUND = PoincareBall(-1.0), Lorentz(-0.5), Sphere(1.0)
# Root mean square over all cells and colours, of 255: as if 1 cell in 2,600 were black for white.
# Two pictures of this file differ by more than twice that, as a test below says.
TOLERANCE = 5.0
_CELL = 4


def spiral(count, reach):
    t = torch.linspace(0, 1, count, dtype=torch.float64)
    return (reach * t * torch.stack([(9 * t).cos(), (9 * t).sin()])).T


def _disk():
    x = BALL.from_normal(spiral(40, 3.0))
    return disk(x, manifold=BALL, color=torch.arange(40) // 8, rings=(1, 2), size=70).ax


def _klein():
    x = SPACE.from_normal(spiral(30, 3.0))
    ax = disk(x, manifold=SPACE, chart="klein", labels=["a", "b", "c"] * 10, size=60).ax
    geodesics(x[:-7], x[7:], manifold=SPACE, ax=ax)
    return ax


def _half_plane():
    ax = disk(manifold=BALL, chart="half-plane").ax
    equidistants(0.4, 0.3, ax=ax, color="#333333", linewidth=2.5)
    horocycles(0.4, ax=ax, color="#0072B2", linewidth=2.5)
    return ax


def _tree():
    edges = [((k - 1) // 3, k) for k in range(1, 40)]
    return draw_tree(
        [*edges, (2, 35)], names={0: "root", 1: "one", 2: "two", 3: "three"}, size=60
    ).ax


def _tiling():
    ax = disk(manifold=BALL).ax
    tiling(7, 3, reach=3.5, ax=ax, color="#333333")
    polar_grid((1, 2), rays=6, ax=ax, color="#D55E00", linewidth=1.5)
    return ax


def _field():
    law = WrappedNormal(BALL, BALL.from_normal(torch.tensor([0.8, 0.4])), torch.tensor([0.5, 0.3]))
    ax = disk(manifold=BALL).ax
    field(lambda x: law.log_prob(x.float()).exp(), manifold=BALL, ax=ax)
    return ax


def _cones():
    ax = disk(manifold=BALL).ax
    for k in range(5):
        angle = torch.tensor(k * 1.2566, dtype=torch.float64)
        apex = BALL.from_normal((0.5 + 0.2 * k) * torch.stack([angle.cos(), angle.sin()]))
        cone(apex, manifold=BALL, min_radius=0.3, ax=ax, alpha=0.4)
    return ax


def _hyperboloid():
    x = SPACE.from_normal(spiral(40, 2.5))
    ax = hyperboloid(x, manifold=SPACE, color=torch.linspace(0, 1, 40), size=60).ax
    geodesics(x[:1].expand(4, -1), x[-4:], manifold=SPACE, ax=ax)
    return ax


def _sphere():
    x = ROUND.from_normal(spiral(40, 2.8))
    ax = sphere(x, labels=["a", "b"] * 20, size=60).ax
    cone(x[20], manifold=ROUND, ax=ax, min_radius=0.3, reach=1.2, alpha=0.5)
    return ax


def _multiples():
    v = spiral(30, 1.5)
    spaces = {"-1": BALL, "0": Euclidean(), "1": ROUND}
    panels = [(name, space.from_normal(v), space) for name, space in spaces.items()]
    return small_multiples(panels, color=torch.arange(30) / 30, columns=3, size=30)[0].ax


def _histograms():
    radii = {"low": spiral(99, 2.0).norm(dim=-1), "high": 1 + spiral(99, 1.0).norm(dim=-1) ** 0.5}
    return radius_histogram(radii)[0].axes


def _ranks():
    return rank_histogram({"one": [1, 1, 1, 2, 3, 9], "other": [1, 4, 5, 7, 20, 30]})[0][0].axes


def _thumbnails():
    x = BALL.from_normal(spiral(16, 2.5))
    ax = disk(x, manifold=BALL, size=30).ax
    images = np.full((8, 9, 9, 3), 255, np.uint8)
    images[:, 2:7, 2:7] = [200, 40, 0]
    thumbnails(x[::2], images, manifold=BALL, ax=ax, size=0.2)
    names(x[1::2], [f"name {k}" for k in range(8)], manifold=BALL, ax=ax, fontsize=12)
    return ax


PICTURES = {
    draw.__name__.removeprefix("_"): draw
    for draw in (
        _disk, _klein, _half_plane, _tree, _tiling, _field, _cones, _hyperboloid, _sphere,
        _multiples, _histograms, _ranks, _thumbnails,
    )
}  # fmt: skip


def drawn(name, path):
    """A picture, written as a small file of 256 colours."""
    figure = PICTURES[name]().get_figure(root=True)
    save(figure, path, dpi=50, format="png")
    with Image.open(path) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)
    return path


def cells(path):
    """Means over cells of four by four dots: (rows, columns, 3)."""
    with Image.open(path) as image:
        dots = np.asarray(image.convert("RGB"), dtype=np.float64)
    rows, columns = (side // _CELL for side in dots.shape[:2])
    kept = dots[: rows * _CELL, : columns * _CELL]
    return kept.reshape(rows, _CELL, columns, _CELL, 3).mean((1, 3))


def apart(one, two):
    """Root mean square of the differences; of two sizes as of black and white."""
    if one.shape != two.shape:
        return 255.0
    return float(np.sqrt(np.square(one - two).mean()))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_as_it_was_looked_at(name, tmp_path):
    found = cells(drawn(name, tmp_path / "found.png"))
    assert apart(found, cells(KEPT / f"{name}.png")) < TOLERANCE


def test_every_picture_is_told_from_every_other_and_from_empty_paper():
    kept = {name: cells(KEPT / f"{name}.png") for name in PICTURES}
    for name, one in kept.items():
        assert apart(one, np.full_like(one, 255.0)) > 2 * TOLERANCE
        for other, two in kept.items():
            assert other == name or apart(one, two) > 2 * TOLERANCE


def test_baselines_are_small_and_none_is_left_over():
    files = sorted(KEPT.iterdir())
    assert [path.stem for path in files] == sorted(PICTURES)
    assert sum(path.stat().st_size for path in files) < 300_000


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for name in PICTURES:
        print(drawn(name, KEPT / f"{name}.png"))
        pyplot.close("all")
