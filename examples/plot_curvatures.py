"""The same coordinates in spaces of different curvature, side by side.

Run ``python examples/plot_curvatures.py``; it writes ``curvatures.png``. Each picture is in a space
of its own: disks below zero, paper at zero, a sphere above.

It needs the extra ``plot``.
"""

import torch

from spaceforms.manifolds import Euclidean, PoincareBall, Sphere
from spaceforms.plotting import save, small_multiples

BRANCHES, STEPS = 7, 12


def main() -> None:
    """Draw seven rays of points, with a geodesic from each point to the next ray's."""
    angle = torch.arange(BRANCHES, dtype=torch.float64) * 2 * torch.pi / BRANCHES
    r = torch.linspace(0.15, 1.8, STEPS, dtype=torch.float64)
    v = r[:, None, None] * torch.stack([angle.cos(), angle.sin()], dim=-1)
    normal = v.reshape(-1, 2)
    ring = torch.arange(BRANCHES)
    edges = torch.cat(
        [torch.stack([ring, ring.roll(1)], 1) + BRANCHES * k for k in range(3, STEPS, 4)]
    )
    spaces = {
        "K = -2": PoincareBall(-2.0),
        "K = -0.5": PoincareBall(-0.5),
        "K = 0": Euclidean(),
        "K = 0.5": Sphere(0.5),
    }
    panels = [(title, space.from_normal(normal), space) for title, space in spaces.items()]
    distance = normal.norm(dim=-1).numpy()
    drawn = small_multiples(panels, color=distance, edges=edges, size=9, title="distance")
    save(drawn[0].ax.get_figure(), "curvatures.png")


if __name__ == "__main__":
    main()
