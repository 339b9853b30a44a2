"""A binary tree on the Poincaré disk: its edges as geodesics, its levels by colour.

Run ``python examples/plot_tree.py``; it writes ``tree.png``. Each level lies at one distance from
the root, and the room for leaves grows with it as it does in no flat picture.
"""

import math

import torch

from spaceforms.manifolds import PoincareBall
from spaceforms.plotting import disk, geodesics

DEPTH, STEP = 6, 1.0


def main() -> None:
    """Draw a complete binary tree with level d at distance d from the root."""
    manifold = PoincareBall(-1.0)
    nodes, levels = [torch.zeros(1, 2, dtype=torch.float64)], ["root"]
    for depth in range(1, DEPTH + 1):
        angle = (torch.arange(2**depth, dtype=torch.float64) + 0.5) * 2 * math.pi / 2**depth
        nodes.append(depth * STEP * torch.stack([angle.cos(), angle.sin()], dim=-1))
        levels += [f"level {depth}"] * 2**depth
    points = manifold.from_normal(torch.cat(nodes))
    children = torch.arange(1, len(points))
    picture = disk(points, manifold=manifold, labels=levels, rings=(1, 2, 3))
    geodesics(
        points[(children - 1) // 2],
        points[children],
        manifold=manifold,
        ax=picture.ax,
        color="#999999",
        linewidth=0.7,
    )
    picture.ax.set_title("A binary tree, its levels one unit of length apart")
    figure = picture.ax.get_figure(root=True)
    figure.savefig("tree.png", dpi=150)


if __name__ == "__main__":
    main()
