"""Plain diagrams: distances from the root, and losses over a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ._axes import COLOURS, INK, array, axes


def radius_histogram(
    radii: Mapping[str, Any], *, ax: Axes | None = None, bins: int = 60, label: str = "root"
) -> list[Any]:
    """Histograms of distances from the root, one a level, the root marked at 0.

    Every histogram has area 1, so levels of different size compare.

    Args:
        radii: level -> distances.
        ax: where to draw; a new figure if None.
        bins: number of bins, common to all levels.
        label: what to call the root.

    Returns:
        One filled outline a level.

    Raises:
        ValueError: a level without distances, or with one that is negative or not finite.
    """
    where = "plotting.radius_histogram"
    values = {name: array(r).ravel() for name, r in radii.items()}
    if not values:
        raise ValueError(f"{where}: radii is empty; expected at least one level.")
    for name, r in values.items():
        if not r.size or not np.isfinite(r).all() or r.min() < 0:
            what = "no distances" if not r.size else "a distance that is negative or not finite"
            raise ValueError(f"{where}: level {name!r} has {what}; expected some, all at least 0.")
    ax = axes(ax, where, height=4.0)
    farthest = max(float(r.max()) for r in values.values())
    edges = np.linspace(0, farthest * 1.02 or 1.0, bins + 1)
    artists = []
    for k, (name, r) in enumerate(values.items()):
        heights, _ = np.histogram(r, edges, density=True)
        colour = COLOURS[k % len(COLOURS)]
        text = f"{name} ({r.size:,}; median {np.median(r):.2f})"
        artists.append(
            ax.stairs(heights, edges, fill=True, facecolor=colour, edgecolor=colour, alpha=0.45,
                      label=text)
        )  # fmt: skip
    ax.axvline(0, color=INK, linewidth=1.5, linestyle=":", label=label)
    ax.set(xlabel="distance from the root", ylabel="density", xlim=(-0.02 * edges[-1], edges[-1]))
    ax.legend(frameon=False)
    return artists


def loss_curves(
    history: Sequence[Mapping[str, float]],
    *,
    keys: Sequence[str] = ("loss", "contrastive", "entailment"),
    ax: Axes | None = None,
) -> list[Any]:
    """Losses against the step, for as many of ``keys`` as the history has.

    Args:
        history: rows with a key "step", as ``metrics.jsonl`` has them.
        keys: what to draw.
        ax: where to draw; a new figure if None.

    Returns:
        One line a key.
    """
    where = "plotting.loss_curves"
    present = [key for key in keys if any(key in row for row in history)]
    if not present:
        raise ValueError(
            f"{where}: the history of {len(history)} rows has none of {', '.join(keys)}; expected "
            "at least one."
        )
    for k, row in enumerate(history):
        if "step" not in row and any(key in row for key in present):
            raise ValueError(
                f"{where}: row {k} of the history has the keys {', '.join(row)}; expected step too."
            )
    ax = axes(ax, where, height=4.0)
    artists: list[Any] = []
    for k, key in enumerate(present):
        rows = [row for row in history if key in row]
        steps, values = [row["step"] for row in rows], [row[key] for row in rows]
        # Losses of one number, so one row, need a mark to be seen.
        mark = "." if len(rows) == 1 else None
        colour = COLOURS[k % len(COLOURS)]
        artists += ax.plot(steps, values, color=colour, label=key, linewidth=1.2, marker=mark)
    ax.set(xlabel="step", ylabel="loss")
    if all(row.get(key, 0.0) >= 0 for key in present for row in history):
        ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
    return artists
