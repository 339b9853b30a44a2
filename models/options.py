"""How options that may be left out are shown by ``--help``: by what they then are, not by None."""

import inspect
from typing import Any

import tyro

from .registry import MODELS

PATH, INT, FLOAT, BOOL = "PATH", "INT", "FLOAT", "{True,False}"


def absent(metavar: str, meaning: str) -> Any:
    """To annotate an option whose default, None, means something that help should say."""

    def hint(default: str) -> str:
        return f"(default: {meaning if default == 'None' else default})"

    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint)


def of_model(metavar: str, option: str, unset: str = "none") -> Any:
    """To annotate an option that each model has a default of its own for, ``unset`` where that is
    None, or does not have."""
    values: dict[str, list[str]] = {}
    for name, model in MODELS.items():
        known = inspect.signature(model.__init__).parameters
        if option in known:
            value = known[option].default
            values.setdefault(unset if value is None else f"{value}", []).append(name)
    if len(values) == 1:
        return absent(metavar, next(iter(values)))
    return absent(metavar, "; ".join(f"{v} for {', '.join(names)}" for v, names in values.items()))
