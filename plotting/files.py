"""Pictures as files, the same bytes from the same picture."""

from __future__ import annotations

import os
from typing import Any

import matplotlib as mpl

FORMATS = ("png", "svg", "pdf")
# Fixed ids, and fonts that stay text in a PDF, which journals ask for.
_STYLE: dict[Any, Any] = {"svg.hashsalt": "spaceforms", "pdf.fonttype": 42}
_NO_DATE: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save(
    figure: Any, path: str | os.PathLike[str], *, dpi: int = 200, format: str | None = None
) -> None:
    """Write a figure as PNG, SVG or PDF, without a date: equal pictures are equal files.

    Args:
        figure: a matplotlib figure.
        path: the file.
        dpi: dots an inch, of PNG.
        format: "png", "svg" or "pdf"; by the end of the path if None.

    Raises:
        ValueError: another format.
    """
    kind = format or os.path.splitext(os.fspath(path))[1].removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(
            f"plotting.save: {os.fspath(path)} is of format {kind!r}; expected one of "
            f"{', '.join(FORMATS)}."
        )
    with mpl.rc_context(_STYLE):
        figure.savefig(path, dpi=dpi, format=kind, metadata=_NO_DATE.get(kind))
