"""Whether what a file says is of the kinds that the fields of a dataclass are."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a text",
    NoneType: "null",
}


def wrong_kinds(cls: type, content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """``image.size is '5'; expected a whole number`` for each such field; others are not looked at.

    Args:
        cls: a dataclass, whose fields are numbers, texts, paths, tuples, choices or dataclasses.
        content: its fields as JSON has them.
        prefix: of their names.
    """
    for name, kind in get_type_hints(cls).items():
        if name not in content:
            continue
        value = content[name]
        if dataclasses.is_dataclass(kind) and isinstance(value, dict):
            yield from wrong_kinds(kind, value, f"{prefix}{name}.")  # type: ignore[arg-type]
        elif not _fits(value, kind):
            yield f"{prefix}{name} is {value!r}; expected {_words(kind)}"


def _fits(value: Any, kind: Any) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        if not isinstance(value, list):
            return False
        each = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(value) == len(each) and all(map(_fits, value, each))
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, str if kind is Path else kind)


def _words(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, parts))
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin is tuple:
        some = [_words(part) for part in parts if part is not ...]
        return f"a list of {some[0]} each" if parts[-1] is ... else f"[{', '.join(some)}]"
    return _WORDS.get(kind, "an object")
