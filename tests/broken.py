"""Manifolds with one fault each, and the property that should catch it."""

import dataclasses

import torch
from foreign import Klein

from spaceforms.manifolds import Lorentz, PoincareBall
from spaceforms.validation.conformance.adapters import as_subject

L, B = Lorentz(-1.0), PoincareBall(-1.0)


def lorentz(**maps):
    """The hyperboloid with some of its maps replaced; expmap serves as a retraction."""
    return dataclasses.replace(as_subject(L), **{"retraction": L.expmap, **maps})


def ball(**maps):
    """The ball with some of its maps replaced."""
    return dataclasses.replace(as_subject(B), **{"retraction": B.expmap, **maps})


class Half(torch.autograd.Function):
    """The identity with half of its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g / 2


def acosh_dist(x, y):
    """The textbook's distance."""
    form = (x[..., 1:] * y[..., 1:]).sum(-1) - x[..., 0] * y[..., 0]
    return torch.acosh((-form).clamp(min=1.0))


def in_place(x, g):
    """The Riemannian gradient as geoopt computes it."""
    g[..., 0] *= -1
    return g + ((x[..., 1:] * g[..., 1:]).sum(-1) - x[..., 0] * g[..., 0]).unsqueeze(-1) * x


def bent(x, v):
    """An exponential map whose rays turn, in one plane, as they go: of right speed, not straight.

    The ball's metric is conformal, so a rotation of coordinates is one of tangent vectors.
    """
    turn = B.norm(x, v).unsqueeze(-1) / 4
    a, b = v[..., :1], v[..., 1:2]
    first, second = turn.cos() * a - turn.sin() * b, turn.sin() * a + turn.cos() * b
    return B.expmap(x, torch.cat([first, second, v[..., 2:]], dim=-1))


def twisted(x, y, v):
    """Transport that turns vectors about the geodesic's axis: an isometry, but not parallel."""
    moved, velocity = B.transport(x, y, v), -B.logmap(y, x)
    axis = velocity / velocity.norm(dim=-1, keepdim=True).clamp(min=1e-300)
    axis, moved = torch.broadcast_tensors(axis, moved)
    angle = B.dist(x, y).unsqueeze(-1)
    along = (moved * axis).sum(-1, keepdim=True) * axis
    across = moved - along
    return along + angle.cos() * across + angle.sin() * torch.linalg.cross(axis, across)


def floored_exp(x, v):
    """The length of v is at least 1e-4, as in geoopt."""
    length = L.norm(x, v).unsqueeze(-1).clamp(min=1e-4)
    return L.proj(length.cosh() * x + length.sinh() / length * v)


def first_row(x, y):
    """The distance of the first pair for all pairs."""
    d = L.dist(x, y)
    return d if d.ndim == 0 else d.flatten()[0].expand(d.shape)


BROKEN = {
    "a distance with an eps": ("dist_to_itself", lorentz(dist=lambda x, y: L.dist(x, y) + 1e-8)),
    "a distance of the wrong sign": ("dist_nonnegative", lorentz(dist=lambda x, y: -L.dist(x, y))),
    "a distance that weighs its first point": (
        "dist_symmetric",
        lorentz(dist=lambda x, y: L.dist(x, y) * (1 + 1e-6 * x[..., 1])),
    ),
    "a squared distance for a distance": ("triangle_inequality", lorentz(dist=L.sqdist)),
    "a distance of another curvature": ("dist_value", lorentz(dist=Lorentz(-1.001).dist)),
    "a squared distance that is not squared": ("sqdist_value", lorentz(sqdist=L.dist)),
    "the dot product for the metric": (
        "inner_value",
        lorentz(inner=lambda x, u, v: (u * v).sum(-1)),
    ),
    "a norm without its root": ("norm_value", lorentz(norm=lambda x, v: L.inner(x, v, v))),
    "a distance that favours an axis": (
        "dist_rotated",
        ball(dist=lambda x, y: B.dist(x, y) * (1 + 1e-3 * (x - y)[..., 0].square())),
    ),
    "a distance that knows where the origin is": (
        "dist_translated",
        ball(dist=lambda x, y: B.dist(x, y) * (1 + 1e-3 * (x + y).square().sum(-1))),
    ),
    "an exponential that pushes": (
        "exp_of_zero",
        ball(expmap=lambda x, v: B.expmap(x, v + 1e-9)),
    ),
    "a logarithm of the wrong sign": (
        "exp_inverts_log",
        lorentz(logmap=lambda x, y: -L.logmap(x, y)),
    ),
    "a logarithm that is too long": (
        "log_inverts_exp",
        lorentz(logmap=lambda x, y: 1.0001 * L.logmap(x, y)),
    ),
    "a logarithm with an eps": (
        "length_of_log",
        ball(logmap=lambda x, y: B.logmap(x, y) / (1 + 1e-5 / (1e-5 + B.dist(x, y)))[..., None]),
    ),
    "an exponential that speeds up": (
        "geodesic_speed",
        lorentz(expmap=lambda x, v: L.expmap(x, v * (1 + 0.01 * L.norm(x, v)[..., None]))),
    ),
    "an exponential that turns": ("law_of_cosines", ball(expmap=bent)),
    "an exponential that turns one way": ("exp_rotated", ball(expmap=bent)),
    "an exponential that leaves the manifold": (
        "results_on_the_manifold",
        lorentz(expmap=lambda x, v: L.expmap(x, v) * (1 + 1e-9)),
    ),
    "a projection for transport": (
        "transport_isometry",
        lorentz(transport=lambda x, y, v: L.proj_tangent(y, v)),
    ),
    "transport that forgets where it comes from": (
        "transport_inverse",
        ball(transport=lambda x, y, v: v * (1 - y.square().sum(-1, keepdim=True))),
    ),
    "transport with the wrong sign": (
        "transport_of_velocity",
        lorentz(transport=lambda x, y, v: -L.transport(x, y, v)),
    ),
    "transport of the square": (
        "transport_linear",
        lorentz(transport=lambda x, y, v: L.transport(x, y, v * L.norm(x, v)[..., None])),
    ),
    "a projection that pulls in": ("proj_idempotent", ball(proj=lambda x: 0.999 * x)),
    "a tangent projection that shortens": (
        "proj_tangent_idempotent",
        lorentz(proj_tangent=lambda x, v: 0.5 * L.proj_tangent(x, v)),
    ),
    "a Riemannian gradient without the metric": (
        "gradient_represents",
        ball(egrad2rgrad=lambda x, g: g),
    ),
    "a norm without its base point": ("maps_run", lorentz(norm=lambda v: L.inner(v, v, v))),
    "a logarithm that divides by a distance": (
        "finite_values",
        lorentz(logmap=lambda x, y: L.logmap(x, y) * (L.dist(x, y) / L.dist(x, y))[..., None]),
    ),
    "a distance by acosh": ("finite_gradients", lorentz(dist=acosh_dist)),
    "a gradient conversion in place": ("arguments_unchanged", lorentz(egrad2rgrad=in_place)),
    "a distance in another dtype": ("dtype_kept", lorentz(dist=lambda x, y: L.dist(x, y).float())),
    "a distance of the first row": ("broadcasting", lorentz(dist=first_row)),
    "a check that says no": (
        "points_are_recognised",
        lorentz(is_tangent=lambda x, v: torch.tensor(False)),
    ),
    "a normal distribution without its std": (
        "random_normal_spread",
        lorentz(random_normal=lambda k, n, std, dtype: L.random_normal(k, n, dtype=dtype)),
    ),
    "a retraction that is off by a factor": (
        "retraction_order",
        lorentz(retraction=lambda x, v: L.expmap(x, 1.1 * v)),
    ),
    "an exponential that is off by a factor": (
        "exp_order",
        lorentz(expmap=lambda x, v: L.expmap(x, 1.1 * v)),
    ),
    "a gradient of dist that is off by a factor": (
        "gradient_of_dist",
        lorentz(dist=lambda x, y: Half.apply(L.dist(x, y))),
    ),
    "a gradient of sqdist that forgets its first point": (
        "gradient_of_sqdist",
        lorentz(sqdist=lambda x, y: L.sqdist(x.detach(), y)),
    ),
    "a gradient of expmap that forgets the base point": (
        "gradient_of_exp",
        ball(expmap=lambda x, v: B.expmap(x.detach(), v)),
    ),
    "a gradient of logmap that is off by a factor": (
        "gradient_of_log",
        lorentz(logmap=lambda x, y: L.logmap(x, Half.apply(y))),
    ),
    "a gradient of transport that forgets where it goes": (
        "gradient_of_transport",
        ball(transport=lambda x, y, v: B.transport(x, y.detach(), v)),
    ),
    "a Riemannian gradient of half the length": (
        "riemannian_gradient_order",
        lorentz(egrad2rgrad=lambda x, g: L.egrad2rgrad(x, g) / 2),
    ),
    "a Riemannian gradient of the wrong sign": (
        "gradient_is_minus_log",
        ball(egrad2rgrad=lambda x, g: -B.egrad2rgrad(x, g)),
    ),
    "rays that are not across their spheres": ("gauss_lemma", ball(expmap=bent)),
    "transport that twists": ("jacobi_fields", ball(transport=twisted)),
    "a length with a floor": ("derivatives_at_zero", lorentz(expmap=floored_exp)),
}


def klein(kernel, instead):
    """A user's class with one of its kernels replaced."""
    return type("Broken", (Klein,), {kernel: instead})(-0.7)


def _gap(x):
    return 1 - (x * x).sum(-1, keepdim=True)


BROKEN_FOREIGN = {
    "a distance that is too long": (
        "dist_value",
        klein("_dist", lambda m, x, y, radius=1.0: 1.001 * Klein._dist(m, x, y, radius)),
    ),
    "the metric of the flat ball across": (
        "norm_value",
        klein("_orthonormal", lambda m, x, v: v / _gap(x)),
    ),
    "transport that does nothing": (
        "transport_isometry",
        klein("_transport", lambda m, x, y, s, v: v),
    ),
    "a chord for a logarithm": ("exp_inverts_log", klein("_logmap", lambda m, x, y, step: step)),
    "an exponential that is too fast": (
        "geodesic_speed",
        klein("_expmap", lambda m, x, v: Klein._expmap(m, x, 1.01 * v)),
    ),
    "a gradient by the conformal factor": (
        "gradient_represents",
        klein("_egrad2rgrad", lambda m, x, g: _gap(x) ** 2 * g),
    ),
    "normal coordinates of another unit": (
        "dist_value",
        klein("_from_normal", lambda m, v: Klein._from_normal(m, v / 2)),
    ),
    "normal coordinates that are bent": (
        "inner_value",
        klein("_from_normal", lambda m, v: Klein._from_normal(m, v * (1 + 0.01 * v[..., :1]))),
    ),
}
"""The same on a manifold that is none of ours, at the points that it makes itself."""
