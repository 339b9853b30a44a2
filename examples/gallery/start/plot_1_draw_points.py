"""
Draw my n-dimensional points
============================

An encoder gives features of 16 numbers: here five topics, the subtopics of each, and documents.
``from_normal`` makes points of them, and :func:`~spaceforms.plotting.project_disk` brings the
points to a disk, which has room for a hierarchy as no flat picture has.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Lorentz, PoincareBall
from spaceforms.plotting import disk, project_disk, radius_histogram

topics = torch.randn(5, 16)
subtopics = topics[:, None] + 0.4 * torch.randn(5, 8, 16)
documents = subtopics[:, :, None] + 0.15 * torch.randn(5, 8, 12, 16)
levels = {"topic": (0.2, topics), "subtopic": (0.45, subtopics), "document": (0.75, documents)}
features = torch.cat([scale * v.reshape(-1, 16) for scale, v in levels.values()])
labels = [name for name, (_, v) in levels.items() for _ in range(v[..., 0].numel())]

space = Lorentz(curvature=-1.0)
points = space.from_normal(features)
print(points.shape)  # one coordinate more than the features: points of a hyperboloid

# %%
# The distance of every point from the origin is kept, and its direction is that of the first two
# principal components. What that costs is measured over all pairs, and belongs under the picture.
flat = project_disk(points, manifold=space)
print(f"mean distortion {flat.distortion:.0%}, rank correlation {flat.rank_correlation:.2f}")

# %%
# The radii, which the projection does not touch, tell general from particular.
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), width_ratios=[1.25, 1])
disk(flat.points, manifold=PoincareBall(), labels=labels, rings=(1, 2, 3, 4), ax=left)
radius = space.dist(space.origin(16), points)
radii = {name: radius[[label == name for label in labels]] for name in levels}
radius_histogram(radii, ax=right, label="origin", bins=24)
right.set_xlabel("distance from the origin")
plt.show()
