"""
What is left of a vector carried round a triangle?
==================================================

Parallel transport along the sides of a geodesic triangle brings a vector back turned by an
angle, the holonomy, which is the curvature times the area enclosed: for K > 0 in the sense in
which the triangle was gone round, for K < 0 against it.
"""

import math

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Lorentz, Manifold, PoincareBall, Sphere


def corners(space: Manifold, side: float) -> torch.Tensor:
    """A triangle with two equal arms at a right angle at the origin."""
    return space.from_normal(torch.tensor([[0.0, 0], [side, 0], [0, side]], dtype=torch.float64))


def holonomy(space: Manifold, side: float) -> float:
    """The angle by which transport round the triangle turns a vector at the origin."""
    p, q, r = corners(space, side)
    v = space.logmap(p, q)
    w = space.transport(r, p, space.transport(q, r, space.transport(p, q, v)))
    a, b = (space.to_normal(space.expmap(p, u / side)) for u in (v, w))
    return math.atan2(a[0] * b[1] - a[1] * b[0], a @ b)


def area(space: Manifold, side: float) -> float:
    """By the sum of the angles: K times the area is their excess over pi."""
    total = 0.0
    p, q, r = corners(space, side)
    for a, b, c in ((p, q, r), (q, r, p), (r, p, q)):
        u, v = space.logmap(a, b), space.logmap(a, c)
        total += torch.acos(space.inner(a, u, v) / space.norm(a, u) / space.norm(a, v)).item()
    return (total - math.pi) / space.curvature.item()


# %%
sides = torch.linspace(0.05, 1.5, 30).tolist()
spaces = {
    "sphere, K = 1": Sphere(1.0),
    "sphere, K = 1/2": Sphere(0.5),
    "hyperbolic, K = -1": Lorentz(-1.0),
    "hyperbolic, K = -2": Lorentz(-2.0),
}
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4), width_ratios=[1.2, 1])
for name, space in spaces.items():
    areas = [area(space, s) for s in sides]
    left.plot(areas, [holonomy(space, s) for s in sides], ".", label=name)
    left.plot(
        areas, [space.curvature.item() * a for a in areas], color="#999999", linewidth=0.8, zorder=0
    )
    product = space.curvature.item() * area(space, 1.0)
    print(f"{name:18} side 1: holonomy {holonomy(space, 1.0):+.9f}, K area {product:+.9f}")
left.set(xlabel="area of the triangle", ylabel="holonomy, radians")
left.legend()

# %%
# On the Poincaré disk, whose angles are true, the vector at nine places of its way.
ball = PoincareBall()
p, q, r = corners(ball, 1.5)
v = ball.logmap(p, q) * 0.35
right.quiver(*p, *v, color="#D55E00", angles="xy", scale_units="xy", scale=1, width=0.009, zorder=4)
for a, b in ((p, q), (q, r), (r, p)):
    for t in (1 / 3, 2 / 3, 1.0):
        x = ball.geodesic(a, b, t)
        moved = ball.transport(a, x, v)
        right.quiver(
            *x,
            *moved,
            color="#0072B2",
            angles="xy",
            scale_units="xy",
            scale=1,
            width=0.006,
            zorder=3,
        )
    right.plot(
        *ball.geodesic(a, b, torch.linspace(0, 1, 60).double()).T, color="#333333", linewidth=1
    )
    v = ball.transport(a, b, v)
right.add_patch(plt.Circle((0, 0), 1, fill=False, edgecolor="#333333", linewidth=1.2))
right.set(
    aspect="equal",
    xlim=(-0.25, 1.02),
    ylim=(-0.25, 1.02),
    title="sent out (orange), and on its way back",
)
right.set_axis_off()
plt.show()
