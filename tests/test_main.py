"""The command line, up to the door of each command."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import spaceforms
from spaceforms import __main__ as command_line

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand-ins for the commands, which are imported by name when one is called."""
    module = SimpleNamespace()
    rooms = dict.fromkeys(("spaceforms.models.cli", "spaceforms.validation.cli"), module)
    monkeypatch.setattr(importlib, "import_module", rooms.__getitem__)
    return module


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([flag]) == 0
    out = capsys.readouterr().out
    for name, line in command_line.COMMANDS.items():
        assert f"{name} " in out
        assert line in out


def test_no_command_prints_the_help_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage:")


def test_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--version"]) == 0
    assert capsys.readouterr().out == f"spaceforms {spaceforms.__version__}\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trian", "there is no command 'trian'; did you mean 'train'? The commands are train,"),
        ("xyz", "there is no command 'xyz'. The commands are train,"),
        ("--verbose", "there is no option '--verbose'."),
    ],
)
def test_an_unknown_word_gets_a_sentence(
    name: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([name]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_a_command_gets_the_words_after_it_and_gives_the_status(
    name: str, commands: SimpleNamespace
) -> None:
    seen: list[list[str]] = []

    def run(words: list[str]) -> int:
        seen.append(words)
        return 3

    setattr(commands, name, run)
    assert command_line.main([name, "--help", "x"]) == 3
    assert seen == [["--help", "x"]]


@pytest.mark.parametrize("package", ["tyro", "matplotlib.pyplot", "geoopt"])
def test_a_missing_extra_is_named(
    package: str, commands: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(words: list[str]) -> int:
        raise ModuleNotFoundError(f"No module named '{package}'", name=package)

    commands.train = train
    assert command_line.main(["train"]) == 2
    err = capsys.readouterr().err
    assert f"needs the package {package.partition('.')[0]}," in err
    extras = "train,plot,optim" if package == "geoopt" else "train,plot"
    assert f'pip install "spaceforms[{extras}]"' in err


def test_a_broken_import_of_our_own_is_not_blamed_on_an_extra(commands: SimpleNamespace) -> None:
    def train(words: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'spaceforms.oops'", name="spaceforms.oops")

    commands.train = train
    with pytest.raises(ModuleNotFoundError, match="oops"):
        command_line.main(["train"])


def test_the_table_of_extras_agrees_with_the_package() -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    for package, extra in command_line.EXTRA_OF.items():
        known = {"mpl_toolkits": "matplotlib", "PIL": "pillow"}
        distribution = known.get(package, package.replace("_", "-"))
        assert any(requirement.startswith(distribution) for requirement in extras[extra])


@pytest.mark.parametrize(
    "start",
    [
        [sys.executable, "-m", "spaceforms"],
        [str(Path(sys.executable).with_name("spaceforms"))],
    ],
    ids=["module", "script"],
)
def test_both_ways_to_start_it_work(start: list[str]) -> None:
    result = subprocess.run([*start, "--help"], capture_output=True, text=True, check=True)
    assert "evaluate" in result.stdout
    assert result.stderr == ""


def test_a_missing_module_without_a_name_is_not_explained_away(commands: SimpleNamespace) -> None:
    def broken(words: list[str]) -> int:
        raise ModuleNotFoundError("something is missing")

    commands.train = broken
    with pytest.raises(ModuleNotFoundError, match=r"^something is missing$"):
        command_line.main(["train"])
