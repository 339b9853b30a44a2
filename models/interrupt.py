"""Ctrl-C that lets a step finish."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def polite_interrupt() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end the loop after the step under way; a second one ends it at once."""
    hit = False

    def handler(number: int, frame: Any) -> None:
        nonlocal hit
        hit = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = signal.signal(signal.SIGINT, handler)
    except ValueError:  # not in the main thread: then there is no Ctrl-C to catch
        yield lambda: False
        return
    try:
        yield lambda: hit
    finally:
        signal.signal(signal.SIGINT, before)
