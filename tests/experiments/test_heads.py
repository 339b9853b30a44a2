"""Heads on features that are given: who is trained on, who is judged, and against what."""

import json
import sys

import heads
import measure
import numpy as np
import pytest

from spaceforms.datasets import load_emoji
from spaceforms.models.encoders import frozen
from spaceforms.models.encoders.frozen import Features


@pytest.fixture(scope="module")
def data():
    return load_emoji(size=16)


@pytest.fixture(scope="module")
def features(data):
    """Each concept has a direction in both spaces, and each vendor a shift of its own."""
    generator = np.random.default_rng(0)
    concepts = generator.normal(size=(len(data.concepts), 24))
    shift = 0.3 * generator.normal(size=(len(data.vendors), 24))
    image = concepts[data.concept] + shift[data.vendor]
    text = concepts @ generator.normal(size=(24, 16))
    return Features(image.astype(np.float32), text.astype(np.float32), data.concept, data.vendor)


@pytest.mark.parametrize("model", ["clip", "meru"])
def test_heads_find_what_two_spaces_share_and_only_held_out_pictures_are_judged(
    data, features, model
):
    options = heads.Options(seed=0, model=model, held_out="emojione", epochs=4, lr=1e-2)
    scores, concept, candidates = heads.retrieval(options, features, data)
    drawn = data.vendor == data.vendors.index("emojione")
    assert np.array_equal(concept, data.concept[drawn])
    assert np.array_equal(candidates, np.unique(concept))
    assert scores.shape == (len(concept), len(candidates))
    rank = measure.both_ways(scores, data, concept, candidates)["image to text"]["rank"]
    assert np.mean(np.asarray(rank) < 10) > 0.2  # by chance one in a hundred


def test_what_is_held_out_is_not_trained_on(data, features):
    """Held-out pictures may be anything: the heads are the same."""
    options = heads.Options(seed=1, held_out="twemoji,emojione", epochs=1, judged="twemoji")
    scores, concept, _ = heads.retrieval(options, features, data)
    twemoji, emojione = (data.vendor == data.vendors.index(v) for v in ("twemoji", "emojione"))
    assert np.array_equal(concept, data.concept[twemoji])
    image = features.image.copy()
    image[emojione] = 1e3
    again, _, _ = heads.retrieval(options, features._replace(image=image), data)
    assert np.array_equal(scores, again)
    image[np.flatnonzero(twemoji)[1:]] = 1e3  # of those judged one is left
    one, _, _ = heads.retrieval(options, features._replace(image=image), data)
    assert np.allclose(scores[0], one[0], rtol=1e-5)


def test_an_option_that_the_model_has_not_is_refused_before_anything_is_trained():
    assert heads.Options(seed=0, model="meru", entail_weight=0.5).own == {"entail_weight": 0.5}
    with pytest.raises(ValueError, match="entail_weight"):
        heads.Options(seed=0, model="clip", entail_weight=0.5)


def test_features_are_made_once_for_all_experiments_and_their_tunings(
    data, features, tmp_path, monkeypatch
):
    made = []

    def extract(whole, rows=None, *, device="cpu"):
        made.append(len(whole))
        return features

    monkeypatch.setattr(frozen, "extract", extract)
    monkeypatch.setattr(measure.torch, "set_num_threads", lambda count: None)
    task = {"kind": "heads", "options": {"seed": 0, "epochs": 1}, "device": "cpu"}
    for folder in ("one/run", "one/tuning/run", "two/run"):
        (tmp_path / folder).mkdir(parents=True)
        monkeypatch.setattr(sys, "argv", ["measure.py", str(tmp_path / folder), json.dumps(task)])
        measure.main()
        found = json.loads((tmp_path / folder / "figures.json").read_text())["figures"]
        assert len(found["ranks"]["image to text"]["rank"]) == 1048
    assert made == [len(data)]
