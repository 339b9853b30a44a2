"""The operations beyond the maps of a manifold at any precision, from their definitions.

Charts, isometries, horospheres, hyperplanes, Jacobi fields, volumes, gyrovectors and products; the
kinds of arguments are those of ``reference``. The first point is where tangent vectors are.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .charts import slope, space_of
from .derived_maps import more, products as _products
from .maps import (
    DIRECTION,
    NUMBER,
    POINT,
    SCALAR,
    TANGENT,
    TIME,
    VECTOR,
    Definition,
    Space,
    Vector,
    _dot,
    definitions,
)

FORMS = ("Lorentz", "PoincareBall", "Sphere", "Euclidean", "Stereographic")
OPEN = ("Lorentz", "PoincareBall", "Euclidean")
GYRO = ("Stereographic", "PoincareBall")
HYPERBOLIC_CHARTS = {
    "Lorentz": "hyperboloid", "PoincareBall": "ball", "Klein": "klein", "HalfSpace": "halfspace",
    "Hemisphere": "hemisphere", "NormalCoordinates": "normal",
}  # fmt: skip
SPHERICAL_CHARTS = {
    "Sphere": "sphere", "StereographicPlane": "ball", "Gnomonic": "klein", "Azimuthal": "normal",
}  # fmt: skip
"""Name in the certificate -> chart. Gnomonic is ``Klein`` of a sphere, Azimuthal its
``NormalCoordinates``."""
_ONE_POINT = (
    "everyday", "near the origin", "far", "edge", "radial", "origin", "antipodal", "thresholds",
)  # fmt: skip
_ONE_VECTOR = (*_ONE_POINT, "coincident", "tiny", "huge", "through the origin", "conjugate")


def operations() -> dict[str, Definition]:
    """Every operation by name; ``convert:Klein`` is ``convert`` with the target Klein."""
    return {
        **_charts(), **_isometries(), **_horospheres(), **_hyperplanes(), **_jacobi(),
        **_volumes(), **_gyrovectors(), **_products(), **more(),
    }  # fmt: skip


# -- charts --------------------------------------------------------------------------------------


def _charts() -> dict[str, Definition]:
    def point(s: Space, x: Vector, chart: str) -> Vector:
        return space_of(s.sign, chart).drop(s.lift(x))

    def vector(s: Space, x: Vector, v: Vector, chart: str) -> Vector:
        return space_of(s.sign, chart).pull(s.lift(x), s.push(x, v))

    def end(s: Space, x: Vector, *_: Vector) -> Vector:
        return s.lift(x)

    made = {}
    for charts in (HYPERBOLIC_CHARTS, SPHERICAL_CHARTS):
        for target, chart in charts.items():
            sources = tuple(name for name in charts if name != target)
            made[f"convert:{target}"] = Definition(
                (POINT,), POINT, partial(point, chart=chart), 1, (True,), models=sources,
                regimes=_ONE_POINT, target=target, end=end, gradients=False,
            )  # fmt: skip
            made[f"convert_vector:{target}"] = Definition(
                (POINT, TANGENT), TANGENT, partial(vector, chart=chart), 0, (True, False),
                models=sources, regimes=_ONE_VECTOR, target=target, end=end, gradients=False,
            )  # fmt: skip
    return made


# -- isometries ----------------------------------------------------------------------------------


def _translated(s: Space, p: Vector, q: Vector, x: Vector) -> Vector:
    return s.exp(q, s.transport(p, q, s.log(p, x)))


def _unit(s: Space, v: Vector) -> Vector:
    size = s.length(v)
    return [c / size for c in v] if size > 0 else v


def _isometries() -> dict[str, Definition]:
    def translation(s: Space, p: Vector, q: Vector, x: Vector) -> Vector:
        return s.drop(_translated(s, s.lift(p), s.lift(q), s.lift(x)))

    def push(s: Space, x: Vector, p: Vector, q: Vector, v: Vector) -> Vector:
        p, q, a, w = s.lift(p), s.lift(q), s.lift(x), s.push(x, v)
        moved = slope(
            lambda h: _translated(s, p, q, s.exp(a, [h * c for c in w])), s.field
        )  # by definition
        return s.pull(_translated(s, p, q, a), moved)

    def push_end(s: Space, x: Vector, p: Vector, q: Vector, v: Vector) -> Vector:
        return _translated(s, s.lift(p), s.lift(q), s.lift(x))

    def reflection(s: Space, p: Vector, x: Vector, a: Vector) -> Vector:
        p_, normal = s.lift(p), _unit(s, s.push(p, a))
        v = s.log(p_, s.lift(x))
        share = 2 * s.dot(v, normal)
        return s.drop(s.exp(p_, [b - share * c for b, c in zip(v, normal, strict=True)]))

    def point_reflection(s: Space, p: Vector, x: Vector) -> Vector:
        p_ = s.lift(p)
        return s.drop(s.exp(p_, [-c for c in s.log(p_, s.lift(x))]))

    def rotation(s: Space, x: Vector, c: Vector) -> Vector:
        """By the orthogonal matrix that takes c to -c and what is across it to itself."""
        time, *space = s.lift(x)
        share = 2 * _dot(c, space) / _dot(c, c)
        return s.drop([time, *[a - share * b for a, b in zip(space, c, strict=True)]])

    three, two = (True, True, True), (True, True)
    return {
        "translation": Definition(
            (POINT, POINT, POINT), POINT, translation, 1, three, models=FORMS, gradients=False
        ),
        "translation.push": Definition(
            (POINT, POINT, POINT, TANGENT), TANGENT, push, 0, (*three, False), models=FORMS,
            end=push_end, gradients=False,
        ),
        "reflection": Definition(
            (POINT, POINT, TANGENT), POINT, reflection, 1, (*two, False), models=FORMS,
            gradients=False,
        ),
        "point_reflection": Definition(
            (POINT, POINT), POINT, point_reflection, 1, two, models=FORMS, gradients=False
        ),
        "rotation": Definition(
            (POINT, DIRECTION), POINT, rotation, 1, (True, False), models=FORMS,
            regimes=_ONE_POINT, gradients=False,
        ),
    }  # fmt: skip


# -- horospheres and hyperplanes -----------------------------------------------------------------


def _busemann(s: Space, x: Vector, ideal: Vector) -> Any:
    """The limit of d(x, ray(t)) - t: log(-<x, (1, xi)>), -x.xi on flat space."""
    size = s.field.sqrt(_dot(ideal, ideal))
    null = [ideal[0] * 0 + 1, *[c / size for c in ideal]]
    product = s.dot(s.lift(x), null)
    return -product if s.sign == 0 else s.field.log(-product)


def _towards(s: Space, x: Vector, ideal: Vector, t: Any) -> Vector:
    """exp of t times the unit vector at x that is -grad of the Busemann function."""
    size = s.field.sqrt(_dot(ideal, ideal))
    a = s.lift(x)
    null = [ideal[0] * 0 + 1, *[c / size for c in ideal]]
    if s.sign == 0:
        return s.drop([p + t * q for p, q in zip(a, [t * 0, *null[1:]], strict=True)])
    # (1, xi) is a null vector; scaled to have product -1 with x, it is x and a unit tangent vector.
    share = -s.dot(a, null)
    return s.drop(s.exp(a, [t * (k / share - p) for p, k in zip(a, null, strict=True)]))


def _horospheres() -> dict[str, Definition]:
    def project(s: Space, x: Vector, ideal: Vector, level: Vector) -> Vector:
        return _towards(s, x, ideal, _busemann(s, x, ideal) - level[0])

    def towards(s: Space, x: Vector, ideal: Vector, t: Vector) -> Vector:
        return _towards(s, x, ideal, t[0])

    kinds, scaled = (POINT, DIRECTION, NUMBER), (True, False, True)
    regimes = (*_ONE_POINT, "coincident")
    return {
        "busemann": Definition(
            (POINT, DIRECTION),
            SCALAR,
            _busemann,
            1,
            scaled[:2],
            models=OPEN,
            regimes=regimes,
        ),
        "horosphere_distance": Definition(
            kinds,
            SCALAR,
            lambda s, x, ideal, level: _busemann(s, x, ideal) - level[0],
            1,
            scaled,
            models=OPEN,
            regimes=regimes,
        ),
        "horosphere_project": Definition(
            kinds, POINT, project, 1, scaled, models=OPEN, regimes=regimes, gradients=False
        ),
        "towards": Definition(
            kinds, POINT, towards, 1, scaled, models=OPEN, regimes=regimes, gradients=False
        ),
    }


def _hyperplanes() -> dict[str, Definition]:
    def signed(s: Space, p: Vector, x: Vector, a: Vector) -> Any:
        """The law of sines in the right-angled triangle of x, p and the foot of x."""
        p_, normal = s.lift(p), _unit(s, s.push(p, a))
        v = s.log(p_, s.lift(x))
        d = s.length(v)
        share = s.dot(v, normal) / d if d > 0 else d
        if s.sign == 0:
            return d * share
        sine = s.sn(d) * share
        return s.field.asinh(sine) if s.sign < 0 else s.field.asin(sine)

    def logit(s: Space, p: Vector, x: Vector, a: Vector) -> Any:
        return s.length(s.push(p, a)) * signed(s, p, x, a)

    kinds, scaled = (POINT, POINT, TANGENT), (True, True, False)
    return {
        "signed_distance": Definition(kinds, SCALAR, signed, 1, scaled, models=FORMS),
        "logits": Definition(kinds, SCALAR, logit, 1, scaled, models=FORMS, gradients=False),
    }


# -- Jacobi fields and volumes -------------------------------------------------------------------


def _jacobi() -> dict[str, Definition]:
    """All by difference quotients of exp and log."""

    def exp_differential(s: Space, x: Vector, v: Vector, w: Vector) -> Vector:
        a, velocity, change = s.lift(x), s.push(x, v), s.push(x, w)
        moved = slope(lambda h: s.exp(a, _moved(velocity, change, h)), s.field)
        return s.pull(s.exp(a, velocity), moved)

    def end(s: Space, x: Vector, v: Vector, *_: Vector) -> Vector:
        return s.exp(s.lift(x), s.push(x, v))

    def timed_end(s: Space, x: Vector, v: Vector, *rest: Vector) -> Vector:
        return end(s, x, [rest[-1][0] * c for c in v])

    def exp_adjoint(s: Space, x: Vector, v: Vector, w: Vector) -> Vector:
        """The differential of exp on the way back: Jacobi fields that vanish at one end or at the
        other have a Wronskian that is constant."""
        if _beyond(s, end(s, x, v)):
            return [c * 0 for c in w]
        with _digits_for(s, end(s, x, v)):
            a, velocity = s.lift(x), s.push(x, v)
            b, arrived = s.exp(a, velocity), _velocity(s, a, velocity)
            back, change = [-c for c in arrived], s.push(s.drop(b), w)
            return s.pull(a, _along(lambda u: s.exp(b, _moved(back, u, 1)), s, change))

    def exp_inverse(s: Space, x: Vector, v: Vector, w: Vector) -> Vector:
        """By the two eigenvalues of the differential, transported back: 1 and r = sn(d)/d.

        From D's characteristic polynomial on vectors along and across v, its inverse is
        (1 + r - D)/r.
        """
        if _beyond(s, end(s, x, v)):
            return [c * 0 for c in w]
        with _digits_for(s, end(s, x, v)):
            a, velocity = s.lift(x), s.push(x, v)
            b, arrived = s.exp(a, velocity), _velocity(s, a, velocity)
            d, change = s.length(velocity), s.push(s.drop(b), w)
            if not d > 0:
                return s.pull(a, change)

            def carried(u: Vector, start: Vector, end: Vector) -> Vector:
                """What is across the geodesic stays as it is in the ambient space."""
                share = s.dot(u, start) / d**2
                return [c + share * (q - p) for c, p, q in zip(u, start, end, strict=True)]

            ratio, first = s.sn(d) / d, carried(change, arrived, velocity)
            moved = _along(lambda u: s.exp(a, _moved(velocity, u, 1)), s, first)
            second = carried(moved, arrived, velocity)
            return s.pull(
                a, [((1 + ratio) * p - q) / ratio for p, q in zip(first, second, strict=True)]
            )

    def jacobi_field(
        s: Space, x: Vector, v: Vector, value: Vector, change: Vector, time: Vector
    ) -> Vector:
        """A variation by geodesics: x moves along value, and v, carried along, by change."""
        a, velocity = s.lift(x), [time[0] * c for c in s.push(x, v)]
        first, second = s.push(x, value), [time[0] * c for c in s.push(x, change)]

        def curve(h: Any) -> Vector:
            b = s.exp(a, [h * c for c in first])
            return s.exp(b, s.transport(a, b, _moved(velocity, second, h)))

        return s.pull(s.exp(a, velocity), slope(curve, s.field))

    def log_differential(s: Space, y: Vector, x: Vector, w: Vector) -> Vector:
        a, b, change = s.lift(x), s.lift(y), s.push(y, w)
        return s.pull(a, slope(lambda h: s.log(a, s.exp(b, [h * c for c in change])), s.field))

    def log_differential_base(s: Space, x: Vector, y: Vector, u: Vector) -> Vector:
        a, b, change = s.lift(x), s.lift(y), s.push(x, u)
        moved = slope(lambda h: s.log(s.exp(a, [h * c for c in change]), b), s.field)
        if s.sign:  # the covariant derivative is the tangent part
            share = s.sign * s.dot(a, moved)
            moved = [p - share * q for p, q in zip(moved, a, strict=True)]
        return s.pull(a, moved)

    def density(s: Space, x: Vector, v: Vector, dimension: int = 0) -> Any:
        return s.field.exp(definitions()["logdetexp"].function(s, x, v, dimension=dimension))

    both = (POINT, TANGENT, TANGENT)
    return {
        "jacobi_field": Definition(
            (*both, TANGENT, TIME), TANGENT, jacobi_field, 0, (True, True, False, False, False),
            models=FORMS, gradients=False, velocity=1, end=timed_end,
        ),
        "expmap_differential": Definition(
            both, TANGENT, exp_differential, 0, (True, True, False), models=FORMS,
            gradients=False, velocity=1, end=end,
        ),
        **{
            name: Definition(
                both, TANGENT, function, 0, (True, True, False), models=FORMS,
                gradients=False, velocity=1, end=end, base=0,
            )
            for name, function in (
                ("expmap_adjoint", exp_adjoint), ("expmap_differential_inverse", exp_inverse),
            )
        },
        "logmap_differential": Definition(
            (POINT, POINT, TANGENT), TANGENT, log_differential, 0, (True, True, False),
            models=FORMS, gradients=False, base=1,
        ),
        "logmap_differential_base": Definition(
            (POINT, POINT, TANGENT), TANGENT, log_differential_base, 0, (True, True, False),
            models=FORMS, gradients=False, base=0,
        ),
        "volume_density": Definition(
            (POINT, TANGENT), SCALAR, density, 0, (True, True), models=FORMS, gradients=False,
            regimes=_ONE_VECTOR, takes=("dimension",), end=lambda s, x, v: s.lift(x),
        ),
    }  # fmt: skip


def _beyond(s: Space, b: Vector) -> bool:
    """Whether a point is so far out that no dtype holds it, and nothing there is judged."""
    return bool(s.field.log10(abs(b[0]) + 1) > 600)


def _digits_for(s: Space, b: Vector) -> Any:
    """As many digits more as products of vectors at a point lose to its coordinates.

    The working precision knows of the inputs only, and exp may end far beyond them.
    """
    size = s.field.log10(abs(b[0]) + 1)
    return s.field.workdps(s.field.dps + 8 * int(size))


def _along(function: Any, s: Space, v: Vector) -> Vector:
    """The derivative along v, which may be longer than a step is short."""
    size = s.length(v)
    if not size > 0:
        return [c * 0 for c in v]
    return [size * c for c in slope(lambda h: function([h / size * c for c in v]), s.field)]


def _velocity(s: Space, a: Vector, v: Vector) -> Vector:
    """Of the geodesic from a with velocity v, at time 1."""
    return slope(lambda h: s.exp(a, [(1 + h) * c for c in v]), s.field)


def _moved(a: Vector, b: Vector, h: Any) -> Vector:
    return [p + h * q for p, q in zip(a, b, strict=True)]


def _volumes() -> dict[str, Definition]:
    def area(s: Space, r: Vector, dimension: int, unit: Any) -> Any:
        f, n = s.field, dimension
        whole = 2 * f.pi ** (f.mpf(n) / 2) / f.gamma(f.mpf(n) / 2)
        if s.sign > 0 and r[0] / unit > f.pi:  # no point is so far
            return 0 * r[0]
        return whole * (unit * s.sn(r[0] / unit)) ** (n - 1)

    def volume(s: Space, r: Vector, dimension: int, unit: Any) -> Any:
        f, n = s.field, dimension
        whole = 2 * f.pi ** (f.mpf(n) / 2) / f.gamma(f.mpf(n) / 2)
        reach = f.pi if s.sign > 0 and r[0] / unit > f.pi else r[0] / unit  # all of the sphere
        return whole * unit**n * _integral(s, reach, n - 1)

    def logarithm(function: Any) -> Any:
        return lambda s, r, **options: s.field.log(function(s, r, **options))

    def made(function: Any) -> Definition:
        return Definition(
            (NUMBER,), SCALAR, function, 0, (False,), models=("Lorentz", "Sphere", "Euclidean"),
            takes=("dimension", "unit"), regimes=("everyday", "near the origin", "far", "edge"),
        )  # fmt: skip

    return {
        "sphere_area": made(area), "log_sphere_area": made(logarithm(area)),
        "ball_volume": made(volume), "log_ball_volume": made(logarithm(volume)),
    }  # fmt: skip


def _integral(s: Space, r: Any, m: int) -> Any:
    """Of sn^m from 0 to r, by parts: m I_m = -K (sn^(m-1) cs - (m - 1) I_(m-2)), K = 1 or -1.

    The terms are as large as 1 and the result as small as r^(m+1): so many digits more.
    """
    if s.sign == 0:
        return r ** (m + 1) / (m + 1)
    f = s.field
    with f.workdps(f.dps + 10 + m + int((m + 1) * max(0.0, -float(f.log10(r))))):
        sine, cosine = s.sn(r), s.cs(r)
        value = r * 1 if m % 2 == 0 else s.sign * (1 - cosine)
        power = sine if m % 2 == 0 else sine * sine  # sn^(j-1) below
        for j in range(2 if m % 2 == 0 else 3, m + 1, 2):
            value = s.sign * ((j - 1) * value - power * cosine) / j
            power = power * sine * sine
    return value


# -- gyrovectors ---------------------------------------------------------------------------------


def _added(s: Space, x: Vector, y: Vector) -> Vector:
    """The addition of Bachmann, Becigneul & Ganea 2020."""
    xy, x2, y2, k = _dot(x, y), _dot(x, x), _dot(y, y), s.sign
    first, second = 1 - 2 * k * xy - k * y2, 1 + k * x2
    below = 1 - 2 * k * xy + k * k * x2 * y2
    return [(first * a + second * b) / below for a, b in zip(x, y, strict=True)]


def _gyration(s: Space, x: Vector, y: Vector, v: Vector) -> Vector:
    """-(x + y) + (x + (y + v)) at a short v: it is linear, whatever the length."""
    size = s.field.sqrt(_dot(v, v))
    if not size > 0:
        return v
    short = s.field.mpf(10) ** -30 / size
    turned = _added(s, x, _added(s, y, [short * c for c in v]))
    back = [-c for c in _added(s, x, y)]
    return [c / short for c in _added(s, back, turned)]


def _gyrovectors() -> dict[str, Definition]:
    def coadd(s: Space, x: Vector, y: Vector) -> Vector:
        return _added(s, x, _gyration(s, x, [-c for c in y], y))

    def scaled(s: Space, x: Vector, r: Vector) -> Vector:
        a = s.lift(x)
        return s.drop(s.exp(s.origin(a), [r[0] * c for c in s.log(s.origin(a), a)]))

    def matvec(s: Space, x: Vector, *rows: Vector) -> Vector:
        a = s.lift(x)
        v = s.log(s.origin(a), a)[1:]
        return s.drop(s.exp(s.origin(a), [v[0] * 0, *[_dot(row, v) for row in rows]]))

    two = (True, True)
    return {
        "mobius_add": Definition(
            (POINT, POINT), POINT, _added, 1, two, models=GYRO, gradients=False
        ),
        "coadd": Definition((POINT, POINT), POINT, coadd, 1, two, models=GYRO, gradients=False),
        "mobius_scalar": Definition(
            (POINT, NUMBER), POINT, scaled, 1, (True, False), models=GYRO, regimes=_ONE_POINT,
            gradients=False,
        ),
        "mobius_matvec": Definition(
            (POINT, VECTOR, VECTOR), POINT, matvec, 1, (True, False, False), models=GYRO,
            regimes=_ONE_POINT, gradients=False, dimension=2,
        ),
        "gyration": Definition(
            (POINT, POINT, VECTOR), VECTOR, _gyration, 0, (True, True, False), models=GYRO,
            gradients=False,
        ),
    }  # fmt: skip
