"""Random numbers addressed by name: a pure function of (seed, epoch, item, stream).

A generator that is advanced gives item i a number that depends on how many were drawn before, so
the number of workers, the batch size or an interruption would change a run. Here every number has
an address instead, hashed by the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), the
same idea as the counter-based generators of Salmon et al. (SC 2011).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # odd part of 2^64 / golden ratio: the step of SplitMix64
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The SplitMix64 finaliser: a bijection of 64-bit words that flips half the bits on average."""
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


def uniform(
    items: NDArray[np.int64], count: int, *, seed: int, epoch: int, stream: int
) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), shape (len(items), count); row k depends on items[k] alone.

    `stream` keeps uses apart: captions and augmentations of one item are independent.
    """
    state = np.zeros(1, np.uint64)
    for word in (seed, epoch, stream):
        state = _mix(state + np.asarray([word & 0xFFFFFFFFFFFFFFFF], np.uint64) + _GOLDEN)
    rows = _mix(state + items.astype(np.uint64) * _GOLDEN)[:, None]
    cells = _mix(rows + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)
    # The top 53 bits fill a double exactly, so 1.0 is never returned.
    return np.asarray((cells >> np.uint64(11)) * 2.0**-53, np.float64)


def permutation(count: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of `count` items in one epoch."""
    return np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, epoch]).permutation(count)
