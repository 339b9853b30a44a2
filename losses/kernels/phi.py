"""phi(h) of a unit space form and its slope, in Triton: what ``manifolds/kernels/pairs/form.py`` is
in torch.

    d = 2 asinh(sqrt h),  2 sqrt h,  2 asin(sqrt h)     K = -1, 0, 1
    dd/dh = 1/half,   half = sqrt(h - K h^2) = sinh(d)/2, d/2, sin(d)/2

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
h            h                    the haversine sn(d/2)^2 of the pairs of a tile, float32
K            SIGN                 the sign of the curvature
phi          value                d, d^2 or cs(d) = AT - 2 h, by KIND: 0, 1 or 2
============ ==================== ==================================================================

Domain: h >= 0, and h <= 1 where K = 1; a NaN stays one.
Bound: 4 units of 2^-24 of d beside those that h has, where the device's exp and log have 2 of
theirs or 2^-22 in all (``lg2.approx``), as far as tests in Triton's interpreter can say.

No function of a library of the device is used, as the interpreter has none: log(1 + x) and asin are
series where they are small, of as many terms as float32 takes notice of.
"""

import triton
import triton.language as tl

DIST = tl.constexpr(0)
SQDIST = tl.constexpr(1)
INNER = tl.constexpr(2)


@triton.jit
def log1p(x):
    """log(1 + x) for x >= 0: 2 artanh(z), z = x/(2 + x), below 1/2, where z < 1/5."""
    z = x / (2 + x)
    s = z * z
    # The next term, z^10/11, is 1e-8 of the first.
    series = 2 * z * (1 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9)))))
    return tl.where(x < 0.5, series, tl.log(1 + x))


@triton.jit
def asin(t):
    """asin(t) for 0 <= t <= 1/2: the power series, whose next term is 5e-9 of the first."""
    s = t * t
    p = 6435 / 557056 + s * (12155 / 1245184 + s * (46189 / 5505024))
    p = 231 / 13312 + s * (143 / 10240 + s * p)
    p = 35 / 1152 + s * (63 / 2816 + s * p)
    p = 1 / 6 + s * (3 / 40 + s * (5 / 112 + s * p))
    return t + t * s * p


@triton.jit
def tanh_missing(d):
    """tanh(t) - t at t = d/2 >= 0; below 1/2 by its series, as the difference loses 3/t^2
    roundings."""
    t = d * 0.5
    s = t * t
    p = -1382 / 155925 + s * (21844 / 6081075 - s * (929569 / 638512875))
    p = 2 / 15 + s * (-17 / 315 + s * (62 / 2835 + s * p))
    # e^-d, as e^d overflows.
    e = tl.exp(-d)
    return tl.where(t < 0.5, t * s * (-1 / 3 + s * p), (1 - e) / (1 + e) - t)


@triton.jit
def distance(h, SIGN: tl.constexpr, NOISE: tl.constexpr):
    """(d, half). On a sphere an h within NOISE of 1 is an antipode, whose half is 0."""
    if SIGN < 0:
        half = tl.sqrt(h + h * h)
        d = log1p(2 * (half + h))
    elif SIGN == 0:
        half = tl.sqrt(h)
        d = 2 * half
    else:
        square = h - h * h
        half = tl.sqrt(tl.where(square > NOISE, square, square * 0))
        # root is sin(d/2). Above 1/2, d/2 is pi/2 less twice the angle whose sine is `other`.
        root = tl.sqrt(h)
        below = root <= 0.5
        other = tl.where(below, root, tl.sqrt((1 - h) / (2 * (1 + root))))
        angle = asin(other)
        d = tl.where(below, 2 * angle, 3.14159265358979 - 4 * angle)
    return d, half


@triton.jit
def phi(h, KIND: tl.constexpr, SIGN: tl.constexpr, AT: tl.constexpr, NOISE: tl.constexpr):
    """(value, d, half) of a haversine; without an arc d and half are h."""
    if KIND == INNER:
        value = AT - 2 * h
        d = h
        half = h
    else:
        d, half = distance(h, SIGN, NOISE)
        value = d
        if KIND == SQDIST:
            value = d * d
    return value, d, half


@triton.jit
def slope(d, half, KIND: tl.constexpr, SIGN: tl.constexpr):
    """phi'(h): of a distance 0 at h = 0, of a squared one its limit 4."""
    if KIND == INNER:
        result = half * 0 - 2.0
    elif KIND == DIST:
        result = tl.where(half == 0, half, 1 / tl.where(half == 0, 1.0, half))
    elif SIGN == 0:
        result = half * 0 + 4.0
    else:
        # Root of the smallest float32: it only avoids 0/0.
        tiny = 1.0842021724855044e-19
        result = 2 * (d + tiny) / (half + tiny / 2)
    return result


@triton.jit
def bend(d, KIND: tl.constexpr, AT: tl.constexpr):
    """The derivative of phi by k, the curvature being -k, at k = 1 and fixed h."""
    if KIND == INNER:
        result = d * 0 - AT
    else:
        result = tanh_missing(d)
        if KIND == SQDIST:
            result = 2 * d * result
    return result
