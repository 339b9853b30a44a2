"""A made-up checkpoint in made-up names, against MERU's formulas as its paper has them."""

import json

import mpmath
import pytest
import torch
from safetensors.torch import save_file

from spaceforms.integrations.checkpoints import load_image_text
from spaceforms.models import MERU, TextFeatures

NAMES = {
    "image": "eyes.",
    "text": "words.",
    "image_projection": "eyes_head.",
    "text_projection": "words_head.",
    "image_log_alpha": "eyes_log_scale",
    "text_log_alpha": "words_log_scale",
    "log_curvature": "log_k",
    "unused": ["temperature", "extra."],
}
IMAGES = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[3, 4, 9], [5, 9, 0], [6, 0, 0]])


class Eyes(torch.nn.Module):
    width = 12

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(48, 12)

    def forward(self, x):
        return self.layer(x.flatten(1))


class Words(torch.nn.Module):
    width = 10

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(20, 10)

    def forward(self, tokens):
        return self.table(tokens).mean(1)


def made_up(bias=False):
    seed = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=seed)  # noqa: E731
    state = {
        "eyes.layer.weight": draw(12, 48) / 4,
        "eyes.layer.bias": draw(12),
        "words.table.weight": draw(20, 10),
        "eyes_head.weight": draw(6, 12),
        "words_head.weight": draw(6, 10),
        "eyes_log_scale": torch.tensor(-1.5),
        "words_log_scale": torch.tensor(-1.0),
        "log_k": torch.tensor(-0.7),
        "temperature": torch.tensor(2.6),
        "extra.weight": draw(3),
    }
    return state | ({"eyes_head.bias": draw(6), "words_head.bias": draw(6)} if bias else {})


def written(names, folder, kind):
    path = folder / f"names.{kind}"
    lines = [f"{key} = {json.dumps(value)}" for key, value in names.items()]
    path.write_text(json.dumps(names) if kind == "json" else "\n".join(lines))
    return path


@pytest.mark.parametrize("kind", ["mapping", "json", "toml"])
@pytest.mark.parametrize("bias", [False, True])
def test_points_distances_and_cones_are_those_of_the_papers_formulas(bias, kind, tmp_path):
    state = made_up(bias)
    names = NAMES if kind == "mapping" else written(NAMES, tmp_path, kind)
    save_file(state, tmp_path / "weights.safetensors")
    text = TextFeatures(Words(), width=10) if bias else Words()
    model = load_image_text(tmp_path / "weights.safetensors", names, Eyes(), text)
    assert isinstance(model, MERU)
    s = {k: v.double() for k, v in state.items()}
    zero = torch.zeros(6, dtype=torch.float64)
    f = IMAGES.double().flatten(1) @ s["eyes.layer.weight"].T + s["eyes.layer.bias"]
    g = s["words.table.weight"][TOKENS].mean(1)
    u = s["eyes_log_scale"].exp() * (f @ s["eyes_head.weight"].T + s.get("eyes_head.bias", zero))
    v = s["words_log_scale"].exp() * (g @ s["words_head.weight"].T + s.get("words_head.bias", zero))
    with torch.no_grad():
        x, y = model.encode_image(IMAGES), model.encode_text(TOKENS)
    found = {
        "distance": model.manifold.cdist(y, x),
        "exterior angle": model.manifold.exterior_angle(y[:, None], x),
        "half aperture": model.manifold.half_aperture(y, 0.1),
    }
    with mpmath.workdps(40):
        c = mpmath.exp(mpmath.mpf(float(s["log_k"])))

        def lifted(w):  # eq. 6: the space part, and eq. 1: the time
            r = mpmath.sqrt(sum(a * a for a in w))
            space = [mpmath.sinh(mpmath.sqrt(c) * r) / (mpmath.sqrt(c) * r) * a for a in w]
            return mpmath.sqrt(1 / c + sum(a * a for a in space)), space

        images, texts = (
            [lifted([mpmath.mpf(a) for a in row]) for row in rows.tolist()] for rows in (u, v)
        )
        for j, (time, space) in enumerate(texts):
            norm = mpmath.sqrt(sum(a * a for a in space))
            aperture = mpmath.asin(min(1, 2 * 0.1 / (mpmath.sqrt(c) * norm)))
            assert float(found["half aperture"][j]) == pytest.approx(float(aperture), rel=1e-4)
            for i, (other_time, other) in enumerate(images):
                inner = sum(a * b for a, b in zip(space, other, strict=True)) - time * other_time
                distance = mpmath.acosh(-c * inner) / mpmath.sqrt(c)
                over = norm * mpmath.sqrt((c * inner) ** 2 - 1)
                angle = mpmath.acos((other_time + time * c * inner) / over)
                assert float(found["distance"][j, i]) == pytest.approx(float(distance), rel=1e-4)
                assert float(found["exterior angle"][j, i]) == pytest.approx(float(angle), abs=1e-4)


def test_a_curvature_beyond_the_clamp_is_clamped_and_scalars_left_out_are_zero():
    state = made_up()
    far = state | {"log_k": torch.tensor(9.0)}
    assert float(load_image_text(far, NAMES, Eyes(), Words()).manifold.curvature) == -10.0
    plain = {k: v for k, v in NAMES.items() if "log" not in k}
    kept = {k: v for k, v in state.items() if "log" not in k}
    model = load_image_text(kept, plain, Eyes(), Words())
    assert float(model.manifold.curvature) == -1.0
    assert float(model.alpha["image"]()) == 1.0


def test_what_does_not_fit_is_listed():
    state = made_up() | {"surprise": torch.zeros(1), "words.table.weight": torch.zeros(20, 11)}
    del state["log_k"], state["eyes.layer.bias"]
    with pytest.raises(ValueError, match="load_image_text: the weights do not fit") as caught:
        load_image_text(state, NAMES, Eyes(), Words())
    for words in (
        "not known surprise",
        "missing log_k",
        "missing eyes.layer.bias",
        "words.table.weight of shape (20, 11) for (20, 10)",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eye": "x."}, "names has eye; expected texts under image, text"),
        ({"image": None}, "names has image; expected"),
    ],
)
def test_names_that_mean_nothing_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        load_image_text(made_up(), NAMES | change, Eyes(), Words())
    short = {k: v for k, v in NAMES.items() if k != "text"}
    with pytest.raises(ValueError, match="no text"):
        load_image_text(made_up(), short, Eyes(), Words())


def test_an_encoder_without_a_width_is_refused():
    with pytest.raises(ValueError, match=r"Linear has no integer width; expected an encoder"):
        load_image_text(made_up(), NAMES, torch.nn.Linear(2, 2), Words())
