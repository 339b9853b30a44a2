"""The page of results and its pictures: python experiments/report.py [RESULTS] [--page FILE]

RESULTS is a folder of the files that run.py writes. Nothing on the page is typed by hand: summary,
tables, verdicts and pictures are made from the files and from the experiments' own TOML.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import claims
import numpy as np
import plan
from compare import Difference, Runs, select, value
from numpy.typing import NDArray
from picture import draw, draw_against

Results = dict[str, dict[str, Any]]
Judged = list[tuple[str, claims.Claim, Difference | None, str]]
HEAD = """# Results

What was asked of the models, beforehand but where a claim says otherwise, and what came out.
Written by `python experiments/report.py` from the files of `python experiments/run.py`; nothing on
this page is typed by hand.
"""
LIMITS = """
## What this cannot show

- The pictures are emoji, a few thousand and small, and the encoders are small too: a result here
  says how the geometries and losses behave on this data under one budget, not what they do at the
  papers' size. A claim that does not hold here is not refuted there.
- A claim "holds" when the whole 95 % interval lies on its side of the margin, "does not hold" when
  it lies on the other, and is "not decided" otherwise; fewer than five seeds decide nothing. Each
  claim is judged by itself: of forty with nothing behind them one would hold by accident. Where
  more seeds were run because of what the first ones said, the later ones alone judge.
- What is not decided says how many seeds would decide it in four of five cases, were its difference
  and its spread over seeds as measured (the formula is in experiments/compare.py). Where that is
  more than a thousand the difference lies on the margin, or other concepts alone could turn it.
- Intervals are Student's over seeds; those of recall (R@k) take in that other concepts could have
  been held out. Both variants of a pair have the same seed.
"""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", nargs="?", type=Path, default=plan.HERE / "results")
    parser.add_argument("--page", type=Path, default=plan.HERE.parent / "docs" / "results.md")
    options = parser.parse_args()
    found = read(options.results)
    if not found:
        parser.error(f"{options.results} has no results; expected those of experiments/run.py.")
    try:
        text = page(found, options.page.parent)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    options.page.write_text(text, encoding="utf-8")
    print(f"Written: {options.page}")


def read(folder: Path) -> Results:
    """The results of a folder by the name of their experiment, in the order of their titles."""
    files = folder.glob("*.json")
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    for name, result in found.items():  # as planned now, which may be more than when they ran
        result["planned"] = len(plan.read(name, quick=result["quick"]).runs)
    return dict(sorted(found.items(), key=lambda item: item[1]["title"]))


def page(found: Results, folder: Path) -> str:
    """The text of the page; its pictures are written into ``folder``/_static."""
    judged = [
        (result["title"].partition(".")[0], claim, *claim.judge(result["runs"]))
        for name, result in found.items()
        for claim in claims.read(name)
    ]
    sections = [section(name, result, folder) for name, result in found.items()]
    return HEAD + summary(found, judged) + LIMITS + claim_table(judged) + "".join(sections)


def summary(found: Results, judged: Judged) -> str:
    """What a reader in a hurry wants: the claims by verdict, and what was not run."""
    lines = ["\n## In short\n"]
    if any(result["quick"] for result in found.values()):
        lines.append("This is the cut-down set: it shows that all of it runs, and little more.\n")
    for verdict in claims.VERDICTS:
        texts = [f"- {tag}: {c.text}. *{c.source}*" for tag, c, _, v in judged if v == verdict]
        if texts:
            title = f"**{verdict.capitalize()}** ({len(texts)} of {len(judged)} claims)"
            lines += [f"{title}:\n", *texts, ""]
    for name, result in found.items():
        if len(result["runs"]) < result["planned"]:
            lines.append(f"**Partial**: {name}, {extent(result)}.\n")
    if absent := [name for name in plan.names() if name not in found]:
        lines.append(f"**Without results**: {', '.join(absent)}.\n")
    return "\n".join(lines).rstrip() + "\n"


def extent(result: dict[str, Any]) -> str:
    """How many of the planned runs there are, and what became of the others."""
    runs, failed, planned = len(result["runs"]), len(result["failed"]), result["planned"]
    late = planned - runs - failed
    return (
        f"{runs} of {planned} planned runs"
        + f", {failed} failed" * bool(failed)
        + f", {late} not begun for want of time" * bool(late)
    )


def claim_table(judged: Judged) -> str:
    """Claims, what was measured, and the verdict."""
    rows = [
        (
            *(tag, c.text, c.source, f"{measured(found)}{': ' * bool(found)}{c.compared}"),
            *(verdict, c.needs(found, verdict)),
        )
        for tag, c, found, verdict in judged
    ]
    head = ("", "claim", "source", "measured: difference, 95 % interval", "verdict", "seeds needed")
    return "\n## Claims\n\n" + table(head, rows)


def measured(found: Difference | None) -> str:
    """A difference with its interval and its seeds."""
    if found is None:
        return ""
    interval = f" [{found.low:+.3f}, {found.high:+.3f}]" * (found.seeds > 1)
    return f"{found.mean:+.3f}{interval}, {found.seeds} seed{'s' * (found.seeds > 1)}"


def drawn(path: Path, runs: Runs, figure: str, against: Sequence[str] = ()) -> bool:
    """Whether there was something to draw of the figure, over the grid or against other figures."""
    return draw_against(path, runs, figure, against) if against else draw(path, runs, figure)


def section(name: str, result: dict[str, Any], folder: Path) -> str:
    """One experiment: question, all variants at all places, how long it took."""
    content = plan.content(name)
    text = f"\n## {content['title']}\n\n{content['question'].strip()}\n"
    tables = "".join(
        figures(title, columns, result["runs"])
        for title, columns in content.get("tables", {}).items()
    )
    tables += extremes(content.get("over", {}), result["runs"])
    if tried := result.get("tuning"):
        tables += settings(tried, content["tuning"]["figure"])
    path = folder / "_static" / f"results_{name}.svg"
    if "picture" in content and drawn(path, result["runs"], **content["picture"]):
        text += f"\n![{content['picture']['figure']}](_static/{path.name})\n"
        tables = folded("All figures", tables)  # the picture says it at a glance
    text += tables
    reasons = "".join(
        f"\n`{run}` failed: `{(error.splitlines() or ['it did not say why'])[-1]}`.\n"
        for run, error in result["failed"].items()
    )
    return (
        f"{text}\nMean over seeds, ± the standard deviation over seeds. {extent(result)}, together "
        f"{result['seconds'] / 60:.1f} minutes by the clock, one thread each, on "
        f"{result['machine']}, torch {result['torch']}, {result['date']}: "
        f"`python experiments/run.py {name}{' --quick' * result['quick']}`.\n{reasons}"
    )


def figures(title: str, columns: dict[str, str], runs: list[dict[str, Any]]) -> str:
    """A table of figures: each place and variant; no column, row or table of what no run has."""
    columns = {k: c for k, c in columns.items() if known(runs, c).size}
    if not columns:
        return ""
    # Runs that claims compare came first; here the grid has its order.
    places = sorted(
        {json.dumps(r["at"]): r["at"] for r in runs}.values(), key=lambda at: (*at.values(),)
    )
    large = {c for c in columns.values() if np.median(abs(known(runs, c))) >= 10}
    rows = []
    for at in places:
        for variant in dict.fromkeys(r["variant"] for r in runs):
            if chosen := select(runs, variant, at):
                cells = [
                    cell([value(r, c) for r in chosen.values()], digits=2 if c in large else 3)
                    for c in columns.values()
                ]
                place = [str(v) for v in at.values()]
                if any(cells):
                    rows.append((*place, variant, str(len(chosen)), *cells))
    return f"\n**{title}**\n\n" + table((*places[0], "variant", "seeds", *columns), rows)


def extremes(columns: dict[str, str], runs: list[dict[str, Any]]) -> str:
    """Of figures: each variant's mean over the places of the grid, and its best and worst place.

    The figure of a place is its mean over seeds.
    """
    rows = []
    for variant in dict.fromkeys(r["variant"] for r in runs):
        own = [r for r in runs if r["variant"] == variant]
        for heading, column in columns.items():
            each: dict[str, list[float]] = {}
            for r in own:
                if np.isfinite(v := value(r, column)):
                    each.setdefault(", ".join(map(str, r["at"].values())), []).append(v)
            if each:
                means = {place: float(np.mean(values)) for place, values in each.items()}
                best, worst = (pick(means, key=lambda p: means[p]) for pick in (max, min))
                ends = [f"{means[place]:.3f} ({place})" for place in (best, worst)]
                mean = f"{np.mean([*means.values()]):.3f}"
                rows.append((heading, variant, str(len(means)), mean, *ends))
    if not rows:
        return ""
    rows.sort(key=lambda row: [*columns].index(row[0]))
    places = " x ".join(runs[0]["at"])
    head = ("", "variant", f"of {places}", "mean", "best", "worst")
    return f"\n**Over {places}**\n\n" + table(head, rows)


def settings(tried: list[dict[str, Any]], figure: str) -> str:
    """What was tried for each variant at each place, and what was best."""
    rows = []
    for key in dict.fromkeys(json.dumps([t["at"], t["variant"]]) for t in tried):
        at, variant = json.loads(key)
        own = [t for t in tried if t["at"] == at and t["variant"] == variant]
        best = max(own, key=lambda t: t["value"])
        others = sorted(t["value"] for t in own)
        words = ", ".join(f"{k} {v:g}" for k, v in best["setting"].items())
        spread = f"{others[0]:.3f} to {others[-1]:.3f}"
        rows.append((*map(str, at.values()), variant, str(len(own)), words, spread))
    rows.sort()
    head = (*tried[0]["at"], "variant", "settings tried", "chosen", f"{figure}, worst to best")
    return (
        "\n**Settings**, chosen for each variant at each place by one run each, on what no other "
        "table shows\n\n" + table(head, rows)
    )


def known(runs: list[dict[str, Any]], figure: str) -> NDArray[np.float64]:
    """A figure of the runs that have it."""
    values = np.array([value(r, figure) for r in runs])
    return values[np.isfinite(values)]


def cell(values: list[float], *, digits: int) -> str:
    """Mean and standard deviation over seeds, and how many have the figure if not all have.

    What is the same for all seeds, as chance is, stands alone.
    """
    have = [v for v in values if np.isfinite(v)]
    if not have:
        return ""
    spread = f" ± {np.std(have, ddof=1):.{digits}f}" if len({*have}) > 1 else ""
    few = f" ({len(have)} of {len(values)})" if len(have) < len(values) else ""
    return f"{np.mean(have):.{digits}f}{spread}{few}"


def folded(title: str, text: str) -> str:
    """Text that a reader opens by a click."""
    return f"\n<details><summary>{title}</summary>\n{text}\n</details>\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    text = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    # A mean and its spread, or two figures of one cell, stay on one line.
    return re.sub(r"(?<=\d) ([±/]) (?=[\d.])", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)


if __name__ == "__main__":
    main()
