"""Points that learn a relation: a softmax over distances, by Adam on normal coordinates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...manifolds import Manifold
from .config import EmbedOptions, make_space
from .relation import Relation

_ROUNDING = 1e-3  # of a distance in float32, near the edge of the space
_START = 0.1  # standard deviation of the first coordinates
# Where no number of epochs is given: those of so many steps, but not fewer or more than these.
_STEPS, _LEAST, _MOST = 3000, 20, 1000
_PILOT, _WARM = 20, 5  # steps by which the speed is known, less the first ones, which are slower
_SHUFFLE, _DRAW, _INIT = range(3)  # streams of random numbers


class Trainer:
    r"""Points :math:`x_i` with a bias :math:`b_i`, 0 if there is none, and their optimiser.

    Of each pair (u, v) the loss is :math:`-\log\operatorname{softmax}` of
    :math:`(b_v - d(x_u, x_v))/T` among v and nodes that are no ancestor of u (Nickel and Kiela
    2017, eq. 6). T falls geometrically from ``temperature`` to ``final_temperature``.

    What is random in a step follows from the seed and the step's number alone: a run that goes on
    from a checkpoint needs nothing but these tensors and that number.
    """

    def __init__(self, relation: Relation, options: EmbedOptions, epochs: int) -> None:
        self.relation, self.options = relation, options
        self.space: Manifold = make_space(options.manifold)
        # Where every other node lies above the child there is nothing to tell apart.
        learned = relation.room[relation.pairs[:, 0]] > 0
        self.rows = learned.nonzero().squeeze(-1)
        if not len(self.rows):
            raise ValueError(
                "every node is related to every other one; expected pairs that are none, which an "
                "embedding could tell from those that are."
            )
        self.per_epoch = -(-len(self.rows) // options.batch)
        self.steps = self.per_epoch * epochs
        self.done = 0
        self.seconds = 0.0
        first = torch.randn(relation.nodes, options.dim, generator=_generator(options.seed, _INIT))
        self.normal = torch.nn.Parameter(_START * first)
        self.bias = torch.nn.Parameter(torch.zeros(relation.nodes, 1)) if options.bias else None
        held = [self.normal, *([] if self.bias is None else [self.bias])]
        self.optimizer = torch.optim.Adam([*held, *self.space.parameters()], lr=options.lr)
        self._order = self.rows

    def run(self, stopped: Callable[[], bool]) -> Iterator[tuple[int, float]]:
        """Train on to the end or until ``stopped()``; after each step its pairs and its loss."""
        began, before = time.perf_counter(), self.seconds
        while self.done < self.steps and not stopped():
            found = self._step()
            self.seconds = before + time.perf_counter() - began
            yield found

    def _step(self) -> tuple[int, float]:
        options, relation = self.options, self.relation
        epoch, place = divmod(self.done, self.per_epoch)
        if place == 0 or self._order is self.rows:
            shuffle = _generator(options.seed, _SHUFFLE, epoch)
            self._order = self.rows[torch.randperm(len(self.rows), generator=shuffle)]
        # Batches are of one size: a small last one would count as much as the others.
        size = -(-len(self.rows) // self.per_epoch)
        rows = self._order[place * size : (place + 1) * size]
        child, ancestor = relation.pairs[rows].unbind(-1)
        draw = _generator(options.seed, _DRAW, self.done)
        wrong = relation.negatives(child, options.negatives, draw)
        others = torch.cat([ancestor[:, None], wrong], dim=1)

        share = self.done / self.steps
        for group in self.optimizer.param_groups:
            group["lr"] = options.lr * (1 + math.cos(math.pi * share)) / 2
        each = F.cross_entropy(
            self.logits(child, others, self.temperature(share)),
            torch.zeros(len(rows), dtype=torch.int64),
            reduction="none",
        )
        loss = each.mean() if relation.weight is None else (each * relation.weight[rows]).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.done += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} after step {self.done}; expected a finite one: try an --lr "
                f"below {options.lr:g}, or a --final-temperature above {options.temperatures[1]:g}."
            )
        return len(rows), value

    def logits(self, child: Tensor, others: Tensor, temperature: float) -> Tensor:
        """(B,), (B, k) -> (B, k)."""
        if others.numel() < len(self.normal):  # lifted as gathered
            x = self.space.from_normal(_rows(self.normal, child))
            y = self.space.from_normal(_rows(self.normal, others))
        else:
            points = self.space.from_normal(self.normal)
            x, y = _rows(points, child), _rows(points, others)
        closeness = -self.space.dist(x[:, None], y)
        if self.bias is not None:
            closeness = closeness + _rows(self.bias, others).squeeze(-1)
        return closeness / temperature

    def temperature(self, share: float) -> float:
        """T where this share of the steps is done."""
        first, last = self.options.temperatures
        return float(first * (last / first) ** share)

    @torch.no_grad()
    def points(self) -> Tensor:
        """(nodes, m)."""
        points: Tensor = self.space.from_normal(self.normal).detach()
        return points

    @torch.no_grad()
    def at_the_edge(self) -> int:
        """How many points of hyperbolic space are farther out than their dtype holds, and were
        pulled back."""
        if self.space.sign >= 0:
            return 0
        points = self.points()
        origin = self.space.origin(self.normal.shape[1], dtype=points.dtype)
        wanted, got = self.normal.norm(dim=-1), self.space.dist(origin, points)
        return int((wanted > (1 + _ROUNDING) * got).sum())

    # -- checkpoints ----------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """Tensors from which :meth:`load_state` goes on to the same bits."""
        found = {
            "done": torch.tensor(self.done),
            "steps": torch.tensor(self.steps),
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }
        for k, parameter in enumerate(self._parameters()):
            found[f"{k}.value"] = parameter.detach()
            for name, value in self.optimizer.state[parameter].items():
                found[f"{k}.{name}"] = value
        return found

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Bring all to where :meth:`state` was taken.

        Raises:
            ValueError: a state of another run.
        """
        try:
            with torch.no_grad():
                for k, parameter in enumerate(self._parameters()):
                    value = state[f"{k}.value"]
                    if value.shape != parameter.shape:
                        raise ValueError(f"{tuple(value.shape)}")
                    parameter.copy_(value)
                    self.optimizer.state[parameter] = {
                        name[2:]: state[name].clone()
                        for name in state
                        if name.startswith(f"{k}.") and name != f"{k}.value"
                    }
            self.done, self.steps = int(state["done"]), int(state["steps"])
            self.seconds = float(state["seconds"])
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"expected the state of a run with these options, got that of another ({error})."
            ) from error
        self._order = self.rows

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def epochs_of(options: EmbedOptions, relation: Relation) -> int:
    """How many passes are made."""
    if options.epochs is not None:
        return options.epochs
    pairs = int((relation.room[relation.pairs[:, 0]] > 0).sum())
    per_epoch = max(-(-pairs // options.batch), 1)
    if options.minutes is None:
        return min(max(-(-_STEPS // per_epoch), _LEAST), _MOST)
    trial = Trainer(relation, options, -(-_PILOT // per_epoch))
    warm = 0.0
    for _ in trial.run(lambda: trial.done >= _PILOT):
        if trial.done == _WARM:
            warm = trial.seconds
    each = (trial.seconds - warm) / (_PILOT - _WARM)
    return max(int(options.minutes * 60 / (each * per_epoch)), 1)


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """(N, m), (...) -> (..., m). Its backward pass takes a quarter of ``F.embedding``'s."""
    return table.index_select(0, index.reshape(-1)).reshape(*index.shape, -1)


def _generator(seed: int, *stream: int) -> torch.Generator:
    """Random numbers of one stream of a seed, by its 32 bits that torch's generator takes."""
    mixed = np.random.SeedSequence([seed, *stream]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(mixed))


@dataclass(frozen=True)
class Radii:
    """Distances of points from the origin, in units of the curvature radius (of 1, if flat)."""

    mean: float
    median: float
    smallest: float
    largest: float


@torch.no_grad()
def radii(space: Manifold, points: Tensor) -> Radii:
    """Of points (N, m)."""
    unit = float(torch.as_tensor(space.radius))
    origin = space.origin(points.shape[-1] - space.ambient_dim(0), dtype=points.dtype)
    r = space.dist(origin, points).double() / unit
    return Radii(float(r.mean()), float(r.median()), float(r.min()), float(r.max()))
