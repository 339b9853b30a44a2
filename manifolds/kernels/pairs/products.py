r"""All inner products of two sets, in float64 or in float32 alone, by the device.

    X.Y = X1.Y1 + (X1.Y2 + X2.Y),    X = X1 + X2,  Y = Y1 + Y2

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
X, Y         a, b                 vectors in float64, (..., p, n) and (..., q, n)
X1, Y1       high                 their leading b bits on one grid a row: multiples of
                                  2^-b times the power of 2 at or above the largest coordinate
X2, Y2       low                  what is left, rounded to float32
b            leading_bits(n)      (24 - log2 n)/2: 7 for n in 257..1024, 8 for 65..256, 10 for 16
============ ==================== ==================================================================

Domain: float64 (float32 where there is no float64), products of two coordinates below 2^127; of
rows below 2^-100 the digits beyond 2^-130 are dropped.
Bound: ("split") 2^-(21 + b) n^(3/2) |X||Y|, 16 times 2^-(24 + b) |X||Y| as measured; one float32
product has n 2^-24 |X||Y|, and 13 times 2^-24 |X||Y| as measured.
Proof: none, sums of integers below 2^24.
Certificate: Lorentz.cdist.matmul, Sphere.cdist.matmul, PoincareBall.cdist.matmul

X1.Y1 has no rounding: its terms are multiples of one number and at most 2^(2b) times it, so that
all partial sums of n of them, in any order, are integers below 2^24 in its units, which float32
holds (Ozaki et al. 2012, "Error-free transformations of matrix multiplication"). What is rounded is
the rest. A coordinate of X2 is at most half a unit of the grid, 2^-b max|X|, so that |X2| <=
sqrt(n) 2^-b |X|, and the terms' sizes add up to |X1||Y2| + |X2||Y| <= sqrt(n) 2^-b (2 + sqrt(n)
2^-b) |X||Y|. A sum of 2n of them is off by 2n 2^-24 times that, and the two roundings to float32 by
2^-24 times it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

Products = Literal["float64", "split", "float32"]
"""How the inner products of float32 points are computed."""

# CUDA devices with float64 products at half the speed of float32 ones, by compute capability; all
# others have them at a 32nd or a 64th. (An AMD device says gfx90a as 9.0 and gfx942 as 9.4.)
_FULL_RATE = {(6, 0), (7, 0), (8, 0), (9, 0), (9, 4), (10, 0)}
_chosen: list[Products] = []


def products_on(device: torch.device) -> Products:
    """The products that float32 points get on a device: by its type and model, never by values.

    float64 on a CPU and where a GPU has it at half the speed of float32, ``"split"`` on other CUDA
    devices, float32 where there is no float64 (MPS). A graph that is compiled, and a transform of
    ``torch.func``, has float64 wherever there is one: the flags of TF32 cannot be held off there.
    """
    if _chosen:
        return _chosen[-1]
    if not has_float64(device):
        return "float32"
    if device.type != "cuda" or traced():
        return "float64"
    capable = torch.cuda.get_device_capability(device)
    return "float64" if capable in _FULL_RATE else "split"


def has_float64(device: torch.device) -> bool:
    """Whether a device has float64 at all: Apple's does not."""
    return device.type != "mps"


def widest(device: torch.device) -> torch.dtype:
    """float64 where there is one: of sums and of features, of which there are few."""
    return torch.float64 if has_float64(device) else torch.float32


def traced() -> bool:
    """Whether a graph is being compiled or a transform of ``torch.func`` runs."""
    return torch.compiler.is_compiling() or in_a_transform()


def in_a_transform() -> bool:
    """Whether a transform of ``torch.func`` runs."""
    return torch._C._functorch.peek_interpreter_stack() is not None


@contextmanager
def products(kind: Products) -> Iterator[None]:
    """These products, whatever the device: for tests, and for who asks for a precision."""
    _chosen.append(kind)
    try:
        yield
    finally:
        _chosen.pop()


def leading_bits(n: int) -> int:
    """b of the table above."""
    return (24 - max(n - 1, 0).bit_length()) // 2


def noise(kind: Products, n: int) -> float:
    """The error of (p q' + q p' - X.X')/2 as a share of p q' + q p', which is |X||X'| or more, as
    measured: what is below it may be 0."""
    if kind == "float64":
        return 4 * 2.0**-53
    return 8 * 2.0 ** -(24 + (leading_bits(n) if kind == "split" else 0))


def inner_products(a: Tensor, b: Tensor, kind: Products) -> Tensor:
    """a @ b.mT: (..., p, n), (..., q, n) -> (..., p, q), in the dtype of a."""
    if kind == "float64" or traced():
        return a @ b.mT
    if kind == "float32":
        product: Tensor = _Product.apply(a.float(), b.float())  # type: ignore[no-untyped-call]
        return product.to(a.dtype)
    (high, low), (other, rest) = split(a), split(b)
    exact: Tensor = _Product.apply(high, other)  # type: ignore[no-untyped-call]
    left, right = torch.cat([high, low], -1), torch.cat([rest, b.float()], -1)
    small: Tensor = _Product.apply(left, right)  # type: ignore[no-untyped-call]
    return exact.to(a.dtype) + small


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """X1, without a gradient, and X2, with that of x; both (..., n) in float32."""
    with torch.no_grad():
        # 2^exponent is the power of 2 above the largest coordinate. Of a row of zeros any will do,
        # and of one below 2^-100 a coarser grid, whose unit is a float32 still.
        exponent = x.abs().amax(-1, keepdim=True).frexp().exponent.clamp(min=-100)
        unit = torch.ldexp(torch.ones_like(x[..., :1]), exponent - leading_bits(x.shape[-1]))
        high = (x / unit).round() * unit
    return high.float(), (x - high).float()


class _Product(torch.autograd.Function):
    """a @ b.mT in float32, its gradients too, whatever autocast and TF32 say."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        with full_precision(a.device.type):
            return a @ b.mT

    @staticmethod
    def backward(ctx: Any, *by: Tensor) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        g = by[0]
        by_a = _Product.apply(g, b.mT)  # type: ignore[no-untyped-call]
        by_b = _Product.apply(g.mT, a.mT)  # type: ignore[no-untyped-call]
        return _summed(by_a, a), _summed(by_b, b)


def _summed(g: Tensor, like: Tensor) -> Tensor:
    """A gradient summed over the leading axes along which its tensor was repeated."""
    return g if g.shape == like.shape else g.sum_to_size(like.shape)


@contextmanager
def full_precision(device: str) -> Iterator[None]:
    """float32 products in float32, whatever the flags for TF32 and bfloat16 and autocast say."""
    # TF32 keeps 10 bits of each factor: h, a small difference of products, would have none.
    # A device such as "meta" has no autocast to hold off, and torch refuses to.
    can = torch.amp.is_autocast_available(device)
    with torch.autocast(device, enabled=False) if can else nullcontext():
        if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # before torch 2.9
            before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("highest")
            try:
                yield
            finally:
                torch.set_float32_matmul_precision(before)
            return
        backends: Any = torch.backends
        flags = [backends.cuda.matmul, backends.mkldnn.matmul]
        held = [flag.fp32_precision for flag in flags]
        try:
            for flag in flags:
                flag.fp32_precision = "ieee"
            yield
        finally:
            for flag, value in zip(flags, held, strict=True):
                flag.fp32_precision = value
