"""What is not finite in a step, by name; and what is said of it."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ...manifolds import PositiveScalar, SignedScalar
from ..batch import Inputs, OwnLoss
from ..image_text import ImageTextModel
from ..terminal import say
from .step import contrast, encode

_NAMED = 3
_IN_A_ROW = 10  # skipped steps after which the weights will not come back by themselves

NotFinite = Literal["stop", "skip"]


class Faults:
    """Stop, or skip the step, where a loss or a gradient is not finite.

    Args:
        mode: which of both.
        out: the folder of the run, for the sentence.
    """

    def __init__(self, mode: NotFinite, out: Path) -> None:
        self._mode, self._out = mode, out
        self.count = self._row = 0

    def judge(self, wrong: str | None) -> None:
        """Take note of a step, whose weights have not moved if something is ``wrong``.

        Raises:
            FloatingPointError: there is, and it ends the run.
        """
        self._row = self._row + 1 if wrong else 0
        if wrong is None:
            return
        kept = f"The last checkpoint in {self._out} is kept"
        if self._mode == "stop":
            raise FloatingPointError(
                f"{wrong} {kept}; a lower --lr may help, with --overwrite or another --out. "
                "--not-finite skip leaves such steps out."
            )
        if self._row == _IN_A_ROW:
            raise FloatingPointError(f"{wrong} It is step {_IN_A_ROW} of these in a row. {kept}.")
        self.count += 1
        if self.count <= _NAMED:
            say(f"Left out: {wrong}")


def explain(
    step: int,
    losses: dict[str, float],
    norm: float,
    model: ImageTextModel,
    inputs: Inputs | None = None,
    captions: Sequence[str] = (),
    *,
    half: bool = False,
) -> str | None:
    """What is not finite after a step, by name; None if all is well.

    Args:
        step: its number, counted from 1.
        losses: the loss and its parts.
        norm: of the gradients, which the parameters still have.
        model: its weights have not moved yet.
        inputs: what the step was made on, to name the pairs, with their
        captions: in words.
        half: the encoders ran in bfloat16.
    """
    if math.isfinite(losses["loss"]) and math.isfinite(norm):
        return None
    parts = ", ".join(f"{n} {v:g}" for n, v in (losses | model.scalars()).items())
    found = [
        *_names("parameter", ((n, p.detach()) for n, p in model.named_parameters())),
        *_names("gradient of", ((n, p.grad) for n, p in model.named_parameters())),
        *([] if inputs is None else _pairs(model, inputs, captions, half)),
    ]
    if math.isfinite(losses["loss"]):
        what = f"the gradients' norm is {norm}"
    else:
        what = f"the loss is {losses['loss']}"
    where = "; ".join(found) or "parameters and gradients are finite"
    return f"step {step}: {what} ({parts}). Not finite: {where}."


def _names(what: str, tensors: Iterable[tuple[str, Tensor | None]]) -> list[str]:
    bad = [n for n, t in tensors if t is not None and not _finite(t)]
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return [f"{what} {', '.join(bad[:_NAMED])}{more}"] if bad else []


def _pairs(model: ImageTextModel, inputs: Inputs, captions: Sequence[str], half: bool) -> list[str]:
    """The pairs of a share that are not finite: as pictures, as points, or in the gradient by
    those, whichever is first."""
    with torch.no_grad():
        points = encode(model, inputs, half=half)[:2]
    if not _finite(inputs.images):
        return [_rows("the picture of", [inputs.images], captions)]
    if not all(map(_finite, points)):
        return [_rows("the points of", points, captions)]
    if isinstance(model, OwnLoss) or inputs.general:
        return []
    leaves = [p.detach().requires_grad_() for p in points]
    contrast(model, inputs, *leaves).total.backward()  # type: ignore[no-untyped-call]
    slopes = [leaf.grad for leaf in leaves if leaf.grad is not None]
    return [] if all(map(_finite, slopes)) else [_rows("the gradient by", slopes, captions)]


def _rows(what: str, tensors: Sequence[Tensor], captions: Sequence[str]) -> str:
    whole = torch.stack([torch.isfinite(t).flatten(1).all(1) for t in tensors]).all(0)
    bad = (~whole).nonzero().flatten().tolist()
    if len(bad) == len(whole):
        return f"{what} all {len(whole)} pairs"
    named = ", ".join(f"{k} ({captions[k]!r})" if captions else f"{k}" for k in bad[:_NAMED])
    more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    return f"{what} pair {named}{more} of {len(whole)}"


def _finite(x: Tensor) -> bool:
    return bool(torch.isfinite(x).all())


class Bounds:
    """The learned scalars of a model that are at their bound, each said once."""

    def __init__(self, model: nn.Module) -> None:
        kinds = (PositiveScalar, SignedScalar)
        self._left = {n: m for n, m in model.named_modules() if isinstance(m, kinds)}

    def told(self, step: int) -> list[str]:
        """A sentence for each that has come to its bound since the last call."""
        words = []
        for name, scalar in list(self._left.items()):
            bound = scalar.bound_reached()
            if bound is None:
                continue
            del self._left[name]
            # The manifold keeps the size of the curvature.
            what = "the size of the curvature" if name.endswith("_magnitude") else name
            words.append(
                f"step {step}: {what} is {float(scalar().detach()):.4g}, at its bound {bound:g}: "
                "it has all but stopped learning."
            )
        return words
