"""Write the README's table of results, and its picture, from evaluated runs.

    make demo                                            # MERU, into runs/demo
    spaceforms train --model clip --epochs 44 --held-out emojione,fluent3d --out runs/clip
    spaceforms evaluate runs/clip
    python benchmarks/readme_results.py runs/demo runs/clip

Every number between the markers in README.md comes from the runs' evaluation.json and
metrics.jsonl; nothing there is typed.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from marked import write_between

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "experiments"))
import settled  # noqa: E402

COST = 3
"""Which of the claims about cones says what they cost."""
OTHERWISE = "fluent3d"
"""The vendor whose pictures are shaded."""
PICTURE = "docs/_static/demo_disk.png"
BOTH = {"image to text, by id": "all of these", "text to image, by id": "pictures by names"}


def table(folders: list[Path]) -> str:
    """The Markdown between the markers."""
    runs = [json.loads((folder / "evaluation.json").read_text()) for folder in folders]
    tests = [run["tests"]["vendor"] for run in runs]
    first = tests[0]
    vendors = first["by vendor"]  # the best one of the first run first
    heads = [f"{vendor}, {test['names']:,} names" for vendor, test in vendors.items()]
    heads += [f"{what}, {first['names']:,} names" for what in BOTH.values()]
    rows = ["|  | " + " | ".join(heads) + " |", "| --- " * (len(heads) + 1) + "|"]
    for run, test in zip(runs, tests, strict=True):
        name = f"{run['model'].upper()}, {run['parameters'] / 1e6:.1f} M parameters"
        rows.append(_row(name, test, vendors, "recall"))
    rows.append(_row("chance", first, vendors, "chance"))
    radii = runs[0]["radius"]
    order = ", ".join(f"{level} {r['median']:.2f}" for level, r in radii.items())
    within = radii["name"]["median"] - radii["group"]["median"]
    gap = radii["picture"]["median"] - radii["name"]["median"]
    seconds = [_seconds(folder) for folder in folders]
    return "\n".join(
        [
            "Recall at 1 / 5 / 10 of names by pictures of the vendors held out, and of pictures by "
            "names; both models with the same encoders and epochs "
            f"({' and '.join(f'{s:.0f} s' for s in seconds)} of training on CPU, torch "
            f"{torch.__version__.split('+')[0]}, one seed):",
            "",
            *rows,
            "",
            _vendors(runs, tests),
            "",
            chance_of(tests),
            "",
            f"{runs[0]['model'].upper()}'s median distance from the root by level: {order}. The "
            f"order within texts spans {within:.2f}; the {gap:.2f} from names to pictures is a gap "
            "between modalities.",
            "",
            *_cones(runs[0]),
            "",
            f"![Held-out pictures on the Poincaré disk, after `make demo`]({PICTURE})",
        ]
    )


def _row(name: str, test: dict[str, Any], vendors: Iterable[str], what: str) -> str:
    cells = [test["by vendor"][vendor][what] for vendor in vendors]
    cells += [test[key][what] for key in BOTH]
    return f"| {name} | " + " | ".join(map(_recalls, cells)) + " |"


def _vendors(runs: list[dict[str, Any]], tests: list[dict[str, Any]]) -> str:
    """How the best vendor held out and the worst one compare."""
    best, *_, worst = tests[0]["by vendor"]
    shares = [
        f"{run['model'].upper()}'s {test['by vendor'][worst]['recall']['1'] / upper:.0%}"
        for run, test in zip(runs, tests, strict=True)
        if (upper := test["by vendor"][best]["recall"]["1"])
    ]
    return (
        f"No picture of {' or '.join(tests[0]['by vendor'])} was trained on. Of {worst}"
        + ", which draws otherwise than the rest," * (worst == OTHERWISE)
        + f" recall at 1 is so much of that of {best}, among more names: {', '.join(shares)}."
    )


def chance_of(tests: list[dict[str, Any]]) -> str:
    """What a difference between two models of one seed means, and what several seeds say."""
    columns = [[test["by vendor"][v] for test in tests] for v in tests[0]["by vendor"]]
    names = [column[0]["names"] for column in columns] + [tests[0]["names"]] * len(BOTH)
    columns += [[test[key] for test in tests] for key in BOTH]
    halves = []
    for column, count in zip(columns, names, strict=True):
        p = sum(cell["recall"]["1"] for cell in column) / len(column)
        halves.append(1.96 * (2 * p * (1 - p) / count) ** 0.5)
    path = ROOT / "experiments" / "results" / "cones.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    cost = settled.verdict("cones", COST, result)
    return (
        f"Two figures of recall at 1 in a column that differ by less than {max(halves):.2f} could "
        "stand the other way round with other names, and with another seed by more. "
        "Whether curvature decides retrieval [has a page](docs/curvature.md), over several seeds "
        "and with each model tuned. The demo's recipe is for cones that hold; with smaller "
        f"encoders recall at 1 with them less that without is {cost} ([P6](docs/results.md)). What "
        "MERU is for is the order below."
    )


def _cones(run: dict[str, Any]) -> list[str]:
    """What the cones hold, as a table, and what is met on the way to the root."""
    hierarchy = run["hierarchy"]
    width = ", ".join(f"{level} {d:.0f}" for level, d in hierarchy["half-aperture"].items())
    ways = hierarchy["ways to the root"]
    rows = [
        f"| {pair.replace('>', 'over')} | {c['contained']:.3f} | {c['falsely contained']:.3f} |"
        for pair, c in hierarchy["cones"].items()
        if ">" in pair
    ]
    return [
        "| cones of texts | hold of what is below them | hold of what is not |",
        "| --- | --- | --- |",
        *rows,
        "",
        f"Their median half-aperture is in degrees: {width}; at 90 a cone is a half-space. Of the "
        f"texts met on the way from a picture to the root {ways['precision']:.0%} are its name, "
        f"subgroup or group, and of these {ways['recall']:.0%} are met.",
    ]


def _recalls(values: dict[str, float]) -> str:
    return " / ".join(f"{values[k]:.3f}" for k in ("1", "5", "10"))


def _seconds(folder: Path) -> float:
    """Length of a training from its last line: pairs done over pairs a second."""
    config = json.loads((folder / "config.json").read_text())
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    return last["step"] * config["batch_size"] / last["pairs_per_second"]


def main() -> int:
    """Rewrite README.md and copy the first run's picture."""
    folders = [Path(word) for word in sys.argv[1:]]
    if not folders:
        print(__doc__)
        return 2
    write_between(ROOT / "README.md", "demo-results", table(folders))
    target = ROOT / PICTURE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((folders[0] / "disk_pictures.png").read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
