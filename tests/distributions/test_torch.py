"""Citizens of torch.distributions: shapes, expansion, validation, dtypes, vmap, compilation."""

import copy
import math
import pickle

import pytest
import torch
from cases import points
from torch.distributions import Independent

from spaceforms.distributions import (
    OnManifold,
    PowerSpherical,
    RiemannianNormal,
    UniformBall,
    UniformSphere,
    VonMisesFisher,
    WrappedNormal,
)
from spaceforms.manifolds import Checked, Euclidean, Lorentz, PoincareBall, Sphere

F64 = torch.float64
SPHERE, LORENTZ = Sphere(0.3), Lorentz(-0.7)


def laws(batch=(), dtype=F64):
    x = points(SPHERE, 3, seed=1, dtype=dtype).expand(*batch, 4)
    y = points(LORENTZ, 3, seed=1, dtype=dtype).expand(*batch, 4)
    return [
        VonMisesFisher(SPHERE, x, 3.0),
        PowerSpherical(SPHERE, x, 3.0),
        RiemannianNormal(LORENTZ, y, 0.5),
        UniformBall(LORENTZ, 1.5, centre=y),
        WrappedNormal(LORENTZ, y, 0.5),
    ]


def named(law):
    return type(law).__name__


@pytest.mark.parametrize("k", range(5))
def test_shapes_are_those_of_torch(k):
    for batch in ((), (5,), (2, 5)):
        law = laws(batch)[k]
        assert (law.batch_shape, law.event_shape) == (batch, (4,))
        assert law.mean.shape == (*batch, 4)
        for size in ((), (7,), (7, 1, 3)):
            x = law.sample(size)
            assert x.shape == (*size, *batch, 4)
            assert not x.requires_grad
            assert law.log_prob(x).shape == (*size, *batch)
            assert law.rsample(size).shape == x.shape
        if law.batch_shape:
            assert Independent(law, 1).log_prob(law.sample()).shape == batch[:-1]


@pytest.mark.parametrize("k", range(5))
def test_expansion_repeats_the_law(k):
    law = laws()[k]
    wide = law.expand((6, 2))
    assert wide.batch_shape == (6, 2)
    x = law.sample((6, 2))
    torch.testing.assert_close(wide.log_prob(x), law.log_prob(x), rtol=1e-14, atol=1e-14)
    assert wide.sample((3,)).shape == (3, 6, 2, 4)
    assert type(wide) is type(law)
    assert wide.expand((4, 6, 2)).batch_shape == (4, 6, 2)


def test_parameters_and_centres_broadcast():
    sigma = torch.tensor([0.2, 0.5, 1.0], dtype=F64)
    y = points(LORENTZ, 4, 1, 3, seed=1)
    law = RiemannianNormal(LORENTZ, y, sigma)
    assert law.batch_shape == (4, 3)
    x = law.sample()
    one_by_one = [
        [RiemannianNormal(LORENTZ, y[i, 0], sigma[j]).log_prob(x[i, j]) for j in range(3)]
        for i in range(4)
    ]
    torch.testing.assert_close(law.log_prob(x), torch.tensor(one_by_one, dtype=F64))
    assert law.entropy().shape == law.mean_sqdist.shape == (4, 3)
    wrapped = WrappedNormal(LORENTZ, y, sigma)  # three components here
    assert wrapped.batch_shape == (4, 1)
    assert WrappedNormal(LORENTZ, y, sigma[:, None]).batch_shape == (4, 3)


def test_each_entry_of_a_batch_is_sampled_from_its_own_law():
    torch.manual_seed(0)
    kappa = torch.tensor([0.0, 1e2, 1e6], dtype=F64)
    law = VonMisesFisher(Sphere(), Sphere().origin(2, dtype=F64), kappa)
    mean = law.sample((2000,))[..., 0].mean(0)
    assert (mean - law.mean_cosine).abs().max() < 0.07
    torch.manual_seed(0)
    ball = UniformBall(Euclidean(), torch.tensor([1.0, 10.0]), n=3)
    reach = ball.sample((2000,)).norm(dim=-1).amax(0)
    assert (reach > torch.tensor([0.95, 9.5])).all()
    assert (reach <= torch.tensor([1.0, 10.0]) * (1 + 1e-6)).all()


def test_a_uniform_ball_is_zero_outside():
    law = UniformBall(PoincareBall(), 0.8, n=2)
    inside, outside = (PoincareBall().from_normal(torch.tensor([r, 0.0])) for r in (0.79, 0.81))
    assert law.log_prob(inside).isfinite()
    assert law.log_prob(outside) == -math.inf
    torch.testing.assert_close(law.entropy(), -law.log_prob(inside))


def test_a_ball_larger_than_the_sphere_is_the_sphere():
    torch.manual_seed(0)
    whole = UniformBall(Sphere(), 4.0, n=2)
    torch.testing.assert_close(whole.entropy(), UniformSphere(Sphere(), 2).entropy())
    height = whole.sample((4000,))[:, 0]
    # Archimedes: uniform in [-1, 1]. Five standard deviations: a false alarm in a million.
    assert abs(height.mean()) < 5 / math.sqrt(3 * 4000)
    assert height.min() < -0.99


@pytest.mark.parametrize("k", range(5))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_dtypes_are_computed_wide_and_rounded(k, dtype):
    law = laws((3,), dtype)[k]
    torch.manual_seed(0)
    x = law.rsample((4,))
    assert x.dtype == dtype
    assert law.support.check(x).all()
    value = law.log_prob(x)
    assert value.dtype == dtype
    wide = type(law)(
        law.manifold,
        *(
            (1.5, None, law.loc.double())
            if named(law) == "UniformBall"
            else (law.loc.double(), {"V": 3.0, "P": 3.0}.get(named(law)[0], 0.5))
        ),
        validate_args=False,
    )
    expected = wide.log_prob(x.double())
    # A distance has the rounding of the result of float32 or of the points given.
    tolerance = 4 * torch.finfo(dtype).eps if dtype != torch.float32 else 2e-5
    torch.testing.assert_close(value.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("k", range(5))
def test_densities_go_under_vmap_grad_and_jvp(k):
    law = laws()[k]
    x = law.sample((6,))
    plain = type(law).__new__(type(law))
    plain.__dict__.update(law.__dict__, _validate_args=False)  # a validation looks at values
    mapped = torch.vmap(plain.log_prob)(x)
    torch.testing.assert_close(mapped, law.log_prob(x), rtol=1e-13, atol=1e-13)
    gradient = torch.vmap(torch.func.grad(plain.log_prob))(x)
    assert gradient.isfinite().all()
    _, slope = torch.func.jvp(plain.log_prob, (x,), (torch.ones_like(x),))
    torch.testing.assert_close(slope, gradient.sum(-1), rtol=1e-10, atol=1e-10)


# The search for the mass unrolls into ten seconds of tracing.
@pytest.mark.parametrize(
    "kind",
    [
        WrappedNormal,
        pytest.param(VonMisesFisher, marks=pytest.mark.slow),
        pytest.param(RiemannianNormal, marks=pytest.mark.slow),
    ],
)
def test_a_density_is_one_graph_for_the_compiler(kind):
    sphere = Sphere(0.3)
    x, y = points(sphere, 2, 5, 3, seed=1)

    def value(x, y, p):
        return kind(sphere, x, p, validate_args=False).log_prob(y)

    p = torch.tensor(0.6, dtype=F64)
    torch.compiler.reset()
    compiled = torch.compile(value, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, y, p), value(x, y, p), rtol=1e-13, atol=1e-13)


def test_laws_are_copied_pickled_and_printed():
    for law in [*laws(), UniformSphere(SPHERE, 3)]:
        x = law.sample((2,))
        for other in (copy.deepcopy(law), pickle.loads(pickle.dumps(law))):
            torch.testing.assert_close(other.log_prob(x), law.log_prob(x))
        assert repr(law).startswith(f"{named(law)}({law.manifold!r}, ")
    assert repr(OnManifold(SPHERE)) == "OnManifold(Sphere(curvature=0.3))"


def test_a_checked_manifold_goes_through():
    y = points(LORENTZ, 3, seed=1)
    law = RiemannianNormal(Checked(LORENTZ), y, 0.5)
    x = law.sample((5,))
    torch.testing.assert_close(law.log_prob(x), RiemannianNormal(LORENTZ, y, 0.5).log_prob(x))


def test_the_uniform_law_of_the_sphere_has_no_parameter_but_all_else():
    law = UniformSphere(SPHERE, 3, dtype=F64).expand((2,))
    x = law.sample((5,))
    assert x.shape == (5, 2, 4)
    assert law.entropy().shape == (2,)
    torch.testing.assert_close(law.log_prob(x), -law.entropy().expand(5, 2))
    with pytest.raises(NotImplementedError):
        law.mean  # noqa: B018


def test_errors_say_what_is_wrong():
    y = points(LORENTZ, 3, seed=1)
    with pytest.raises(TypeError, match="RiemannianNormal: manifold is a str; expected"):
        RiemannianNormal("Lorentz", y, 1.0)
    with pytest.raises(TypeError, match="WrappedNormal: loc is a list"):
        WrappedNormal(LORENTZ, [1.0], 1.0)
    with pytest.raises(ValueError, match=r"RiemannianNormal: loc has shape \(1,\)"):
        RiemannianNormal(LORENTZ, y[:1], 1.0)
    with pytest.raises(TypeError, match="RiemannianNormal: scale is a str"):
        RiemannianNormal(LORENTZ, y, "1")
    with pytest.raises(TypeError, match=r"RiemannianNormal: scale has dtype torch\.int64"):
        RiemannianNormal(LORENTZ, y, torch.tensor(1))
    with pytest.raises(ValueError, match=r"WrappedNormal: scale has shape \(2,\)"):
        WrappedNormal(LORENTZ, y, torch.ones(2))
    with pytest.raises(ValueError, match=r"scale has leading axes \(2,\), which do not broadcast"):
        RiemannianNormal(LORENTZ, y.expand(3, 4), torch.ones(2))
    with pytest.raises(ValueError, match=r"VonMisesFisher: manifold is Lorentz.*expected a sphere"):
        VonMisesFisher(LORENTZ, y, 1.0)
    with pytest.raises(ValueError, match="UniformBall: n and centre are None"):
        UniformBall(LORENTZ, 1.0)
    with pytest.raises(ValueError, match=r"UniformBall: centre has shape \(4,\) and n is 7"):
        UniformBall(LORENTZ, 1.0, 7, y)
    with pytest.raises(ValueError, match="UniformSphere: n is 0"):
        UniformSphere(SPHERE, 0)
    with pytest.raises(NotImplementedError, match=r"WrappedNormal\.mode: there is none"):
        WrappedNormal(SPHERE, points(SPHERE, 3), 1.0).mode  # noqa: B018


def test_bad_values_are_refused_unless_told_otherwise():
    y = points(LORENTZ, 3, seed=1)
    for kind, value in (
        (RiemannianNormal, 0.0),
        (WrappedNormal, -1.0),
        (RiemannianNormal, math.nan),
    ):
        with pytest.raises(ValueError, match="Expected parameter scale"):
            kind(LORENTZ, y, value, validate_args=True)
    with pytest.raises(ValueError, match="Expected parameter concentration"):
        VonMisesFisher(SPHERE, points(SPHERE, 3), -1.0, validate_args=True)
    with pytest.raises(ValueError, match="Expected parameter loc"):
        RiemannianNormal(LORENTZ, 2 * y, 1.0, validate_args=True)
    law = RiemannianNormal(LORENTZ, y, 1.0, validate_args=True)
    with pytest.raises(ValueError, match="within the support"):
        law.log_prob(2 * y)
    assert RiemannianNormal(LORENTZ, 2 * y, 1.0, validate_args=False).log_prob(y).isfinite()
