"""Points of the hyperbolic plane and of the sphere, and a guard against windows."""

from collections.abc import Iterator

import matplotlib as mpl
import pytest
import torch
from matplotlib import pyplot

from spaceforms.manifolds import Lorentz, Manifold, PoincareBall, Sphere

CURVED: tuple[Manifold, ...] = (
    Lorentz(-1.0),
    Lorentz(-0.3),
    PoincareBall(-1.0),
    PoincareBall(-2.5),
    Sphere(1.0),
    Sphere(0.4),
)
HYPERBOLIC = tuple(manifold for manifold in CURVED if manifold.sign < 0)


def radius(manifold: Manifold) -> float:
    """The unit of length 1/sqrt(abs(K))."""
    return abs(manifold.curvature.item()) ** -0.5


def points(manifold: Manifold, count: int = 12, n: int = 2, *, seed: int = 0) -> torch.Tensor:
    """Points up to 1.4 units of length from the origin: inside the hemisphere."""
    generator = torch.Generator().manual_seed(seed)
    return manifold.random_uniform(
        count, n, radius=1.4 * radius(manifold), generator=generator, dtype=torch.float64
    )


@pytest.fixture(autouse=True)
def no_global_state() -> Iterator[None]:
    """No picture opens a pyplot figure or changes a setting."""
    before = dict(mpl.rcParams)
    yield
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before
