"""An edge list as a tree on the Poincaré disk: programming languages by what they grew out of.

Run ``python examples/plot_tree.py``; it writes ``tree.png``. Every edge has the same hyperbolic
length, and no two of the tree's edges cross; a language of several parents hangs on the first.

It needs the extra ``plot``.
"""

from pathlib import Path

from matplotlib.figure import Figure

from spaceforms.plotting import caption, draw_tree, save

LIST = Path(__file__).parent / "data" / "languages.tsv"


def main() -> None:
    """Read the list and draw it."""
    lines = [line for line in LIST.read_text().splitlines() if not line.startswith("#")]
    edges = [tuple(line.split("\t")) for line in lines]
    figure = Figure(figsize=(6, 6.3), layout="constrained")
    ax = figure.add_subplot()
    count = len({name for edge in edges for name in edge})
    caption(ax, f"{count} languages by level; edges from further parents are faint")
    draw_tree(edges, ax=ax)
    save(figure, "tree.png")


if __name__ == "__main__":
    main()
