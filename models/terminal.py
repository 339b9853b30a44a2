"""What is told while a model trains, to a terminal that may be gone."""

import sys
from typing import Any


class Terminal:
    """Standard error for a progress bar: where it is closed, broken or full, nothing is written.

    A closed window, `2>&1 | head -1` or a full disk under a log end no training.
    """

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return sys.stderr.write(text) if sys.stderr is not None else 0
        except (OSError, ValueError):  # ValueError: closed
            return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)  # encoding and size of the terminal

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        """Whether someone watches."""
        try:
            return sys.stderr is not None and sys.stderr.isatty()
        except (OSError, ValueError):
            return False


def say(text: str) -> None:
    """A line to standard error, if anyone is there."""
    terminal = Terminal()
    terminal.write(text + "\n")
    terminal.flush()
