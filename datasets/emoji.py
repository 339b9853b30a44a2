"""6,924 pictures of 1,576 concepts by five vendors, with names, keywords and a hierarchy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .concept import Concept, check_file, read_concepts
from .disk import read_arrays
from .hierarchy import Hierarchy
from .splits import Split, make_split

FILES = Path(__file__).resolve().parent / "files"
PICTURES, CONCEPTS = FILES / "emoji_pairs.npz", FILES / "emoji_concepts.json"
_ARRAYS = ("index", "palette", "vendor", "concept", "vendors")


@dataclass(frozen=True, eq=False, repr=False)
class EmojiData:
    """Pictures and what they show.

    `images` (N, S, S, 3) uint8 on white; `vendor` (N,) indexes `vendors` and `concept` (N,)
    indexes `concepts`. Made by `load_emoji`.
    """

    images: NDArray[np.uint8]
    vendor: NDArray[np.int64]
    concept: NDArray[np.int64]
    vendors: tuple[str, ...]
    concepts: tuple[Concept, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return (
            f"EmojiData({len(self):,} pictures of {self.size}x{self.size}, "
            f"{len(self.concepts):,} concepts, vendors={', '.join(self.vendors)})"
        )

    @property
    def size(self) -> int:
        """Side of a picture in pixels."""
        return int(self.images.shape[1])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The English name of each concept."""
        return tuple(concept.name for concept in self.concepts)

    @cached_property
    def languages(self) -> frozenset[str]:
        """The languages that concepts have names in, English among them."""
        return frozenset({"en"}.union(*(concept.names or {} for concept in self.concepts)))

    @cached_property
    def family(self) -> NDArray[np.int64]:
        """Family number of each concept, (concepts,): equal numbers, interchangeable concepts."""
        families = [concept.family for concept in self.concepts]
        return np.unique(families, return_inverse=True)[1]

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """The tree root > group > subgroup > name."""
        return Hierarchy.of(self.concepts)

    def split(self, kind: str = "vendor", *, held_out: str = "emojione") -> Split:
        """Indices to train and to test on; `kind` is "vendor", "concept" or "both".

        `held_out` is a vendor, or several with commas between.
        """
        return make_split(
            kind,
            vendor=self.vendor,
            concept=self.concept,
            vendors=self.vendors,
            concepts=self.concepts,
            held_out=held_out,
        )

    def by_vendor(self, held_out: str = "emojione") -> Split:
        """Train on every vendor but one, or but some, test on those: `split("vendor")`."""
        return self.split("vendor", held_out=held_out)

    def by_concept(self) -> Split:
        """Train on some concepts of every vendor, test on others: `split("concept")`."""
        return self.split("concept")


def load_emoji(
    path: str | PathLike[str] | None = None,
    concepts: str | PathLike[str] | None = None,
    *,
    size: int | None = None,
) -> EmojiData:
    """Read the packaged pictures, or any file of the same format.

    Args:
        path: an .npz with `index` (N, S, S) uint8 into `palette` (N, colours, 3) uint8, `vendor`
            (N,) into the list of names `vendors`, and `concept` (N,) into the concepts.
        concepts: a JSON file {"concepts": [...]}; see `Concept` for the keys.
        size: side in pixels, a divisor of the stored side (64): each pixel is the mean of a
            square block, rounded to nearest. The stored side by default.

    Raises ValueError with a sentence naming the file and what is wrong with it;
    FileNotFoundError, likewise, if there is none.
    """
    source = PICTURES if path is None else Path(path)
    table = read_concepts(CONCEPTS if concepts is None else Path(concepts))
    arrays = _read_arrays(source)
    index, palette = arrays["index"], arrays["palette"]
    vendors = arrays["vendors"]
    if vendors.ndim != 1 or vendors.dtype.kind != "U":
        raise ValueError(
            f"{source}: expected vendors, a list of texts, got {vendors.shape} {vendors.dtype}"
        )
    square = index.ndim == 3 and index.shape[1] == index.shape[2]
    if index.dtype != np.uint8 or not square or index.size == 0:
        raise ValueError(
            f"{source}: expected index (N, S, S) uint8, got {index.shape} {index.dtype}"
        )
    count = len(index)
    if palette.dtype != np.uint8 or palette.ndim != 3 or palette.shape[::2] != (count, 3):
        raise ValueError(
            f"{source}: expected palette ({count}, colours, 3) uint8, "
            f"got {palette.shape} {palette.dtype}"
        )
    if int(index.max()) >= palette.shape[1]:
        raise ValueError(
            f"{source}: index reaches {index.max()}, but palette has {palette.shape[1]} colours"
        )
    return EmojiData(
        images=_shrink(palette[np.arange(count)[:, None, None], index], size, source),
        vendor=_labels(arrays["vendor"], "vendor", count, len(vendors), source),
        concept=_labels(arrays["concept"], "concept", count, len(table), source),
        vendors=tuple(map(str, vendors)),
        concepts=table,
    )


def _read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    check_file(path, "an .npz archive of pictures")
    return read_arrays(path, _ARRAYS)


def _labels(
    values: NDArray[np.generic], what: str, count: int, classes: int, path: Path
) -> NDArray[np.int64]:
    if values.shape != (count,) or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"{path}: expected {what} ({count},) of integers, got {values.shape} {values.dtype}"
        )
    labels = values.astype(np.int64)
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"{path}: {what} must lie in 0..{classes - 1}, got {labels.min()}..{labels.max()}"
        )
    return labels


def _shrink(images: NDArray[np.uint8], size: int | None, path: Path) -> NDArray[np.uint8]:
    side = images.shape[1]
    if size is None or size == side:
        return images
    if size < 1 or side % size:
        raise ValueError(f"load_emoji: size must divide the side {side} of {path}, got {size}")
    step = side // size
    # Sums of at most 64*64 bytes: exact in 32 bits, halves round up.
    total = np.full((len(images), size, size, 3), step * step // 2, np.uint32)
    for row in range(step):
        for column in range(step):
            total += images[:, row::step, column::step]
    return np.asarray(total // (step * step), np.uint8)
