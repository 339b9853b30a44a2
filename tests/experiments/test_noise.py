"""The noise experiment finds shapes with the likelihood, and 0.684 with the published objective."""

import math

import noise
import pytest


@pytest.mark.parametrize(
    ("method", "found"), [("generalized_gaussian", None), ("surrogate", 0.684)]
)
def test_the_shape_is_that_of_the_noise_only_under_its_likelihood(method, found, monkeypatch):
    monkeypatch.setattr(noise, "_SHAPES", (1.0, 2.0))
    options = noise.Options(method, seed=0, pairs=2000, dim=2, epochs=25)
    figures = noise.figures(options)
    for shape in (1.0, 2.0):
        assert abs(math.log(figures[f"shape for {shape}"] / (found or shape))) < 0.25
    largest = max(abs(math.log(figures[f"shape for {s}"] / s)) for s in (1.0, 2.0))
    assert figures["error of the shape, largest"] == pytest.approx(largest)
