"""The packaged emoji, and folders, as pairs that `write_shards` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .captions import CaptionMix, draw_captions
from .emoji import EmojiData
from .pair import Fault, Pairs
from .pictures import check_picture, encode_png

Row = tuple[str, str, bytes, dict[str, Any]]


def emoji_rows(
    data: EmojiData,
    indices: NDArray[np.int64],
    *,
    mix: CaptionMix | None = None,
    captions: int = 8,
    seed: int = 0,
) -> Iterator[Row]:
    """Pictures ``indices`` in a random order, each with up to ``captions`` different captions, and
    its group and subgroup as the texts above them."""
    levels = [data.hierarchy.ancestor(level) for level in ("group", "subgroup")]
    for index in np.random.default_rng(seed).permutation(indices):
        c = data.concept[index]
        concept = data.concepts[c]
        drawn = dict.fromkeys(
            draw_captions([concept], np.array([index]), seed=seed, epoch=k, mix=mix)[0]
            for k in range(captions)
        )
        key = f"{index:06}-{data.vendors[data.vendor[index]]}"
        content = {
            "caption": list(drawn),
            "family": concept.family,
            "general": [data.hierarchy.text(above[c]) for above in levels],
        }
        yield key, ".png", encode_png(data.images[index]), content


def pair_rows(
    pairs: Pairs, *, seed: int = 0, skipped: Callable[[Fault], object] | None = None
) -> Iterator[Row]:
    """The pairs of a folder or of other shards in a random order, their picture files as they are.

    What is no pair, and files that are gone or do not begin as a picture, are left out. Of a folder
    by someone else take ``Folder(path, links=False)``: then nothing outside of it can be named.

    Args:
        pairs: a `Folder` or `Shards`.
        seed: of the order.
        skipped: called with each fault.
    """
    tell = skipped or (lambda fault: None)
    found = []
    for item in pairs.in_order():
        if isinstance(item, Fault):
            tell(item)
        else:
            found.append(item)
    for k in np.random.default_rng(seed).permutation(len(found)):
        pair = found[k]
        try:
            picture = pair.read()
            check_picture(picture)
        except (ValueError, OSError) as error:
            tell(Fault("pictures unreadable", f"{pair.path}: {pair.key}: {error}"))
            continue
        content: dict[str, Any] = {"caption": list(pair.captions), "family": pair.family}
        if pair.general:
            content["general"] = list(pair.general)
        yield f"{k:09}", pair.suffix, picture, content
