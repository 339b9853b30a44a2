"""What the guides show of a terminal is what the commands print, but for numbers."""

import importlib.util
import shlex
import shutil
from pathlib import Path

import pytest

from spaceforms.__main__ import main

DOCS = Path(__file__).resolve().parents[2] / "docs"
SPEC = importlib.util.spec_from_file_location("terminal", DOCS / "terminal.py")
terminal = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(terminal)
PAGE = (DOCS / "guides" / "embed.md").read_text(encoding="utf-8")
BLOCKS = {block["command"]: block["printed"] for block in terminal.BLOCK.finditer(PAGE)}
FAST = [c for c in BLOCKS if c.startswith("spaceforms embed animals") or "--digits" in c]


def test_every_block_of_the_page_that_a_command_prints_names_the_command():
    assert len(BLOCKS) == PAGE.count("```text") > 4
    assert len(FAST) > 1


@pytest.mark.parametrize("command", FAST)
def test_a_command_prints_what_the_page_shows(command, tmp_path, capfd, monkeypatch):
    shutil.copytree(terminal.files_of(PAGE), tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    _, *words = shlex.split(command)
    capfd.readouterr()
    assert main(words) == 0
    printed = capfd.readouterr()
    found = terminal.without_bars(printed.err + printed.out)
    assert terminal.form(found) == terminal.form(BLOCKS[command])


def test_the_form_is_all_but_numbers_and_blanks():
    assert terminal.form("a  1,182  -0.5 s\n") == terminal.form("a 9 0.25 s\n") == "a # # s\n"
    assert terminal.form("a 1\n") != terminal.form("b 1\n")
    assert terminal.without_bars("one\n 5%|  \r 99%|##\r\n\ntwo  \n") == "one\n\ntwo\n"
