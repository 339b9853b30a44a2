"""Pictures of points, geodesics and cones with matplotlib (extra ``plot``).

Every function takes ``ax=None`` and returns its artists; none shows a window or changes a global
setting.
"""

from .curves import Cone as Cone, cone as cone, cone_sides as cone_sides, geodesics as geodesics
from .disk import Disk as Disk, disk as disk
from .names import names as names
from .projection import Projection as Projection, project_disk as project_disk
from .statistics import loss_curves as loss_curves, radius_histogram as radius_histogram
from .surfaces import Surface as Surface, hyperboloid as hyperboloid, sphere as sphere
from .thumbnails import thumbnails as thumbnails

__all__ = [
    "Cone",
    "Disk",
    "Projection",
    "Surface",
    "cone",
    "cone_sides",
    "disk",
    "geodesics",
    "hyperboloid",
    "loss_curves",
    "names",
    "project_disk",
    "radius_histogram",
    "sphere",
    "thumbnails",
]
