"""A made-up checkpoint of the names and shapes of Hyper3-CLIP, against its paper's formulas."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from spaceforms.integrations.hyper3 import load_hyper3

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
IMAGES = torch.rand(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[3, 4, 9, 9], [5, 9, 9, 9], [6, 7, 8, 9]])


class Vision(torch.nn.Module):
    num_features = 12

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(48, 12)

    def forward(self, x):
        return self.head(x.flatten(1))


class Text(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(hidden_size=10)
        self.embeddings = torch.nn.Embedding(20, 10)

    def forward(self, input_ids, attention_mask):
        x = self.embeddings(input_ids) * attention_mask[..., None]
        return SimpleNamespace(pooler_output=x.sum(1), last_hidden_state=x)


def made_up(prefix=""):
    seed = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=seed)  # noqa: E731
    return {
        "vision_encoder.backbone.head.weight": draw(12, 48) / 4,
        "vision_encoder.backbone.head.bias": draw(12),
        f"text_encoder.backbone.{prefix}embeddings.weight": draw(20, 10),
        "image_proj.weight": draw(6, 12),
        "image_proj.bias": draw(6),
        "text_proj.weight": draw(6, 10),
        "text_proj.bias": draw(6),
        "visual_alpha": torch.tensor(-1.5),
        "textual_alpha": torch.tensor(-1.0),
        "log_curv": torch.tensor(-0.7),
        "logit_scale": torch.tensor(2.6),
        "query_pooling.norm.weight": draw(12),
    }


@pytest.mark.parametrize("prefix", ["", "text_model."])
def test_points_and_distances_are_those_of_the_formulas(prefix, tmp_path):
    state = made_up(prefix)
    save_file(state, tmp_path / "model.safetensors")
    model = load_hyper3(
        tmp_path / "model.safetensors", Vision(), Text(), size=None, padding=9, **PLAIN
    )
    s = {k.replace("text_model.", ""): v.double() for k, v in state.items()}
    f = IMAGES.double().flatten(1) @ s["vision_encoder.backbone.head.weight"].T
    f = f + s["vision_encoder.backbone.head.bias"]
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]])  # the end itself is read
    g = (s["text_encoder.backbone.embeddings.weight"][TOKENS] * mask[..., None]).sum(1)
    u = (f @ s["image_proj.weight"].T + s["image_proj.bias"]) * s["visual_alpha"].exp()
    v = (g @ s["text_proj.weight"].T + s["text_proj.bias"]) * s["textual_alpha"].exp()
    kappa = s["log_curv"].exp()

    def lifted(w):
        r = w.norm(dim=1, keepdim=True) * kappa.sqrt()
        return torch.cat([r.cosh(), r.sinh() * w / w.norm(dim=1, keepdim=True)], 1) / kappa.sqrt()

    x, y = lifted(u), lifted(v)
    signs = torch.tensor([-1.0] + [1.0] * 6, dtype=torch.float64)
    wanted = (-kappa * (x * signs) @ y.T).acosh() / kappa.sqrt()
    with torch.no_grad():
        images, texts = model.encode_image(IMAGES), model.encode_text(TOKENS)
    torch.testing.assert_close(images.double(), x, rtol=1e-4, atol=1e-4)
    found = model.manifold.cdist(images, texts)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=0)
    assert float(model.manifold.curvature) == pytest.approx(-float(kappa), rel=1e-12, abs=0)


def test_a_curvature_beyond_its_clamp_is_clamped():
    state = made_up() | {"log_curv": torch.tensor(9.0)}
    model = load_hyper3(state, Vision(), Text(), **PLAIN)
    assert float(model.manifold.curvature) == -10.0


def test_names_that_are_not_known_and_those_that_miss_are_all_listed():
    state = made_up() | {"surprise": torch.zeros(1), "image_proj.bias": torch.zeros(5)}
    del state["visual_alpha"]
    del state["text_encoder.backbone.embeddings.weight"]
    with pytest.raises(ValueError, match="the weights do not fit") as caught:
        load_hyper3(state, Vision(), Text(), **PLAIN)
    for words in (
        "not known surprise",
        "missing visual_alpha",
        "missing text_encoder.backbone.embeddings.weight",
        "image_proj.bias of shape (5,) for (6,)",
    ):
        assert words in str(caught.value)
