r"""Maps whose derivative is written out: autograd records one step and keeps few tensors.

    value(inputs, R) = result,    pull(inputs, saved, g) = g . d result/d inputs

    R d result/dR = degree * result - sum over scaled inputs x of x . d result/dx     (Euler)

============ ======================================================================================
letter       what it is
============ ======================================================================================
value        the map, (inputs ..., R) -> (result, saved ...)
pull         its pull-back, the vector-Jacobian product
saved        what ``value`` hands to ``pull``: a named tuple ``Saved`` in each kernel's file
R            the radius, a float or a tensor (); left out of the inputs where it is 1.0
degree       the power of R by which the result grows if the scaled inputs grow with R
============ ======================================================================================

Domain: float32 or float64 tensors; every map is homogeneous in its scaled inputs and R together.
Bound: that of the map; the relation adds one rounding of each of its terms, and where they cancel,
at lengths r << R by a factor R^2/r^2, the map's own ``radius_derivative`` is taken in its place.
Proof: none, Euler's relation for homogeneous functions; each kernel names that of its pull-back.
Certificate: Lorentz.dist, Sphere.dist, PoincareBall.expmap
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .ranges import in_forward_mode, runs_as_written
from .vectors import binary_scale, dot, normalize

# Compilers before torch 2.11 refuse an autograd function of this kind: there a compiled derivative
# is autograd's through ``value``.
_COMPILES = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 11)

Value = Callable[..., tuple[Tensor, ...]]
Pull = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], tuple[Tensor | None, ...]]
RadiusDerivative = Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[Tensor, Tensor]]


def custom_vjp(
    value: Value,
    pull: Pull,
    *,
    scaled: int,
    degree: int,
    radius_derivative: RadiusDerivative | None = None,
) -> Callable[..., Tensor]:
    """A differentiable map, from its value and its pull-back.

    Args:
        value: (inputs ..., radius or None) -> (result, what the pull-back needs ...), of tensors.
        pull: (inputs, saved, gradient of the result) -> the gradient by each input but the radius,
            of the shape of all inputs broadcast together, or None where there is none; ``saved``
            starts with the result.
        scaled: how many of the inputs, from the first, grow with the radius R.
        degree: the power of R by which the result grows with them.
        radius_derivative: (inputs, saved) -> (R times the derivative of the result by R at fixed
            inputs, without cancellation; where that holds, (..., 1)).

    Returns:
        A function of (inputs ..., radius): a float, or a tensor that it is differentiated by. The
        derivative by R is that of Euler's relation, where it holds that of ``radius_derivative``.

    All is made of plain torch operations. A second derivative is autograd's through ``pull``, with
    what it needs computed again; forward mode goes through ``value``. So double backward,
    ``torch.func`` and ``torch.compile`` go through.
    """

    class Recorded(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*inputs: Tensor) -> tuple[Tensor, ...]:
            return tuple(value(*inputs))  # plain: a transform may not know the named tuple

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            _keep(ctx, inputs, output)

        @staticmethod
        def backward(ctx: Any, g: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
            return _backward(ctx, g)

    class Eager(torch.autograd.Function):
        """The same where there is no transform, without what torch does for those at each call:
        a third of the time of a map of 1,024 vectors."""

        @staticmethod
        def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, ...]:
            output = tuple(value(*inputs))
            _keep(ctx, inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, g: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
            return _backward(ctx, g)

    def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs, *output)
        ctx.count = len(inputs)

    def _backward(ctx: Any, g: Tensor | None) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors  # once: torch's checkpoint refuses to give them twice
        inputs, saved = tensors[: ctx.count], tensors[ctx.count :]
        if g is None:
            return tuple(None for _ in inputs)
        # With ``create_graph`` the gradient is differentiated in turn: what was saved has no
        # derivative, so it is computed again, recorded.
        if torch.is_grad_enabled():
            saved = value(*inputs)
        gradients = _gradients(inputs, saved, g, ctx.needs_input_grad[-1])
        return tuple(
            d if d is None or d.shape == x.shape else d.sum_to_size(x.shape)
            for d, x in zip(gradients, inputs, strict=True)
        )

    def _gradients(
        inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor, by_radius: bool
    ) -> tuple[Tensor | None, ...]:
        """The gradients by all inputs, the last of them by the radius if there is one."""
        gradients = pull(inputs, saved, g)
        if len(inputs) == len(gradients):
            return gradients
        if not by_radius:
            return *gradients, None
        # One number a row, (..., 1): the factors of a product have a radius each.
        total = degree * dot(g, saved[0]) if degree else torch.zeros_like(g[..., :1])
        for x, d in zip(inputs[:scaled], gradients, strict=False):
            total = total if d is None else total - dot(x, d)
        if radius_derivative is not None:
            derivative, holds = radius_derivative(inputs, saved)
            total = torch.where(holds, dot(g, derivative), total)
        return *gradients, total / inputs[-1]

    def _in_forward_mode(*inputs: Tensor) -> Tensor:
        """The value, to be differentiated in forward mode."""
        radius = inputs[-1]
        if radius_derivative is None or len(inputs) < scaled + 1:
            return value(*inputs)[0]
        # Where ``radius_derivative`` holds R is detached, and the integral of R d/dR over log R
        # from the detached R to R is added: its value is 0, and the midpoint rule gives it the
        # first two derivatives.
        detached = radius.detach()
        log_ratio = (radius / detached).log()
        middle = (*inputs[:-1], detached * (log_ratio / 2).exp())
        derivative, holds = radius_derivative(middle, value(*middle))
        result: Tensor = value(*inputs[:-1], torch.where(holds, detached, radius))[0]
        return result + log_ratio * derivative.where(holds, 0.0)

    def call(*inputs: Any) -> Tensor:
        # Not ``*values, radius = inputs``: the compiler of torch 2.6 takes that list for a tuple.
        values, radius = list(inputs[:-1]), inputs[-1]
        if not isinstance(radius, float):
            values.append(radius)
        elif radius != 1.0:
            values.append(torch.tensor(radius, dtype=values[0].dtype))
        # Forward mode goes through the operations of ``value``, as a recorded step would need a
        # rule of its own for it; so does a call that needs no derivative. Whether an input needs
        # one cannot be seen inside vmap; the compiler must be told.
        if runs_as_written():
            results = Eager.apply(*values) if torch.is_grad_enabled() else value(*values)  # type: ignore[no-untyped-call]
            eager: Tensor = results[0]
            return eager
        plain = in_forward_mode() or not torch.is_grad_enabled()
        if torch.compiler.is_compiling():
            needed = _COMPILES and any(v.requires_grad for v in values)
            plain = plain or not needed
        if in_forward_mode() and isinstance(radius, Tensor):
            return _in_forward_mode(*values)
        results = value(*values) if plain else Recorded.apply(*values)  # type: ignore[no-untyped-call]
        result: Tensor = results[0]
        return result

    return call


def with_radius_derivative(
    value: Tensor, k: float | Tensor, derivative: Callable[[Tensor], Tensor]
) -> Tensor:
    """A value that does not depend on R in torch's eyes, with its derivative by R.

    Args:
        value: at unit curvature, of a length.
        k: 1.0, or the tensor 1 of ``space_form.held`` that has the derivative of the curvature.
        derivative: (what lengths are multiplied by) -> R times the derivative of the value by R,
            over R.
    """
    if isinstance(k, float):
        return value
    # log(R) is -log(k)/2 and is 0; by the midpoint rule the sum has its second derivatives too.
    log_ratio = -k.log() / 2
    return value + log_ratio * (log_ratio / 2).exp() * derivative((-log_ratio / 2).exp())


def subtract_scaled(y: Tensor, x: Tensor, factor: Tensor) -> Tensor:
    """y - factor x, in one pass."""
    return torch.addcmul(y, x, factor, value=-1)


# -- a product that does not overflow --------------------------------------------------------------


def _dot_value(x: Tensor, y: Tensor) -> tuple[Tensor]:
    scale = binary_scale(x).clamp(min=1.0)
    return (dot(x / scale, y) * scale,)


def _dot_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, Tensor]:
    """d(x.y) = y.dx + x.dy."""
    return g * inputs[1], g * inputs[0]


_scaled_dot = custom_vjp(_dot_value, _dot_pull, scaled=0, degree=0)


def scaled_dot(x: Tensor, y: Tensor) -> Tensor:
    """``dot`` for vectors of any length: no product overflows unless the result does.

    Nor does one on the way back, where autograd would multiply by the scale before it divides by
    it.
    """
    return _scaled_dot(x, y, 1.0)


# -- a direction -----------------------------------------------------------------------------------


def _direction_value(v: Tensor) -> tuple[Tensor, ...]:
    return normalize(v)


def _direction_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    """d(v/|v|) = (dv - e (e.dv))/|v|, e = v/|v|; e's part is taken off twice, for its rounding."""
    ray, length = saved
    g = subtract_scaled(g, ray, dot(ray, g))
    return (subtract_scaled(g, ray, dot(ray, g)) / length.where(length > 0, 1.0),)


_direction = custom_vjp(_direction_value, _direction_pull, scaled=0, degree=0)


def direction(v: Tensor) -> Tensor:
    """v/|v|, 0 for 0. Its derivative has nothing along v, not even by rounding.

    A function of the direction alone may have no other derivative: on a line, where v/|v| is 1 or
    -1, what one projection leaves would be all there is.
    """
    return _direction(v, 1.0)
