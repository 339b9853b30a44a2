"""What commands print, written into the pages that show it.

    python docs/terminal.py [docs/guides/embed.md ...]

A block of text whose first line is a command, ``$ spaceforms ...``, is run and followed by what it
printed on the terminal, less progress bars. Each runs in a folder of its own, beside the files that
the page's first block of Python makes in its ``folder``. Minutes of one core; run it when what a
command prints has changed (tests/models/test_terminal.py says so) and read what it wrote.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGES = (HERE / "guides" / "embed.md",)
BLOCK = re.compile(r"^```text\n\$ (?P<command>.*)\n(?P<printed>(?:.*\n)*?)```$", re.MULTILINE)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BAR = re.compile(r"\d+%\|")


def files_of(page: str) -> Path:
    """The folder of what the first block of Python writes."""
    names: dict[str, Any] = {}
    first = _PYTHON.search(page)
    assert first, "a page with commands begins with a block that writes their files"
    exec(first[1], names)
    folder: Path = names["folder"]
    return folder


def without_bars(printed: str) -> str:
    """Lines as they stand when all is done."""
    lines = []
    for line in printed.split("\n"):
        shown = line.rpartition("\r")[2].rstrip()
        if not _BAR.search(line) and (shown or "\r" not in line):
            lines.append(shown)
    return "\n".join(lines).strip("\n") + "\n"


def run(command: str, files: Path) -> str:
    """What a command prints."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(files, folder, dirs_exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", f"exec 2>&1; {command}"],
            check=False,
            cwd=folder,
            env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout}")
    return without_bars(done.stdout)


def form(printed: str) -> str:
    """What stays the same from machine to machine: all but numbers, and blanks before them."""
    return re.sub(r"[ \t]+", " ", re.sub(r"-?\d[\d.,]*", "#", printed))


def main() -> None:
    """Rewrite the pages."""
    for page in map(Path, sys.argv[1:] or PAGES):
        text = page.read_text(encoding="utf-8")
        files = files_of(text)

        def anew(block: re.Match[str], files: Path = files) -> str:
            print(f"$ {block['command']}", flush=True)
            return f"```text\n$ {block['command']}\n{run(block['command'], files)}```"

        page.write_text(BLOCK.sub(anew, text), encoding="utf-8")


if __name__ == "__main__":
    main()
