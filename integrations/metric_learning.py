"""pytorch-metric-learning 2: the distance of a space for its losses and miners.

from pytorch_metric_learning import losses
from spaceforms.integrations.metric_learning import ManifoldDistance

loss = losses.TripletMarginLoss(distance=ManifoldDistance(space), margin=0.5)
"""

from typing import Any

from pytorch_metric_learning.distances import BaseDistance
from torch import Tensor

from ..manifolds import Manifold
from .embedding_similarity import Similarity

__all__ = ["ManifoldDistance"]


class ManifoldDistance(BaseDistance):  # type: ignore[misc]
    """Embeddings (A, n), (B, n) -> their distances in a space, (A, B), in the embeddings' dtype.

    Of its three flags two are set and kept: ``is_inverted=False``, for large means far, and
    ``normalize_embeddings=False``, for the length of an embedding is the distance of its point from
    the origin. ``power`` is free: 2 gives squared distances. Losses that insist on Euclidean or
    cosine distances (angular, FastAP, ArcFace and its kin) refuse this one as they do any other.

    The space is a submodule. Where its curvature is learned, give ``loss.parameters()`` to the
    optimiser.

    Args:
        space: where the embeddings are points.
        lift: True takes embeddings for normal coordinates, ``space.from_normal(v)``; False for
            points (A, m).
        power: of the distance.
        options: ``collect_stats``, the base class's.

    Raises:
        ValueError: a flag that would make other numbers than distances.
    """

    def __init__(
        self, space: Manifold, *, lift: bool = True, power: float = 1, **options: Any
    ) -> None:
        for flag in ("normalize_embeddings", "is_inverted"):
            if options.pop(flag, False):
                raise ValueError(
                    f"ManifoldDistance: {flag} is True; expected False: these are distances, and "
                    "the length of an embedding is one of them."
                )
        super().__init__(normalize_embeddings=False, is_inverted=False, power=power, **options)
        self.space = space
        self._all = Similarity(space, lift=lift)
        self._rows = Similarity(space, lift=lift, pairwise=True)

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        """All distances, (A, n) and (B, n) -> (A, B)."""
        table: Tensor = -self._all(query_emb, ref_emb)
        return table.to(query_emb.dtype)

    def pairwise_distance(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        """Distances row by row, (A, n) and (A, n) -> (A)."""
        rows: Tensor = -self._rows(query_emb, ref_emb)
        return rows.to(query_emb.dtype)
