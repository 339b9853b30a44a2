"""Isometries, horospheres and hyperplanes in mpmath: linear algebra in the ambient space, at
K = -1, 0 or 1, from the inputs as rounded; and how far a result may be off.

None of it shares a formula with the library: translations are the linear maps of the ambient space
that move two vectors, reflections the textbook ones, with digits enough to cancel.
"""

import mpmath as mp

DIGITS = 330  # e^100 three times over cancels, and the step of a difference quotient is 1e-60


def dot(x, y):
    return mp.fsum(a * b for a, b in zip(x, y, strict=True))


def size(x):
    return mp.sqrt(dot(x, x))


def combined(*terms):
    """The sum of multiples: pairs of a number and a vector."""
    return [mp.fsum(k * v[i] for k, v in terms) for i in range(len(terms[0][1]))]


class Model:
    """Ambient vectors of a space form, from storage and back."""

    def __init__(self, manifold):
        self.kind = type(manifold).__name__
        self.sign = manifold.sign
        self.conformal = self.kind in ("PoincareBall", "Stereographic")

    def form(self, x, y):
        """The bilinear form of the ambient space: Minkowski's or the dot product."""
        return dot(x, y) - (2 * x[0] * y[0] if self.sign < 0 else 0)

    def point(self, x):
        """The ambient vector of a point, given its free coordinates."""
        if self.kind == "Lorentz":
            return [mp.sqrt(1 + dot(x, x)), *x]
        if self.conformal:
            gap = 1 + self.sign * dot(x, x)
            s = [2 * c / gap for c in x]
            return [(2 - gap) / gap, *s] if self.sign else s
        if self.kind == "Sphere":
            return [c / size(x) for c in x]
        return list(x)

    def vector(self, x, v):
        """The ambient vector of a tangent vector at x."""
        if self.kind == "Lorentz":
            return [dot(x, v) / self.point(x)[0], *v]
        if self.conformal:
            gap = 1 + self.sign * dot(x, x)
            t = -4 * self.sign * dot(x, v) / gap**2
            s = combined((2 / gap, v), (t, x))
            return [t, *s] if self.sign else s
        if self.kind == "Sphere":
            return combined((1, v), (-dot(x, v) / dot(x, x), x))
        return list(v)

    def stored(self, x):
        """The free coordinates of an ambient point."""
        if self.kind == "Lorentz":
            return x[1:]
        if self.conformal:
            return [c / (1 + x[0]) for c in x[1:]] if self.sign else [c / 2 for c in x]
        return x

    def free(self, x):
        """The free coordinates of a tensor, exactly; of a list, a plain vector, all of them."""
        if isinstance(x, list):
            return [mp.mpf(c) for c in x]
        x = [mp.mpf(c) for c in x.detach().double().tolist()]
        return x[1:] if self.kind == "Lorentz" else x


def translation(model, p, q, x):
    if model.sign == 0:
        return combined((1, x), (1, q), (-1, p))
    p, q, x = (model.point(y) for y in (p, q, x))
    share = (model.form(x, p) + model.form(x, q)) / (model.sign + model.form(p, q))
    twice = 2 * model.sign * model.form(x, p)
    return model.stored(combined((1, x), (-share, p), (twice - share, q)))


def point_reflection(model, p, x):
    if model.sign == 0:
        return combined((2, p), (-1, x))
    p, x = model.point(p), model.point(x)
    return model.stored(combined((2 * model.sign * model.form(p, x), p), (-1, x)))


def reflection(model, p, a, x):
    p, a, x = model.point(p), model.vector(p, a), model.point(x)
    y = combined((1, x), (-1, p)) if model.sign == 0 else x
    return model.stored(combined((1, x), (-2 * model.form(y, a) / model.form(a, a), a)))


def signed_distance(model, x, p, a):
    p, a, x = model.point(p), model.vector(p, a), model.point(x)
    y = combined((1, x), (-1, p)) if model.sign == 0 else x
    sine = model.form(y, a) / mp.sqrt(model.form(a, a))
    return [{-1: mp.asinh, 0: mp.mpf, 1: mp.asin}[model.sign](sine)]


def busemann(model, x, ideal):
    xi, x = [c / size(ideal) for c in ideal], model.point(x)
    return [-dot(x, xi)] if model.sign == 0 else [mp.log(x[0] - dot(x[1:], xi))]


def units(model, function, arguments, value, u):
    """(error, condition, size): the error of a result over u (|f| + |Df||x|), how many roundings of
    inputs and result it is worth; |Df||x| over |f|; and |f|."""
    with mp.workdps(DIGITS):
        x = [model.free(a) for a in arguments]
        exact = function(model, *x)
        spread, step = [mp.mpf(0)] * len(exact), mp.mpf(10) ** -60
        for i, a in enumerate(x):
            for j in range(len(a)):
                moved = [list(b) for b in x]
                moved[i][j] *= 1 + step
                slopes = zip(spread, function(model, *moved), exact, strict=True)
                spread = [s + abs(f - g) / step for s, f, g in slopes]
        several = isinstance(value, list) or value.ndim
        free = model.free(value) if several else [mp.mpf(float(value))]
        error = size([a - b for a, b in zip(free, exact, strict=True)])
        length, width = size(exact), size(spread)
        allowed = u * (length + width)
        condition = float(width / length) if length else 0.0
        return float(error / allowed) if allowed else float(error), condition, float(length)


def towards(model, x, ideal, t):
    xi, x, t = [c / size(ideal) for c in ideal], model.point(x), t[0]
    if model.sign == 0:
        return model.stored(combined((1, x), (t, xi)))
    null = [mp.mpf(1), *xi]
    return model.stored(combined((mp.exp(-t), x), (-mp.sinh(t) / model.form(x, null), null)))


def horosphere_project(model, x, ideal, level):
    return towards(model, x, ideal, [busemann(model, x, ideal)[0] - level[0]])


def ideal_point(model, x, v):
    x, v = model.point(x), model.vector(x, v)
    if model.sign == 0:
        return combined((1 / size(v), v))
    null = combined((1, x), (1 / mp.sqrt(model.form(v, v)), v))[1:]
    return combined((1 / size(null), null))
