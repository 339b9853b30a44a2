"""One figure of an experiment over its grid, a line a variant."""

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


def points(runs: Runs, figure: str) -> dict[str, dict[float, Sequence[float]]]:
    """By variant and place the figures of all seeds that have it."""
    lines: dict[str, dict[float, Any]] = {}
    for run in runs:
        if len(run["at"]) == 1 and np.isfinite(found := value(run, figure)):
            (place,) = run["at"].values()
            lines.setdefault(run["variant"], {}).setdefault(float(place), []).append(found)
    return lines
