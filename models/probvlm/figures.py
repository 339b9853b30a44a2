"""What `spaceforms probvlm` draws: are its intervals right, and do its doubts know the errors."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ..evaluation.figures import risks, saved
from .contents import Contents
from .uncertainty import LEVELS

RELIABILITY, RISK, STRIP = "reliability.png", "risk_coverage.png", "certainty.png"
CONTENTS = "contents.png"
_SHOWN = 8  # pictures in a row of the strip
_LAWS = 4  # names that are the least uncertain, and as many the most


def reliability(result: Mapping[str, Any]) -> Figure:
    """Left, the share of numbers that laws hold against the share they promise; right, recall by
    uncertainty of pictures, in bins of equal numbers of them."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":", label="as promised")
    for method, found in result["methods"].items():
        if "cross" in found:
            held = [found["cross"][f"coverage {level:.0%}"] for level in LEVELS]
            left.plot(LEVELS, held, marker="o", markersize=4, label=method)
        if total := found["image uncertainty"].get("total"):
            bins = np.arange(1, 1 + len(total["recall by bin"]))
            right.plot(bins, total["recall by bin"], marker="o", markersize=4, label=method)
    left.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="probability of the interval",
        ylabel="share of embeddings' numbers inside",
        title="Intervals about the other modality\n(below the line: too narrow)",
    )
    right.set(
        xlabel="bin of pictures, from the most certain to the least",
        ylabel="recall at 1",
        ylim=(0, None),
        title="Recall by uncertainty\n(falling: uncertainty knows the errors)",
    )
    for ax in (left, right):
        ax.legend(fontsize=7, frameon=False)
    return figure


def strip(
    images: NDArray[np.uint8], names: list[str], doubt: Tensor, hit: Tensor, *, method: str
) -> Figure:
    """The least and the most certain pictures (N, S, S, 3), each with its name and whether
    retrieval finds that."""
    order = doubt.argsort(stable=True).numpy()
    count = min(_SHOWN, max(1, len(order) // 2))
    figure = Figure(figsize=(1.25 * _SHOWN, 4.0), layout="constrained")
    figure.suptitle(f"Certainty of pictures by {method}", fontsize=10)
    rows = (("most certain", order[:count]), ("least certain", order[::-1][:count]))
    axes = figure.subplots(2, _SHOWN, squeeze=False)
    for line, (title, chosen) in zip(axes, rows, strict=True):
        for ax in line:
            ax.axis("off")
        line[0].text(-0.08, 0.5, title, rotation=90, va="center", ha="right", fontsize=9)
        line[0].texts[-1].set_transform(line[0].transAxes)
        for ax, k in zip(line, chosen, strict=False):
            ax.imshow(images[k])
            found = "found" if bool(hit[k]) else "not found"
            name = "\n".join(textwrap.wrap(names[k], 18)[:2])
            color = "0.2" if bool(hit[k]) else "#b3261e"
            ax.set_title(f"{name}\n({found})", fontsize=7, color=color)
    return figure


class Shown(NamedTuple):
    """Laws of names by a method and what they hold, for a picture: the uncertainties (Q,) of Q
    names, these, and the families of their concepts; and the pictures (N, S, S, 3) with theirs."""

    method: str
    found: Contents
    doubt: Tensor
    names: list[str]
    family: NDArray[np.int64]
    images: NDArray[np.uint8]
    image_family: NDArray[np.int64]


def contents_strip(shown: Shown) -> Figure:
    """The pictures nearest to the location and to samples of the laws of the least and of the most
    uncertain names; framed in green where the picture is of that name."""
    order = shown.doubt.argsort(stable=True).tolist()
    half = min(_LAWS, len(order) // 2)
    rows = order[:half] + order[len(order) - half :]
    count = shown.found.samples.shape[1]
    figure = Figure(figsize=(1.6 + 0.8 * (1 + count), 0.3 + 0.92 * len(rows)), layout="constrained")
    figure.suptitle(f"What laws of names hold, by {shown.method}: pictures nearest to", fontsize=10)
    axes = figure.subplots(len(rows), 1 + count, squeeze=False)
    for place, (line, q) in enumerate(zip(axes, rows, strict=True)):
        pictures = [int(shown.found.location[q]), *shown.found.samples[q].tolist()]
        for ax, k in zip(line, pictures, strict=True):
            ax.imshow(shown.images[k])
            ax.set(xticks=[], yticks=[])
            right = shown.image_family[k] == shown.family[q]
            for spine in ax.spines.values():
                spine.set(color="#188038" if right else "0.85", linewidth=2 if right else 0.6)
        kind = "certain" if place < half else "uncertain"
        words = "\n".join(textwrap.wrap(shown.names[q], 16)[:2])
        line[0].set_ylabel(
            f"{words}\n({kind})", rotation=0, ha="right", va="center", fontsize=8, labelpad=6
        )
    if rows:
        axes[0, 0].set_title("its location", fontsize=8)
        for k in range(count):
            axes[0, 1 + k].set_title(f"sample {1 + k}", fontsize=8)
    return figure


def draw(
    folder: Path,
    result: Mapping[str, Any],
    doubts: Mapping[str, Tensor],
    hit: Tensor,
    images: NDArray[np.uint8],
    names: list[str],
    shown: Shown | None,
) -> list[Path]:
    """Draw all four into a folder, without laws of names three; their paths."""
    method = next(iter(doubts))
    figures = {
        RELIABILITY: reliability(result),
        RISK: risks(doubts, hit),
        STRIP: strip(images, names, doubts[method], hit, method=method),
    }
    if shown is not None:
        figures[CONTENTS] = contents_strip(shown)
    return [saved(figure, folder / name, 150) for name, figure in figures.items()]
