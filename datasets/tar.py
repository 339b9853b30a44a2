"""The members of a tar archive, in bounded time and memory whatever its headers say.

Python's own ``tarfile`` goes back for ever at a negative size, takes a declared one for memory to
be had, and searches an extended header in quadratic time; archives come from strangers. The formats
are those of POSIX (ustar and pax) and GNU's long names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_BLOCK = 512
_MOST_EXTENDED = 2**20  # bytes of a long name or an extended header
_MOST_IN_A_ROW = 16  # of those before one file
_REGULAR, _FOLDER = (b"0", b"\0", b"7"), b"5"
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes


@dataclass(frozen=True, slots=True)
class Member:
    """A file of ``size`` bytes from ``start`` of the archive on; ``regular`` is False for links,
    devices, pipes and files with holes."""

    name: str
    start: int
    size: int
    regular: bool


def members(file: BinaryIO, total: int) -> Iterator[Member]:
    """The members of an archive of ``total`` bytes but for folders, in order.

    Raises:
        ValueError: a broken header, a member that ends after the file, or no end mark. What came
            before is whole.
    """
    at, name, size_of_next, in_a_row = 0, None, None, 0
    while True:
        file.seek(at)
        header = file.read(_BLOCK)
        if len(header) < _BLOCK:
            raise ValueError("no end mark after its last whole file")
        if not any(header):
            return
        if header[:2] == b"\x1f\x8b" and not at:
            raise ValueError("it is compressed (gzip); expected a tar that is not")
        _check(header, at)
        kind, size = header[156:157], _number(header[124:136], at)
        extended = kind in (b"L", b"K", b"x", b"g", b"X")
        if size_of_next is not None and not extended:
            size, size_of_next = size_of_next, None
        start = at + _BLOCK
        content = 0 if kind in _WITHOUT_CONTENT else size
        if start + content > total:
            shown = name or _name(header)
            raise ValueError(f"{shown} ends after the file does")
        at = start + -(-content // _BLOCK) * _BLOCK
        if extended:
            in_a_row += 1
            if size > _MOST_EXTENDED or in_a_row > _MOST_IN_A_ROW:
                raise ValueError(f"a broken extended header before byte {start}")
            text = file.read(size)
            if kind == b"L":
                name = _decoded(text.partition(b"\0")[0])
            elif kind in (b"x", b"X"):
                found = _records(text, start)
                name = _decoded(found[b"path"]) if b"path" in found else name
                if b"size" in found:
                    size_of_next = _decimal(found[b"size"], start)
                if any(key.startswith(b"GNU.sparse") for key in found):
                    kind = b"S"
                    raise ValueError(f"a file with holes at byte {start}; expected whole files")
            continue
        here, name, in_a_row = name or _name(header), None, 0
        if kind != _FOLDER and not here.endswith("/"):
            yield Member(here, start, content, kind in _REGULAR)


def _check(header: bytes, at: int) -> None:
    """The sum of a header's bytes, its own field taken for blanks; old programs summed signed."""
    rest = header[:148] + b" " * 8 + header[156:]
    wanted = _number(header[148:156], at)
    if wanted != sum(rest) and wanted != sum(byte - 256 * (byte > 127) for byte in rest):
        raise ValueError(f"a broken header at byte {at}")


def _number(field: bytes, at: int) -> int:
    """A number in octal digits, or in base 256 if its first bit is set."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:])
    digits = field.partition(b"\0")[0].strip()
    if field[0] > 0x80 or not (digits or b"0").isdigit() or b"8" in digits or b"9" in digits:
        raise ValueError(f"a broken number in the header at byte {at}")
    return int(digits or b"0", 8)


def _decimal(text: bytes, at: int) -> int:
    if not text.isdigit() or len(text) > 20:
        raise ValueError(f"a broken number in the extended header at byte {at}")
    return int(text)


def _records(text: bytes, at: int) -> dict[bytes, bytes]:
    """The records ``"27 key=value\\n"`` of an extended header, each with its own length."""
    found, place = dict[bytes, bytes](), 0
    while place < len(text) and text[place]:
        blank = text.find(b" ", place, place + 21)
        length = _decimal(text[place:blank] if blank >= 0 else b"", at)
        if length <= blank - place or place + length > len(text):
            raise ValueError(f"a broken extended header at byte {at}")
        key, _, value = text[blank + 1 : place + length - 1].partition(b"=")
        found[key] = value
        place += length
    return found


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return _decoded(prefix + b"/" + name if prefix else name)


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
