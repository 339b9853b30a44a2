r"""Entailment cones: the exterior angle, Clairaut's relation, and that cones nest.

In polar coordinates about the origin the metric is dr^2 + sn(r)^2 dOmega^2.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, gram, tn
from .chart_metrics import metric, polar

Form = Callable[..., Any]

PLANE = "every n: the origin and two points span a plane"

# Radii of x and y, and the angle between them at the origin.
r, rho, theta = sp.symbols("r rho theta", positive=True)

# The origin, the direction of x, and the direction across it in which y lies.
(_O, _E, _F), _DOT = gram([[1 / K, 0, 0], [0, 1, 0], [0, 0, 1]])
_X = Cs(K, r) * _O + Sn(K, r) * _E
_Y = Cs(K, rho) * _O + Sn(K, rho) * (Cs(1, theta) * _E + Sn(1, theta) * _F)
_OUTWARD = _X.diff(r)


def outward(radius_x: Any, radius_y: Any, angle: Any) -> tuple[Any, Any]:
    """log_x(y) sn(d)/d across and along the outward ray: the exterior angle is atan2 of them."""
    square = Sn(1, angle / 2) ** 2
    across = 2 * Sn(K, radius_y) * Sn(1, angle / 2) * Cs(1, angle / 2)
    return across, Sn(K, radius_y - radius_x) - 2 * Cs(K, radius_x) * Sn(K, radius_y) * square


def _prove_angle(form: Form) -> Proof:
    across, along = form(r, rho, theta)
    cosine = K * _DOT(_X, _Y)  # cs(d)
    direction = _Y - cosine * _X  # log_x(y) sn(d)/d
    flat = [part.subs(K, 0) for part in form(r, rho, theta)]
    names = (rf"\{f}\angle\;\mathrm{{sn}}_K(d)" for f in ("sin", "cos"))
    shown = tuple(equation(n, p) for n, p in zip(names, (across, along), strict=True))
    return Proof(
        shown,
        {
            "component of log_x(y) along the ray": [_DOT(direction, _OUTWARD) - along],
            "component across it": [_DOT(direction, _F) - across],
            "no other component: the sum of squares is sn(d)^2": [
                K * (across**2 + along**2) - (1 - cosine**2)
            ],
            "law of cosines for the side opposite to x, which sees y at pi less the angle": [
                Cs(K, rho) - (Cs(K, r) * cosine - K * Sn(K, r) * along)
            ],
            "K = 0: the components of y - x": [
                flat[0] - rho * Sn(1, theta),
                flat[1] - (rho * Cs(1, theta) - r),
            ],
        },
    )


# What the kernels compute from coordinates: size = |x|, reach = y.x/|x|, side = |y - reach x/|x||.


def outward_lorentz(tx: Any, size: Any, ty: Any, reach: Any, side: Any) -> tuple[Any, Any]:
    """Of the hyperboloid, at K = -1, where y is ahead: without a difference of large numbers."""
    total = tx * reach + size * ty
    ahead = reach - size
    return side, ahead * (size + reach) / total - (size * side) ** 2 / total


def outward_sphere(tx: Any, size: Any, ty: Any, reach: Any, side: Any) -> tuple[Any, Any]:
    """Of the sphere, at K = 1, from the step y - x."""
    return side, tx * (reach - size) - size * (ty - tx)


def outward_ball(size: Any, reach: Any, side: Any) -> tuple[Any, Any]:
    """Of the ball, up to a positive factor."""
    across = side * (1 + K * size**2)
    return across, (reach - size) * (1 + K * size * reach) + K * size * side**2


def _components(parts: tuple[Any, Any]) -> tuple[Any, ...]:
    names = (r"\text{across}", r"\text{along}")
    return tuple(equation(name, part) for name, part in zip(names, parts, strict=True))


def _prove_embedded(sign: int, form: Form) -> Proof:
    k = sp.Integer(sign)
    reach, side = Sn(k, rho) * Cs(1, theta), Sn(k, rho) * Sn(1, theta)
    values = form(Cs(k, r), Sn(k, r), Cs(k, rho), reach, side)
    exact = [part.subs(K, k) for part in outward(r, rho, theta)]
    symbols = sp.symbols("T_x |x| T_y a b")
    return Proof(
        _components(form(*symbols)),
        {"the components above": [v - e for v, e in zip(values, exact, strict=True)]},
    )


def _prove_ball(form: Form) -> Proof:
    x, y = tn(K, r / 2), tn(K, rho / 2)
    values = form(x, y * Cs(1, theta), y * Sn(1, theta))
    factor = 2 * (Cs(K, r / 2) * Cs(K, rho / 2)) ** 2
    exact = outward(r, rho, theta)
    return Proof(
        _components(form(*sp.symbols("|x| a b"))),
        {
            "the components above, over 2 cs(r/2)^2 cs(rho/2)^2": [
                factor * v - e for v, e in zip(values, exact, strict=True)
            ]
        },
    )


# -- Clairaut --------------------------------------------------------------------------------------


def clairaut(radius: Any, sine: Any) -> Any:
    """sn(r) sin(angle with the outward ray)."""
    return Sn(K, radius) * sine


def _prove_clairaut(form: Form) -> Proof:
    chart = metric(polar, 2)
    radius, turn = chart.coordinates
    rates = sp.Matrix(sp.symbols(r"\dot{r} \dot{\theta}"))
    acceleration = -chart.connection(chart.coordinates, rates, rates)

    def rate(quantity: Any) -> Any:
        total = quantity.diff(radius) * rates[0] + quantity.diff(turn) * rates[1]
        return total + sum(quantity.diff(v) * w for v, w in zip(rates, acceleration, strict=True))

    speed = (rates.T * chart.matrix * rates)[0]
    area = Sn(K, radius)  # sqrt(det g); its square is checked
    constant = form(radius, area * rates[1] / sp.Symbol("u", positive=True))
    psi = sp.Symbol("alpha")
    return Proof(
        (equation(form(sp.Symbol("r"), sp.sin(psi)), sp.Symbol(r"\mathrm{const}")),),
        {
            "the speed is constant": [rate(speed)],
            "area of the frame (outward ray, velocity): sin of its angle": [
                area**2 - chart.matrix.det()
            ],
            "rate of change along a geodesic": [rate(constant)],
        },
    )


def boundary(radius: Any, constant: Any) -> Any:
    """The angle theta of a geodesic whose Clairaut constant is c, up to a constant."""
    cotangent = Cs(K, radius) / Sn(K, radius)
    return -sp.asin(constant * cotangent / sp.sqrt(1 - K * constant**2))


def _prove_nesting(form: Form) -> Proof:
    c = sp.Symbol("c", positive=True)
    rate_theta = c / Sn(K, r) ** 2  # sn^2 theta' = c at unit speed
    rate_r_squared = 1 - (Sn(K, r) * rate_theta) ** 2
    slope_squared = rate_theta**2 / rate_r_squared
    # d/dr of -asin(u) is -u'/sqrt(1 - u^2): compared squared, w = u^2 taken from the form.
    w = sp.sin(form(r, c)) ** 2
    curve_squared = w.diff(r) ** 2 / (4 * w * (1 - w))
    # The slope itself, c/(sn sqrt(sn^2 - c^2)), grows with c: its square does.
    s = Sn(K, r)
    growth = slope_squared.diff(c) - 2 * c * s**2 / (s**2 * (s**2 - c**2) ** 2)
    shown = equation(r"\theta(r)", form(sp.Symbol("r"), c))
    return Proof(
        (shown,),
        {
            "(d theta/dr)^2 of a unit-speed geodesic": [
                slope_squared - c**2 / (s**2 * (s**2 - c**2))
            ],
            "the closed form has this slope": [curve_squared - slope_squared],
            "the slope grows with c: d/dc of its square is positive": [growth],
        },
    )


def derivations() -> Iterator[Derivation]:
    """Angles and cones."""
    yield Derivation(
        "cones/exterior angle",
        "The angle at x between the outward ray and the geodesic to y, x and y at distances r and "
        "$\\rho$ from the origin and seen from it under the angle $\\theta$.",
        PLANE,
        outward,
        _prove_angle,
    )
    for name, sign, form in (("Lorentz", -1, outward_lorentz), ("Sphere", 1, outward_sphere)):
        yield Derivation(
            f"cones/exterior angle: {name}",
            f"The same components as {name} computes them, a along and b across the ray being "
            "those of the space part of y.",
            PLANE,
            form,
            partial(_prove_embedded, sign),
        )
    yield Derivation(
        "cones/exterior angle: PoincareBall",
        "The same components, up to a positive factor, as PoincareBall computes them; a and b are "
        "those of y.",
        PLANE,
        outward_ball,
        _prove_ball,
    )
    yield Derivation(
        "cones/Clairaut",
        "Clairaut's relation: $\\mathrm{sn}_K(r)\\sin\\alpha$ is constant along a geodesic, "
        "$\\alpha$ its angle with the outward ray.",
        PLANE,
        clairaut,
        _prove_clairaut,
    )
    yield Derivation(
        "cones/nesting",
        "Cones nest where $\\mathrm{sn}_K(r_x)\\ge c$. With $\\sin\\psi(x) = "
        "c/\\mathrm{sn}_K(r_x)$ the boundary of every cone is made "
        "of geodesics of one Clairaut constant c, so its slope $d\\theta/dr$ is a function of r "
        "alone, and the cone at x is the set of y with $r_y\\ge r_x$ and $\\angle(x, y)\\le "
        "\\theta(r_y) - \\theta(r_x)$, the angle taken at the origin: directions closer to the ray "
        "have a smaller constant and turn less. For y in the cone at x and z in the cone at y the "
        "triangle inequality of angles gives $\\angle(x, z)\\le\\theta(r_z) - \\theta(r_x)$: z is "
        "in the cone at x. (On the sphere up to the equator, where sn stops growing. Nearer to the "
        "origin than $\\mathrm{sn}_K(r) = c$ the aperture is $\\pi/2$ and the argument ends: two "
        "half-spaces whose boundaries meet do not nest.)",
        "every n: directions are points of a sphere, where angles obey the triangle inequality",
        boundary,
        _prove_nesting,
    )
