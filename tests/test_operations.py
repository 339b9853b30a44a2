"""The page of operations names tests that exist and functions that are there."""

import re
from pathlib import Path

import pytest

import spaceforms.distributions
import spaceforms.layers
import spaceforms.manifolds
import spaceforms.search
import spaceforms.stats
from spaceforms.manifolds import Stereographic

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")][2:]
ROOMS = (
    spaceforms.manifolds,
    spaceforms.stats,
    spaceforms.layers,
    spaceforms.distributions,
    spaceforms.search,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_operation_is_there_and_tested(row):
    _, here, _, test = row
    file, name = test.strip("`").split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")
    for word in re.findall(r"`([\w.]+)`", here):
        last = word.split(".")[-1]
        assert any(hasattr(place, last) for place in (*ROOMS, Stereographic)), word
