"""Distances, angles and maps in mpmath at 60 digits, from definitions, at the inputs as rounded."""

import mpmath as mp

mp.mp.dps = 60


def numbers(x):
    """The exact values of a vector of floats."""
    return [mp.mpf(float(c)) for c in x]


def _dot(x, y):
    return mp.fsum(a * b for a, b in zip(x, y, strict=True))


def lift(x):
    """Hyperboloid point (time first) of a space part."""
    return [mp.sqrt(1 + _dot(x, x)), *x]


def hyperboloid(manifold, x):
    """A hyperbolic point of curvature -1 in hyperboloid coordinates, from our storage."""
    scale = mp.sqrt(-mp.mpf(float(manifold.curvature.detach())))
    c = [scale * v for v in numbers(x)]
    gap = 1 - _dot(c, c)
    kind = type(manifold).__name__
    if kind == "Lorentz":
        return lift(c[1:])
    if kind == "PoincareBall":
        return lift([2 * v / gap for v in c])
    if kind == "Klein":
        return lift([v / mp.sqrt(gap) for v in c])
    if kind == "ProperVelocity":
        return lift(c)
    if kind == "Hemisphere":
        return lift([v / c[0] for v in c[1:]])
    if kind == "NormalCoordinates":
        r = mp.sqrt(_dot(c, c))
        return lift([mp.sinh(r) / r * v for v in c] if r else c)
    if kind == "HalfSpace":  # cosh r, and the heights 1/(T - X_n) and (|z|^2 + h^2)/h = T + X_n
        z, h = c[:-1], c[-1]
        return lift([*(v / h for v in z), (_dot(c, c) - 1) / (2 * h)])
    raise TypeError(f"reference.hyperboloid: no coordinates of a {kind} are known here.")


def sphere(manifold, x):
    """A point of the unit sphere, from our storage."""
    kind, c = type(manifold).__name__, numbers(x)
    if kind == "Sphere":
        return c
    c = [mp.sqrt(mp.mpf(float(manifold.curvature.detach()))) * v for v in c]
    square = _dot(c, c)
    if kind == "StereographicPlane":
        return [(1 - square) / (1 + square), *(2 * v / (1 + square) for v in c)]
    if kind == "NormalCoordinates":
        r = mp.sqrt(square)
        return [mp.cos(r), *(mp.sin(r) / r * v for v in c)] if r else [mp.mpf(1), *c]
    raise TypeError(f"reference.sphere: no coordinates of a {kind} are known here.")


def stereographic_dist(k, x, y):
    """The same of two points x, y of the kappa-stereographic model, by the cosine law of the space
    that it is projected from: cos d = t_x t_y + K X.Y with t = (1 - K|x|^2)/(1 + K|x|^2)."""
    if k == 0:
        return 2 * mp.sqrt(mp.fsum((a - b) ** 2 for a, b in zip(x, y, strict=True)))
    gx, gy = 1 + k * _dot(x, x), 1 + k * _dot(y, y)
    cosine = (2 / gx - 1) * (2 / gy - 1) + 4 * k * _dot(x, y) / (gx * gy)
    if k > 0:
        return mp.acos(min(mp.mpf(1), max(mp.mpf(-1), cosine))) / mp.sqrt(k)
    return mp.acosh(max(mp.mpf(1), cosine)) / mp.sqrt(-k)


def dist(manifold, x, y):
    """Geodesic distance by acosh, acos or the norm, with digits to spare."""
    if type(manifold).__name__ == "Stereographic":
        return stereographic_dist(
            mp.mpf(float(manifold.curvature.detach())), numbers(x), numbers(y)
        )
    if manifold.sign == 0:
        return mp.sqrt(mp.fsum((a - b) ** 2 for a, b in zip(numbers(x), numbers(y), strict=True)))
    unit = mp.sqrt(abs(mp.mpf(float(manifold.curvature.detach()))))
    if manifold.sign > 0:
        a, b = sphere(manifold, x), sphere(manifold, y)
        cosine = _dot(a, b) / mp.sqrt(_dot(a, a) * _dot(b, b))
        return mp.acos(min(mp.mpf(1), max(mp.mpf(-1), cosine))) / unit
    a, b = hyperboloid(manifold, x), hyperboloid(manifold, y)
    return mp.acosh(max(mp.mpf(1), a[0] * b[0] - _dot(a[1:], b[1:]))) / unit


def exterior_angle(manifold, x, y):
    """pi minus the angle at x in the triangle origin, x, y, by the law of cosines."""
    unit = mp.sqrt(abs(mp.mpf(float(manifold.curvature.detach())))) or mp.mpf(1)
    o = manifold.origin(len(x) - manifold.ambient_dim(0), dtype=x.dtype).detach()
    a, b, c = (unit * dist(manifold, *p) for p in ((o, x), (x, y), (o, y)))
    if manifold.sign < 0:
        cosine = (mp.cosh(a) * mp.cosh(b) - mp.cosh(c)) / (mp.sinh(a) * mp.sinh(b))
    elif manifold.sign > 0:
        cosine = (mp.cos(c) - mp.cos(a) * mp.cos(b)) / (mp.sin(a) * mp.sin(b))
    else:
        cosine = (a * a + b * b - c * c) / (2 * a * b)
    return mp.pi - mp.acos(min(mp.mpf(1), max(mp.mpf(-1), cosine)))


def relative_error(value, exact):
    """abs(value/exact - 1), 0 where both are 0."""
    value = mp.mpf(value.detach().item())
    return float(abs(value - exact) / abs(exact)) if exact else float(abs(value))
