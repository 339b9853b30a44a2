"""sentence-transformers 6: a similarity for its losses, a module, and a model that measures by it.

from sentence_transformers.sentence_transformer import SentenceTransformer, losses
from spaceforms.integrations.sentence_transformers import *

space = Lorentz(-1.0, learnable=True)
model = SentenceTransformer(modules=[*SentenceTransformer(PATH), SentencePoints(space)])
loss = losses.MultipleNegativesRankingLoss(model, similarity_fct=similarity(space))
"""

from typing import Any, ClassVar, Self

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Module
from torch import Tensor

from ..manifolds import Manifold, PositiveScalar
from .embedding_similarity import Similarity as Similarity, similarity as similarity
from .spaces import config_of, space_of

__all__ = ["DistanceSentenceTransformer", "SentencePoints", "similarity"]


class SentencePoints(Module):  # type: ignore[misc]
    """Sentence embeddings (B, n) -> normal coordinates (B, n) of points of a space, float32.

    The last module of a model, after pooling. It multiplies by a learned scale: points start at
    ``scale`` times the length of an embedding from the origin, which should be where the space is
    curved to be felt, about one radius of curvature. What it gives are normal coordinates, of which
    ``space.from_normal`` makes points, so that a stored embedding is one of any model of the space.
    It saves and loads its space, with the curvature that was learned.

    Args:
        space: Lorentz, PoincareBall, Sphere, Euclidean or one of their charts.
        scale: what embeddings are multiplied by at first.
        learn_scale: False keeps it.
    """

    def __init__(self, space: Manifold, scale: float = 1.0, *, learn_scale: bool = True) -> None:
        super().__init__()
        config_of(space)  # refuses what could not be saved
        self.space = space
        self.scale = PositiveScalar(scale, learnable=learn_scale)

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The same features with ``sentence_embedding`` replaced."""
        embedding: Tensor = features["sentence_embedding"]
        return features | {"sentence_embedding": self.scale() * embedding.float()}

    def get_config_dict(self) -> dict[str, Any]:
        """What its folder's config.json holds."""
        own = {"scale": float(self.scale().detach()), "learn_scale": self.scale.learnable}
        return config_of(self.space) | own

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **_: Any) -> None:
        """Write config.json and the weights."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)

    def on_model_ready(self, model: Any) -> None:
        """Let a plain SentenceTransformer that has this module measure by distance from now on."""
        if type(model) is SentenceTransformer:
            model.__class__ = DistanceSentenceTransformer
            model.similarity_fn_name = "distance"

    @classmethod
    def load(cls, model_name_or_path: str, **options: Any) -> Self:
        """Read what :meth:`save` wrote."""
        names = ("subfolder", "token", "cache_folder", "revision", "local_files_only")
        where = {name: options[name] for name in names if name in options}
        config = cls.load_config(model_name_or_path, **where)
        made = cls(space_of(config), config["scale"], learn_scale=config["learn_scale"])
        if made.state_dict():
            made = cls.load_torch_weights(model_name_or_path, model=made, **where)
        return made


class DistanceSentenceTransformer(SentenceTransformer):  # type: ignore[misc]
    """A SentenceTransformer whose similarity is minus the distance in the space of its points.

    A SentenceTransformer becomes one when it is made with a :class:`SentencePoints` among its
    modules. A folder is opened by this class, or by SentenceTransformer with
    ``trust_remote_code=True``, which it wants for every module that is not its own.

    ``similarity``, ``similarity_pairwise`` and the evaluators that ask for them (retrieval,
    NanoBEIR) go by the distance, and RerankingEvaluator with ``similarity_fct=model.similarity``.
    Evaluators that know four similarities by name alone (EmbeddingSimilarityEvaluator,
    BinaryClassificationEvaluator, TripletEvaluator) have none called ``distance`` and report
    nothing, or raise KeyError. ParaphraseMiningEvaluator and TranslationEvaluator ask no model
    for its similarity: theirs are cosines.

    Raises:
        ValueError: no SentencePoints among the modules, or another similarity asked for.
    """

    SUPPORTED_SIMILARITY_FN_NAMES = ("distance",)
    # The class that its own folders name is here already: no code of theirs is to be trusted.
    _module_classes: ClassVar = {f"{SentencePoints.__module__}.SentencePoints": SentencePoints}

    def __init__(self, model_name_or_path: str | None = None, **options: Any) -> None:
        super().__init__(model_name_or_path, **options)
        if not any(isinstance(module, SentencePoints) for module in self):
            kinds = ", ".join(type(module).__name__ for module in self)
            raise ValueError(
                f"DistanceSentenceTransformer: the modules are {kinds}; expected a SentencePoints, "
                "which has the space: modules=[*model, SentencePoints(space)]."
            )

    @property
    def space(self) -> Manifold:
        """The space of its points."""
        (points,) = (module for module in self if isinstance(module, SentencePoints))
        space: Manifold = points.space
        return space

    @property
    def similarity_fn_name(self) -> str:
        """``"distance"``."""
        return "distance"

    @similarity_fn_name.setter
    def similarity_fn_name(self, value: str | None) -> None:
        if value not in (None, "distance"):
            raise ValueError(
                f"DistanceSentenceTransformer: similarity_fn_name is {value!r}; expected "
                "'distance' or none: cosines of normal coordinates are no distances."
            )
        self._similarity_fn_name = "distance"  # what the base class looks at

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Minus the distances of normal coordinates (A, n) and (B, n), or (n), as (A, B)."""
        rows = (_tensor(e) for e in (embeddings1, embeddings2))
        a, b = (v[None] if v.ndim == 1 else v for v in rows)
        table: Tensor = Similarity(self.space, matmul=True)(a, b)
        return table

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Minus the distances of normal coordinates row by row, (A, n) and (A, n) -> (A)."""
        a, b = _tensor(embeddings1), _tensor(embeddings2)
        measured: Tensor = Similarity(self.space, pairwise=True)(a, b)
        return measured


def _tensor(embeddings: Any) -> Tensor:
    """Whatever ``encode`` returns, a list of vectors too, as one tensor."""
    if isinstance(embeddings, Tensor):
        return embeddings
    if isinstance(embeddings, list) and embeddings and isinstance(embeddings[0], Tensor):
        return torch.stack(embeddings)
    return torch.as_tensor(np.asarray(embeddings))
