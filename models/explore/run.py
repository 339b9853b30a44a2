"""From what was embedded to a page."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch

from ...datasets.disk import clean, write_text
from ...manifolds import Manifold
from ...plotting.projection import of_fixed_sign
from ..graphs.spanning import branches, spanning_tree
from .cloud import Cloud, read_cloud
from .layout import check_space, lay_out, of_tree
from .near import nearest
from .options import ExploreOptions
from .page import atlas, packed, write_html

_REACH = 3.2  # distance from the middle at which half of the points are first drawn, or nearer
_GROUPS = 8  # colours that are told apart
_NONE = "other"


def explore(options: ExploreOptions) -> int:
    """Run ``spaceforms explore``: how many points are on the page.

    Raises:
        OSError: something is not there.
        ValueError: something is not what it should be, or of a space that has no page.
    """
    cloud = read_cloud(options)
    check_space(cloud.manifold, options.source)
    page = write_html(page_data(cloud, nearest_count=options.nearest))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.out, page)
    return len(cloud.points)


@torch.no_grad()
def page_data(cloud: Cloud, *, nearest_count: int = 8) -> dict[str, Any]:
    """What the page is told, as static/data.js reads it."""
    words, count = _in_words(cloud.manifold), len(cloud.points)
    points, manifold = of_fixed_sign(cloud.points, cloud.manifold)
    tree = spanning_tree(count, cloud.parent, cloud.child) if len(cloud.parent) else None
    center = cloud.center
    if center is None and tree is not None:
        center = points[int(tree.order[0])]
    layout = lay_out(
        points,
        manifold=manifold,
        center=center,
        groups=cloud.labels if cloud.levels else None,
    )
    radius = torch.from_numpy(layout.radius.copy())
    near = nearest(points, manifold=manifold, k=nearest_count, radius=radius, bias=cloud.bias)
    middle = float(radius.median())
    data: dict[str, Any] = {
        "title": clean(cloud.title),
        "space": "hyperbolic" if layout.hyperbolic else "flat",
        "manifold": words,
        "note": layout.note,
        "names": [clean(name) for name in cloud.names],
        "polar": packed(layout.polar, "f8"),
        "radius": packed(layout.radius, "f4"),
        "unit": float(manifold.radius) if layout.hyperbolic else 1.0,
        "share": min(1.0, _REACH / middle) if layout.hyperbolic and middle > 0 else 1.0,
        "near": packed(near.index, "u4"),
        "distance": packed(near.distance, "f4"),
        "up": packed(near.inwards if tree is None else tree.up, "i4"),
        "biased": cloud.bias is not None,
    }
    groups = []
    if cloud.labels is not None:
        names, of = _label_groups(cloud)
        groups.append({"title": "Level" if cloud.levels else "Label", "names": names, "of": of})
    if tree is not None:
        heads, branch = branches(tree)
        names = [data["names"][k] for k in heads] + [_NONE]
        groups.append({"title": "Branch", "names": names, "of": packed(branch, "u1")})
        data |= {
            "parent": packed(cloud.parent, "u4"),
            "child": packed(cloud.child, "u4"),
            "depth": packed(np.minimum(tree.depth, 65535), "u2"),
            "below": packed(tree.below, "u4"),
            "order": packed(tree.order, "u4"),
        }
        if layout.hyperbolic:
            data["tree"] = packed(of_tree(tree.up), "f8")
    else:
        level = np.zeros(count, np.int64)
        if cloud.levels and cloud.labels is not None:  # the general ones come first
            place = {name: k for k, name in enumerate(dict.fromkeys(cloud.labels))}
            level = np.array([place[label] for label in cloud.labels])
        data["order"] = packed(np.lexsort((layout.radius, level)), "u4")
    data["groups"] = groups
    if cloud.images is not None and cloud.image_of is not None:
        data["pictures"] = atlas(cloud.images) | {"of": packed(cloud.image_of, "i4")}
    return data


def _label_groups(cloud: Cloud) -> tuple[list[str], str]:
    """Labels by how many points have them, the rarest together where they are too many."""
    assert cloud.labels is not None
    labels = [clean(label) for label in cloud.labels]
    names = list(dict.fromkeys(labels))
    if not cloud.levels:
        names = [name for name, _ in Counter(labels).most_common()]
    if len(names) > _GROUPS:
        names = [*names[: _GROUPS - 1], _NONE]
    place = {name: k for k, name in enumerate(names)}
    of = [place.get(label, len(names) - 1) for label in labels]
    return names, packed(np.array(of), "u1")


def _in_words(manifold: Manifold) -> str:
    name = type(manifold).__name__
    if manifold.sign == 0:
        return name
    return f"{name}, curvature {float(manifold.curvature):.4g}".replace("-", "−")
