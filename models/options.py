"""How options that may be left out are shown by ``--help``: by what they then are, not by None."""

from typing import Any

import tyro

PATH, INT, FLOAT, BOOL = "PATH", "INT", "FLOAT", "{True,False}"
FORMATS = "{png,svg,pdf}"


def absent(metavar: str, meaning: str, words: str | None = None) -> Any:
    """To annotate an option whose default, None, means something that help should say; with
    ``words`` where no docstring explains it."""

    def hint(default: str) -> str:
        return f"(default: {meaning if default == 'None' else default})"

    return tyro.conf.arg(metavar=metavar, help=words, help_behavior_hint=hint)


def folder_option(name: str) -> Any:
    """To annotate an option ``--name hf:DIR`` beside options ``--name.size`` and so on."""
    return tyro.conf.arg(
        name=name, metavar="hf:DIR", help_behavior_hint="(default: an encoder of this library)"
    )


def formats_of(text: str) -> tuple[str, ...]:
    """Formats of pictures, given with commas between.

    Raises:
        ValueError: one that is not drawn.
    """
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not set(found) <= {"png", "svg", "pdf"}:
        raise ValueError(
            f"format is {text!r}; expected png, svg or pdf, or some of them with commas between."
        )
    return found
