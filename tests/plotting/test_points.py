"""What every artist takes for points: tensors, arrays and lists, if they are of the space."""

import math

import numpy as np
import pytest
import torch

from spaceforms import plotting
from spaceforms.manifolds import Euclidean, HalfSpace, Lorentz, PoincareBall, Sphere, Stereographic

LORENTZ, SPHERE = Lorentz(-0.5), Sphere(0.5)
V = torch.randn(8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
X = LORENTZ.from_normal(V)
CALLS = {
    "disk": lambda x, m: plotting.disk(x, manifold=m),
    "disk, normal": lambda x, m: plotting.disk(x, manifold=m, chart="normal"),
    "hyperboloid": lambda x, m: plotting.hyperboloid(x, manifold=m),
    "sphere": lambda x, m: plotting.sphere(x, manifold=m),
    "geodesics": lambda x, m: plotting.geodesics(x[:4], x[4:], manifold=m),
    "cone": lambda x, m: plotting.cone(x[0], manifold=m),
    "cone_sides": lambda x, m: plotting.cone_sides(x[0], manifold=m),
    "project_disk": lambda x, m: plotting.project_disk(x, manifold=m),
    "center": lambda x, m: plotting.project_disk(x, manifold=m, center=x[0]),
    "horopca": lambda x, m: plotting.project_disk(x, manifold=m, method="horopca"),
    "small_multiples": lambda x, m: plotting.small_multiples([("a", x, m)], edges=[(0, 1)]),
    "draw_tree": lambda x, m: plotting.draw_tree([(0, 1), (0, 7)], points=x, manifold=m),
    "names": lambda x, m: plotting.names(x, list("abcdefgh"), manifold=m),
    "thumbnails": lambda x, m: plotting.thumbnails(x, np.zeros((8, 2, 2, 3), np.uint8), manifold=m),
}
ROUND = ("disk, normal", "sphere", "geodesics", "cone", "project_disk", "small_multiples", "names")
CASES = [(call, LORENTZ) for call in CALLS if call != "sphere"]
CASES += [(call, SPHERE) for call in ROUND]


@pytest.mark.parametrize(("call", "manifold"), CASES, ids=str)
def test_arrays_and_lists_are_taken_and_features_are_refused(call, manifold):
    x = manifold.from_normal(V)
    CALLS[call](x, manifold)
    CALLS[call](x.numpy(), manifold)
    CALLS[call](x.tolist(), manifold)
    CALLS[call](x.float().bfloat16(), manifold)
    nan = x.clone()
    nan[0, 1] = math.nan
    with pytest.raises(ValueError, match=r"1 of .* not finite|of apex are not finite"):
        CALLS[call](nan.numpy(), manifold)
    # Numbers as a network makes them, of the right width: half of the times are even negative.
    with pytest.raises(ValueError, match=r"are no points of .*from_normal makes them of features"):
        CALLS[call](torch.randn(x.shape, generator=torch.Generator().manual_seed(1)), manifold)


def test_arrays_give_what_tensors_do():
    found = plotting.project_disk(X, manifold=LORENTZ, center=X[0])
    again = plotting.project_disk(X.numpy(), manifold=LORENTZ, center=X[0].tolist())
    torch.testing.assert_close(again.points, found.points, rtol=0, atol=0)
    one, two = (plotting.disk(x, manifold=LORENTZ).points[0] for x in (X, X.tolist()))
    np.testing.assert_array_equal(one.get_offsets(), two.get_offsets())


@pytest.mark.parametrize(
    "manifold",
    [LORENTZ, PoincareBall(-3.0), HalfSpace(-0.1), Stereographic(-2.0), Lorentz(-1e-4)],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_points_rounded_to_any_dtype_are_still_points(manifold, dtype):
    x = manifold.from_normal(2 * V / V.norm(dim=-1).max()).to(dtype)
    plotting.disk(x, manifold=manifold)
    with pytest.raises(ValueError, match=r"dimension 1 on|no points of|more than"):
        plotting.disk(x[:, :-1], manifold=manifold)  # a coordinate is missing
    assert plotting.disk(V, manifold=Euclidean(), chart="normal").points
