"""
What does float32 leave of a distance?
======================================

The textbook has ``acosh(-<x, y>)`` for the hyperboloid, and ``acosh(1 + ...)`` for the ball.
Both form a number near 1, or subtract large ones. Pairs at distance 0.01 and radius r, against
40 digits of mpmath on the same rounded coordinates. What remains on the ball is what one
rounding of a coordinate near the rim is worth, :math:`e^r` times as much as at the origin.
"""

import matplotlib.pyplot as plt
import mpmath
import torch

from spaceforms.manifolds import Lorentz, PoincareBall

mpmath.mp.dps = 40
lorentz, ball = Lorentz(), PoincareBall()
radii = torch.linspace(0.1, 9, 30, dtype=torch.float64)
v = radii[:, None, None] * torch.nn.functional.normalize(
    torch.randn(30, 20, 3, dtype=torch.float64), dim=-1
)


def near(space):
    """Points and others at distance 0.01 from them, rounded to float32."""
    x = space.from_normal(v)
    u = space.proj_tangent(x, torch.randn_like(x))
    return x.float(), space.expmap(x, 0.01 * u / space.norm(x, u)[..., None]).float()


def dot(a, b):
    return sum(p * q for p, q in zip(a, b, strict=True))


def exact_lorentz(x, y):
    x, y = ([mpmath.mpf(c) for c in point[1:]] for point in (x, y))
    return mpmath.acosh(mpmath.sqrt(1 + dot(x, x)) * mpmath.sqrt(1 + dot(y, y)) - dot(x, y))


def exact_ball(x, y):
    x, y = ([mpmath.mpf(c) for c in point] for point in (x, y))
    gap = [p - q for p, q in zip(x, y, strict=True)]
    return mpmath.acosh(1 + 2 * dot(gap, gap) / ((1 - dot(x, x)) * (1 - dot(y, y))))


def textbook_lorentz(x, y):
    return torch.acosh((x[..., 0] * y[..., 0] - (x[..., 1:] * y[..., 1:]).sum(-1)).clamp(min=1))


def textbook_ball(x, y):
    gaps = (1 - x.square().sum(-1)) * (1 - y.square().sum(-1))
    return torch.acosh(1 + 2 * (x - y).square().sum(-1) / gaps)


# %%
fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.8), sharey=True)
rows = {
    "hyperboloid": (lorentz, exact_lorentz, textbook_lorentz),
    "ball": (ball, exact_ball, textbook_ball),
}
for ax, (name, (space, exact, textbook)) in zip(axes, rows.items(), strict=True):
    x, y = near(space)
    pairs = zip(x.flatten(0, 1).tolist(), y.flatten(0, 1).tolist(), strict=True)
    true = torch.tensor([float(exact(*pair)) for pair in pairs]).double().reshape(30, 20)
    for label, d in (("textbook formula", textbook(x, y)), ("spaceforms", space.dist(x, y))):
        error = ((d.double() - true).abs() / true).nan_to_num(1e3)
        ax.semilogy(radii, error.max(dim=1).values.clamp(1e-8, 1e2), label=label)
        print(
            f"{name:11} {label:17} worst {error.max():.1e}, NaN or infinite {(~d.isfinite()).sum()}"
        )
    ax.set(xlabel="radius of the points", title=name, ylim=(1e-8, 1e2))
axes[0].set_ylabel("relative error of the distance, worst of 20")
axes[0].legend()
plt.show()
