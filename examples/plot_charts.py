"""One binary tree in three charts of the hyperbolic plane, on a grid of circles and rays.

Run ``python examples/plot_charts.py``; it writes ``charts.png``. Angles are true on the Poincaré
disk and the half-plane, geodesics straight on the Klein disk.

It needs the extra ``plot``.
"""

from matplotlib.figure import Figure

from spaceforms.plotting import draw_tree, polar_grid, save

CHARTS = {"poincare": "Poincaré disk", "klein": "Klein disk", "half-plane": "half-plane"}
EDGES = [((k - 1) // 2, k) for k in range(1, 63)]


def main() -> None:
    """Draw the three side by side."""
    figure = Figure(figsize=(9, 3.3), layout="constrained")
    for k, (chart, title) in enumerate(CHARTS.items(), start=1):
        ax = figure.add_subplot(1, 3, k)
        draw_tree(EDGES, names=False, chart=chart, ax=ax, edge=0.6, size=10)
        polar_grid((0.6, 1.2, 1.8, 2.4, 3.0), rays=12, ax=ax)
        ax.set_title(title, fontsize=10)
    figure.axes[2].set(xlim=(-5, 5), ylim=(-0.2, 9.8))
    save(figure, "charts.png")


if __name__ == "__main__":
    main()
