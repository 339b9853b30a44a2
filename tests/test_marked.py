"""Commands that write a table into a page touch nothing else of it."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "benchmarks/marked.py"


@pytest.fixture(scope="module")
def write_between():
    spec = importlib.util.spec_from_file_location("marked", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_between


def test_what_is_between_the_markers_of_that_name_is_replaced(write_between, tmp_path):
    page = tmp_path / "page.md"
    text = "a\n<!-- x:begin -->\n\n{}\n\n<!-- x:end -->\nb <!-- y:begin -->c<!-- y:end -->"
    page.write_text(text.format("old"))
    write_between(page, "x", "new \\1 table")
    assert page.read_text() == text.format("new \\1 table")


@pytest.mark.parametrize("text", ["", "<!-- x:begin -->", "<!-- x:end --><!-- x:begin -->"])
def test_a_page_without_the_markers_is_refused_and_stays(write_between, tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(ValueError, match="expected one <!-- x:begin -->"):
        write_between(page, "x", "new")
    assert page.read_text() == text
