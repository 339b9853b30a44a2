"""A run of ProbVLM in one typed value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro

from ..options import PATH, absent

Method = Literal[
    "generalized_gaussian",
    "gaussian",
    "laplace",
    "surrogate",
    "pfe",
    "pcme",
    "prolip",
    "last_layer",
]
Heads = Literal["clip", "meru", "euclip", "phyclip", "sphere-cones"]


@dataclass(frozen=True)
class ProbVLMConfig:
    """Say how certain a model is of each picture and text, and judge that: ProbVLM and baselines.

    For features of encoders that are kept as they are (`spaceforms features` writes them), small
    adapters learn a law for each embedding; whether its uncertainty knows what retrieval gets wrong
    is measured on concepts that nothing was trained on. A minute or so. Written to
    OUT/probvlm.json, with the weights of each method and three pictures beside it.
    """

    features: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FEATURES")]
    """An .npz that `spaceforms features` wrote."""
    out: Path
    """Folder for results and weights."""
    methods: tuple[Method, ...] = get_args(Method)
    """ProbVLM by its likelihood, and the baselines pfe, pcme, prolip and last_layer (Laplace's
    approximation of the heads' projections)."""
    model: Heads = "clip"
    """The model whose heads, manifold and contrastive loss align the features."""
    embed_dim: int = 64
    """Coordinates of the aligned embeddings."""
    head_epochs: int = 10
    """Passes of the heads over their pictures; this and the next, of 5 to 60, are the best on the
    packaged val concepts."""
    epochs: int = 20
    """Passes of the adapters over theirs."""
    batch_size: int = 256
    """Pairs in a step."""
    lr: float = 1e-3
    """Peak learning rate of the adapters' AdamW, after a short warmup; a cosine to 0 follows."""
    weight_decay: float = 0.01
    """Of the adapters' matrices."""
    hidden: int = 256
    """Width of the adapters' two hidden layers."""
    dropout: float = 0.3
    """In the adapters, while training and for the epistemic variance. The paper's 0.1 learns these
    few concepts by heart."""
    intra_weight: float = 1.0
    """Weight of the likelihood of the embedding itself."""
    cross_weight: float = 1.0
    """Weight of the likelihood of the other modality's embedding, lambda."""
    passes: int = 20
    """Networks drawn by dropout for the epistemic variance."""
    bins: int = 10
    """Bins of equal mass for the calibration."""
    views: tuple[Path, ...] = ()
    """Features of augmented pictures, from `spaceforms features --augmented SEED`: their spread is
    the baseline ttda (test-time data augmentation)."""
    select: int = 0
    """Pictures of the pool to add to the heads' by uncertainty, and at random; 0 for none."""
    share: float = 0.5
    """Of the training concepts' families for the heads; the rest trains adapters."""
    run: Annotated[Path | None, absent(PATH, "none")] = None
    """Folder of the run whose features they are, which knows its pictures and what it held out."""
    data: Annotated[Path | None, absent(PATH, "the run's, or the packaged emoji")] = None
    """The pictures of the features: a folder, shards or an .npz. The run's, or the packaged emoji
    if not given."""
    concepts: Annotated[Path | None, absent(PATH, "the packaged ones")] = None
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
