"""What every test runs under: one thread a process, no display, a named hypothesis profile."""

import os

import pytest
import sentences
import torch
from cases import CURVED, EVERY, once
from hypothesis import settings

pytest.raises = sentences.raises

# pytest-xdist already fills the cores; threads below it would only fight for them.
torch.set_num_threads(1)
os.environ.setdefault("MPLBACKEND", "Agg")

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
