"""The page, from results of a test's own: every run and verdict is on it, and nothing else."""

import json
import re
import sys
from xml.etree import ElementTree

import claims
import numpy as np
import pytest
import report

TOML = """
title = "P0. Of the test"
question = "Which is ahead?"
kind = "train"
seeds = [0, 1, 2, 3, 4]

[grid]
embed_dim = [4, 64]

[variants]
a = { model = "meru" }
b = { model = "clip" }

[picture]
figure = "score"

[tables."Scores"]
points = "score"
never = "not measured by any run"

[tables."Of nothing"]
other = "not measured either"

[[claims]]
source = "paper, table 1"
text = "a is ahead"
better = "a"
than = "b"
figure = "score"
at = { embed_dim = 4 }

[[claims]]
source = "paper, table 2"
text = "a is ahead at a large width too"
better = "a"
than = "b"
figure = "score"
at = { embed_dim = 64 }

[[claims]]
source = "paper, table 3"
text = "a costs less"
better = "a"
than = "b"
lower = true
figure = "cost"
at = { embed_dim = 4 }

[[claims]]
source = "theory"
text = "b is at one half (within 0.1)"
of = "b"
equals = 0.5
margin = 0.1
figure = "score"
at = { embed_dim = 4 }

[[claims]]
source = "nobody"
text = "what nobody measured"
better = "a"
than = "b"
figure = "another"
at = { embed_dim = 4 }
"""
# By variant and width, seed after seed.
SCORES = {
    ("a", 4): [0.61, 0.62, 0.63, 0.64, 0.65],
    ("b", 4): [0.51, 0.52, 0.53, 0.54, 0.55],
    ("a", 64): [0.70, 0.90, 0.80, 0.85],  # one of five failed
    ("b", 64): [0.71, 0.72, 0.81],  # and two were not begun
}


def result(make_run, **more):
    """Results as run.py writes them."""
    runs = [
        make_run(
            v, seed, at={"embed_dim": w}, score=x, **({"cost": ord(v) + seed} if w == 4 else {})
        )
        for (v, w), each in SCORES.items()
        for seed, x in enumerate(each)
    ]
    return {
        "title": "P0. Of the test",
        "question": "Which is ahead?",
        "quick": False,
        "date": "2026-01-02",
        "torch": "2.0",
        "machine": "1 core",
        "seconds": 600,
        "planned": 20,
        "runs": runs,
        "failed": {"a-embed_dim64-seed4": "Traceback\nRuntimeError: no | memory"},
    } | more


@pytest.fixture
def page(write, make_run, tmp_path):
    write(TOML, "own")
    write(TOML, "unrun")
    return report.page({"own": result(make_run)}, tmp_path)


def rows(page, after):
    """The cells of the first table after a text."""
    table = re.search(r"^\|.*?(?=^[^|])", page[page.index(after) :], re.MULTILINE | re.DOTALL)[0]
    return [[c.strip() for c in line.strip("|\n").split(" | ")] for line in table.splitlines()]


def test_claims_stand_with_difference_interval_seeds_and_verdict(page):
    claims = {row[1]: row[2:] for row in rows(page, "## Claims")[2:]}
    assert list(claims) == [
        *("a is ahead", "a is ahead at a large width too", "a costs less"),
        *("b is at one half (within 0.1)", "what nobody measured"),
    ]
    source, measured, verdict, needed = claims["a is ahead"]
    assert (source, verdict, needed) == ("paper, table 1", "holds", "")
    assert measured == "+0.100 [+0.100, +0.100], 5 seeds: a less b, `score`, embed_dim = 4"
    # Three pairs: -0.01, 0.18, -0.01. Student's quantile for two degrees of freedom is 4.3027.
    each = np.array([-0.01, 0.18, -0.01])
    half = 4.302652729911275 * each.std(ddof=1) / 3**0.5
    _, measured, verdict, needed = claims["a is ahead at a large width too"]
    assert verdict == "too few seeds"
    # The mean is 0.0533 and the spread 0.1097: with 36 seeds the quantiles are 2.030 and 0.852.
    assert needed == "about 36"
    assert (2.030 + 0.852) * 0.1097 / 36**0.5 < 0.0533 < (2.032 + 0.852) * 0.1097 / 35**0.5
    interval = f"[{each.mean() - half:+.3f}, {each.mean() + half:+.3f}]"
    assert measured.startswith(f"{each.mean():+.3f} {interval}, 3 seeds: ")
    assert claims["a costs less"][1].startswith(
        "+1.000 [+1.000, +1.000], 5 seeds: b less a, `cost`"
    )
    assert claims["a costs less"][2] == "holds"
    # 0.53 less 0.5, and 2.776 (four degrees of freedom) times the standard error 0.0158 / sqrt 5.
    _, measured, verdict, _ = claims["b is at one half (within 0.1)"]
    assert measured.startswith("+0.030 [+0.010, +0.050], 5 seeds: b less 0.5, `score`")
    assert verdict == "holds"
    assert claims["what nobody measured"][1:] == [
        "a less b, `another`, embed_dim = 4",
        "not measured",
        "",
    ]


def test_the_summary_names_each_claim_under_its_verdict_and_what_was_not_run(page):
    summary = page[page.index("## In short") : page.index("## What this cannot show")]
    parts = re.split(r"^\*\*(.*?)\*\*", summary, flags=re.MULTILINE)[1:]
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    assert list(found) == [
        *("Holds", "Too few seeds", "Not measured", "Partial", "Without results")
    ]
    assert found["Holds"].startswith(" (3 of 5 claims):")
    assert (
        "- P0: a is ahead. *paper, table 1*\n- P0: a costs less. *paper, table 3*\n"
        in found["Holds"]
    )
    assert "large width" in found["Too few seeds"]
    assert "what nobody measured" in found["Not measured"]
    wanted = "own, 17 of 20 planned runs, 1 failed, 2 not begun for want of time."
    assert found["Partial"].strip(": \n") == wanted
    assert found["Without results"].strip(": \n") == "unrun."


def test_every_run_counts_in_its_table_and_columns_of_nothing_are_left_out(page):
    table = rows(page, "**Scores**")
    assert table[0] == ["embed_dim", "variant", "seeds", "points"]
    for width, variant, seeds, cell in table[2:]:
        scores = SCORES[variant, int(width)]
        assert int(seeds) == len(scores)
        assert cell.split() == [f"{np.mean(scores):.3f}", "±", f"{np.std(scores, ddof=1):.3f}"]
    assert len(table[2:]) == len(SCORES)
    assert "Of nothing" not in page


def test_rows_have_the_order_of_the_grid_and_those_of_nothing_are_left_out():
    def run(place, variant, **values):
        return {
            "variant": variant,
            "at": {"dim": place},
            "seed": 0,
            "figures": {"ranks": {}, "values": values},
        }

    runs = [run(16, "a", x=123.456), run(16, "b"), run(2, "a", x=1.0), run(2, "b", x=120.0)]
    text = report.figures("T", {"score": "x", "none": "y"}, runs)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == ["dim", "variant", "seeds", "score"]
    # Large numbers have fewer digits, the same all down a column.
    assert rows[2:] == [
        ["2", "a", "1", "1.00"],
        ["2", "b", "1", "120.00"],
        ["16", "a", "1", "123.46"],
    ]


def test_seeds_that_were_looked_at_do_not_judge(write, make_run):
    write(TOML.replace("[[claims]]", "[[claims]]\nafter = 3", 1))
    claim, *_ = claims.read("own")
    found, verdict = claim.judge(result(make_run)["runs"])
    assert (found.seeds, verdict) == (2, "too few seeds")
    assert claim.compared.endswith(", seeds from 3 on")


def test_a_failed_run_is_named_with_what_it_said(page):
    assert "`a-embed_dim64-seed4` failed: `RuntimeError: no | memory`." in page


def test_a_figure_that_some_runs_lack_is_counted():
    nan = float("nan")
    assert report.cell([1.0, nan, 3.0], digits=3) == "2.000 ± 1.414 (2 of 3)"
    assert report.cell([nan], digits=3) == ""
    assert report.cell([0.25], digits=3) == "0.250"
    assert report.cell([123.456, 123.456], digits=2) == "123.46"


def test_the_cut_down_set_and_a_single_seed_say_so(write, make_run, tmp_path):
    write(TOML)
    whole = result(make_run)
    runs = [run for run in whole["runs"] if run["seed"] == 0]
    text = report.page({"own": whole | {"quick": True, "runs": runs, "planned": 4}}, tmp_path)
    assert "This is the cut-down set" in text
    assert "run.py own --quick" in text
    claims = {row[1]: row[2:] for row in rows(text, "## Claims")[2:]}
    assert claims["a is ahead"][1].startswith("+0.100, 1 seed: ")
    assert claims["a is ahead"][2] == "too few seeds"
    assert {row[2] for row in claims.values()} == {"too few seeds", "not measured"}
    assert {row[2] for row in rows(text, "**Scores**")[2:]} == {"1"}


def test_the_picture_is_drawn_where_the_grid_is_a_line(page, make_run, write, tmp_path):
    assert "![score](_static/results_own.svg)" in page
    path = tmp_path / "_static" / "results_own.svg"
    first = path.read_bytes()
    words = {e.text for e in ElementTree.fromstring(first).iter() if e.tag.endswith("text")}
    assert {"a", "b", "embed_dim", "score", "4", "64"} <= words
    assert len(first) < 40_000
    # The same results, the same file: no date, no random names.
    report.page({"own": result(make_run)}, tmp_path)
    assert path.read_bytes() == first
    path.unlink()
    runs = [run for run in result(make_run)["runs"] if run["at"]["embed_dim"] == 4]
    assert "_static" not in report.page({"own": result(make_run, runs=runs)}, tmp_path)
    assert not path.exists()


def test_figures_are_drawn_against_others_a_mark_a_variant(make_run, tmp_path):
    runs = result(make_run)["runs"]
    path = tmp_path / "against.svg"
    assert report.drawn(path, runs, "score", ["cost", "score"])
    root = ElementTree.fromstring(path.read_bytes())
    words = {e.text for e in root.iter() if e.tag.endswith("text")}
    assert {"a", "b", "cost", "score"} <= words
    path.unlink()
    assert not report.drawn(path, runs, "score", ["cost", "no such figure"])
    assert not path.exists()


def test_the_command_reads_a_folder_and_writes_the_page(
    page, make_run, tmp_path, monkeypatch, capsys
):
    (tmp_path / "results").mkdir()
    command = ["report.py", str(tmp_path / "results"), "--page", str(tmp_path / "page.md")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit):
        report.main()
    assert "has no results; expected those of" in capsys.readouterr().err
    (tmp_path / "results" / "own.json").write_text(json.dumps(result(make_run)))
    report.main()
    assert (tmp_path / "page.md").read_text() == page


def test_settings_that_were_tried_stand_with_the_one_that_was_chosen(write, make_run, tmp_path):
    tuning = '[tuning]\nfigure = "score"\nseed = 9\noptions = {}\ngrid = { lr = [1, 2] }\n'
    write(TOML + tuning, "own")
    tried = [
        {"variant": v, "at": {"embed_dim": 4}, "setting": {"lr": lr}, "value": value}
        for v, lr, value in (("a", 1, 0.25), ("a", 2, 0.5), ("b", 1, 0.75))
    ]
    text = report.page({"own": result(make_run, tuning=tried)}, tmp_path)
    assert rows(text, "**Settings**")[2:] == [
        ["4", "a", "2", "lr 2", "0.250 to 0.500"],
        ["4", "b", "1", "lr 1", "0.750 to 0.750"],
    ]


def test_the_mean_the_best_and_the_worst_place_of_each_variant_stand_in_a_table(
    write, make_run, tmp_path
):
    write(TOML.replace("[picture]", '[over]\npoints = "score"\nnever = "unknown"\n\n[picture]'))
    table = rows(report.page({"own": result(make_run)}, tmp_path), "**Over embed_dim**")
    assert table[0] == ["", "variant", "of embed_dim", "mean", "best", "worst"]
    means = {key: np.mean(values) for key, values in SCORES.items()}
    assert table[2:] == [
        [
            *("points", v, "2", f"{(means[v, 4] + means[v, 64]) / 2:.3f}"),
            *(f"{means[v, 64]:.3f} (64)", f"{means[v, 4]:.3f} (4)"),
        ]
        for v in ("a", "b")
    ]
    # Of one place alone both ends are it; runs without the figure count nowhere.
    runs = [r for r in result(make_run)["runs"] if r["at"]["embed_dim"] == 4]
    text = report.extremes({"points": "score"}, runs)
    assert "| points | a | 1 | 0.630 | 0.630 (4) | 0.630 (4) |" in text
    assert report.extremes({"never": "unknown"}, runs) == ""
