"""The options of ``spaceforms embed``, as they are given and as they are stored."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from ...manifolds import (
    Euclidean,
    HalfSpace,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
)
from ..options import BOOL, FLOAT, FORMATS, INT, absent, formats_of
from .edge_rows import Order
from .methods import METHODS

SPACES: dict[str, Callable[[], Manifold]] = {
    "lorentz": lambda: Lorentz(-1.0),
    "ball": lambda: PoincareBall(-1.0),
    "halfspace": lambda: HalfSpace(-1.0),
    "stereographic": lambda: Stereographic(0.0, learnable=True),
    "sphere": lambda: Sphere(1.0),
    "euclidean": Euclidean,
}
_DIM = 10
NAMES = (*METHODS, "sarkar")
_OF_THE_PROCESS = ("edges", "out", "format", "minutes", "resume", "overwrite")


@dataclass(frozen=True)
class EmbedOptions:
    """Embed the nodes of a graph: from an edge list to vectors, numbers and a picture.

    EDGES is a file of `parent child [weight]` a line, or wordnet:mammals, wordnet:nouns or the
    nouns below one, as wordnet:bird.n.01. Fields
    are separated by tabs, commas, semicolons or blanks, as in the first line, or lines are JSON
    ({"parent": "animal", "child": "dog"} or ["animal", "dog"]) or one array of such; triples of a
    knowledge graph, `animal hypernym_of dog`, arrows, `animal -> dog`, tables of nodes with their
    parents (`id, parent_id`) and what networkx writes are read too. Quotes around names, a header,
    blank lines, comments (#) and gzip are understood; text is UTF-8.
    Self-loops are left out, duplicates are merged, and several roots and components are fine; a
    cycle is an error, unless --closure False.

    By a softmax over distances each node learns to be nearer to its ancestors than to other nodes
    (Nickel and Kiela 2017); --method has other ways. Written to DIR: vectors.safetensors,
    names.txt, config.json, report.json and a picture. From Python:
    spaceforms.models.load_embedding(DIR).

    With --diagnose nothing is trained and no DIR is needed: in seconds it says how tree-like the
    graph's distances are and which curvature fits them, beside a tree, a cycle, a grid, random
    points and noise, and in words to which of these they are closest, or that it cannot say. Its
    own options are in `spaceforms embed --diagnose --help`.
    """

    edges: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EDGES")]
    """A file of edges, or wordnet:mammals, wordnet:nouns or wordnet:NOUN."""
    out: Path
    """Folder for what is made."""
    order: Annotated[
        Order | None, absent("{parent-child,child-parent}", "parent-child, or what a header says")
    ] = None
    """Which end of an edge is written first."""
    relation: Annotated[str | None, absent("NAME", "the only one")] = None
    """Of triples (head, relation, tail) those that are taken, several with commas between."""
    closure: Annotated[tyro.conf.FlagConversionOff[bool], tyro.conf.arg(metavar=BOOL)] = True
    """Learn all pairs (ancestor, descendant); False: the edges as they are, by their weights, of
    any graph."""
    method: Annotated[str, tyro.conf.arg(metavar="{" + ",".join(NAMES) + "}")] = "distances"
    """What is learned: nearness to ancestors (distances), the graph's own distances (stress),
    entailment cones, shadow cones (umbral, penumbral), coordinates in order, disks in disks; or
    put a tree in its place by Sarkar's construction, which trains nothing and preserves numbers
    of edges (a spanning tree, of a graph that is none)."""
    manifold: Annotated[str, tyro.conf.arg(metavar="{" + ",".join(SPACES) + "}")] = "lorentz"
    """Space of the points: hyperbolic in three models, one that learns its curvature from 0
    (stereographic), the sphere, or flat; or a product, as lorentz:5,euclidean:5."""
    dim: int = _DIM
    """Dimension of the space; a product says its own."""
    wider: Annotated[int | None, absent(INT, "2; 3 for --dim 3; 0 above 5 or in products")] = None
    """Dimensions more at the start, which shrink to nothing: what is in each other's way in few
    dimensions passes by in these."""
    distortion: Annotated[float | None, absent(FLOAT, "what float64 holds")] = None
    """Of sarkar: the share by which distances may be wrong at worst; its proof says how long the
    edges must be."""
    digits: Annotated[int | None, absent(INT, "float64")] = None
    """Of sarkar: decimal digits of its arithmetic, in which it is measured too."""
    bias: bool = False
    """One number more for each node, by which it is nearer to all: with it general nodes can be
    near everything in flat space too."""
    hidden: float = 0.0
    """Share of the pairs that follow from others, hidden while it learns; how well they are told
    from pairs that are none is then measured, by F1."""
    epochs: Annotated[int | None, absent(INT, "1,500 steps' worth, from 20 to 1,000")] = None
    """Passes over all pairs."""
    minutes: Annotated[float | None, absent(FLOAT, "as --epochs says")] = None
    """In place of --epochs: as many as fit, by the speed of the first steps."""
    batch: int = 1024
    """Pairs a step."""
    negatives: int = 50
    """Nodes that are no ancestor, for each pair."""
    lr: Annotated[float | None, absent(FLOAT, "0.3; 1 for distances and --dim up to 3")] = None
    """Learning rate of Adam on normal coordinates; it falls to 0 as a cosine."""
    temperature: Annotated[float | None, absent(FLOAT, "1; 2 for --dim up to 3")] = None
    """Of the softmax, in units of length, at the start."""
    final_temperature: Annotated[
        float | None, absent(FLOAT, "0.1; 0.3 for --dim 3, 0.5 below that")
    ] = None
    """That at the end, to which it falls: begun there, points of hyperbolic space would stay where
    it is nearly flat."""
    format: Annotated[str, tyro.conf.arg(metavar=FORMATS)] = "png"
    """Of the pictures: one format, or some with commas between."""
    seed: int = 0
    """Of all that is random; on a CPU the same seed gives the same bits."""
    compile: bool = False
    """Compile a step, which takes a minute and a C++ compiler: for long runs."""
    resume: bool = False
    """Go on where Ctrl-C stopped, to the same bits as without it; with the other options as they
    were."""
    overwrite: bool = False
    """Begin anew where DIR holds an embedding already."""

    def __post_init__(self) -> None:
        for name in ("dim", "epochs", "batch", "negatives"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1.")
        for name in ("lr", "temperature", "final_temperature", "minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; expected a positive number.")
        if self.wider is not None and not 0 <= self.wider <= 2**16:
            raise ValueError(f"wider is {self.wider}; expected a whole number from 0 to {2**16:,}.")
        if not 0 <= self.hidden <= 1:
            raise ValueError(f"hidden is {self.hidden}; expected a share, from 0 to 1.")
        if self.method not in NAMES:
            raise ValueError(f"method is {self.method!r}; expected one of {', '.join(NAMES)}.")
        learned = METHODS.get(self.method)
        if self.hidden and learned is None:
            raise ValueError(f"hidden is {self.hidden}; expected 0 for sarkar.")
        if self.bias and (learned is None or learned.number != "bias"):
            raise ValueError(
                f"method is {self.method} and bias is set; expected --method distances with a bias."
            )
        if self.hidden and not self.closure:
            raise ValueError("hidden and --closure False are both set; expected at most one.")
        factors = factors_of(self.manifold)
        if factors is not None:
            whole = sum(dim for _, dim in factors)
            if self.dim not in (_DIM, whole):
                raise ValueError(f"dim is {self.dim}; expected {whole}, that of {self.manifold}.")
            if self.wider:
                raise ValueError(f"wider is {self.wider}; expected 0 for a product.")
            object.__setattr__(self, "dim", whole)
        if learned is not None:
            learned(make_space(self.manifold))  # says so if it has none on this space
        if self.dim > 2**16:
            raise ValueError(f"dim is {self.dim}; expected at most {2**16:,}.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected 0 or more.")
        formats_of(self.format)
        if self.epochs is not None and self.minutes is not None:
            raise ValueError("epochs and minutes are both given; expected at most one of them.")
        if self.method == "sarkar":
            self._check_sarkar()
        elif self.distortion is not None or self.digits is not None:
            raise ValueError("distortion and digits are of --method sarkar; expected none of them.")
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite are both set; expected at most one of them.")

    def _check_sarkar(self) -> None:
        if self.manifold not in ("lorentz", "ball", "halfspace"):
            raise ValueError(
                f"manifold is {self.manifold}; expected lorentz, ball or halfspace, in which "
                "sarkar puts a tree."
            )
        if self.dim < 2 or self.bias:
            raise ValueError(
                f"dim is {self.dim} and bias {self.bias}; expected a dim of at least 2 and no bias "
                "for sarkar."
            )
        if self.distortion is not None and not 1e-3 <= self.distortion < math.inf:
            raise ValueError(f"distortion is {self.distortion}; expected at least 0.001.")
        if self.digits is not None and not 16 <= self.digits <= 10_000:
            raise ValueError(f"digits is {self.digits}; expected 16 to 10,000.")

    @property
    def temperatures(self) -> tuple[float, float]:
        """That of the first step and that of the end."""
        first = 2.0 if self.dim <= 3 else 1.0
        last = 0.5 if self.dim <= 2 else 0.3 if self.dim == 3 else 0.1
        first = self.temperature or first
        return first, self.final_temperature or min(first, last)

    @property
    def rate(self) -> float:
        """The learning rate of the first step."""
        return self.lr or (1.0 if self.dim <= 3 and self.method == "distances" else 0.3)

    @property
    def more(self) -> int:
        """The dimensions that shrink to nothing."""
        if self.wider is not None:
            return self.wider
        narrow = self.dim <= 5 and factors_of(self.manifold) is None
        if not (narrow and self.method in METHODS and METHODS[self.method].wider):
            return 0
        return 3 if self.dim == 3 else 2


def factors_of(manifold: str) -> list[tuple[str, int]] | None:
    """Names and dimensions of a product's factors; None for one space.

    Raises:
        ValueError: neither a space nor a product of some.
    """
    if manifold in SPACES:
        return None
    found = []
    for part in manifold.split(","):
        name, _, dim = part.strip().partition(":")
        if name not in SPACES or not dim.isdecimal() or int(dim) < 1:
            raise ValueError(
                f"manifold is {manifold!r}; expected {', '.join(SPACES)}, or a product of some, "
                "each with its dimension: lorentz:5,euclidean:5."
            )
        found.append((name, int(dim)))
    return found


def make_space(manifold: str, curvature: float | list[float] | None = None) -> Manifold:
    """The space of an option, of curvature -1, 1 or 0, or of one that was learned."""
    factors = factors_of(manifold)
    if factors is not None:
        each = curvature if isinstance(curvature, list) else [None] * len(factors)
        spaces = [make_space(n, k) for (n, _), k in zip(factors, each, strict=True)]
        return Product(spaces, dims=[dim for _, dim in factors])
    if manifold == "stereographic" and isinstance(curvature, float):
        return Stereographic(curvature)
    return SPACES[manifold]()


def curvature_of(space: Manifold) -> float | list[float]:
    """As it is stored: of a product one for each factor."""
    if isinstance(space, Product):
        each: list[float] = space.curvatures.detach().tolist()
        return each
    return float(torch.as_tensor(space.curvature).detach())


def to_json(options: EmbedOptions, **more: object) -> str:
    """Options as JSON, with what else is known of the run."""
    return json.dumps(dataclasses.asdict(options) | more, indent=2, default=str) + "\n"


def differences(options: EmbedOptions, stored: dict[str, Any]) -> list[str]:
    """Names of the options in which a resumption differs from the run that it goes on with."""
    mine = json.loads(to_json(options))
    return [
        name
        for name in mine
        if name not in _OF_THE_PROCESS and mine[name] != stored.get(name, mine[name])
    ]
