"""How options that may be left out are shown by ``--help``: by what they then are, not by None."""

from typing import Any

import tyro

PATH, INT, FLOAT, BOOL = "PATH", "INT", "FLOAT", "{True,False}"


def absent(metavar: str, meaning: str, words: str | None = None) -> Any:
    """To annotate an option whose default, None, means something that help should say; with
    ``words`` where no docstring explains it."""

    def hint(default: str) -> str:
        return f"(default: {meaning if default == 'None' else default})"

    return tyro.conf.arg(metavar=metavar, help=words, help_behavior_hint=hint)
