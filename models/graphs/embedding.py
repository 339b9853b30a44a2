"""An embedding on disk, and what can be asked of it."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...datasets.disk import MOST_TABLE, printable, read_file, replacing, write_text
from ...manifolds import Manifold
from .config import make_space
from .methods import METHODS, Nodes

VECTORS, NAMES, CONFIG, REPORT = "vectors.safetensors", "names.txt", "config.json", "report.json"


_TENSORS = ("points", "parent", "child", "bias", "radius")


class Neighbour(NamedTuple):
    """A node and its distance, less its bias where there is one; or another score."""

    name: str
    distance: float


class Embedding:
    """Named points of a manifold, and the graph that they were made of.

    Attributes:
        names: of the nodes, (N,).
        points: (N, m).
        manifold: their space.
        bias: (N,), by how much each node is nearer to all than its distance says; None if there is
            none.
        radius: (N,), of the disks of ``--method disk``; None otherwise.
        method: by which they learned.
        parent, child: (E,), the two ends of the graph's edges.
        report: the figures of ``report.json``, if it is there.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        points: Tensor,
        manifold: Manifold,
        *,
        parent: Tensor,
        child: Tensor,
        bias: Tensor | None = None,
        radius: Tensor | None = None,
        method: str = "distances",
        report: Mapping[str, Any] | None = None,
    ) -> None:
        self.names, self.points, self.manifold, self.bias = names, points, manifold, bias
        self.parent, self.child, self.report = parent, child, dict(report or {})
        self.radius, self.method = radius, method
        self._place = {name: k for k, name in enumerate(names)}

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Embedding({len(self)} nodes, {len(self.parent)} edges, {self.manifold})"

    def index(self, name: str) -> int:
        """The row of a node.

        Raises:
            KeyError: there is no such node; the sentence has names like it.
            TypeError: a number; names are texts, also those that were numbers in the list of edges.
        """
        if not isinstance(name, str):
            raise TypeError(f"name is {name!r}; expected a text, as '{name}'.")
        # Names are stored composed (NFC); one that is typed on a Mac may come decomposed.
        for spelt in (name, normalize("NFC", name)):
            if spelt in self._place:
                return self._place[spelt]
        folded = {known.lower(): known for known in reversed(self.names)}
        near = [folded[n] for n in difflib.get_close_matches(name.lower(), folded, n=3)]
        begins = [known for known in self.names if known.lower().startswith(name.lower())]
        near = list(dict.fromkeys([*near, *begins[:3]]))[:3]
        hint = f"; did you mean {', '.join(map(repr, near))}?" if near else "."
        raise KeyError(f"there is no node {name!r} among {len(self):,}{hint}")

    @torch.no_grad()
    def nearest(self, name: str, k: int = 10) -> list[Neighbour]:
        """The k nodes nearest to one, the nearest first; not itself."""
        here = self.index(name)
        distance = self.manifold.dist(self.points[here], self.points).double()
        if self.bias is not None:
            distance = distance - self.bias.double()
        order = distance.argsort(stable=True)
        order = order[order != here][: max(k, 0)]
        return [Neighbour(self.names[i], float(distance[i])) for i in order.tolist()]

    @property
    def nodes(self) -> Nodes:
        """Points and numbers, as the method takes them."""
        return Nodes(self.points, self.radius if self.bias is None else self.bias)

    @torch.no_grad()
    def general(self, name: str, k: int = 10) -> list[Neighbour]:
        """The k nodes that look most like ancestors of one, by the score of the method: by
        distance as :meth:`nearest`, or for cones, shadows, orders and disks by how little it is
        outside of theirs, 0 or less within."""
        here = self.index(name)
        cost = METHODS[self.method](self.manifold).cost(self.nodes[[here]], self.nodes).double()
        order = cost.argsort(stable=True)
        order = order[order != here][: max(k, 0)]
        return [Neighbour(self.names[i], float(cost[i])) for i in order.tolist()]

    def children(self, name: str) -> list[str]:
        """The nodes one edge below."""
        below = self.child[self.parent == self.index(name)]
        return [self.names[i] for i in below.tolist()]

    def ancestors(self, name: str) -> list[str]:
        """All nodes above, the nearest by edges first."""
        here = self.index(name)
        found, level = {here}, [here]
        above: list[int] = []
        while level:
            up = self.parent[torch.isin(self.child, torch.tensor(level))]
            level = [i for i in dict.fromkeys(up.tolist()) if i not in found]
            found.update(level)
            above += level
        return [self.names[i] for i in above]


def load_embedding(folder: str | os.PathLike[str]) -> Embedding:
    """Read what ``spaceforms embed`` wrote into a folder.

    Raises:
        FileNotFoundError: no embedding in the folder.
        ValueError: files that are not those of an embedding.
    """
    folder = Path(folder)
    missing = [n for n in (VECTORS, NAMES, CONFIG) if not (folder / n).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {', '.join(missing)}; expected the folder of an embedding, which "
            "`spaceforms embed EDGES --out DIR` writes into DIR."
        )
    config = read_json(folder / CONFIG)
    names = tuple(read_file(folder / NAMES, MOST_TABLE).decode("utf-8").split("\n")[:-1])
    vectors = load_tensors(folder / VECTORS)
    try:
        space = make_space(config["manifold"], config.get("curvature"))
        method = str(config["method"])
        if method == "sarkar":  # whose score is the distance
            method = "distances"
        METHODS[method]
        points, parent, child = (vectors[key] for key in ("points", "parent", "child"))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{folder}: expected the files that `spaceforms embed` writes, but {error!r}."
        ) from error
    if len(points) != len(names):
        raise ValueError(
            f"{folder}: {NAMES} has {len(names):,} names and {VECTORS} {len(points):,} points; "
            "expected as many."
        )
    report = read_json(folder / REPORT) if (folder / REPORT).is_file() else None
    return Embedding(
        names,
        points,
        space.requires_grad_(False),
        parent=parent,
        child=child,
        bias=vectors.get("bias"),
        radius=vectors.get("radius"),
        method=method,
        report=report,
    )


def save_embedding(folder: Path, embedding: Embedding) -> None:
    """Write vectors and names, each file at once or not at all."""
    tensors = {name: getattr(embedding, name) for name in _TENSORS}
    save_tensors(folder / VECTORS, {k: v for k, v in tensors.items() if v is not None})
    write_text(folder / NAMES, "".join(f"{name}\n" for name in embedding.names))


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Replace a file of tensors."""
    whole = {name: value.detach().contiguous() for name, value in tensors.items()}
    with replacing(path) as part:
        try:
            save_file(whole, part)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of tensors."""
    try:
        found: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: expected tensors, got {error}.") from error
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Read an object."""
    try:
        found = json.loads(read_file(path, MOST_TABLE))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, got {printable(str(error))}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected an object, got a {type(found).__name__}.")
    return found
