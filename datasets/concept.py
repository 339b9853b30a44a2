"""One concept: a thing that several vendors have drawn, with its names and its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .disk import MOST_TABLE, is_file, read_file
from .pair import parse


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept of the emoji set.

    `keywords` come from Unicode CLDR, `keywords2` from emojilib, `names` maps a language code to a
    name (English is `name`). Concepts of one `family` are the same thing in different dress ("man
    dancing", "person dancing") and always lie on one side of `split` ("train", "val" or "test").
    `wn`, `gloss` and `wnpath` (from entity.n.01 down to `wn`) are given where WordNet has it.
    """

    name: str
    group: str
    subgroup: str
    family: str
    split: str
    alt: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    keywords2: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None
    pictorial: bool = True
    wn: str | None = None
    gloss: str | None = None
    wnpath: tuple[str, ...] = ()
    char: str = ""

    def name_in(self, language: str) -> str:
        """The name in a language; the English one where the data has none."""
        return self.name if self.names is None else self.names.get(language, self.name)

    @property
    def words(self) -> tuple[str, ...]:
        """All keywords, each once, without the name itself."""
        return tuple(k for k in dict.fromkeys(self.keywords + self.keywords2) if k != self.name)


_REQUIRED = ("name", "group", "subgroup", "family", "split")
_LISTS = ("alt", "keywords", "keywords2", "wnpath")
_KNOWN = frozenset(field.name for field in fields(Concept))
_SPLITS = ("train", "val", "test")


def read_concepts(path: Path) -> tuple[Concept, ...]:
    """Concepts of a JSON file {"concepts": [{"name": ..., "group": ..., ...}, ...]}.

    Raises ValueError, naming the file and the entry, for anything else. Unknown keys are ignored.
    """
    check_file(path, "a JSON file of concepts")
    try:
        content = parse(read_file(path, MOST_TABLE))
    except ValueError as error:
        raise ValueError(f"{path}: expected a JSON file of concepts, but {error}") from error
    entries = content.get("concepts") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f'{path}: expected {{"concepts": [...]}} with at least one concept')
    return tuple(_concept(entry, f"{path}: concept {i}") for i, entry in enumerate(entries))


def check_file(path: Path, expected: str) -> None:
    """Raise FileNotFoundError in words where the system would give a number."""
    if not is_file(path):
        found = "a folder" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: expected {expected}, found {found}")


def _concept(entry: object, where: str) -> Concept:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got {type(entry).__name__}")
    known: dict[str, Any] = {k: v for k, v in entry.items() if k in _KNOWN and v is not None}
    for key in _REQUIRED:
        if not isinstance(known.get(key), str) or not known[key]:
            raise ValueError(f"{where}: expected a text under {key!r}, got {known.get(key)!r}")
    for key in _LISTS:
        value = known.get(key, [])
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise ValueError(f"{where}: expected a list of texts under {key!r}, got {value!r}")
        known[key] = tuple(value)
    names = known.get("names", {})
    if not isinstance(names, dict) or not all(isinstance(n, str) for n in names.values()):
        raise ValueError(
            f"{where}: expected texts by language under 'names', "
            f'{{"de": "Hund"}} for instance, got {names!r}'
        )
    if known["split"] not in _SPLITS:
        raise ValueError(f"{where}: expected split in {_SPLITS}, got {known['split']!r}")
    return Concept(**known)
