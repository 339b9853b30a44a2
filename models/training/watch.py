"""Processes that train together watch each other: one that ends, stops or hangs is named by the
others, which then end.

Every second each says, in the store through which they met, that it lives, and looks at the next
one. So a connection that breaks gets a name, and a process that was stopped is found at all: to a
collective it looks as if it were computing.
"""

import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import torch.distributed as dist

from ..terminal import say

PERIOD = 1.0
"""Seconds from one sign of life to the next."""
QUIET = 20
"""Periods without one after which a process is lost."""
_BROKEN = 8  # the same, where a connection is broken already
_ANSWERS = 3  # periods in which all have said where they are
_DONE, _STORE = b"done", -1
_started = itertools.count()


@contextmanager
def watched(advice: str = "") -> Iterator[None]:
    """Watch the other processes, and tell them if this one ends with an error; alone do nothing.

    A process that waits in a collective for one that is lost cannot be called back: it says the
    sentence and ends with status 1.

    Args:
        advice: what a user is told to do, at the end of the sentence.

    Raises:
        ConnectionError: another process was lost, is stopped or hangs; the sentence names it.
    """
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if not dist.is_initialized() or dist.get_world_size() == 1 or not (host and port):
        yield
        return
    # Not the processes' own connection, on which one operation waits for the other.
    store = dist.TCPStore(  # type: ignore[attr-defined]
        host, int(port), is_master=False, wait_for_workers=False, timeout=timedelta(seconds=QUIET)
    )
    # torchrun's store outlives its attempts.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    prefix = f"spaceforms/{attempt}/{next(_started)}"
    place = dist.PrefixStore(prefix, store)  # type: ignore[attr-defined]
    watch = _Watch(dist.get_rank(), dist.get_world_size(), place, advice)
    try:
        yield
    except BaseException as error:
        if isinstance(error, RuntimeError) and _of_collective(error.__traceback__):
            raise ConnectionError(watch.explained(error)) from error
        watch.tell(error)
        raise
    finally:
        watch.close()


class _Watch:
    """The two threads of a process: one talks with the store, which may be gone or hang; the other
    judges, and counts periods and not seconds, so that a machine that slept finds no one lost."""

    def __init__(self, rank: int, world: int, store: Any, advice: str) -> None:
        self._rank, self._world, self._store, self._advice = rank, world, store, advice
        self._next = (rank + 1) % world
        self._main = threading.get_ident()
        self._closing = threading.Event()
        self._rounds = 0
        self._beat = b""  # the last of the next process
        self._broken = self._asking = self._saying = False
        self._asked = 0  # rounds ago
        self._found: tuple[int, str] | None = None  # who is lost and what happened; to be told
        self._lost: tuple[int, str] | None = None  # what all are told
        self._threads = [
            threading.Thread(target=work, daemon=True, name=f"spaceforms watch: {work.__name__}")
            for work in (self._talk, self._judge)
        ]
        for thread in self._threads:
            thread.start()

    def explained(self, error: RuntimeError) -> str:
        """Why a collective failed: the sentence that the processes agree upon."""
        self._saying = True  # here and not from a thread
        self._asking = "timed out" in str(error).lower() or "timeout" in str(error).lower()
        self._broken = True
        for _ in range(2 * QUIET):
            if self._lost:
                self._linger()
                return self._sentence(self._lost)
            time.sleep(PERIOD / 2)
        return f"the processes have lost each other, and none is known to be gone: {error}"

    def tell(self, error: BaseException) -> None:
        """Say to the others that this process ends, and why."""
        name = type(error).__name__
        reason = " ".join(f"{name}: {error}".split()).rstrip(".") if str(error) else name
        self._saying = True
        self._found = self._rank, f"has ended: {reason}"
        self._linger()

    def close(self) -> None:
        """Let the threads end."""
        self._closing.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(2 * PERIOD)

    def _linger(self) -> None:
        """Let the others read what was found: the first process takes the store with it."""
        time.sleep(_ANSWERS * PERIOD)

    def _sentence(self, lost: tuple[int, str]) -> str:
        rank, what = lost
        # The store is the first process's, or that of what started all.
        who = "torchrun" if rank == _STORE else f"process {rank} of {self._world}"
        return f"{who} {what}. {self._advice}".strip()

    # -- with the store
    def _talk(self) -> None:
        with suppress(RuntimeError):  # the store is gone: the rounds end, which is judged
            while not self._closing.wait(PERIOD if self._rounds else 0):
                self._round()
            self._store.set(f"beat/{self._rank}", _DONE.decode())

    def _round(self) -> None:
        store = self._store
        store.set(f"beat/{self._rank}", str(self._rounds))
        if store.check([f"beat/{self._next}"]):
            self._beat = store.get(f"beat/{self._next}")
        if self._asking:
            store.set("asked", "")
        if store.check(["asked"]):
            waited = self._asking or _in_collective()  # or did, and asks
            store.set(f"where/{self._rank}", "" if waited else self._place())
            self._asked += self._asking
            if self._asked >= _ANSWERS:
                self._found = self._found or self._hung()
        if self._found:
            rank, what = self._found
            store.compare_set("lost", "", f"{rank} {what}")  # of several the first one counts
        if store.check(["lost"]):
            rank, _, what = store.get("lost").decode().partition(" ")
            self._lost = int(rank), what
        self._rounds += 1

    def _hung(self) -> tuple[int, str] | None:
        for rank in range(self._world):
            key = f"where/{rank}"
            where = self._store.get(key).decode() if self._store.check([key]) else "it does not say"
            if where:
                return rank, (
                    f"hangs: the others waited for it as long as --timeout says. It is in {where}"
                )
        return None

    def _place(self) -> str:
        frame = sys._current_frames().get(self._main)
        if frame is None:
            return "no place that is known"
        code = frame.f_code
        return f"{code.co_filename}, line {frame.f_lineno}, {code.co_name}"

    # -- without it
    def _judge(self) -> None:
        rounds, beat, silent, quiet = -1, b"", 0, 0
        while not self._closing.wait(PERIOD):
            silent = silent + 1 if self._rounds == rounds else 0
            quiet = quiet + 1 if self._beat == beat and beat != _DONE else 0
            rounds, beat = self._rounds, self._beat
            most = _BROKEN if self._broken else QUIET
            gone = f"gave no sign of life for {most} s: it was killed, has crashed or is stopped"
            if silent >= most:
                agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
                self._lost = self._lost or (_STORE if agent else 0, gone)
            elif quiet >= most and not silent:
                self._found = self._next, gone
            if (
                self._lost
                and not self._saying
                and (self._lost[0] == self._rank or _in_collective())
            ):
                self._saying = True
                say(f"spaceforms train: {self._sentence(self._lost)}")
                self._linger()
                os._exit(1)


def _of_collective(trace: TracebackType | None) -> bool:
    """Whether an error came out of a collective."""
    while trace is not None:
        if _is_collective(trace.tb_frame.f_code.co_filename):
            return True
        trace = trace.tb_next
    return False


def _in_collective() -> bool:
    """Whether a thread of this process waits in a collective."""
    for frame in sys._current_frames().values():
        at: Any = frame
        while at is not None:
            if _is_collective(at.f_code.co_filename):
                return True
            at = at.f_back
    return False


def _is_collective(filename: str) -> bool:
    return Path(filename).name == "distributed_c10d.py"
