"""metrics.jsonl, the log of a run: one JSON object a line."""

import json
from pathlib import Path
from typing import Any

from ...datasets.disk import unwritten, write_text
from ..terminal import say

LOG_EVERY = 10
"""Steps from one row to the next."""


class Log:
    """Write the log of a run, from the step ``done`` on; what was written of later ones goes.

    Lines that are no rows are left out and told: a log that was damaged ends no run.

    Args:
        path: the file.
        done: the step that a run is resumed from, 0 for a new one.
        board: write for TensorBoard too, into the folder of ``path``.
    """

    def __init__(self, path: Path, done: int, *, board: bool = False) -> None:
        rows: list[dict[str, Any]] = []
        if done and path.is_file():
            rows, damaged = _rows(path)
            if damaged:
                say(f"{path}: {len(damaged)} lines are no rows of a log and left out. {damaged[0]}")
        write_text(path, "".join(map(_line, (r for r in rows if r["step"] <= done))))
        self._path = path
        self._board = board_writer()(str(path.parent), purge_step=done + 1) if board else None

    def write(self, **values: float) -> None:
        """Add a line, numbers to seven digits."""
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, int(values["step"]))
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line({name: _short(value) for name, value in values.items()}))
        except OSError as error:
            raise unwritten(self._path, error, "Checkpoints are whole: --resume.") from error

    def close(self) -> None:
        """Write what TensorBoard's writer still holds."""
        if self._board is not None:
            self._board.close()


def board_writer() -> Any:
    """TensorBoard's writer, a class.

    Raises:
        ValueError: the package is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            "tensorboard is set, and the package tensorboard is not installed; expected it, by: "
            "pip install tensorboard"
        ) from error
    return SummaryWriter


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log. A last line without an end was being written when its run was killed, and
    is left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line that is not a row of a log.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected the log of a run, found no such file.")
    rows, damaged = _rows(path)
    if damaged:
        raise ValueError(damaged[0])
    return rows


def _rows(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a log, and a sentence for each line that is none."""
    *lines, _ = path.read_bytes().decode("utf-8", "replace").split("\n")
    rows, damaged = [], []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            row["step"] + 0
        except (ValueError, KeyError, TypeError, RecursionError):
            damaged.append(
                f'{path}: line {number}: expected {{"step": 10, ...}}, got {line[:60]!r}.'
            )
        else:
            rows.append(row)
    return rows, damaged


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.7g}")
