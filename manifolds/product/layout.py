"""Where the coordinates of each factor of a product are, and which factors go together."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor


class Layout:
    """The coordinates of k factors side by side on the last axis, in groups of equal factors.

    A group of g factors with m coordinates each is a tensor (..., g, m), on which one call of a
    manifold computes them all. Factors of a group that are neighbours are a view; others are
    copied together.

    Args:
        extras: how many coordinates a point of each factor has beyond its dimension.
        dims: the dimension of each factor; None if they share what there is evenly.
        groups: the positions of the factors of each group, ascending.
    """

    def __init__(
        self,
        extras: Sequence[int],
        dims: Sequence[int] | None,
        groups: Sequence[Sequence[int]],
    ) -> None:
        self.extras = tuple(extras)
        self.dims = None if dims is None else tuple(dims)
        self._runs = tuple(_runs(group) for group in groups)
        self._extras_before = (0, *accumulate(extras))
        self._dims_before = None if dims is None else (0, *accumulate(dims))

    def fits(self, n: int) -> bool:
        """Whether a product of dimension n can be divided among the factors."""
        if self.dims is not None:
            return n == sum(self.dims)
        return n > 0 and n % len(self.extras) == 0

    def dim(self, i: int, n: int) -> int:
        """The dimension of factor i in a product of dimension n."""
        return n // len(self.extras) if self.dims is None else self.dims[i]

    def start(self, i: int, n: int, *, normal: bool = False) -> int:
        """The first coordinate of factor i; ``normal`` coordinates are without the extra ones."""
        before = self._dims_before
        free = i * (n // len(self.extras)) if before is None else before[i]
        return free if normal else free + self._extras_before[i]

    def gather(self, x: Tensor, *, normal: bool = False) -> list[Tensor]:
        """The groups' coordinates: (..., m) -> one (..., g, m_g) for each group."""
        n = x.shape[-1] if normal else x.shape[-1] - self._extras_before[-1]
        groups = []
        for runs in self._runs:
            first = runs[0][0]
            m = self.dim(first, n) + (0 if normal else self.extras[first])
            parts = []
            for i, count in runs:
                start = self.start(i, n, normal=normal)
                some = x[..., start : start + count * m]
                parts.append(some.unflatten(-1, (count, m)))  # type: ignore[no-untyped-call]
            groups.append(parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2))
        return groups

    def join(self, groups: Sequence[Tensor]) -> Tensor:
        """The inverse of :meth:`gather`; leading axes are broadcast."""
        pieces: dict[int, Tensor] = {}
        for runs, part in zip(self._runs, groups, strict=True):
            row = 0
            for i, count in runs:
                pieces[i] = part[..., row : row + count, :].flatten(-2)
                row += count
        return side_by_side([pieces[i] for i in sorted(pieces)])


def side_by_side(parts: Sequence[Tensor]) -> Tensor:
    """Tensors (..., m_i) joined along the last axis, their leading axes broadcast."""
    if len(parts) == 1:
        return parts[0]
    leading = torch.broadcast_shapes(*(p.shape[:-1] for p in parts))  # type: ignore[no-untyped-call]
    return torch.cat([p.expand(*leading, p.shape[-1]) for p in parts], dim=-1)


def column(values: Sequence[float | Tensor], like: Tensor) -> float | Tensor:
    """One number for each factor of a group: (g, 1), or the number itself if all are equal."""
    if all(isinstance(v, float) and v == values[0] for v in values):
        return values[0]
    each = [torch.as_tensor(v, dtype=like.dtype, device=like.device) for v in values]
    return torch.stack(each).unsqueeze(-1)


def _runs(group: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Ascending numbers as (first, count) of neighbours."""
    breaks = [j for j, (a, b) in enumerate(pairwise(group), 1) if b != a + 1]
    return tuple((group[a], b - a) for a, b in pairwise([0, *breaks, len(group)]))
