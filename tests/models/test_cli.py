"""The command train: which options a resumed run takes, and what it says of those it cannot."""

import os
import re
import signal

import pytest
from safetensors.torch import load_file

from spaceforms.__main__ import main
from spaceforms.models import train as train_module
from spaceforms.models.checkpoint import MODEL
from spaceforms.models.train import train


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
