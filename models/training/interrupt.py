"""Signals that let a step finish."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Ctrl-C; what schedulers (Slurm, Kubernetes, `docker stop`) send before they kill; and what a
# terminal sends when it is closed.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is done here as Ctrl-C does, by KeyboardInterrupt, so that
    nothing half-written stays. Under `nohup`, where SIGHUP is ignored, it stays so."""
    with _handled(signal.default_int_handler):
        yield


@contextmanager
def _handled(handler: Callable[[int, Any], Any]) -> Iterator[dict[int, Any]]:
    """Give signals that are not ignored to a handler; what had them before, by number: none in
    another thread than the main one, where there is no signal to catch."""
    before: dict[int, Any] = {}
    try:
        for name in _SIGNALS:
            number = getattr(signal, name, None)  # SIGHUP is not on Windows
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
    except ValueError:  # not in the main thread
        pass
    try:
        yield before
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)


@contextmanager
def polite_interrupt() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C, SIGTERM and SIGHUP end the loop after the step under way; a second one ends it at
    once. Under `nohup`, where SIGHUP is ignored, it stays so."""
    hit = False

    def handler(number: int, frame: Any) -> None:
        nonlocal hit
        hit = True
        for known in before:
            ends = signal.default_int_handler if known == signal.SIGINT else signal.SIG_DFL
            signal.signal(known, ends)

    with _handled(handler) as before:
        yield lambda: hit
