"""An example: points and tangent vectors as tensors, with the exact data they were made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .domains import Domain


@dataclass(frozen=True)
class Situation:
    """Points x, y, z and tangent vectors u, v at x, with the float64 data they were made of.

    ``normal`` and ``frame`` are normal coordinates of the points and components of the vectors;
    the tensors are their images, rounded to the dtype. What a map is given are the tensors.
    """

    domain: Domain
    dtype: torch.dtype
    relation: str
    normal: dict[str, Tensor]
    frame: dict[str, Tensor]

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """x, y, z, u, v in the dtype."""
        made: dict[str, Tensor] = {}
        for name, v in self.normal.items():
            made[name] = self.domain.rounded(self.domain.point(v), self.dtype)
        if self.relation == "coincident":
            made["y"] = made["x"].clone()
        if self.relation == "antipodal" and self.domain.extra:  # embedded: exactly, as rounded
            made["y"] = -made["x"]
        for name, w in self.frame.items():
            at_x = self.domain.tangent(self.normal["x"], w)
            made[name] = self.domain.rounded_tangent(made["x"], at_x, self.dtype)
        return made

    def __getattr__(self, name: str) -> Tensor:
        if name not in ("x", "y", "z", "u", "v"):
            raise AttributeError(name)
        return self.tensors[name]

    @property
    def key(self) -> str:
        """What tells it from other examples."""
        numbers = {name: v.tolist() for name, v in (self.normal | self.frame).items()}
        return f"{self.relation} {numbers}"

    @cached_property
    def distance(self) -> float:
        """Of x and y, in exact arithmetic up to float64 rounding."""
        if self.relation == "coincident":
            return 0.0
        if self.relation == "antipodal":
            return self.domain.injectivity
        return self.domain.distance(self.normal["x"], self.normal["y"])

    def __repr__(self) -> str:
        lines = [] if self.relation == "apart" else [f"x and y are {self.relation}"]
        for name, t in self.tensors.items():
            if name in self.normal:
                how = f"at distance {_number(self.normal[name].norm())} from the origin"
            else:
                how = f"of length {_number(self.domain.length(self.x, t))} at x"
            lines.append(f"{name} = {readable(t)}, {how}")
        return "; ".join(lines)


def readable(t: Tensor) -> str:
    """The first six coordinates, to six digits."""
    shown = ", ".join(_number(c) for c in t.detach().double().flatten()[:6])
    more = f", and {t.numel() - 6} more" if t.numel() > 6 else ""
    return f"[{shown}{more}]"


def _number(value: Any) -> str:
    return f"{float(value):.6g}"
