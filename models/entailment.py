"""The cones of a batch: what lies below a text goes into its cone, and what does not stays out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..losses.entailment.cones import Links

NEGATIVES = 4
"""Rows whose children a parent's cone is kept free of: the last ones before it, for batches come in
random order."""


class General(NamedTuple):
    """One level of texts above a batch of captions, such as their concepts' groups.

    ``points`` (B, m), row by row above the captions; ``node`` (B,), equal where the text is, and
    then the point too.
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


def entailment_loss(cones: nn.Module, links: Sequence[Link]) -> Tensor:
    """How far children are outside their parents' cones: the mean of each link, summed over links.

    Args:
        cones: a module such as :class:`spaceforms.losses.EntailmentLoss`, which gives the mean.
        links: at least one, all of a batch of B rows.
    """
    loss: Tensor = cones(*_stacked(links))
    return len(links) * loss


def exclusion_loss(cones: nn.Module, links: Sequence[Link]) -> Tensor:
    """The mean penalty of other rows' children in the parents' cones, 0 if all are their own,
    summed over links.

    Args:
        cones: a module with ``exclude``, see :class:`spaceforms.losses.EntailmentLoss`.
        links: parents, children, and which of these are no negatives; all of a batch of B rows.
    """
    parent, child = _stacked(links)
    count = parent.shape[1]
    row = torch.arange(count, device=parent.device)
    shift = torch.arange(1, min(NEGATIVES, count - 1) + 1, device=row.device)
    other = (row - shift[:, None]) % count
    everything = torch.ones_like(other, dtype=torch.bool)
    foreign = torch.stack(
        [everything if link.below is None else ~link.below[row, other] for link in links]
    )
    penalty: Tensor = cones.exclude(parent[:, None], child[:, other], reduction="none")  # type: ignore[operator]
    return ((penalty * foreign).sum((1, 2)) / foreign.sum((1, 2)).clamp(min=1)).sum()


def _stacked(links: Sequence[Link]) -> tuple[Tensor, Tensor]:
    """Parents and children of all links, (links, B, m) each: one call of the cones for all."""
    return torch.stack([link.parent for link in links]), torch.stack([link.child for link in links])
