"""The only losses and functions that know of processes: all others take the points they are given.

Both ways here give every process the loss of the whole batch, and to its own points W times the
gradient of that, W the number of processes: averaged over processes, as DistributedDataParallel
does, the gradients of all parameters are then those of one process with the whole batch.
"""

from .pairwise.distributed import ring_info_nce
from .pairwise.processes import gather

__all__ = ["gather", "ring_info_nce"]
