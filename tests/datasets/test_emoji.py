"""Pictures, concepts, hierarchy and splits of the packaged data, and files that are not like it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spaceforms.datasets import SPLITS, EmojiData, draw_captions, emoji_rows, load_emoji
from spaceforms.datasets.concept import Concept, read_concepts
from spaceforms.datasets.emoji import FILES
from spaceforms.datasets.hierarchy import Hierarchy
from spaceforms.datasets.pictures import decode


@pytest.fixture(scope="module")
def data() -> EmojiData:
    return load_emoji(size=32)


@pytest.fixture(scope="module")
def raw() -> dict[str, np.ndarray]:
    with np.load(FILES / "emoji_pairs.npz") as archive:
        return {name: archive[name][:3] for name in archive.files if name != "vendors"} | {
            "vendors": archive["vendors"]
        }


def test_counts(data: EmojiData) -> None:
    assert data.images.shape == (6924, 32, 32, 3)
    assert data.images.dtype == np.uint8
    assert data.vendors == ("noto", "twemoji", "fluent3d", "emojione", "notov1")
    assert len(set(data.names)) == len(data.concepts) == 1576
    assert data.family.max() + 1 == 1360


def test_palette_and_shrinking_agree_with_the_definition(data, raw) -> None:
    full = raw["palette"][np.arange(3)[:, None, None], raw["index"]].astype(float)
    mean = full.reshape(3, 32, 2, 32, 2, 3).mean((2, 4))
    np.testing.assert_array_equal(data.images[:3], np.floor(mean + 0.5))


def test_stored_size_is_the_default(raw, tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", **raw)
    few = load_emoji(tmp_path / "few.npz")
    assert few.size == 64
    np.testing.assert_array_equal(few.images[1, 5, 7], raw["palette"][1, raw["index"][1, 5, 7]])


def test_concepts_are_read(data: EmojiData) -> None:
    dog = data.concepts[data.names.index("dog")]
    assert (dog.group, dog.subgroup, dog.split) == ("Animals & Nature", "animal-mammal", "train")
    assert dog.name_in("de") == "Hund"
    assert dog.name_in("tlh") == "dog"
    assert {"pet", "faithful"} <= set(dog.words)
    assert dog.wnpath[0] == "entity.n.01"
    assert dog.wnpath[-1] == dog.wn == "dog.n.01"


def test_hierarchy(data: EmojiData) -> None:
    tree = data.hierarchy
    assert len(tree) == 1679
    assert len(tree.closure()) == 4924
    assert [len(tree.nodes(level)) for level in ("root", "group", "subgroup", "name")] == [
        1, 8, 94, 1576
    ]  # fmt: skip
    dog = data.names.index("dog")
    path = [tree.labels[k] for k in tree.path(int(tree.concept_node[dog]))]
    assert path == ["everything", "Animals & Nature", "animal-mammal", "dog"]
    for level, label in (("group", "Animals & Nature"), ("subgroup", "animal-mammal")):
        assert tree.labels[tree.ancestor(level)[dog]] == label
    with pytest.raises(ValueError, match=r"expected a level in .*got 'picture'"):
        tree.ancestor("picture")


@pytest.mark.parametrize("kind", SPLITS)
def test_nothing_held_out_is_trained_on(data: EmojiData, kind: str) -> None:
    split = data.split(kind)
    fields = np.array([c.split for c in data.concepts])[data.concept]
    for name, test in split.tests.items():
        assert len(test)
        assert not set(test) & set(split.train)
        if "concept" in name:
            assert set(fields[test]) == {"val" if "val" in name else "test"}
            assert not set(data.family[data.concept[test]]) & set(
                data.family[data.concept[split.train]]
            )
        if "vendor" in name:
            assert {data.vendors[v] for v in data.vendor[test]} == {"emojione"}
    if kind != "concept":
        assert len(split.tests["vendor"]) == 1048
        assert "emojione" not in {data.vendors[v] for v in data.vendor[split.train]}
    used = np.concatenate([split.train, *split.tests.values()])
    if kind != "both":  # there, val concepts of the held-out vendor are only in "vendor"
        assert len(used) == len(set(used)) == len(data)


def test_a_split_has_no_empty_test_and_no_names_of_concepts_that_are_trained_on(data) -> None:
    train_only = tuple(replace(c, split="train") for c in data.concepts)
    nothing = replace(data, concepts=train_only).by_concept()
    assert nothing.tests == {}
    assert len(nothing.train) == len(data)
    assert data.by_vendor().unspoken == nothing.unspoken == frozenset()
    held_out = {c.name.casefold() for c in data.concepts if c.split != "train"}
    assert data.by_concept().unspoken == data.split("both").unspoken == held_out


def test_other_vendors_can_be_held_out(data: EmojiData) -> None:
    assert len(data.by_vendor("twemoji").tests["vendor"]) == 1576
    assert data.by_concept().held_out is None
    with pytest.raises(ValueError, match=r"^held_out is 'apple', and 'apple' is no vendor; exp"):
        data.by_vendor("apple")
    two = data.by_vendor("emojione,fluent3d")
    drawn = np.isin(data.vendor, [data.vendors.index(v) for v in ("emojione", "fluent3d")])
    assert np.array_equal(two.tests["vendor"], np.flatnonzero(drawn))
    assert np.array_equal(two.train, np.flatnonzero(~drawn))
    with pytest.raises(ValueError, match=r"^held_out is 'emojione,apple', and 'apple' is no"):
        data.by_vendor("emojione,apple")
    with pytest.raises(ValueError, match=r"^split is 'random'; expected one of vendor, "):
        data.split("random")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"palette": None}, "palette missing, found"),
        ({"index": np.zeros((3, 8, 4), np.uint8)}, r"expected index \(N, S, S\) uint8, got \(3, 8"),
        ({"index": np.zeros((3, 8, 8))}, "uint8, got .* float64"),
        ({"palette": np.zeros((3, 4), np.uint8)}, r"expected palette \(3, colours, 3\)"),
        ({"index": np.full((3, 8, 8), 200, np.uint8)}, "index reaches 200, but palette has 64"),
        ({"vendor": np.array([0, 1, 9])}, r"vendor must lie in 0\.\.4, got 0\.\.9"),
        ({"concept": np.array([0.0, 1, 2])}, r"expected concept \(3,\) of integers"),
        ({"vendors": np.array("noto")}, r"expected vendors, a list of texts, got \(\) <U4"),
        ({"vendors": np.array([1, 2])}, r"expected vendors, a list of texts, got \(2,\) int64"),
        ({"vendors": np.array([None])}, r"expected arrays of numbers and texts, got .*Object"),
        ({"index": np.uint8(0)}, r"expected index \(N, S, S\) uint8, got \(\) uint8"),
        ({"index": np.zeros((3, 0, 0), np.uint8)}, r"expected index .*got \(3, 0, 0\)"),
    ],
)
def test_a_bad_file_gets_a_sentence(raw, tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **{k: v for k, v in {**raw, **change}.items() if v is not None})
    with pytest.raises(ValueError, match=f"bad.npz: .*{message}|{message}"):
        load_emoji(path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_archive_gets_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad.npz: expected an .npz archive"):
        load_emoji(path)


def test_a_member_that_cannot_be_read_gets_a_sentence(raw, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **raw)
    content = bytearray(path.read_bytes())
    content[content.index(b"palette.npy") + 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad.npz: expected arrays .*Bad CRC.*palette"):
        load_emoji(path)


@pytest.mark.parametrize("name", ["path", "concepts"])
def test_a_file_that_is_not_there_gets_a_sentence(tmp_path: Path, name: str) -> None:
    for path, found in ((tmp_path / "none", "no such file"), (tmp_path, "a folder")):
        with pytest.raises(FileNotFoundError, match=f"{path}: expected .*, found {found}"):
            load_emoji(**{name: path})


_FINE = {"name": "a", "group": "g", "subgroup": "s", "family": "f", "split": "train"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a JSON file of concepts"),
        ("[]", "with at least one concept"),
        (json.dumps({"concepts": [_FINE, 7]}), "concept 1: expected an object, got int"),
        (json.dumps({"concepts": [{**_FINE, "group": ""}]}), "expected a text under 'group'"),
        (json.dumps({"concepts": [{**_FINE, "split": "x"}]}), "expected split in .*got 'x'"),
        (json.dumps({"concepts": [{**_FINE, "keywords": "x"}]}), "expected a list of texts"),
        (json.dumps({"concepts": [{**_FINE, "names": "foo"}]}), "'names', .* got 'foo'"),
        (json.dumps({"concepts": [{**_FINE, "names": {"en": 3}}]}), "'names', .* got {'en': 3}"),
    ],
)
def test_a_bad_table_gets_a_sentence(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"table.json: .*{message}"):
        load_emoji(concepts=path)


def test_size_must_divide(raw, tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", **raw)
    with pytest.raises(ValueError, match=r"must divide the side 64 .* got 48"):
        load_emoji(tmp_path / "few.npz", size=48)


def test_notice_names_every_vendor(data: EmojiData) -> None:
    notice = (FILES / "NOTICE.md").read_text()
    for word in (*data.vendors, "Apache-2.0", "CC-BY-4.0", "MIT", "Unicode", "WordNet"):
        assert word in notice


def test_a_split_holds_out_what_its_words_say(data: EmojiData) -> None:
    held_out = data.vendors.index("emojione")
    side = [data.concepts[c].split for c in data.concept]
    new = [int(v) == held_out for v in data.vendor]

    def rows(chosen) -> list[int]:
        return [k for k in range(len(data)) if chosen(new[k], side[k])]

    wanted = {
        "vendor": {"train": rows(lambda n, s: not n), "vendor": rows(lambda n, s: n)},
        "concept": {
            "train": rows(lambda n, s: s == "train"),
            "concept": rows(lambda n, s: s == "test"),
            "concept val": rows(lambda n, s: s == "val"),
        },
        "both": {
            "train": rows(lambda n, s: not n and s == "train"),
            "vendor": rows(lambda n, s: n),
            "vendor seen": rows(lambda n, s: n and s == "train"),
            "concept": rows(lambda n, s: not n and s == "test"),
            "concept val": rows(lambda n, s: not n and s == "val"),
            "vendor+concept": rows(lambda n, s: n and s == "test"),
        },
    }
    for kind, sets in wanted.items():
        split = data.split(kind)
        found = {"train": split.train, **split.tests}
        assert {name: index.tolist() for name, index in found.items()} == sets
        assert split.kind == kind
        assert split.held_out == (None if kind == "concept" else "emojione")
    assert data.split().kind == "vendor"


def test_an_entry_with_empty_values_has_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    empty = {"names": None, "wn": None, "keywords": None, "pictorial": None, "unknown": 3}
    full = {"names": {"de": "A"}, "wn": "a.n.01", "keywords": ["b"], "alt": ["c"], "char": "d"}
    path.write_text(json.dumps({"concepts": [{**_FINE, **empty}, {**_FINE, **full}]}))
    one, two = read_concepts(path)
    assert one == Concept(**_FINE)
    assert (one.names, one.keywords, one.pictorial, one.wn, one.char) == (None, (), True, None, "")
    assert one.name_in("de") == "a"
    assert (two.keywords, two.alt, two.name_in("de"), two.char) == (("b",), ("c",), "A", "d")
    for key in ("name", "split"):
        path.write_text(json.dumps({"concepts": [{k: v for k, v in _FINE.items() if k != key}]}))
        with pytest.raises(ValueError, match=f"concept 0: expected a text under '{key}', got None"):
            read_concepts(path)
    path.write_text(json.dumps({"concepts": [{**_FINE, "alt": ["b", 3]}]}))
    with pytest.raises(ValueError, match=r"under 'alt', got \['b', 3\]"):
        read_concepts(path)


def test_the_tree_of_two_groups_that_share_a_word() -> None:
    concepts = [
        Concept(name, group, subgroup, name, "train")
        for name, group, subgroup in (
            ("T-Rex", "Animals & Nature", "big-one"),
            ("cake", "Food & Drink", "big-one"),
            ("tea", "Food & Drink", "small"),
        )
    ]
    tree = Hierarchy.of(concepts)
    above = {
        "T-Rex": ["everything", "animals & nature", "big one", "T-Rex"],
        "cake": ["everything", "food & drink", "big one", "cake"],
        "tea": ["everything", "food & drink", "small", "tea"],
    }
    for node, path in zip(tree.concept_node, above.values(), strict=True):
        assert [tree.text(k) for k in tree.path(node)] == path
        assert tree.path(node)[0] == 0
        assert [int(tree.level[k]) for k in tree.path(node)] == [0, 1, 2, 3]
    assert tree.path(0) == [0]
    # The pairs (node, ancestor) are one a level above each node.
    assert len(tree) == 1 + 2 + 3 + 3
    assert len(tree.closure()) == 2 * 1 + 3 * 2 + 3 * 3
    assert all(a in tree.path(k)[:-1] for k, a in tree.closure())
    for k, level in enumerate(("root", "group", "subgroup", "name")):
        assert tree.ancestor(level).tolist() == [tree.path(n)[k] for n in tree.concept_node]
        assert set(tree.nodes(level)) == set(np.flatnonzero(tree.level == k))
    for method in (tree.nodes, tree.ancestor):
        with pytest.raises(ValueError, match=r"'subgroup', 'name'\), got 'picture'"):
            method("picture")


def test_data_say_what_they_are(data: EmojiData) -> None:
    assert repr(data) == (
        "EmojiData(6,924 pictures of 32x32, 1,576 concepts, "
        "vendors=noto, twemoji, fluent3d, emojione, notov1)"
    )
    assert len(data) == len(data.images)
    assert data.size == 32
    assert "en" in EmojiData(data.images, data.vendor, data.concept, data.vendors, ()).languages


def test_rows_for_shards_have_their_keys_captions_and_texts_above(data: EmojiData) -> None:
    rows = list(emoji_rows(data, np.arange(0, 300, 30)))
    assert [r[0] for r in rows] != sorted(r[0] for r in rows)
    assert [r[0] for r in rows] == [r[0] for r in emoji_rows(data, np.arange(0, 300, 30), seed=0)]
    for key, suffix, picture, content in rows:
        index = int(key[:6])
        concept = data.concepts[data.concept[index]]
        assert key == f"{index:06}-{data.vendors[data.vendor[index]]}"
        assert suffix == ".png"
        assert np.array_equal(decode(picture, 32), data.images[index])
        assert content["family"] == concept.family
        assert content["general"] == [
            text.replace("-", " ").lower() for text in (concept.group, concept.subgroup)
        ]
        drawn = [draw_captions([concept], np.array([index]), seed=0, epoch=k)[0] for k in range(8)]
        assert content["caption"] == list(dict.fromkeys(drawn))


def test_a_side_of_one_pixel_is_the_mean_and_none_is_refused(raw, tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", **raw)
    full = raw["palette"][np.arange(3)[:, None, None], raw["index"]].astype(float)
    one = load_emoji(tmp_path / "few.npz", size=1).images[:, 0, 0]
    np.testing.assert_array_equal(one, np.floor(full.mean((1, 2)) + 0.5))
    for size in (0, -1, 128):
        with pytest.raises(ValueError, match=f"must divide the side 64 .* got {size}"):
            load_emoji(tmp_path / "few.npz", size=size)
