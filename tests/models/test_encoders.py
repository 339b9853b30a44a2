"""The encoders: shapes, independence of the batch, padding, and configs that cannot work."""

import pytest
import torch

from spaceforms.datasets import load_emoji
from spaceforms.models.encoders.transformers import (
    ImageEncoder,
    ImageEncoderConfig,
    TextEncoder,
    TextEncoderConfig,
    _ConvBlock,
)

SMALL = ImageEncoderConfig(size=16, widths=(16, 32), blocks=(1, 0), layers=1)
CONFIGS = [
    ImageEncoderConfig(),
    SMALL,
    ImageEncoderConfig(size=24, widths=(16, 16, 32), blocks=(0, 0, 2), layers=0),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["default", "attention", "cnn"])
def test_image_features(config: ImageEncoderConfig) -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(config)
    features = encoder(torch.rand(3, 3, config.size, config.size))
    assert features.shape == (3, encoder.width)
    assert encoder.width == config.widths[-1]
    features.square().sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_a_picture_does_not_see_its_batch() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(SMALL).double()
    images = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(encoder(images)[2:3], encoder(images[2:3]))


def test_pixels_are_normalised_inside() -> None:
    torch.manual_seed(0)
    plain = ImageEncoder(SMALL)
    other = ImageEncoder(
        ImageEncoderConfig(
            size=16, widths=(16, 32), blocks=(1, 0), layers=1, mean=(0, 0, 0), std=(1, 1, 1)
        )
    )
    buffers = dict(other.named_buffers())
    assert set(buffers) == {"mean", "std"}
    other.load_state_dict({**plain.state_dict(), **buffers})
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(plain(images), other((images - plain.mean) / plain.std))
    assert not torch.allclose(plain(images), other(images))


def test_every_block_starts_as_the_identity() -> None:
    torch.manual_seed(0)
    with_blocks = ImageEncoder(SMALL)
    without = ImageEncoder(ImageEncoderConfig(size=16, widths=(16, 32), blocks=(0, 0), layers=0))
    plain = [m for m in with_blocks.stages if not isinstance(m, _ConvBlock)]
    for mine, theirs in zip(without.stages, plain, strict=True):
        mine.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(with_blocks(images), without(images))


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 1, 16, 16), (2, 3, 16, 8), (2, 16, 16, 3)])
def test_wrong_images_get_a_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected floating-point images \(B, 3, 16, 16\), got"):
        ImageEncoder(SMALL)(torch.rand(shape))
    with pytest.raises(ValueError, match=r"got .* torch.uint8"):
        ImageEncoder(SMALL)(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))


def _trained_text(config: TextEncoderConfig) -> TextEncoder:
    """With every weight away from its start, so that attention takes part."""
    torch.manual_seed(0)
    encoder = TextEncoder(config).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return encoder


@pytest.mark.parametrize("layers", [0, 2])
def test_padding_changes_nothing(layers: int) -> None:
    encoder = _trained_text(TextEncoderConfig(vocabulary=50, context=8, width=16, layers=layers))
    tokens = torch.tensor([[5, 9, 1, 0, 0, 0], [7, 7, 3, 2, 4, 1]])
    features = encoder(tokens)
    assert features.shape == (2, encoder.width) == (2, 16)
    torch.testing.assert_close(features[:1], encoder(torch.tensor([[5, 9, 1]])))
    empty = encoder(torch.zeros(2, 4, dtype=torch.int64))
    assert torch.equal(empty, torch.zeros_like(empty))
    features.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_order_is_seen_by_the_transformer_and_not_by_the_bag() -> None:
    forth, back = torch.tensor([[5, 9, 1]]), torch.tensor([[9, 5, 1]])
    bag = _trained_text(TextEncoderConfig(vocabulary=50, width=16, layers=0))
    torch.testing.assert_close(bag(forth), bag(back))
    transformer = _trained_text(TextEncoderConfig(vocabulary=50, width=16, layers=1))
    assert not torch.allclose(transformer(forth), transformer(back))


def test_wrong_tokens_get_a_sentence() -> None:
    encoder = TextEncoder(TextEncoderConfig(vocabulary=50, context=8, width=16))
    with pytest.raises(ValueError, match=r"token ids \(B, L\) with L <= 8, got \(2, 9\)"):
        encoder(torch.ones(2, 9, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"got .* torch.float32"):
        encoder(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"token ids are from 1 to 50; expected 0 to 49"):
        encoder(torch.tensor([[1, 50]]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (32, 64)}, "as many blocks as widths"),
        ({"widths": (), "blocks": ()}, "at least one"),
        ({"size": 48}, "must be divisible by 32, got 48"),
        ({"widths": (48, 96, 192, 384, 250)}, "group must divide every width"),
        ({"blocks": (1, 1, 1, 1, -1)}, "blocks >= 0"),
        ({"layers": 1, "heads": 5}, "heads must divide the width 384, got 5"),
        ({"std": (1.0, 0.0, 1.0)}, "expected std > 0"),
    ],
)
def test_bad_image_configs_get_a_sentence(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"ImageEncoderConfig: .*{message}"):
        ImageEncoderConfig(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"vocabulary": 1}, "vocabulary >= 2"), ({"heads": 5}, "heads must divide"),
     ({"layers": -1}, "layers >= 0")],
)  # fmt: skip
def test_bad_text_configs_get_a_sentence(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"TextEncoderConfig: .*{message}"):
        TextEncoderConfig(**change)


def test_pixels_are_scaled_by_the_mean_and_spread_of_the_training_pictures() -> None:
    data = load_emoji(size=16)
    pixels = data.images[data.by_vendor().train].reshape(-1, 3) / 255
    config = ImageEncoderConfig()
    # Means of blocks spread less than the stored pixels, which the constants are of.
    assert config.mean == pytest.approx(pixels.mean(0), abs=0.01)
    assert config.std == pytest.approx(pixels.std(0), abs=0.03)
