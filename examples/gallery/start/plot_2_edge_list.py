"""
Embed my edge list
==================

``languages.tsv`` says of programming languages which grew out of which, ``parent<tab>child`` a
line. The command ``spaceforms embed languages.tsv --out DIR`` turns such a list into points;
from Python it is the same words.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from spaceforms.__main__ import main
from spaceforms.manifolds import NormalCoordinates, convert
from spaceforms.models import load_embedding
from spaceforms.plotting import names

folder = tempfile.mkdtemp()
edges = Path("../../data/languages.tsv")  # from the folder of this example
main(["embed", str(edges), "--out", folder, "--dim", "2", "--epochs", "150"])

# %%
# The folder holds vectors, names, a report; read again, it answers questions.
languages = load_embedding(folder)
print("nearest to TypeScript:", [near.name for near in languages.nearest("TypeScript", 4)])
print("ancestors of TypeScript:", languages.ancestors("TypeScript"))

# %%
# The points lie at radii up to 28, where of the Poincaré disk there is but a rim. Normal
# coordinates show every distance from the origin as it is, and edges are geodesics still.
space, points = languages.manifold, languages.points.double()
polar, t = NormalCoordinates(), torch.linspace(0, 1, 200, dtype=torch.float64)
ways = space.geodesic(points[languages.parent][:, None], points[languages.child][:, None], t)
place = convert(points, space, polar)

fig, ax = plt.subplots(figsize=(6.6, 6.6))
for way in convert(ways, space, polar):
    ax.plot(*way.T, color="#999999", linewidth=0.6)
general = torch.tensor([len(languages.ancestors(name)) for name in languages.names])
ax.scatter(*place.T, c=general, cmap="viridis_r", s=22, zorder=3)
ax.set(aspect="equal")
ax.set_axis_off()
order = general.argsort().tolist()
names(place[order], [languages.names[k] for k in order], ax=ax, most=60)
plt.show()
