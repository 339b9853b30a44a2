"""A tree on the disk while one of its leaves comes into the middle.

Run ``python examples/plot_recentring.py``; it writes ``recentring.gif``. Each picture is the one
before it, moved by a translation of the hyperbolic plane: no distance changes.
"""

import torch
from matplotlib.figure import Figure

from spaceforms.manifolds import PoincareBall
from spaceforms.plotting import recentring, tree_layout

DEPTH = 6


def main() -> None:
    """Draw a binary tree of 127 nodes and go to one of its leaves and back."""
    children = torch.arange(1, 2 ** (DEPTH + 1) - 1)
    parents = (children - 1) // 2
    tree = tree_layout([-1, *parents.tolist()], edge=0.9)
    animation = recentring(
        tree.points,
        tree.points[2**DEPTH + 9],
        manifold=PoincareBall(-1.0),
        edges=torch.stack([parents, children], dim=1),
        color=tree.level,
        size=12,
        key=False,
        back=True,
        ax=Figure(figsize=(3.6, 3.6), layout="constrained").add_subplot(),
    )
    animation.save("recentring.gif", writer="pillow", dpi=80)


if __name__ == "__main__":
    main()
