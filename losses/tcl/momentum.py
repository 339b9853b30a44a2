"""A slowly moving copy of a network: the exponential average of its weights."""

import torch
from torch import nn

from ...manifolds.checks import check_integer, check_number


def rising_momentum(momentum: float, step: int) -> float:
    """The momentum of step t, counted from 0: min(m, (1 + t) / (10 + t)).

    With a constant m the copy keeps the share m^t of its initial weights: 0.995 leaves 60 % of them
    after 100 steps, which is what pretrained encoders want and random ones do not. Here the copy is
    an average of about the last tenth of the steps until that is 1 / (1 - m) of them.
    """
    _check_momentum("rising_momentum", momentum)
    check_integer("rising_momentum", "step", step, 0)
    return min(momentum, (1 + step) / (10 + step))


@torch.no_grad()
def momentum_update(target: nn.Module, source: nn.Module, *, momentum: float) -> None:
    r"""Move the target's parameters: :math:`\theta' \leftarrow m\,\theta' + (1-m)\,\theta`.

    In place (He et al. 2020, MoCo; 0.995 in ALBEF and TCL). Buffers are copied: they are constants
    or counts, of which no average is wanted.

    Args:
        target: the copy, changed.
        source: the network that learns.
        momentum: m in [0, 1]; 0 copies, 1 leaves the target as it is.

    Raises:
        ValueError: a momentum outside [0, 1], or two modules of different parameters or buffers.
    """
    _check_momentum("momentum_update", momentum)
    for name, module in (("target", target), ("source", source)):
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"momentum_update: {name} is a {type(module).__name__}; expected a torch.nn.Module."
            )
    # Parameters are matched by name: two modules of other classes whose names and shapes agree are
    # copies of each other.
    for kind in ("parameters", "buffers"):
        ours = dict(getattr(target, f"named_{kind}")())
        theirs = dict(getattr(source, f"named_{kind}")())
        if {n: x.shape for n, x in ours.items()} != {n: x.shape for n, x in theirs.items()}:
            raise ValueError(
                f"momentum_update: target and source differ in their {kind}; expected a copy, such "
                "as copy.deepcopy(source)."
            )
        for name, x in ours.items():
            if kind == "parameters":
                x.lerp_(theirs[name].to(x), 1 - momentum)
            else:
                # A buffer is a count, or a running mean that is an average already.
                x.copy_(theirs[name])


def _check_momentum(where: str, momentum: float) -> None:
    check_number(where, "momentum", momentum)
    if not 0 <= momentum <= 1:
        raise ValueError(f"{where}: momentum is {momentum}; expected 0 to 1.")
