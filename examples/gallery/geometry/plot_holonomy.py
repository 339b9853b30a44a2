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
    arms = [[0.0, 0.0], [side, 0.0], [0.0, side]]
    return space.from_normal(torch.tensor(arms, dtype=torch.float64))


def holonomy(space: Manifold, side: float) -> float:
    """The angle by which transport round the triangle turns a vector at the origin."""
    p, q, r = corners(space, side)
    v = space.logmap(p, q)
    w = space.transport(r, p, space.transport(q, r, space.transport(p, q, v)))
    x, y = space.to_normal(space.expmap(p, w))
    return math.atan2(y, x)


def area(space: Manifold, side: float) -> float:
    """From the sum of the angles, whose excess over pi is K times the area."""
    p, q, r = corners(space, side)
    u, v = space.logmap(q, p), space.logmap(q, r)
    angle = torch.acos(space.inner(q, u, v) / space.norm(q, u) / space.norm(q, v)).item()
    return (2 * angle - math.pi / 2) / space.curvature.item()


# %%
# On the right, on the Poincaré disk, whose angles are true, the vector at nine places of its way.
sides = torch.linspace(0.05, 1.5, 30).tolist()
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4), width_ratios=[1.2, 1])
for space in (Sphere(1.0), Sphere(0.5), Lorentz(-1.0), Lorentz(-2.0)):
    k, areas = space.curvature.item(), [area(space, side) for side in sides]
    left.plot(areas, [holonomy(space, side) for side in sides], ".", label=f"K = {k:g}")
    left.plot(areas, [k * a for a in areas], color="#999999", linewidth=0.8, zorder=0)
    print(f"K = {k:4}: holonomy {holonomy(space, 1.0):+.9f}, K area {k * area(space, 1.0):+.9f}")
left.set(xlabel="area of the triangle", ylabel="holonomy, radians")
left.legend()
ball = PoincareBall()
p, q, r = corners(ball, 1.5)
v = ball.logmap(p, q) * 0.35
style = {"angles": "xy", "scale_units": "xy", "scale": 1}
right.quiver(*p, *v, color="#D55E00", width=0.009, zorder=4, **style)
for a, b in ((p, q), (q, r), (r, p)):
    for t in (1 / 3, 2 / 3, 1.0):
        x = ball.geodesic(a, b, t)
        right.quiver(*x, *ball.transport(a, x, v), color="#0072B2", width=0.006, **style)
    side = ball.geodesic(a, b, torch.linspace(0, 1, 60, dtype=torch.float64))
    right.plot(*side.T, color="#333333", linewidth=1)
    v = ball.transport(a, b, v)
right.add_patch(plt.Circle((0, 0), 1, fill=False, edgecolor="#333333", linewidth=1.2))
right.set(aspect="equal", xlim=(-0.25, 1.02), ylim=(-0.25, 1.02))
right.set_title("sent out (orange), and on its way back")
right.set_axis_off()
plt.show()
