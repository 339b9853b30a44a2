"""An index of FAISS's, with candidates ranked by the manifold's own distance."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Sphere
from ..manifolds.checks import ArrayLike, check_integer, check_tensor, to_tensor
from ..manifolds.extras import import_extra
from .brute import Neighbours, brute_force, check_sets, nearest
from .forms import Form, at_rest, blocks, form_of

_KINDS: dict[str, type[Manifold]] = {
    kind.__name__: kind for kind in (Euclidean, Sphere, PoincareBall, Lorentz)
}
_ABOUT, _FAISS, _POINTS = "about.json", "index.faiss", "points.pt"
_PAIRS = 2**18  # pairs of query and candidate that are ranked at once
_MOST = 4096  # candidates of one query, before all points are


class Index:
    """Points of a manifold, to be searched for nearest neighbours; see :func:`build_index`.

    Attributes:
        manifold: the space, with the curvature it had when the index was built.
        points: (N, m), on the CPU.
        faiss_index: FAISS's own index, for its options:
            ``faiss.extract_index_ivf(index.faiss_index).nprobe = 32``.
        factory: FAISS's name of it.
        oversample: how many candidates are ranked for each neighbour asked for.
    """

    def __init__(
        self,
        manifold: Manifold,
        points: Tensor,
        faiss_index: Any,
        factory: str,
        oversample: int,
        form: Form | None = None,
    ) -> None:
        self.manifold, self.points = manifold, points
        self.faiss_index, self.factory, self.oversample = faiss_index, factory, oversample
        self._form = form or form_of(manifold, points)

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"Index({self.manifold}, {len(self)} points, {self.factory!r})"

    @torch.no_grad()
    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """The k nearest points of each query: (..., m) -> distances and indices, both (..., k).

        FAISS gives ``oversample * k`` candidates, ranked in float32 by an inner product; the
        manifold's distance ranks those, in float64. With ``factory="Flat"`` the result is that of
        :func:`brute_force`, always: from a bound of the rounding of FAISS's products it is known
        which queries may have a neighbour among the points that were left out, and these get
        more candidates, and in the end all points. Far out on a hyperbolic space that takes time,
        since the product's rounding grows with the square of cosh(r/R); the guide has figures.
        Other factories give what they find.

        The distances carry no gradient; where one is wanted, take
        ``manifold.dist(queries.unsqueeze(-2), points[indices])``.

        Raises:
            TypeError: no floating-point tensor.
            ValueError: shapes that do not agree, k out of range, or numbers that are not finite.
        """
        queries = to_tensor("Index.search", "queries", queries)
        check_tensor("Index.search", "queries", queries)
        rows = check_sets("Index.search", self.manifold, self.points, queries, k).cpu().double()
        distances = torch.full((len(rows), k), torch.inf, dtype=torch.float64)
        indices = torch.full((len(rows), k), -1)
        left, count = torch.arange(len(rows)), min(self.oversample * k, len(self))
        while len(left):
            some = rows[left]
            near, where, sure = self._candidates(some, k, count)
            distances[left], indices[left] = near, where
            left = left[~sure]
            if len(left) and count >= _MOST:
                rest = brute_force(self.manifold, self.points, rows[left], k)
                distances[left], indices[left] = rest
                break
            count = min(4 * count, len(self))
        shape = (*queries.shape[:-1], k)
        dtype = torch.promote_types(queries.dtype, self.points.dtype)
        return Neighbours(
            distances.reshape(shape).to(queries.device, dtype),
            indices.reshape(shape).to(queries.device),
        )

    def _candidates(self, rows: Tensor, k: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest among FAISS's candidates, and whether they are for certain."""
        score, found = self.faiss_index.search(self._form.queries(rows).float().numpy(), count)
        score, found = torch.from_numpy(score).double(), torch.from_numpy(found)
        near, where = [], []
        step = max(1, _PAIRS // count)
        for start in range(0, len(rows), step):
            some, candidates = rows[start : start + step], found[start : start + step]
            d = self.manifold.dist(some.unsqueeze(1), self.points[candidates].double())
            best = nearest(d.where(candidates >= 0, torch.inf), candidates, k)
            near.append(best[0])
            where.append(best[1])
        distances, indices = torch.cat(near), torch.cat(where)
        if self.factory != "Flat" or count == len(self):
            return distances, indices, torch.ones(len(rows), dtype=torch.bool)
        worst = score[:, -1] if self._form.squared_distances else -score[:, -1]
        last = distances[:, -1]
        sure = self._form.value(rows, last) < worst - self._form.noise(rows, last)
        return distances, indices, sure

    def save(self, path: str | Path) -> None:
        """Write the index into a folder, which is made: FAISS's file, the points, the space.

        All are written before the first takes the place of one of an earlier index. A process that
        is killed while they do leaves files of two indexes, which :func:`load_index` refuses. Takes
        the memory of the index once more: FAISS itself writes half a file without a word.

        Raises:
            OSError: the folder cannot be made, or a file not be written, as on a full disk; what
                was there before is whole.
        """
        folder, faiss = Path(path), _faiss("Index.save")
        parts = {name: folder / f"{name}.part" for name in (_FAISS, _POINTS, _ABOUT)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for part in parts.values():
                part.unlink(missing_ok=True)  # and no link that lies there is followed
            parts[_FAISS].write_bytes(faiss.serialize_index(self.faiss_index))
            torch.save(self.points, parts[_POINTS])
            about = {
                "manifold": type(self.manifold).__name__,
                "curvature": float(self.manifold.curvature),
                "factory": self.factory,
                "oversample": self.oversample,
                "digests": {name: _digest(parts[name]) for name in (_FAISS, _POINTS)},
            }
            about["digest"] = _digest_of(about)
            parts[_ABOUT].write_text(json.dumps(about, indent=1), "utf-8")
            for name, part in parts.items():
                os.replace(part, folder / name)
        except (OSError, RuntimeError) as error:  # torch's
            with suppress(OSError):
                for part in parts.values():
                    part.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
            raise OSError(
                f"Index.save: {folder}: could not be written: {reason.strip().rstrip('.')[:300]}. "
                "What was there before is whole."
            ) from error


@torch.no_grad()
def build_index(
    manifold: Manifold, points: ArrayLike, *, factory: str = "Flat", oversample: int = 4
) -> Index:
    """An index of points for nearest neighbours by geodesic distance.

    Nearest on the hyperboloid is of largest Minkowski product, on the sphere of largest dot
    product: both are the search for the largest inner product that FAISS is made for. PoincareBall
    is lifted to the hyperboloid; Euclidean is searched by FAISS's squared distance.

    >>> import torch
    >>> from spaceforms.manifolds import Lorentz
    >>> from spaceforms.search import build_index
    >>> space = Lorentz()
    >>> points = space.from_normal(torch.randn(1000, 8))
    >>> index = build_index(space, points)
    >>> distances, indices = index.search(points[:5], k=3)
    >>> indices[:, 0].tolist()
    [0, 1, 2, 3, 4]

    Args:
        manifold: Lorentz, PoincareBall, Sphere or Euclidean. A learnable curvature is that of
            now: when it has changed, build the index anew.
        points: (N, m), finite. The index keeps them (on the CPU, without a copy if they are
            there): do not write into them.
        factory: FAISS's name of an index. ``"Flat"`` compares with every point and is exact;
            ``"IVF1024,Flat"``, and on Sphere and Euclidean ``"HNSW32"``, are faster and find most
            neighbours: measure how many by :func:`brute_force`. An index that has to be trained
            is, on the points.
        oversample: candidates for each neighbour asked for, to be ranked by our distance.

    Raises:
        TypeError: a manifold that has no such form, or no floating-point tensor.
        ValueError: shapes or numbers that are no points, a factory that FAISS does not know or
            that does not suit the manifold, or oversample below 1.
        ModuleNotFoundError: FAISS is not installed.
    """
    points = to_tensor("search.build_index", "points", points)
    check_sets("search.build_index", manifold, points, None, 1)
    check_integer("search.build_index", "oversample", oversample, 1)
    if not isinstance(factory, str):
        raise TypeError(
            f"search.build_index: factory is a {type(factory).__name__}; expected FAISS's name of "
            "an index, such as 'Flat'."
        )
    faiss = _faiss("search.build_index")
    space, points = at_rest(manifold), points.detach().cpu()
    form = form_of(space, points)
    if not form.between_keys and any(graph in factory for graph in ("HNSW", "NSG")):
        raise ValueError(
            f"search.build_index: factory is {factory!r} and the manifold {space}; expected no "
            "graph of points, which FAISS would build by their dot product, not the Minkowski one."
        )
    keys = torch.cat([form.keys(block).float() for block in blocks(points)]).numpy()
    metric = faiss.METRIC_L2 if form.squared_distances else faiss.METRIC_INNER_PRODUCT
    try:
        theirs = faiss.index_factory(keys.shape[1], factory, metric)
    except RuntimeError as error:
        raise ValueError(
            f"search.build_index: factory is {factory!r}, which FAISS does not know; expected a "
            f"name such as 'Flat', 'IVF1024,Flat' or 'HNSW32'."
        ) from error
    try:
        if not theirs.is_trained:
            theirs.train(keys)
        theirs.add(keys)
    except RuntimeError as error:  # more cells than points, for instance, in C++'s words
        reason = str(error).rpartition("failed: ")[2] or str(error)
        raise ValueError(
            f"search.build_index: factory is {factory!r} with {len(points)} points, of which FAISS "
            f"can make no index ({reason.strip()[:200]}); expected fewer cells than points, or "
            "'Flat'."
        ) from error
    return Index(space, points, theirs, factory, oversample, form)


def load_index(path: str | Path) -> Index:
    """The index that :meth:`Index.save` wrote.

    Load folders of your own only: FAISS reads its file without distrust. Damage is found by the
    digests that the folder has of its files.

    Raises:
        FileNotFoundError: no such folder, or not one of an index.
        ValueError: files that are damaged, or not those that were saved together.
        ModuleNotFoundError: FAISS is not installed.
    """
    if not isinstance(path, str | Path):
        raise TypeError(
            f"search.load_index: path is a {type(path).__name__}; expected the path of a folder."
        )
    folder = Path(path)
    for name in (_ABOUT, _FAISS, _POINTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"search.load_index: {folder} has no {name}; expected a folder that Index.save "
                "wrote."
            )
    faiss = _faiss("search.load_index")
    where = folder / _ABOUT
    # Of a damaged file json, torch, pickle and FAISS have errors of all kinds.
    try:
        about = json.loads(where.read_bytes())
        if about.pop("digest") != _digest_of(about):
            raise ValueError("its content is not what was saved")
        kind, digests = _KINDS[about["manifold"]], dict(about["digests"])
        factory, oversample = about["factory"], about["oversample"]
        if not isinstance(factory, str) or type(oversample) is not int or oversample < 1:
            raise ValueError(f"factory is {factory!r} and oversample {oversample!r}")
        manifold = kind() if kind is Euclidean else kind(about["curvature"])
        for name in (_FAISS, _POINTS):
            where = folder / name
            if digests[name] != _digest(where):
                raise ValueError("its content is not what was saved")
        where = folder / _POINTS
        points = torch.load(where, weights_only=True)
        check_sets("search.load_index", manifold, points, None, 1)
        where = folder / _FAISS
        theirs = faiss.read_index(str(where))
        form = form_of(manifold, points)
        width = form.keys(points[:1]).shape[1]
        if theirs.ntotal != len(points) or theirs.d != width:
            raise ValueError(f"it has {theirs.ntotal} points of {theirs.d} numbers")
    except Exception as error:
        raise ValueError(
            f"search.load_index: {where}: expected the files of one index as Index.save wrote "
            f"them, but {str(error) or type(error).__name__}"[:400]
        ) from error
    return Index(manifold, points, theirs, factory, oversample, form)


def _digest_of(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _faiss(where: str) -> Any:
    with warnings.catch_warnings():
        # SWIG's types, on Python 3.12 and later.
        warnings.simplefilter("ignore", DeprecationWarning)
        return import_extra(where, "faiss", "search")
