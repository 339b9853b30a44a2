"""One pair of a picture file and its captions, and what keeps a file from being one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from unicodedata import normalize

from .disk import MOST_PICTURE, clean, open_file, printable, read_file, to_text

FAULTS = (
    "shards missing",
    "shards cut short",
    "pictures unreadable",
    "captions empty",
    "pairs incomplete",
    "captions not UTF-8",
    "files refused",
)
"""What is counted and, but for the next to last, skipped. A pair is incomplete if it has no picture
or no caption file, or not as many texts above its captions as are asked for. Bytes of a caption
that are not UTF-8 are replaced by U+FFFD, and the pair is kept. Refused is what is no regular file
(a pipe, a device, a link in a tar), what a list names outside of its folder or without the suffix
of a picture, and what is larger than a caption should be."""
CAPTIONS = (".json", ".txt", ".caption")
"""Suffixes of the files with a pair's captions."""
_LONGEST = 500  # letters of a name in a sentence
KEYS = ("caption", "captions", "text")
"""Under which an object has its captions, the first of these that is there."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was skipped: ``kind`` is one of `FAULTS`, ``where`` names it."""

    kind: str
    where: str

    def __str__(self) -> str:
        """In words, one line; a name of thousands of letters, which a list may have, is cut in its
        middle."""
        where = printable(self.where)
        if len(where) > _LONGEST:
            where = f"{where[: _LONGEST // 2]} ... {where[-_LONGEST // 2 :]}"
        return f"{self.kind}: {where}"


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
        """The picture file's bytes.

        Raises:
            OSError: there is no such file any more, or it is none.
            ValueError: it is larger than any picture.
        """
        if self.size is None:
            return read_file(self.path, MOST_PICTURE)
        if self.size > MOST_PICTURE:
            raise ValueError(f"expected at most {MOST_PICTURE:,} bytes, got {self.size:,}")
        with open_file(self.path) as file:
            file.seek(self.offset)
            return file.read(self.size)


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

    def files(self) -> Iterator[Path]:
        """The files of the pictures, whose contents a resumed run must find again."""


def make_pair(
    key: str,
    content: Mapping[str, Any] | str,
    path: Path,
    suffix: str = "",
    offset: int = 0,
    size: int | None = None,
) -> Pair | Fault:
    """A pair from a caption, or from a JSON object with ``caption`` (also ``captions``, ``text``),
    a text or a list of texts, and perhaps ``family`` and ``general``.

    Lone surrogates of a text are U+FFFD.
    """
    family, general = None, tuple[str, ...]()
    if isinstance(content, Mapping):
        family, general = content.get("family"), _texts(content.get("general"))
        content = next((content[k] for k in KEYS if k in content), "")
    captions = _texts(content)
    if not captions:
        return Fault("captions empty", f"{path}: {key}")
    family = clean(str(family)) if family else captions[0].casefold()
    return Pair(key, captions, family, path, suffix or path.suffix.lower(), offset, size, general)


def captioned_pair(
    key: str,
    contents: Mapping[str, bytes],
    path: Path,
    where: str,
    suffix: str = "",
    offset: int = 0,
    size: int | None = None,
) -> Iterator[Pair | Fault]:
    """The pair of a picture and the caption files beside it, in a folder or in a shard.

    The captions are those of the JSON object if it has any, else the text of the other file; family
    and general texts are the object's.

    Args:
        key, path, suffix, offset, size: of the picture, as in `Pair`.
        contents: of the files beside it, by suffix; at least one of `CAPTIONS`.
        where: what faults are named by.
    """
    content: dict[str, Any] = {}
    broken = ""
    if ".json" in contents:
        try:
            value = parse(contents[".json"])
            content = value if isinstance(value, dict) else {}
        except ValueError as error:
            broken = f": {error}"
    text = next((contents[s] for s in CAPTIONS[1:] if s in contents), None)
    if text is not None and not any(_texts(content.get(k)) for k in KEYS):
        caption, whole = to_text(text)
        content = {**{k: v for k, v in content.items() if k not in KEYS}, "caption": caption}
        if not whole:
            yield Fault("captions not UTF-8", f"{where}: {key}")
    pair = make_pair(key, content, path, suffix, offset, size)
    yield Fault(pair.kind, f"{where}: {key}{broken}") if isinstance(pair, Fault) else pair


def parse(content: bytes | str) -> Any:
    """A JSON value; ValueError for everything that the parser stumbles over."""
    try:
        return json.loads(to_text(content)[0] if isinstance(content, bytes) else content)
    # Nested by the thousand; numbers of more digits than Python reads (a ValueError as well).
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _texts(content: Any) -> tuple[str, ...]:
    """A text or the texts of a list, in Unicode's form NFC (two spellings are one caption), their
    blanks made single, without what is empty or no text."""
    texts = content if isinstance(content, list) else [content]
    return tuple(
        filter(
            None,
            (" ".join(normalize("NFC", clean(t)).split()) for t in texts if isinstance(t, str)),
        )
    )


def number(text: str) -> int:
    """A number of 63 bits that stands for a text, the same on every machine and day."""
    # Names of files may have bytes that are not UTF-8: lone surrogates, which are told apart so.
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()) >> 1
