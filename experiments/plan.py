"""What an experiment consists of: a TOML file, and the runs that it stands for.

title = "Width sweep"
kind = "train"              # how a run is made: see measure.py
seeds = [0, 1, 2, 3, 4]

[options]                   # of every run
epochs = 24
image = { size = 24 }

[grid]                      # each combination of these
embed_dim = [2, 4, 8]

[variants.meru]             # each of these, paired by seed and grid
model = "meru"

[tuning]                    # settings, chosen for each variant at each point before the runs
figure = "MAP"              # the one whose figure is highest, by one run each
seed = 1000
options = { choosing = true }  # of these runs alone: what no run is judged by
grid = { lr = [0.1, 0.3] }
variants.meru = { entail_weight = [0, 0.2] }  # and with each of these, of this variant alone

[quick]                     # what --quick replaces
seeds = [0]
grid = { embed_dim = [4] }

base = "widths"             # what that experiment says holds here too, but for quick and picture
                            # and what is said here; its claims are made of each variant tuned

[[claims]]                  # what is asked of the runs: see claims.py

[tables."Recall"]           # what the page shows of them: headings and figures
"image to text R@10" = "image to text R@10"

[over]                      # figures of which the mean, the best and the worst place are shown
"R@1" = "image to text R@1"

[picture]                   # a figure over the grid, drawn on the page
figure = "image to text R@10"
against = []                # or over these, a mark a variant
"""

import itertools
import json
import math
import tomllib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KINDS = ("train", "probvlm", "selection", "noise", "wordnet", "embed", "heads", "joined")
NEEDED = ("title", "question", "kind", "seeds", "variants")
KEYS = {*NEEDED, "options", "grid", "tuning", "quick", "claims", "tables", "picture", "over"}
WHOLE = ("seeds", "grid", "variants", "quick", "claims", "tables", "picture", "over")
TUNING = {"figure", "seed", "options", "grid", "variants"}


@dataclass(frozen=True)
class RunSpec:
    """One run: a variant at one point of the grid with one seed."""

    variant: str
    at: dict[str, Any]
    seed: int
    options: dict[str, Any]
    setting: dict[str, Any] = field(default_factory=dict)
    """Which setting a run of the tuning tries."""

    @property
    def name(self) -> str:
        """The run's folder."""
        place = "".join(f"-{key}{value}" for key, value in (self.at | self.setting).items())
        return f"{self.variant}{place}-seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """An experiment: its title, its question, how a run is made, and its runs."""

    name: str
    title: str
    question: str
    kind: str
    runs: tuple[RunSpec, ...]
    tuning: tuple[RunSpec, ...] = ()
    """Runs by which each variant's settings are chosen, at each place."""
    figure: str = ""
    """The one by which."""


def names() -> list[str]:
    """The experiments there are, in order."""
    return sorted(path.stem for path in HERE.glob("*.toml"))


def content(name: str) -> dict[str, Any]:
    """What the file of an experiment says, its keys checked.

    Raises:
        FileNotFoundError: there is none of this name.
        ValueError: not TOML, a key that no experiment has, or one that each needs and this has not.
    """
    path = HERE / f"{name}.toml"
    if not path.is_file():
        raise FileNotFoundError(
            f"{name}: no such experiment in {HERE}; expected one of {', '.join(names())}."
        )
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: expected TOML, but {error}.") from error
    if base := raw.pop("base", ""):
        raw = _on(base, raw, path.name)
    for table, where in ((raw, path.name), (raw.get("quick", {}), f"{path.name}, quick")):
        if unknown := set(table) - KEYS:
            raise ValueError(
                f"{where}: got {', '.join(sorted(unknown))}; expected {', '.join(sorted(KEYS))}."
            )
    if missing := [key for key in NEEDED if key not in raw]:
        raise ValueError(f"{path.name}: {', '.join(missing)} is missing; expected in each.")
    return raw


def _on(base: str, own: dict[str, Any], where: str) -> dict[str, Any]:
    """What an experiment says itself, and for the rest what its base says."""
    if base not in names():
        raise ValueError(f"{where}: base is {base!r}; expected one of {', '.join(names())}.")
    if "tuning" not in own:
        raise ValueError(f"{where}: tuning is missing; expected with a base, which has none.")
    under = content(base)
    for key in ("quick", "picture"):  # the one leaves the tuning whole, the other shows all places
        under.pop(key, None)
    under["claims"] = [c | {"text": f"{c['text']}, each tuned"} for c in under.get("claims", [])]
    return merged(under, own, replaced=WHOLE)


def read(name: str, *, quick: bool) -> Plan:
    """The experiment of a name: each variant at each point of the grid, seed after seed,
    those first that a claim compares.

    Raises:
        FileNotFoundError: there is none of this name.
        ValueError: what the file says is no experiment; the sentence says why.
    """
    raw = content(name)
    known = raw["variants"]
    if quick:
        raw = merged(raw, raw.get("quick", {}), replaced=("seeds", "grid", "variants"))
    seeds, grid, variants = raw["seeds"], raw.get("grid", {}), raw["variants"]
    where = f"{name}.toml{', quick' * quick}"
    if raw["kind"] not in KINDS:
        raise ValueError(f"{where}: kind is {raw['kind']!r}; expected one of {', '.join(KINDS)}.")
    for key, values in {"seeds": seeds, **grid}.items():
        # Two equal ones would be one run, counted twice.
        if not isinstance(values, list) or not values or len({*values}) < len(values):
            raise ValueError(f"{where}: {key} is {values!r}; expected a list of different values.")
    if not variants or not all(isinstance(options, dict) for options in variants.values()):
        raise ValueError(f"{where}: variants is {variants!r}; expected a table of each.")
    for variant, options in variants.items():
        if both := {"seed", *grid} & options.keys():
            raise ValueError(
                f"{where}: variant {variant!r} has {', '.join(sorted(both))}; expected options "
                "that neither the grid nor the seeds say."
            )
    runs = [
        RunSpec(
            variant,
            at,
            seed,
            merged(merged(merged(raw.get("options", {}), options), at), {"seed": seed}),
        )
        for seed in seeds
        for at in points(grid)
        for variant, options in variants.items()
    ]
    runs.sort(key=lambda run: not any(concerns(claim, run) for claim in raw.get("claims", [])))
    tuning = raw.get("tuning", {})
    return Plan(
        name,
        raw["title"],
        raw["question"].strip(),
        raw["kind"],
        tuple(runs),
        tuple(_tuning(tuning, runs, known, where)) if tuning else (),
        tuning.get("figure", ""),
    )


def points(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Each combination of a grid's values."""
    return [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]


def _tuning(
    tuning: dict[str, Any], runs: list[RunSpec], variants: Collection[str], where: str
) -> list[RunSpec]:
    """One run for each variant at each place with each setting, all variants with their first
    setting first: where time ends early, each has had as many."""
    if tuning.keys() | {"variants"} != TUNING:
        raise ValueError(
            f"{where}, tuning: got {', '.join(sorted(tuning))}; expected "
            f"{', '.join(sorted(TUNING))}."
        )
    own = tuning.get("variants", {})
    if unknown := own.keys() - variants:
        raise ValueError(
            f"{where}, tuning: got a variant {', '.join(sorted(unknown))}; expected some of "
            f"{', '.join(variants)}."
        )
    if any(run.seed == tuning["seed"] for run in runs):
        raise ValueError(f"{where}, tuning: seed is {tuning['seed']}; expected one of its own.")
    tried: dict[int, list[RunSpec]] = {}
    for run in {json.dumps([run.variant, run.at]): run for run in runs}.values():
        for k, setting in enumerate(points(tuning["grid"] | own.get(run.variant, {}))):
            # A variant that says an option itself has it for every setting, once.
            if any(key in run.options and run.options[key] != setting[key] for key in setting):
                continue
            options = merged(merged(run.options, tuning["options"]), setting)
            options = merged(options, {"seed": tuning["seed"]})
            spec = RunSpec(run.variant, run.at, tuning["seed"], options, setting)
            tried.setdefault(k, []).append(spec)
    each = Counter((s.variant, json.dumps(s.at)) for specs in tried.values() for s in specs)
    if len({*each.values()}) > 1 or len(each) < len({(r.variant, json.dumps(r.at)) for r in runs}):
        raise ValueError(
            f"{where}, tuning: settings tried are {dict(each)}; expected as many of each variant "
            "at each place."
        )
    return [spec for k in sorted(tried) for spec in tried[k]]


def tuned(p: Plan, tried: list[dict[str, Any]]) -> Plan:
    """The runs with the settings of the highest figure; those of which nothing was tried, left out.

    Args:
        tried: of each run of the tuning its variant, place, setting and ``value``.
    """
    best: dict[str, dict[str, Any]] = {}
    for entry in tried:
        if math.isnan(entry["value"]):
            raise ValueError(
                f"{p.name}, tuning: {entry['variant']} at {entry['at']} has no {p.figure!r}; "
                "expected a figure that its runs have."
            )
        key = json.dumps([entry["variant"], entry["at"]])
        if key not in best or entry["value"] > best[key]["value"]:
            best[key] = entry
    runs = [
        replace(run, options=merged(run.options, best[key]["setting"]))
        for run in p.runs
        if (key := json.dumps([run.variant, run.at])) in best
    ]
    return replace(p, runs=tuple(runs))


def concerns(claim: dict[str, Any], run: RunSpec) -> bool:
    """Whether a claim compares this run: such runs go first, so that a set cut short decides it."""
    at = claim.get("at", {})
    return (
        run.variant in [claim.get(key) for key in ("better", "than", "of")]
        and at.items() <= run.at.items()
    )


def merged(
    one: dict[str, Any], other: dict[str, Any], *, replaced: tuple[str, ...] = ()
) -> dict[str, Any]:
    """One with other's entries; tables inside are merged too, but for those ``replaced``.

    A key "image.size" stands for size inside image.
    """
    result = dict(one)
    for key, value in other.items():
        head, _, rest = key.partition(".")
        if rest:
            result[head] = merged(result.get(head, {}), {rest: value})
        elif isinstance(value, dict) and isinstance(result.get(key), dict) and key not in replaced:
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
