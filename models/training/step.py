"""One step of training up to the gradients: encode, gather, contrast, push back."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from .. import distributed
from ..entailment import General
from ..image_text import ImageTextModel, Losses
from .grad_cache import cached_backward


class Level(NamedTuple):
    """Texts above the captions of a share, each once: tokens (T, L), the row of each caption's
    ``place`` (B,), and its ``node`` (B,), equal where the text is, in other processes too."""

    tokens: Tensor
    place: Tensor
    node: Tensor

    def rows(self, some: slice) -> "Level":
        """What stands above some of the captions."""
        used, place = torch.unique(self.place[some], return_inverse=True)
        return Level(self.tokens[used], place, self.node[some])


@dataclass(frozen=True)
class Inputs:
    """A process's share of a batch, on its device: B rows, of which those of one ``family`` are
    positives of each other, and, if the model uses them, the levels of texts above the captions and
    another view of each picture."""

    images: Tensor
    tokens: Tensor
    family: Tensor
    general: tuple[Level, ...] = ()
    view: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def chunks(self, rows: int) -> list["Inputs"]:
        """The share in pieces of ``rows`` rows."""
        parts = [slice(k, k + rows) for k in range(0, len(self), rows)]
        return [
            Inputs(
                self.images[part],
                self.tokens[part],
                self.family[part],
                tuple(level.rows(part) for level in self.general),
                None if self.view is None else self.view[part],
            )
            for part in parts
        ]


@runtime_checkable
class OwnLoss(Protocol):
    """A model that needs more than two sets of points: it computes its loss itself.

    The loss is of this process's share; what it needs of the others it gathers with gradients
    (:func:`distributed.gather`). Gradients are averaged over processes afterwards.
    """

    def training_loss(self, inputs: Inputs) -> Losses:
        """The loss of a share of a batch, in training mode."""


@runtime_checkable
class AfterStep(Protocol):
    """A model with something to do after each step of the optimiser: momentum, a queue."""

    def after_step(self) -> None:
        """Called once a step, after the weights have moved."""


def encode(model: ImageTextModel, some: Inputs, *, half: bool) -> tuple[Tensor, ...]:
    """The points of pictures and captions, and of the texts above each caption; encoders run in
    bfloat16 where ``half``."""
    with torch.autocast(some.images.device.type, dtype=torch.bfloat16, enabled=half):
        image, text, *above = model(
            some.images, some.tokens, *(level.tokens for level in some.general)
        )
    # A text is encoded once and stands above many captions.
    rows = (x[level.place] for x, level in zip(above, some.general, strict=True))
    return image, text, *rows


def contrast(model: ImageTextModel, inputs: Inputs, *points: Tensor) -> Losses:
    """The loss of the points of all processes, from those of this one's share."""
    image, text, *above = map(distributed.gather, points)
    family = distributed.gather(inputs.family)
    general = [
        General(x, distributed.gather(level.node))
        for x, level in zip(above, inputs.general, strict=True)
    ]
    # Pictures of one family are positives of each other's captions: see datasets.Concept.
    return model.loss(image, text, family[:, None] == family[None], general=general)


def gradients(
    model: ImageTextModel, inputs: Inputs, *, half: bool = False, micro_batch: int | None = None
) -> Losses:
    """Add to each parameter's ``grad`` that of the loss of the whole batch; the loss.

    Args:
        model: one with a ``training_loss`` of its own (:class:`OwnLoss`) is asked for it.
        inputs: this process's share.
        half: encoders run in bfloat16 where autocast lets them; losses never do.
        micro_batch: rows that are encoded at once; see :mod:`accumulate`.
    """
    if isinstance(model, OwnLoss):
        with torch.autocast(inputs.images.device.type, dtype=torch.bfloat16, enabled=half):
            losses = model.training_loss(inputs)
    elif micro_batch is not None and micro_batch < len(inputs):
        return cached_backward(
            lambda some: encode(model, some, half=half),
            inputs.chunks(micro_batch),
            lambda *points: contrast(model, inputs, *points),
        )
    else:
        losses = contrast(model, inputs, *encode(model, inputs, half=half))
    losses.total.backward()  # type: ignore[no-untyped-call]
    return losses


def prepare(model: ImageTextModel, *, recompute: bool, compiled: bool) -> None:
    """Switch on recomputation and compilation of the encoders, in place."""
    from .recompute import recompute_blocks

    for encoder in (model.image_encoder, model.text_encoder):
        if recompute:
            recompute_blocks(encoder)
        if compiled:
            nn.Module.compile(encoder)
