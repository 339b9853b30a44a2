"""Pictures on their way to the root: what `spaceforms traverse` prints and draws."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import EmojiData
from ...datasets.augment import to_float
from .run import Run
from .run_data import way_pictures
from .traversal import captions, traverse

TRAVERSAL = "traversal.png"
_SHOWN = 7  # captions of a way that find room in a row


class Walk(NamedTuple):
    """One picture, (3, S, S) in [0, 1], what it is called, and the captions on its way."""

    title: str
    image: Tensor
    captions: list[str]
    at: list[float]


@torch.no_grad()
def walk(
    run: Run,
    images: Sequence[str] = (),
    *,
    data: Path | None = None,
    count: int = 5,
    steps: int = 50,
) -> list[Walk]:
    """Ways from pictures to the root of a run's model, among the texts of its held-out pictures.

    Args:
        run: a trained run.
        images: names of concepts among the run's held-out pictures, or picture files; ``count``
            held-out pictures of different groups if empty.
        data: other pictures and captions than the run's held-out ones; see
            :func:`~spaceforms.models.evaluation.run_data.run_pictures`.
        count: how many then.
        steps: see :func:`traverse`.

    Raises:
        ValueError: a name that no held-out picture has, and that is no file.
    """
    if count < 1:
        raise ValueError(f"count is {count}; expected at least 1.")
    if steps < 2:
        raise ValueError(f"steps is {steps}; expected at least 2.")
    pictures, index, texts = way_pictures(run, data)
    chosen = [_find(run, name, pictures, index) for name in images]
    chosen = chosen or _some(pictures, index, count)
    ways = traverse(
        run.encode_prepared(torch.stack([image for _, image in chosen])),
        run.encode_texts(texts),
        run.root,
        manifold=run.manifold,
        min_radius=run.model.min_radius,
        steps=steps,
    )
    return [
        Walk(title, image, captions(way, texts), way.at)
        for (title, image), way in zip(chosen, ways, strict=True)
    ]


def draw(walks: Sequence[Walk], path: Path, *, title: str, dpi: int = 150) -> None:
    """One row a picture: the picture, and the captions from it to the root, left to right."""
    from matplotlib.figure import Figure

    from .figures import saved

    # Four at least, or the title would find no room.
    columns = max(4, 1 + max(min(len(w.captions), _SHOWN) for w in walks))
    figure = Figure(figsize=(1.4 * columns, 1.35 * len(walks) + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for ax, way in zip(np.atleast_1d(figure.subplots(len(walks), 1)), walks, strict=True):
        ax.set(xlim=(0, columns), ylim=(0, 1), xticks=[], yticks=[])
        ax.axis("off")
        inset = ax.inset_axes((0.0, 0.14, 1 / columns, 0.84))
        inset.imshow(way.image.permute(1, 2, 0).numpy())
        inset.axis("off")
        name = textwrap.shorten(way.title, 26, placeholder="…")
        ax.text(0.5, 0.0, name, ha="center", fontsize=6, color="0.45")
        for place, k in enumerate(_kept(len(way.captions)), 1):
            words = textwrap.fill(way.captions[k], 15)
            ax.text(place + 0.5, 0.55, words, ha="center", va="center", fontsize=8)
            ax.text(place + 0.5, 0.2, f"{way.at[k]:.0%}", ha="center", fontsize=6, color="0.45")
            ax.annotate(
                "", (place + 0.08, 0.55), (place - 0.08, 0.55), arrowprops={"arrowstyle": "->"}
            )
    saved(figure, path, dpi)


def _kept(count: int) -> list[int]:
    """All, or evenly chosen ones with the first and the last."""
    return sorted(set(np.linspace(0, count - 1, min(count, _SHOWN)).round().astype(int).tolist()))


def _find(run: Run, name: str, data: EmojiData, index: NDArray[np.int64]) -> tuple[str, Tensor]:
    rows = [k for k in index if data.names[data.concept[k]] == name]
    if rows:
        return name, to_float(data.images[rows[:1]])[0]
    if not Path(name).is_file():
        known = [data.names[c] for c in data.concept[index]]
        near = get_close_matches(name, known, n=1) or known[:1]
        raise ValueError(
            f"image is {name!r}, which is the name of no held-out picture and no file; expected a "
            f"name such as {near[0]!r}, or a picture file."
        )
    return Path(name).stem, run.prepare(name)


def _some(data: EmojiData, index: NDArray[np.int64], count: int) -> list[tuple[str, Tensor]]:
    """Pictures of as many groups as there are, the middle one of each; then evenly chosen ones."""
    group = data.hierarchy.ancestor("group")[data.concept[index]]
    rows = [index[np.flatnonzero(group == g)] for g in np.unique(group)]
    chosen = [int(r[len(r) // 2]) for r in rows]
    chosen += [int(k) for k in index[np.linspace(0, len(index) - 1, count).astype(int)]]
    chosen = list(dict.fromkeys(chosen))[:count]
    return [(data.names[data.concept[k]], to_float(data.images[[k]])[0]) for k in chosen]
