"""Runs are made, kept, refused and counted; each by a script that stands in for the training."""

import json
import sys

import pytest
import run

PLAN = """
title = "P0"
question = "?"
kind = "train"
seeds = [0, 1]

[variants]
good = {}
"with a space" = { a = { b = 1 } }
"""
# In place of measure.py: what a run does is said by its options.
MEASURE = """
import json, os, sys
from pathlib import Path
folder, task = Path(sys.argv[1]), json.loads(sys.argv[2])
options = task["options"]
with (folder.parent / "made.txt").open("a") as log:
    log.write(folder.name + "\\n")
if options.get("raise") == options["seed"]:
    raise ValueError("seed " + str(options["seed"]) + " does not learn")
if options.get("kill") == options["seed"]:
    os.kill(os.getpid(), 9)
values = {"seconds": 30.0, "score": options["seed"] + 0.5}
content = {"task": task, "figures": {"ranks": {}, "values": values}}
(folder / "figures.json").write_text(json.dumps(content))
"""


@pytest.fixture
def command(write, tmp_path, monkeypatch):
    """A function (plan's text, words) -> exit status and the results written."""
    (tmp_path / "measure.py").write_text(MEASURE)
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results")

    def call(text=PLAN, *words):
        write(text)
        out = ["--out", str(tmp_path / "out"), "--jobs", "2"]
        monkeypatch.setattr(sys, "argv", ["run.py", *out, "own", *words])
        status = run.main()
        return status, json.loads((tmp_path / "results/own.json").read_text())

    return call


def made(tmp_path):
    path = tmp_path / "out/full/own/made.txt"
    return path.read_text().split("\n")[:-1] if path.is_file() else []


def test_all_runs_are_made_once_and_written_in_the_plans_order(command, tmp_path):
    status, found = command()
    assert status == 0
    assert [(r["variant"], r["seed"]) for r in found["runs"]] == [
        (v, s) for s in (0, 1) for v in ("good", "with a space")
    ]
    assert [r["figures"]["values"]["score"] for r in found["runs"]] == [0.5, 0.5, 1.5, 1.5]
    assert (found["planned"], found["seconds"], found["failed"]) == (4, 120, {})
    assert len(made(tmp_path)) == 4
    # What has run is not run again; with other options it is.
    assert command()[1]["runs"] == found["runs"]
    assert len(made(tmp_path)) == 4
    command(PLAN.replace("b = 1", "b = 2"))
    assert sorted(made(tmp_path)[4:]) == ["with a space-seed0", "with a space-seed1"]


def test_a_run_that_fails_is_in_the_results_and_the_others_go_on(command, capsys):
    status, found = command(PLAN.replace("good = {}", "good = { raise = 1 }"))
    assert status == 1
    assert len(found["runs"]) == 3
    assert found["planned"] == 4
    assert list(found["failed"]) == ["good-seed1"]
    assert found["failed"]["good-seed1"].endswith("ValueError: seed 1 does not learn")
    assert "own/good-seed1 failed:" in capsys.readouterr().err


def test_a_run_that_is_killed_says_so(command):
    status, found = command(PLAN.replace("good = {}", "good = { kill = 0 }"))
    assert status == 1
    assert found["failed"] == {"good-seed0": "ended with exit status -9, without a word."}
    assert len(found["runs"]) == 3


def test_figures_that_were_cut_short_fail_their_run_alone(command, tmp_path):
    command()
    (tmp_path / "out/full/own/good-seed0/figures.json").write_text('{"task"')
    status, found = command()
    assert status == 1
    assert list(found["failed"]) == ["good-seed0"]
    assert len(found["runs"]) == 3


def test_after_its_minutes_none_is_begun_and_the_results_say_how_many_were_planned(
    command, tmp_path
):
    status, found = command(PLAN, "--minutes", "0")
    assert status == 0
    assert (found["runs"], found["planned"], found["failed"]) == ([], 4, {})
    assert made(tmp_path) == []
    # What has run already counts, however late it is.
    command()
    assert len(command(PLAN, "--minutes", "0")[1]["runs"]) == 4


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        (PLAN, ["--jobs", "0"], "jobs is 0 and minutes inf; expected at least 1"),
        (PLAN, ["--minutes", "-1"], "minutes -1.0; expected"),
        (PLAN, ["other"], "other: no such experiment"),
        (PLAN.replace("seeds = [0, 1]", "seeds = [0, 0]"), [], "expected a list of different"),
        (PLAN + '[[claims]]\nfigure = "x"', [], "better, source, text is missing"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is(
    command, tmp_path, capsys, text, words, sentence
):
    with pytest.raises(SystemExit):
        command(text, *words)
    assert sentence in capsys.readouterr().err
    assert made(tmp_path) == []


def test_runs_take_the_settings_that_were_best_in_the_tuning(command):
    tuning = """
[tuning]
figure = "score"
seed = 7
options = { probe = true }
grid = { lr = [1, 3, 2] }
"""
    measured = 'options["seed"] + 0.5'
    assert measured in MEASURE
    text = MEASURE.replace(measured, 'options["lr"] * 10 + options["seed"]')
    (run.plan.HERE / "measure.py").write_text(text)
    status, results = command(PLAN + tuning)
    assert status == 0
    assert {t["setting"]["lr"]: t["value"] for t in results["tuning"]} == {1: 17, 3: 37, 2: 27}
    assert len(results["tuning"]) == 6
    assert [r["figures"]["values"]["score"] for r in results["runs"]] == [30, 30, 31, 31]
    assert results["planned"] == 4


def test_what_needs_encoders_that_are_not_installed_is_left_out_and_its_results_stay(
    command, tmp_path, monkeypatch, capsys
):
    text = PLAN.replace('kind = "train"', 'kind = "heads"')
    monkeypatch.setattr(run, "frozen_pair_is_here", lambda: True)
    status, before = command(text)
    assert (status, len(before["runs"])) == (0, 4)
    (tmp_path / "out/full/own/made.txt").unlink()
    monkeypatch.setattr(run, "frozen_pair_is_here", lambda: False)
    assert command(text, "--minutes", "0") == (0, before)
    assert 'own is left out: it needs pip install "spaceforms[frozen]"' in capsys.readouterr().out
    assert made(tmp_path) == []
