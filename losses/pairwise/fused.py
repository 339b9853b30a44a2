"""The sums of a table of all pairs and their gradient by Triton kernels, on CUDA devices.

What ``tiled.read_all`` and ``pull_all`` do with a matrix product and some twenty passes a tile, a
kernel does in one (``losses/kernels/tile.py``). Tiles are large here, as each is a launch: the
kernel writes the gradient by h of a whole tile, and two products of torch take it on to the
features.

A table goes this way by itself, where

* it is on a CUDA device and triton can be imported, and ``SPACEFORMS_TRITON`` is not 0;
* its points are float32 (or less), and float64 products were not asked for;
* it has one term, of a unit space form: all but products and ``Stereographic``;
* every row has one positive or none, nothing is masked, smoothed or decoupled;
* the kernels gave a small loss and its gradients on that device as torch's own operations do, which
  is tried once in a process.

``SPACEFORMS_TRITON=0`` is the torch path everywhere; 1 asks for this one on CPU tensors too, which
goes with Triton's interpreter (``TRITON_INTERPRET=1``) and is how it is tested. It has been run in
the interpreter, and compiled for CUDA; no GPU has run it yet.
"""

import os
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ...manifolds import Lorentz, PairForm, PairTerm
from ...manifolds.kernels.pairs.form import UnitValue
from .readers import SigmoidReader, SoftmaxReader
from .tile_table import Fused, Side, Span, Tiling, whole_side


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def fused_on(device: torch.device) -> bool:
    """Whether tables on a device go through the kernels, as far as that is a matter of it."""
    asked = os.environ.get("SPACEFORMS_TRITON", "")
    if asked not in ("", "0", "1"):
        raise ValueError(f"SPACEFORMS_TRITON is {asked!r}; expected 0, 1 or nothing.")
    if asked == "0" or not _has_triton():
        return False
    return asked == "1" or (device.type == "cuda" and torch.version.hip is None)


def fused_products(form: PairForm, x: Tensor, y: Tensor, precision: str) -> Fused | None:
    """How the kernels would compute the products of points as they were given; None: not at all."""
    way = _way.get()
    if (
        way == "torch"
        or not fused_on(x.device)
        or precision == "float64"
        or torch.float64 in (x.dtype, y.dtype)
    ):
        return None
    term = form.terms[0]
    if len(form.terms) > 1 or form.outer != "same" or not isinstance(term.value, UnitValue):
        return None
    found: Fused = "split" if precision in ("auto", "split") else "float32"
    both = x.dtype == y.dtype == torch.bfloat16
    if precision == "auto" and both and _keeps_bfloat16(term, x.shape[1]):
        found = "bfloat16"
    asked = way == "kernels" or os.environ.get("SPACEFORMS_TRITON") == "1"
    return found if asked or _agrees(x.device, found) else None


_way: ContextVar[Literal["", "torch", "kernels"]] = ContextVar("_way", default="")
"""That a trial goes."""


_loss: list[Callable[..., Tensor]] = []


def try_with(loss: Callable[..., Tensor]) -> None:
    """Make trials with a loss: ``info_nce``, which stands on this file."""
    _loss[:] = [loss]


@cache
def _agrees(device: torch.device, products: Fused) -> bool:
    """Whether the kernels do on a device what torch's own operations do, tried once in a process.

    It waits for the device. What goes wrong there, by an error or by another number, is a warning,
    and the kernels are not used.
    """
    dtype = torch.bfloat16 if products == "bfloat16" else torch.float32
    space, generator = Lorentz(), torch.Generator().manual_seed(0)
    precision: Literal["auto", "float32"] = "float32" if products == "float32" else "auto"

    def point(_: str) -> Tensor:
        v = torch.randn(200, 24, generator=generator) / 5
        return space.from_normal(v).detach().to(device, dtype).requires_grad_()

    def tried(way: Literal["torch", "kernels"]) -> Tensor:
        token = _way.set(way)
        try:
            loss = _loss[0](x, y, manifold=space, scale=10.0, tile=64, precision=precision)
            return torch.cat([loss.flatten(), *(g.flatten() for g in torch.autograd.grad(
                loss, (x, y)))]).double().cpu()  # fmt: skip
        finally:
            _way.reset(token)

    said = ""
    with torch.inference_mode(False), torch.enable_grad():
        x, y = map(point, "xy")
        wanted = tried("torch")
        try:
            found = tried("kernels")
        except Exception as error:  # of a compiler or a driver: of any kind
            said = f"{type(error).__name__}: {error}".split("\n")[0]
        else:
            off = (found - wanted).norm() / wanted.norm()
            if not off < _TRIAL:
                said = f"a loss and its gradients were off by {off:.1e} of themselves"
    if said:
        warnings.warn(
            f"spaceforms: the Triton kernels of large losses failed a trial on {device} "
            f"({products}; {said}); torch's own operations are used. SPACEFORMS_TRITON=0 does so "
            "without a trial.",
            stacklevel=2,
        )
    return not said


_TRIAL = 2e-2  # gradients of bfloat16 points are rounded to 4e-3


def _keeps_bfloat16(term: PairTerm, m: int) -> bool:
    """Whether bodies of bfloat16 points are bfloat16: they are the coordinates, or these times a
    power of 2. Seen on a point of the CPU's."""
    if isinstance(term.number, Tensor):
        return False
    x = (torch.linspace(0.1, 0.9, m) / m).bfloat16().double()[None]
    body = term.features(x[:, term.columns], term.number)[0]
    return torch.equal(body.bfloat16().double(), body)


def is_plain(reader: object) -> bool:
    """Whether the kernels know what a reader reads."""
    if not isinstance(reader, SoftmaxReader | SigmoidReader):
        return False
    if reader.mask is not None or reader.positives.column is None:
        return False
    return isinstance(reader, SigmoidReader) or not (reader.smoothed or reader.decoupled)


class Operand(NamedTuple):
    """The features of points as the kernels take them."""

    body: Tensor
    """(B, K): in the dtype of the products, with "split" the leading bits."""
    rest: Tensor
    """(B, K2); ``body`` where there is none."""
    gaps: Tensor
    """(B, 2)."""
    plain: Tensor
    """(B, K) bodies, for the products of the gradient."""

    @classmethod
    def of(cls, side: Side, fused: Fused) -> "Operand":
        """From features in float32."""
        (plain,) = side.plain
        body, gaps = plain[:, :-2], plain[:, -2:]
        if fused == "bfloat16":
            half, own = body.bfloat16(), gaps.contiguous()
            return cls(half, half, own, half)
        if fused == "split":
            (parts,) = side.parts
            return cls(parts.high, parts.rest, parts.gaps, body)
        return cls(body, body, gaps, body)

    def rows(self, j: Span) -> "Operand":
        """Some of them."""
        return Operand(*(each[j] for each in self))


def operand(tiling: Tiling, x: Tensor, inner: tuple[Tensor, ...], *, right: bool) -> Operand:
    """The features of points."""
    assert tiling.fused is not None
    asked = tiling._replace(dtype=torch.float32, split=tiling.fused == "split")
    return Operand.of(whole_side(asked, x, inner, right=right), tiling.fused)
