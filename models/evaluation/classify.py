"""The protocol of Radford et al. 2021 at any size: prompts, a linear probe, and shifts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import EmojiData, load_emoji
from ...datasets.augment import to_float
from ...datasets.share import is_npz
from ..training.data import load_data
from .hierarchy import levels_of
from .probe import fit_probe
from .prompts import class_points, read_prompts, top_figures, zero_shot
from .run import CHUNK, Run
from .run_data import MOST, all_pictures, is_own
from .shifts import shift_figures

FEATURES = ("encoder", "points")
"""What a probe is fitted on: the image encoder's features before the projection, as in the paper,
or the coordinates of the model's points."""


def classify(
    run: Run,
    pictures: EmojiData,
    index: NDArray[np.int64],
    *,
    prompts: Path | None = None,
    data: Path | None = None,
    concepts: Path | None = None,
    most: int = MOST,
) -> dict[str, Any]:
    """Zero-shot classes by prompts, linear probes, and what shifts change, of one test set.

    All shares have 95 % intervals over concepts (:func:`share_interval`). Classes are the concepts'
    names and, where the data have them, subgroups and groups. Probes are fitted on what the run was
    trained on, or of other data on the families that are not tested (:func:`probe_parts`), and are
    of subgroups and groups alone: no training picture has a held-out name.

    Args:
        run: a trained run.
        pictures, index: the test set.
        prompts: a file of prompts; the packaged one if None.
        data, concepts, most: as in :func:`~spaceforms.models.evaluation.evaluate.evaluate`.
    """
    texts = read_prompts(prompts)
    levels = levels_of(pictures)
    concept = pictures.concept[index]
    prepared = _prepared(pictures, index)
    points = run.encode_prepared(prepared)
    result: dict[str, Any] = {"zero-shot": {}, "linear probe": {}}
    for level in levels:
        names, label = _classes(pictures, index, level)
        result["zero-shot"][level] = zero_shot(run, points, names, label, concept, texts)
    names, label = _classes(pictures, index, "name")
    result["shifts"] = shift_figures(
        run,
        prepared,
        class_points(run, names, ["{}"]),
        label,
        concept,
        pixels=min(4, pictures.size - 1),
    )
    if len(levels) > 1:
        found, train, test = probe_parts(run, data, concepts, most=most)
        for of in FEATURES:
            result["linear probe"][of] = _probes(run, found, train, test, of, levels[-2::-1])
    return result


def probe_parts(
    run: Run, data: Path | None = None, concepts: Path | None = None, *, most: int = MOST
) -> tuple[EmojiData, NDArray[np.int64], NDArray[np.int64]]:
    """Pictures, which of them a probe is fitted on, and which it is tested on.

    Of a run's own .npz these are its training pictures and its main test set; of folders, shards
    and other data the concepts of the split "train" and of the split "test" that
    :func:`~spaceforms.models.evaluation.run_data.all_pictures` makes.
    """
    config = run.config
    if is_npz(config.data) and (data is None or is_own(run, data, concepts)):
        # As run_pictures has them: the split is of the run's own concepts.
        config = dataclasses.replace(config, data=data or config.data)
        found, split = load_data(config)
        if concepts is not None:
            found = load_emoji(config.data, concepts, size=config.image.size)
        return found, split.train, next(iter(split.tests.values()))
    found = all_pictures(run, data, concepts, most=most)
    split = found.by_concept()
    if "concept" not in split.tests or not len(split.train):
        raise ValueError(
            f"{data or run.config.data}: {len(split.train)} pictures to fit a probe on and none "
            "whose concepts are held out; expected some of both."
        )
    return found, split.train, split.tests["concept"]


@torch.no_grad()
def features_of(run: Run, images: Tensor, of: str = "encoder") -> Tensor:
    """Frozen features (N, D) of pictures (N, 3, S, S), on the CPU.

    Args:
        run: a trained run.
        images: in [0, 1], of the model's own size.
        of: "encoder" for what the projection is made of, or "points" for coordinates of the
            points: normal coordinates at the origin of a model that lifts (MERU: the logarithm at
            the root, in which directions are kept and radii, other distances are not), the unit
            vectors themselves of one that projects (CLIP).
    """
    if of == "points":
        return run.model.coordinates(run.encode_prepared(images).to(_device(run))).cpu()
    if of != "encoder":
        raise ValueError(f"features_of: of is {of!r}; expected one of {', '.join(FEATURES)}.")
    parts = torch.split(images, CHUNK)
    return torch.cat(
        [run.model.image_encoder(some.to(_device(run))).float().cpu() for some in parts]
    )


def _device(run: Run) -> torch.device:
    return next(run.model.parameters()).device


def _prepared(data: EmojiData, index: NDArray[np.int64]) -> Tensor:
    return to_float(data.images[index])


def _classes(
    data: EmojiData, index: NDArray[np.int64], level: str
) -> tuple[list[str], NDArray[np.int64]]:
    """The texts of a level's classes, and which of them each picture is of: of the concepts of the
    set the names, of all of the data the groups and subgroups."""
    concept, hierarchy = data.concept[index], data.hierarchy
    if level == "name":
        some, label = np.unique(concept, return_inverse=True)
        return [data.names[c] for c in some], label
    nodes = hierarchy.nodes(level)
    return [hierarchy.text(n) for n in nodes], np.searchsorted(
        nodes, hierarchy.ancestor(level)[concept]
    )


def _probes(
    run: Run,
    data: EmojiData,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    of: str,
    levels: Sequence[str],
) -> dict[str, Any]:
    features = [features_of(run, _prepared(data, rows), of) for rows in (train, test)]
    result = {}
    for level in levels:
        names, label = _classes(data, train, level)
        probe = fit_probe(
            features[0],
            torch.from_numpy(label),
            data.family[data.concept[train]],
            classes=len(names),
        )
        scores = probe.scores(features[1]).numpy()
        result[level] = {
            "classes": len(names),
            **top_figures(scores, _classes(data, test, level)[1], data.concept[test]),
            "log10 of the regulariser": probe.log10_strength,
        }
    return result


def classify_lines(result: dict[str, Any]) -> list[str]:
    """These figures as lines of a table."""

    def shares(found: dict[str, Any]) -> str:
        return "".join(f"{_share(f):>24}{f['chance']:8.3f}" for f in found.values())

    head = "".join(f"{f'top {k}, 95 %':>24}{'chance':>8}" for k in (1, 5))
    lines = ["", f"  {'zero-shot by prompts':34}{head}"]
    for level, found in result["zero-shot"].items():
        lines.append(f"  {f'{level}, its name alone':34}{shares(found['name alone'])}")
        words = f"{level}, {found['prompts']} prompts together"
        lines.append(f"  {words:34}{shares(found['ensemble'])}")
        single = found["single prompts"]
        words, between = f"{level}, one prompt", f"{single['least']:.3f} to {single['most']:.3f}"
        lines.append(f"  {words:34}{between:>24}")
    if result["linear probe"]:
        lines += ["", f"  {'linear probe of features':34}{head}"]
    for of, levels in result["linear probe"].items():
        for level, found in levels.items():
            tops = {k: v for k, v in found.items() if k.startswith("top")}
            lines.append(f"  {f'{level}, of the {of}':34}{shares(tops)}")
    lines += ["", f"  {'shifted by pixels, name':34}{'kept, 95 %':>24}{'right, 95 %':>24}"]
    for k, found in result["shifts"].items():
        kept = _share(found["kept"]) if "kept" in found else ""
        lines.append(f"  {k:34}{kept:>24}{_share(found['accuracy']):>24}")
    return lines


def _share(found: dict[str, float]) -> str:
    return f"{found['share']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
