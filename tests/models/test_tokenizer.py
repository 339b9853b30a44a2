"""The vocabulary: any text goes in and comes back, and a saved one is the same."""

import time
from pathlib import Path

import pytest
import torch

from spaceforms.models.encoders.tokenizer import _WORD, Tokenizer

TEXTS = ["grinning face", "dog face", "dog, pet", "cat face", "cat, pet", "red apple", "face"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, vocabulary=300, context=12)


def test_padded_and_ended(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(["dog", "dog, grinning cat"])
    assert ids.dtype == torch.int64
    for row in ids.tolist():
        end = row.index(1)
        assert 0 not in row[:end]
        assert not any(row[end + 1 :])
    assert ids[1, -1] == 1
    assert int(ids.max()) < len(tokenizer) <= 300


def test_a_long_text_is_cut_before_its_end_token(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(["xyzzy " * 20])
    assert ids.shape == (1, 12)
    assert ids[0, -1] == 1
    assert (ids[0, :-1] > 1).all()


def test_a_frequent_word_is_one_token(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode(["face"]).shape == (1, 2)
    # A word is the same token wherever it stands.
    assert tokenizer.encode(["dog face"])[0, -2] == tokenizer.encode(["face"])[0, 0]


@pytest.mark.parametrize("text", ["dog, pet", "öl", "点", "🐕", "\x00", "naïve dog"])
def test_any_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode([text, TEXTS[0]])) == [text, TEXTS[0]]


def test_case_does_not_matter(tokenizer: Tokenizer) -> None:
    assert torch.equal(tokenizer.encode(["Dog Face"]), tokenizer.encode(["dog face"]))


def test_no_texts(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode([]).shape == (0, 1)
    assert tokenizer.encode([""]).tolist() == [[1]]
    with pytest.raises(TypeError, match="expected a list of texts, got the text 'dog'"):
        tokenizer.encode("dog")


def test_saved_and_loaded(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    loaded = Tokenizer.load(path)
    assert torch.equal(loaded.encode(TEXTS), tokenizer.encode(TEXTS))
    assert (len(loaded), loaded.context) == (len(tokenizer), 12)
    again = Tokenizer.train(TEXTS, vocabulary=300, context=12)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("text", ["a <pad> b", "x <end> y", "<pad>", "<end><end>", "a<pad>b"])
def test_special_tokens_in_a_text_are_text(tokenizer: Tokenizer, tmp_path: Path, text: str) -> None:
    tokenizer.save(tmp_path / "t.json")
    for one in (tokenizer, Tokenizer.load(tmp_path / "t.json")):
        row = one.encode([text])[0].tolist()
        assert row.index(1) == len(row) - 1
        assert 0 not in row
        assert one.decode(torch.tensor([row])) == [text]


def test_lone_surrogates_are_replaced() -> None:
    tokenizer = Tokenizer.train(["a \ud800 b", "\udfff"], vocabulary=300)
    assert tokenizer.decode(tokenizer.encode(["a \ud800b"])) == ["a \ufffdb"]


def test_the_time_goes_with_the_length_of_a_word_and_not_its_square() -> None:
    letters = "".join(chr(97 + k * k % 26 ^ k % 3) for k in range(2**18))
    began = time.process_time()
    tokenizer = Tokenizer.train([letters, "a cat"], vocabulary=400)
    ids = tokenizer.encode([letters])
    # Three minutes when words are learned from whole: 6 s for a third of this one, and squares.
    assert time.process_time() - began < 10
    assert ids.shape == (1, 24)


def test_words_of_common_length_are_learned_from_as_they_are() -> None:
    texts = ["word" * 15, "two  blanks", "a\tb", "x" * 64]
    with_long = Tokenizer.train([*texts, "y" * 65], vocabulary=300)
    assert with_long.encode(texts).shape[0] == 4
    assert _WORD.sub(r"\g<0> ", "\n".join(texts)) == "\n".join(texts)
    assert _WORD.sub(r"\g<0> ", "y" * 129) == " ".join(["y" * 64, "y" * 64, "y"])


def test_bad_vocabularies_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"vocabulary >= 258 .* got 100"):
        Tokenizer.train(TEXTS, vocabulary=100)
    with pytest.raises(ValueError, match=r"at most 1,048,576, got 1000000000000"):
        Tokenizer.train(TEXTS, vocabulary=10**12)
    with pytest.raises(ValueError, match=r"at most 1,048,576, got 1000000000000"):
        Tokenizer.train(TEXTS, vocabulary=300, context=10**12)
    with pytest.raises(ValueError, match="context >= 2, got 1"):
        Tokenizer.train(TEXTS, vocabulary=300, context=1)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match=r"x.json: expected a tokenizer's JSON file"):
        Tokenizer.load(tmp_path / "x.json")
