"""Minus the distance of embeddings as normal coordinates, for the losses of other libraries."""

from typing import Any

import torch
from torch import Tensor, nn

from ..manifolds import Manifold
from ..manifolds.checks import check_real
from ..manifolds.manifold_checks import check_manifold


class Similarity(nn.Module):
    """Embeddings (A, n) and (B, n) -> minus the distances of their points, (A, B).

    An embedding v is the point ``space.from_normal(v)``: at distance norm(v) from the origin, in
    the direction of v. Half precision is computed, and returned, in float32. The space is a
    submodule: where its curvature is learned, it is among the parameters of whatever loss holds
    this.

    Args:
        space: where the embeddings are points.
        lift: False takes embeddings (A, m) for points as they are.
        pairwise: compare row by row: (A, n) and (A, n) -> (A).
        matmul: as in :meth:`Manifold.cdist`: True takes memory for the table only.

    Raises:
        TypeError: when called, embeddings that are no tensors of real numbers.
    """

    def __init__(
        self,
        space: Manifold,
        *,
        lift: bool = True,
        pairwise: bool = False,
        matmul: bool = False,
    ) -> None:
        super().__init__()
        check_manifold("similarity", space)
        self.space, self.lift, self.pairwise, self.matmul = space, lift, pairwise, matmul

    @property
    def __name__(self) -> str:
        """What losses and model cards call it."""
        return "neg_dist"

    def get_config_dict(self) -> dict[str, Any]:
        """What sentence-transformers writes of it into a model card."""
        return {"space": self.space} | ({"pairwise": True} if self.pairwise else {})

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        for name, embeddings in (("a", a), ("b", b)):
            check_real("similarity", name, embeddings)
        x, y = (v.to(torch.promote_types(v.dtype, torch.float32)) for v in (a, b))
        if self.lift:
            x, y = self.space.from_normal(x), self.space.from_normal(y)
        if self.pairwise:
            return -self.space.dist(x, y)
        return -self.space.cdist(x, y, matmul=self.matmul)


def similarity(
    space: Manifold, *, lift: bool = True, pairwise: bool = False, matmul: bool = False
) -> Similarity:
    """The similarity of embeddings on a space, for ``similarity_fct=``; see :class:`Similarity`.

    >>> import torch
    >>> from spaceforms.manifolds import Lorentz
    >>> fct = similarity(Lorentz(-1.0))
    >>> fct(torch.zeros(1, 2), torch.tensor([[0.0, 3.0], [4.0, 0.0]]))
    tensor([[-3., -4.]])
    """
    return Similarity(space, lift=lift, pairwise=pairwise, matmul=matmul)
