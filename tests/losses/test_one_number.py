"""A scale, a bias, a margin, a share: one number in every loss, of whatever shape it is one."""

import re

import pytest
import torch

from spaceforms import losses
from spaceforms.losses import distributed
from spaceforms.manifolds import Lorentz

L = Lorentz(-0.5)
X = L.from_normal(torch.linspace(-1, 1, 12).reshape(4, 3))
ONES = torch.ones(4, dtype=torch.int64)
TABLE = torch.linspace(0.1, 2, 16).reshape(4, 4)
TEMPERED = {
    "info_nce": lambda **o: losses.info_nce(X, X, **o),
    "tiled": lambda **o: losses.info_nce(X, X, tile=2, **o),
    "nt_xent": lambda **o: losses.nt_xent(X, X, **o),
    "sigmoid_pairs": lambda **o: losses.sigmoid_pairs(X, X, bias=0.5, **o),
    "supervised_contrastive": lambda **o: losses.supervised_contrastive(X, ONES, **o),
    "debiased_info_nce": lambda **o: losses.debiased_info_nce(X, X, prior=0.1, **o),
    "ring_info_nce": lambda **o: distributed.ring_info_nce(X, X, **o),
    "pairwise_logits": lambda **o: losses.pairwise_logits(X, X, **o),
    "sigmoid_bias": lambda **o: losses.sigmoid_bias(X, X, **o),
    "distilled_targets": lambda **o: losses.distilled_targets(X, X, weight=0.4, **o),
    "cross_modal_alignment": lambda **o: losses.cross_modal_alignment(X, X, X, X, **o),
    "intra_modal_contrastive": lambda **o: losses.intra_modal_contrastive(X, X, **o),
    "local_mutual_information": lambda **o: losses.local_mutual_information(X, X[:, None], **o),
    "compositional_contrastive": lambda **o: losses.compositional_contrastive(X, X, X, X, **o),
    "chain_contrastive": lambda **o: losses.chain_contrastive([X, X], [ONES, ONES], **o),
}


@pytest.mark.parametrize("name", TEMPERED)
def test_a_scale_is_one_number_whatever_computes_the_table(name):
    """Of (4,) the dense form scaled columns and the tiled one neither columns nor rows."""
    call = TEMPERED[name]
    where = "info_nce" if name == "tiled" else name
    for shape in ((4,), (4, 1), (1, 4), (2, 2), (3,), (0,), (1, 1)):
        sentence = rf"^{where}: scale has shape {re.escape(str(shape))}; expected one number\.$"
        for scale in (torch.ones(shape), torch.ones(shape, device="meta")):
            with pytest.raises(ValueError, match=sentence):
                call(manifold=L, scale=scale)
    wanted = call(manifold=L, scale=2.0)
    for scale in (torch.tensor(2.0, requires_grad=True), torch.tensor([2.0], requires_grad=True)):
        torch.testing.assert_close(call(manifold=L, scale=scale), wanted)


@pytest.mark.parametrize(
    ("name", "call"),
    {
        "bias": lambda v: losses.sigmoid_pairs(X, X, manifold=L, scale=1.0, bias=v),
        "margin": lambda v: losses.triplet(X, X.flip(0), manifold=L, margin=v),
        "weight": lambda v: losses.distilled_targets(X, X, manifold=L, scale=1.0, weight=v),
        "shift": lambda v: losses.match_probability_loss(TABLE, scale=5.0, shift=v),
        "scale": lambda v: losses.match_probability(TABLE, scale=v, shift=5.0),
    }.items(),
)
def test_other_numbers_of_a_loss_are_one_number(name, call):
    with pytest.raises(ValueError, match=rf"{name} has shape \(4,\); expected one number\.$"):
        call(torch.full((4,), 0.5))
    for one in (torch.tensor(0.5), torch.tensor([0.5])):
        torch.testing.assert_close(call(one), call(0.5))


def test_a_number_for_the_teacher_and_one_for_inclusion_are_one_number():
    rows = torch.zeros(4, 3)
    with pytest.raises(ValueError, match=r"inclusion_loss: scale has shape \(4,\); expected one n"):
        losses.inclusion_loss(rows, rows, rows, rows, scale=torch.ones(4))
    with pytest.raises(ValueError, match=r"weight has shape \(4,\); expected one number"):
        losses.masked_language_loss(rows, ONES, teacher=rows, weight=torch.full((4,), 0.5))
