"""A ring of points of earlier batches: more negatives than a batch has."""

import torch
from torch import Tensor, nn

from ...manifolds import Manifold
from ...manifolds.checks import check_integer, check_integers, check_tensor
from ..common import check_manifold


class PointQueue(nn.Module):
    """The last ``size`` points pushed, with an id each (He et al. 2020, MoCo).

    Points are kept as they come, in the manifold's own coordinates and in float32, and projected
    onto it when they are read: where the curvature is learned the space has moved since. On Lorentz
    that keeps the space part and recomputes the time.

    The ring wraps: a batch that reaches beyond its end goes on at its start, so ``size`` need not
    be a multiple of the batch (TCL asserts that it is). What is read is what was pushed, never an
    empty place: a queue that is not full yet gives fewer points.

    Everything is in the ``state_dict``. To load one is to have the same queue.

    Args:
        manifold: the space of the points; not a submodule, as in :class:`InfoNCE`.
        dim: dimension n of the space; points have ``manifold.ambient_dim(n)`` coordinates.
        size: the most points kept.

    Raises:
        ValueError: a size or dimension below 1.
    """

    points: Tensor
    ids: Tensor
    pushed: Tensor

    def __init__(self, manifold: Manifold, dim: int, *, size: int) -> None:
        super().__init__()
        check_manifold("PointQueue", manifold)
        for name, value in (("dim", dim), ("size", size)):
            check_integer("PointQueue", name, value, 1)
        # In a tuple, nn.Module does not see it and its parameters stay the model's.
        self._manifold = (manifold,)
        self.size = size
        coordinates = manifold.ambient_dim(dim)
        self.register_buffer("points", torch.empty(size, coordinates))
        self.register_buffer("ids", torch.empty(size, dtype=torch.int64))
        # `pushed` counts all points ever pushed: with the size it gives the place of the next one
        # and the number kept.
        self.register_buffer("pushed", torch.empty((), dtype=torch.int64))
        # The same count as a number, so that a GPU is asked for it only after a state was loaded.
        self._pushed: int | None = None
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Empty, as it was made."""
        self.points.zero_()
        self.ids.fill_(-1)
        self.pushed.zero_()
        self._pushed = 0

    @property
    def manifold(self) -> Manifold:
        """The space of the points."""
        return self._manifold[0]

    def __len__(self) -> int:
        """The number of points that :meth:`forward` returns."""
        if self._pushed is None:
            self._pushed = int(self.pushed)
        return min(self._pushed, self.size)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Points (Q, m) without gradient and their ids (Q,), Q = min(number pushed, size)."""
        kept = len(self)
        with torch.no_grad():
            # The copy lets a batch be pushed while a loss of these points waits for its backward
            # pass, which would else find them changed.
            return self.manifold.proj(self.points[:kept].clone()), self.ids[:kept].clone()

    def positives(self, ids: Tensor, keys: Tensor | None = None) -> Tensor:
        """Which columns belong to which rows: the table (B, K + Q) for :func:`info_nce`.

        Columns are the keys of the batch, if any, and then the queue. What has the row's id (the
        same picture of an earlier epoch, another one of the same thing) is a positive, so it is no
        negative.

        Args:
            ids: (B,), integers, of the rows.
            keys: (K,), ids of columns before those of the queue; None for none.
        """
        check_integers("PointQueue.positives", "ids", ids)
        # A ring that is not full is filled from its start: what is behind is empty, with id -1.
        columns = self.ids[: len(self)]
        if keys is not None:
            check_integers("PointQueue.positives", "keys", keys)
            columns = torch.cat([keys.to(columns), columns])
        return ids[:, None] == columns

    @torch.no_grad()
    def push(self, points: Tensor, ids: Tensor) -> None:
        """Put in a batch, in place of the oldest; of no gradient.

        Args:
            points: (B, m), B at most the size.
            ids: (B,), integers.

        Raises:
            ValueError: a batch larger than the queue, of which a part would be lost, or shapes
                that do not fit.
        """
        check_tensor("PointQueue.push", "points", points)
        check_integers("PointQueue.push", "ids", ids)
        batch, coordinates = len(points), self.points.shape[1]
        if points.shape != (batch, coordinates) or ids.shape != (batch,):
            raise ValueError(
                f"PointQueue.push: points have shape {tuple(points.shape)} and ids "
                f"{tuple(ids.shape)}; expected (B, {coordinates}) and (B,)."
            )
        if batch > self.size:
            raise ValueError(
                f"PointQueue.push: got {batch} points for a queue of {self.size}; expected at most "
                "that many, or a larger queue."
            )
        # `place` wraps: a batch goes on at the start of the ring, over the oldest points.
        place = (self.pushed + torch.arange(batch, device=self.points.device)) % self.size
        self.points[place] = points.to(self.points)
        self.ids[place] = ids.to(self.ids)
        self.pushed += batch
        if self._pushed is not None:
            self._pushed += batch

    def extra_repr(self) -> str:
        """Manifold and size."""
        return f"{self.manifold!r}, size={self.size}"


def _forget(queue: nn.Module, _: object) -> None:
    """After a state was loaded: the count is the state's."""
    queue._pushed = None  # type: ignore[assignment]
