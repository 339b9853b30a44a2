"""One pair of a picture file and its captions, and what keeps a file from being one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

FAULTS = (
    "shards missing",
    "shards cut short",
    "pictures unreadable",
    "captions empty",
    "pairs incomplete",
)
"""What is skipped and counted. A pair is incomplete if it has no picture or no caption file, or not
as many texts above its captions as are asked for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was skipped: ``kind`` is one of `FAULTS`, ``where`` names it."""

    kind: str
    where: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture that is not read yet, and its captions.

    ``size`` bytes at ``offset`` of the file ``path``, the whole file if ``size`` is None, are a
    picture file that would end in ``suffix``. Pairs of
    one ``family`` are positives of each other; if none is given, the first caption stands for it.
    ``general`` are the texts above all its captions, the most general first ("Animals & Nature",
    "animal-mammal").
    """

    key: str
    captions: tuple[str, ...]
    family: str
    path: Path
    suffix: str
    offset: int = 0
    size: int | None = None
    general: tuple[str, ...] = ()

    def read(self) -> bytes:
        """The picture file's bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(-1 if self.size is None else self.size)


class Pairs(Protocol):
    """Where pairs come from: a folder or shards."""

    def one_pass(self, lane: int, lanes: int, rng: Any, buffer: int) -> Iterator[Pair | Fault]:
        """The pairs of one lane in one pass, shuffled; every lane of a pass has the same
        ``rng`` at first, so all agree on who reads what."""

    def in_order(self) -> Iterator[Pair | Fault]:
        """All pairs as they are stored."""

    def count(self) -> int:
        """The number of pairs."""

    def parts(self) -> int:
        """How many lanes there can be at most."""

    def names(self) -> Iterator[str]:
        """What the pairs are read from: a resumed run must find the same."""


def make_pair(
    key: str,
    content: Mapping[str, Any] | str,
    path: Path,
    suffix: str = "",
    offset: int = 0,
    size: int | None = None,
) -> Pair | Fault:
    """A pair from a caption, or from a JSON object with ``caption`` (also ``captions``, ``text``),
    a text or a list of texts, and perhaps ``family`` and ``general``."""
    family, general = None, tuple[str, ...]()
    if isinstance(content, Mapping):
        family, general = content.get("family"), _texts(content.get("general"))
        content = next((content[k] for k in ("caption", "captions", "text") if k in content), "")
    captions = _texts(content)
    if not captions:
        return Fault("captions empty", f"{path}: {key}")
    family = str(family or captions[0].casefold())
    return Pair(key, captions, family, path, suffix or path.suffix.lower(), offset, size, general)


def _texts(content: Any) -> tuple[str, ...]:
    """A text or the texts of a list, their blanks made single, without what is empty or no text."""
    texts = content if isinstance(content, list) else [content]
    return tuple(filter(None, (" ".join(t.split()) for t in texts if isinstance(t, str))))


def number(text: str) -> int:
    """A number of 63 bits that stands for a text, the same on every machine and day."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1
