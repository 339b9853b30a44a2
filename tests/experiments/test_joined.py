"""Models side by side: a picture's distance to a name is that of all parts together."""

import heads
import joined
import numpy as np
import pytest

from spaceforms.datasets import load_emoji
from spaceforms.models.encoders.frozen import Features


@pytest.fixture(scope="module")
def features():
    data = load_emoji(size=16)
    generator = np.random.default_rng(0)
    image = generator.normal(size=(len(data), 12)).astype(np.float32)
    text = generator.normal(size=(len(data.concepts), 9)).astype(np.float32)
    return Features(image, text, data.concept, data.vendor)


@pytest.mark.parametrize("model", ["clip", "meru"])
def test_squared_distances_of_parts_add_up(features, tmp_path, model):
    given = {"epochs": 1, "embed_dim": 8, "lr": 1e-2}
    options = joined.Options(seed=3, parts=["frozen", "frozen"], model=model, frozen=given)
    scores, concept, candidates = joined.retrieval(tmp_path, options, features, "cpu")
    each = []
    for seed in (3, 1003):
        one = heads.Options(seed=seed, model=model, held_out="emojione", **given)
        alone, same, names = heads.retrieval(one, features, load_emoji())
        assert np.array_equal(same, concept)
        assert np.array_equal(names, candidates)
        each.append(alone)
    assert not np.allclose(*each)
    # By one matrix product each, which resolves squared distances of about 1 to 1e-15 or so.
    np.testing.assert_allclose(scores**2, sum(s**2 for s in each), rtol=1e-7)
    single = joined.Options(seed=3, parts=["frozen"], model=model, frozen=given)
    np.testing.assert_array_equal(joined.retrieval(tmp_path, single, features, "cpu")[0], each[0])


def test_parts_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"parts is \['borrowed'\]; expected a list of own"):
        joined.Options(seed=0, parts=["borrowed"])
    with pytest.raises(ValueError, match=r"parts is \[\]"):
        joined.Options(seed=0, parts=[])
