"""What a law draws, its manifold takes for points and its density for possible, in every dtype."""

import math

import pytest
import torch

from spaceforms.distributions import (
    RiemannianNormal,
    UniformBall,
    UniformSphere,
    VonMisesFisher,
    WrappedGeneralizedGaussian,
    WrappedNormal,
)
from spaceforms.manifolds import Checked, Euclidean, Lorentz, PoincareBall, Sphere, Stereographic

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
SPACES = (
    Euclidean(), Lorentz(-1.5486), PoincareBall(-1.5486), Stereographic(-1e-3), Sphere(1e3),
    Stereographic(1.0),
)  # fmt: skip


def laws(space, n, dtype):
    r = 1.0 if space.sign == 0 else abs(space.curvature.item()) ** -0.5
    origin = space.origin(n, dtype=dtype)
    v = torch.randn(3, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    far = space.from_normal((v / v.norm(dim=-1, keepdim=True) * 2 * r).to(dtype))
    for centre in (origin, far):
        yield WrappedNormal(space, centre, 5.0 * r if space.sign <= 0 else 0.3 * r)
        yield WrappedGeneralizedGaussian(space, centre, 0.2 * r, 1.5)
        yield RiemannianNormal(space, centre, 0.7 * r)
        yield UniformBall(space, 1.5 * r, centre=centre)
    if isinstance(space, Sphere):
        yield VonMisesFisher(space, far, 10.0)
        yield UniformSphere(space, n, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_law_takes_its_own_samples_for_points_of_positive_density(space, dtype):
    torch.manual_seed(0)
    for n in (1, 16):
        for law in laws(space, n, dtype):
            x = law.sample((40,))
            assert x.dtype == dtype
            assert space.is_point(x).all(), (n, law)
            assert law.log_prob(x).isfinite().all(), (n, law)  # raises for what is no point


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_a_checked_manifold_takes_the_samples_of_its_laws(dtype):
    space = Checked(Lorentz(-0.7))
    for law in laws(space, 3, dtype):
        assert law.log_prob(law.rsample((5,))).isfinite().all()


def test_a_small_ball_far_out_has_its_own_samples_inside_and_no_others():
    torch.manual_seed(0)
    space = Lorentz()
    v = torch.randn(16)
    law = UniformBall(space, 0.01, centre=space.from_normal(12 * v / v.norm()))
    assert law.log_prob(law.sample((200,))).isfinite().all()
    # The rounding of coordinates there is eps sinh(12) = 0.01 long; ten of it are beyond.
    other = space.from_normal(12.5 * v / v.norm())
    assert law.log_prob(other) == -math.inf
    near = UniformBall(space, 0.01, 16)
    assert near.log_prob(space.from_normal(v / v.norm() * 0.01002)) == -math.inf
