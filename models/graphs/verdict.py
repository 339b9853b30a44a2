"""What a diagnosis comes to, in words and with the numbers that it rests on.

Of two hyperbolicities in units of the diameter, that of the worst four nodes and the mean of four
at random, data are as far from a known metric as they differ by in either, the mean in units of
the largest mean among the known ones. They are said to be closest to one of these if they are
within a quarter of it, and twice as near to it as to any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NEAR, _CLEARLY, _WIDE = 0.25, 0.5, 0.25
_FEW = 16  # nodes, of which four at random are nearly all
_GAIN = 0.1  # share of the stress of flat space, below which another curvature is no better
_NOISE = 0.75  # share of the stress of noise, above which the data are as bad as that
CALLED = {"tree": "the tree", "cycle": "the cycle", "grid": "the grid", "points": "random points"}


def verdict(found: Mapping[str, Any], beside: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """To which of the known metrics one is closest, and what its curvature says.

    Args:
        found: the figures of one metric, as ``diagnosis.json`` has them.
        beside: those of the known ones.

    Returns:
        ``closest``, a key of ``beside`` or None; ``distances``, how far it is from each;
        ``curvature``, "negative", "positive", "none" or None; ``words``, sentences for all that.
    """
    largest = max(one["relative_mean"] for one in beside.values()) or 1.0
    far = {
        name: max(_apart(found, one), abs(found["relative_mean"] - one["relative_mean"]) / largest)
        for name, one in beside.items()
    }
    nearest, second = sorted(far, key=far.__getitem__)[:2]
    wide = found["relative_delta_at_most"] - found["relative_delta"]
    numbers = f"2 delta/diameter {_range(found)}, mean {found['relative_mean']:.3f}"
    closest: str | None = None
    if found["points"] < _FEW:
        words = f"cannot say: {found['points']} nodes are too few to tell shapes by."
    elif wide > _WIDE:
        words = f"cannot say: the worst four nodes were not found in the time allowed ({numbers})."
    elif far[nearest] <= _NEAR and far[nearest] <= _CLEARLY * far[second]:
        closest = nearest
        words = f"closest to {_of(nearest, beside)}: {numbers}; the next: {_of(second, beside)}."
    else:
        words = (
            f"cannot say: {numbers}, which is not clearly nearer to {_of(nearest, beside)} than to "
            f"{_of(second, beside)}."
        )
    curvature, more = _curvature(found)
    return {
        "closest": closest,
        "distances": far,
        "curvature": curvature,
        "words": f"{words} {more}",
    }


def _curvature(found: Mapping[str, Any]) -> tuple[str | None, str]:
    """The sign of the curvature that fits, if noise of the same size fits worse."""
    stress, flat, noise = found["stress"], found["flat_stress"], found["shuffled"]
    # Points that fit flat space to rounding have nothing to gain.
    gain = (flat - stress) / flat if flat > 1e-6 else 0.0
    numbers = f"stress {stress:.3f} at the best K, {flat:.3f} at K = 0"
    if gain < _GAIN:
        return "none", f"No curvature fits better than none: {numbers}."
    sign = "negative" if found["curvature_in_diameters"] < 0 else "positive"
    shuffled = f"shuffled {noise['stress']:.3f} and {noise['flat_stress']:.3f}"
    if stress > _NOISE * noise["stress"]:
        return None, f"Of curvature it cannot say: {numbers}; {shuffled}: noise fits as well."
    return sign, f"Curvature {sign}: {numbers}; {shuffled}."


def _apart(one: Mapping[str, Any], two: Mapping[str, Any]) -> float:
    """Between two ranges of the largest delta; 0 if they meet."""
    return float(
        max(
            one["relative_delta"] - two["relative_delta_at_most"],
            two["relative_delta"] - one["relative_delta_at_most"],
            0.0,
        )
    )


def _range(found: Mapping[str, Any]) -> str:
    low, high = found["relative_delta"], found["relative_delta_at_most"]
    return f"{low:.3f}" if low == high else f"{low:.2f} to {high:.2f}"


def _of(name: str, beside: Mapping[str, Mapping[str, Any]]) -> str:
    one = beside[name]
    return f"{CALLED[name]} ({_range(one)} and {one['relative_mean']:.3f})"
