"""The figures of an embedding as a table, and what they warn of."""

from __future__ import annotations

import math
from typing import Any

from ...manifolds import Manifold, Product
from ..words import counted

FLAT = (
    "The mean radius is below two curvature radii: the points lie where the space is nearly flat, "
    "and do no better than flat space would. Try more --epochs, a larger --temperature to begin "
    "with, or a larger --lr."
)
GOOD = 0.99  # of MAP: with that, a small radius is no fault, nor one at the edge
_NAMES = {
    "popularity": "who has more descendants, for everyone",
    "graph_metric": "number of edges between two nodes",
}


def flat_solution(report: dict[str, Any], space: Manifold) -> bool:
    """Whether hyperbolic points ended where hyperbolic space is nearly flat."""
    if isinstance(space, Product):
        return False
    return space.sign < 0 and report["radius"]["mean"] < 2.0 and report["map"] < GOOD


def edge(report: dict[str, Any]) -> str:
    """That points lie as far out as float32 holds, and would lie farther."""
    count = report["at_the_edge"]
    return (
        f"At the edge of what float32 holds, {report['radius']['largest']:.1f} curvature radii "
        f"from the origin: {count:,} of {report['nodes']:,} points. A smaller --lr keeps them "
        "nearer, a larger --dim gives them room."
    )


def as_table(report: dict[str, Any], *, title: str) -> str:
    """The report for a terminal."""
    measured = report["nodes_measured"]
    rows = [("these points", report["map"], report["mean_rank"])]
    rows += [
        (f"  without points: {_NAMES[name]}", found["map"], found["mean_rank"])
        for name, found in report["controls"].items()
    ]
    width = max(len(row[0]) for row in rows)
    radius = report["radius"]
    lines = [
        f"{title}: {counted(report['nodes'], 'node')}, {counted(report['pairs'], 'pair')}",
        f"{'ancestors ranked by':{width}}  {'MAP':>7}  {'mean rank':>9}",
        *(f"{name:{width}}  {score:7.4f}  {rank:9.3f}" for name, score, rank in rows),
        f"radius, in curvature radii: {radius['smallest']:.2f} to {radius['largest']:.2f}, mean "
        f"{radius['mean']:.2f}",
        *(_of_tree(report["sarkar"]) if "sarkar" in report else _of_training(report)),
    ]
    if "mean_distortion" in report:
        lines.append(
            f"distances over numbers of edges: {report['mean_distortion']:.1%} off 1 on the mean, "
            f"worst distortion {report['worst_distortion']:.3f}"
        )
    if "hidden" in report:
        found = report["hidden"]
        lines.append(
            f"{counted(found['pairs'], 'hidden pair')}: F1 {found['f1']:.4f} (of yes to all "
            f"{found['f1_of_yes']:.4f}), MAP {found['map']:.4f}, mean rank {found['mean_rank']:.3f}"
        )
    if report["sampled"]:
        lines.append(f"measured for {counted(measured, 'node')}, drawn by chance, among all")
    return "\n".join(lines)


def _of_training(report: dict[str, Any]) -> list[str]:
    return [
        f"{report['seconds']:.1f} s, {report['pairs_per_second']:,} pairs/s, "
        f"{counted(report['epochs'], 'epoch')}"
    ]


def _of_tree(found: dict[str, Any]) -> list[str]:
    proven = found["proven_distortion"]
    said = "nothing proven" if proven is None else f"at most {proven:.4f} in exact numbers"
    lines = [
        f"Sarkar's construction, {found['seconds']:.1f} s: edges of length {found['edge']:.4g}, "
        f"{counted(found['height'], 'level')}, at most {counted(found['degree'], 'edge')} at a "
        f"node, {math.degrees(found['angle']):.3g} degrees apart",
        f"{'neighbours along edges':22}  {'MAP':>7}  {'mean rank':>9}  {'worst distortion':>16}",
    ]
    for name, key in (("in float64, as stored", "stored"), ("in all digits", "exact")):
        if key in found:
            row = found[key]
            lines.append(
                f"{name:22}  {row['map']:7.4f}  {row['mean_rank']:9.3f}  "
                f"{row['distortion']:16.4f}  ({said})"
            )
    return lines
