"""A page that needs nothing but itself: styles, programs and data in one file of HTML."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATIC = Path(__file__).parent / "static"
_SCRIPTS = ("geometry.js", "data.js", "scene.js", "labels.js", "panel.js", "camera.js", "view.js")


def write_html(data: dict[str, Any]) -> str:
    """The page for some data, of which ``title`` is its title.

    Names and labels are untrusted: they are in a block of JSON in which no ``<`` is left, and the
    programs write them as text only.
    """
    scripts = "\n".join(_text(name) for name in _SCRIPTS)
    return Template(_text("page.html")).substitute(
        title=html.escape(str(data["title"])),
        style=_text("page.css"),
        script=f"(() => {{\n{scripts}\n}})();",
        data=as_json(data),
    )


def as_json(data: object) -> str:
    """JSON that ends no script element, whatever texts it holds."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    # A lone surrogate, of a file name for instance, is no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()


def packed(array: NDArray[Any], kind: str) -> str:
    """An array as base64 of its little-endian bytes; ``kind`` as ``f8``, ``u4``, ``i4``, ``u1``."""
    return base64.b64encode(np.ascontiguousarray(array, dtype=f"<{kind}").tobytes()).decode()


def atlas(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Pictures (P, S, S, 3) in one, in rows; a WebP as a data URL, with how many and how large."""
    from PIL import Image

    count, side = len(images), images.shape[1]
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    sheet = np.full((rows * columns, side, side, 3), 255, np.uint8)
    sheet[:count] = images
    whole = sheet.reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    buffer = io.BytesIO()
    picture = Image.fromarray(whole.reshape(rows * side, columns * side, 3))
    picture.save(buffer, format="WEBP", quality=80)
    source = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {"source": source, "columns": columns, "rows": rows, "side": side}


def _text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
