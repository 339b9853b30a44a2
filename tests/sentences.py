"""Every sentence with which the library refuses, and that a test provokes, is looked at for holes.

Where a name or a number is left out of a message, it leaves two spaces, a space before a stop, or a
message that begins or ends in the middle. ``conftest.py`` puts :func:`raises` in the place of
pytest's, so that no test has to ask for it.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

_RAISES = pytest.raises
_HOLE = re.compile(
    r"\A[ :;,.]|[ (\[=]\Z|  "  # begins or ends in the middle; two words without what was between
    r"| [,;:)\]](?=\s|\Z)| \.(?=\s|\Z)"  # got ., reaches , but
    r"|(?<!\.)\.\.(?=[,; ])|[(\[], |\[[^\]\[]*, \]"  # 1.., (, 3), [0, ]
)


def hole(message: str) -> str | None:
    """The place where something is missing, with what stands around it."""
    found = _HOLE.search(message)
    return None if found is None else message[max(0, found.start() - 20) : found.end() + 20]


def _is_ours(error: BaseException) -> bool:
    """Whether our own code raised it, and said what."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    module = "" if frame is None else str(frame.tb_frame.f_globals.get("__name__"))
    return module.startswith("spaceforms.") and bool(str(error))


@contextmanager
def _checked(context: AbstractContextManager[Any]) -> Iterator[Any]:
    with context as caught:
        yield caught
    if _is_ours(caught.value):
        message = str(caught.value)
        assert hole(message) is None, f"{hole(message)!r} in {message!r} lacks something"


def raises(*args: Any, **options: Any) -> Any:
    """`pytest.raises`, and a look at the sentence."""
    context = _RAISES(*args, **options)
    return _checked(context) if hasattr(context, "__enter__") else context
