"""Own pictures: a folder is trained on, and evaluated, drawn, walked and judged like the emoji."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaceforms.__main__ import main
from spaceforms.datasets import Fault, Folder, Pair, load_emoji
from spaceforms.datasets.share import Part, is_held_out, load_pairs
from spaceforms.models import load_run, program as program_module
from spaceforms.models.evaluation.evaluate import AT_CHANCE, as_table, evaluate
from spaceforms.models.evaluation.run_data import all_pictures
from spaceforms.models.program import program, spoken
from spaceforms.models.training.checkpoint import MODEL
from spaceforms.models.training.loop import train


@pytest.fixture(scope="session")
def own(small_data, tmp_path_factory) -> Path:
    """A folder of 120 pictures, wide ones and high ones, with a caption beside each."""
    data = load_emoji(*small_data)
    folder = tmp_path_factory.mktemp("own") / "my pictures"
    folder.mkdir()
    for k in range(120):
        size = (24, 20) if k % 2 else (20, 24)
        Image.fromarray(data.images[k]).resize(size).save(folder / f"{k:03}.png")
        caption = f"a picture of {data.names[data.concept[k]]}"
        (folder / f"{k:03}.txt").write_text(caption)
    return folder


@pytest.fixture
def small(tiny, own):
    """A function (options) -> configuration of a run on that folder."""

    def make(folder="run", **options):
        options = {"data": own, "concepts": None, "val_share": 0.2, "epochs": 1} | options
        return tiny(folder, **options)

    return make


def test_a_share_is_held_out_by_names_alone_and_never_trained_on(own):
    folder = Folder(own)
    sides = [Part(folder, 0.2, held_out=held) for held in (True, False)]
    held, trained = ({p.key for p in side.in_order() if isinstance(p, Pair)} for side in sides)
    assert held | trained == {p.key for p in folder.in_order()}
    assert not held & trained
    assert [side.count() for side in sides] == [len(held), len(trained)]
    # 24 expected of 120, with a standard deviation of 4.4.
    assert 10 <= len(held) <= 38
    # In every lane of a pass, in any order.
    seen = set()
    for lane in range(3):
        rng = np.random.default_rng(0)
        seen |= {p.key for p in sides[1].one_pass(lane, 3, rng, 8) if isinstance(p, Pair)}
    assert seen == trained
    # A larger share holds out more, and none of them less.
    assert held <= {key for key in held | trained if is_held_out(key, 0.5)}


def test_pictures_of_equal_captions_are_one_concept(own, tmp_path):
    found = load_pairs(Folder(own), size=16)
    data = found.data
    captions = [pair.captions[0] for pair in found.pairs]
    assert [data.names[c] for c in data.concept] == captions
    assert len(data.names) == len(set(captions)) < len(captions)
    assert data.images.shape == (120, 16, 16, 3)
    some = load_pairs(Folder(own), size=16, most=7)
    assert {p.key for p in some.pairs} < {p.key for p in found.pairs}
    assert len(some.data) == 7
    bad = shutil.copytree(own, tmp_path / "bad")
    (bad / "005.png").write_text("no picture")
    assert len(load_pairs(Folder(bad), size=16).data) == 119


def test_every_command_works_on_a_run_of_a_folder(small, own, tmp_path, capsys):
    config = small()
    words = ["train", "--out", str(config.out), "--data", str(own), "--epochs", "1"]
    words += ["--val-share", "0.2", "--embed-dim", "8", "--text.layers", "0", "--text.width", "16"]
    words += ["--image.size", "16", "--image.widths", "8", "16", "--image.blocks", "0", "0"]
    assert main([*words, "--image.group", "8", "--text.vocabulary", "300"]) == 0
    told = capsys.readouterr()
    trained = Part(Folder(own), 0.2, held_out=False).count()
    assert f"batch_size is 256 with {trained} training pictures: batches of" in told.err
    *_, commands = told.out.partition("Next: ")
    for command in commands.strip().split("; "):
        _, name, *rest = command.split()
        assert main([name, *rest]) == 0, command
    out = capsys.readouterr().out
    assert f"held out: {120 - trained} pictures" in out
    assert "seen in training: no, held out by val_share 0.2" in out
    drawn = [Path(line.removeprefix("Drawn: ")) for line in out.splitlines() if "Drawn" in line]
    assert len(drawn) == 6
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in drawn)
    assert main(["rank", str(config.out), str(own / "000.png"), "a", "b"]) == 0

    features = tmp_path / "f.npz"
    assert main(["features", "--run", str(config.out), "--out", str(features)]) == 0
    judged = tmp_path / "p"
    words = [str(features), "--run", str(config.out), "--out", str(judged), "--epochs", "1"]
    assert main(["probvlm", *words, "--head-epochs", "1", "--methods", "gaussian", "pfe"]) == 0
    out = capsys.readouterr().out
    assert "covered: the share inside the central intervals" in out
    pictures = json.loads((judged / "probvlm.json").read_text())["pictures"]
    assert sum(pictures.values()) == 120
    assert pictures["test"] > 0
    for name in ("reliability.png", "risk_coverage.png", "certainty.png"):
        assert (judged / name).read_bytes()[:4] == b"\x89PNG"


def test_moved_data_are_the_runs_own_and_others_are_not(small, own, tmp_path):
    config = small()
    assert train(config)
    run = load_run(config.out)
    here = evaluate(run)
    moved = shutil.copytree(own, tmp_path / "moved")
    there = evaluate(run, data=moved)
    assert there["tests"] == here["tests"]
    assert there["seen in training"] == "no, held out by val_share 0.2"
    (moved / "000.txt").write_text("another caption")
    other = evaluate(run, data=moved)
    assert other["tests"]["pictures"]["pictures"] == 120
    assert other["seen in training"].startswith("unknown")


def test_data_that_are_gone_are_asked_for_by_name(small, own, tmp_path, capsys):
    data = shutil.copytree(own, tmp_path / "data")
    config = small(data=data)
    assert train(config)
    shutil.rmtree(data)
    assert main(["evaluate", str(config.out)]) == 1
    assert "where it is now can be given by --data" in capsys.readouterr().err
    assert main(["evaluate", str(config.out), "--data", str(own)]) == 0
    assert "held out by val_share" in capsys.readouterr().out


def test_other_pairs_can_be_named_to_evaluate_on(small, own, tmp_path):
    val = tmp_path / "val"
    val.mkdir()
    for k in range(9):
        for suffix in (".png", ".txt"):
            shutil.copy(own / f"{k:03}{suffix}", val)
    config = small(val=val)
    assert train(config)
    result = evaluate(load_run(config.out))
    assert {name: t["pictures"] for name, t in result["tests"].items()} == {"val": 9}
    with pytest.raises(ValueError, match=r"val is .* without data that are a folder or shards"):
        dataclasses.replace(config, data=None)


def test_uncertainty_is_tested_on_the_pairs_that_val_named(small, own, tmp_path, capsys):
    val = tmp_path / "val"
    val.mkdir()
    for k in range(30):  # of the names of training pictures; every second one of their captions
        shutil.copy(own / f"{k:03}.png", val)
        caption = f"something new, number {k}" if k % 2 else (own / f"{k:03}.txt").read_text()
        (val / f"{k:03}.txt").write_text(caption)
    config = small(val=val)
    assert train(config)
    data = all_pictures(load_run(config.out))
    assert len(data) == 150
    tested = [c.name for c in data.concepts if c.split == "test"]
    assert tested == [f"something new, number {k}" for k in range(1, 30, 2)]
    assert "uncertainty" not in capsys.readouterr().err
    for k in range(30):
        (val / f"{k:03}.txt").write_text((own / f"{k:03}.txt").read_text())
    assert any(c.split == "test" for c in all_pictures(load_run(config.out)).concepts)
    assert "Captions of held-out pictures are those of training" in capsys.readouterr().err


def test_a_run_of_before_shares_held_nothing_out(small):
    config = small()
    assert train(config)
    path = config.out / "config.json"
    raw = json.loads(path.read_text())
    del raw["val_share"], raw["val"]
    path.write_text(json.dumps(raw))
    with pytest.raises(ValueError, match="trained on all pairs of its data: val_share is 0"):
        evaluate(load_run(config.out))


def test_recall_at_chance_is_said_and_a_better_one_is_not(small):
    config = small(epochs=1, lr=1e-9)
    assert train(config)
    result = evaluate(load_run(config.out))
    assert result["tests"]["held out"]["at chance"]
    assert AT_CHANCE in as_table(result)
    for test in result["tests"].values():
        for key in ("image to text, by id", "text to image, by id"):
            test[key]["recall"] = dict.fromkeys(test[key]["recall"], 1.0)
    result["tests"]["held out"]["at chance"] = False
    assert AT_CHANCE not in as_table(result)


def test_too_few_pictures_to_contrast_are_refused(small, own, tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    for suffix in (".png", ".txt"):
        shutil.copy(own / f"000{suffix}", one)
    config = small(data=one, val_share=0.0)
    with pytest.raises(ValueError, match=r"with 1 training pictures; .* at least two"):
        train(config)
    assert not (config.out / MODEL).exists()


def test_shards_are_not_written_among_pictures(own, capsys):
    for words in ([], ["--data", str(own)]):
        assert main(["shards", "--out", str(own), *words]) == 1
        assert "holds pictures (000.png); name another folder" in capsys.readouterr().err
    assert not list(own.glob("*.tar"))


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--data", "nowhere", "--out"],
        ["shards", "--data", "nowhere", "--out"],
        ["probvlm", "nowhere.npz", "--out"],
        ["features", "--data", "nowhere.npz", "--run", "nowhere", "--out"],
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_cannot_be_written_is_told_before_data_are_read(words, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*words, str(tmp_path / "file" / "x" / "y")]) == 1
    assert "expected a folder, or a place to make one in, got" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    ["train", "evaluate", "plot", "traverse", "rank", "features", "probvlm", "shards", "embed"],
)
def test_help_says_what_is_taken_in_place_of_none(command, capsys):
    assert main([command, "--help"]) == 0
    assert "None" not in capsys.readouterr().out


def test_commands_are_said_as_they_can_be_typed(monkeypatch, tmp_path):
    script = tmp_path / "bin" / "spaceforms"
    script.parent.mkdir()
    script.write_text("")
    script.chmod(0o755)
    monkeypatch.setattr(program_module.sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == str(script)
    words = "Next: spaceforms evaluate run; see `spaceforms.datasets.Folder`"
    assert spoken(words) == words.replace("spaceforms evaluate", f"{script} evaluate")
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "spaceforms"
    monkeypatch.setattr(program_module.sys, "argv", ["/x/pytest"])
    assert spoken(words) == words


def test_what_the_first_page_shows_of_a_run_in_python_is_run(small, own, tmp_path, monkeypatch):
    assert train(small("runs/own"))
    for name in ("new.png", "other.jpg"):
        Image.open(own / "007.png").resize((90, 60)).save(tmp_path / name)
    page = Path(__file__).resolve().parents[2] / "docs" / "guides" / "start.md"
    _, block = page.read_text().split("```py\n")
    monkeypatch.chdir(tmp_path)
    exec(block.split("```")[0], {})


def test_a_run_may_lie_in_the_folder_of_its_data_and_not_be_it(small, own, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(own, data)
    with pytest.raises(ValueError, match=r"the folder of the data; expected one of its own, such"):
        train(small(data=data, out=data))
    config = small(data=data, out=data / "run")
    assert train(config)
    assert f"{data}: about 20% are held out to evaluate on (--val-share); " in (
        capsys.readouterr().err
    )
    shutil.copy(own / "000.png", config.out / "drawn.png")
    assert not any(isinstance(item, Fault) for item in Folder(data).in_order())
    assert main(["rank", str(config.out), "nowhere.png", "a"]) == 1
    assert capsys.readouterr().out == ""  # no head of a table


def test_folders_of_classes_are_trained_on_and_said(small_data, tiny, tmp_path, capsys):
    data = load_emoji(*small_data)
    for k in range(16):
        folder = tmp_path / "classes" / ("red_fox", "house")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.images[k]).save(folder / f"{k}.png")
    train(tiny(data=tmp_path / "classes", concepts=None, val_share=0.0, epochs=1, batch_size=8))
    said = "2 folders were taken for classes, and their names for captions ('house', 'red fox')."
    assert said in capsys.readouterr().err
