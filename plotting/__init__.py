"""Pictures of points, geodesics and cones with matplotlib (extra ``plot``).

Every function takes ``ax``, an axes to draw on, and returns its artists. Without one it makes a
figure of pyplot's, as ``plt.subplots`` does: notebooks show it below the cell, ``plt.show()`` in a
window, and it is kept until ``plt.close``. None shows a window by itself or changes a global
setting.
"""

from . import _needs as _needs  # first, for its sentence
from .animation import recentring as recentring
from .backdrops import (
    equidistants as equidistants,
    horocycles as horocycles,
    polar_grid as polar_grid,
    tiling as tiling,
)
from .curves import Cone as Cone, cone as cone, cone_sides as cone_sides, geodesics as geodesics
from .disk import Disk as Disk, disk as disk
from .fields import field as field
from .files import save as save
from .layout import TreeLayout as TreeLayout, tree_layout as tree_layout
from .multiples import caption as caption, small_multiples as small_multiples
from .names import names as names
from .projection import Projection as Projection, project_disk as project_disk
from .statistics import (
    loss_curves as loss_curves,
    radius_histogram as radius_histogram,
    rank_histogram as rank_histogram,
)
from .surfaces import Surface as Surface, hyperboloid as hyperboloid, sphere as sphere
from .thumbnails import thumbnails as thumbnails
from .trees import Tree as Tree, draw_tree as draw_tree

__all__ = [
    "Cone",
    "Disk",
    "Projection",
    "Surface",
    "Tree",
    "TreeLayout",
    "caption",
    "cone",
    "cone_sides",
    "disk",
    "draw_tree",
    "equidistants",
    "field",
    "geodesics",
    "horocycles",
    "hyperboloid",
    "loss_curves",
    "names",
    "polar_grid",
    "project_disk",
    "radius_histogram",
    "rank_histogram",
    "recentring",
    "save",
    "small_multiples",
    "sphere",
    "thumbnails",
    "tiling",
    "tree_layout",
]
