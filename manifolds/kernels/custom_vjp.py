"""Maps whose derivative is written out: autograd records one step and keeps few tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .vectors import binary_scale, dot, normalize

# Older compilers refuse an autograd function of this kind: under them derivatives are those of
# ``value``.
_TRACED = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 11)

Value = Callable[..., tuple[Tensor, ...]]
Pull = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], tuple[Tensor, ...]]
Turn = Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[Tensor, Tensor]]


def custom_vjp(
    value: Value, pull: Pull, *, scaled: int, degree: int, turn: Turn | None = None
) -> Callable[..., Tensor]:
    """A differentiable map, from its value and its pull-back.

    Args:
        value: (inputs ..., radius or None) -> (result, what the pull-back needs of the way ...).
        pull: (inputs, kept, gradient of the result) -> the gradient by each input, of the shape
            of all inputs broadcast together; ``kept`` starts with the result.
        scaled: how many of the inputs, from the first, grow with the radius R.
        degree: the power of R by which the result grows with them.
        turn: (inputs, kept) -> (R times the derivative of the result by R at fixed inputs, written
            without cancellation; where it holds, (..., 1)).

    Returns:
        A function of (inputs ..., radius): a float, or a tensor that it is differentiated by. The
        derivative by R is that of rescaling, by Euler's relation: the result less what it owes to
        each input. Where all inputs are short in units of R the space is nearly flat and the two
        nearly cancel, at a length r by a factor R^2/r^2; there it is that of ``turn``.

    All is made of plain torch operations. A second derivative is autograd's through ``pull``, with
    what it needs computed again; forward mode goes through ``value``. So double backward,
    ``torch.func`` and ``torch.compile`` go through.
    """

    class Recorded(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*inputs: Tensor) -> tuple[Tensor, ...]:
            return value(*inputs)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.set_materialize_grads(False)
            ctx.mark_non_differentiable(*output[1:])
            ctx.save_for_backward(*inputs, *output)
            ctx.count = len(inputs)

        @staticmethod
        def backward(ctx: Any, g: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
            saved = ctx.saved_tensors  # once: torch's checkpoint refuses to give them twice
            inputs, kept = saved[: ctx.count], saved[ctx.count :]
            if g is None:
                return tuple(None for _ in inputs)
            if torch.is_grad_enabled():  # a derivative of this one is wanted
                kept = value(*inputs)
            gradients = _all(inputs, kept, g, ctx.needs_input_grad[-1])
            return tuple(
                d if d is None or d.shape == x.shape else d.sum_to_size(x.shape)
                for d, x in zip(gradients, inputs, strict=True)
            )

    def _all(
        inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor, by_radius: bool
    ) -> tuple[Tensor | None, ...]:
        """The gradients, with that by the radius if there is one."""
        gradients = pull(inputs, kept, g)
        if len(inputs) == len(gradients):
            return gradients
        if not by_radius:
            return *gradients, None
        # Of each row: the radii of a product's factors may be several.
        grown = degree * dot(g, kept[0]) if degree else torch.zeros_like(g[..., :1])
        for x, d in zip(inputs[:scaled], gradients, strict=False):
            grown = grown - dot(x, d)
        if turn is not None:
            own, there = turn(inputs, kept)
            grown = torch.where(there, dot(g, own), grown)
        return *gradients, grown / inputs[-1]

    def _forward(*inputs: Tensor) -> Tensor:
        """The value, to be differentiated in forward mode."""
        radius = inputs[-1]
        if turn is None or len(inputs) < scaled + 1:
            return value(*inputs)[0]
        # With R held fixed where ``turn`` holds, and the integral of ``turn`` over log R from there
        # to R, which is 0 and by the midpoint rule has its first two derivatives.
        held = radius.detach()
        way = (radius / held).log()
        middle = (*inputs[:-1], held * (way / 2).exp())
        own, there = turn(middle, value(*middle))
        result: Tensor = value(*inputs[:-1], torch.where(there, held, radius))[0]
        return result + way * own.where(there, 0.0)

    def call(*inputs: Any) -> Tensor:
        *values, radius = inputs
        if not isinstance(radius, float):
            values.append(radius)
        elif radius != 1.0:
            values.append(torch.tensor(radius, dtype=values[0].dtype))
        # Forward mode, which a recorded step would need a rule of its own for, goes through the
        # operations of ``value``; so does what needs no derivative. Whether something does cannot
        # be seen inside vmap; the compiler must be told.
        plain = in_forward_mode() or not torch.is_grad_enabled()
        if torch.compiler.is_compiling():
            needed = _TRACED and any(v.requires_grad for v in values)
            plain = plain or not needed
        if in_forward_mode() and isinstance(radius, Tensor):
            return _forward(*values)
        results = value(*values) if plain else Recorded.apply(*values)  # type: ignore[no-untyped-call]
        result: Tensor = results[0]
        return result

    return call


def with_turn(value: Tensor, k: float | Tensor, turn: Callable[[Tensor], Tensor]) -> Tensor:
    """A value at a radius without a derivative, with one: ``k`` as of ``unit.held``.

    Args:
        value: at unit curvature, of a length.
        turn: (what lengths are multiplied by) -> R times the derivative by R of the whole, over R.
    """
    if isinstance(k, float):
        return value
    # By the midpoint rule it has its second derivatives.
    way = -k.log() / 2
    return value + way * (way / 2).exp() * turn((-way / 2).exp())


def subtract_scaled(y: Tensor, x: Tensor, share: Tensor) -> Tensor:
    """y - share x."""
    return torch.addcmul(y, x, share, value=-1)


def in_forward_mode() -> bool:
    """Whether derivatives are taken along with the values."""
    return torch.autograd.forward_ad._current_level >= 0


def _dot_value(x: Tensor, y: Tensor) -> tuple[Tensor]:
    scale = binary_scale(x).clamp(min=1.0)
    return (dot(x / scale, y) * scale,)


def _dot_pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, Tensor]:
    return g * inputs[1], g * inputs[0]


_scaled_dot = custom_vjp(_dot_value, _dot_pull, scaled=0, degree=0)


def _direction_value(v: Tensor) -> tuple[Tensor, ...]:
    return normalize(v)


def _direction_pull(
    inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    ray, length = kept
    g = subtract_scaled(g, ray, dot(ray, g))
    return (subtract_scaled(g, ray, dot(ray, g)) / length.where(length > 0, 1.0),)


_direction = custom_vjp(_direction_value, _direction_pull, scaled=0, degree=0)


def direction(v: Tensor) -> Tensor:
    """v/|v|, 0 for 0. Its derivative has nothing along v, not even by rounding: where a function of
    the direction alone is at its extreme that is all there would be."""
    return _direction(v, 1.0)


def scaled_dot(x: Tensor, y: Tensor) -> Tensor:
    """``dot`` for vectors of any length: no product overflows unless the result does.

    Nor does one on the way back, where autograd multiplies by the scale before it divides by it.
    """
    return _scaled_dot(x, y, 1.0)
