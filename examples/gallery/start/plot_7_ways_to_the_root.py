"""
Ways to the root
================

Along the geodesic from a picture to the root one passes what is more and more general: the
traversals of MERU (Desai et al. 2023). :func:`~spaceforms.models.traverse` walks it and notes
the nearest text at each step. Some of the packaged emoji, placed by hand as a trained model
would place them: kinds at distance 0.9 from the root, names at 1.9, pictures at 3.6.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from spaceforms.datasets import Hierarchy, load_emoji
from spaceforms.manifolds import Lorentz
from spaceforms.models import traverse
from spaceforms.plotting import disk, geodesics, names, thumbnails

emoji = load_emoji()
kinds = ("animal-bird", "animal-marine", "animal-reptile", "animal-bug", "plant-flower")
kept = [k for k, concept in enumerate(emoji.concepts) if concept.subgroup in kinds]
tree = Hierarchy.of([emoji.concepts[k] for k in kept])
turn = torch.arange(len(kept), dtype=torch.float64) / len(kept) * 2 * torch.pi
below = torch.tensor(tree.ancestor("subgroup"))
middle = torch.stack([turn[below == k].mean() for k in tree.nodes("subgroup")])

# %%
# At each step the nearest of all texts is noted. A trained model with cones is given
# ``min_radius``, and then only those count whose cone holds the place.
space = Lorentz()


def at(radius: float, angle: torch.Tensor) -> torch.Tensor:
    return space.from_normal(radius * torch.stack([angle.cos(), angle.sin()], dim=-1))


texts = torch.cat([at(0.9, middle), at(1.9, turn)])
words = [tree.text(k) for k in (*tree.nodes("subgroup"), *tree.nodes("name"))]
chosen = [4, 12, 16, 27, 36, 43, 47, 54, 67, 71]
pictures = at(3.6, turn[chosen] + 0.01)
root = space.origin(2, dtype=torch.float64)
ways = traverse(pictures, texts, root, manifold=space)
for way in ways:
    print(" -> ".join([words[k] if k >= 0 else "root" for k in way.texts]))

# %%
fig, ax = plt.subplots(figsize=(6.4, 6.4))
disk(texts, manifold=space, ax=ax, size=8)
geodesics(pictures, root.expand_as(pictures), manifold=space, ax=ax, color="#D55E00")
images = emoji.images[[np.flatnonzero(emoji.concept == kept[k])[0] for k in chosen]]
thumbnails(pictures, images, manifold=space, ax=ax, size=0.14)
met = sorted({k for way in ways for k in way.texts if k >= 0})
names(texts[met], [words[k] for k in met], manifold=space, ax=ax, fontsize=8)
plt.show()
