"""transformers itself: tiny models with random weights, offline, and adapters of peft on them."""

import pytest
import torch
import transformers as hf
from peft import LoraConfig, get_peft_model

from spaceforms.models import MERU, ImageFeatures, TextFeatures, from_transformers
from spaceforms.models.training.optim import parameter_groups

TEXT = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2}
TEXT |= {"num_attention_heads": 2, "vocab_size": 30}
PICTURE = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
PICTURE |= {"num_attention_heads": 2, "image_size": 32, "patch_size": 8}
IMAGES = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[4, 5, 6, 7, 29], [8, 9, 29, 29, 29]])
ENDS = {"eos_token_id": 29, "bos_token_id": 1, "pad_token_id": 29, "max_position_embeddings": 10}


class Processor:
    """The parts of a processor that are read, as those of CLIP have them."""

    image_processor = hf.CLIPImageProcessor()

    class tokenizer:
        pad_token_id = eos_token_id = 29


def clip():
    return hf.CLIPModel(
        hf.CLIPConfig(text_config=TEXT | ENDS, vision_config=PICTURE, projection_dim=10)
    ).eval()


def siglip():
    text = TEXT | {"max_position_embeddings": 5, "projection_size": 16}
    return hf.SiglipModel(hf.SiglipConfig(text_config=text, vision_config=PICTURE)).eval()


@pytest.mark.parametrize(("make", "width"), [(clip, 10), (siglip, 16)])
def test_the_towers_give_the_features_that_the_model_compares(make, width):
    torch.manual_seed(0)
    model = make()
    image, text = from_transformers(model, Processor)
    assert image.width == text.width == width
    pixels = torch.nn.functional.interpolate(
        IMAGES, (32, 32), mode="bilinear", align_corners=False, antialias=True
    )
    pixels = (pixels - image.mean) / image.std
    # SigLIP's own processor pads all texts to one length and gives no mask.
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]) if make is clip else None
    theirs = model(input_ids=TOKENS, pixel_values=pixels, attention_mask=mask)
    for ours, wanted in (
        (image(IMAGES), theirs.image_embeds),
        (text(TOKENS), theirs.text_embeds),
    ):
        # theirs are normalised: the same numbers divided by their norm, 3 u
        torch.testing.assert_close(
            torch.nn.functional.normalize(ours, dim=-1), wanted, rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("make", [clip, siglip])
def test_a_head_on_pretrained_towers_trains_and_every_weight_is_reached(make):
    torch.manual_seed(0)
    model = MERU(*from_transformers(make(), Processor), embed_dim=8)
    model.loss(*model(IMAGES, TOKENS)).total.backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None]
    assert not silent


BERT = TEXT | {"max_position_embeddings": 10}


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (hf.BertModel, hf.BertConfig(**BERT)),
        (hf.RobertaModel, hf.RobertaConfig(**BERT)),
        (hf.MPNetModel, hf.MPNetConfig(**BERT)),
        (hf.ModernBertModel, hf.ModernBertConfig(**TEXT, pad_token_id=0)),
        (hf.Qwen2Model, hf.Qwen2Config(**TEXT, num_key_value_heads=2)),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_text_encoders_of_transformers_are_taken_as_they_are(model, config):
    torch.manual_seed(0)
    module = model(config).eval()
    encoder = TextFeatures(module, pool="mean")
    tokens = torch.tensor([[4, 5, 6, 0, 0]])
    hidden = module(tokens, attention_mask=(tokens != 0).long()).last_hidden_state
    assert encoder.width == 12
    # a mean of three float32 numbers
    torch.testing.assert_close(encoder(tokens)[0], hidden[0, :3].mean(0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (hf.ViTModel, hf.ViTConfig(**PICTURE)),
        (hf.Dinov2Model, hf.Dinov2Config(**PICTURE)),
        (hf.SiglipVisionModel, hf.SiglipVisionConfig(**PICTURE)),
        (hf.ResNetModel, hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])),
        (
            hf.ConvNextModel,
            hf.ConvNextConfig(hidden_sizes=[8, 8, 8, 16], depths=[1, 1, 1, 1], image_size=32),
        ),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
@pytest.mark.parametrize("pool", ["own", "mean"])
def test_image_encoders_of_transformers_are_taken_as_they_are(model, config, pool):
    torch.manual_seed(0)
    encoder = ImageFeatures(model(config).eval(), size=32, pool=pool)
    assert encoder.width == 16
    assert encoder(IMAGES).shape == (2, 16)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_lora_on_towers_trains_adapters_heads_and_curvature_alone():
    torch.manual_seed(0)
    base = clip()
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    model = MERU(*from_transformers(adapted.base_model.model, Processor), embed_dim=8).train()
    learned = {n for n, p in model.named_parameters() if p.requires_grad}
    assert all("lora_" in n for n in learned if "encoder" in n)
    before = {n: t.clone() for n, t in model.state_dict().items()}
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.1), lr=0.01)
    for _ in range(2):  # at first B is 0, and A has no gradient
        optimizer.zero_grad()
        model.loss(*model(IMAGES, TOKENS)).total.backward()
        optimizer.step()
    moved = {n for n, t in model.state_dict().items() if not torch.equal(before[n], t)}
    assert moved <= learned
    assert any(n.startswith("manifold") for n in moved)
    assert any("lora_A" in n for n in moved)
    assert any("lora_B" in n for n in moved)
