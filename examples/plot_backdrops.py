"""Backdrops: a polar grid, horocycles, a geodesic with its equidistants, and a tiling.

Run ``python examples/plot_backdrops.py``; it writes ``backdrops.png``.

It needs the extra ``plot``.
"""

from matplotlib.figure import Figure

from spaceforms.manifolds import PoincareBall
from spaceforms.plotting import disk, equidistants, horocycles, polar_grid, save, tiling

INK = {"color": "#0072B2", "linewidth": 0.9, "alpha": 1.0}


def main() -> None:
    """Draw the four side by side, darker than they are meant to be."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    pictures = {
        "polar grid": lambda ax: polar_grid((0.5, 1, 1.5, 2, 3), ax=ax, **INK),
        "horocycles": lambda ax: horocycles(0.6, ax=ax, **INK),
        "equidistants": lambda ax: equidistants(0.6, 0.4, ax=ax, **INK),
        "the tiling {7, 3}": lambda ax: tiling(7, 3, reach=5.0, ax=ax, **INK | {"linewidth": 0.5}),
    }
    for k, (title, draw) in enumerate(pictures.items(), start=1):
        ax = figure.add_subplot(1, 4, k)
        disk(manifold=PoincareBall(-1.0), ax=ax)
        draw(ax)
        ax.set_title(title, fontsize=10)
    save(figure, "backdrops.png")


if __name__ == "__main__":
    main()
