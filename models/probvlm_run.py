"""ProbVLM on frozen features, read top to bottom: heads, adapters, and what they are worth.

    spaceforms features --out features.npz                 # the frozen pair, or
    spaceforms features --out features.npz --run RUN       # the encoders of a run of ours
    spaceforms probvlm features.npz --out runs/probvlm

Four parts of the concepts, none in two: heads learn on the first, adapters on the second; the third
is a pool to select from, the fourth is what all figures are of.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from torch import Tensor, nn

from ..datasets import EmojiData, load_emoji
from .frozen import Features, load_features
from .heads import GivenFeatures, Parts, coordinates, fit_heads, make_parts
from .image_text import ImageTextModel
from .optim import learning_rate
from .probvlm import LIKELIHOODS, ProbVLM
from .probvlm_baselines import PCME, PFE
from .uncertainty import (
    calibration_figures,
    hits_at_1,
    likelihood_figures,
    recalls,
    retrieval_scores,
)
from .zoo import Model, make_model

Method = Literal["generalized_gaussian", "gaussian", "laplace", "surrogate", "pfe", "pcme"]
RESULT, CONFIG = "probvlm.json", "config.json"


@dataclass(frozen=True)
class ProbVLMConfig:
    """Uncertainty of frozen embeddings: train heads and adapters on features, and judge them.

    Written to OUT/probvlm.json, with the weights of each method beside it.
    """

    features: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FEATURES")]
    """An .npz that `spaceforms features` wrote."""
    out: Path
    """Folder for results and weights."""
    methods: tuple[Method, ...] = get_args(Method)
    """ProbVLM by its likelihood, and the baselines pfe and pcme."""
    model: Model = "clip"
    """The model whose heads, manifold and contrastive loss align the features."""
    embed_dim: int = 64
    """Coordinates of the aligned embeddings."""
    head_epochs: int = 40
    """Passes of the heads over their pictures."""
    epochs: int = 60
    """Passes of the adapters over theirs."""
    batch_size: int = 256
    """Pairs in a step."""
    lr: float = 1e-3
    """Peak learning rate of the adapters' AdamW, after a short warmup; a cosine to 0 follows."""
    weight_decay: float = 0.01
    """Of the adapters' matrices."""
    hidden: int = 256
    """Width of the adapters' two hidden layers."""
    dropout: float = 0.1
    """In the adapters, while training and for the epistemic variance."""
    intra_weight: float = 1.0
    """Weight of the likelihood of the embedding itself."""
    cross_weight: float = 1.0
    """Weight of the likelihood of the other modality's embedding, lambda."""
    passes: int = 20
    """Networks drawn by dropout for the epistemic variance."""
    bins: int = 10
    """Bins of equal mass for the calibration."""
    select: int = 0
    """Pictures of the pool to add to the heads' by uncertainty, and at random; 0 for none."""
    share: float = 0.5
    """Of the training concepts' families for the heads; the rest trains adapters."""
    data: Path | None = None
    """The pictures of the features, an .npz; the packaged emoji if not given."""
    concepts: Path | None = None
    """Their concepts, a .json; the packaged ones if not given."""
    seed: int = 0
    """Of parts, weights, order and dropout."""

    def __post_init__(self) -> None:
        names = "embed_dim", "head_epochs", "epochs", "batch_size", "hidden", "passes"
        for name in names:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; expected from 0 to below 1.")
        if self.select < 0 or self.bins < 3:
            raise ValueError(
                f"select is {self.select} and bins {self.bins}; expected 0 or more, and 3 or more."
            )


class Pairs:
    """Features row by row: each picture with the name of its concept, and its family."""

    def __init__(self, features: Features, data: EmojiData) -> None:
        self.image = torch.from_numpy(features.image).float()
        self.names = torch.from_numpy(features.text).float()
        self.concept = features.concept
        self.text = self.names[torch.from_numpy(features.concept)]
        self.family = torch.from_numpy(data.family[features.concept])


def run(config: ProbVLMConfig) -> dict[str, Any]:
    """Train heads, then each method on their embeddings; all figures, which are written too.

    Raises:
        ValueError: features that are not of these pictures, or a configuration that cannot work.
    """
    # -- features, and who learns from which
    data = load_emoji(config.data, config.concepts)
    features = load_features(config.features)
    if not np.array_equal(features.concept, data.concept) or len(features.text) != len(data.names):
        raise ValueError(
            f"{config.features}: {len(features.image)} pictures of {len(features.text)} names, and "
            f"the data has {len(data)} of {len(data.names)} in its order; expected features of it."
        )
    pairs, parts = Pairs(features, data), make_parts(data, share=config.share, seed=config.seed)

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
        "methods": {},
    }

    # -- adapters
    config.out.mkdir(parents=True, exist_ok=True)
    _save(heads, config.out / "heads.safetensors")
    for method in config.methods:
        model = train_adapters(config, method, z_image, z_text, pairs.family, parts.adapters)
        _save(model, config.out / f"{method}.safetensors")
        figures: dict[str, Any] = likelihood_figures(model, z_image[test], z_text[test])
        for modality, (z, hit, _, _) in queries.items():
            u = model.uncertainty(z, modality, passes=config.passes, seed=config.seed)
            known = {k: v for k, v in u._asdict().items() if bool((v > 0).all())}
            figures[f"{modality} uncertainty"] = calibration_figures(known, hit, bins=config.bins)
        result["methods"][method] = figures
    if config.select:
        result["selection"] = selection(config, pairs, parts, data)
    (config.out / CONFIG).write_text(
        json.dumps(dataclasses.asdict(config), indent=2, default=str) + "\n", encoding="utf-8"
    )
    (config.out / RESULT).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


def train_heads(config: ProbVLMConfig, pairs: Pairs, rows: NDArray[np.int64]) -> ImageTextModel:
    """The heads of a model, trained on some rows; in evaluation mode."""
    torch.manual_seed(config.seed)
    heads = make_model(
        config.model,
        GivenFeatures(pairs.image[rows]),
        GivenFeatures(pairs.text[rows]),
        embed_dim=config.embed_dim,
        options={},
    )
    if heads.uses_general:
        raise ValueError(
            f"model is {config.model}, which is trained on texts above captions; expected one "
            "that needs names only, such as clip or meru."
        )
    fit_heads(
        heads,
        pairs.image[rows],
        pairs.text[rows],
        pairs.family[rows],
        epochs=config.head_epochs,
        batch_size=config.batch_size,
        seed=config.seed,
    )
    return heads.eval()


def train_adapters(
    config: ProbVLMConfig,
    method: str,
    image: Tensor,
    text: Tensor,
    family: Tensor,
    rows: NDArray[np.int64],
) -> ProbVLM:
    """One method, trained on rows of the embeddings (N, d); in evaluation mode."""
    torch.manual_seed(config.seed)
    image, text, family = image[rows], text[rows], family[rows]
    both = torch.cat([image, text])
    sizes: dict[str, Any] = {
        "hidden": config.hidden,
        "dropout": config.dropout,
        "centre": both.mean(0),
        "spread": float((both - both.mean(0)).square().mean().sqrt()),
    }
    model: ProbVLM
    if method in LIKELIHOODS:
        weights: dict[str, Any] = {
            "intra_weight": config.intra_weight,
            "cross_weight": config.cross_weight,
        }
        model = ProbVLM(image.shape[1], likelihood=method, **weights, **sizes)
    else:
        model = {"pfe": PFE, "pcme": PCME}[method](image.shape[1], **sizes)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    generator = torch.Generator().manual_seed(config.seed)
    size = min(config.batch_size, len(rows))
    steps = config.epochs * (len(rows) // size)
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < size:
            order = torch.randperm(len(rows), generator=generator)
        batch, order = order[:size], order[size:]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, peak=config.lr, steps=steps, warmup=0.05)
        same = family[batch, None] == family[None, batch]
        loss = model.loss(image[batch], text[batch], same).total
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    if not bool(loss.isfinite()):
        raise FloatingPointError(f"{method}: the loss is {float(loss)}; expected a finite one.")
    return model.eval()


def selection(
    config: ProbVLMConfig, pairs: Pairs, parts: Parts, data: EmojiData, *, draws: int = 3
) -> dict[str, Any]:
    """Add pictures of the pool to the heads' own: the most uncertain ones, or any.

    The pool is the adapters' part. Each half of its families is judged by adapters of the other
    half, so that nothing is selected by a model that has learned it.

    Returns:
        Recall at 1 of pictures on test concepts with heads trained on their own part ("none"), on
        it and the most uncertain, the least uncertain, or random pictures (mean over three draws),
        and on all.
    """
    heads = train_heads(config, pairs, parts.heads)
    with torch.no_grad():
        z_image = coordinates(heads, heads.encode_image(pairs.image))
        z_text = coordinates(heads, heads.encode_text(pairs.text))
    pool = parts.adapters
    family = pairs.family.numpy()
    generator = np.random.default_rng(config.seed)
    one = np.isin(family[pool], generator.permutation(np.unique(family[pool]))[::2])
    doubt = np.zeros(len(pool))
    for half in (one, ~one):
        judge = train_adapters(
            config, "generalized_gaussian", z_image, z_text, pairs.family, pool[~half]
        )
        u = judge.uncertainty(z_image[pool[half]], "image", passes=config.passes, seed=config.seed)
        doubt[half] = u.total.numpy()
    order = np.argsort(-doubt)
    count = min(config.select, len(pool))
    chosen = {
        "none": [pool[:0]],
        "most uncertain": [pool[order[:count]]],
        "least uncertain": [pool[order[-count:]]],
        "random": [generator.choice(pool, count, replace=False) for _ in range(draws)],
        "all": [pool],
    }
    test = parts.test
    candidates = np.unique(pairs.concept[test])
    right = family[test][:, None] == data.family[candidates][None]

    def recall(added: NDArray[np.int64]) -> float:
        model = train_heads(config, pairs, np.concatenate([parts.heads, added]))
        with torch.no_grad():
            image = model.encode_image(pairs.image[test])
            names = model.encode_text(pairs.names[candidates])
        return recalls(retrieval_scores(model, image, names), right)["R@1"]

    return {
        "added": count,
        "pool": len(pool),
        **{name: float(np.mean([recall(rows) for rows in sets])) for name, sets in chosen.items()},
    }


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
            for kind, c in f[key].items():
                if isinstance(c, dict):
                    numbers = "".join(f"{c[k]:8.3f}" for k in ("S", "R2", "-S R2", "p", "AURC"))
                    lines.append(f"  {method:22}{kind:12}{numbers}")
    if chosen := result.get("selection"):
        numbers = ", ".join(f"{k} {v:.3f}" for k, v in chosen.items() if isinstance(v, float))
        lines += ["", f"  R@1 with {chosen['added']} of {chosen['pool']} more pictures: {numbers}"]
    return "\n".join(lines)


def _save(model: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({k: v.detach().contiguous() for k, v in model.state_dict().items()}, path)
