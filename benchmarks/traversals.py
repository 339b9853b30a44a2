"""Draw the guide's ways from pictures to the root, and write what was measured beside them.

    python benchmarks/traversals.py [--out runs/traversals]

Trains the runs below where they are not there yet, each some five minutes on one core, and
rewrites docs/_static/traversal_*.png and the lines between the markers in docs/guides/train.md.
"cones" is `make demo`, and the others have its epochs and vendors held out; the pictures are those
that `spaceforms traverse` takes where none are named, one each of five groups.
"""

import argparse
import json
import re
import shlex
import sys
from pathlib import Path

import torch
from marked import write_between

from spaceforms.__main__ import main as spaceforms
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.evaluation.traverse_run import draw, walk

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "guides" / "train.md"
DEMO = re.search(
    r"^RECIPE \?= (--epochs [0-9]+ --held-out [^ ]+) (.*)$",
    (ROOT / "Makefile").read_text(encoding="utf-8"),
    re.MULTILINE,
)
assert DEMO is not None
RECIPE = f"{DEMO[1]} --seed 0"
RUNS = {
    "cones": f"--model meru {DEMO[2]}",
    "hycoclip": "--model hycoclip",
    "euclip": "--model euclip --chain-weight 0.1",
    "clip": "--model clip",
    "meru": "--model meru",
}
DRAWN = ("cones", "hycoclip", "clip")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/traversals"))
    out = parser.parse_args().out
    torch.set_num_threads(1)  # sums in one order: the same run on any machine of a kind
    for name, options in RUNS.items():
        folder = str(out / name)
        words = shlex.split(f"{options} {RECIPE}")
        if not (out / name / "evaluation.json").is_file() and (
            spaceforms(["train", "--out", folder, "--overwrite", *words])
            or spaceforms(["evaluate", folder])
        ):
            return 1
    write_between(GUIDE, "traversals", section(out).rstrip("\n"))
    return 0


def section(out: Path) -> str:
    """The Markdown between the markers; draws the pictures that it shows."""
    shown, rows = "", ""
    for name, options in RUNS.items():
        run = load_run(out / name)
        walks = walk(run)
        met = [w for w in walks if len(w.captions) > 1]
        if name in DRAWN:
            picture = ROOT / "docs" / "_static" / f"traversal_{name}.png"
            draw(walks, picture, title=f"{name}, seed {run.config.seed}", dpi=80)
            shown += f"![Ways to the root, {name}](../_static/{picture.name})\n\n"
        result = json.loads((out / name / "evaluation.json").read_text(encoding="utf-8"))
        ways, cones = (result["hierarchy"].get(k) for k in ("ways to the root", "cones"))
        held = f"{cones['name > picture']['contained']:.3f}" if cones else "no cones"
        recall = next(iter(result["tests"].values()))["image to text, by id"]["recall"]["10"]
        rows += (
            f"| {name}: `{options}` | {len(met)} of {len(walks)} | {ways['precision']:.3f} | "
            f"{ways['recall']:.3f} | {held} | {recall:.3f} |\n"
        )
    return (
        f"{shown}All with `{RECIPE}`:\n\n"
        "| | of the five meet a text | ways, precision | ways, recall "
        "| pictures in the cones of their names | image to text R@10 |\n"
        f"| --- | --- | --- | --- | --- | --- |\n{rows}"
    )


if __name__ == "__main__":
    sys.exit(main())
