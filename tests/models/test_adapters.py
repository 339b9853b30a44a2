"""Adapters, on stand-ins with the interfaces of timm and of Hugging Face's models."""

import sys
from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch

from spaceforms.__main__ import main
from spaceforms.models import MERU, ImageFeatures, TextFeatures
from spaceforms.models.training.optim import parameter_groups

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class TimmViT(torch.nn.Module):
    """Tokens (B, N, D), a class token first; its head would give 10 logits."""

    num_features = 7

    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 7, 4, 4)
        self.head = torch.nn.Linear(7, 10)

    def forward_features(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return torch.cat([tokens.new_ones(len(x), 1, 7), tokens], 1)

    def forward_head(self, x, pre_logits=False):
        return x[:, 0] if pre_logits else self.head(x[:, 0])

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


class Maps(torch.nn.Module):
    """A map of cells, channels first (ResNet) or last (Swin), from forward_features alone."""

    num_features = 5

    def __init__(self, last):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 5, 4, 4)
        self.last = last

    def forward_features(self, x):
        return self.conv(x).permute(0, 2, 3, 1) if self.last else self.conv(x)


class Output(OrderedDict):
    """A mapping with its values as attributes, like transformers.ModelOutput."""

    __getattr__ = OrderedDict.__getitem__


class HuggingFaceText(torch.nn.Module):
    """As transformers' BERT: a config, an attention mask, an output of several tensors."""

    def __init__(self, returns=Output, pooler=True):
        super().__init__()
        self.config = SimpleNamespace(hidden_size=6)
        self.embedding = torch.nn.Embedding(20, 6)
        self.norm = torch.nn.BatchNorm1d(6)
        self.returns, self.pooler = returns, pooler

    def forward(self, input_ids, attention_mask=None):
        hidden = self.norm(self.embedding(input_ids).transpose(1, 2)).transpose(1, 2)
        self.seen = attention_mask
        own = hidden[:, 0].tanh() if self.pooler else None
        if self.returns is tuple:
            return (hidden, own)
        return self.returns(last_hidden_state=hidden, pooler_output=own)


IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[4, 5, 6, 0], [7, 0, 0, 0]])


def test_timms_own_pooling_is_used_and_its_classifier_is_not():
    module = TimmViT()
    assert ImageFeatures(module).width == 7
    features = ImageFeatures(module, **PLAIN)(IMAGES)
    assert torch.equal(features, torch.ones(2, 7))
    tokens = module.forward_features(IMAGES)
    assert torch.equal(ImageFeatures(module, pool="first", **PLAIN)(IMAGES), tokens[:, 0])
    assert torch.equal(ImageFeatures(module, pool="mean", **PLAIN)(IMAGES), tokens.mean(1))


@pytest.mark.parametrize("last", [False, True])
def test_maps_are_averaged_over_their_cells_wherever_the_channels_are(last):
    module = Maps(last)
    wanted = module.conv(IMAGES).mean((2, 3))
    torch.testing.assert_close(ImageFeatures(module, **PLAIN)(IMAGES), wanted)


def test_a_module_that_gives_features_is_taken_as_it_is():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
    assert torch.equal(ImageFeatures(module, width=4, **PLAIN)(IMAGES), module(IMAGES))


def test_pictures_are_resized_and_normalised():
    seen = []

    class Look(torch.nn.Module):
        width = 3

        def forward(self, x):
            seen.append(x)
            return x.mean((2, 3))

    flat = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) + 0.229
    ImageFeatures(Look(), size=12)(flat.expand(2, 3, 8, 8))
    assert seen[0].shape == (2, 3, 12, 12)
    wanted = torch.tensor([1.0, 0.229 / 0.224, 0.229 / 0.225])
    torch.testing.assert_close(seen[0].mean((0, 2, 3)), wanted)


@pytest.mark.parametrize("returns", [Output, dict, SimpleNamespace, tuple])
def test_hugging_face_outputs_are_pooled_without_padding(returns):
    module = HuggingFaceText(returns).eval()
    encoder = TextFeatures(module, pool="mean")
    assert encoder.width == 6
    features = encoder(TOKENS)
    assert torch.equal(module.seen, torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]]))
    hidden = module.norm(module.embedding(TOKENS).transpose(1, 2)).transpose(1, 2)
    wanted = torch.stack([hidden[0, :3].mean(0), hidden[1, 0]])
    torch.testing.assert_close(features, wanted)
    torch.testing.assert_close(TextFeatures(module)(TOKENS), hidden[:, 0].tanh())
    torch.testing.assert_close(TextFeatures(module, pool="first")(TOKENS), hidden[:, 0])


def test_without_a_pooled_output_ones_own_is_the_mean():
    module = HuggingFaceText(pooler=False).eval()
    own, mean = TextFeatures(module)(TOKENS), TextFeatures(module, pool="mean")(TOKENS)
    assert torch.equal(own, mean)
    assert torch.equal(own[1], TextFeatures(module)(TOKENS[1:, :1])[0])
    assert TextFeatures(module)(torch.zeros(1, 3, dtype=torch.int64)).isfinite().all()


def test_a_text_module_without_a_mask_is_called_without_one():
    module = torch.nn.Sequential(torch.nn.Embedding(20, 6))
    features = TextFeatures(module, width=6)(TOKENS)
    torch.testing.assert_close(features[1], module(TOKENS)[1, 0])


class Heads(torch.nn.Module):
    """As attention does: how many heads there are is asked of the numbers."""

    width = 6

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(9, 6, dtype=torch.float64)

    def forward(self, tokens):
        return self.embedding(tokens).view(*tokens.shape, -1, 2).flatten(2)


def test_of_no_texts_there_are_features_of_no_rows():
    encoder = TextFeatures(Heads(), pool="mean")
    some, none = (encoder(torch.zeros(n, 4, dtype=torch.int64)) for n in (2, 0))
    assert (none.shape, none.dtype) == ((0, 6), some.dtype)
    assert ImageFeatures(Heads())(torch.zeros(0, 3, 8, 8)).shape == (0, 6)


def test_a_frozen_encoder_does_not_change_and_the_rest_of_the_model_learns():
    torch.manual_seed(0)
    text = TextFeatures(HuggingFaceText(), frozen=True)
    model = MERU(ImageFeatures(TimmViT(), pool="mean", **PLAIN), text, embed_dim=4).train()
    assert text.training
    assert not text.module.training
    before = {n: t.clone() for n, t in text.module.state_dict().items()}
    groups = parameter_groups(model, 0.1)
    learned = {id(p) for group in groups for p in group["params"]}
    assert not learned & {id(p) for p in text.module.parameters()}
    optimizer = torch.optim.SGD(groups, lr=0.1)
    model.loss(*model(IMAGES, TOKENS)).total.backward()
    optimizer.step()
    assert all(torch.equal(before[n], t) for n, t in text.module.state_dict().items())
    assert all(p.grad is None for p in text.module.parameters())
    assert model.text_projection.weight.grad.any()
    assert model.image_encoder.module.patches.weight.grad.any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ImageFeatures(torch.nn.Linear(3, 3)), "Linear has none of width, num_features"),
        (lambda: ImageFeatures(TimmViT(), pool="max"), "pool is 'max'; expected own, mean or"),
        (lambda: ImageFeatures(TimmViT(), width=9)(IMAGES), r"gave features \(2, 7\); expected"),
        (lambda: ImageFeatures(Maps(False), pool="first")(IMAGES), r"\(2, 5, 2, 2\); expected"),
        (lambda: TextFeatures(HuggingFaceText(lambda **_: {"logits": 1}))(TOKENS), "logits; exp"),
    ],
)
def test_what_cannot_be_adapted_gets_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("option", ["--image", "--text"])
def test_a_folder_without_its_library_gets_a_sentence_that_names_the_extra(
    option, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "transformers", None)  # as if it were not installed
    (tmp_path / "config.json").write_text("{}")
    code = main(["train", option, f"hf:{tmp_path}", "--out", str(tmp_path / "run")])
    assert code == 2
    assert 'pip install "spaceforms[train,plot,transformers]"' in capsys.readouterr().err
