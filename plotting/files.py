"""Pictures as files, the same bytes from the same picture."""

from __future__ import annotations

import os
from typing import Any

import matplotlib as mpl
from matplotlib.text import Text

FORMATS = ("png", "svg", "pdf")
# Fixed ids, and fonts that stay text in a PDF, which journals ask for.
_STYLE: dict[Any, Any] = {"svg.hashsalt": "spaceforms", "pdf.fonttype": 42}
_NO_DATE: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save(
    figure: Any,
    path: str | os.PathLike[str],
    *,
    dpi: int = 200,
    format: str | None = None,
    text: bool = False,
) -> None:
    """Write a figure as PNG, SVG or PDF, without a date: equal pictures are equal files.

    Words in a PDF are text, in a font that it carries. In an SVG they are outlines, which look
    alike wherever they are shown, or with ``text`` words that can be searched, read aloud and
    edited, in the fonts of whoever looks, where names may be a little wider or narrower, and
    without the white edge that names have.

    Args:
        figure: a matplotlib figure.
        path: the file.
        dpi: dots an inch, of PNG.
        format: "png", "svg" or "pdf"; by the end of the path if None.
        text: whether words in an SVG stay words.

    Raises:
        ValueError: another format.
    """
    kind = format or os.path.splitext(os.fspath(path))[1].removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(
            f"plotting.save: {os.fspath(path)} is of format {kind!r}; expected one of "
            f"{', '.join(FORMATS)}."
        )
    edged = []
    if text and kind == "svg":  # what has an edge is drawn as outlines in any case
        edged = [(word, word.get_path_effects()) for word in figure.findobj(Text)]
    try:
        for word, _ in edged:
            word.set_path_effects([])
        with mpl.rc_context(_STYLE | {"svg.fonttype": "none" if text else "path"}):
            figure.savefig(path, dpi=dpi, format=kind, metadata=_NO_DATE.get(kind))
    finally:
        for word, effects in edged:
            word.set_path_effects(effects)
