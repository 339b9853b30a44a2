"""Points that learn a graph by one of the methods, by Adam on normal coordinates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...manifolds import Manifold, Product
from .config import EmbedOptions, make_space
from .edges import Graph
from .methods import METHODS, Batch, Method, Nodes
from .methods.distances import Distances
from .relation import Relation

_ROUNDING = 1e-3  # of a distance in float32, near the edge of the space
_START = 0.1  # standard deviation of the first coordinates
_NARROW = 0.9  # of the steps, after which points have no dimension more than they end in
_BEGIN = 1.4  # the largest radius after distances, in units of curvature: within a hemisphere
# Where no number of epochs is given: those of so many steps, but not fewer or more than these.
_STEPS, _LEAST, _MOST = 1500, 20, 1000
_PILOT, _WARM = 20, 5  # steps by which the speed is known, less the first ones, which are slower
_SHUFFLE, _DRAW, _INIT = range(3)  # streams of random numbers


class Trainer:
    r"""Normal coordinates of points, a number each if the method has one, and their optimiser.

    *Wider at the start.* Points have ``options.more`` dimensions more, multiplied by a factor that
    falls from 1 to 0 in the first 90 % of the steps: in two or three dimensions nodes that are in
    the wrong place cannot pass by those between, which hold them there.

    T falls geometrically from ``temperature`` to ``final_temperature``. A method that begins with
    distances has them at the first T; then all points are brought within a radius of 1.4, and the
    optimiser begins anew.

    What is random in a step follows from the seed and the step's number alone: a run that goes on
    from a checkpoint needs nothing but these tensors and that number.
    """

    def __init__(
        self, graph: Graph, relation: Relation, options: EmbedOptions, epochs: int
    ) -> None:
        self.relation, self.options = relation, options
        self.space: Manifold = make_space(options.manifold)
        self.method = METHODS[options.method](self.space)
        self.method.prepare(graph)
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
        self.first = round(self.method.pretrained * self.steps)
        """The steps in which distances are learned, where the method begins with them."""
        self.done = 0
        self.seconds = 0.0
        size = (relation.nodes, options.dim + options.more)
        first = torch.randn(size, generator=_generator(options.seed, _INIT))
        self.normal = torch.nn.Parameter(_START * first)
        own = options.bias if self.method.number == "bias" else self.method.number is not None
        self.number = torch.nn.Parameter(torch.zeros(relation.nodes, 1)) if own else None
        held = [self.normal, *([] if self.number is None else [self.number])]
        self.optimizer = torch.optim.Adam([*held, *self.space.parameters()], lr=options.rate)
        self._order = self.rows
        self._compiled = self._losses
        if options.compile:
            self._compiled = torch.compile(self._losses, dynamic=False)

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
        if self.done == self.first > 0:
            self._begin_anew()
        method, rate, share = self._stage()
        draw = _generator(options.seed, _DRAW, self.done)
        batch = method.draw(relation, rows, options.negatives, draw)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * options.rate * (1 + math.cos(math.pi * share)) / 2
        # A last batch of another size would be compiled once more.
        losses = self._compiled if len(rows) == size else self._losses
        each = losses(method, batch, torch.tensor(self.temperature(share)), self._scale())
        loss = (each if batch.weight is None else each * batch.weight).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.done += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} after step {self.done}; expected a finite one: try an --lr "
                f"below {options.rate:g}, or a --final-temperature above "
                f"{options.temperatures[1]:g}."
            )
        return len(rows), value

    def _stage(self) -> tuple[Method, float, float]:
        """The method of this step, its part of the learning rate, how much of it is done."""
        if self.done < self.first:
            return Distances(self.space), 1.0, self.done / self.first
        share = (self.done - self.first) / (self.steps - self.first)
        return self.method, self.method.rate, share

    @torch.no_grad()
    def _begin_anew(self) -> None:
        """From distances to the method: points within a radius in which cones are wide."""
        farthest = self.normal[:, : self.options.dim].norm(dim=-1).max()
        unit = 1.0 if isinstance(self.space, Product) else float(torch.as_tensor(self.space.radius))
        self.normal.mul_(_BEGIN * unit / farthest)
        self.optimizer.state.clear()

    def temperature(self, share: float) -> float:
        """T where this share of the stage is done."""
        first, last = self.options.temperatures
        return first if self.done < self.first else float(first * (last / first) ** share)

    def _losses(
        self, method: Method, batch: Batch, temperature: Tensor, scale: Tensor | None
    ) -> Tensor:
        """(B,)."""
        return method.loss(*self.nodes(batch, scale), batch, temperature)

    def nodes(self, batch: Batch, scale: Tensor | None = None) -> tuple[Nodes, Nodes]:
        """The nodes of a batch (B, 1) and the others (B, k); see :meth:`_scale`."""
        node, others = batch.node[:, None], batch.others
        if others.numel() < len(self.normal):  # lifted as gathered
            x, y = (self._lifted(_rows(self.normal, index), scale) for index in (node, others))
        else:
            points = self._lifted(self.normal, scale)
            x, y = _rows(points, node), _rows(points, others)
        if self.number is None:
            return Nodes(x), Nodes(y)
        a, b = (_rows(self.number, index).squeeze(-1) for index in (node, others))
        return Nodes(x, a), Nodes(y, b)

    def _scale(self) -> Tensor | None:
        """Of each coordinate, where the last ones are about to vanish; None once they have."""
        share = self.done / (_NARROW * (self.first or self.steps))
        # A compiled step keeps its shapes, of which it would be compiled for each.
        if self.options.more == 0 or (share >= 1 and not self.options.compile):
            return None
        scale = torch.ones(self.normal.shape[1])
        scale[self.options.dim :] = max(1 - share, 0.0)
        return scale

    def _lifted(self, normal: Tensor, scale: Tensor | None) -> Tensor:
        if scale is None:
            return self.method.place(normal[..., : self.options.dim])
        return self.method.place(normal * scale)

    @torch.no_grad()
    def points(self) -> Tensor:
        """(nodes, m)."""
        return self.method.place(self.normal[:, : self.options.dim]).detach()

    @torch.no_grad()
    def at_the_edge(self) -> int:
        """How many points of hyperbolic space are farther out than their dtype holds, and were
        pulled back; of a product in any factor."""
        points, normal = self.points(), self.normal[:, : self.options.dim]
        parts = [(self.space, points, normal)]
        if isinstance(self.space, Product):
            dims = self.space.dims
            assert dims is not None
            each = self.space.split(points)
            parts = list(
                zip(self.space.factors, each, torch.split(normal, list(dims), -1), strict=True)
            )
        beyond = torch.zeros(len(points), dtype=torch.bool)
        for space, x, v in parts:
            if space.sign < 0:
                origin = space.origin(v.shape[1], dtype=x.dtype)
                beyond |= v.norm(dim=-1) > (1 + _ROUNDING) * space.dist(origin, x)
        return int(beyond.sum())

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


def epochs_of(options: EmbedOptions, graph: Graph, relation: Relation) -> int:
    """How many passes are made."""
    if options.epochs is not None:
        return options.epochs
    pairs = int((relation.room[relation.pairs[:, 0]] > 0).sum())
    per_epoch = max(-(-pairs // options.batch), 1)
    if options.minutes is None:
        return min(max(-(-_STEPS // per_epoch), _LEAST), _MOST)
    trial = Trainer(graph, relation, options, -(-_PILOT // per_epoch))
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
    unit = 1.0 if isinstance(space, Product) else float(torch.as_tensor(space.radius))
    origin = space.origin(points.shape[-1] - space.ambient_dim(0), dtype=points.dtype)
    r = space.dist(origin, points).double() / unit
    return Radii(float(r.mean()), float(r.median()), float(r.min()), float(r.max()))
