"""TCL's three contrasts of a batch over all processes, and the queues of their keys."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...losses import (
    InfoNCE,
    PointQueue,
    cross_modal_alignment,
    intra_modal_contrastive,
    local_mutual_information,
)
from ...manifolds import Manifold
from .. import distributed


class Keys(NamedTuple):
    """What the momentum encoders give, without gradient: points (B, m) of pictures and captions,
    of their parts, (B, M, m) and (B, L, m), and features of the pictures' cells (B, P, w)."""

    image: Tensor
    text: Tensor
    patches: Tensor
    words: Tensor
    cells: Tensor


class Contrasts(nn.Module):
    """CMA, IMC and LMI of :mod:`spaceforms.losses.tcl.contrasts`, with queues of their keys.

    Args:
        manifold: of the points; not a submodule.
        dim: its dimension.
        queue_size: points kept of each modality; 0 for no queue.
        intra_weight, local_weight: of IMC and LMI beside CMA's 1; what has weight 0 is left out.
    """

    def __init__(
        self,
        manifold: Manifold,
        dim: int,
        *,
        queue_size: int,
        intra_weight: float,
        local_weight: float,
    ) -> None:
        super().__init__()
        weights = {"alignment": 1.0, "intra": intra_weight, "local": local_weight}
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.image_queue: PointQueue | None = None
        self.text_queue: PointQueue | None = None
        if queue_size:
            self.image_queue = PointQueue(manifold, dim, size=queue_size)
            self.text_queue = PointQueue(manifold, dim, size=queue_size)
        self._pending: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(
        self,
        image: Tensor,
        text: Tensor,
        keys: Keys,
        mask: Tensor,
        family: Tensor,
        *,
        contrastive: InfoNCE,
        alpha: float,
    ) -> dict[str, Tensor]:
        """Each contrast, the mean of pictures' and captions'; the keys wait for :meth:`push`.

        Args:
            image, text: points (B, m) of this process's share.
            keys: of the same pairs.
            mask: (B, L), which words there are.
            family: (B,), equal where pairs are positives of each other.
            contrastive: whose similarity and scale are taken.
            alpha: the momentum model's share in the targets of CMA.
        """
        gather = distributed.gather
        image, text, family = gather(image), gather(text), gather(family)
        image_keys, text_keys = gather(keys.image), gather(keys.text)
        options: dict[str, Any] = {
            "manifold": contrastive.manifold,
            "scale": contrastive.scale(),
            "logits": contrastive.logits,
        }
        queued: tuple[Tensor | None, Tensor | None] = (None, None)
        positives = family[:, None] == family
        if self.image_queue is not None and self.text_queue is not None:
            queued = self.image_queue()[0], self.text_queue()[0]
            positives = self.image_queue.positives(family, family)
        self._pending = (image_keys, text_keys, family)
        parts = {
            "alignment": cross_modal_alignment(
                image,
                text,
                image_keys,
                text_keys,
                weight=alpha,
                image_queue=queued[0],
                text_queue=queued[1],
                positives=positives,
                **options,
            )
        }
        if "intra" in self.weights:
            sides = (
                intra_modal_contrastive(x, k, queue=q, positives=positives, **options)
                for x, k, q in ((image, image_keys, queued[0]), (text, text_keys, queued[1]))
            )
            parts["intra"] = torch.stack(list(sides)).mean()
        if "local" in self.weights:
            same = family[:, None] == family
            longest = distributed.longest(mask.shape[1], mask.device)
            local = (
                (image, gather(keys.patches), None),
                (text, gather(_padded(keys.words, longest)), gather(_padded(mask.long(), longest))),
            )
            sides = (
                local_mutual_information(x, part, mask=there, same=same, **options)
                for x, part, there in local
            )
            parts["local"] = torch.stack(list(sides)).mean()
        return parts

    def mean(self, parts: dict[str, Tensor]) -> Tensor:
        """The weighted mean of the contrasts."""
        weighted = [weight * parts[name] for name, weight in self.weights.items()]
        return torch.stack(weighted).sum() / sum(self.weights.values())

    def push(self) -> None:
        """Put the keys of the last batch into the queues."""
        if self._pending is not None and self.image_queue is not None:
            assert self.text_queue is not None
            image, text, family = self._pending
            self.image_queue.push(image, family)
            self.text_queue.push(text, family)
        self._pending = None


def _padded(x: Tensor, length: int) -> Tensor:
    """(B, L, ...) with zeros up to a length, for a gather."""
    missing = length - x.shape[1]
    return torch.cat([x, x.new_zeros(len(x), missing, *x.shape[2:])], 1) if missing else x
