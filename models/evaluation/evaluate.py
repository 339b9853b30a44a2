"""What a trained model knows: retrieval, zero-shot classes, and what it makes of the hierarchy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import EmojiData
from ...datasets.augment import to_float
from ...datasets.disk import write_text
from ...datasets.emoji import PICTURES
from ...search import csls, hubness
from ..training.checkpoint import evaluation_file
from ..training.run_folder import check_place
from ..words import counted
from .classify import classify as classes_of, classify_lines
from .hierarchy import (
    aperture_figures,
    cone_figures,
    depth_figures,
    level_texts,
    levels_of,
    tree_figures,
    way_figures,
)
from .prompts import read_prompts
from .rerank import can_rerank, reranked
from .retrieval import Relevance, Scores, accuracy, chance_recall_at, quantiles, recall_at
from .run import CHUNK, Run
from .run_data import MOST, run_pictures
from .selective import selective_figures, selective_lines

KS = (1, 5, 10)
AT_CHANCE = (
    "Recall is at chance: what it finds, a blind guess finds as often. Train longer (--epochs), or "
    "on more pictures."
)
EMPTY_CONES = (
    "Its cones hold next to nothing. Wider ones that are trained harder, and to keep out what is "
    "not theirs, do: --min-radius 0.4 --entail-weight 1 --exclude-weight 1."
)
_FEW = 0.05
_NEAR = 10  # neighbours, of which hubs are counted
LEVELS = ("group", "subgroup", "name", "picture")
"""From the general to the particular."""


def image_points(run: Run, data: EmojiData, index: NDArray[np.int64]) -> Tensor:
    """Points (N, m) on the CPU of the pictures ``index`` of ``data``, not augmented."""
    parts = np.array_split(index, max(1, -(-len(index) // CHUNK)))
    return torch.cat([run.encode_prepared(to_float(data.images[rows])) for rows in parts])


def text_points(run: Run, texts: Sequence[str]) -> Tensor:
    """Points (N, m) on the CPU of captions."""
    return run.encode_texts(texts)


def held_out(run: Run) -> tuple[EmojiData, Mapping[str, NDArray[np.int64]]]:
    """The run's own pictures and its test sets, the main one first; ValueError if it has none."""
    found = run_pictures(run)
    return found.data, found.sets


def evaluate(
    run: Run,
    *,
    data: Path | None = None,
    concepts: Path | None = None,
    most: int = MOST,
    classify: bool = False,
    prompts: Path | None = None,
) -> dict[str, Any]:
    """All figures of a run as nested dictionaries of numbers.

    They are also written into the run's folder, to evaluation.json, or with other pictures or
    concepts to evaluation-NAME.json, NAME being that of their file.

    Retrieval is among the names of a test set's own concepts and the set's own pictures, by
    distance on the manifold, in both directions, "by id" (the very concept) and "by family" (a
    concept that vendors draw alike). "CSLS" is by distances without hubs (by id), and "hubness" how
    uneven their shares of the ten nearest are (:func:`~spaceforms.search.csls`,
    :func:`~spaceforms.search.hubness`). Of a model with a fusion encoder there is also "re-ranked",
    the nearest 16 in the order of contrast and matching together (by id). Where pictures of several
    vendors are tested, names by pictures also "by vendor", the best one first, each among the names
    of its own pictures (by id). Of the run's own pictures only those held out are tested; of other
    pictures it cannot be known whether they were trained on, and the result says so.

    Args:
        run: a trained run.
        data, concepts, most: other pictures; see
            :func:`~spaceforms.models.evaluation.run_data.run_pictures`.
        classify: also the main test set's zero-shot classes by prompts, linear probes, and what
            shifts change; see :func:`~spaceforms.models.evaluation.classify.classify`.
        prompts: a file of prompts for that; the packaged ones if None.
    """
    if prompts is not None:
        if not classify:
            raise ValueError(f"prompts is {prompts} without classify; expected both.")
        read_prompts(prompts)  # what is wrong with it is told at once
    check_place(run.folder)
    pictures, tests, seen, source = run_pictures(run, data, concepts, most=most)
    result: dict[str, Any] = {
        "model": run.config.model,
        "manifold": repr(run.model.manifold),
        "parameters": sum(p.numel() for p in run.model.parameters() if p.requires_grad),
        "scalars": run.model.scalars(),
        "data": "packaged emoji" if source == PICTURES else str(source),
        "seen in training": seen,
        "tests": {name: _test_set(run, pictures, index) for name, index in tests.items()},
        # The main set comes first in every split.
        **_by_level(run, pictures, next(iter(tests.values()))),
    }
    if classify:
        main = next(iter(tests.values()))
        options: dict[str, Any] = {"data": data, "concepts": concepts, "most": most}
        result["classify"] = classes_of(run, pictures, main, prompts=prompts, **options)
    path = run.folder / evaluation_file(data or concepts)
    write_text(path, json.dumps(result, indent=2) + "\n")
    return result


def _test_set(run: Run, data: EmojiData, index: NDArray[np.int64]) -> dict[str, Any]:
    concept = data.concept[index]
    candidates = np.unique(concept)
    images = image_points(run, data, index)
    names = text_points(run, [data.names[c] for c in candidates])
    scores, logits = -run.distances(images, names).numpy(), run.logits(images, names)
    by_id = concept[:, None] == candidates[None]
    by_family = data.family[concept][:, None] == data.family[candidates][None]
    figures: dict[str, Any] = {"pictures": len(index), "names": len(candidates)}
    tables = [
        ("image to text, by id", scores, by_id),
        ("image to text, by family", scores, by_family),
        ("text to image, by id", scores.T, by_id.T),
        ("text to image, by family", scores.T, by_family.T),
    ]
    if can_rerank(run):
        names_of = [data.names[c] for c in candidates]
        pictures, texts = reranked(run, data, index, names_of, logits.numpy())
        tables += [
            ("image to text, re-ranked", pictures, by_id),
            ("text to image, re-ranked", texts, by_id.T),
        ]
    scaled = -csls(-scores, _NEAR).numpy()
    tables += [
        ("image to text, CSLS", scaled, by_id),
        ("text to image, CSLS", scaled.T, by_id.T),
    ]
    figures |= {key: _recalls(table, relevant) for key, table, relevant in tables}
    figures["hubness"] = {
        "image to text": hubness(-scores, min(_NEAR, scores.shape[1])),
        "text to image": hubness(-scores.T, min(_NEAR, scores.shape[0])),
    }
    if len(np.unique(data.vendor[index])) > 1:
        figures["by vendor"] = _by_vendor(scores, by_id, data, index)
    figures["at chance"] = _at_chance(figures)
    figures["AURC"] = {
        "image to text": selective_figures(logits, by_id),
        "text to image": selective_figures(logits.T, by_id.T),
    }
    hierarchy, levels = data.hierarchy, levels_of(data)
    if len(levels) > 1:
        figures["tree"] = tree_figures(scores, concept, candidates, data)
    for level in levels[-2::-1]:
        nodes = hierarchy.nodes(level)
        classes = text_points(run, [hierarchy.text(n) for n in nodes])
        label = np.searchsorted(nodes, hierarchy.ancestor(level)[concept])
        figures[f"zero-shot {level}"] = accuracy(-run.distances(images, classes).numpy(), label)
    return figures


def _recalls(table: Scores, relevant: Relevance) -> dict[str, dict[str, float]]:
    return {
        "recall": dict(zip(map(str, KS), recall_at(table, relevant, KS), strict=True)),
        "chance": dict(zip(map(str, KS), chance_recall_at(relevant, KS), strict=True)),
    }


def _by_vendor(
    scores: Scores, relevant: Relevance, data: EmojiData, index: NDArray[np.int64]
) -> dict[str, Any]:
    """Names by pictures, for each vendor's pictures among the names of its own, best first."""
    found: dict[str, dict[str, Any]] = {}
    for vendor in np.unique(data.vendor[index]):
        rows = data.vendor[index] == vendor
        columns = relevant[rows].any(0)
        own = np.ix_(rows, columns)
        found[data.vendors[vendor]] = {
            "pictures": int(rows.sum()),
            "names": int(columns.sum()),
            **_recalls(scores[own], relevant[own]),
        }
    best = sorted(found.items(), key=lambda entry: -entry[1]["recall"]["1"])
    return dict(best)


def _at_chance(figures: dict[str, Any]) -> bool:
    """Whether retrieval is no better than a blind guess, as far as the number of pictures tells:
    in both directions recall is within two standard errors of it."""
    for key in ("image to text, by id", "text to image, by id"):
        recall, chance = figures[key]["recall"], figures[key]["chance"]
        number = figures["pictures"] if key.startswith("image") else figures["names"]
        k = max((k for k in chance if chance[k] <= 0.5), key=int, default=min(chance, key=int))
        error = (chance[k] * (1 - chance[k]) / number) ** 0.5
        if recall[k] > chance[k] + 2 * error:
            return False
    return True


def points_by_level(run: Run, data: EmojiData, index: NDArray[np.int64]) -> dict[str, Tensor]:
    """Points of groups, subgroups and names (as texts) and of pictures, for a set of pictures."""
    texts = level_texts(data, index)
    points = {level: text_points(run, texts[level]) for level in texts}
    return {**points, "picture": image_points(run, data, index)}


def radii_by_level(
    run: Run, data: EmojiData, index: NDArray[np.int64]
) -> dict[str, NDArray[np.floating]]:
    """Distances from the model's root, by level of the hierarchy."""
    return _radii(run, run.root, points_by_level(run, data, index))


@torch.no_grad()
def _radii(run: Run, root: Tensor, points: Mapping[str, Tensor]) -> dict[str, NDArray[np.floating]]:
    manifold = run.manifold
    return {level: manifold.dist(root, x).double().numpy() for level, x in points.items()}


def _by_level(run: Run, data: EmojiData, index: NDArray[np.int64]) -> dict[str, Any]:
    """Radii by level, and what the hierarchy makes of radii, cones and ways to the root."""
    points, root = points_by_level(run, data, index), run.root
    space: dict[str, Any] = {"manifold": run.manifold, "min_radius": run.model.min_radius}
    radii = _radii(run, root, points)
    hierarchy: dict[str, Any] = {}
    if run.model.fixed_radius is None:
        hierarchy["depth and radius"] = depth_figures(radii, data, index)
    if run.model.min_radius is not None:
        hierarchy["half-aperture"] = aperture_figures(points, **space)
        hierarchy["cones"] = cone_figures(points, data, index, **space)
    hierarchy["ways to the root"] = way_figures(points, root, data, index, **space)
    return {
        "radius": {level: quantiles(r) for level, r in radii.items()},
        "hierarchy": hierarchy,
    }


def as_table(result: dict[str, Any]) -> str:
    """The figures as text for a terminal."""
    lines = [f"{result['model']} on {result['manifold']}, {result['parameters']:,} parameters"]
    lines += [f"data: {result['data']}; seen in training: {result['seen in training']}"]
    for name, test in result["tests"].items():
        lines += [
            "",
            f"{name}: {counted(test['pictures'], 'picture')}, {counted(test['names'], 'name')}",
        ]
        header = "".join(f"{f'R@{k}':>8}" for k in KS) + "   chance"
        lines.append(f"  {'':28}{header}")
        for key, value in test.items():
            if "recall" in (value if isinstance(value, dict) else {}):
                if key.endswith("by family") and value == test[key.replace("family", "id")]:
                    continue  # each concept is its own family
                lines.append(f"  {key:28}{_recalls_in_words(value)}")
        for vendor, value in test.get("by vendor", {}).items():
            what = f"image to text, {vendor}"
            lines.append(
                f"  {what:28}{_recalls_in_words(value)}   {counted(value['names'], 'name')}"
            )
        uneven = ", ".join(f"{key} {value:.2f}" for key, value in test["hubness"].items())
        lines.append(f"  {'hubness':28}  {uneven}")
        lines += selective_lines(test["AURC"])
        for name_of_tree, scores in test.get("tree", {}).items():
            lines.append(f"  {f'tree of {name_of_tree}':28}" + "".join(f"{k:>10}" for k in scores))
            for row in ("mean", "chance"):
                lines.append(f"  {row:28}" + "".join(f"{v[row]:10.3f}" for v in scores.values()))
        if test.get("at chance"):
            lines.append("  " + AT_CHANCE)
        if any(key.startswith("zero-shot") for key in test):
            head = f"{'accuracy':>9}{'macro':>8}{'chance':>9}{'most frequent':>15}"
            lines.append(f"  {'':28}{head}")
        for key, value in test.items():
            if key.startswith("zero-shot"):
                lines.append(
                    f"  {key:28}{value['accuracy']:9.3f}{value['macro']:8.3f}"
                    f"{value['chance']:9.3f}{value['most frequent']:15.3f}"
                )
    lines += classify_lines(result["classify"]) if "classify" in result else []
    lines += ["", f"distance from the root{'':8}{'mean':>8}{'25%':>8}{'median':>8}{'75%':>8}"]
    for level, r in result["radius"].items():
        numbers = "".join(f"{r[k]:8.3f}" for k in ("mean", "25%", "median", "75%"))
        lines.append(f"  {level:28}{numbers}")
    lines += _hierarchy_lines(result.get("hierarchy", {}))
    lines.append("  scalars: " + ", ".join(f"{k} {v:.3g}" for k, v in result["scalars"].items()))
    return "\n".join(lines)


def _recalls_in_words(value: dict[str, Any]) -> str:
    recalls = "".join(f"{value['recall'][str(k)]:8.3f}" for k in KS)
    return f"{recalls}   " + "/".join(f"{value['chance'][str(k)]:.3f}" for k in KS)


def _hierarchy_lines(hierarchy: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in hierarchy.get("depth and radius", {}).items():
        lines.append(f"  {f'Spearman, depth and radius, {name}':44}{value:8.3f}")
    if apertures := hierarchy.get("half-aperture"):
        numbers = ", ".join(f"{key} {degrees:.0f}" for key, degrees in apertures.items())
        lines.append(f"  {'half-aperture, degrees':28}  {numbers}")
    for name, value in hierarchy.get("cones", {}).items():
        numbers = ", ".join(f"{key} {figure:.3f}" for key, figure in value.items())
        lines.append(f"  {f'cones of texts, {name}':28}  {numbers}")
    own = hierarchy.get("cones", {}).get("name > picture")
    if own and own["contained"] < _FEW:
        lines.append("  " + EMPTY_CONES)
    if ways := hierarchy.get("ways to the root"):
        numbers = ", ".join(f"{key} {figure:.3f}" for key, figure in ways.items())
        lines.append(f"  {'ways to the root':28}  {numbers}")
    return lines
