"""The folder that a run is written into: whether there can be one, and whose it is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Make the folder of a run if it is not there, and keep other processes from training in it.

    The system gives the folder free when this process ends, however it does. A folder that was
    made for nothing, as nothing was written into it, is removed again.

    Raises:
        OSError: it cannot be made.
        FileExistsError: another process trains in it.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_place(folder, error.strerror or str(error)) from error
    handle = None
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if handle is not None:
            os.close(handle)
        raise FileExistsError(
            f"{folder}: another process is training in it; wait for its end, or name another --out."
        ) from error
    except (ImportError, OSError):
        pass  # Windows, and file systems of networks that lock no folders
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
        with suppress(OSError):  # not empty, or gone
            for path in made:
                path.rmdir()


def check_place(folder: Path) -> None:
    """Raise OSError if there is no folder here and none can be made, or no file in it; nothing is
    written. Before anything that takes time."""
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if not nearest.is_dir():
        raise _no_place(folder, "file exists" if nearest == folder else "not a directory")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _no_place(folder, "permission denied")


def _no_place(folder: Path, reason: str) -> OSError:
    return OSError(
        f"out is {folder}; expected a folder, or a place to make one in, got {reason.lower()}."
    )
