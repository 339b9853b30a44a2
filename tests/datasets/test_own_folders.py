"""Folders and names as people have them: everything is found, or counted and named."""

import json
import os
from pathlib import Path

import hostile
import pytest

from spaceforms.datasets import Fault, Folder, Pair, Shards, open_pairs, pair_rows, write_shards
from spaceforms.datasets.disk import content_digest, replacing
from spaceforms.datasets.shards import expand_braces
from spaceforms.datasets.stream import fingerprint


def _pictures(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(hostile.GOOD)
    return folder


def _found(folder: Path, **options) -> tuple[dict[str, tuple[str, ...]], list[Fault]]:
    items = list(Folder(folder, **options).in_order())
    pairs = {item.key: item.captions for item in items if isinstance(item, Pair)}
    return pairs, [item for item in items if isinstance(item, Fault)]


def test_captions_are_found_whatever_their_suffix_and_its_case(tmp_path):
    folder = _pictures(tmp_path, "a.JPG", "b.png", "c.jpeg", "d/e.jfif", "f.png")
    (folder / "a.TXT").write_text("one")
    (folder / "b.caption").write_text("two")
    (folder / "c.Json").write_text('{"caption": "three"}')
    (folder / "d/e.txt").write_text("four")
    (folder / "f.json").write_text('{"width": 640, "family": "pets"}')  # as downloaders leave it
    (folder / "f.txt").write_text("five")
    pairs, faults = _found(folder)
    assert pairs == {
        k: (v,)
        for k, v in zip(
            ("a", "b", "c", "d/e", "f"), ("one", "two", "three", "four", "five"), strict=True
        )
    }
    assert not faults
    assert next(p for p in Folder(folder).in_order() if p.key == "f").family == "pets"


def test_texts_are_read_in_utf_8_with_and_without_a_mark_and_in_utf_16(tmp_path):
    folder = _pictures(tmp_path, "a.png", "b.png", "c.png", "d.png")
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9")
    (folder / "b.txt").write_bytes("café".encode("utf-16"))
    (folder / "c.txt").write_bytes(b"caf\xe9")
    (folder / "d.txt").write_bytes("caf\ufffd".encode())
    pairs, faults = _found(folder)
    assert pairs == {"a": ("café",), "b": ("café",), "c": ("caf\ufffd",), "d": ("caf\ufffd",)}
    assert [f.kind for f in faults] == ["captions not UTF-8"]
    assert str(folder) in faults[0].where
    assert faults[0].where.endswith("c")


def test_a_byte_of_another_encoding_in_a_list_is_counted_with_its_line(tmp_path):
    folder = _pictures(tmp_path, "a.png", "b.png")
    (folder / "captions.tsv").write_bytes(b"a.png\ta cat\nb.png\tcaf\xe9\r\n")
    pairs, faults = _found(folder)
    assert pairs == {"a": ("a cat",), "b": ("caf\ufffd",)}
    assert faults == [Fault("captions not UTF-8", f"{folder}/captions.tsv: line 2")]


def test_no_sign_within_a_caption_ends_a_line(tmp_path):
    folder = _pictures(tmp_path, "a.png")
    signs = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"
    for name, line in (
        ("captions.tsv", f"a.png\tone{signs}two\n"),
        ("captions.jsonl", json.dumps({"file": "a.png", "text": f"one{signs}two"}) + "\n"),
        ("captions.jsonl", '{"file": "a.png", "text": "one\u2028\x85two"}\n'),
    ):
        (folder / name).write_text(line, encoding="utf-8")
        assert _found(folder)[0] == {"a": ("one two",)}
        (folder / name).unlink()


def test_what_systems_leave_is_no_data_and_what_cannot_be_used_is_named(tmp_path):
    folder = _pictures(
        tmp_path,
        *("a.png", "._a.png", ".hidden/b.png", "__MACOSX/a.png", "@eaDir/a.png", "Thumbs.db"),
        *("phone.HEIC", "scan.tif", "lonely.png"),
    )
    (folder / "a.txt").write_text("a cat")
    (folder / "text without picture.txt").write_text("a dog")
    (folder / "elsewhere").symlink_to(tmp_path)
    pairs, faults = _found(folder)
    assert pairs == {"a": ("a cat",)}
    assert sorted((f.kind, Path(f.where.split(": ")[0].split(" ")[0]).name) for f in faults) == [
        ("files refused", "elsewhere"),
        ("pairs incomplete", "lonely.png"),
        ("pairs incomplete", "text"),
        ("pictures unreadable", "phone.HEIC"),
        ("pictures unreadable", "scan.tif"),
    ]


def test_a_folder_without_pairs_says_what_was_found(tmp_path):
    _pictures(tmp_path, "a.heic", "b.heic", "c.png")
    with pytest.raises(
        FileNotFoundError, match=r"none among 2 \.heic, 1 \.png \(.*a\.heic: expect"
    ):
        Folder(tmp_path)


def test_links_to_files_are_followed_in_training_and_not_for_copies(tmp_path):
    store = _pictures(tmp_path / "store", "1.png", "2.png")
    folder = _pictures(tmp_path / "folder", "own.png")
    for k in (1, 2):
        (folder / f"{k}.png").symlink_to(store / f"{k}.png")
        (folder / f"{k}.txt").write_text("a cat")
    (folder / "own.txt").write_text("a dog")
    (folder / "again.png").symlink_to(folder / "own.png")
    (folder / "again.txt").write_text("a dog")
    assert len(_found(folder)[0]) == 4
    pairs, faults = _found(folder, links=False)
    assert pairs.keys() == {"own", "again"}
    assert [f.kind for f in faults] == ["files refused"] * 2


@pytest.mark.parametrize("name", ["photos[1].tar", "set {a,b}.tar", "a*b?.tar"])
def test_a_file_that_is_there_is_no_pattern(tmp_path, name):
    (tmp_path / name).write_bytes(hostile.FIRST + hostile.END)
    (tmp_path / "photos1.tar").write_bytes(b"")
    assert open_pairs(tmp_path / name).count() == 1


def test_a_folder_that_is_there_is_no_pattern(tmp_path):
    for name in ("set {a,b}", "photos [2]"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "s-0.TAR").write_bytes(hostile.FIRST + hostile.END)
        (folder / "s-1.tar").write_bytes(hostile.FIRST + hostile.END)
        assert open_pairs(folder).count() == 2
        assert open_pairs(folder / "s-{1..1}.tar").count() == 1
        assert open_pairs(folder / "*.tar").count() == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("list.csv", r"list\.csv: expected a folder of pictures.*found a list; .*captions\.jsonl"),
        ("d.zip", "found an archive; unpack it into a folder"),
        ("d.tar.gz", "found a compressed tar; unpack it"),
        ("d.tgz", "found a compressed tar; unpack it"),
        ("one.jpg", "found one picture"),
        ("one.HEIC", "found one picture"),
        ("what", "found a file with the suffix ''"),
    ],
)
def test_what_is_no_data_is_told_with_what_is_expected(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=message):
        open_pairs(tmp_path / name)


def test_a_folder_of_pictures_and_shards_is_refused(tmp_path):
    _pictures(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text("a cat")
    assert open_pairs(tmp_path).count() == 1
    (tmp_path / "backup.tar").write_bytes(hostile.FIRST + hostile.END)
    with pytest.raises(
        ValueError, match=r"expected pictures or \.tar shards, found both \(a\.png, b"
    ):
        open_pairs(tmp_path)


def test_a_pattern_of_more_than_a_million_names_is_refused():
    for pattern in ("{0..99999999999999}.tar", "{0..999}{0..999}{0..999}", "{1..9}" * 9):
        with pytest.raises(ValueError, match="expected at most 1,000,000 names"):
            expand_braces(pattern)
    assert expand_braces("{" + "9" * 5000 + "..1}") == ["{" + "9" * 5000 + "..1}"]


def test_copies_tell_what_they_leave_out(tmp_path):
    folder = _pictures(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    for name in "abc":
        (folder / f"{name}.txt").write_text(f"the {name}")
    (folder / "b.png").write_bytes(b"<html>")
    pairs = Folder(folder)
    (folder / "c.png").unlink()
    left = []
    write_shards(pair_rows(pairs, skipped=left.append), tmp_path / "out")
    assert [p.captions for p in Shards(tmp_path / "out").in_order()] == [("the a",)]
    assert sorted((f.kind, Path(f.where.split(":")[0].split(" ")[0]).name) for f in left) == [
        ("pairs incomplete", "d.png"),
        ("pictures unreadable", "b.png"),
        ("pictures unreadable", "c.png"),
    ]


def test_a_fingerprint_sees_every_byte_and_not_the_place(tmp_path):
    folder = _pictures(tmp_path / "one", "a.png", "b.png")
    for name in "ab":
        (folder / f"{name}.txt").write_text("a cat")
    first = fingerprint(Folder(folder))
    moved = folder.rename(tmp_path / "two")
    assert fingerprint(Folder(moved)) == first
    whole = (moved / "b.png").read_bytes()
    for at in (0, 40, len(whole) - 1):
        (moved / "b.png").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert fingerprint(Folder(moved)) != first
    (moved / "b.png").write_bytes(whole)
    assert fingerprint(Folder(moved)) == first
    (moved / "b.txt").write_text("a dog")
    assert fingerprint(Folder(moved)) != first


def test_of_large_data_sizes_and_a_sample_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("spaceforms.datasets.disk._WHOLE", 2**18)
    monkeypatch.setattr("spaceforms.datasets.disk._MOST_READ", 2**17)
    path = tmp_path / "large"
    path.write_bytes(bytes(2**21))
    digests = {content_digest([path])}
    assert digests == {(next(iter(digests))[0], 1 / 16)}
    with path.open("r+b") as file:
        file.write(b"x")
    digests.add(content_digest([path]))
    os.truncate(path, 2**21 - 1)
    digests.add(content_digest([path]))
    digests.add(content_digest([path, tmp_path / "none"]))
    assert len(digests) == 4


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path):
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_text("mine")
    path.write_text("old")
    (tmp_path / "file.part").symlink_to(victim)
    with replacing(path) as part:
        part.write_text("new")
    assert (path.read_text(), victim.read_text()) == ("new", "mine")

    def fail() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert path.read_text() == "new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "victim"]


def test_a_name_is_told_in_one_line_and_without_controls_of_a_terminal():
    told = str(Fault("pictures unreadable", "x\n\x1b[31m\udcff " + "é" * 4000 + " end"))
    assert told.startswith(r"pictures unreadable: x\n\x1b[31m\udcff éé")
    assert told.endswith("é end")
    assert len(told) < 600


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.csv", 'file_name,caption\na.png,a cat\nd/b.png,"a dog, asleep"\n'),
        ("captions.csv", 'caption,width,image\na cat,4,a.png\n"a dog, asleep",4,d/b.png\n'),
        ("captions.csv", "\ufefffilename;label\na.png;a cat\nd/b.png;a dog, asleep\n"),
        ("metadata.csv", 'a.png,a cat\nd/b.png,"a dog,\nasleep"\n'),
        # as open_clip, pandas with its index, and Flickr30k have them
        ("captions.csv", "filepath\ttitle\na.png\ta cat\nd/b.png\ta dog, asleep\n"),
        ("captions.csv", ',image_path,caption\n0,a.png,a cat\n1,d/b.png,"a dog, asleep"\n'),
        ("captions.csv", "image_name| n| comment\na.png| 0| a cat\nd/b.png| 0| a dog, asleep\n"),
        ("captions.tsv", "id\timage\tcaption\n1\ta.png\ta cat\n2\td/b.png\ta dog, asleep\n"),
        ("captions.tsv", "caption\timage\na cat\ta.png\na dog, asleep\td/b.png\n"),
        ("captions.tsv", "picture\twords\na.png\ta cat\nd/b.png\ta dog,\tasleep\n"),
        ("captions.txt", 'image,caption\na.png,a cat\nd/b.png,"a dog, asleep"\n'),
        ("captions.csv", "image;caption\na.png;a cat;;\nd/b.png;a dog, asleep;;\n"),
        # a caption that stands last may have commas without quotes
        ("captions.csv", "image,caption\na.png,a cat\nd/b.png,a dog, asleep\n"),
        ("captions.csv", "a.png,a cat\nd/b.png,a dog, asleep\n"),
        (
            "captions.jsonl",
            '{"image_path": "a.png", "prompt": "a cat"}\n'
            '{"path": "d/b.png", "description": "a dog, asleep", "label": 3}\n',
        ),
        (
            "metadata.jsonl",
            '{"filename": "a.png", "label": "a cat"}\n'
            '{"image": "d/b.png", "text": "a dog, asleep"}\n',
        ),
    ],
)
def test_a_list_is_read_by_the_words_of_its_header(tmp_path, name, text):
    folder = _pictures(tmp_path, "a.png", "d/b.png")
    (folder / name).write_text(text, encoding="utf-8")
    assert _found(folder) == ({"a": ("a cat",), "d/b": ("a dog, asleep",)}, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,caption\n3,a cat\n",
            r"line 1: expected a header with one of file, file_name.*'id, cap",
        ),
        ("filename,label\na.png,3\n", r"line 2: expected words under 'label', got a number, '3'"),
        ("file,caption\na.png\n", r"line 2: expected file,caption, got 'a\.png'"),
        ('file,caption\na.png,"a cat\n', r"line 2: expected quotes in pairs"),
        (
            "caption,file\na cat,a.png\na dog, asleep,b.png\n",
            r"line 3: expected file,caption, with quotes around a caption that has ',' in it",
        ),
        (
            "a.png,a cat, asleep\n",
            r"line 1: .*or a header that says which column it is, got 'a\.pn",
        ),
        ("", r"expected pictures with captions"),
    ],
)
def test_a_csv_that_cannot_be_read_is_told_by_its_line(tmp_path, text, message):
    folder = _pictures(tmp_path, "a.png")
    (folder / "captions.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Folder(folder)


@pytest.mark.parametrize(
    "content",
    [
        [{"image": "a.png", "caption": ["a cat", "one"]}, {"image": "d/b.png", "title": "a dog"}],
        {"a.png": ["a cat", "one"], "d/b.png": "a dog"},
        {
            "images": [{"id": 7, "file_name": "a.png"}, {"id": 3, "file_name": "d/b.png"}],
            "annotations": [
                {"image_id": 7, "id": 1, "caption": "a cat"},
                {"image_id": 3, "id": 2, "caption": "a dog"},
                {"image_id": 7, "id": 3, "caption": "one"},
            ],
        },
    ],
)
def test_captions_json_is_an_array_captions_by_name_or_that_of_coco(tmp_path, content):
    folder = _pictures(tmp_path, "a.png", "d/b.png")
    (folder / "captions.json").write_text(json.dumps(content, indent=1))
    assert _found(folder) == ({"a": ("a cat", "one"), "d/b": ("a dog",)}, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", r"entry 1: expected a JSON object, got int"),
        ('[{"img": "a.png"}]', r"entry 1: expected one of file, .*got the keys 'img'"),
        ('"a.png"', r"captions\.json: expected objects, got str"),
        ("[1", r"captions\.json: expected JSON, but Expecting"),
        (
            '{"images": [], "annotations": [{"image_id": 1}]}',
            r"as COCO has them, got others \(KeyE",
        ),
        ('{"images": 3, "annotations": []}', r"as COCO has them, got others \(TypeError"),
        ('{"images": [{"id": [], "file_name": ""}], "annotations": []}', r"got others \(TypeErr"),
    ],
)
def test_a_captions_json_that_cannot_be_read_is_told(tmp_path, text, message):
    folder = _pictures(tmp_path, "a.png")
    (folder / "captions.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Folder(folder)


def test_keys_that_say_no_name_are_told(tmp_path):
    folder = _pictures(tmp_path, "a.png")
    (folder / "captions.jsonl").write_text('{"img": "a.png", "caption": "a cat"}\n')
    with pytest.raises(ValueError, match=r"one of file, .*got the keys 'img, caption'"):
        Folder(folder)


def test_pictures_of_a_list_are_looked_for_in_folders_below(tmp_path):
    """As Flickr8k comes: captions.txt beside a folder of pictures."""
    folder = _pictures(tmp_path, "Images/a.png", "Images/b.png", "Images/c.png", "other/c.png")
    (folder / "captions.txt").write_text("image,caption\na.png,a cat\na.png,one\nc.png,two\n")
    pairs = {p.key: p for p in Folder(folder).in_order()}
    assert pairs["a"].path == folder / "Images/a.png"
    assert pairs["a"].captions == ("a cat", "one")
    assert pairs["c"].path == folder / "c.png"  # there are two: none is taken
    assert Folder(folder).note == (
        "found in folders below: 1 of the pictures that captions.txt names without a folder "
        "(the first: 'a.png')"
    )


def test_captions_txt_is_no_list_where_texts_are_beside_pictures(tmp_path):
    folder = _pictures(tmp_path, "a.png")
    (folder / "a.txt").write_text("a cat")
    (folder / "captions.txt").write_text("a cat\n")
    assert _found(folder)[0] == {"a": ("a cat",)}


def test_a_whole_path_into_the_folder_is_a_name_in_it(tmp_path):
    folder = _pictures(tmp_path / "data", "a.png")
    _pictures(tmp_path, "b.png")
    (folder / "captions.csv").write_text(
        f"filepath,title\n{folder}/a.png,a cat\n{tmp_path}/b.png,a dog\n{folder}/../b.png,a dog\n"
    )
    pairs, faults = _found(folder)
    assert pairs == {"a": ("a cat",)}
    assert [fault.kind for fault in faults] == ["files refused"] * 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train/cat/1.png", "val/cat/2.png"), r"in parts take one: .*/train\.$"),
        (
            ("a.png", "b.png", "results.csv"),
            r"If results\.csv is the list of captions, call it captions\.csv\.$",
        ),
    ],
)
def test_what_a_folder_may_have_been_meant_as_is_said(tmp_path, names, message):
    with pytest.raises(FileNotFoundError, match=message):
        Folder(_pictures(tmp_path, *names))


def test_folders_of_classes_are_captions_where_there_are_no_others(tmp_path):
    folder = _pictures(tmp_path, "cat/1.png", "golden_retriever/1.png", "golden_retriever/2.JPG")
    pairs, faults = _found(folder)
    dog = ("golden retriever",)
    assert pairs == {"cat/1": ("cat",), "golden_retriever/1": dog, "golden_retriever/2": dog}
    assert not faults
    assert Folder(folder).note.endswith("their names for captions ('cat', 'golden retriever')")
    (folder / "cat/1.txt").write_text("my cat")  # captions that are there win
    assert _found(folder)[0] == {"cat/1": ("my cat",)}
    assert not Folder(folder).note


@pytest.mark.parametrize(
    "names",
    [
        ("images/1.png", "images/2.png"),
        ("train/1.png", "test/2.png"),
        ("train/cat/1.png", "train/dog/2.png"),
        ("cat/1.png", "dog/2.png", "3.png"),
        ("cat/1.png", "dog/2.png", "notes.txt"),
    ],
)
def test_what_may_be_no_classes_is_refused(tmp_path, names):
    with pytest.raises(FileNotFoundError, match="or a folder for each class"):
        Folder(_pictures(tmp_path, *names))


def test_accents_are_the_same_in_lists_captions_and_names_of_files(tmp_path):
    folder = _pictures(tmp_path, "e\u0301.png", "b.png")
    (folder / "captions.csv").write_text("\u00e9.png,caf\u00e9\nb.png,cafe\u0301\n", "utf-8")
    pairs, faults = _found(folder)
    assert list(pairs.values()) == [("caf\u00e9",)] * 2
    assert not faults


def test_a_list_behind_a_link_out_of_the_folder_is_refused_where_links_are(tmp_path):
    folder = _pictures(tmp_path / "folder", "a.png")
    (tmp_path / "secret.csv").write_text("a.png,a secret\n")
    (folder / "captions.csv").symlink_to(tmp_path / "secret.csv")
    assert _found(folder)[0] == {"a": ("a secret",)}
    with pytest.raises(ValueError, match=r"captions\.csv leads out of the folder\.$"):
        Folder(folder, links=False)
    (folder / "captions.csv").unlink()
    (folder / "list.csv").write_text("a.png,a cat\n")
    (folder / "captions.csv").symlink_to(folder / "list.csv")
    assert _found(folder, links=False)[0] == {"a": ("a cat",)}


@pytest.mark.parametrize("text", ['{"info": 1}', "[1]", '{"a.png": "another cat"}'])
def test_captions_json_is_no_list_where_texts_are_beside_pictures(tmp_path, text):
    folder = _pictures(tmp_path, "a.png")
    (folder / "a.txt").write_text("a cat")
    (folder / "captions.json").write_text(text)
    assert _found(folder) == ({"a": ("a cat",)}, [])
    assert Folder(folder).note == "captions.json was not read: there are texts beside pictures"


@pytest.mark.parametrize("name", ["captions.json", "captions.jsonl"])
def test_objects_of_one_picture_are_one_pair(tmp_path, name):
    """As BLIP's lists and Karpathy's have it, a caption an object. As pairs of two families a
    picture would be a negative of its own captions."""
    folder = _pictures(tmp_path, "a.png", "b.png")
    objects = [
        {"image": "a.png", "caption": "a cat", "family": "pets", "general": "animals"},
        {"image": "b.png", "caption": "a dog"},
        {"image": "a.png", "text": ["one", "two"], "family": "others"},
        {"image": "b.png", "title": "three"},
        {"image": "b.png", "caption": 3},
    ]
    lines = map(json.dumps, objects)
    text = "\n".join(lines) if name.endswith("l") else json.dumps(objects)
    (folder / name).write_text(text)
    pairs = list(Folder(folder).in_order())
    assert [(pair.key, pair.captions, pair.family, pair.general) for pair in pairs] == [
        ("a", ("a cat", "one", "two"), "pets", ("animals",)),
        ("b", ("a dog", "three"), "a dog", ()),
    ]


def test_quotes_around_a_cell_of_a_tsv_are_those_of_csv(tmp_path):
    """As pandas writes it and open_clip reads it; a lone quote is a sign like any other."""
    folder = _pictures(tmp_path, *(f"{k}.png" for k in "abcdefg"))
    (folder / "captions.tsv").write_text(
        '"filepath"\t"title"\n'
        'a.png\t"A ""nice"" dog"\n'
        '"b.png"\t"a\tcat"\n'
        'c.png\ta 5" nail\n'
        'd.png\t"yes" and "no"\n'
        'e.png\t"\n'
        'f.png\t"a "dog""\n'
        'g.png\t""""\n'
    )
    pairs, faults = _found(folder)
    assert list(pairs.values()) == [
        *(('A "nice" dog',), ("a cat",), ('a 5" nail',), ('"yes" and "no"',)),
        *(('"',), ('"a "dog""',), ('"',)),
    ]
    assert not faults


def test_a_row_in_ten_may_be_broken_and_is_counted(tmp_path):
    """As one of Flickr30k's results.csv is."""
    folder = _pictures(tmp_path, "a.png")
    good = "a.png| 0| a cat\n"
    (folder / "captions.csv").write_text(
        "image_name| comment_number| comment\n" + good * 5 + "a.png| 4   A dog runs\n" + good * 4
    )
    pairs, faults = _found(folder)
    assert pairs == {"a": ("a cat",) * 9}
    assert [(f.kind, f.where) for f in faults] == [
        (
            "pairs incomplete",
            f"{folder}/captions.csv: line 7: expected file|caption, got 'a.png| 4   A dog runs'",
        )
    ]
    (folder / "captions.csv").write_text("file,caption\n" + "a.png,a cat\n" * 8 + "a.png\n")
    with pytest.raises(ValueError, match=r"line 10: expected file,caption, got 'a\.png'\.$"):
        Folder(folder)


def test_a_cell_that_is_too_long_is_told_as_such(tmp_path):
    folder = _pictures(tmp_path, "a.png")
    (folder / "captions.csv").write_text("a.png,a cat\na.png," + "a" * 140_000 + "\n")
    with pytest.raises(ValueError, match=r"line 2: expected at most 131,072 letters in a cell, g"):
        Folder(folder)
