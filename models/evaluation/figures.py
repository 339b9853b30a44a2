"""The pictures of a run: loss curves, the embedding on the disk, radii, risk and coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import EmojiData
from ...datasets.disk import replacing
from ...losses.metrics import risk_coverage
from ...manifolds import Euclidean, Manifold, Product
from ...plotting import (
    Projection,
    caption,
    disk,
    loss_curves,
    names,
    project_disk,
    radius_histogram,
    save,
    thumbnails,
)
from ..training.checkpoint import METRICS
from ..training.log import LOG_EVERY, read_log
from ..training.run_folder import check_place
from .evaluate import LEVELS, image_points, points_by_level, radii_by_level, text_points
from .hierarchy import level_texts
from .retrieval import rank_of
from .run import Run
from .run_data import run_pictures
from .selective import confidence_doubts

LOSSES, EMBEDDING, PICTURES, RADII, RISK = (
    "loss",
    "disk_labels",
    "disk_pictures",
    "radius",
    "risk_coverage",
)
"""Names of the files, less the format."""
MOST_DRAWN = 2000
"""Pictures of a folder or of shards that are drawn at most."""
_FEW = 100  # points of a level, which are then drawn larger and on top
_PLANES = {
    -1: "the Poincaré disk",
    0: "flat space",
    1: "the sphere, in normal coordinates at the middle",
}
_WHOLE = 2.5  # from this distance on the whole disk is shown: a part would cut its boundary


def draw_run(
    run: Run,
    *,
    data: Path | None = None,
    dpi: int = 150,
    formats: Sequence[str] = ("png",),
) -> list[Path]:
    """Draw all pictures of a run into its folder; their paths.

    Args:
        run: a trained run.
        data: what to draw; the run's own held-out pictures if not given. See
            :func:`~spaceforms.models.evaluation.run_data.run_pictures`, whose errors are raised
            when the losses are drawn already.
        dpi: dots an inch.
        formats: "png", "svg", "pdf".
    """
    if dpi < 1:
        raise ValueError(f"dpi is {dpi}; expected at least 1.")
    check_place(run.folder)
    name = run.config.model.upper()

    def written(figures: dict[str, Figure]) -> list[Path]:
        return [
            saved(figure, run.folder / f"{file}.{kind}", dpi)
            for file, figure in figures.items()
            for kind in formats
        ]

    paths = written({LOSSES: _losses(run, name)})  # which needs no pictures
    pictures, tests, seen, _ = run_pictures(run, data, most=MOST_DRAWN)
    index = next(iter(tests.values()))  # the main test set
    kind = "held-out pictures" if seen.startswith("no") else "pictures"
    figures = {
        RADII: _radii(run, pictures, index, name),
        RISK: _risk(run, pictures, index, name),
        **_embedding(run, pictures, index, name, kind),
    }
    return paths + written(figures)


def saved(figure: Figure, path: Path, dpi: int) -> Path:
    """Write a picture, whole or not at all; its path."""
    with replacing(path) as part:
        save(figure, part, dpi=dpi, format=path.suffix[1:])
    return path


def risks(doubts: Mapping[str, Tensor], hit: Tensor) -> Figure:
    """The share of errors among the most certain pictures, against how many those are."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    ax = figure.add_subplot()
    mean = float(1 - hit.double().mean())
    ax.axhline(mean, color="0.6", linewidth=1, linestyle=":", label="a random order")
    for method, doubt in doubts.items():
        coverage, risk = risk_coverage(doubt, 1 - hit)
        ax.plot(coverage.numpy(), risk.numpy(), linewidth=1.2, label=method)
    ax.set(
        xlim=(0, 1),
        xlabel="coverage: share of the pictures, the most certain first",
        ylabel="risk: share of them whose nearest name is wrong",
        title="Risk and coverage (lower on the left: uncertainty knows the errors)",
    )
    ax.title.set_fontsize(10)
    ax.legend(fontsize=7, frameon=False)
    return figure


def _losses(run: Run, name: str) -> Figure:
    rows = read_log(run.folder / METRICS)
    if not rows:
        raise ValueError(
            f"{run.folder / METRICS} has no row; expected one, which training writes every "
            f"{LOG_EVERY} steps and at the end."
        )
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.add_subplot()
    loss_curves(rows, ax=ax)
    ax.set_title(f"{name}: training losses")
    return figure


def _radii(run: Run, data: EmojiData, index: NDArray[np.int64], name: str) -> Figure:
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.add_subplot()
    root = "root (the origin)" if run.model.lifting == "normal" else "root (the empty caption)"
    radius_histogram(radii_by_level(run, data, index), ax=ax, label=root)
    ax.set_title(f"{name}: distance from the root by level")
    return figure


def _risk(run: Run, data: EmojiData, index: NDArray[np.int64], name: str) -> Figure:
    """Of names for pictures, by the model's own confidence."""
    concept = data.concept[index]
    candidates = np.unique(concept)
    texts = text_points(run, [data.names[c] for c in candidates])
    logits = run.logits(image_points(run, data, index), texts)
    rank = rank_of(logits.numpy(), concept[:, None] == candidates)
    figure = risks(confidence_doubts(logits), torch.from_numpy((rank < 1).astype(np.float64)))
    figure.axes[0].set_title(
        f"{name}: risk and coverage of names for pictures\n"
        "(below the dotted line: its confidence knows the errors)",
        fontsize=10,
    )
    return figure


def _embedding(
    run: Run, data: EmojiData, index: NDArray[np.int64], name: str, kind: str
) -> dict[str, Figure]:
    """One projection drawn twice: every point by its level, and pictures around their words."""
    levels = points_by_level(run, data, index)
    manifold, root = run.manifold, run.root
    every = torch.cat(list(levels.values()))
    if isinstance(manifold, Product):  # which no disk shows: its normal coordinates, as flat points
        every, root, manifold = manifold.to_normal(every), manifold.to_normal(root), Euclidean()
    flat = project_disk(
        every,
        manifold=manifold,
        center=root,
        groups=[level for level, points in levels.items() for _ in points],
    )
    split = torch.split(flat.points, [len(points) for points in levels.values()])
    places = dict(zip(levels, split, strict=True))
    texts = level_texts(data, index)
    plane = _PLANES[flat.manifold.sign]
    said = f"On {plane}: {flat.title}"

    words = [level for level in reversed(LEVELS) if level in texts]
    with_labels, ax = _disk(places, (*words, "picture"), flat, size=9.0)
    ax.set_title(name)
    caption(ax, said)
    _write(ax, places, flat.manifold, texts, most=12)

    with_pictures, ax = _disk(places, words, flat, size=4.0)
    ax.set_title(f"{name}, {kind}")
    caption(ax, said)
    chosen = _shuffled(len(index))
    thumbnails(
        places["picture"][chosen],
        data.images[index[chosen]],
        ax=ax,
        manifold=flat.manifold,
        size=0.055 * ax.get_xlim()[1],
        most=400,
    )
    _write(ax, places, flat.manifold, texts, most=30)
    return {EMBEDDING: with_labels, PICTURES: with_pictures}


def _disk(
    places: dict[str, Tensor], order: Sequence[str], flat: Projection, *, size: float
) -> tuple[Figure, Axes]:
    """The points of some levels, as much of the plane as all levels need, with circles as scale."""
    figure = Figure(figsize=(8.4, 7.4), layout="constrained")
    ax = figure.add_subplot()
    space = flat.manifold
    reach = 1.08 * max(float(space.to_normal(x).norm(dim=-1).max()) for x in places.values())
    rings = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(0, reach)
    drawn = disk(
        torch.cat([places[level] for level in order]),
        manifold=space,
        labels=[level for level in order for _ in places[level]],
        ax=ax,
        size=size,
        rings=[float(r) for r in rings if 0 < r <= reach],
        reach=reach if reach < _WHOLE or space.sign == 0 else None,
        chart=flat.chart,
    )
    for level, dots in zip(order, drawn.points, strict=True):
        if len(places[level]) < _FEW:
            dots.set(sizes=[5 * size], zorder=3.5)  # a few among a thousand would not be seen
    return figure, ax


def _write(
    ax: Axes, places: dict[str, Tensor], space: Manifold, texts: dict[str, list[str]], *, most: int
) -> None:
    """Write some words beside their points, the most general first and largest."""
    for level, fontsize in zip(LEVELS, (9.5, 8.0, 6.5), strict=False):
        if level not in texts:
            continue
        chosen = _shuffled(len(texts[level]))
        words = [texts[level][k] for k in chosen]
        names(places[level][chosen], words, ax=ax, manifold=space, most=most, fontsize=fontsize)


def _shuffled(count: int) -> NDArray[np.int64]:
    """An order without meaning: what finds no room in a picture is left out by chance."""
    return np.random.default_rng(0).permutation(count)
