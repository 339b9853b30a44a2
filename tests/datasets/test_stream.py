"""Folders and shards: every pair once a pass, the same batches however they are read."""

import io
import itertools
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spaceforms.datasets import (
    Augmentation,
    Fault,
    Folder,
    Pair,
    Shards,
    Stream,
    emoji_rows,
    load_emoji,
    open_pairs,
    pair_rows,
    write_shards,
)
from spaceforms.datasets.pair import number
from spaceforms.datasets.pictures import decode, encode_png
from spaceforms.datasets.shards import SIZES, expand_braces, read_shard
from spaceforms.datasets.stream import STATE_WIDTH, lanes_for, skipped

PER_SHARD, SHARDS = 7, 5


def unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """The files of an archive. ``extractall`` wants a filter from 3.12 on, and knows none in
    3.11.2."""
    for member in tar.getmembers():
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tar.extractfile(member).read())


@pytest.fixture(scope="module")
def emoji():
    return load_emoji(size=16)


@pytest.fixture(scope="module")
def shards(emoji, tmp_path_factory) -> Path:
    """Five shards of seven pairs."""
    folder = tmp_path_factory.mktemp("shards")
    rows = np.arange(PER_SHARD * SHARDS) * 30
    write_shards(emoji_rows(emoji, rows), folder, per_shard=PER_SHARD)
    return folder


@pytest.fixture
def copy(shards, tmp_path) -> Path:
    """The shards, to be broken."""
    for shard in shards.glob("*.tar"):
        (tmp_path / shard.name).write_bytes(shard.read_bytes())
    return tmp_path


def _stream(path: Path, **options) -> Stream:
    return Stream(open_pairs(path), **{"size": 16, "batch_size": 8, "buffer": 5, **options})


def _take(stream: Stream, count: int, state=None):
    batches = stream.batches(state)
    taken = list(itertools.islice(batches, count))
    batches.close()
    return taken


def _equal(a, b) -> bool:
    return (
        torch.equal(a.image, b.image)
        and a.caption == b.caption
        and torch.equal(a.family, b.family)
        and torch.equal(a.index, b.index)
        and len(a.general) == len(b.general)
        and all(
            x.texts == y.texts and torch.equal(x.place, y.place) and torch.equal(x.node, y.node)
            for x, y in zip(a.general, b.general, strict=True)
        )
    )


def test_braces_count_list_and_multiply():
    assert expand_braces("s-{08..11}.tar") == [f"s-{k:02}.tar" for k in (8, 9, 10, 11)]
    assert expand_braces("{a,b}{0..1}") == ["a0", "a1", "b0", "b1"]
    assert expand_braces("plain{x}.tar") == ["plain{x}.tar"]


def test_what_is_written_is_read_and_the_same_pairs_give_the_same_bytes(emoji, shards, tmp_path):
    rows = list(emoji_rows(emoji, np.arange(PER_SHARD * SHARDS) * 30))
    again = write_shards(rows, tmp_path, per_shard=PER_SHARD)
    assert [p.read_bytes() for p in again] == [(shards / p.name).read_bytes() for p in again]
    pairs = list(Shards(shards).in_order())
    assert len(pairs) == len(rows) == Shards(shards).count()
    for pair, (key, _, _, content) in zip(pairs, rows, strict=True):
        index = int(key.split("-")[0])
        # Every kind of white space is a space.
        assert pair.captions == tuple(c.replace("\xa0", " ") for c in content["caption"])
        assert pair.family == emoji.concepts[emoji.concept[index]].family
        assert np.array_equal(decode(pair.read(), 16), emoji.images[index])


def test_pairs_are_counted_where_sizes_are_not_written(copy, shards):
    assert not (copy / SIZES).exists()
    assert Shards(copy).count() == PER_SHARD * SHARDS
    assert sum(json.loads((shards / SIZES).read_text()).values()) == PER_SHARD * SHARDS


def test_shards_and_the_folder_that_they_unpack_to_hold_the_same_pairs(shards, tmp_path):
    for shard in shards.glob("*.tar"):
        with tarfile.open(shard) as tar:
            unpack(tar, tmp_path / shard.stem)

    def content(pairs):
        return {p.key: (p.captions, p.family, p.read()) for p in pairs.in_order()}

    assert content(Folder(tmp_path)) == content(Shards(shards))
    again = tmp_path / "again"
    write_shards(pair_rows(Folder(tmp_path)), again, per_shard=4)
    assert sorted(v[1:] for v in content(Shards(again)).values()) == sorted(
        v[1:] for v in content(Folder(tmp_path)).values()
    )


@pytest.mark.parametrize("lanes", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", [Shards, Folder])
def test_a_pass_of_all_lanes_has_every_pair_once(kind, lanes, shards, tmp_path):
    if kind is Folder:
        for shard in shards.glob("*.tar"):
            with tarfile.open(shard) as tar:
                unpack(tar, tmp_path / shard.stem)
    pairs = kind(tmp_path if kind is Folder else shards)
    listed = Counter(pair.key for pair in pairs.in_order())
    orders = []
    for seed in range(2):
        parts = [
            [p.key for p in pairs.one_pass(lane, lanes, np.random.default_rng(seed), 5)]
            for lane in range(lanes)
        ]
        assert Counter(itertools.chain(*parts)) == listed
        orders.append(parts)
    assert orders[0] != orders[1]


def test_the_buffer_mixes_neighbours_and_holds_no_more_than_it_may(shards, monkeypatch):
    read, real = [], Shards._read

    def counted(self, index):
        for pair in real(self, index):
            read.append(pair.key)
            yield pair

    monkeypatch.setattr(Shards, "_read", counted)
    given = []
    for pair in Shards(shards).one_pass(0, 1, np.random.default_rng(0), 4):
        given.append(pair.key)
        assert len(read) - len(given) <= 4
    assert sorted(given) == sorted(read)
    assert given != read
    read.clear()
    one = [p.key for p in Shards(shards).one_pass(0, 1, np.random.default_rng(0), 1)]
    assert one == read  # a buffer of one mixes nothing but whole shards


def test_batches_depend_neither_on_processes_nor_on_threads(shards):
    options = {"lanes": 4, "augmentation": Augmentation()}
    alone = _take(_stream(shards, **options), 12)
    assert len({tuple(batch.index.tolist()) for batch, _ in alone}) == 12
    for world in (2, 4):
        shares = [
            _take(_stream(shards, rank=rank, world=world, workers=rank, **options), 12)
            for rank in range(world)
        ]
        for (batch, state), *parts in zip(alone, *shares, strict=True):
            assert torch.equal(torch.cat([p.image for p, _ in parts]), batch.image)
            assert [c for p, _ in parts for c in p.caption] == batch.caption
            assert torch.equal(torch.cat([s for _, s in parts]), state)


def test_a_second_view_is_of_the_same_pairs_and_another_draw(shards):
    still = dict.fromkeys(vars(Augmentation()), 0.0)
    for move in (Augmentation(**still | {"brightness": 0.1}), None):
        options = {"lanes": 2, "augmentation": move}
        one = _take(_stream(shards, **options), 3)
        two = _take(_stream(shards, two_views=True, **options), 3)
        for (a, _), (b, _) in zip(one, two, strict=True):
            assert _equal(a, b)
            assert a.view is None
            assert torch.equal(b.view, b.image) == (move is None)
            # Each is within 0.1 of the picture: of the same one.
            assert (b.view - b.image).abs().max() <= 0.2 + 1e-5


def test_a_stream_goes_on_from_any_state(shards, copy):
    (copy / "shard-000001.tar").unlink()
    broken = copy / "shard-000003.tar"
    broken.write_bytes(broken.read_bytes()[:4000])
    for path in (shards, str(copy / "shard-{000000..000004}.tar")):
        options = {"lanes": 2, "augmentation": Augmentation(), "workers": 1}
        whole = _take(_stream(Path(path), **options), 20)
        assert whole[-1][1][:, 0].min() > 1  # passes were crossed
        for k in (0, 1, 7, 13):
            rest = _take(_stream(Path(path), **options), 19 - k, whole[k][1])
            for (a, at_a), (b, at_b) in zip(whole[k + 1 :], rest, strict=True):
                assert _equal(a, b)
                assert torch.equal(at_a, at_b)


def test_seed_pass_and_lane_change_the_order_and_the_captions(shards):
    a, b = (_take(_stream(shards, seed=seed), 8) for seed in (0, 1))
    assert [x.index.tolist() for x, _ in a] != [x.index.tolist() for x, _ in b]
    said = {}
    for batch, _ in _take(_stream(shards), 40):
        for key, caption in zip(batch.index.tolist(), batch.caption, strict=True):
            said.setdefault(key, set()).add(caption)
    assert len(said) == PER_SHARD * SHARDS
    assert sum(len(captions) > 1 for captions in said.values()) > 20


def test_equal_captions_are_positives_and_families_are(tmp_path):
    picture = encode_png(np.zeros((4, 4, 3), np.uint8))
    rows = [
        ("a", ".png", picture, {"caption": "A cat"}),
        ("b", ".png", picture, {"caption": "a cat"}),
        ("c", ".png", picture, {"caption": "a dog", "family": "pet"}),
        ("d", ".png", picture, {"caption": "a hen", "family": "pet"}),
    ]
    write_shards(rows, tmp_path)
    ((batch, _),) = _take(_stream(tmp_path, size=4, batch_size=4), 1)
    family = dict(zip(batch.caption, batch.family.tolist(), strict=True))
    assert family["A cat"] == family["a cat"] != family["a dog"] == family["a hen"]


def test_the_texts_above_captions_are_those_of_the_hierarchy(emoji, shards):
    stream = _stream(shards, batch_size=PER_SHARD * SHARDS, lanes=1, levels=2)
    ((batch, _),) = _take(stream, 1)
    # A key begins with the picture's row: shard-000000/000210-vendor.
    row = {number(p.key): int(p.key.partition("/")[2][:6]) for p in Shards(shards).in_order()}
    concept = emoji.concept[[row[k] for k in batch.index.tolist()]]
    tree = emoji.hierarchy
    for level, texts in zip(("group", "subgroup"), batch.general, strict=True):
        wanted = [tree.text(node) for node in tree.ancestor(level)[concept]]
        assert [texts.texts[k] for k in texts.place] == wanted
        assert len(set(texts.texts)) == len(texts.texts)
        same = np.array(wanted)[:, None] == np.array(wanted)
        assert torch.equal(texts.node[:, None] == texts.node, torch.from_numpy(same))
    assert _take(_stream(shards), 1)[0][0].general == ()


def test_pairs_with_another_number_of_texts_above_are_skipped_and_counted(tmp_path):
    picture = encode_png(np.zeros((4, 4, 3), np.uint8))
    above = {"a cat": ["animal", "mammal"], "a hen": ["animal"], "a car": None, "x": [" ", "y", 3]}
    contents = [{"caption": c} | ({} if a is None else {"general": a}) for c, a in above.items()]
    write_shards([(str(k), ".png", picture, c) for k, c in enumerate(contents)], tmp_path)
    for levels, kept in ((2, {"a cat"}), (1, {"a hen", "x"}), (0, set(above))):
        stream = _stream(tmp_path, size=4, batch_size=len(kept), levels=levels)
        taken = _take(stream, 3)
        assert {c for batch, _ in taken for c in batch.caption} == kept
        missed = skipped(taken[-1][1]).get("pairs incomplete", 0)
        assert (missed > 0) == (levels > 0)
        assert all("general texts, not" in name for name in stream.named())
    with pytest.raises(ValueError, match="3: 1 general texts, not 3"):
        _take(_stream(tmp_path, size=4, batch_size=1, levels=3), 1)


def _tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_each_fault_is_counted_named_and_skipped(tmp_path):
    picture = encode_png(np.full((16, 16, 3), 200, np.uint8))
    good = {f"{k}.{s}": d for k in range(4) for s, d in (("png", picture), ("txt", b"a cat"))}
    _tar(tmp_path / "0.tar", good)
    _tar(
        tmp_path / "1.tar",
        {
            **{"a.png": picture, "a.txt": b"fine"},
            **{"b.png": picture[:60], "b.txt": b"cut picture"},
            **{"c.png": b"no picture", "c.txt": b"no picture"},
            **{"d.png": picture, "d.txt": b" \n"},
            **{"e.png": picture, "e.json": b'{"caption": ["", "kept"]}'},
            **{"f.png": picture, "f.json": b"{broken"},
            **{"g.png": picture},
            **{"h.txt": b"no picture beside"},
            **{"i.jpg": picture, "i.json": b'{"width": 3}', "i.txt": b"text beside json"},
        },
    )
    whole = (tmp_path / "0.tar").read_bytes()
    (tmp_path / "2.tar").write_bytes(whole[:2100])  # inside the second pair
    stream = _stream(tmp_path / "{0..3}.tar", batch_size=1)
    seen, state = set(), stream.start()
    for batch, state in stream.batches():
        if int(state[0, 0]) == 1:  # the first pass is over, and its last fault counted
            break
        seen.update(batch.caption)
        last = state
    assert seen == {"a cat", "fine", "kept", "text beside json"}
    first = {"pictures unreadable": 2, "captions empty": 2, "pairs incomplete": 2}
    assert skipped(last) | first == skipped(last)
    assert skipped(state)["shards missing"] >= 1
    assert skipped(state)["shards cut short"] >= 1
    faults = [
        item for item in Shards(tmp_path / "{0..3}.tar").in_order() if isinstance(item, Fault)
    ]
    assert Counter(fault.kind for fault in faults) == {
        "captions empty": 2,
        "pairs incomplete": 2,
        "shards cut short": 1,
        "shards missing": 1,
    }
    assert all(any(str(tmp_path / f"{k}.tar") in f.where for k in range(4)) for f in faults)
    assert 1 <= len(stream.named()) <= 5


def test_a_shard_cut_anywhere_keeps_what_is_whole_and_says_so(shards, tmp_path):
    shard = shards / "shard-000000.tar"
    content, whole = shard.read_bytes(), list(read_shard(shard))
    assert all(isinstance(pair, Pair) for pair in whole)
    path = tmp_path / shard.name
    with tarfile.open(shard) as tar:
        members = tar.getmembers()
    # In a header, in a picture, in its padding, at the border of two files, at the end mark.
    cuts = [members[6].offset + 100, members[6].offset_data + 9, members[6].offset]
    cuts += [members[7].offset, members[8].offset, members[-1].offset_data + 512, 1, 0]
    for cut in cuts:
        path.write_bytes(content[:cut])
        *pairs, fault = read_shard(path)
        assert fault.kind == "shards cut short", cut
        assert str(path) in fault.where
        pairs = [pair for pair in pairs if isinstance(pair, Pair)]
        count = sum(m.offset_data + m.size <= cut for m in members) // 2
        assert [(p.captions, p.read()) for p in pairs] == [
            (p.captions, p.read()) for p in whole[:count]
        ]
    damaged = bytearray(content)
    damaged[members[6].offset + 150] ^= 0xFF  # the checksum of a header
    path.write_bytes(damaged)
    assert [type(item) for item in read_shard(path)] == [Pair] * 3 + [Fault]


def test_data_without_one_good_pair_end_in_a_sentence(tmp_path):
    _tar(tmp_path / "0.tar", {"a.png": b"x", "a.txt": b"cat"})
    with pytest.raises(ValueError, match=r"no pair that can be used.*pictures unreadable.*0/a"):
        _take(_stream(tmp_path, batch_size=1, workers=1), 1)
    with pytest.raises(FileNotFoundError, match="found none of 2 names"):
        Shards(tmp_path / "{7..8}.tar")
    with pytest.raises(FileNotFoundError, match="expected pictures with captions"):
        Folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="found no such folder"):
        Folder(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere: found no such file or folder; expected"):
        open_pairs(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="found none of 2 names"):
        open_pairs(tmp_path / "{7..8}.tar")
    with pytest.raises(FileExistsError, match="holds shards already"):
        write_shards([], tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lanes": 4, "world": 3}, "readers is 4 with 3 processes; expected a multiple"),
        ({"lanes": 3}, "batch_size is 8 with 3 readers"),
        ({"lanes": 8}, r"readers is 8 and Shards\(.*5 shards\) has 5 shards; expected a shard for"),
        ({"buffer": 0}, "buffer is 0"),
    ],
)
def test_a_stream_that_cannot_work_is_refused(shards, options, message):
    with pytest.raises(ValueError, match=message):
        _stream(shards, **options)


def test_as_many_lanes_as_batch_and_shards_allow():
    assert [lanes_for(parts, 48) for parts in (1, 3, 8, 9, 1000)] == [1, 2, 8, 8, 16]
    assert lanes_for(1000, 4096) == 64
    assert lanes_for(1000, 7) == 1


def test_lists_of_captions_are_read_in_three_forms(tmp_path):
    def folder(name: str, text: str | None = None) -> list[tuple[str, tuple[str, ...]]]:
        path = tmp_path / name.replace(".", "-")
        (path / "sub").mkdir(parents=True)
        for k in "ab":
            (path / "sub" / f"{k}.png").write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
            if text is None:
                (path / "sub" / f"{k}.txt").write_text(f" the {k}\n")
        if text is not None:
            (path / name).write_text(text)
        return [(p.key, p.captions) for p in open_pairs(path).in_order() if isinstance(p, Pair)]

    expected = [("sub/a", ("the a",)), ("sub/b", ("the b",))]
    assert folder("siblings") == expected
    assert folder("captions.tsv", "file\tcaption\nsub/a.png\tthe a\nsub/b.png\tthe b\n") == expected
    lines = '{"file": "sub/a.png", "caption": "the a"}\n{"image": "sub/b.png", "text": "the b"}\n'
    assert folder("captions.jsonl", lines) == expected
    several = '{"file_name": "sub/a.png", "captions": ["one", "two"]}'
    assert folder("metadata.jsonl", several) == [("sub/a", ("one", "two"))]
    for name, text, message in (
        ("captions.tsv", "sub/a.png the a", "line 1: expected file<TAB>caption"),
        ("captions.jsonl", "3", "line 1: expected a JSON object, got int"),
        ("captions.jsonl", '{"caption": "x"}', "expected one of file, .*got the keys 'caption'"),
    ):
        (tmp_path / "bad").mkdir(exist_ok=True)
        for old in (tmp_path / "bad").iterdir():
            old.unlink()
        (tmp_path / "bad" / name).write_text(text if name[-1] != "v" else "a.png\tb\n" + text)
        with pytest.raises(ValueError, match=message.replace("line 1", "line .")):
            Folder(tmp_path / "bad")


def _file(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def test_pictures_are_cut_turned_and_put_on_white():
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = (250, 10, 20)  # the central square
    assert (decode(encode_png(wide), 8) == (250, 10, 20)).all()
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (decode(_file(clear, "PNG"), 8) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    assert (decode(_file(palette, "GIF", transparency=0), 8) == 255).all()
    deep = Image.fromarray(np.full((8, 8), 200 * 256, np.uint16))
    assert (decode(_file(deep, "PNG"), 8) == 200).all()
    upper = np.zeros((64, 64, 3), np.uint8)
    upper[:32] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    turned = decode(_file(Image.fromarray(upper), "JPEG", exif=exif.tobytes()), 16)
    assert turned[:6].max() < 10
    assert turned[10:].min() > 245
    big = decode(_file(Image.new("L", (900, 500), 77), "JPEG"), 16)
    assert big.shape == (16, 16, 3)
    assert (big == 77).all()
    noise = encode_png(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    assert decode(noise, 8).std() > 10
    for content in (b"", b"GIF89a", noise[: len(noise) // 2], noise[:20]):
        with pytest.raises(ValueError, match="expected a picture, but"):
            decode(content, 8)


def _pictures(folder: Path, names: str, colour: int = 0) -> None:
    for name in names.split():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(np.full((4, 4, 3), colour, np.uint8)))


def test_a_picture_whose_caption_has_a_side_is_not_mirrored(tmp_path):
    half = np.zeros((8, 8, 3), np.uint8)
    half[:, 4:] = 255
    sided = ("A left arrow", "turn right", "clockwise", "stop SIGN", "a text", "letter a", "word")
    plain = ("a dog", "leftover", "designs")
    rows = [
        (str(k), ".png", encode_png(half), {"caption": caption})
        for k, caption in enumerate(sided + plain)
    ]
    write_shards(rows, tmp_path)
    only = Augmentation(**dict.fromkeys(vars(Augmentation()), 0.0) | {"mirror": 1.0})
    stream = _stream(tmp_path, size=8, batch_size=10, augmentation=only, two_views=True)
    ((batch, _),) = _take(stream, 1)
    assert set(batch.caption) == {*sided, *plain}
    for k, caption in enumerate(batch.caption):
        for view in (batch.image, batch.view):
            white = int(view[k, 0, 0].argmax() >= 4)  # the half that is white, 1 as it is stored
            assert white == (caption in sided), caption


def test_a_stream_without_options_is_one_of_seed_zero_and_one_lane(shards):
    (a, state) = _take(Stream(Shards(shards), size=16, batch_size=8), 3)[-1]
    options = {"lanes": 1, "rank": 0, "world": 1, "seed": 0, "buffer": 1024, "workers": 0}
    (b, same) = _take(_stream(shards, levels=0, two_views=False, **options), 3)[-1]
    assert _equal(a, b)
    assert torch.equal(state, same)
    assert a.view is None
    assert state.shape == (1, STATE_WIDTH)
    assert state.dtype == torch.int64
    assert state[0, :3].tolist() == [0, 24, 24]
    assert not _equal(a, _take(_stream(shards, **options | {"seed": 1}), 3)[-1][0])
    with pytest.raises(ValueError, match=r"buffer is 1024 and workers -1; expected buffer >= 1"):
        Stream(Shards(shards), size=16, batch_size=8, workers=-1)
    with pytest.raises(ValueError, match="readers is 0 with 1 processes"):
        Stream(Shards(shards), size=16, batch_size=8, lanes=0)
    assert repr(Shards(shards)) == f"Shards({shards}, 5 shards)"
    assert Shards(shards).parts() == SHARDS
    assert list(Shards(shards).names()) == [f"shard-{k:06}.tar" for k in range(SHARDS)]


def test_a_pass_is_counted_and_its_captions_drawn_anew(shards):
    total = PER_SHARD * SHARDS
    batches = _take(_stream(shards, batch_size=total, buffer=9), 4)
    for k, (batch, state) in enumerate(batches):
        assert len(set(batch.index.tolist())) == total
        assert state[0, :3].tolist() == [k, total, total]
        assert skipped(state) == {}
    orders = {tuple(batch.index.tolist()) for batch, _ in batches}
    assert len(orders) == 4


def test_faults_are_named_once_and_five_at_most(tmp_path):
    _pictures(tmp_path, "good.png")
    (tmp_path / "good.txt").write_text("a cat")
    for k in range(7):
        (tmp_path / f"bad{k}.png").write_bytes(b"no picture")
        (tmp_path / f"bad{k}.txt").write_text("a dog")
    stream = _stream(tmp_path, size=4, batch_size=1)
    taken = _take(stream, 4)
    assert [batch.caption for batch, _ in taken] == [["a cat"]] * 4
    named = stream.named()
    assert len(named) == len(set(named)) == 5
    for name in named:
        assert name.startswith("pictures unreadable: ")
        assert str(tmp_path / "bad") in name
        assert "expected a picture, but" in name
    # Up to the fourth picture, three passes are over and each had seven unreadable ones.
    assert 21 <= skipped(taken[-1][1])["pictures unreadable"] <= 28


def test_data_that_become_good_again_within_twenty_passes_are_not_given_up(tmp_path, monkeypatch):
    _pictures(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text("cat")
    folder = Folder(tmp_path)
    for empty, works in ((19, True), (20, False)):
        passes = iter([[]] * empty + [folder._pairs] * 2)
        monkeypatch.setattr(folder, "one_pass", lambda *_, p=passes: iter(next(p)))
        stream = Stream(folder, size=4, batch_size=1)
        if works:
            ((batch, state),) = _take(stream, 1)
            assert batch.caption == ["cat"]
            assert int(state[0, 0]) == 19
        else:
            with pytest.raises(ValueError, match=r"in its parts of 20 passes \(it is empty\)"):
                _take(stream, 1)


def test_a_folder_says_what_it_holds_and_what_is_wrong_with_it(tmp_path):
    _pictures(tmp_path, "b.png a.JPG sub/c.webp lonely.gif note.png")
    (tmp_path / "b.txt").write_text("the  b\n")
    (tmp_path / "a.txt").write_text("not read, for there is an object")
    (tmp_path / "a.json").write_text('{"caption": "the a", "family": "f", "general": ["g", "h"]}')
    (tmp_path / "sub" / "c.txt").write_text("the c")
    (tmp_path / "note.txt").write_text("  ")
    folder = Folder(tmp_path)
    assert repr(folder) == f"Folder({tmp_path}, 3 pairs)"
    assert folder.count() == folder.parts() == 3
    *faults, a, b, c = folder.in_order()
    assert [p.key for p in (a, b, c)] == ["a", "b", "sub/c"]
    assert [p.suffix for p in (a, b, c)] == [".jpg", ".png", ".webp"]
    assert [p.family for p in (a, b, c)] == ["f", "the b", "the c"]
    assert [p.general for p in (a, b, c)] == [("g", "h"), (), ()]
    assert list(folder.names()) == ["a\tthe a", "b\tthe b", "sub/c\tthe c"]
    assert sorted(f.kind for f in faults) == ["captions empty", "pairs incomplete"]
    for fault, name in zip(sorted(faults, key=str), ("note", "lonely.gif"), strict=True):
        assert fault.where.startswith(str(tmp_path))
        assert name in fault.where
    # The lanes of a pass share the faults too.
    lanes = [list(folder.one_pass(k, 2, np.random.default_rng(0), 1)) for k in range(2)]
    assert Counter(map(str, lanes[0] + lanes[1])) == Counter(map(str, folder.in_order()))
    assert [sum(isinstance(i, Fault) for i in lane) for lane in lanes] == [1, 1]


def test_lines_of_lists_are_counted_from_one_and_blank_ones_left_out(tmp_path):
    _pictures(tmp_path, "a.png b.png")
    rows = tmp_path / "captions.tsv"
    rows.write_text("a.png\tone\n\nb.png\tthree\na.png\tfour\n")
    assert [p.captions for p in Folder(tmp_path).in_order()] == [("one", "four"), ("three",)]
    rows.write_text("a.png\tone\n\nb.png three\n")
    with pytest.raises(ValueError, match=r"captions.tsv: line 3: .*got 'b.png three'"):
        Folder(tmp_path)
    rows.write_text(f"a.png\tone\n{'x' * 80}\n")
    with pytest.raises(ValueError, match=f"got '{'x' * 60}'"):
        Folder(tmp_path)
    lines = tmp_path / "captions.jsonl"
    lines.write_text('{"file": "a.png", "caption": "one"}\n\n{"file": 3}\n')
    with pytest.raises(
        ValueError, match=r"jsonl: line 3: expected a text for a picture's name, got 3"
    ):
        Folder(tmp_path)
    lines.write_text('{"file": "a.png", "caption": "one"}\n{broken\n')
    with pytest.raises(ValueError, match="jsonl: line 2: expected a JSON object, but Expecting"):
        Folder(tmp_path)
    lines.write_text('{"file": "a.png", "caption": "one"}\n\n{"image": "b.png", "text": "two"}')
    # The first of the lists that is there is read: jsonl comes before tsv.
    assert [p.captions for p in Folder(tmp_path).in_order()] == [("one",), ("two",)]


def test_shards_are_named_by_patterns_folders_and_lists(shards, tmp_path):
    every = [f"shard-{k:06}.tar" for k in range(SHARDS)]
    for pattern, names in (
        (shards, every),
        (shards / "shard-*.tar", every),
        (shards / "shard-00000[13].tar", [every[1], every[3]]),
        (shards / "shard-{000002,000004}.tar", [every[2], every[4]]),
        (shards / "shard-000000.tar", every[:1]),
    ):
        assert list(Shards(pattern).names()) == names
        assert list(open_pairs(pattern).names()) == names
        assert Shards(pattern).count() == PER_SHARD * len(names)
        listed = list(Shards(pattern).in_order())
        assert len(listed) == PER_SHARD * len(names)
        assert all(pair.key.startswith(pair.path.stem + "/") for pair in listed)
    (tmp_path / SIZES).write_text("[3]")
    (tmp_path / every[0]).write_bytes((shards / every[0]).read_bytes())
    with pytest.raises(ValueError, match=r'sizes.json: expected \{"shard.tar": 1000'):
        Shards(tmp_path).count()
    # A shard that is not there counts nothing, though its size is written.
    (tmp_path / SIZES).write_text(json.dumps({every[0]: 7, every[1]: 7}))
    assert Shards(tmp_path / "shard-{000000..000001}.tar").count() == 7
    (tmp_path / SIZES).write_text(json.dumps({every[1]: 7}))
    assert Shards(tmp_path).count() == PER_SHARD


def test_shards_are_written_in_portions(tmp_path):
    picture = encode_png(np.zeros((4, 4, 3), np.uint8))
    rows = [(f"{k}", ".png", picture, {"caption": f"c{k}"}) for k in range(5)]
    paths = write_shards(rows, tmp_path / "a" / "b", per_shard=2)
    assert [p.name for p in paths] == [f"shard-{k:06}.tar" for k in range(3)]
    sizes = json.loads((tmp_path / "a" / "b" / SIZES).read_text())
    assert sizes == dict(zip((p.name for p in paths), (2, 2, 1), strict=True))
    assert sorted(p.name for p in paths[0].parent.iterdir()) == [*sorted(sizes), SIZES]
    many = [(f"{k}", ".png", b"x", {"caption": "c"}) for k in range(1001)]
    assert [len(list(read_shard(p))) for p in write_shards(many, tmp_path / "many")] == [1000, 1]
    for per_shard in (0, -1):
        with pytest.raises(ValueError, match=f"per_shard is {per_shard}; expected at least 1"):
            write_shards(rows, tmp_path / "c", per_shard=per_shard)
    assert len(write_shards(rows[:2], tmp_path / "c", per_shard=1)) == 2
    with pytest.raises(ValueError, match="at least one pair, got none"):
        write_shards([], tmp_path / "d")
    with pytest.raises(FileExistsError, match=r"holds shards already \(shard-"):
        write_shards(rows, tmp_path / "c")


def test_pairs_are_copied_with_all_that_they_have(tmp_path):
    _pictures(tmp_path, "a.png b.png c.png")
    (tmp_path / "captions.jsonl").write_text(
        '{"file": "a.png", "caption": ["x", "y"], "family": "f", "general": ["g"]}\n'
        '{"file": "b.png", "caption": "z"}\n{"file": "c.png", "caption": "gone"}\n'
    )
    folder = Folder(tmp_path)
    (tmp_path / "c.png").unlink()
    rows = list(pair_rows(folder))
    assert [r[0] for r in rows] == [r[0] for r in pair_rows(folder, seed=0)]
    content = {r[0]: (r[1], r[2], r[3]) for r in rows}
    picture = (tmp_path / "a.png").read_bytes()
    assert content == {
        f"{0:09}": (".png", picture, {"caption": ["x", "y"], "family": "f", "general": ["g"]}),
        f"{1:09}": (".png", picture, {"caption": ["z"], "family": "z"}),
    }
