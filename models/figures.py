"""The pictures of a run: loss curves, the embedding on the disk, distances from the root."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from ..datasets import EmojiData
from ..manifolds import PoincareBall
from ..plotting import disk, loss_curves, names, project_disk, radius_histogram, thumbnails
from .checkpoint import METRICS, Run
from .evaluate import points_by_level, radii_by_level
from .train import load_data

LOSSES, EMBEDDING, PICTURES, RADII = (
    "loss.png",
    "disk_labels.png",
    "disk_pictures.png",
    "radius.png",
)


def draw_run(run: Run, *, dpi: int = 150) -> list[Path]:
    """Draw all pictures of a run into its folder; their paths."""
    data, split = load_data(run.config)
    index = next(iter(split.tests.values()))  # the main test set
    name = run.config.model.upper()
    figures = {
        LOSSES: _losses(run, name),
        RADII: _radii(run, data, index, name),
        **_embedding(run, data, index, name),
    }
    for file, figure in figures.items():
        figure.savefig(run.folder / file, dpi=dpi)
    return [run.folder / file for file in figures]


def _losses(run: Run, name: str) -> Figure:
    rows = (run.folder / METRICS).read_text(encoding="utf-8").splitlines()
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.add_subplot()
    loss_curves([json.loads(row) for row in rows], ax=ax)
    ax.set_title(f"{name}: training losses")
    return figure


def _radii(run: Run, data: EmojiData, index: np.ndarray, name: str) -> Figure:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.add_subplot()
    root = "root (the origin)" if run.config.model == "meru" else "root (the empty caption)"
    radius_histogram(radii_by_level(run, data, index), ax=ax, label=root)
    ax.set_title(f"{name}: distance from the root by level")
    return figure


def _embedding(run: Run, data: EmojiData, index: np.ndarray, name: str) -> dict[str, Figure]:
    """The same projection twice: levels with labels, and pictures as thumbnails."""
    levels = points_by_level(run, data, index)
    manifold = run.model.manifold.cpu()
    root = run.model.root(run.tokenizer.encode([""])[0].to(levels["picture"].device))
    flat = project_disk(
        torch.cat(list(levels.values())),
        manifold=manifold,
        center=root,
        groups=[level for level, points in levels.items() for _ in points],
    )
    parts = dict(
        zip(levels, torch.split(flat.points, [len(x) for x in levels.values()]), strict=True)
    )
    ball = PoincareBall(-1.0)
    order = ("picture", "name", "subgroup", "group")
    labels = [level for level in order for _ in parts[level]]
    with_labels = Figure(figsize=(9.5, 8), layout="constrained")
    ax = with_labels.add_subplot()
    disk(torch.cat([parts[level] for level in order]), manifold=ball, labels=labels, ax=ax)
    ax.set_title(f"{name} on the Poincaré disk\n{flat.title}", fontsize=10)
    texts = [data.names[c] for c in np.unique(data.concept[index])]
    mixed = np.random.default_rng(0).permutation(len(texts))
    names(parts["name"].numpy()[mixed], [texts[k] for k in mixed], ax=ax)

    with_pictures = Figure(figsize=(8, 8.4), layout="constrained")
    ax = with_pictures.add_subplot()
    disk(manifold=ball, ax=ax)
    # Here and above in an order without meaning: what finds no room is left out by chance.
    shuffled = np.random.default_rng(0).permutation(len(index))
    thumbnails(
        parts["picture"].numpy()[shuffled],
        data.images[index[shuffled]],
        ax=ax,
        size=0.055,
        most=400,
    )
    ax.set_title(f"{name}, held-out pictures on the Poincaré disk\n{flat.title}", fontsize=10)
    return {EMBEDDING: with_labels, PICTURES: with_pictures}
