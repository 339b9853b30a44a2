"""
Swap geoopt's Lorentz for ours
==============================

:func:`~spaceforms.manifolds.from_geoopt` takes a manifold of geoopt and gives ours of the same
points: tensors stay as they are, and conventions of curvature are minded. What changes are the
digits. Here both measure in float32 the distance of points at radius r from others one unit
away.
"""

import geoopt
import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import from_geoopt

theirs = geoopt.Lorentz()
ours = from_geoopt(theirs)
print(ours)

radii = torch.linspace(0.25, 14, 56, dtype=torch.float64)
v = torch.nn.functional.normalize(torch.randn(500, 8, dtype=torch.float64), dim=-1)
x = ours.from_normal(radii[:, None, None] * v)
u = ours.proj_tangent(x, torch.randn_like(x))
y = ours.expmap(x, u / ours.norm(x, u)[..., None])
x, y = x.float(), y.float()  # what a model has

# %%
# Rounding has moved the points a little, so the truth is the distance of the rounded ones, in
# float64. A rounding at radius r moves a point by sinh r times as much, the most that data in
# float32 can tell.
true = ours.dist(ours.proj(x.double()), ours.proj(y.double()))
found = {"geoopt": theirs.dist(x, y), "spaceforms": ours.dist(x, y)}
assert not found["spaceforms"].isnan().any()

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
for name, d in found.items():
    error = ((d.double() - true).abs() / true).nan_to_num(torch.inf)
    left.semilogy(radii, error.median(dim=1).values.clamp(1e-9, 1e2), label=name)
    right.plot(radii, ((error > 0.01) | d.isnan()).double().mean(dim=1), label=name)
    nan, worst = d.isnan().double().mean(), error[~d.isnan()].max()
    print(f"{name:11} NaN {nan:.1%}, worst error of the others {worst:.1e}")
moved = (true - 1).abs().median(dim=1).values
left.semilogy(radii, moved, ":", color="#777777", label="what rounding the points has done")
left.legend()
left.set(xlabel="radius of the points", ylabel="relative error (median)", ylim=(1e-9, 30))
right.set(xlabel="radius of the points", ylabel="share of pairs off by 1 % or NaN")
plt.show()

# %%
# The other way round, :func:`~spaceforms.manifolds.as_geoopt` lets geoopt's optimisers run on our
# geometry.
