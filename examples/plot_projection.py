"""Sixteen dimensions on the disk, with what the projection costs under the picture.

Run ``python examples/plot_projection.py``; it writes ``projection.png`` and ``radii.png``.

It needs the extra ``plot``.
"""

import torch
from matplotlib.figure import Figure

from spaceforms.manifolds import Lorentz
from spaceforms.plotting import caption, disk, names, project_disk, radius_histogram, save

TOPICS, PER_TOPIC, DIMENSION = 6, 60, 16


def main() -> None:
    """Draw topics near the root and their examples farther out."""
    manifold = Lorentz(-0.5)
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(
        torch.randn(TOPICS, DIMENSION, generator=generator), dim=-1
    )
    topics = manifold.from_normal(directions)
    around = torch.randn(TOPICS, PER_TOPIC, DIMENSION, generator=generator)
    examples = manifold.from_normal(2.5 * directions.unsqueeze(1) + 0.25 * around).flatten(0, 1)
    points = torch.cat([topics, examples])
    labels = ["topic"] * TOPICS + [f"of {t}" for t in range(TOPICS) for _ in range(PER_TOPIC)]

    flat = project_disk(points, manifold=manifold)
    figure = Figure(figsize=(6.4, 5.8), layout="constrained")
    ax = figure.add_subplot()
    disk(flat.points, manifold=flat.manifold, labels=labels, ax=ax, rings=(1, 2, 3))
    caption(ax, flat.title)
    names(
        flat.points[:TOPICS], [f"topic {t}" for t in range(TOPICS)], ax=ax, manifold=flat.manifold
    )
    save(figure, "projection.png")

    figure = Figure(figsize=(5, 2.8), layout="constrained")
    origin = manifold.origin(DIMENSION)
    radii = {"topic": manifold.dist(origin, topics), "example": manifold.dist(origin, examples)}
    radius_histogram(radii, ax=figure.add_subplot())
    save(figure, "radii.png")


if __name__ == "__main__":
    main()
