"""The kappa-stereographic model of K <= 0 as the space form whose points it has, for what no
function of K smooth through 0 can be: points at infinity, which there are none of for K > 0."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from ..base import Manifold
from ..checked import Checked
from ..checks import check_coordinates
from ..euclidean import Euclidean
from ..learnable_scalar import PositiveScalar, SignedScalar
from ..manifold_checks import check_known, check_one
from ..poincare_ball import PoincareBall
from ..stereographic import Stereographic


class _Size(nn.Module):
    """-K, as a ball holds it: the same parameter, if it is one."""

    def __init__(self, curvature: SignedScalar) -> None:
        super().__init__()
        self.curvature = curvature
        self.learnable, self.bounds = curvature.learnable, None
        self.value = -curvature.value

    def forward(self) -> Tensor:
        k: Tensor = self.curvature()
        return -k


def open_form(op: str, manifold: Manifold, x: Tensor) -> tuple[Manifold, Tensor, float]:
    """A space form of K <= 0, the manifold itself if it is one; points as they are there; and the
    number that their coordinates, and those of vectors, are multiplied by."""
    check_one(op, manifold, "take one factor of it")
    check_known(op, manifold)
    if manifold._family == "kappa" and manifold.sign <= 0:
        check_coordinates(f"{manifold._name}.{op}", [("x", x)], 1)
        if manifold.sign < 0:
            return ball_of(manifold), x, 1.0
        flat: Manifold = Euclidean()
        return Checked(flat) if manifold._checks else flat, 2 * x, 2.0
    if manifold.sign > 0:
        raise ValueError(
            f"{op}: the manifold is {manifold}, which has no points at infinity; expected Lorentz, "
            "PoincareBall or Euclidean, or Stereographic with K <= 0."
        )
    return manifold, x, 1.0


def ball_of(manifold: Manifold) -> Manifold:
    """The ball that a Stereographic of K < 0 is, with the same parameter K."""
    curvature = cast(Stereographic, manifold)._curvature
    ball = PoincareBall(curvature().item())
    if curvature.learnable:
        ball._magnitude = cast(PositiveScalar, _Size(curvature))
    return Checked(ball) if manifold._checks else ball
