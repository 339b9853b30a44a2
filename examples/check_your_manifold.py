"""The conformance suite on geoopt's manifolds: what holds, and which examples break the rest.

Run ``python examples/check_your_manifold.py``, or with ``--strict`` for tolerances of backward
stability instead of a hundred times that; needs the extras ``validation`` and ``optim``.
"""

import sys
import warnings

import torch

from spaceforms.manifolds import Lorentz
from spaceforms.validation import ConformanceError, check_manifold

warnings.filterwarnings("ignore", message=r".*torch\.jit.*")  # geoopt compiles at import

import geoopt  # noqa: E402

MANIFOLDS = [
    Lorentz(curvature=-1.0),
    geoopt.Euclidean(ndim=1),
    geoopt.Sphere(),
    geoopt.Lorentz(),
    geoopt.PoincareBall(),
]


def main() -> None:
    """Print one report for each manifold and dtype."""
    loosen = 1.0 if "--strict" in sys.argv[1:] else 100.0
    torch.set_num_threads(1)  # an example is one point: threads would only wait for each other
    for manifold in MANIFOLDS:
        for dtype in (torch.float64, torch.float32):
            try:
                report = check_manifold(
                    manifold.to(dtype), dtype=dtype, examples=40, max_radius=2.0, loosen=loosen
                )
            except ConformanceError as error:
                report = error.report
            print(report, end="\n\n")


if __name__ == "__main__":
    main()
