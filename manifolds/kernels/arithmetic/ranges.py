r"""Whether a form that guards against far ranges can be left out: where values may be looked at.

    all_within(s, a, b) = every entry of s is in (a, b), known only on the CPU and eagerly

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
s            s                    any tensor; a NaN is within nothing
a, b         low, high            the ends of the range, not in it
============ ==================== ==================================================================

Whoever asks has two forms, the plain one and one for all inputs, which on that range agree to the
last bit in value and in gradient: the answer changes how long it takes and nothing else. On a
device a look waits for it, a compiler would need two programs, and vmap, forward mode, tracers and
dispatch modes see other tensors than the values: there the answer is no, and the form for all
inputs is taken.

Domain: any floating-point tensor.
Bound: exact.
Proof: none, a comparison; tests/manifolds/test_ranges.py compares the two forms bit by bit.
Certificate: Lorentz.from_normal, Lorentz.dist, Sphere.logmap
"""

import torch
from torch import Tensor

# Names that torch does not promise: in a version without one of them nothing is looked at.
_KNOWN = (
    hasattr(torch._C, "_len_torch_dispatch_stack")
    and hasattr(torch._C, "_is_tracing")
    and hasattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack")
)


def in_forward_mode() -> bool:
    """Whether derivatives are taken along with the values."""
    return torch.autograd.forward_ad._current_level >= 0


def runs_as_written() -> bool:
    """Whether no compiler, transform, forward mode, tracer or dispatch mode sees the operations."""
    return _KNOWN and not (
        torch.compiler.is_compiling()
        or in_forward_mode()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._is_tracing()
    )


def can_look(s: Tensor) -> bool:
    """Whether values may be looked at: on the CPU, and operations run as written."""
    return s.is_cpu and runs_as_written() and s.numel() > 0


def all_within(s: Tensor, low: float, high: float) -> bool:
    """Whether every entry is above ``low`` and below ``high``; False where that is not seen."""
    if not can_look(s):
        return False
    least, most = s.detach().aminmax()
    return low < least.item() and most.item() < high


def all_below(s: Tensor, high: float) -> bool:
    """Whether every entry is below ``high``; False where that is not seen."""
    return can_look(s) and s.detach().amax().item() < high


def sign_seen(s: Tensor) -> int:
    """1 if every entry is above 0, -1 if none is; 0 where that is not seen."""
    if not can_look(s):
        return 0
    least, most = s.detach().aminmax()
    return -1 if most.item() <= 0 else int(least.item() > 0)
