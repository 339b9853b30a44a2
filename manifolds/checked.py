"""A manifold that looks at every value it is given and every value it returns."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, final

import torch
from torch import Tensor, nn

from .base import Manifold, check_manifold
from .kernels.pair_form import Kind, PairForm
from .space_form import Context


@final
class Checked(Manifold):  # type: ignore[misc]  # its kernels are set below, in a loop
    """The same manifold, checking values: for debugging, tests and data from elsewhere.

    Every argument must be finite, points must lie on the manifold and tangent vectors be tangent
    at their base point; every result must be finite and, if a point, on the manifold. Tolerances
    are those of :meth:`Manifold.is_point` and :meth:`Manifold.is_tangent` in the dtype that a value
    was given in, also where it is computed with in a wider one. The checks read values back from an
    accelerator, so they are not in the manifolds themselves.

    >>> import torch
    >>> from spaceforms.manifolds import Checked, PoincareBall
    >>> ball = Checked(PoincareBall())
    >>> ball.dist(torch.tensor([0.5, 0.5]), torch.tensor([0.8, 0.9]))
    Traceback (most recent call last):
    ValueError: PoincareBall.dist: y has 1 of 1 points off the manifold, \
the first at index (): [0.8, 0.9]; expected points of PoincareBall(curvature=-1).

    Args:
        manifold: the manifold to wrap. It stays a submodule, so a learnable curvature is still a
            parameter, and everything else (``space``, ``curvature``, ...) is found on it.

    Raises:
        ValueError: from any method, naming the operation, the argument, how many entries are
            wrong and the first of them.
    """

    def __init__(self, manifold: Manifold) -> None:
        nn.Module.__init__(self)
        check_manifold("Checked", manifold)
        self.manifold = manifold

    def __getattr__(self, name: str) -> Any:
        if name == "manifold":  # before __init__ has set it
            return super().__getattr__(name)
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.manifold, name)

    @property
    def sign(self) -> int:  # type: ignore[override]
        """Sign of the curvature of the wrapped manifold."""
        return self.manifold.sign

    @property
    def _family(self) -> Literal["unit", "kappa", "product", "foreign"]:  # type: ignore[override]
        return self.manifold._family

    @property
    def curvature(self) -> Tensor:
        """The curvature of the wrapped manifold."""
        return self.manifold.curvature

    @property
    def _extra_coordinates(self) -> int:  # type: ignore[override]
        return self.manifold._extra_coordinates

    @property
    def _form_at_coincidence(self) -> int | None:
        return self.manifold._form_at_coincidence

    @property
    def _form_is_dot(self) -> bool:
        return self.manifold._form_is_dot

    @property
    def _magnitude(self) -> Any:  # type: ignore[override]
        return self.manifold._magnitude

    @property
    def _takes_curvature(self) -> bool:  # type: ignore[override]
        return self.manifold._takes_curvature

    @property
    def _name(self) -> str:
        return self.manifold._name

    def __repr__(self) -> str:
        return f"Checked({self.manifold!r})"

    def _to_unit(
        self,
        op: str,
        points: Sequence[tuple[str, Tensor]],
        tangents: Sequence[tuple[str, Tensor]] = (),
        *,
        scaled: bool = False,
        at_origin: bool = False,
        covector: bool = False,
        unit: bool = True,
        least: torch.dtype = torch.float32,
        hold: bool = False,
    ) -> tuple[list[Tensor], Context]:
        options = {"scaled": scaled, "unit": unit, "least": least, "hold": hold}
        entered = self.manifold._to_unit(op, points, tangents, **options)  # type: ignore[arg-type]
        # proj, is_point and is_tangent are the ways to deal with what is not a point.
        if op in ("proj", "is_point", "is_tangent"):
            return entered
        where = f"{self._name}.{op}"
        for name, x in points:
            self._expect(
                self.manifold.is_point(x),
                x,
                f"{where}: {name}",
                "points off the manifold",
                f"points of {self.manifold}",
            )
        for name, v in tangents:
            if covector:
                self._finite(v, f"{where}: {name}")
                continue
            n = v.shape[-1] - self._extra_coordinates
            origin = self.manifold.origin(n, dtype=v.dtype, device=v.device)
            base = origin if at_origin or not points else points[0][1]
            self._expect(
                self.manifold.is_tangent(base, v),
                v,
                f"{where}: {name}",
                "vectors that are not tangent",
                "finite tangent vectors at the base point",
            )
        return entered

    @property
    def _unchecked(self) -> Manifold:  # type: ignore[override]
        return self.manifold

    # What is judged, and what a product has ways of its own for.

    def is_point(self, x: Tensor) -> Tensor:
        """That of the wrapped manifold."""
        return self.manifold.is_point(x)

    def is_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        """That of the wrapped manifold."""
        return self.manifold.is_tangent(x, v)

    def cdist(self, x: Tensor, y: Tensor, *, squared: bool = False, matmul: bool = False) -> Tensor:
        """See :meth:`Manifold.cdist`."""
        return self._of_sets("cdist", x, y, squared=squared, matmul=matmul)

    def cinner(self, x: Tensor, y: Tensor, *, matmul: bool = False) -> Tensor:
        """See :meth:`Manifold.cinner`."""
        return self._of_sets("cinner", x, y, matmul=matmul)

    def _of_sets(self, op: str, x: Tensor, y: Tensor, **options: bool) -> Tensor:
        self._check_sets(op, x, y)
        self._to_unit(op, [("x", x)])
        self._to_unit(op, [("y", y)])
        table: Tensor = getattr(self.manifold, op)(x, y, **options)
        return self._finite(table, f"{self._name}.{op}: the result")

    def random_uniform(self, *size: int, **options: Any) -> Tensor:
        """See :meth:`Manifold.random_uniform`."""
        return self.manifold.random_uniform(*size, **options)

    def _mean(self, x: Tensor, weights: Tensor | None, start: Tensor | None) -> Tensor:
        if start is not None:
            self._to_unit("mean", [("start", start)])
        return self.manifold._mean(x, weights, start)

    def pair_form(self, kind: Kind, m: int) -> PairForm | None:
        """That of the wrapped manifold: its features are not checked."""
        return self.manifold.pair_form(kind, m)

    def _from_unit_stored(self, x: Tensor, call: Context) -> Tensor:
        result = self.manifold._from_unit_stored(x, call)
        self._expect(
            self.manifold.is_point(result),
            result,
            f"{self._name}.{call.op}: the result",
            "points off the manifold",
            "points",
        )
        return result

    def _from_unit_vector(self, v: Tensor, call: Context, power: int = 0) -> Tensor:
        result = self.manifold._from_unit_vector(v, call, power)
        return self._finite(result, f"{self._name}.{call.op}: the result")

    def _from_unit_scalar(self, s: Tensor, call: Context, power: int = 0) -> Tensor:
        result = self.manifold._from_unit_scalar(s, call, power)
        return self._finite(result, f"{self._name}.{call.op}: the result")

    def _finite(self, value: Tensor, what: str) -> Tensor:
        good = value.isfinite()
        self._expect(
            good, value.unsqueeze(-1), what, "numbers that are not finite", "finite numbers"
        )
        return value

    @staticmethod
    def _expect(good: Tensor, value: Tensor, what: str, wrong: str, wanted: str) -> None:
        if bool(good.all()):
            return
        index = tuple((~good).nonzero()[0].tolist()) if good.ndim else ()
        value = value.expand(*good.shape, value.shape[-1])
        shown = [round(c, 6) for c in value[index].detach().double().flatten()[:6].tolist()]
        more = "" if value.shape[-1] <= 6 else f" and {value.shape[-1] - 6} more coordinates"
        raise ValueError(
            f"{what} has {int((~good).sum())} of {good.numel()} {wrong}, the first at index "
            f"{index}: {shown}{more}; expected {wanted}."
        )


def _delegate(name: str) -> Callable[..., Any]:
    def method(self: Checked, *args: Any, **options: Any) -> Any:
        return getattr(self.manifold, name)(*args, **options)

    method.__name__ = name
    return method


_KERNELS = (
    *sorted(Manifold.__abstractmethods__),
    *("_half_chord", "_dist", "_sqdist", "_geodesic", "_between", "_midpoint", "_centroid"),
    "_pairwise_haversine",
    *("_unit_origin", "_norm", "_logdetexp", "_cone_parts"),
    *("_dist_at", "_sqdist_at", "_logmap_at", "_expmap_at", "_transport_at", "_haversine_at"),
    "_from_normal_at",
)
for _name in _KERNELS:
    setattr(Checked, _name, _delegate(_name))
Checked.__abstractmethods__ = frozenset()
del _name
