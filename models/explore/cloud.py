"""What a page is made of, read from where other commands and programs left it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import normalize

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets.disk import MOST_PICTURE, MOST_TABLE, is_file, printable, read_file, to_text
from ...datasets.pictures import SUFFIXES, decode
from ...manifolds import Manifold
from ...plotting._axes import at_hand
from ..graphs.edges import read_graph
from ..graphs.embedding import VECTORS, load_embedding, load_tensors
from .layout import check_space
from .options import SPACES, ExploreOptions, space_of

Ints = NDArray[np.int64]
_SIDE, _SMALL, _MANY = 64, 32, 4_000  # pixels of a thumbnail; from how many on they are small
_NAMED = 3  # names in a message
_NAME_WORDS = frozenset(  # what a header calls a column of names, which may be numbers
    ["", "name", "names", "id", "index", "item", "key", "label", "node", "title", "word"]
)


@dataclass(frozen=True)
class Cloud:
    """Points with what is known of them."""

    points: Tensor
    """(N, m)."""
    manifold: Manifold
    names: tuple[str, ...]
    title: str
    parent: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """(E,), the upper ends of edges."""
    child: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """(E,), their lower ends."""
    bias: Tensor | None = None
    labels: tuple[str, ...] | None = None
    levels: bool = False
    """Whether the labels are levels of a model, which a projection centres one by one."""
    center: Tensor | None = None
    """What is in the middle; the most general node of the edges or the origin if None."""
    images: NDArray[np.uint8] | None = None
    """(P, S, S, 3), thumbnails."""
    image_of: Ints | None = None
    """(N,), of each point its thumbnail, or -1."""


def read_cloud(options: ExploreOptions) -> Cloud:
    """Read SOURCE and the files beside it.

    Raises:
        OSError: something is not there.
        ValueError: something is not what it should be.
    """
    source = options.source
    if source.is_dir():
        if options.curvature is not None:
            raise ValueError(
                f"curvature is {options.curvature}; expected none for a folder, which has its own."
            )
        known = is_file(source / VECTORS)
        if known and options.data is not None:
            raise ValueError(f"data is {options.data}; expected none for an embedding.")
        cloud = _embedding(source) if known else _run(source, options.data)
    else:
        if options.data is not None:
            raise ValueError(f"data is {options.data}; expected none for a file of points.")
        cloud = _file(source, options)
    if options.title:
        cloud = replace(cloud, title=options.title)
    if options.names is not None:
        cloud = replace(cloud, names=_lines(options.names, len(cloud.points), "names"))
    if options.labels is not None:
        found = _lines(options.labels, len(cloud.points), "labels")
        cloud = replace(cloud, labels=found, levels=False)
    if options.edges is not None:
        cloud = _with_edges(cloud, options.edges)
    if options.thumbnails is not None:
        cloud = _with_thumbnails(cloud, options.thumbnails)
    return cloud


def _embedding(folder: Path) -> Cloud:
    found = load_embedding(folder)
    return Cloud(
        *(found.points, found.manifold, found.names),
        title=folder.resolve().name,
        parent=found.parent.numpy(),
        child=found.child.numpy(),
        bias=found.bias,
    )


def _run(folder: Path, data: Path | None) -> Cloud:
    """A trained model's pictures and texts, each level a label."""
    from ..evaluation.evaluate import points_by_level
    from ..evaluation.figures import MOST_DRAWN
    from ..evaluation.hierarchy import level_texts
    from ..evaluation.run import load_run
    from ..evaluation.run_data import run_pictures
    from ..training.checkpoint import CONFIG

    if not is_file(folder / CONFIG):
        raise FileNotFoundError(
            f"{folder} has neither {VECTORS} nor {CONFIG}; expected a folder that `spaceforms "
            "embed` or `spaceforms train` wrote, or a file of points."
        )
    run = load_run(folder)
    pictures, tests, *_ = run_pictures(run, data, most=MOST_DRAWN)
    index = next(iter(tests.values()))  # the main test set
    levels = points_by_level(run, pictures, index)
    texts = level_texts(pictures, index)
    texts["picture"] = [pictures.names[c] for c in pictures.concept[index]]
    words = sum(len(texts[level]) for level in levels if level != "picture")
    image_of = np.full(words + len(index), -1)
    image_of[words:] = np.arange(len(index))
    return Cloud(
        torch.cat(list(levels.values())),
        run.manifold,
        tuple(name for level in levels for name in texts[level]),
        title=f"{run.config.model.upper()}: {folder.resolve().name}",
        labels=tuple(level for level, points in levels.items() for _ in points),
        levels=True,
        center=run.root,
        images=pictures.images[index],
        image_of=image_of,
    )


def _file(path: Path, options: ExploreOptions) -> Cloud:
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: expected a folder that `spaceforms embed` or `spaceforms train` wrote, or a "
            "file of points, found no such thing."
        )
    suffix = path.suffix.lower()
    names: Sequence[str] | None = None
    if suffix == ".safetensors":
        points = _of_tensors(path)
    elif suffix == ".npy":
        points = _of_npy(path)
    elif suffix in (".csv", ".tsv"):
        points, names = _of_table(path, "," if suffix == ".csv" else "\t")
    else:
        raise ValueError(
            f"{path}: expected a folder, or a file of points called .safetensors, .npy, .csv or "
            f".tsv, got {suffix or 'no suffix'}."
        )
    if points.ndim != 2 or not len(points):
        raise ValueError(
            f"{path}: expected points (N, m), one a row, got shape {tuple(points.shape)}."
        )
    manifold = space_of(options)
    if points.shape[1] <= manifold.ambient_dim(0):
        raise ValueError(
            f"{path}: expected more than {manifold.ambient_dim(0)} coordinates on {manifold}, got "
            f"{points.shape[1]}."
        )
    check_space(manifold, path)
    shown = ", ".join(space for space in SPACES if space != "sphere")
    try:
        at_hand(points, manifold, str(path))
    except ValueError as error:
        raise ValueError(
            f"{error} They are taken for points of --manifold {options.manifold} with --curvature "
            f"{float(manifold.curvature):g}; --manifold may be {shown}."
        ) from None
    names = names or tuple(str(k) for k in range(len(points)))
    return Cloud(points, manifold, tuple(names), title=path.stem)


def _of_tensors(path: Path) -> Tensor:
    found = load_tensors(path)
    if "points" not in found and len(found) != 1:
        raise ValueError(
            f"{path}: expected a tensor called points, or one alone, got "
            f"{', '.join(found)[:200] or 'none'}."
        )
    points = found["points"] if "points" in found else next(iter(found.values()))
    return points if points.dtype == torch.float32 else points.double()


def _of_npy(path: Path) -> Tensor:
    content = read_file(path, 2**32)
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        return torch.from_numpy(np.asarray(found, dtype=np.float64))
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise ValueError(f"{path}: expected an array of numbers, got {error}.") from error


def _of_table(path: Path, sign: str) -> tuple[Tensor, tuple[str, ...] | None]:
    """Numbers of a table; a first row of words is a header, a first column of words has names, and
    so has one of numbers that the header calls so."""
    text, whole = to_text(read_file(path, MOST_TABLE))
    if not whole:
        raise ValueError(f"{path}: expected text in UTF-8, got other bytes.")
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=sign) if any(row)]
    first = [cell.strip().lower() for cell in rows[0]] if rows else []
    # pandas calls columns 0, 1, 2 and its index, which stands first, nothing.
    counted = first[:1] == [""] and first[1:] == [str(k) for k in range(len(first) - 1)]
    headed = counted or not any(map(_is_number, first[1:] or first))
    rows = rows[headed:]
    if not rows:
        raise ValueError(f"{path}: expected rows of numbers, got none.")
    named = headed and len(first) > 1 and first[0] in _NAME_WORDS
    named = named or any(not _is_number(row[0]) for row in rows)
    table = [row[1:] if named else row for row in rows]
    for k, row in enumerate(table):
        wrong = next((cell for cell in row if not _is_number(cell)), None)
        if wrong is not None or len(row) != len(table[0]):
            got = f"{len(row)} numbers" if wrong is None else repr(printable(wrong[:60]))
            edges = " (Edges become points by `spaceforms embed`.)" * (wrong is not None)
            wanted = f"{len(table[0])} number{'s' * (len(table[0]) > 1)}"
            raise ValueError(
                f"{path}: expected {wanted} in row {k + 1} of the points, got {got}.{edges}"
            )
    points = torch.tensor([[float(cell) for cell in row] for row in table], dtype=torch.float64)
    return points, tuple(row[0] for row in rows) if named else None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _lines(path: Path, count: int, what: str) -> tuple[str, ...]:
    """One text a line, as many as there are points."""
    text, whole = to_text(read_file(path, MOST_TABLE))
    if not whole:
        raise ValueError(f"{path}: expected text in UTF-8, got other bytes.")
    found = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(found) != count:
        raise ValueError(f"{path}: expected {count:,} {what}, one a line, got {len(found):,}.")
    return tuple(found)


def _with_edges(cloud: Cloud, path: Path) -> Cloud:
    graph = read_graph(str(path))
    place = {normalize("NFC", name): k for k, name in enumerate(cloud.names)}  # as in the graph
    unknown = [name for name in graph.names if name not in place]
    if unknown:
        first = ", ".join(repr(printable(name)) for name in unknown[:_NAMED])
        raise ValueError(
            f"{path}: expected edges between the {len(place):,} names of the points, got "
            f"{len(unknown):,} other names ({first})."
        )
    row = np.array([place[name] for name in graph.names])
    return replace(cloud, parent=row[graph.parent], child=row[graph.child])


def _with_thumbnails(cloud: Cloud, folder: Path) -> Cloud:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder of pictures, found no such folder.")
    files = {
        normalize("NFC", path.stem): path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
    }
    side = _SIDE if len(cloud.names) <= _MANY else _SMALL
    images, image_of = list[NDArray[np.uint8]](), np.full(len(cloud.names), -1)
    for k, name in enumerate(normalize("NFC", name) for name in cloud.names):
        if name not in files:
            continue
        image_of[k] = len(images)
        try:
            images.append(decode(read_file(files[name], MOST_PICTURE), side))
        except ValueError as error:
            raise ValueError(f"{files[name]}: {error}.") from error
    if not images:
        raise ValueError(
            f"{folder}: expected pictures called as the points are, as "
            f"{printable(cloud.names[0])}.png, got none of {len(files):,}."
        )
    return replace(cloud, images=np.stack(images), image_of=image_of)
