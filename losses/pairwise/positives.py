"""What the options of a loss of all pairs say: which belong together, which take part, and how much
each row counts."""

import torch
from torch import Tensor

from ...manifolds.checks import check_real
from ..common import can_look
from .readers import PairMask, Positives

Groups = tuple[Tensor, Tensor]
"""Integers (B,) and (C,): a row and a column belong together where theirs are equal."""
Sides = Tensor | tuple[Tensor | None, Tensor | None] | None
"""Something of the rows and of the columns, or of the pairs; None for nothing."""


def positives_of(
    where: str,
    targets: Tensor | None,
    groups: Groups | None,
    shape: tuple[int, int],
    device: torch.device,
    *,
    check: bool = False,
) -> Positives:
    """What the options say belongs together; ``check`` looks at values on a device too."""
    rows, columns = shape
    if groups is not None:
        if targets is not None:
            raise ValueError(f"{where}: both targets and groups are given; expected one of them.")
        check_pair(where, "groups", groups)
        for name, group, size in zip(("x", "y"), groups, shape, strict=True):
            check_real(where, f"groups of {name}", group)
            if group.shape != (size,) or group.is_floating_point():
                raise ValueError(
                    f"{where}: groups of {name} have shape {tuple(group.shape)} and dtype "
                    f"{group.dtype}; expected integers ({size},)."
                )
        return Positives(groups=groups)
    # The diagonal is kept as a column a row: a table of it would take memory of B C.
    if targets is None:
        if rows != columns:
            raise ValueError(
                f"{where}: x has {rows} points and y has {columns} with targets None; expected "
                "equal numbers, or targets that say which belong together."
            )
        return Positives(column=torch.arange(rows, device=device), diagonal=True)
    check_real(where, "targets", targets)
    if targets.ndim == 1 and targets.shape[0] == rows and not targets.is_floating_point():
        index = targets.long()
        out = (index < -1) | (index >= columns)
        if not (check or can_look(index)):
            # Nobody looks: a row with an index out of range is one of NaN, where the index would
            # read another point's logit, or stop the GPU in the middle of some later kernel.
            return Positives(column=index.masked_fill(out, -1), refused=out)
        if bool(out.any()):
            raise ValueError(
                f"{where}: targets have {int(index[out][0])} at row {int(out.nonzero()[0])}; "
                f"expected columns from 0 to {columns - 1}, or -1 for none."
            )
        return Positives(column=index)
    if targets.shape != (rows, columns):
        raise ValueError(
            f"{where}: targets have shape {tuple(targets.shape)} and dtype {targets.dtype}; "
            f"expected None, integers ({rows},), or a table ({rows}, {columns})."
        )
    # Weights are looked at on a GPU only where asked for: the look waits for all that is queued.
    if targets.is_floating_point() and (check or can_look(targets)) and bool((targets < 0).any()):
        raise ValueError(
            f"{where}: targets have {float(targets.min())}; expected weights of at least 0."
        )
    # Targets are constants: soft ones come from another model, which this loss does not train.
    return Positives(table=targets.detach())


def mask_of(where: str, mask: Sides, shape: tuple[int, int]) -> PairMask | None:
    """What the mask says takes part; None for everything."""
    rows, columns = shape
    if mask is None:
        return None
    given = mask if isinstance(mask, tuple) else (mask,)
    for m in given:
        if m is not None:
            check_real(where, "mask", m)
    if any(m is not None and m.dtype != torch.bool for m in given):
        raise ValueError(
            f"{where}: mask has dtype {', '.join(str(m.dtype) for m in given if m is not None)}; "
            "expected bool, True for what takes part."
        )
    # A pair is told by its type, and all else by its shape: (B, B) for B = C is a table.
    shapes = [None if m is None else tuple(m.shape) for m in given]
    if isinstance(mask, tuple):
        if len(mask) == 2 and shapes[0] in (None, (rows,)) and shapes[1] in (None, (columns,)):
            return PairMask(rows=mask[0], columns=mask[1])
    elif shapes[0] == (rows, columns):
        return PairMask(pairs=mask)
    # One mask for both sides: x_i and y_i are one item, which is there or is padding.
    elif shapes[0] == (rows,) and rows == columns:
        return PairMask(rows=mask, columns=mask)
    raise ValueError(
        f"{where}: mask has shape {shapes if isinstance(mask, tuple) else shapes[0]}; expected "
        f"({rows}, {columns}), a pair of ({rows},) and ({columns},), or ({rows},) for as many "
        "rows as columns."
    )


def weights_of(
    where: str,
    weights: Sides,
    shape: tuple[int, int],
    symmetric: bool,
    *,
    check: bool = False,
) -> tuple[Tensor | None, Tensor | None]:
    """Those of rows and of columns; NaN for one below 0 where nobody looks (on a device, but with
    ``check``)."""
    if weights is None:
        return None, None
    if isinstance(weights, tuple):
        check_pair(where, "weights", weights)
    one, other = weights if isinstance(weights, tuple) else (weights, weights)
    pair = [one, other if symmetric else None]
    for k, (side, size) in enumerate(zip(("rows", "columns"), shape, strict=True)):
        value = pair[k]
        if value is None:
            continue
        check_real(where, f"weights of the {side}", value)
        if value.shape != (size,):
            raise ValueError(
                f"{where}: weights of the {side} have shape {tuple(value.shape)}; expected "
                f"({size},)."
            )
        if not (check or can_look(value)):
            pair[k] = value.where(value >= 0, torch.nan)
            continue
        # NaN is not at least 0 and is refused, where "any below 0" would let it pass.
        if not bool((value >= 0).all()):
            raise ValueError(
                f"{where}: weights of the {side} have {float(value.min())}; expected none below 0."
            )
    return pair[0], pair[1]


def check_pair(where: str, name: str, value: object) -> None:
    """Raises a TypeError unless there is one for the rows and one for the columns."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(
            f"{where}: {name} is {type(value).__name__} {value!r:.60}; expected a pair, of x and y."
        )
