"""What a run measures: ranks by the definition, the shuffled hierarchy, and one run as a whole."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import measure
import numpy as np
import pytest

from spaceforms.datasets.emoji import CONCEPTS
from spaceforms.models.probvlm import alignment_heads

SCRIPTS = Path(measure.__file__).parent


def test_ranks_count_the_wrong_columns_before_the_best_right_one():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 12, size=(40, 30)).astype(float)  # with many equals
    right = generator.random((40, 30)) < 0.1
    right[:, 0] = True
    found = measure.ranks(scores, right, np.arange(40))
    for row in range(40):
        best = max(s for s, r in zip(scores[row], right[row], strict=True) if r)
        before = sum(s >= best and not r for s, r in zip(scores[row], right[row], strict=True))
        assert found["rank"][row] == min(before, measure.LAST)
    assert found["concept"] == list(range(40))


def test_figures_are_named_by_their_path_and_words_are_left_out():
    nested = {"a": {"b": 1, "c": {"d": 0.5}}, "e": "word", "f": [1, 2]}
    assert measure.flat(nested) == {"a, b": 1.0, "a, c, d": 0.5}


def test_a_shuffled_hierarchy_keeps_the_sizes_of_groups_and_not_their_members(tmp_path):
    true = json.loads(CONCEPTS.read_text(encoding="utf-8"))["concepts"]
    path = measure.shuffled(CONCEPTS, tmp_path, 0)
    found = json.loads(path.read_text(encoding="utf-8"))["concepts"]
    places = [[(c["group"], c["subgroup"]) for c in each] for each in (true, found)]
    assert Counter(places[0]) == Counter(places[1])
    same = np.mean([a == b for a, b in zip(*places, strict=True)])
    # By chance alone two places agree as often as the largest ones are large.
    chance = sum((n / len(true)) ** 2 for n in Counter(places[0]).values())
    assert same < 2 * chance
    names = [[c["name"] for c in each] for each in (true, found)]
    assert names[0] == names[1]


@pytest.mark.slow
def test_views_are_made_once_and_of_other_draws(tmp_path, monkeypatch):
    """The spread of augmented views is a run of its own, on features that its neighbours share."""
    from spaceforms.datasets import load_emoji
    from spaceforms.models.encoders import frozen

    generator, asked = np.random.default_rng(0), []
    data = load_emoji(size=16)

    def extract(moved, rows=None, *, device):
        asked.append(moved.images[:50].tobytes())
        rows = np.arange(len(data)) if rows is None else rows
        image = generator.normal(size=(len(rows), 8)).astype(np.float32)
        text = generator.normal(size=(len(data.names), 8)).astype(np.float32)
        return frozen.Features(
            frozen.spread(image, rows, len(data)), text, data.concept, data.vendor
        )

    monkeypatch.setattr(measure, "frozen_pair_is_here", lambda: True)
    monkeypatch.setattr(frozen, "extract", extract)
    monkeypatch.setattr(
        alignment_heads, "augmented", lambda whole, seed: replace(whole, images=whole.images + seed)
    )
    options = {"embed_dim": 4, "head_epochs": 1, "method": "ttda", "views": 2}
    values = [
        measure.probvlm(tmp_path / f"{seed}", options | {"seed": seed}, "cpu")["values"]
        for seed in (0, 1)
    ]
    assert len(asked) == len(set(asked)) == 3  # the pictures and two views, for both runs
    for found in values:
        assert np.isfinite(found["image uncertainty, total, -S R2"])
        assert not any(name.startswith("cross") for name in found)  # a spread is no law


@pytest.mark.slow
def test_one_run_is_trained_measured_and_written(tmp_path):
    options = {
        "model": "meru",
        "epochs": 1,
        "embed_dim": 4,
        "image": {"size": 8, "widths": [8], "blocks": [0], "group": 8},
        "text": {"layers": 0, "width": 16},
        "seed": 0,
    }
    task = {"kind": "train", "options": options, "device": "cpu"}
    command = [sys.executable, str(SCRIPTS / "measure.py"), str(tmp_path), json.dumps(task)]
    subprocess.run(command, check=True, capture_output=True)
    content = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert content["task"] == task
    ranks, values = content["figures"]["ranks"], content["figures"]["values"]
    assert len(ranks["image to text"]["rank"]) == len(ranks["text to image"]["rank"]) > 1000
    assert values["curvature"] < 0 < values["seconds"]
    assert np.isfinite(values["depth and radius, texts"])
    names = len(set(ranks["text to image"]["concept"]))
    assert 10 / names <= values["image to text, chance at 10"] < 20 / names  # families count
