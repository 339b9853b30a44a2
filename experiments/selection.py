"""Which of several encoders to take, by what adapters say of them on pictures without names.

Each candidate is a small CLIP of another size and budget, trained on the training concepts.
Adapters on it predict how uncertain the pictures of other concepts are; the names of those are not
needed for that, and only the truth, retrieval there, asks for them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from plan import merged
from scipy import stats
from train_run import train_run

ORDERS = ("uncertainty", "share of the spread")
"""What the candidates are ordered by: the mean uncertainty, and that over the variance that the
embeddings themselves have, since of points in one heap none is uncertain."""


@dataclass(frozen=True)
class Options:
    """Candidates, as options of a training, and how their adapters are trained."""

    candidates: list[dict[str, Any]]
    seed: int
    method: str = "generalized_gaussian"
    size: int = 16
    embed_dim: int = 64
    epochs: int = 20
    head_epochs: int = 10


def figures(folder: Path, options: Options, device: str) -> dict[str, float]:
    """Retrieval and mean uncertainty of each candidate, and what choosing by it is worth."""
    found = [
        _candidate(folder / f"candidate{k}", own, options, device)
        for k, own in enumerate(options.candidates)
    ]
    recall = np.array([one["recall"] for one in found])
    result = {
        f"{name} of candidate {k}": value
        for k, one in enumerate(found)
        for name, value in one.items()
    }
    for order in ORDERS:
        doubt = np.array([one[order] for one in found])
        result |= {f"{name}, by {order}": value for name, value in worth(doubt, recall).items()}
    return result


def worth(doubt: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    """What choosing the least uncertain candidate is worth.

    "rank correlation" is Spearman's of certainty with recall, 1 at best; "recall of the chosen" and
    "of the best", and "gain over chance", that of the chosen less the mean of all.
    """
    return {
        "rank correlation": float(stats.spearmanr(-doubt, recall).statistic),
        "recall of the chosen": float(recall[doubt.argmin()]),
        "recall of the best": float(recall.max()),
        "gain over chance": float(recall[doubt.argmin()] - recall.mean()),
    }


def _candidate(
    folder: Path, own: dict[str, Any], options: Options, device: str
) -> dict[str, float]:
    from spaceforms.datasets import load_emoji
    from spaceforms.models.encoders.frozen import save_features
    from spaceforms.models.probvlm.alignment_heads import run_features
    from spaceforms.models.probvlm.config import ProbVLMConfig
    from spaceforms.models.probvlm.run import run as run_probvlm

    common = {"model": "clip", "split": "concept", "seed": options.seed}
    given = merged({**common, "image": {"size": options.size}}, own)
    run = train_run(folder / "run", given, device)
    path = folder / "features.npz"
    save_features(run_features(run, load_emoji(size=options.size)), path)
    adapted = ProbVLMConfig(
        path,
        folder / "probvlm",
        (options.method,),  # type: ignore[arg-type]
        embed_dim=options.embed_dim,
        epochs=options.epochs,
        head_epochs=options.head_epochs,
        seed=options.seed,
    )
    result = run_probvlm(adapted)
    mean = result["methods"][options.method]["image uncertainty"]["total"]["mean"]
    return {
        "recall": result["retrieval"]["image"]["R@1"],
        "uncertainty": mean,
        "share of the spread": mean / result["spread"]["image"],
    }
