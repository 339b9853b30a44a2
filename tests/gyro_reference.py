"""The kappa-stereographic model in mpmath at 60 digits, from the gyrovector definitions.

For any K != 0, complex roots and all: everything is even in sqrt(K). A value at K = 0 is that at
1e-100, a derivative by K a central difference across 0: textbook formulas, with digits to spare.
"""

import mpmath as mp

mp.mp.dps = 60


def _dot(x, y):
    return mp.fsum(a * b for a, b in zip(x, y, strict=True))


def _length(x):
    return mp.sqrt(_dot(x, x))


def _times(s, x):
    return [s * a for a in x]


def _real(z):
    return mp.re(z)


def tn(k, t):
    return _real(mp.tan(mp.sqrt(k) * t) / mp.sqrt(k))


def atn(k, t):
    return _real(mp.atan(mp.sqrt(k) * t) / mp.sqrt(k))


def sn(k, t):
    return _real(mp.sin(mp.sqrt(k) * t) / mp.sqrt(k))


def factor(k, x):
    """lambda_x."""
    return 2 / (1 + k * _dot(x, x))


def mobius_add(k, x, y):
    """Bachmann et al. 2020, eq. 2."""
    xy, x2, y2 = _dot(x, y), _dot(x, x), _dot(y, y)
    a, b, d = 1 - 2 * k * xy - k * y2, 1 + k * x2, 1 - 2 * k * xy + k * k * x2 * y2
    return [(a * p + b * q) / d for p, q in zip(x, y, strict=True)]


def mobius_scalar(k, r, x):
    """Eq. 3."""
    size = _length(x)
    return _times(tn(k, r * atn(k, size)) / size, x)


def mobius_matvec(k, m, x):
    """Ganea et al. 2018, eq. 27."""
    image = [_dot(row, x) for row in m]
    size, before = _length(image), _length(x)
    return _times(tn(k, size / before * atn(k, before)) / size, image)


def gyration(k, x, y, v):
    """By its definition from sums of points; linear in v, which is made short enough to be one."""
    short = _times(mp.mpf(10) ** -3, v)
    inner = mobius_add(k, x, mobius_add(k, y, short))
    return _times(1000, mobius_add(k, _times(-1, mobius_add(k, x, y)), inner))


def coadd(k, x, y):
    """x (+) gyr[x, -y] y."""
    return mobius_add(k, x, gyration(k, x, _times(-1, y), y))


def dist(k, x, y):
    return 2 * atn(k, _length(mobius_add(k, _times(-1, x), y)))


def sqdist(k, x, y):
    return dist(k, x, y) ** 2


def expmap(k, x, v):
    size = _length(v)
    return mobius_add(k, x, _times(tn(k, factor(k, x) * size / 2) / size, v))


def logmap(k, x, y):
    way = mobius_add(k, _times(-1, x), y)
    size = _length(way)
    return _times(2 / factor(k, x) * atn(k, size) / size, way)


def transport(k, x, y, v):
    return _times(factor(k, x) / factor(k, y), gyration(k, y, _times(-1, x), v))


def geodesic(k, x, y):
    """At a quarter of the way."""
    return mobius_add(k, x, mobius_scalar(k, mp.mpf(1) / 4, mobius_add(k, _times(-1, x), y)))


def midpoint(k, x, y):
    return mobius_add(k, x, mobius_scalar(k, mp.mpf(1) / 2, mobius_add(k, _times(-1, x), y)))


def from_normal(k, v):
    size = _length(v)
    return _times(tn(k, size / 2) / size, v)


def to_normal(k, x):
    size = _length(x)
    return _times(2 * atn(k, size) / size, x)


def exterior_angle(k, x, y):
    way = logmap(k, x, y)  # the model is conformal
    return mp.acos(_dot(x, way) / _length(x) / _length(way))


def half_aperture(k, x):
    return mp.asin(2 * mp.mpf("0.05") / sn(k, 2 * atn(k, _length(x))))


def logdetexp(k, x, v):
    size = factor(k, x) * _length(v)
    return (len(x) - 1) * mp.log(sn(k, size) / size)


def inner(k, x, v):
    return factor(k, x) ** 2 * _dot(v, v)


def at(function, k, *arguments):
    """(value, derivative by K) of one of the above, as lists of numbers."""
    k = mp.mpf(k)
    h = mp.mpf(10) ** -20

    def value(k):
        out = function(k if abs(k) > mp.mpf(10) ** -100 else mp.mpf(10) ** -100, *arguments)
        return out if isinstance(out, list) else [out]

    up, down = value(k + h), value(k - h)
    return value(k), [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]
