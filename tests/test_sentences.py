"""The look that every refusal of the library gets, on sentences with and without holes."""

import pytest
from sentences import hole

from spaceforms.manifolds import Lorentz


@pytest.mark.parametrize(
    "whole",
    [
        "f: x has shape (2, 3); expected (..., m), or a .txt beside it.",
        "size is 3; expected 1..7, got ''.",
        "expected coordinates on the last axis of x, got shape ().",
        "f: x is {'a': 3}; expected [0, 1] or (-1, ...).",
        "a/b.tar: 0/a: 1 general texts, not 2",
    ],
)
def test_a_whole_sentence_has_no_hole(whole):
    assert hole(whole) is None


@pytest.mark.parametrize(
    "broken",
    [
        ": x is 3; expected 4.",
        "f: x is ; expected 4.",
        "f: x has shape (2, 3), got ",
        "f: x has shape (2, 3), got .",
        "f: there are  labels for 3 points",
        "size in 1.., got 7",
        "expected shift in [0, ], got 3",
        "expected (, 3) of integers",
        "x.tsv: line : expected a tab",
    ],
)
def test_what_is_left_out_leaves_a_hole(broken):
    assert hole(broken) is not None


def test_no_test_has_to_ask_for_it(monkeypatch):
    with pytest.raises(TypeError, match="x is a str"):
        Lorentz().dist("x", "y")
    monkeypatch.setattr(
        "spaceforms.manifolds.checks.type", lambda x: type("", (), {}), raising=False
    )
    with pytest.raises(AssertionError, match="lacks something"), pytest.raises(TypeError):
        Lorentz().dist("x", "y")
