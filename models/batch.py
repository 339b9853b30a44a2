"""What a model is trained on in a step, and what one may do beside giving points."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from .image_text import Losses


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
