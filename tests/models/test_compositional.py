"""A model that contrasts the texts above its captions has the loss of the losses' room."""

import torch
from torch import nn

from spaceforms.losses import chain_contrastive
from spaceforms.models import HyCoCLIP
from spaceforms.models.entailment import General


class Features(nn.Module):
    width = 8

    def forward(self, x):
        return x


def test_the_contrast_of_a_model_with_general_texts_is_that_of_a_chain():
    # The model contrasts a text once, however many rows it stands above, and weighs it by them; and
    # takes both ways of captions and pictures from one table.
    torch.manual_seed(0)
    model = HyCoCLIP(Features(), Features(), embed_dim=8)
    groups, names = torch.tensor([0, 0, 0, 1, 1, 1, 1]), torch.tensor([0, 0, 1, 2, 2, 2, 3])
    image, text = model.encode_image(torch.randn(7, 8)), model.encode_text(torch.randn(7, 8))
    levels = [model.encode_text(torch.randn(4, 8))[ids] for ids in (groups, names)]
    general = [General(p, ids) for p, ids in zip(levels, (groups, names), strict=True)]
    each = torch.arange(7)
    expected = chain_contrastive(
        [*levels, text, image],
        [groups, names, each, each],
        manifold=model.manifold,
        scale=model.contrastive.scale(),
    )
    found = model.loss(image, text, general=general).parts["contrastive"]
    torch.testing.assert_close(found, expected, rtol=8 * torch.finfo(torch.float32).eps, atol=0.0)
