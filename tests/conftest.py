"""What every test runs under: one thread a process, no display, a named hypothesis profile."""

import gc
import os
import signal

import pytest
import sentences
import torch
from cases import CURVED, EVERY, once
from hypothesis import settings

pytest.raises = sentences.raises

# What is imported and collected lives as long as the process. To look through it for garbage, again
# and again, is an eighth of the time of the tests and a third of that of collecting them.
gc.disable()


def pytest_collection_finish():
    """From here on garbage is looked for among what tests make."""
    gc.collect()
    gc.freeze()
    gc.enable()


# pytest-xdist already fills the cores; threads below it would only fight for them.
torch.set_num_threads(1)
os.environ.setdefault("MPLBACKEND", "Agg")

# A shell starts what is put into its background with SIGINT ignored, and so would all we start.
for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
    if signal.getsignal(number) is signal.SIG_IGN:
        ctrl_c = number == signal.SIGINT
        signal.signal(number, signal.default_int_handler if ctrl_c else signal.SIG_DFL)

# No deadline: the first call of a torch operation costs more than all later ones together.
# Half of hypothesis's own number keeps the suite to some minutes; `thorough` is for the nights.
settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.getenv("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(params=once(EVERY), ids=str)
def manifold(request):
    """Each manifold of the table in cases.py, and a user's class."""
    return EVERY[request.param]


@pytest.fixture(params=once(CURVED), ids=str)
def curved(request):
    """Each curved manifold of the table."""
    return CURVED[request.param]
