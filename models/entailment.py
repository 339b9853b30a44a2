"""The cones of a batch: what lies below a text goes into its cone, and what does not stays out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..losses.cones import Links

NEGATIVES = 4
"""Rows whose children a parent's cone is kept free of: the last ones before it, for batches come in
random order."""


class General(NamedTuple):
    """One level of texts above a batch of captions, such as their concepts' groups.

    ``points`` (B, m), row by row above the captions; ``node`` (B,), equal where the text is.
    """

    points: Tensor
    node: Tensor


class Link(NamedTuple):
    """Parents and their children, (B, m) each, row by row, and ``below`` (B, B), whether the child
    of a column is one of the row's parent too; None where only its own is."""

    parent: Tensor
    child: Tensor
    below: Tensor | None


def chain_links(
    general: Sequence[General], text: Tensor, image: Tensor, links: Links
) -> list[Link]:
    """The links of a chain that ends in captions, from the most general level on.

    Each level is above the next and the last above the captions; or, with ``"all"``, each above
    everything below it, the pictures too.
    """
    chain = [*(level.points for level in general), text, image]
    found = []
    for k, (points, node) in enumerate(general, 1):
        children = chain[k:] if links == "all" else chain[k : k + 1]
        below = node[:, None] == node[None]
        found += [Link(points, child, below) for child in children]
    return found


def exclusion_loss(cones: nn.Module, link: Link) -> Tensor:
    """The mean penalty of other rows' children in the parents' cones; 0 if all are their own.

    Args:
        cones: a module with ``exclude``, see :class:`spaceforms.losses.EntailmentLoss`.
        link: parents, children, and which of these are no negatives.
    """
    count = len(link.parent)
    row = torch.arange(count, device=link.parent.device)
    shift = torch.arange(1, min(NEGATIVES, count - 1) + 1, device=row.device)
    other = (row - shift[:, None]) % count
    foreign = torch.ones_like(other, dtype=torch.bool)
    if link.below is not None:
        foreign = ~link.below[row, other]
    children = link.child[other]
    penalty: Tensor = cones.exclude(  # type: ignore[operator]
        link.parent.expand_as(children), children, reduction="none"
    )
    return (penalty * foreign).sum() / foreign.sum().clamp(min=1)
