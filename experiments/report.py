"""The page of results and its pictures: python experiments/report.py [RESULTS] [--page FILE]

RESULTS is a folder of the files that run.py writes. Nothing on the page is typed by hand: tables,
verdicts and pictures are made from the files and from the claims in the experiments' own TOML.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from compare import difference, distance, select, value
from plan import HERE

RETRIEVAL = tuple(f"{d} R@{k}" for d in ("image to text", "text to image") for k in (1, 5, 10))
COLUMNS = {
    "widths": RETRIEVAL,
    "ablations": (*RETRIEVAL, "curvature"),
    "tcl": (
        *RETRIEVAL,
        *(f"{d}, re-ranked, 1" for d in ("image to text", "text to image")),
        "seconds",
    ),
    "hierarchy": (
        *("image to text R@10", "depth and radius, texts", "depth and radius, pictures, WordNet"),
        *("cones, texts, AUC", "cones, texts, contained", "cones, texts, falsely contained"),
        *("ways to the root, precision", "ways to the root, recall"),
        *("tree, groups, TIE, mean", "tree, groups, Jaccard, mean"),
    ),
    "uncertainty": (
        *(
            "image uncertainty, recall at 1",
            "text uncertainty, recall at 1",
            "intra, NLL",
            "cross, NLL",
        ),
        *("cross, coverage 50%", "cross, coverage 90%", "cross, coverage 95%", "cross, PIT"),
        *("shape, median", "shape, 5%", "shape, 95%"),
        *(
            f"{m} uncertainty, total, {k}"
            for m in ("image", "text")
            for k in ("S", "R2", "-S R2", "p", "AURC")
        ),
        *("image uncertainty, epistemic, -S R2", "text uncertainty, epistemic, -S R2"),
        "frozen pair",
    ),
}
VERDICTS = ("holds", "does not hold", "not decided")
HEAD = """# Results

Written by `python experiments/report.py` from the files of `python experiments/run.py`; nothing on
this page is typed by hand. Every run that was made is in the tables. Mean over seeds, with the
standard deviation over seeds after ±.

"""
LIMITS = """## What this cannot show

The pictures are 5,000 emoji at 16 or 32 pixels and the encoders small: a result here says how the
geometries and losses behave on this data under one budget, not what they do at the papers' size. A
claim "holds" when the whole 95 % interval lies on its side of the margin, "does not hold" when it
lies on the other, and is "not decided" otherwise. Intervals of recall are over concepts, the seeds
as they were; intervals of other figures are over seeds.
"""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", nargs="?", type=Path, default=HERE / "results")
    parser.add_argument("--page", type=Path, default=HERE.parent / "docs" / "results.md")
    options = parser.parse_args()
    files = sorted(options.results.glob("*.json"))
    if not files:
        parser.error(f"{options.results} has no results; expected those of experiments/run.py.")
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    claims = [row for name, result in found.items() for row in claim_rows(name, result)]
    page = HEAD + "## Claims\n\n" + claim_table(claims) + "\n" + LIMITS
    for name, result in found.items():
        page += section(name, result)
    options.page.write_text(page, encoding="utf-8")
    print(f"Written: {options.page}")


def claim_rows(name: str, result: dict[str, Any]) -> list[tuple[str, ...]]:
    """Each claim of an experiment with what was measured."""
    content = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
    rows = []
    for claim in content.get("claims", ()):
        at, figure = claim.get("at", {}), claim["figure"]
        place = "".join(f", {k} = {v}" for k, v in at.items())
        if "equals" in claim:
            found = distance(result["runs"], claim["of"], figure, claim["equals"], at)
            what = f"{figure}: minus the distance of {claim['of']} from {claim['equals']}{place}"
        else:
            one, other = claim["better"], claim.get("than")
            if claim.get("lower"):  # of what should be low, the other's less the better one's
                one, other = other, one
            found = difference(result["runs"], one, other, figure, at)
            what = f"{figure}: {one}{f' less {other}' if other else ''}{place}"
        if found is None:
            rows.append((claim["text"], claim["source"], what, "", "not measured"))
            continue
        numbers = f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}], {found.seeds} seeds"
        verdict = found.verdict(claim.get("margin", 0.0))
        rows.append((claim["text"], claim["source"], what, numbers, verdict))
    return rows


def claim_table(rows: list[tuple[str, ...]]) -> str:
    """Claims as a Markdown table."""
    return table(("claim", "source", "figure", "difference, 95 % interval", "here"), rows)


def section(name: str, result: dict[str, Any]) -> str:
    """One experiment: question, all variants at all places, how long it took."""
    runs = result["runs"]
    columns = [c for c in COLUMNS.get(name, ()) if any(np.isfinite(value(r, c)) for r in runs)]
    places = list({json.dumps(r["at"]): r["at"] for r in runs}.values())
    variants = list(dict.fromkeys(r["variant"] for r in runs))
    rows = []
    for at in places:
        for variant in variants:
            chosen = select(runs, variant, at)
            if chosen:
                where = " ".join(f"{v}" for v in at.values())
                cells = [cell([value(r, c) for r in chosen.values()]) for c in columns]
                rows.append((where, variant, str(len(chosen)), *cells))
    over = ", ".join(places[0]) if places else ""
    failed = "".join(f"\n`{run}` failed.\n" for run in result["failed"])
    size = "The cut-down set: " if result["quick"] else ""
    return (
        f"\n## {result['title']}\n\n{result['question']}\n\n"
        + table((over, "variant", "seeds", *columns), rows)
        + f"\n{size}{len(runs)} of {result['planned']} planned runs, together "
        f"{result['seconds'] / 60:.0f} minutes of one core each on "
        f"{result['machine']}, torch {result['torch']}, {result['date']}: "
        f"`python experiments/run.py {name}{' --quick' * result['quick']}`.\n{failed}"
    )


def cell(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    if not np.isfinite(values).all():
        return ""
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    main()
