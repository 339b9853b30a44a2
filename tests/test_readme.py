"""What is shown is run: the Python blocks of README and docs, and the targets of their links."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not {"_build", "_generated"} & {*page.parts} and page.parent.parent.name != "api"
    ),  # written when the documentation is built
]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_python_blocks_run_from_top_to_bottom_and_print_what_stands_below(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page.read_text()
    namespace: dict[str, object] = {"__name__": "__page__"}
    blocks = r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?"
    for block in re.finditer(blocks, text, re.MULTILINE | re.DOTALL):
        # Blank lines in front, so that a traceback has the page's line numbers.
        lines = text.count("\n", 0, block.start(1))
        capsys.readouterr()
        exec(compile("\n" * lines + block[1], page, "exec"), namespace)
        if block[2] is not None:
            assert capsys.readouterr().out == block[2]


@each_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"<!--.*?-->", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)", text)
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]
