"""The options of ``spaceforms explore``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ...manifolds import (
    Euclidean,
    HalfSpace,
    Lorentz,
    Manifold,
    PoincareBall,
    Sphere,
    Stereographic,
)
from ..options import FLOAT, PATH, absent

_CURVED: dict[str, Callable[[float], Manifold]] = {
    "lorentz": Lorentz,
    "ball": PoincareBall,
    "halfspace": HalfSpace,
    "stereographic": Stereographic,
    "sphere": Sphere,
}
SPACES = (*_CURVED, "euclidean")


@dataclass(frozen=True)
class ExploreOptions:
    """Write one page to explore points in a browser, without a server or a network.

    SOURCE is a folder that `spaceforms embed` or `spaceforms train` wrote, or a file of points, one
    a row: .npy, .csv or .tsv (a header, and names in the first column, are understood), or
    .safetensors with a tensor `points` or a single one.

    Hyperbolic points are shown on the Poincaré disk, which is dragged by isometries; flat ones on
    the plane. Of more than two dimensions the page says what the projection lost; distances and
    nearest points are those of the points themselves.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """A folder of `spaceforms embed` or `spaceforms train`, or a file of points."""
    out: Path
    """The page to write, as page.html; one that is there is replaced."""
    names: Annotated[Path | None, absent(PATH, "those of SOURCE, or row numbers from 0")] = None
    """Names of the points, one a line, in their order."""
    labels: Annotated[Path | None, absent(PATH, "branches of the edges, or levels")] = None
    """Labels to colour by, one a line, in the order of the points."""
    edges: Annotated[Path | None, absent(PATH, "those of SOURCE, or none")] = None
    """A list of edges between names, `parent child` a line, as `spaceforms embed` reads."""
    thumbnails: Annotated[Path | None, absent(PATH, "those of SOURCE, or none")] = None
    """A folder of pictures called as the points are, NAME.png (.jpg, .jpeg, .webp, .gif)."""
    manifold: Annotated[str, tyro.conf.arg(metavar="{" + ",".join(SPACES) + "}")] = "lorentz"
    """Of a file of points: their space."""
    curvature: Annotated[float | None, absent(FLOAT, "-1; 0 for euclidean")] = None
    """Of a file of points: the sectional curvature, negative for hyperbolic space."""
    data: Annotated[Path | None, absent(PATH, "the held-out ones")] = None
    """Of a run of `spaceforms train`: other pictures, a folder, shards, or an .npz of the packaged
    format."""
    title: str = ""
    """The page's title; the name of SOURCE if not given."""
    nearest: int = 8
    """Nearest points that are listed for each."""

    def __post_init__(self) -> None:
        if self.manifold not in SPACES:
            raise ValueError(f"manifold is {self.manifold!r}; expected one of {', '.join(SPACES)}.")
        if self.curvature is not None and not math.isfinite(self.curvature):
            raise ValueError(f"curvature is {self.curvature}; expected a finite number.")
        if not 0 <= self.nearest <= 100:
            raise ValueError(f"nearest is {self.nearest}; expected 0 to 100.")


def space_of(options: ExploreOptions) -> Manifold:
    """The space of a file of points."""
    name, curvature = options.manifold, options.curvature
    if name in _CURVED:
        return _CURVED[name](
            (1.0 if name == "sphere" else -1.0) if curvature is None else curvature
        )
    if curvature:
        raise ValueError(f"curvature is {curvature}; expected 0 or none for {name}.")
    return Euclidean()
