"""A figure of an experiment over its grid, a line a variant, or against others, a mark each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from compare import Runs, value
from matplotlib.figure import Figure

# Text as text and fixed ids: a small file, and the same one from the same results.
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "spaceforms", "font.size": 9}


def draw(path: Path, runs: Runs, figure: str) -> bool:
    """Draw means over seeds, with bars of one standard deviation, over the one key of the grid.

    False, and nothing is written, where there are fewer than two places to draw a line through.
    """
    lines = points(runs, figure)
    if max((len(line) for line in lines.values()), default=0) < 2:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    (key,) = runs[0]["at"]
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(6.4, 3.6), layout="constrained")
        ax = canvas.subplots()
        for k, (variant, line) in enumerate(lines.items()):
            place = np.array(sorted(line), dtype=float)
            mean = [float(np.mean(line[p])) for p in place]
            spread = [float(np.std(line[p], ddof=len(line[p]) > 1)) for p in place]
            # Lines that lie on each other: each a little beside the last.
            shift = 2 ** (0.06 * (k - (len(lines) - 1) / 2))
            ax.errorbar(
                place * shift,
                mean,
                spread,
                label=variant,
                marker="os^Dv*"[k % 6],
                capsize=2,
                lw=1,
                ms=4,
            )
        places = sorted({p for line in lines.values() for p in line})
        ax.set_xscale("log", base=2)
        ax.set_xticks(places, [f"{p:g}" for p in places])
        ax.minorticks_off()
        ax.set(xlabel=key, ylabel=figure)
        ax.grid(alpha=0.3)
        ax.legend(frameon=False)
        canvas.savefig(path, metadata={"Date": None})
    return True


def draw_against(path: Path, runs: Runs, figure: str, against: Sequence[str]) -> bool:
    """Draw a figure over each of others, side by side: means over seeds, with bars of one standard
    deviation. False, and nothing is written, where no variant has them all."""
    marks: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        found = {name: value(run, name) for name in (figure, *against)}
        if np.isfinite(list(found.values())).all():
            for name, number in found.items():
                marks.setdefault(run["variant"], {}).setdefault(name, []).append(number)
    if not marks:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(4.2 * len(against), 4.6), layout="constrained")
        axes = np.atleast_1d(canvas.subplots(1, len(against), sharey=True))
        for ax, other in zip(axes, against, strict=True):
            for k, (variant, of) in enumerate(marks.items()):
                spread = {n: float(np.std(v, ddof=len(v) > 1)) for n, v in of.items()}
                ax.errorbar(
                    np.mean(of[other]),
                    np.mean(of[figure]),
                    spread[figure],
                    spread[other],
                    label=variant,
                    marker="os^Dv*PX"[k % 8],
                    color=f"C{k % 10}",
                    lw=0.8,
                    ms=6,
                )
            ax.set(xlabel=other)
            ax.grid(alpha=0.3)
        axes[0].set(ylabel=figure)
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, frameon=False, ncols=4, loc="outside lower center")
        canvas.savefig(path, metadata={"Date": None})
    return True


def points(runs: Runs, figure: str) -> dict[str, dict[float, Sequence[float]]]:
    """By variant and place the figures of all seeds that have it."""
    lines: dict[str, dict[float, Any]] = {}
    for run in runs:
        if len(run["at"]) == 1 and np.isfinite(found := value(run, figure)):
            (place,) = run["at"].values()
            lines.setdefault(run["variant"], {}).setdefault(float(place), []).append(found)
    return lines
