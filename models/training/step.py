"""One step of training up to the gradients: encode, gather, contrast, push back."""

import torch
from torch import Tensor, nn

from .. import distributed
from ..batch import Inputs, OwnLoss
from ..entailment import General
from ..image_text import ImageTextModel, Losses
from .grad_cache import cached_backward
from .recompute import recompute_blocks


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
        micro_batch: rows that are encoded at once; see :func:`cached_backward`.
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
    for encoder in (model.image_encoder, model.text_encoder):
        if recompute:
            recompute_blocks(encoder)
        if compiled:
            nn.Module.compile(encoder)
