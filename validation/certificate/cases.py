"""Problems of the certificate one by one: drawn, moved a little, and kept in a file.

A case holds what a map was given, exactly: free coordinates as the dtype has them. The file of hard
cases, packaged, has those that were found by searching; every run replays them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exact.chart_models import MODELS, ProductModel
from ..exact.maps import LEAST, NUMBER, POINT, TANGENT, TIME, Definition
from ..exact.models import Model
from .evaluate import draw_cotangent, draw_inputs
from .regimes import REGIMES, Source

HARD_CASES = Path(__file__).with_name("hard_cases.json")


@dataclass(frozen=True)
class Case:
    """One problem: a map, its inputs, and the vector that its output is multiplied by."""

    manifold: str
    map: str
    dtype: str
    k: float
    inputs: tuple[tuple[float, ...], ...]
    cotangent: tuple[float, ...] | None = None
    why: str = ""
    """What it shows, for a case that is kept."""

    def tensors(self) -> list[Tensor]:
        """The inputs as a batch of one."""
        dtype = getattr(torch, self.dtype)
        return [torch.tensor([v], dtype=torch.float64).to(dtype) for v in self.inputs]

    def cotangents(self) -> Tensor | None:
        """The cotangent as a batch of one."""
        if self.cotangent is None:
            return None
        return torch.tensor([self.cotangent], dtype=torch.float64).to(getattr(torch, self.dtype))

    def holds(self, definition: Definition) -> bool:
        """Whether the inputs are what a map may be given."""
        dtype = getattr(torch, self.dtype)
        return all(
            kind != POINT or self.model.holds(np.array(v), self.k, dtype)
            for kind, v in zip(definition.inputs, self.inputs, strict=True)
        ) and all(math.isfinite(c) for v in self.inputs for c in v)

    @property
    def model(self) -> Model:
        """That of the manifold, with the sign of K."""
        model = MODELS[self.manifold]
        if self.manifold != "Stereographic":
            return model
        return replace(model, sign=int(math.copysign(1, self.k)) if self.k else 0)

    def __str__(self) -> str:
        numbers = "; ".join(
            "[" + ", ".join(repr(c) for c in v[:8]) + (", ..." if len(v) > 8 else "") + "]"
            for v in self.inputs
        )
        of = "" if self.cotangent is None else f"; cotangent {list(self.cotangent[:8])}"
        return f"K = {self.k!r}, {numbers}{of}"


def seed_of(*parts: Any) -> int:
    """The same number for the same words, everywhere."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")


def draw(
    manifold: str, name: str, definition: Definition, dtype: str, regime: str, *, count: int,
    seed: int, largest: int,
) -> list[Case]:  # fmt: skip
    """Cases of one regime, all of one curvature and dimension."""
    torch_dtype = getattr(torch, dtype)
    model = MODELS[manifold].of_batch(list(REGIMES).index(regime) + seed)
    rng = np.random.default_rng(seed_of(manifold, name, dtype, regime, seed))
    k = model.draw_curvature(rng, extremes=dtype != "float16")
    n = model.draw_dimension(rng, largest=largest)
    if not turns(model, definition):
        n = definition.dimension or min(n, 8)
    radius = 1.0 if k == 0 else 1 / math.sqrt(abs(k))
    source = Source(model, rng, count, n, model.reach(torch_dtype, radius))
    inputs = draw_inputs(model, definition, REGIMES[regime], source, radius, torch_dtype)
    cotangent = draw_cotangent(model, definition, source, torch_dtype)
    return [
        Case(
            manifold, name, dtype, k,
            tuple(tuple(x[row].double().tolist()) for x in inputs),
            None if cotangent is None else tuple(cotangent[row].double().tolist()),
        )
        for row in range(count)
    ]  # fmt: skip


def turns(model: Model, definition: Definition) -> bool:
    """Whether the problem commutes with rotations about the origin."""
    target = MODELS[definition.target] if definition.target else model
    return model.turns and target.turns and definition.dimension is None


# -- moving --------------------------------------------------------------------------------------


def moved(case: Case, definition: Definition, rng: np.random.Generator, size: float) -> Case:
    """A case near another one: one of its inputs longer, turned, or with other coordinates.

    ``size`` is that of the change, relative to what is changed.
    """
    inputs = [np.array(v) for v in case.inputs]
    k, largest = case.k, torch.finfo(getattr(torch, case.dtype)).max / 16
    choice = rng.uniform()
    if k and case.manifold != "Product" and choice < 0.15:
        k = float(k * math.exp(size * rng.standard_normal()))
        # The same problem but for the unit of length. A point of a hemisphere is on it, and has no
        # vectors elsewhere: with another K alone one would be read at a length that it has not.
        if rng.uniform() < 0.5 or case.model.chart == "hemisphere":
            inputs = [
                v * math.sqrt(case.k / k) if scaled else v
                for v, scaled in zip(inputs, definition.scaled, strict=True)
            ]
    elif case.cotangent is not None and choice < 0.2:
        w = np.array(case.cotangent) + size * rng.standard_normal(len(case.cotangent))
        return replace(case, cotangent=_rounded(w, case.dtype))
    for i in rng.permutation(len(inputs))[: rng.integers(1, len(inputs) + 1)]:
        inputs[i] = _moved(case.model, definition.inputs[i], inputs[i], i, inputs, rng, size)
        inputs[i] = np.clip(inputs[i], -largest, largest)
    _make_tangent(case.model, definition, inputs)
    return replace(case, k=k, inputs=tuple(_rounded(v, case.dtype) for v in inputs))


def _moved(
    model: Model, kind: str, v: Any, place: int, others: list[Any], rng: np.random.Generator,
    size: float,
) -> Any:  # fmt: skip
    length = math.sqrt(float(v @ v))
    if kind in (TIME, LEAST, NUMBER):
        factor = math.exp(size * rng.standard_normal())
        return abs(v) * factor if kind == LEAST else v * factor
    way = rng.integers(4)
    if way == 0 and model.chart not in ("sphere", "hemisphere", "halfspace"):  # longer or shorter
        new = v * math.exp(size * rng.standard_normal())
    elif way == 1:  # turned a little
        new = v + size * length * rng.standard_normal(len(v)) / math.sqrt(len(v))
    elif way == 2:  # towards another of the inputs, or against it
        some = [w for j, w in enumerate(others) if j != place and len(w) == len(v)]
        if not some:
            return v
        other = some[rng.integers(len(some))]
        norm = math.sqrt(float(other @ other)) or 1.0
        new = v + size * length * rng.standard_normal() * other / norm
    else:  # each coordinate by itself, which keeps zeros
        new = v * np.exp(size * rng.standard_normal(len(v)))
    if kind == POINT and model.chart in ("sphere", "hemisphere"):
        new = np.array(new) / math.sqrt(float(new @ new)) * (length or 1.0)
        if model.chart == "hemisphere":
            new[0] = abs(new[0]) or np.finfo(np.float32).tiny
    if kind == POINT and model.chart == "halfspace":
        new[-1] = abs(new[-1]) or v[-1]
    return new


def _make_tangent(model: Model, definition: Definition, inputs: list[Any]) -> None:
    """Vectors at a point of a sphere, or of a product's factor, are tangent there."""
    place = slice(None)
    if isinstance(model, ProductModel):
        place = next(free for part, _, _, free, _ in model.parts() if part.chart == "sphere")
    elif model.chart not in ("sphere", "hemisphere"):
        return
    x = inputs[0][place]
    for kind, v in zip(definition.inputs, inputs, strict=True):
        if kind == TANGENT and x @ x > 0:
            for _ in range(2):
                v[place] = v[place] - (v[place] @ x) / (x @ x) * x


def _rounded(v: Any, dtype: str) -> tuple[float, ...]:
    made = torch.from_numpy(np.asarray(v, dtype=np.float64)).to(getattr(torch, dtype)).double()
    return tuple(made.tolist())


# -- the file ------------------------------------------------------------------------------------


def to_json(case: Case) -> dict[str, Any]:
    """With floating-point numbers in hexadecimal, which is exact."""
    return {
        "manifold": case.manifold, "map": case.map, "dtype": case.dtype, "k": case.k.hex(),
        "inputs": [" ".join(c.hex() for c in v) for v in case.inputs],
        "cotangent": None if case.cotangent is None else " ".join(c.hex() for c in case.cotangent),
        "why": case.why,
    }  # fmt: skip


def from_json(record: dict[str, Any]) -> Case:
    """The inverse of :func:`to_json`."""

    def vector(text: str) -> tuple[float, ...]:
        return tuple(float.fromhex(c) for c in text.split())

    w = record["cotangent"]
    return Case(
        record["manifold"], record["map"], record["dtype"], float.fromhex(record["k"]),
        tuple(vector(v) for v in record["inputs"]), None if w is None else vector(w),
        record["why"],
    )  # fmt: skip


@cache
def hard_cases(path: Path = HARD_CASES) -> tuple[Case, ...]:
    """Those of the file; none if there is no file."""
    if not path.exists():
        return ()
    return tuple(from_json(record) for record in json.loads(path.read_text(encoding="utf-8")))


def keep(cases: Iterable[Case], path: Path = HARD_CASES) -> None:
    """Write the file: a line a case."""
    lines = [json.dumps(to_json(case)) for case in dict.fromkeys(cases)]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    hard_cases.cache_clear()
