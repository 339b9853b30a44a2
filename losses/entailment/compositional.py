"""HyCoCLIP's losses for wholes and their parts, on any manifold and for chains of any length.

Pal et al. 2025, "Compositional Entailment Learning for Hyperbolic Vision-Language Models" (arXiv
2410.06912), written from its formulas. A part (a box of a picture, a noun of its caption) is more
general than the whole: it fits other wholes as well. So parts are contrasted with wholes but never
are negatives, and a part entails its whole.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_integers
from ..common import (
    Reduction,
    check_list,
    check_one_shape,
    check_positive,
    check_reduction,
    in_float32,
)
from ..pairwise.info_nce import info_nce
from ..pairwise.logits import Logits
from .cones import entailment


def compositional_contrastive(
    image: Tensor,
    text: Tensor,
    part_image: Tensor,
    part_text: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    targets: Tensor | None = None,
    logits: Logits = "neg_dist",
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Contrast of wholes with wholes both ways, and of parts with wholes one way.

    .. math:: L = \tfrac14\bigl[H(I\to T) + H(T\to I) + H(I'\to T) + H(T'\to I)\bigr],

    H the one-sided :func:`info_nce` from rows to columns, I' and T' the parts (Pal
    et al. 2025). All columns are wholes.

    Args:
        image, text: points (B, m) of whole pictures and captions, row by row pairs.
        part_image, part_text: points (B, m) of a part of each.
        manifold, scale, logits: as in :func:`info_nce`.
        targets: (B, B), which pairs belong together, symmetric in meaning: rows and columns are
            the same items. None for the diagonal.
        reduction: ``"mean"``, ``"sum"`` of the mean of the four, or ``"none"``: (B, 4) in the order
            of the formula.
    """
    where = "compositional_contrastive"
    check_reduction(where, reduction)
    check_one_shape(where, image=image, text=text, part_image=part_image, part_text=part_text)
    check_positive(where, "scale", scale)
    # All columns are wholes: a part fits many wholes, and as a column would be a false negative.
    pairs = ((image, text), (text, image), (part_image, text), (part_text, image))
    h = partial(one_way, manifold=manifold, scale=scale, logits=logits, reduction=reduction)
    return mean_of([h(x, y, targets) for x, y in pairs], reduction)


def compositional_entailment(
    image: Tensor,
    text: Tensor,
    part_image: Tensor,
    part_text: Tensor,
    *,
    manifold: Manifold,
    min_radius: float = 0.1,
    inter_aperture_scale: float = 0.7,
    intra_aperture_scale: float = 1.2,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Captions entail their pictures, and parts entail their wholes.

    .. math:: L = \tfrac12\bigl[h_{\eta}(T, I) + h_{\eta}(T', I') + h_{\zeta}(I', I)
                  + h_{\zeta}(T', T)\bigr],\qquad
              h_\eta(p, c) = \max\bigl(0, \mathrm{ext}(p, c) - \eta\,\psi(p)\bigr)

    (Pal et al. 2025). The factor :math:`\zeta = 1.2` inside a modality makes the hinge
    slack; it is not an aperture: cones widened so do not nest, and what is entailed by the loss is
    no longer transitive (see :func:`entailment`).

    Args:
        image, text, part_image, part_text: as in :func:`compositional_contrastive`.
        manifold, min_radius: as in :func:`entailment`.
        inter_aperture_scale: eta, from text to image.
        intra_aperture_scale: zeta, from part to whole.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``: (B, 4), whose sum over the last axis halved
            is the loss of an item.

    Returns:
        Radians, in float32 (float64 for float64 inputs).
    """
    where = "compositional_entailment"
    check_reduction(where, reduction)
    check_one_shape(where, image=image, text=text, part_image=part_image, part_text=part_text)
    check_positive(where, "inter_aperture_scale", inter_aperture_scale)
    check_positive(where, "intra_aperture_scale", intra_aperture_scale)
    terms = [
        entailment(
            parent,
            child,
            manifold=manifold,
            min_radius=min_radius,
            aperture_scale=factor,
            reduction=reduction,
        )
        for parent, child, factor in (
            # Captions above pictures, of wholes and of parts, and parts above wholes in each
            # modality.
            (text, image, inter_aperture_scale),
            (part_text, part_image, inter_aperture_scale),
            (part_image, image, intra_aperture_scale),
            (part_text, text, intra_aperture_scale),
        )
    ]
    return torch.stack(terms, 1) if reduction == "none" else sum(terms[1:], terms[0]) / 2


def chain_contrastive(
    levels: Sequence[Tensor],
    ids: Sequence[Tensor],
    *,
    manifold: Manifold,
    scale: Tensor | float,
    logits: Logits = "neg_dist",
    reduction: Reduction = "mean",
) -> Tensor:
    """The same for a chain such as group -> subgroup -> name -> picture, general things first.

    The last two levels are the wholes, contrasted both ways; every level above is contrasted with
    the pictures alone. Where several pictures are of one group they all are its positives, and what
    is general is never a negative. The loss is the mean of the terms, as that of
    :func:`compositional_contrastive`.

    Args:
        levels: two or more batches of points (B, m), row by row one chain.
        ids: for each level (B,), integers: rows of one id are of one thing at that level.
        manifold, scale, logits: as in :func:`info_nce`.
        reduction: ``"mean"``, ``"sum"`` of the mean of the terms, or ``"none"``: (B, number of
            levels), level by level against the last, and at the end the last against the one above.
    """
    where = "chain_contrastive"
    check_reduction(where, reduction)
    _check_levels(where, levels)
    check_list(where, "ids", ids)
    for k, each in enumerate(ids):
        check_integers(where, f"ids[{k}]", each)
    if len(ids) != len(levels) or any(i.shape != (len(levels[0]),) for i in ids):
        raise ValueError(
            f"{where}: got ids of the shapes {[tuple(i.shape) for i in ids]} for {len(levels)} "
            f"levels; expected ({len(levels[0])},) for each."
        )
    check_positive(where, "scale", scale)
    last = levels[-1]
    # Rows of one id are of one thing at that level: all their pictures are its positives.
    pairs = [(x, last, i[:, None] == i) for x, i in zip(levels[:-1], ids[:-1], strict=True)]
    # The way back from the pictures, which only the wholes have. (Whether two items share an id is
    # symmetric: the same table serves.)
    pairs.append((last, levels[-2], pairs[-1][2]))
    h = partial(one_way, manifold=manifold, scale=scale, logits=logits, reduction=reduction)
    return mean_of([h(x, y, same) for x, y, same in pairs], reduction)


def one_way(
    x: Tensor, y: Tensor, targets: Tensor | None, *, counts: Tensor | None = None, **options: Any
) -> Tensor:
    """H(x -> y): the rows x against the columns y, none of which is contrasted with the rows.

    Args:
        x, y, targets: as in :func:`info_nce`.
        counts: (B,), how often each row stands in the mean; once if None.
        options: manifold, scale, logits and reduction, as in :func:`info_nce`.
    """
    weights = None if counts is None else (counts, None)
    return info_nce(x, y, targets=targets, weights=weights, symmetric=False, **options)


def mean_of(terms: Sequence[Tensor], reduction: Reduction = "mean") -> Tensor:
    """The mean of the terms, or under ``"none"`` the terms beside each other, (B, terms)."""
    return (
        torch.stack(list(terms), 1)
        if reduction == "none"
        else sum(terms[1:], terms[0]) / len(terms)
    )


def _check_levels(where: str, levels: Sequence[Tensor]) -> None:
    check_list(where, "levels", levels)
    in_float32(where, **{f"levels[{k}]": x for k, x in enumerate(levels)})
    shapes = [tuple(x.shape) for x in levels]
    if len(shapes) < 2 or len(set(shapes)) > 1:
        raise ValueError(
            f"{where}: got levels of the shapes {shapes}; expected two or more of one shape."
        )
