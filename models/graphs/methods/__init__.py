"""The ways in which points may learn a graph: one file each, with its loss and its score.

A new method is a file with a subclass of :class:`Method`, and a line here.
"""

from .cones import Cones
from .disk import Disks
from .distances import Distances
from .method import Batch as Batch, Method as Method, Nodes as Nodes
from .order import OrderEmbedding
from .shadow import Penumbral, Umbral
from .stress import Stress

METHODS: dict[str, type[Method]] = {
    "distances": Distances,
    "stress": Stress,
    "cones": Cones,
    "umbral": Umbral,
    "penumbral": Penumbral,
    "order": OrderEmbedding,
    "disk": Disks,
}
