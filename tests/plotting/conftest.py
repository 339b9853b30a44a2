"""A guard against changed settings around every test of this room, and an end to its figures."""

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def no_global_state() -> Iterator[None]:
    """No picture changes a setting; figures that were made are closed."""
    pyplot.switch_backend("agg")
    before = dict(mpl.rcParams)
    yield
    pyplot.close("all")
    assert dict(mpl.rcParams) == before
