"""Plain diagrams: distances from the root, ranks, and losses over a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from ._axes import FAINT, INK, array, axes
from ._colour import COLOURS

_RIDGE = 1.15  # height of a ridge, in distances to the next


def radius_histogram(
    radii: Mapping[str, Any], *, ax: Axes | None = None, bins: int = 60, label: str = "root"
) -> list[Any]:
    """Histograms of distances from the root, a ridge a level, one above the other.

    All are drawn as high as each other, so places and shapes compare and counts do not: these stand
    at the left. Each has its median, and the root is marked at 0.

    Args:
        radii: level -> distances.
        ax: where to draw; a new figure if None.
        bins: number of bins, common to all levels.
        label: what to call the root.

    Returns:
        One filled outline a level, the first at the top.

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
    count = len(values)
    ax = axes(ax, where, height=1.1 + 0.75 * count)
    farthest = max(float(r.max()) for r in values.values())
    edges = np.linspace(0, farthest * 1.02 or 1.0, bins + 1)
    artists = []
    for k, r in enumerate(values.values()):
        height, _ = np.histogram(r, edges)
        base, colour = float(count - 1 - k), COLOURS[k % len(COLOURS)]
        # What is farther down stands in front.
        artists.append(
            ax.stairs(
                base + _RIDGE * height / height.max(), edges, baseline=base, fill=True,
                facecolor=colour, edgecolor="white", linewidth=0.6, alpha=0.85, zorder=2 + k,
            )
        )  # fmt: skip
        ax.hlines(base, edges[0], edges[-1], color=FAINT, linewidth=0.6, zorder=1.9 + k)
        median = float(np.median(r))
        ax.vlines(median, base, base + 0.25, color=INK, linewidth=1.2, zorder=2.5 + k)
        ax.annotate(
            f"{median:.2f}", (median, base), xytext=(0, -1.5), textcoords="offset points",
            ha="center", va="top", fontsize=6.5, color=INK, zorder=2.6 + count,
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )  # fmt: skip
    ax.axvline(0, color=INK, linewidth=1.0, linestyle=":", zorder=1.5)
    ax.annotate(
        label, (0, 1), xycoords=("data", "axes fraction"), xytext=(3, 0),
        textcoords="offset points", ha="left", va="top", fontsize=7, color=INK,
    )  # fmt: skip
    ax.set_yticks(
        range(count - 1, -1, -1),
        [f"{name}\n({r.size:,})" for name, r in values.items()],
        va="bottom",
    )
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.set(
        xlabel="distance from the root; the marks are medians",
        xlim=(-0.02 * edges[-1], edges[-1]),
        ylim=(-0.3, count - 1 + 1.1 * _RIDGE),
    )
    return artists


def rank_histogram(ranks: Mapping[str, Any], *, ax: Axes | None = None) -> list[Any]:
    """How far down the list of nearest nodes those stand that ought to be first.

    Shares of ranks 1, 2, 3-4, 5-8, 9-16 and so on, a group of bars a rank, a colour a method.

    Args:
        ranks: method -> ranks, whole numbers from 1 on (halves, of ties, are rounded down).
        ax: where to draw; a new figure if None.

    Returns:
        One container of bars a method.

    Raises:
        ValueError: a method without ranks, or with one below 1 or not finite.
    """
    where = "plotting.rank_histogram"
    values = {name: array(r).ravel() for name, r in ranks.items()}
    if not values:
        raise ValueError(f"{where}: ranks is empty; expected at least one method.")
    for name, r in values.items():
        if not r.size or not np.isfinite(r).all() or r.min() < 1:
            what = "no ranks" if not r.size else "a rank that is below 1 or not finite"
            raise ValueError(f"{where}: {name!r} has {what}; expected some, all at least 1.")
    ax = axes(ax, where, height=2.8)
    largest = max(float(r.max()) for r in values.values())
    # 1, 2, 3-4, 5-8: bin k ends with 2^k.
    count = max(1, int(np.ceil(np.log2(np.floor(largest)))) + 1)
    width = 0.8 / len(values)
    artists: list[Any] = []
    for k, (name, r) in enumerate(values.items()):
        which = np.ceil(np.log2(np.floor(r))).astype(int)
        shares = np.bincount(which, minlength=count) / r.size
        place = np.arange(count) + (k - (len(values) - 1) / 2) * width
        bars = ax.bar(place, shares, width, color=COLOURS[k % len(COLOURS)], label=name)
        artists.append(bars)
        if len(values) == 1:
            ax.bar_label(bars, [f"{s:.1%}" if s else "" for s in shares], fontsize=6.5, padding=1)
    names = ["1", "2", *(f"{2**k + 1}-{2 ** (k + 1)}" for k in range(1, count - 1))][:count]
    ax.set_xticks(range(count), names, fontsize=7)
    if count > 6:
        ax.tick_params(axis="x", labelrotation=45)
    ax.set(xlabel="rank", ylabel="share", ylim=(0, None))
    ax.margins(y=0.12)
    ax.spines[["right", "top"]].set_visible(False)
    ax.legend(frameon=False, fontsize=7.5)
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
