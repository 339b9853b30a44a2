"""Laplace's approximation of a projection, against dense matrices and derivatives by hand."""

import pytest
import torch

from spaceforms.models import CLIP, MERU, EuCLIP
from spaceforms.models.probvlm.alignment_heads import GivenFeatures, coordinates
from spaceforms.models.probvlm.last_layer import (
    fit_last_layer,
    last_layer_variance,
    output_curvature,
)

N, WIDTH, DIM = 30, 5, 3


def _model(kind=CLIP):
    torch.manual_seed(0)
    features = torch.randn(N, WIDTH)
    given = GivenFeatures(features)
    model = kind(given, GivenFeatures(features), embed_dim=DIM).double().eval()
    phi = given(features).double()
    with torch.no_grad():
        others = model.encode_text(features.double()).double()
    return model, phi, others


def test_the_curvature_of_clip_is_that_of_a_softmax_by_hand():
    model, phi, others = _model()
    z = phi @ model.image_projection.weight.detach().mT
    scale = float(model.contrastive.scale().detach())
    wanted = torch.zeros(DIM, DIM, dtype=torch.float64)
    for row in z:
        unit = row / row.norm()
        p = (scale * others @ unit).softmax(0)
        # The derivative of a unit vector is the part across it, over the length.
        across = (torch.eye(DIM).double() - torch.outer(unit, unit)) / row.norm()
        j = scale * others @ across
        wanted += j.mT @ (p.diag() - torch.outer(p, p)) @ j / N
    found = output_curvature(model, "image", z, others).detach()
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", [CLIP, MERU, EuCLIP])
def test_variances_are_those_of_the_dense_inverse_of_the_precision(kind):
    model, phi, others = _model(kind)
    law = fit_last_layer(model, "image", phi, others)
    weight = model.image_projection.weight.detach()
    b = output_curvature(model, "image", phi @ weight.mT, others).detach()
    # Weights (d, D) row by row: B is outside.
    curvature = N * torch.kron(b, phi.mT @ phi / N)

    def evidence(precision):
        full = curvature + precision * torch.eye(DIM * WIDTH).double()
        squares = precision * weight.square().sum()
        return 0.5 * (DIM * WIDTH * torch.tensor(precision).log() - full.logdet() - squares)

    best = float(evidence(law.precision))
    assert best > float(evidence(law.precision * 10**0.1)) - 1e-9
    assert best > float(evidence(law.precision / 10**0.1)) - 1e-9
    covariance = torch.linalg.inv(curvature + law.precision * torch.eye(DIM * WIDTH).double())
    found = last_layer_variance(model, "image", law, phi)
    for k in range(4):

        def point(flat, row=phi[k]):
            z = flat.view(DIM, WIDTH) @ row
            return coordinates(model, model.lift(z[None], "image"))[0]

        j = torch.autograd.functional.jacobian(point, weight.flatten())
        wanted = (j @ covariance @ j.mT).diagonal().mean()
        torch.testing.assert_close(found[k], wanted, rtol=1e-8, atol=0)


def test_what_is_unlike_anything_trained_on_is_more_uncertain_before_its_length_is_taken_off():
    model, phi, others = _model(EuCLIP)
    phi[:, -1] *= 1e-3
    law = fit_last_layer(model, "image", phi, others)
    odd = torch.zeros(1, WIDTH).double()
    odd[0, -1] = 1.0
    usual = last_layer_variance(model, "image", law, phi).median()
    assert last_layer_variance(model, "image", law, odd) > 3 * usual


def test_what_does_not_fit_is_refused():
    model, phi, others = _model()
    with pytest.raises(ValueError, match=r"features have shape \(30, 5\) and others \(3, 3\)"):
        fit_last_layer(model, "image", phi, others[:3])
    with pytest.raises(ValueError, match="modality is 'sound'; expected one of image, text"):
        fit_last_layer(model, "sound", phi, others)
