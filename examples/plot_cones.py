"""Entailment cones and geodesics on the Poincaré disk, the hyperboloid and the sphere.

Run ``python examples/plot_cones.py``; it writes ``cones.png``. A cone holds the cones of all its
points, on every space of constant curvature.

It needs the extra ``plot``.
"""

import torch
from matplotlib.figure import Figure

from spaceforms.manifolds import Lorentz, Sphere
from spaceforms.plotting import cone, disk, geodesics, hyperboloid, save, sphere

RADII, ANGLES = (0.5, 0.9, 1.3), (-0.5, -0.6, -0.63)
WIDE = 0.2  # min_radius: cones twice as wide as the papers', to be seen
RIM = {"hyperboloid": 1.9, "sphere": torch.pi / 2}  # where cones end; the equator


def main() -> None:
    """Draw a chain of nested cones, and the geodesics along it, on three pictures."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    polar = torch.tensor([RADII, ANGLES], dtype=torch.float64)
    normal = (polar[0] * torch.stack([polar[1].cos(), polar[1].sin()])).T
    for k, title in enumerate(("Poincaré disk", "hyperboloid", "sphere"), start=1):
        manifold = Sphere(1.0) if title == "sphere" else Lorentz(-1.0)
        chain = manifold.from_normal(normal)
        ax = figure.add_subplot(1, 3, k, projection=None if k == 1 else "3d")
        if title == "Poincaré disk":
            disk(chain, manifold=manifold, ax=ax, rings=(1, 2, 3))
        elif title == "hyperboloid":
            view = (35, 165)  # into the bowl, the chain on its far side
            hyperboloid(chain, manifold=manifold, ax=ax, reach=RIM[title], view=view)
        else:
            sphere(chain, manifold=manifold, ax=ax, view=(30, -30))  # the chain in front
        for apex, r in zip(chain, RADII, strict=True):
            reach = None if k == 1 else RIM[title] - r
            cone(apex, manifold=manifold, ax=ax, min_radius=WIDE, alpha=0.2, reach=reach)
        path = torch.cat([manifold.origin(2, dtype=torch.float64).unsqueeze(0), chain])
        geodesics(path[:-1], path[1:], manifold=manifold, ax=ax)
        ax.set_title(f"{title}, K = {manifold.curvature.item():g}", fontsize=10)
    save(figure, "cones.png")


if __name__ == "__main__":
    main()
