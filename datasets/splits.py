"""What is trained on and what is held out.

Two questions can be asked of a model of names and pictures. *A new hand*: does it know a familiar
thing drawn in a style it has never seen? (split "vendor"; learnable, the main figure.) *A new
thing*: can it name a thing that no picture ever showed it? (split "concept"; the hard one.)
Split "both" asks both of one training.

Nothing held out is trained on: no picture of a held-out vendor or concept, and no caption that is
the name of a held-out concept or has it among its keywords (`Split.unspoken`). Words of such a name
do stand in others: "baby angel" is trained on where "baby" is held out.

A figure is reported only for what was really held out: `Split.tests` has no other entries, and is
empty where a split holds nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .concept import Concept

SPLITS = ("vendor", "concept", "both")


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of pictures: `train`, and named sets to test on.

    `unspoken` are the held-out concepts' names after `str.casefold()`, for `CaptionMix.unspoken`.

    Keys of `tests`, each an index array whose candidates are the names of its own concepts:

    - "vendor": all pictures of the held-out vendors. In split "both" some of their names were never
      seen; the next set leaves those out.
    - "vendor seen": (split "both") the held-out vendors' pictures of trained concepts.
    - "concept": held-out concepts (field `split` = "test") drawn by trained vendors.
    - "concept val": the same for `split` = "val"; for choosing hyper-parameters.
    - "vendor+concept": (split "both") held-out concepts drawn by the held-out vendors.

    `held_out` is what was given: a vendor, or several with commas between.
    """

    kind: str
    held_out: str | None
    train: NDArray[np.int64]
    tests: Mapping[str, NDArray[np.int64]]
    unspoken: frozenset[str] = frozenset()


def make_split(
    kind: str,
    *,
    vendor: NDArray[np.int64],
    concept: NDArray[np.int64],
    vendors: tuple[str, ...],
    concepts: Sequence[Concept],
    held_out: str,
) -> Split:
    """Split pictures with indices `vendor` (N,) of `vendors` and `concept` (N,) of `concepts`.

    `held_out` is one of the vendors, or several with commas between.
    """
    if kind not in SPLITS:
        raise ValueError(f"split is {kind!r}; expected one of {', '.join(SPLITS)}.")
    new_hand = np.zeros(len(vendor), np.bool_)
    for name in held_out.split(",") if kind != "concept" else ():
        if name not in vendors:
            raise ValueError(
                f"held_out is {held_out!r}, and {name!r} is no vendor; expected one of "
                f"{', '.join(vendors)}, or several with commas between."
            )
        new_hand |= vendor == vendors.index(name)
    side = np.asarray([c.split for c in concepts])[concept]
    test, val = side == "test", side == "val"
    new_thing = (test | val) if kind != "vendor" else test & False
    sets = {}
    if kind != "concept":
        sets["vendor"] = new_hand
    if kind == "both":
        sets["vendor seen"] = new_hand & ~new_thing
    if kind != "vendor":
        sets["concept"] = test & ~new_hand
        sets["concept val"] = val & ~new_hand
    if kind == "both":
        sets["vendor+concept"] = test & new_hand
    return Split(
        kind=kind,
        held_out=held_out if kind != "concept" else None,
        train=np.flatnonzero(~new_hand & ~new_thing),
        tests={name: np.flatnonzero(mask) for name, mask in sets.items() if mask.any()},
        unspoken=frozenset(
            c.name.casefold() for c in concepts if kind != "vendor" and c.split in ("test", "val")
        ),
    )
