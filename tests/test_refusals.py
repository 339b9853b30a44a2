"""What no function of any room takes: the kinds of tensors, shapes and numbers, each by a name."""

import math

import numpy as np
import pytest
import torch

from spaceforms import losses
from spaceforms.distributions import WrappedNormal
from spaceforms.losses import metrics
from spaceforms.manifolds import (
    Lorentz,
    PoincareBall,
    Sphere,
    ball_volume,
    busemann,
    log_ball_volume,
    log_sphere_area,
    sphere_area,
)
from spaceforms.search import brute_force
from spaceforms.stats import geometric_median, pga

L = Lorentz(-0.5)
X = L.from_normal(torch.linspace(-1, 1, 12).reshape(4, 3))
GIVEN = {  # where nobody asks a gradient these are taken for tensors, elsewhere they are none
    "array": lambda x: x.numpy(),
    "list": lambda x: x.tolist(),
}
KINDS = {
    "complex": lambda x: x.to(torch.complex64),
    "boolean": lambda x: x > 0,
    "whole": lambda x: x.long(),
    "sparse": lambda x: x.to_sparse(),
    "float8": lambda x: x.to(torch.float8_e4m3fn),
    "quantised": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
    "nested": lambda x: torch.nested.nested_tensor([x, x]),
    "words": lambda x: np.full(x.shape, "a"),
    "ragged": lambda x: [[1.0, 2.0], [1.0]],
    "none": lambda x: None,
}
DOORS = {
    "dist": (lambda x: L.dist(X, x), "y"),
    "busemann": (lambda x: busemann(L, x, X[..., 1:]), "x"),
    "volume": (lambda r: ball_volume(L, r, 3), "radius"),
    "info_nce": (lambda x: losses.info_nce(X, x, manifold=L, scale=1.0), "y"),
    "entailment": (lambda x: losses.entailment(x, X, manifold=L), "parent"),
    "order": (lambda x: losses.order_embedding(X, x), "child"),
    "metric": (lambda x: metrics.pit(x, X, X, X), "x"),
    "law": (lambda x: WrappedNormal(L, x, 1.0), "loc"),
    "statistic": (lambda x: geometric_median(L, x), "x"),
    "components": (lambda x: pga(L, x, 1), "x"),
    "search": (lambda x: brute_force(L, X, x, 1), "queries"),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", DOORS)
def test_tensors_of_other_kinds_are_refused_by_name(door, kind):
    call, name = DOORS[door]
    with pytest.raises(TypeError, match=rf"\b{name} (is|has) .*; expected a "):
        call(KINDS[kind](X))


@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize("door", DOORS)
def test_arrays_are_taken_where_nobody_trains_and_refused_elsewhere(door, kind):
    call, name = DOORS[door]
    if door in ("statistic", "components", "search"):
        call(GIVEN[kind](X))
        return
    with pytest.raises(TypeError, match=rf"\b{name} (is|has) .*; expected a "):
        call(GIVEN[kind](X))


@pytest.mark.parametrize("door", ["dist", "busemann", "info_nce", "entailment", "order"])
def test_tensors_on_two_devices_are_refused_by_name(door):
    call, name = DOORS[door]
    with pytest.raises(
        ValueError, match=rf"\b({name}|x|ideal|child) is on (meta|cpu) and .* is on"
    ):
        call(X.to("meta"))


def test_pairs_of_one_axis_and_two_make_no_table():
    one, two = torch.rand(4), torch.rand(4, 1)
    law = {"loc": one, "log_scale": one, "shape": one}
    sentence = r"which broadcast to a table \(4, 4\); expected entries in pairs"
    for call in (
        lambda: losses.generalized_gaussian_nll(two, **law),
        lambda: losses.cone_log_prob(one, two, 1.0),
        lambda: losses.cone_log_prob(one, one, two),
        lambda: losses.cone_nll(X, X, two, manifold=L),
        lambda: metrics.pit(one, one, two, one),
        lambda: metrics.aleatoric_variance(one, two),
        lambda: losses.probvlm_surrogate_nll(one, two, one, one),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()
    # On purpose: axes of both, a number for all, one row for each of several.
    assert losses.generalized_gaussian_nll(
        two, one[None], one[None], one[None], reduction="none"
    ).shape == (4, 4)
    assert losses.cone_log_prob(torch.rand(3, 4), one, torch.tensor(1.0)).shape == (3, 4)


def test_points_of_two_widths_are_refused_where_only_their_radii_count():
    with pytest.raises(ValueError, match=r"child has shape \(4, 9\) and parent has shape \(4, 4\)"):
        losses.radial_order(X, torch.rand(4, 9), manifold=L)


@pytest.mark.parametrize("scale", [math.inf, math.nan, 0.0, torch.tensor(math.inf)])
def test_a_scale_of_no_size_is_refused(scale):
    with pytest.raises(ValueError, match=r"info_nce: scale is (inf|nan|0\.0); expected a positive"):
        losses.info_nce(X, X, manifold=L, scale=scale)


def test_tiles_under_a_transform_are_refused_and_auto_goes_under_it():
    def loss(tile):
        return lambda x: losses.info_nce(x, X, manifold=L, scale=2.0, tile=tile)

    for transform in (torch.func.grad, torch.func.jacrev):
        with pytest.raises(ValueError, match=r"tile is 2 under torch\.func.*tile=None or 'auto'"):
            transform(loss(2))(X)
    x = X.clone().requires_grad_()
    (plain,) = torch.autograd.grad(loss(2)(x), x)
    torch.testing.assert_close(torch.func.grad(loss("auto"))(X), plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("space", [L, PoincareBall(-2.0), Sphere(0.5)], ids=repr)
@pytest.mark.parametrize("function", [sphere_area, ball_volume, log_sphere_area, log_ball_volume])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_radius_that_is_no_number_has_no_volume_and_a_negative_one_is_refused(function, space, n):
    assert function(space, math.nan, n).isnan()
    found = function(space, torch.tensor([0.5, math.nan, 0.7]), n)
    assert found.isnan().tolist() == [False, True, False]
    with pytest.raises(ValueError, match=r"radius is -1\.0; expected a length"):
        function(space, -1.0, n)


def test_what_is_no_number_is_seen_in_a_likelihood_and_in_soft_targets():
    nan = torch.tensor([math.nan, 0.5])
    for given in ((nan, 0 * nan + 0.1, 0.3), (torch.ones(2), nan, 0.3), (torch.ones(2), 0.1, nan)):
        angle, aperture, scale = (torch.as_tensor(t) for t in given)
        assert losses.cone_log_prob(angle, aperture, scale)[0].isnan()
    points = dict.fromkeys(("image", "text", "image_keys", "text_keys"), X)
    options = {"manifold": L, "scale": 2.0}
    with pytest.raises(ValueError, match=r"weight is nan; expected a number in \[0, 1\]"):
        losses.cross_modal_alignment(**points, **options, weight=math.nan)
    assert losses.cross_modal_alignment(**points, **options, weight=nan[0]).isnan()
    targets = torch.eye(4)
    targets[1, 1] = math.nan
    found = losses.info_nce(X, X, **options, targets=targets, symmetric=False, reduction="none")
    assert found.isnan().tolist() == [False, True, False, False]
