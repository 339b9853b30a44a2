"""What the papers' formulas lose in float32, beside the maps here: distances and angles of cones.

    python benchmarks/formulas.py --page docs/guides/adapters.md     # rewrites the page's table

A hundred pairs of points of 64 coordinates on the hyperboloid of curvature -1, the first at radius
r, the second at distance d from it in a random direction. Distance: acosh(max(-<x, y>, 1)).
Exterior angle: acos((y_t + x_t <x, y>) / (|x_s| sqrt(<x, y>² - 1))), its argument within [-1, 1]
(Desai et al. 2023). Both have the inner product <x, y>, a difference of numbers of the size of
cosh² r. Errors are against mpmath at the same float32 space parts, the largest of the hundred: of
distances by their size, of angles in radians.
"""

import argparse
from pathlib import Path

import mpmath
import torch
from marked import write_between
from torch import Tensor

from spaceforms.manifolds import Lorentz

SPACE, N, PAIRS = Lorentz(-1.0), 64, 100


def pairs(r: float, d: float) -> tuple[Tensor, Tensor]:
    """Points (PAIRS, N + 1) float32, and such at distance d from them."""
    seed = torch.Generator().manual_seed(0)
    v, w = torch.randn(2, PAIRS, N, dtype=torch.float64, generator=seed)
    x = SPACE.from_normal(r * v / v.norm(dim=-1, keepdim=True))
    u = SPACE.proj_tangent(x, torch.cat([torch.zeros(PAIRS, 1), w], 1))
    y = SPACE.expmap(x, d * u / SPACE.norm(x, u)[:, None])
    return SPACE.proj(x.float()), SPACE.proj(y.float())


def papers(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Distances and exterior angles by the papers' formulas."""
    inner = (x[:, 1:] * y[:, 1:]).sum(1) - x[:, 0] * y[:, 0]
    distance = (-inner).clamp(min=1).acosh()
    length = x[:, 1:].norm(dim=1) * (inner.square() - 1).clamp(min=0).sqrt()
    cosine = (y[:, 0] + x[:, 0] * inner) / length
    return distance, cosine.clamp(-1, 1).acos()


def exact(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The same at fifty digits, from the space parts."""
    distances, angles = [], []
    with mpmath.workdps(50):
        for row, other in zip(x[:, 1:].tolist(), y[:, 1:].tolist(), strict=True):
            a, b = [mpmath.mpf(v) for v in row], [mpmath.mpf(v) for v in other]
            s = mpmath.sqrt(1 + mpmath.fdot(a, a))
            t = mpmath.sqrt(1 + mpmath.fdot(b, b))
            inner = mpmath.fdot(a, b) - s * t
            distances.append(float(mpmath.acosh(-inner)))
            length = mpmath.sqrt(mpmath.fdot(a, a)) * mpmath.sqrt(inner**2 - 1)
            angles.append(float(mpmath.acos((t + s * inner) / length)))
    return torch.tensor(distances, dtype=torch.float64), torch.tensor(angles, dtype=torch.float64)


def row(r: float, d: float) -> str:
    """A line of the table."""
    x, y = pairs(r, d)
    distance, angle = exact(x, y)
    cells = []
    theirs, ours = papers(x, y), (SPACE.dist(x, y), SPACE.exterior_angle(x, y))
    for index, (wanted, scale) in enumerate(((distance, distance), (angle, torch.ones(())))):
        for found in (theirs[index], ours[index]):
            worst = ((found.double() - wanted).abs() / scale).nan_to_num(torch.inf).max()
            cells.append(f"{float(worst):.0e}" if worst.isfinite() else "NaN")
    return f"| {r:g} | {d:g} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table, and write it into a page between its marks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--page", type=Path, help="rewrite the table of this page")
    options = parser.parse_args()
    lines = [
        "| radius r | distance d | distance, acosh | distance, here | angle, acos | angle, here |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [row(r, d) for r in (0.5, 2.0, 5.0) for d in (1.0, 1e-1, 1e-2, 1e-3)]
    found = "\n".join(lines)
    print(found)
    if options.page is not None:
        write_between(options.page, "formulas", found)


if __name__ == "__main__":
    main()
