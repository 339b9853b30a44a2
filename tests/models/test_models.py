"""CLIP and MERU as in their papers, from stand-in encoders."""

import math

import pytest
import torch

from spaceforms.models import CLIP, MERU

DIM = 16


class Features(torch.nn.Module):
    """Passes features through: anything with a width can be an encoder."""

    width = 12

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def _points(model, batch=32):
    torch.manual_seed(0)
    return model(torch.randn(batch, 12), torch.randn(batch, 12))


def test_clip_has_the_loss_of_its_paper():
    torch.manual_seed(1)
    model = CLIP(Features(), Features(), embed_dim=DIM)
    x, y = _points(model)
    assert x.shape == (32, DIM)
    torch.testing.assert_close(x.norm(dim=1), torch.ones(32))
    logits = (x @ y.T) / 0.07
    target = torch.arange(32)
    wanted = torch.nn.functional.cross_entropy(logits, target)
    wanted = (wanted + torch.nn.functional.cross_entropy(logits.T, target)) / 2
    torch.testing.assert_close(model.loss(x, y).total, wanted, rtol=1e-5, atol=1e-6)


def test_meru_has_the_loss_of_its_paper():
    torch.manual_seed(1)
    model = MERU(Features(), Features(), embed_dim=DIM)
    x, y = (p.double() for p in _points(model))  # textbook formulas need float64
    xs, ys = x[:, 1:], y[:, 1:]
    xt, yt = (1 + xs.square().sum(1)).sqrt(), (1 + ys.square().sum(1)).sqrt()
    product = xs @ ys.T - xt[:, None] * yt[None]
    logits = -torch.acosh(-product) / 0.07
    target = torch.arange(32)
    contrastive = torch.nn.functional.cross_entropy(logits, target)
    contrastive = (contrastive + torch.nn.functional.cross_entropy(logits.T, target)) / 2
    # Captions are the apexes.
    own = product.diagonal()
    angle = torch.acos((xt + yt * own) / (ys.norm(dim=1) * (own.square() - 1).sqrt()))
    aperture = torch.asin((0.2 / ys.norm(dim=1)).clamp(max=1))
    entailment = (angle - aperture).relu().mean()
    losses = model.loss(x, y)
    torch.testing.assert_close(losses.parts["contrastive"], contrastive, rtol=1e-6, atol=0)
    torch.testing.assert_close(losses.parts["entailment"], entailment, rtol=1e-6, atol=0)
    torch.testing.assert_close(losses.total, contrastive + 0.2 * entailment, rtol=1e-6, atol=0)


def test_merus_scalars_start_where_the_paper_has_them_and_all_learn():
    model = MERU(Features(), Features(), embed_dim=DIM)
    assert model.scalars() == {
        "scale": pytest.approx(1 / 0.07),
        "curvature": -1.0,
        "alpha_image": pytest.approx(DIM**-0.5),
        "alpha_text": pytest.approx(DIM**-0.5),
    }
    model.loss(*_points(model)).total.backward()
    scalars = {n: p for n, p in model.named_parameters() if p.ndim == 0}
    assert len(scalars) == 4
    assert all(p.grad.isfinite() and p.grad != 0 for p in scalars.values())


def test_at_the_start_points_are_about_one_from_the_origin():
    torch.manual_seed(1)
    model = MERU(Features(), Features(), embed_dim=512)
    x, _ = _points(model, 256)
    # 12 standard normal features through a projection of standard deviation 12^-1/2.
    assert model.manifold.to_normal(x).detach().norm(dim=1).mean().item() == pytest.approx(
        1, abs=0.1
    )


def test_initial_projections_have_the_papers_spread():
    torch.manual_seed(1)
    model = CLIP(Features(), Features(), embed_dim=4096)
    assert model.image_projection.weight.detach().std().item() == pytest.approx(12**-0.5, rel=0.02)


def test_geometry_is_float32_under_autocast():
    torch.manual_seed(1)
    model = MERU(Features(), Features(), embed_dim=DIM)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x, y = _points(model)
        loss = model.loss(x, y).total
    assert x.dtype == y.dtype == loss.dtype == torch.float32
    torch.testing.assert_close(loss, model.loss(x, y).total, rtol=0, atol=0)


def test_an_encoder_without_a_width_is_named():
    with pytest.raises(ValueError, match=r"text_encoder \(Linear\) has width None"):
        MERU(Features(), torch.nn.Linear(3, 3))
    with pytest.raises(ValueError, match="MERU: embed_dim is 0; expected at least 1"):
        MERU(Features(), Features(), embed_dim=0)


def test_pictures_of_one_family_are_not_negatives_of_each_other():
    torch.manual_seed(1)
    model = CLIP(Features(), Features(), embed_dim=DIM)
    x, y = _points(model, 3)
    same = torch.ones(3, 3, dtype=torch.bool)
    # All positives of all: the best a softmax over three can do is log 3, at equal logits.
    assert model.loss(x, y, same).total.item() >= math.log(3) - 1e-6
    one = x[:1].expand(3, -1)
    torch.testing.assert_close(
        model.loss(one, y[:1].expand(3, -1), same).total.item(), math.log(3), rtol=1e-6, atol=0
    )
