"""A guard against windows and changed settings around every test of this room."""

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot


@pytest.fixture(autouse=True)
def no_global_state() -> Iterator[None]:
    """No picture opens a pyplot figure or changes a setting."""
    before = dict(mpl.rcParams)
    yield
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before
