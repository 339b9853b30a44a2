"""ProbVLM on frozen features, read top to bottom: heads, adapters, and what they are worth.

    spaceforms features --out features.npz                 # the frozen pair, or
    spaceforms features --out features.npz --run RUN       # the encoders of a run of ours
    spaceforms probvlm features.npz --out runs/probvlm

Concepts have four parts: heads learn on the first and adapters on the second, options are chosen on
the third, and all figures are of the fourth.
"""

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets import EmojiData, load_emoji
from ...datasets.disk import replacing, write_text
from ...datasets.share import is_npz
from ..encoders.frozen import load_features
from ..evaluation.hierarchy import levels_of
from ..evaluation.run import load_run
from ..evaluation.run_data import all_pictures
from ..training.run_folder import check_place
from .alignment_heads import coordinates, make_parts
from .baselines import augmentation_variance
from .config import ProbVLMConfig
from .contents import Contents, contents, contents_figures
from .train import Pairs, last_layer, selection, train_adapters, train_heads
from .uncertainty import (
    calibration_figures,
    hits_at_1,
    likelihood_figures,
    recalls,
    retrieval_scores,
)

RESULT, CONFIG = "probvlm.json", "config.json"
SAMPLES = 8
"""Of each law, whose nearest pictures are looked at."""
COLUMNS = (
    "NLL: nats a number, less is better; of laws at their own embeddings (intra) and at those of",
    "  the other modality (cross). covered: the share inside the central intervals of 50, 90 and",
    "  95 %, which should be that share: less is too narrow. shape: 2 is normal, 1 Laplace.",
    "S: whether recall falls from bin to bin of uncertainty, -1 if always, 0 by chance; R2: how",
    "  far on a line; -S R2: both, 1 is best; p: the chance of such an S by accident. AURC: the",
    "  mean share of errors among the most certain, over all shares taken; 1 - R@1 at random.",
)
"""What the columns of the table are."""


def run(config: ProbVLMConfig) -> dict[str, Any]:
    """Train heads, then each method on their embeddings; all figures, which are written too.

    Raises:
        ValueError: features that are not of these pictures, or a configuration that cannot work.
    """
    # -- features, and who learns from which
    check_place(config.out)  # what cannot be written is told before training
    data = _data(config)
    parts = make_parts(data, share=config.share, seed=config.seed)
    pairs = _checked(config.features, data, np.arange(len(data)))
    views = [_checked(path, data, parts.test).image for path in config.views]
    for path, view in zip(config.views, views, strict=True):
        if view.shape != pairs.image.shape:
            raise ValueError(
                f"{path}: pictures have {view.shape[1]} features and in {config.features} "
                f"{pairs.image.shape[1]}; expected views by the same encoder."
            )
    config.out.mkdir(parents=True, exist_ok=True)

    # -- heads
    heads = train_heads(config, pairs, parts.heads)
    with torch.no_grad():
        image = heads.encode_image(pairs.image)
        names = heads.encode_text(pairs.names)
        z_image, z_names = coordinates(heads, image), coordinates(heads, names)
    z_text = z_names[torch.from_numpy(pairs.concept)]

    # -- retrieval on the test concepts: what an uncertainty should foretell
    test = parts.test
    candidates = np.unique(pairs.concept[test])
    scores = retrieval_scores(heads, image[test], names[candidates])
    family = pairs.family.numpy()[test]
    right = family[:, None] == data.family[candidates][None]
    queries = {
        "image": (z_image[test], hits_at_1(scores, right), scores, right),
        "text": (z_names[candidates], hits_at_1(scores.T, right.T), scores.T, right.T),
    }
    result: dict[str, Any] = {
        "features": str(config.features),
        "model": config.model,
        "manifold": repr(heads.manifold),
        "pictures": {name: len(rows) for name, rows in parts._asdict().items()},
        "names tested": len(candidates),
        "retrieval": {m: recalls(s, r) for m, (_, _, s, r) in queries.items()},
        # Mean variance of a coordinate: what the mean of an uncertainty is a share of.
        "spread": {m: float(z.var(0).mean()) for m, (z, _, _, _) in queries.items()},
        "methods": {},
    }

    # -- adapters
    _save(heads, config.out / "heads.safetensors")
    doubts: dict[str, Tensor] = {}
    laws: tuple[str, Contents, Tensor] | None = None  # of the first method, with its doubts
    for method in config.methods:
        if method == "last_layer":
            variances = last_layer(heads, pairs, parts.heads, test, candidates)
            doubts[method] = variances["image"]
            result["methods"][method] = {
                f"{modality} uncertainty": calibration_figures(
                    {"total": variances[modality]}, hit, bins=min(config.bins, len(hit))
                )
                for modality, (_, hit, _, _) in queries.items()
            }
            continue
        model = train_adapters(config, method, z_image, z_text, pairs.family, parts.adapters)
        _save(model, config.out / f"{method}.safetensors")
        figures: dict[str, Any] = likelihood_figures(model, z_image[test], z_text[test])
        for modality, (z, hit, _, _) in queries.items():
            u = model.uncertainty(z, modality, passes=config.passes, seed=config.seed)
            known = {k: v for k, v in u._asdict().items() if bool((v > 0).all())}
            bins = min(config.bins, len(hit))  # few pictures, few bins
            figures[f"{modality} uncertainty"] = calibration_figures(known, hit, bins=bins)
            if modality == "image" and "total" in known:
                doubts[method] = known["total"]
        held = contents(
            model,
            heads,
            z_names[candidates],
            "text",
            image[test],
            samples=SAMPLES,
            seed=config.seed,
        )
        figures["contents"] = _held(held, data, data.concept[test], candidates)
        if laws is None:
            u = model.uncertainty(z_names[candidates], "text", passes=config.passes)
            laws = method, held, u.total
        result["methods"][method] = figures
    if views:
        with torch.no_grad():
            each = [
                coordinates(heads, heads.encode_image(view[test])) for view in (pairs.image, *views)
            ]
        known = {"total": augmentation_variance(torch.stack(each))}
        doubts["ttda"] = known["total"]
        bins = min(config.bins, len(test))
        found = calibration_figures(known, queries["image"][1], bins=bins)
        # Names are not augmented, and a spread of views is no law of anything.
        result["methods"]["ttda"] = {"image uncertainty": found}
    if config.select:
        result["selection"] = selection(config, pairs, parts, data)
    options = dataclasses.asdict(config)
    write_text(config.out / CONFIG, json.dumps(options, indent=2, default=str) + "\n")
    write_text(config.out / RESULT, json.dumps(result, indent=2) + "\n")
    if doubts and importlib.util.find_spec("matplotlib"):  # of the extra plot
        from .figures import Shown, draw

        names_of = [data.names[c] for c in data.concept[test]]
        images, hit = data.images[test], queries["image"][1]
        shown = None
        if laws is not None:
            words = [data.names[c] for c in candidates]
            shown = Shown(*laws, words, data.family[candidates], images, family)
        draw(config.out, result, doubts, hit, images, names_of, shown)
    return result


def _contents_lines(methods: dict[str, Any]) -> list[str]:
    """What samples of names' laws are nearest to."""
    lines: list[str] = []
    for method, f in methods.items():
        for kind, c in f.get("contents", {}).items():
            if not lines:
                head = "".join(f"{name:>11}" for name in c)
                lines = ["", f"  {'nearest to laws of names, same':34}{head}"]
            lines.append(f"  {method:22}{kind:12}" + "".join(f"{v:11.3f}" for v in c.values()))
    return lines


def _held(
    found: Contents, data: EmojiData, concept: NDArray[np.int64], candidates: NDArray[np.int64]
) -> dict[str, Any]:
    """What laws of names hold, by family and, where there are any, by subgroup."""
    figures: dict[str, Any] = {
        "family": contents_figures(found, data.family[concept], data.family[candidates])
    }
    if len(levels_of(data)) > 1:
        level = levels_of(data)[-2]
        kind = data.hierarchy.ancestor(level)
        figures[level] = contents_figures(found, kind[concept], kind[candidates])
    return figures


def _data(config: ProbVLMConfig) -> EmojiData:
    """The pictures of the features."""
    if config.run is None and is_npz(config.data):
        return load_emoji(config.data, config.concepts)
    trained = None if config.run is None else load_run(config.run)
    return all_pictures(trained, config.data, config.concepts)


def as_table(result: dict[str, Any]) -> str:
    """The figures as text for a terminal."""
    parts = ", ".join(f"{name} {count:,}" for name, count in result["pictures"].items())
    lines = [f"{result['model']} on {result['manifold']}; pictures: {parts}"]
    for modality, r in result["retrieval"].items():
        lines.append(
            f"  retrieval by {modality:7}" + "".join(f"{k:>6} {v:.3f}" for k, v in r.items())
        )
    lines += ["", f"  {'':22}{'NLL':>8}{'':>8}{'covered, cross':>24}{'shape':>7}"]
    lines += [f"  {'':22}{'intra':>8}{'cross':>8}{'50%':>8}{'90%':>8}{'95%':>8}{'median':>7}"]
    for method, f in result["methods"].items():
        if "cross" not in f:
            continue
        cross = f["cross"]
        row = [
            f["intra"]["NLL"],
            cross["NLL"],
            *(cross[f"coverage {p}"] for p in ("50%", "90%", "95%")),
        ]
        numbers = "".join(f"{v:8.3f}" for v in row)
        lines.append(f"  {method:22}{numbers}{f['shape']['median']:7.2f}")
    head = "".join(f"{k:>8}" for k in ("S", "R2", "-S R2", "p", "AURC"))
    for modality in result["retrieval"]:
        key = f"{modality} uncertainty"
        lines += ["", f"  {key:34}{head}"]
        for method, f in result["methods"].items():
            for kind, c in f.get(key, {}).items():
                if isinstance(c, dict):
                    numbers = "".join(f"{c[k]:8.3f}" for k in ("S", "R2", "-S R2", "p", "AURC"))
                    lines.append(f"  {method:22}{kind:12}{numbers}")
    lines += _contents_lines(result["methods"])
    if chosen := result.get("selection"):
        numbers = ", ".join(f"{k} {v:.3f}" for k, v in chosen.items() if isinstance(v, float))
        lines += ["", f"  R@1 with {chosen['added']} of {chosen['pool']} more pictures: {numbers}"]
    lines += ["", *(f"  {line}" for line in COLUMNS)]
    return "\n".join(lines)


def _checked(path: Path, data: EmojiData, rows: NDArray[np.int64]) -> Pairs:
    """The features of a file, if they are of these pictures and has them for ``rows``."""
    features = load_features(path)
    if not np.array_equal(features.concept, data.concept) or len(features.text) != len(data.names):
        raise ValueError(
            f"{path}: {len(features.image)} pictures of {len(features.text)} names, and the data "
            f"has {len(data)} of {len(data.names)} in its order; expected features of it."
        )
    missing = int((~np.isfinite(features.image[rows]).all(1)).sum())
    if missing:
        raise ValueError(
            f"{path}: {missing} of {len(rows)} pictures that are needed have no finite features; "
            "views (spaceforms features --augmented) have those of the test concepts only."
        )
    return Pairs(features, data)


def _save(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save

    with replacing(path) as part:
        part.write_bytes(save({k: v.detach().contiguous() for k, v in model.state_dict().items()}))
