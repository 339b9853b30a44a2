"""What is asked of an experiment's runs, beforehand, and what they answer.

[[claims]]
source = "who says so, and where"
text = "the claim in a sentence"
figure = "image to text R@10"
better = "meru"             # its figure is the higher one
than = "clip"               # or, without this, is above 0
lower = true                # lower is better
margin = 0.01               # or behind by less than this
at = { embed_dim = 4 }      # where in the grid; all of its keys
after = 5                   # judged by the seeds from this on: those before it were looked at, and
                            # the others run because of what they said

A claim with ``of`` and ``equals`` in place of ``better`` asks whether a variant's figure is within
``margin`` of a number.
"""

from dataclasses import dataclass
from typing import Any

import plan
from compare import MOST, PAIRS, Difference, Runs, difference

KEYS = {
    "source",
    "text",
    "figure",
    "better",
    "than",
    "lower",
    "margin",
    "at",
    "of",
    "equals",
    "after",
}
VERDICTS = ("holds", "does not hold", "not decided", "too few seeds", "not measured")


@dataclass(frozen=True)
class Claim:
    """Variant ``one`` less ``other`` in a figure is above -margin, or ``one`` is at ``equals``."""

    source: str
    text: str
    figure: str
    one: str
    other: str | None
    at: dict[str, Any]
    margin: float
    equals: float | None
    after: int = 0

    @property
    def compared(self) -> str:
        """What is measured, in words."""
        less = f" less {self.other if self.equals is None else self.equals}"
        place = "".join(f", {key} = {value}" for key, value in self.at.items())
        margin = f", margin {self.margin}" if self.margin else ""
        what = self.one + less * (self.other is not None or self.equals is not None)
        after = f", seeds from {self.after} on" * bool(self.after)
        return f"{what}, `{self.figure}`{place}{margin}{after}"

    def judge(self, runs: Runs) -> tuple[Difference | None, str]:
        """What was measured, None if nothing was, and the verdict."""
        runs = [run for run in runs if run["seed"] >= self.after]
        found = difference(
            runs, self.one, self.other, self.figure, self.at, number=self.equals or 0.0
        )
        if found is None:
            return None, "not measured"
        equal = self.equals is not None
        return found, found.within(self.margin) if equal else found.ahead(self.margin)

    def needs(self, found: Difference | None, verdict: str) -> str:
        """How many seeds would decide what was not, in words; "" for what was, or was not measured.

        The formula is that of compare.py.
        """
        if found is None or verdict not in ("not decided", "too few seeds"):
            return ""
        equal = self.equals is not None
        seeds = found.seeds_within(self.margin) if equal else found.seeds_ahead(self.margin)
        if seeds is None:
            return f"{PAIRS} or more: one has no spread"
        return f"more than {MOST}" if seeds > MOST else f"about {seeds}"


def read(name: str) -> list[Claim]:
    """The claims of an experiment, in its order.

    Raises:
        FileNotFoundError: there is no such experiment.
        ValueError: a claim about what the experiment does not run; the sentence says which.
    """
    raw = plan.content(name)
    return [
        _claim(entry, raw, f"{name}.toml, claim {k}")
        for k, entry in enumerate(raw.get("claims", ()), 1)
    ]


def _claim(entry: dict[str, Any], raw: dict[str, Any], where: str) -> Claim:
    if unknown := entry.keys() - KEYS:
        raise ValueError(
            f"{where}: got {', '.join(sorted(unknown))}; expected {', '.join(sorted(KEYS))}."
        )
    equal = "equals" in entry
    needed = {"source", "text", "figure", *(("of", "margin") if equal else ("better",))}
    if missing := needed - entry.keys():
        raise ValueError(f"{where}: {', '.join(sorted(missing))} is missing; expected in each.")
    one, other = entry["of" if equal else "better"], entry.get("than")
    for variant in (one, other):
        if variant is not None and variant not in raw["variants"]:
            raise ValueError(
                f"{where}: {variant!r} is no variant; expected one of {', '.join(raw['variants'])}."
            )
    at, grid = entry.get("at", {}), raw.get("grid", {})
    if at.keys() != grid.keys() or any(value not in grid[key] for key, value in at.items()):
        # Runs of several places would be taken for one another.
        raise ValueError(f"{where}: at is {at}; expected a point of the grid {grid}.")
    if entry.get("lower"):
        if other is None:
            raise ValueError(f"{where}: lower without than; expected what it is lower than.")
        one, other = other, one
    return Claim(
        source=entry["source"],
        text=entry["text"],
        figure=entry["figure"],
        one=one,
        other=other,
        at=at,
        margin=entry.get("margin", 0.0),
        equals=entry.get("equals"),
        after=entry.get("after", 0),
    )
