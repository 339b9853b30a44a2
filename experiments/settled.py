"""The pages on what decides: python experiments/settled.py [RESULTS] [--out FOLDER]

There is one for each docs/*.toml, which has its words and the published tables; every figure of
ours is read from the files of run.py.
"""

import argparse
import json
import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import claims
import numpy as np
import plan
from compare import value
from report import figures, measured, table

DOCS = plan.HERE.parent / "docs"
FIGURE = re.compile(r"\{\{([^|}]+)\|([^|}]+)\|([^|}]+)\|([^|}]*)\}\}")

CLAIM = re.compile(r"\{\{([^|}]+)\|claim (\d+)\}\}")

Results = dict[str, dict[str, Any]]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", nargs="?", type=Path, default=plan.HERE / "results")
    parser.add_argument("--out", type=Path, default=DOCS, help="the folder of the pages")
    options = parser.parse_args()
    for file in sorted(DOCS.glob("*.toml")):
        words = tomllib.loads(file.read_text(encoding="utf-8"))
        found = {
            name: json.loads(path.read_text(encoding="utf-8"))
            for name in words["parts"]
            if (path := options.results / f"{name}.json").is_file()
        }
        target = options.out / f"{file.stem}.md"
        target.write_text(page(words, found), encoding="utf-8")
        print(f"Written: {target}")


def page(words: dict[str, Any], found: Results) -> str:
    """The text of the page."""
    sentences = [s for text in words["sentences"] if (s := filled(text.strip(), found))]
    decides = "".join(
        f"{k}. {s}\n".replace("\n", "\n   ").rstrip(" ") for k, s in enumerate(sentences, 1)
    )
    others = "".join(
        f"\n**{t['title']}** ({t['source']})\n\n" + table(t["head"], t["rows"])
        for t in words.get("published", ())
    )
    if others:
        others = f"\n## What was published\n{others}"
    ours = "".join(
        part(name, words["parts"][name], result, brief=words.get("brief", False))
        for name, result in found.items()
    )
    absent = [f"`{name}`" for name in words["parts"] if name not in found]
    missing = f"\nNot run yet: {', '.join(absent)}.\n" if absent else ""
    return (
        f"# {words['title']}\n{words['head']}\n## What decides\n\n{decides}"
        f"{others}{ours}{missing}"
        f"\n## What this does not show\n{words['not_shown']}"
    )


def filled(text: str, found: Results) -> str:
    """A sentence with its figures; nothing if one of its experiments has not run."""
    asked = [name for pattern in (FIGURE, CLAIM) for name, *_ in pattern.findall(text)]
    if any(name not in found for name in asked):
        return ""
    text = FIGURE.sub(lambda m: f"{mean(found[m[1]], m[2], m[3], m[4]):.3f}", text)
    text = CLAIM.sub(lambda m: verdict(m[1], int(m[2]), found[m[1]]), text)
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def verdict(name: str, number: int, result: dict[str, Any]) -> str:
    """What was measured of a claim of an experiment, counted from 1, and what came of it."""
    claim = claims.read(name)[number - 1]
    difference, came = claim.judge(result["runs"])
    return f"{measured(difference)}: *{came}*"


def mean(result: dict[str, Any], variant: str, figure: str, place: str) -> float:
    """Of a figure over the seeds of one variant at one place, as "dim=2", or at all.

    Raises:
        ValueError: no run has it.
    """
    key, _, at = place.partition("=")
    runs = [
        r
        for r in result["runs"]
        if r["variant"] == variant and (not place or str(r["at"].get(key)) == at)
    ]
    values = [v for r in runs if np.isfinite(v := value(r, figure))]
    if not values:
        raise ValueError(f"no run of {variant!r} at {place} has {figure!r}; expected one or more.")
    return float(np.mean(values))


def part(name: str, title: str, result: dict[str, Any], *, brief: bool) -> str:
    """One experiment: its tables unless ``brief``, and what was claimed of it beforehand."""
    content = plan.content(name)
    number = content["title"].partition(".")[0]
    text = (
        f"\n## {title} ({number})\n"
        if brief
        else f"\n## {title}\n\n{content['question'].strip()}\n"
    )
    if "picture" in content:  # report.py draws it
        text += f"\n![{content['picture']['figure']}](_static/results_{name}.svg)\n"
    for heading, columns in content["tables"].items():
        text += "" if brief else figures(heading, columns, result["runs"])
    judged = [(claim, *claim.judge(result["runs"])) for claim in claims.read(name)]
    rows = [(c.text, measured(found), v, c.needs(found, v)) for c, found, v in judged]
    text += "\n" + table(("claim", "difference, 95 % interval", "verdict", "seeds needed"), rows)
    return f"{text}\n`python experiments/run.py {name}`\n"


if __name__ == "__main__":
    main()
