"""The sums of a table of all pairs and their gradient by Triton kernels, on CUDA devices.

What ``tiled.read_all`` and ``pull_all`` do with a matrix product and some twenty passes a tile, a
kernel does in one (``losses/kernels/tile.py``). Tiles are large here, as each is a launch: the
kernel writes the gradient by h of a whole tile, and two products of torch take it on to the
features.

A table goes this way by itself, where

* it is on a CUDA device and triton can be imported, and ``SPACEFORMS_TRITON`` is not 0;
* its points are float32 (or less), and float64 products were not asked for;
* it has one term, of a unit space form: all but products and ``Stereographic``;
* every row has one positive or none, nothing is masked, smoothed or decoupled.

``SPACEFORMS_TRITON=0`` is the torch path everywhere; 1 asks for this one on CPU tensors too, which
goes with Triton's interpreter (``TRITON_INTERPRET=1``) and is how it is tested. It has been run in
the interpreter, and compiled for CUDA; no GPU has run it yet.
"""

import os
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor

from ...manifolds import PairForm, PairTerm
from ...manifolds.kernels.pair_form import UnitValue
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
    if not fused_on(x.device) or precision == "float64" or torch.float64 in (x.dtype, y.dtype):
        return None
    term = form.terms[0]
    if len(form.terms) > 1 or form.outer != "same" or not isinstance(term.value, UnitValue):
        return None
    if precision != "auto":
        return "split" if precision == "split" else "float32"
    both = x.dtype == y.dtype == torch.bfloat16
    return "bfloat16" if both and _keeps_bfloat16(term, x.shape[1]) else "split"


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
