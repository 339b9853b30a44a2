"""Files that others wrote, read within bounds: regular files only, of a size that is expected."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

MOST_PICTURE = 2**28
"""Bytes of a picture file; what says that it is larger is skipped."""
MOST_TEXT = 2**24
"""Bytes of a caption file, of a line of a list, and of a file in a tar that is no picture."""
MOST_TABLE = 2**28
"""Bytes of a JSON file that is read whole: concepts, sizes, a vocabulary."""
_MOST_ARRAYS, _RATIO = 2**30, 64  # bytes that an archive may unpack to; more, if it is itself large
_FULL = 2**20  # bytes; a disk with fewer free is why a file could not be written
_WHOLE, _MOST_READ, _BLOCK = 2**32, 2**29, 2**16  # bytes of contents, for a fingerprint

_SURROGATES = re.compile("[\ud800-\udfff]")
_SYSTEM = frozenset(
    {"__macosx", "@eadir", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"}
)


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read; a pipe, a device or a folder is refused, also behind a link.

    A pipe that nobody writes to would hold the reader for ever, and /dev/zero has no end.

    Raises:
        OSError: there is no such file, or it is none.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path}: expected a file, got a folder, a pipe or a device.")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a regular file, at most ``most``.

    Raises:
        OSError: there is no such file, or it is none.
        ValueError: it is larger.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"{path}: expected at most {most:,} bytes, got {size:,}.")
        return file.read(most)


@contextmanager
def replacing(path: Path, advice: str = "") -> Iterator[Path]:
    """A path beside ``path`` to write to; what was written then takes its place, all at once.

    On an error, of a full disk for instance, nothing is left beside it and the file is what it was.
    A link that lies at the path to write to is removed, not followed.

    Args:
        path: the file, in a folder that is there.
        advice: what a user is told after a failure, at its end.

    Raises:
        OSError: the file could not be written, in a sentence, whatever the writer's own error is:
            torch and others raise a RuntimeError that does not say why.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        part.open("xb").close()
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())  # or after a loss of power the new name may have an empty file
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError | RuntimeError):
            raise unwritten(path, error, advice) from error
        raise


def write_text(path: Path, text: str, advice: str = "") -> None:
    """Replace a file by one with this text, as :func:`replacing` does."""
    with replacing(path, advice) as part:
        part.write_text(text, encoding="utf-8")


def unwritten(path: Path, error: Exception, advice: str = "") -> OSError:
    """What is said of a file that could not be written."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    # torch begins with where in its sources it failed.
    reason = re.sub(r"^\[[^]]*\][ .]*", "", reason).partition("\n")[0].strip(" .")
    try:
        full = shutil.disk_usage(path.parent).free < _FULL
    except OSError:
        full = False
    reason = "no space left on the disk" if full else reason.lower()
    return OSError(f"{path}: could not be written: {reason}. {advice}".rstrip())


def is_file(path: Path) -> bool:
    """Whether a regular file is there; no for a name that the system does not take."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long; with a zero byte
        return False


def is_system(parts: Iterable[str]) -> bool:
    """Whether a path's parts name what systems and programs leave for themselves: hidden files and
    folders, ``__MACOSX``, ``Thumbs.db`` and their like."""
    return any(
        (part.startswith(".") and part.strip(".")) or part.lower() in _SYSTEM for part in parts
    )


def clean(text: str) -> str:
    """A text without lone surrogates, which are no characters and which UTF-8 has no bytes for:
    each is U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def printable(text: str) -> str:
    """A text whose line feeds, terminal controls and lone surrogates are escapes: the name of a
    file may have any of them, and be shown."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def to_text(content: bytes) -> tuple[str, bool]:
    """A file's text, without a byte order mark, and whether all of it could be read.

    It is UTF-8, or UTF-16 behind its mark. Other bytes, of cp1252 for instance, are U+FFFD each.
    """
    code = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(code), True
    except UnicodeDecodeError:
        return content.decode(code, "replace"), False


def read_arrays(
    path: str | os.PathLike[str], names: Iterable[str]
) -> dict[str, NDArray[np.generic]]:
    """Arrays of an .npz, none of which is a pickle.

    Raises:
        OSError: there is no such file, or it is none.
        ValueError: it has not all of them, or is something else, a part of an archive, or one that
            would unpack to very much more than its size.
    """
    names = tuple(names)
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                total = sum(member.file_size for member in archive.infolist())
        except Exception as error:
            raise ValueError(
                f"{path}: expected an .npz archive, got something else or a part of one"
            ) from error
        most = max(_MOST_ARRAYS, _RATIO * os.fstat(file.fileno()).st_size)
        if total > most:
            raise ValueError(
                f"{path}: expected an archive that unpacks to at most {most:,} bytes, got {total:,}"
            )
        file.seek(0)
        # A damaged one makes numpy, zipfile, zlib, ast and tokenize raise each errors of its own.
        try:
            with np.load(file, allow_pickle=False) as archive:
                found = list(archive.files)
                arrays = {name: np.asarray(archive[name]) for name in names if name in found}
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise ValueError(
                f"{path}: expected arrays of numbers and texts, got one that cannot be read "
                f"({reason[:200]})"
            ) from error
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(
            f"{path}: expected the arrays {', '.join(names)}; "
            f"{', '.join(missing)} missing, found {', '.join(found)[:200] or 'none'}"
        )
    return arrays


def digest(parts: Iterable[bytes]) -> str:
    """A digest of byte strings and of where one ends and the next begins."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.hexdigest()


def content_digest(files: Iterable[Path]) -> tuple[str, float]:
    """A digest of the sizes and contents of files, and the share of the contents that it is of.

    Up to 4 GiB, some seconds, it is of all. Of more, all sizes count and half a gigabyte in blocks
    of 64 kB, evenly spread over all files: a start does not wait for all of a large data set.
    """
    sizes = [(path, _size(path)) for path in files]
    total = sum(-(-max(size, 0) // _BLOCK) for _, size in sizes)
    stride = 1 if total * _BLOCK <= _WHOLE else -(-total * _BLOCK // _MOST_READ)
    found, number = hashlib.blake2b(digest_size=16), 0
    for path, size in sizes:
        found.update(size.to_bytes(8, "little", signed=True))
        count = -(-max(size, 0) // _BLOCK)
        wanted = range(-number % stride, count, stride)
        number += count
        if not wanted:
            continue
        try:
            with open_file(path) as file:
                for k in wanted:
                    file.seek(k * _BLOCK)
                    found.update(file.read(_BLOCK))
        except OSError:
            found.update(b"unreadable")
    return found.hexdigest(), 1 / stride


def _size(path: Path) -> int:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1
