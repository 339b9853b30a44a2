"""The towers of pretrained pairs, on stand-ins with the interfaces of open_clip and transformers.

The libraries themselves are in tests/integrations.
"""

from types import SimpleNamespace

import pytest
import torch

from spaceforms.models import MERU, from_open_clip, from_transformers

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[4, 5, 6, 1, 1], [7, 1, 1, 1, 1]])


class Visual(torch.nn.Module):
    """As open_clip's: it says how pictures are to be prepared."""

    image_size, image_mean, image_std = (8, 8), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)
        self.layer = torch.nn.Linear(192, 6)

    def forward(self, x):
        return self.layer(self.norm(x).flatten(1))


class Text(torch.nn.Module):
    context_length = 5

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(20, 6)

    def forward(self, tokens):
        return self.embedding(tokens).mean(1)


class OpenCLIP(torch.nn.Module):
    """A model of open_clip whose text tower is its own attributes, or a module `text`."""

    context_length = 5

    def __init__(self, custom):
        super().__init__()
        self.visual = Visual()
        self.logit_scale = torch.nn.Parameter(torch.tensor(2.0))
        if custom:
            self.text = Text()
        else:
            self.embedding = torch.nn.Embedding(20, 6)
            self.projection = torch.nn.Parameter(torch.randn(6, 6))

    def encode_text(self, tokens, normalize=False):
        if hasattr(self, "text"):
            return self.text(tokens)
        return self.embedding(tokens).mean(1) @ self.projection


class Tower(torch.nn.Module):
    def __init__(self, layer, **config):
        super().__init__()
        self.config = SimpleNamespace(hidden_size=6, **config)
        self.layer = layer

    def forward(self, inputs, attention_mask=None):
        self.seen = attention_mask
        x = self.layer(inputs)
        return SimpleNamespace(pooler_output=x if x.ndim == 2 else x.mean(1))


class TransformersCLIP(torch.nn.Module):
    """As transformers' CLIP (with projections) and SigLIP (without)."""

    def __init__(self, projected):
        super().__init__()
        pictures = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 6))
        self.vision_model = Tower(pictures, image_size=8)
        self.text_model = Tower(torch.nn.Embedding(20, 6))
        if projected:
            self.visual_projection = torch.nn.Linear(6, 4, bias=False)
            self.text_projection = torch.nn.Linear(6, 4, bias=False)


PROCESSOR = SimpleNamespace(
    image_processor=SimpleNamespace(image_mean=[0.5] * 3, image_std=[0.25] * 3),
    tokenizer=SimpleNamespace(pad_token_id=1, eos_token_id=1),
)


@pytest.mark.parametrize("custom", [False, True])
def test_the_towers_of_open_clip_give_its_own_features_of_prepared_pictures(custom):
    torch.manual_seed(0)
    clip = OpenCLIP(custom).eval()
    image, text = from_open_clip(clip)
    assert (image.width, text.width, image.size) == (6, 6, 8)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (Visual.image_mean, Visual.image_std))
    assert torch.equal(image(IMAGES), clip.visual((IMAGES - mean) / std))
    assert torch.equal(text(TOKENS), clip.encode_text(TOKENS))


@pytest.mark.parametrize("custom", [False, True])
def test_the_weights_are_the_models_own_each_once_and_all_used(custom):
    clip = OpenCLIP(custom).train()
    towers = from_open_clip(clip)
    assert clip.visual.norm.training
    assert not clip.visual.norm.num_batches_tracked  # the width was asked for in evaluation mode
    model = MERU(*towers, embed_dim=4)
    model.loss(*model(IMAGES, TOKENS)).total.backward()
    kept = {id(p) for p in clip.parameters()} - {id(clip.logit_scale)}
    assert kept <= {id(p) for p in model.parameters()}
    assert all(p.grad is not None for p in model.parameters())
    assert clip.logit_scale.grad is None
    places = [t.data_ptr() for t in model.state_dict().values() if t.numel() > 1]
    assert len(places) == len(set(places))
    assert "visual" in dict(clip.named_children())  # the model itself is as it was


@pytest.mark.parametrize("projected", [False, True])
def test_the_towers_of_transformers_end_with_the_projection_if_there_is_one(projected):
    torch.manual_seed(0)
    clip = TransformersCLIP(projected)
    image, text = from_transformers(clip, PROCESSOR)
    assert (image.width, text.width) == ((4, 4) if projected else (6, 6))
    wanted = clip.vision_model((IMAGES - 0.5) / 0.25).pooler_output
    if projected:
        wanted = clip.visual_projection(wanted)
    assert torch.equal(image(IMAGES), wanted)
    wanted = clip.text_model(TOKENS).pooler_output
    assert torch.equal(text(TOKENS), clip.text_projection(wanted) if projected else wanted)


def test_the_token_that_ends_a_text_is_read_where_padding_is_the_same_token():
    clip = TransformersCLIP(True)
    from_transformers(clip, PROCESSOR).text(TOKENS)
    wanted = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]])
    assert torch.equal(clip.text_model.seen, wanted)
    other = SimpleNamespace(
        image_processor=PROCESSOR.image_processor,
        tokenizer=SimpleNamespace(pad_token_id=1, eos_token_id=2),
    )
    from_transformers(clip, other).text(TOKENS)
    assert torch.equal(clip.text_model.seen, (TOKENS != 1).long())


def test_frozen_towers_stay_as_they_are_and_the_heads_learn():
    model = MERU(*from_open_clip(OpenCLIP(False), frozen=True), embed_dim=4).train()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.loss(*model(IMAGES, TOKENS)).total.backward()
    optimizer.step()
    moved = {n for n, t in model.state_dict().items() if not torch.equal(before[n], t)}
    assert not [n for n in moved if "encoder" in n]
    assert {"image_projection.weight", "text_projection.weight"} <= moved


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_open_clip(torch.nn.Linear(2, 2)), "Linear has no visual and encode_text"),
        (
            lambda: from_transformers(torch.nn.Linear(2, 2), PROCESSOR),
            "Linear has no vision_model and text_model; expected CLIP",
        ),
        (
            lambda: from_transformers(TransformersCLIP(True), PROCESSOR.tokenizer),
            "processor is a SimpleNamespace; expected the model's own, with image_mean",
        ),
    ],
)
def test_what_is_no_pair_gets_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_pictures_that_are_not_square_get_a_sentence():
    clip = OpenCLIP(True)
    clip.visual.image_size = (8, 16)
    with pytest.raises(ValueError, match=r"image_size is \(8, 16\); expected the side of square"):
        from_open_clip(clip)
