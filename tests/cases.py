"""The manifolds under test: a new one is one line here and meets every property."""

import pytest
import torch
from foreign import Klein as ForeignKlein
from torch.autograd import gradcheck, gradgradcheck

from spaceforms.manifolds import (
    Euclidean,
    HalfSpace,
    Hemisphere,
    Klein,
    Lorentz,
    Manifold,
    NormalCoordinates,
    PoincareBall,
    ProperVelocity,
    Sphere,
    Stereographic,
    StereographicPlane,
)

CASES: dict[str, Manifold] = {
    "Euclidean": Euclidean(),
    "Sphere(1)": Sphere(1.0),
    "Sphere(2.5)": Sphere(2.5),
    "PoincareBall(-1)": PoincareBall(-1.0),
    "PoincareBall(-0.3)": PoincareBall(-0.3),
    "Lorentz(-1)": Lorentz(-1.0),
    "Lorentz(-0.3)": Lorentz(-0.3),
    "Lorentz(-0.7, learnable)": Lorentz(-0.7, learnable=True, bounds=(-7.0, -0.07)),
    "Stereographic(-0.5)": Stereographic(-0.5),
    "Stereographic(0)": Stereographic(0.0),
    "Stereographic(0.5)": Stereographic(0.5),
    "Stereographic(0, learnable)": Stereographic(0.0, learnable=True),
}
CHARTS: dict[str, Manifold] = {
    "Klein(-0.7)": Klein(-0.7),
    "HalfSpace(-0.7)": HalfSpace(-0.7),
    "ProperVelocity(-0.7)": ProperVelocity(-0.7),
    "Hemisphere(-0.7)": Hemisphere(-0.7),
    "NormalCoordinates(-0.7)": NormalCoordinates(-0.7),
    "NormalCoordinates(0.7)": NormalCoordinates(Sphere(0.7)),
    "StereographicPlane(0.7)": StereographicPlane(0.7),
}
"""Manifolds by way of the quadric: all that they give is a chart."""
FOREIGN: dict[str, Manifold] = {"foreign Klein(-0.7)": ForeignKlein(-0.7)}
"""Classes as users write them, for what goes by the interface alone; the rest refuses them."""
EVERY = {**CASES, **FOREIGN, **CHARTS}
FORMS = {name: m for name, m in CASES.items() if not isinstance(m, Stereographic)}
"""Without the one whose curvature may be of any sign."""
CURVED = {name: m for name, m in CASES.items() if m.sign != 0}


def of_one_sign() -> dict[str, Manifold]:
    """New ones of each class that has one sign of curvature, fixed and learnable."""
    return {
        "Euclidean": Euclidean(),
        "Sphere(1)": Sphere(),
        "Sphere(2.5, learnable)": Sphere(2.5, learnable=True),
        "Lorentz(-1)": Lorentz(),
        "Lorentz(-0.7, learnable)": Lorentz(-0.7, learnable=True),
        "PoincareBall(-0.3)": PoincareBall(-0.3),
        "PoincareBall(-1.2, learnable)": PoincareBall(-1.2, learnable=True),
    }


def radius(manifold: Manifold) -> float:
    """1/sqrt(abs(K)) as a number."""
    k = abs(manifold.curvature.item())
    return k**-0.5 if k else 1.0


def normals(
    manifold: Manifold, *size: int, seed: int = 0, spread: float = 1.0, dtype=torch.float64
) -> torch.Tensor:
    """Normal coordinates of random points, in units of the radius; in the hemisphere on spheres."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(*size, generator=generator, dtype=dtype)
    if manifold.sign > 0:
        length = v.norm(dim=-1, keepdim=True)
        return v / length * (spread * length).clamp(max=1.4) * radius(manifold)
    return spread * v * radius(manifold)


def points(manifold: Manifold, *size: int, seed: int = 0, spread: float = 1.0, dtype=torch.float64):
    """Random points; the last of ``size`` is the dimension."""
    return manifold.from_normal(
        normals(manifold, *size, seed=seed, spread=spread, dtype=dtype)
    ).detach()


def tangent(manifold: Manifold, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Tangent vector at x whose components in the frame carried from the origin are v."""
    n = v.shape[-1]
    at_origin = torch.cat([torch.zeros_like(v[..., : x.shape[-1] - n]), v], dim=-1)
    if isinstance(manifold, (PoincareBall, Stereographic, StereographicPlane)):
        at_origin = at_origin / 2
    return manifold.transport0(x, at_origin)


def thinned(cases, *, without: tuple[type[Manifold], ...] = ()) -> list:
    """The last case of each kind, for tests that take long; the rest is for `make test-slow`.

    With it go whole kinds ``without`` which a very long test still meets every idea.
    """
    last = {type(CASES[name]): name for name in cases if type(CASES[name]) not in without}.values()
    return [pytest.param(name, marks=() if name in last else pytest.mark.slow) for name in cases]


_AGAIN = (
    "Sphere(1)",
    "PoincareBall(-1)",
    "Lorentz(-1)",
    "Lorentz(-0.3)",
    "Stereographic(-0.5)",
    "Stereographic(0)",
    "Klein(-0.7)",
    "Hemisphere(-0.7)",
    "ProperVelocity(-0.7)",
    "NormalCoordinates(-0.7)",
    "StereographicPlane(0.7)",
)
"""Whose formulas the table has once more, for `make test-slow`: Stereographic's for K < 0 are the
ball's, and of charts one that no rotation turns and one of a sphere are met."""


def once(cases) -> list:
    """The names of a table as parameters, each kind at an odd curvature; the rest is slow."""
    return [pytest.param(n, marks=pytest.mark.slow if n in _AGAIN else ()) for n in cases]


def value_and_slope(function, k, *arguments):
    """Of a learnable space: what it gives, and the derivative by K of each coordinate."""
    space = Stereographic(k, learnable=True).double()
    (raw,) = space.parameters()
    out = function(space, *arguments)
    slopes = [torch.autograd.grad(c, raw, retain_graph=True)[0] for c in out.flatten()]
    return out.detach().flatten(), torch.stack(slopes)


def normal(*size, seed=0, length=None, dtype=torch.float64):
    """Random vectors, of one length if it is given."""
    v = torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (v if length is None else length * v / v.norm(dim=-1, keepdim=True)).to(dtype)


def derivatives_of_differences(function, inputs, *, second: bool = True, **options) -> bool:
    """Whether first and second derivatives are those of difference quotients at 1e-6.

    Along one direction of each input and output, where what is wrong in one entry of a Jacobian is
    diluted by the others: with a hundredth of torch's tolerances, which rounding, 1e-10 of a
    quotient, leaves room for. So it sees a thousandth of any one entry, as all entries one by one
    at torch's tolerances do not, in a third of the time.
    """
    options = {"fast_mode": True, "rtol": 1e-5, "atol": 1e-7} | options
    return gradcheck(function, inputs, **options) and (
        not second or gradgradcheck(function, inputs, **options)
    )
