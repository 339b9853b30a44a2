"""TCL's three contrasts: across modalities, within each, and of the whole with its parts.

Yang et al. 2022, "Vision-Language Pre-Training with Triple Contrastive Learning" (arXiv
2202.10401), with the dot product of unit vectors replaced by a similarity of any manifold. Keys are
points of slowly moving copies of the encoders (:func:`momentum_update`), which no gradient reaches,
and of a queue of earlier ones (:class:`PointQueue`).
"""

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_integer, check_real, check_tensor
from ..common import (
    Reduction,
    check_manifold,
    check_one_shape,
    check_points,
    check_positive,
    check_reduction,
    check_share,
    in_float32,
    reduce,
)
from ..pairwise.info_nce import info_nce
from ..pairwise.logits import Logits, pairwise_logits


@torch.no_grad()
def distilled_targets(
    query: Tensor,
    keys: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    weight: Tensor | float,
    positives: Tensor | None = None,
    logits: Logits = "neg_dist",
) -> Tensor:
    r"""Soft targets of a momentum model: :math:`q = \alpha\,\mathrm{softmax}(l) + (1-\alpha)\,p`.

    l are the logits of momentum queries against momentum keys and p the hard targets (Li et al.
    2021, ALBEF). No gradient flows through them.

    Args:
        query: points (B, m).
        keys: points (C, m), C >= B.
        manifold, scale, logits: as in :func:`info_nce`.
        weight: alpha in [0, 1]; 0 gives the hard targets.
        positives: (B, C), which belong together; they share the mass of their row. None: key i
            belongs to query i.

    Returns:
        (B, C); rows sum to 1 (to alpha where a row has no positive).
    """
    where = "distilled_targets"
    check_share(where, "weight", weight)
    check_positive(where, "scale", scale)
    check_manifold(where, manifold)
    check_points(where, query=query, keys=keys)
    if positives is None and len(query) > len(keys):
        raise ValueError(
            f"{where}: query has {len(query)} points and keys {len(keys)} with positives None; "
            "expected as many keys or more, key i of query i."
        )
    table = pairwise_logits(query, keys, manifold=manifold, scale=scale, logits=logits)
    hard = torch.eye(*table.shape, dtype=table.dtype, device=table.device)
    if positives is not None:
        _check_table("distilled_targets", "positives", positives, tuple(table.shape))
        # Rows without positives have mass 0 and stay 0: without the clamp they would be 0/0.
        mass = positives.to(table.dtype)
        hard = mass / mass.sum(1, keepdim=True).clamp(min=1)
    return weight * table.softmax(1) + (1 - weight) * hard


def cross_modal_alignment(
    image: Tensor,
    text: Tensor,
    image_keys: Tensor,
    text_keys: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    weight: Tensor | float = 0.4,
    image_queue: Tensor | None = None,
    text_queue: Tensor | None = None,
    positives: Tensor | None = None,
    logits: Logits = "neg_dist",
    reduction: Reduction = "mean",
) -> Tensor:
    r"""CMA: pictures against momentum captions and captions against momentum pictures.

    The mean of :math:`H(q^{i2t}, \mathrm{softmax}(l^{i2t}))` and of the same from text to image,
    H the cross entropy, over the keys of the batch and of the queues, with the targets q of
    :func:`distilled_targets` (TCL adds the two directions: half of that here).

    Args:
        image, text: points (B, m) of the encoders that learn.
        image_keys, text_keys: points (B, m) of the momentum encoders, row by row the same pairs.
        manifold, scale, logits: as in :func:`info_nce`.
        weight: alpha; 0.4 in the paper, risen to from 0 over the first epoch.
        image_queue, text_queue: points (Q, m) of earlier batches; both or none, of one length:
            they are pushed together.
        positives: (B, B + Q), which columns belong to which rows, the same for both directions
            (:meth:`PointQueue.positives`); None for the diagonal.
        reduction: ``"mean"``, ``"sum"`` of the mean of both directions, or ``"none"``: (B, 2).

    Returns:
        A scalar in float32 (float64 for float64 inputs), or see ``reduction``.
    """
    where = "cross_modal_alignment"
    check_reduction(where, reduction)
    check_one_shape(where, image=image, text=text, image_keys=image_keys, text_keys=text_keys)
    check_share(where, "weight", weight)
    check_manifold(where, manifold)
    check_positive(where, "scale", scale)
    for name, queue in (("image_queue", image_queue), ("text_queue", text_queue)):
        _check_queue(where, name, queue, image)
    rows = [0 if q is None else len(q) for q in (image_queue, text_queue)]
    if rows[0] != rows[1]:
        raise ValueError(
            f"{where}: image_queue has {rows[0]} points and text_queue {rows[1]}; expected as many."
        )
    sides = []
    for query, teacher, keys, queue in (
        (image, image_keys, text_keys, text_queue),
        (text, text_keys, image_keys, image_queue),
    ):
        # The teacher is the momentum point of the query's own item against the same columns.
        columns = _joined(keys, queue)
        soft = distilled_targets(
            teacher,
            columns,
            manifold=manifold,
            scale=scale,
            weight=weight,
            positives=positives,
            logits=logits,
        )
        side = info_nce(
            query,
            columns,
            manifold=manifold,
            scale=scale,
            targets=soft,
            logits=logits,
            symmetric=False,
            reduction=reduction,
        )
        sides.append(side)
    return torch.stack(sides, dim=1) if reduction == "none" else (sides[0] + sides[1]) / 2


def intra_modal_contrastive(
    point: Tensor,
    keys: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    queue: Tensor | None = None,
    positives: Tensor | None = None,
    logits: Logits = "neg_dist",
    reduction: Reduction = "mean",
) -> Tensor:
    """IMC of one modality: a point against the momentum points of other views of its own kind.

    One-sided :func:`info_nce` with hard targets over the keys of the batch and of the queue (TCL
    adds images' and texts').

    Args:
        point: points (B, m) of the encoder that learns.
        keys: points (B, m) of the momentum encoder, row by row another view of the same.
        manifold, scale, logits: as in :func:`info_nce`.
        queue: points (Q, m) of earlier batches.
        positives: (B, B + Q) as in :func:`cross_modal_alignment`; None for the diagonal.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (B,).
    """
    where = "intra_modal_contrastive"
    check_reduction(where, reduction)
    check_one_shape(where, point=point, keys=keys)
    check_positive(where, "scale", scale)
    _check_queue(where, "queue", queue, keys)
    columns = _joined(keys, queue)
    # None would ask for as many columns as rows, and a queue adds some. Column i is key i.
    targets: Tensor = torch.arange(len(point), device=point.device)
    if positives is not None:
        _check_table(where, "positives", positives, (len(point), len(columns)))
        targets = positives
    return info_nce(
        point,
        columns,
        manifold=manifold,
        scale=scale,
        targets=targets,
        logits=logits,
        symmetric=False,
        reduction=reduction,
    )


def local_mutual_information(
    point: Tensor,
    local: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    mask: Tensor | None = None,
    same: Tensor | None = None,
    logits: Logits = "neg_dist",
    reduction: Reduction = "mean",
) -> Tensor:
    r"""LMI: an item's global point against the local points (patches, tokens) of the whole batch.

    With :math:`l_{ikm}` the logit of point i and local m of item k,

    .. math:: L_i = -\frac1{M_i}\sum_m \log\frac{e^{l_{iim}}}
              {e^{l_{iim}} + \sum_{k\ne i}\sum_{m'} e^{l_{ikm'}}},

    a bound of the mutual information of whole and part (after Hjelm et al. 2019): the other locals
    of the item itself are neither positives nor negatives of a term.
    All terms of a row share one sum of negatives, so memory is one table (B, B, M).

    Args:
        point: points (B, m).
        local: points (B, M, m) of the same items; without gradient in the paper (of the momentum
            encoder), which is for the caller to decide.
        manifold, scale, logits: as in :func:`info_nce`.
        mask: (B, M), True where there is a local point; None: everywhere.
        same: (B, B), True where two items are of one kind, whose locals are no negatives. An item
            is of its own kind in any case.
        reduction: ``"mean"`` over items with a local point, ``"sum"``, or ``"none"``: (B,), 0 for
            an item without any. Where there are no negatives (one item) the loss is 0.

    Returns:
        In float32 (float64 for float64 inputs).
    """
    where = "local_mutual_information"
    check_reduction(where, reduction)
    check_manifold(where, manifold)
    check_positive(where, "scale", scale)
    in_float32(where, point=point, local=local)
    if local.ndim != 3 or point.shape != (local.shape[0], local.shape[2]):
        raise ValueError(
            f"{where}: point has shape {tuple(point.shape)} and local {tuple(local.shape)}; "
            "expected (B, m) and (B, M, m)."
        )
    batch, number, _ = local.shape
    there = torch.ones(batch, number, dtype=torch.bool, device=point.device)
    if mask is not None:
        _check_table(where, "mask", mask, (batch, number))
        there = mask.bool()
    kin = torch.eye(batch, dtype=torch.bool, device=point.device)
    if same is not None:
        _check_table(where, "same", same, (batch, batch))
        kin = kin | same.bool()
    # table[i, k, m] is the logit of point i with local m of item k.
    table = pairwise_logits(
        point, local.flatten(0, 1), manifold=manifold, scale=scale, logits=logits
    ).view(batch, batch, number)
    own = table.diagonal().mT  # (B, M)
    # `negative` leaves out the item's own locals, those of its kind, and those that are not there.
    negative = (~kin[:, :, None] & there).flatten(1)
    some = negative.any(1, keepdim=True)
    # A row of minus infinities has no gradient, not even 0: it is given zeros and then left out.
    others = table.flatten(1).where(negative, -torch.inf).where(some, 0.0)
    # The loss of a term, -log(e^own/(e^own + sum)), is softplus(log sum - own). The sum is one for
    # all terms of a row.
    terms = torch.nn.functional.softplus(others.logsumexp(1, keepdim=True) - own)
    weight = (there & some).to(terms.dtype)
    loss = (terms * weight).sum(1) / there.sum(1).clamp(min=1)
    return reduce(loss, there.any(1), reduction)


def pool_patches(points: Tensor, *, manifold: Manifold, size: int) -> Tensor:
    """The Fréchet mean of each square of size x size patches: (B, H, W, m) -> (B, P, m).

    P = (H/size)(W/size), in reading order. (TCL takes the mean of unit vectors, which lies inside
    the sphere and not on it.) Differentiable, see :meth:`Manifold.mean`.

    Raises:
        ValueError: a size that does not divide both sides of the grid.
    """
    check_manifold("pool_patches", manifold)
    check_integer("pool_patches", "size", size, 1)
    in_float32("pool_patches", points=points)
    if points.ndim != 4 or size < 1 or points.shape[1] % size or points.shape[2] % size:
        raise ValueError(
            f"pool_patches: points have shape {tuple(points.shape)} with size {size}; expected "
            "(B, H, W, m) and a size that divides H and W."
        )
    if size == 1:
        return points.flatten(1, 2)
    (points,) = in_float32("pool_patches", points=points)
    batch, height, width, m = points.shape
    # Height and width are each cut into (cell, place in the cell); the transpose puts cells first.
    cells = points.reshape(batch, height // size, size, width // size, size, m)
    cells = cells.transpose(2, 3).reshape(batch, -1, size * size, m)
    return manifold.mean(cells)


def _joined(keys: Tensor, queue: Tensor | None) -> Tensor:
    return keys if queue is None else torch.cat([keys, queue.to(keys.dtype)])


def _check_queue(where: str, name: str, queue: Tensor | None, keys: Tensor) -> None:
    if queue is None:
        return
    check_tensor(where, name, queue)
    if queue.ndim != 2 or queue.shape[1] != keys.shape[1]:
        raise ValueError(
            f"{where}: {name} has shape {tuple(queue.shape)}; expected (Q, {keys.shape[1]})."
        )


def _check_table(where: str, name: str, table: Tensor, shape: tuple[int, ...]) -> None:
    check_real(where, name, table)
    if tuple(table.shape) != shape:
        raise ValueError(f"{where}: {name} has shape {tuple(table.shape)}; expected {shape}.")
