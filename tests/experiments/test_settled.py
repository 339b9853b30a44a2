"""The pages on what decides say what the files say, and of what has not run that it has not."""

import json
import statistics
import sys
import tomllib

import plan
import pytest
import settled

RESULTS = plan.HERE / "results"
PAGES = sorted(path.stem for path in settled.DOCS.glob("*.toml"))


def _parts(name):
    return tomllib.loads((settled.DOCS / f"{name}.toml").read_text(encoding="utf-8"))["parts"]


def _written(tmp_path, monkeypatch, names, page="wordnet"):
    results = tmp_path / "results"
    results.mkdir()
    for name in names:
        (results / f"{name}.json").write_text((RESULTS / f"{name}.json").read_text())
    monkeypatch.setattr(sys, "argv", ["settled.py", str(results), "--out", str(tmp_path)])
    settled.main()
    return (tmp_path / f"{page}.md").read_text(encoding="utf-8")


def test_every_sentence_has_the_figures_of_the_files(tmp_path, monkeypatch):
    text = _written(tmp_path, monkeypatch, ["wordnet", "embed"])
    runs = json.loads((RESULTS / "wordnet.json").read_text())["runs"]
    for variant in ("hyperbolic", "flat, bias"):
        for numbers in (3, 5):
            own = [
                r["figures"]["values"]["MAP"]
                for r in runs
                if r["variant"] == variant and r["at"]["numbers"] == numbers
            ]
            assert len(own) == 5
            assert f"{statistics.fmean(own):.3f}" in text.partition("## What was published")[0]
    # What has not run has no sentence and no section, and is named.
    assert "were hidden** hyperbolic" not in text
    assert (
        "Not run yet: `wordnet_hidden`, `wordnet_dimensions`, `closure`, `shares`, `wordnet_nouns`."
        in text
    )
    assert "## All nouns" not in text


def test_the_page_of_nothing_has_the_published_tables_alone(tmp_path, monkeypatch):
    text = _written(tmp_path, monkeypatch, [])
    assert "3542.3\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}.024" in text
    assert all(f"`{name}`" in text for name in _parts("wordnet"))
    assert "1. " not in text.partition("## What was published")[0]


def test_a_figure_that_no_run_has_is_named():
    with pytest.raises(ValueError, match="no run of 'flat' at"):
        settled.mean({"runs": []}, "flat", "MAP", "numbers=3")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_in_the_documentation_is_of_the_results_there(page, tmp_path, monkeypatch):
    names = [name for name in _parts(page) if (RESULTS / f"{name}.json").is_file()]
    written = _written(tmp_path, monkeypatch, names, page)
    there = settled.DOCS / f"{page}.md"
    assert written == there.read_text(encoding="utf-8"), "run python experiments/settled.py"
