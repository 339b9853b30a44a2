"""Processes for tests of several: forked from one server that has imported the library once."""

import multiprocessing
import os
import sys
from collections.abc import Callable

import torch.multiprocessing as mp

# Each process started anew imports torch, the library and pytest, some three seconds of a processor
# and most of such a test. The server is asked for by the first test, and has no thread to fork.
_IMPORTED = ["pytest", "hypothesis", "spaceforms.losses", "spaceforms.models.training.loop"]


def spawn(work: Callable[..., None], args: tuple[object, ...], nprocs: int) -> None:
    """As ``torch.multiprocessing.spawn``: work(rank, *args) in each; an error in one is ours."""
    multiprocessing.set_forkserver_preload(_IMPORTED)
    # What is forked from a server coverage does not follow.
    measured = "coverage" in sys.modules or "COVERAGE_PROCESS_START" in os.environ
    start = "spawn" if measured or not hasattr(os, "fork") else "forkserver"
    mp.start_processes(work, args=args, nprocs=nprocs, start_method=start)
