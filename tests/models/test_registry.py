"""A model says its options once, in its own file; a new one is that file and a line."""

import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spaceforms.models import MERU, TCL, EuCLIP, ImageTextModel
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.registry import MODELS, options, own_options, parameters
from spaceforms.models.training.config import TrainConfig, from_json, to_json
from spaceforms.models.training.loop import train
from spaceforms.models.training.model_fields import with_model_options
from spaceforms.models.zoo.cones import Cones, with_cones

ROOT = Path(__file__).resolve().parents[2]

RING = '''
"""Pictures and captions on a sphere of any curvature."""

from torch import nn

from {rooms}losses import InfoNCE
from {rooms}manifolds import Sphere
from {models}design import Design, designed
from {models}image_text import ImageTextModel
from {models}model_options import Option


class Ring(ImageTextModel):
    """A model of one option that others have, and one of its own."""

    name, summary = "ring", "a sphere by its curvature"
    own_options = {{"scale": Option("ring: the first scale of the logits.")}}

    @staticmethod
    def design(*, embed_dim: int = 128, curvature: float = 2.0, scale: float = 10.0) -> Design:
        sphere = Sphere(curvature)
        contrastive = InfoNCE(sphere, scale=scale)
        return Design(embed_dim=embed_dim, manifold=sphere, contrastive=contrastive, lift="project")

    @designed(design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
'''

USE = """
import sys
from pathlib import Path
from spaceforms.__main__ import main
from spaceforms.models.training.config import TrainConfig, build_model, from_json, to_json

config = TrainConfig(out=Path("run"), model="ring", embed_dim=8, scale=20.0)
assert from_json(to_json(config), where="here") == config
model = build_model(config, 300)
print(type(model).__module__, model.manifold, round(float(model.contrastive.scale())))
try:
    TrainConfig(out=Path("run"), model="meru", scale=20.0)
except ValueError as error:
    print(error)
sys.exit(main(["train", "--help"]))
"""


def test_a_new_model_is_one_file_and_one_line(tmp_path):
    """A copy of the room with both: the command line, the configuration and the file know it."""
    house = tmp_path / "spaceforms"
    house.mkdir()
    for path in (ROOT / "src/spaceforms").iterdir():
        if path.name == "models":
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "models", house / "models", ignore=ignored)
        elif path.name != "__pycache__":
            (house / path.name).symlink_to(path.resolve())
    ring = RING.format(rooms="...", models="..")
    (house / "models/zoo/ring.py").write_text(ring, encoding="utf-8")
    with (house / "models/zoo/__init__.py").open("a") as file:
        file.write("from .ring import Ring as Ring\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "100"}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USE],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    said = " ".join(result.stdout.replace("│", " ").split())
    assert said.startswith("spaceforms.models.zoo.ring Sphere(curvature=2) 20 scale is 20.0 for")
    assert "for the model meru, which has curvature, learn_curvature, " in said
    assert "{meru,clip,euclip,sphere-cones,hycoclip,phyclip,ring,tcl}" in said
    assert "ring: a sphere by its curvature; tcl: " in said
    assert "--scale FLOAT ring: the first scale of the logits. (default: 10.0)" in said
    assert "1.0 for sphere-cones, tcl; 2.0 for ring)" in said


def test_a_model_of_ones_own_is_registered_from_outside_and_trains(tiny, tmp_path, monkeypatch):
    path = tmp_path / "ring.py"
    path.write_text(RING.format(rooms="spaceforms.", models="spaceforms.models."))
    spec = importlib.util.spec_from_file_location("ring", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(MODELS, "ring", module.Ring)
    config = tiny(model="ring", epochs=1, curvature=3.0)
    assert train(config)
    run = load_run(config.out)
    assert type(run.model) is module.Ring
    assert float(run.manifold.curvature) == 3.0
    with pytest.raises(ValueError, match=r"min_radius is 0.1 for the model ring, which has curv"):
        tiny(model="ring", min_radius=0.1)


def test_options_are_checked_without_a_model(tmp_path, monkeypatch):
    def none(*args):
        raise AssertionError("a model was made")

    monkeypatch.setattr(torch.nn.Linear, "__init__", none)
    for name in MODELS:
        config = TrainConfig(out=tmp_path, model=name)
        assert config.design().uses_general == (name == "hycoclip")
        assert from_json(to_json(config), where="here") == config
    with pytest.raises(ValueError, match=r"min_radius is 0.6; expected less than 0.588"):
        TrainConfig(out=tmp_path, model="meru", min_radius=0.6)
    with pytest.raises(ValueError, match="queue_size is 8 with batch_size 16; expected a queue"):
        TrainConfig(out=tmp_path, model="tcl", queue_size=8, batch_size=16)
    with pytest.raises(ValueError, match="fusion_layers is 2000; expected at most 1,000"):
        TrainConfig(out=tmp_path, model="tcl", fusion_layers=2000)


def test_every_option_is_of_a_model_and_every_model_has_the_words_of_its_own():
    known = options()
    assert set(known) == {option for name in MODELS for option in own_options(name)}
    for name, model in MODELS.items():
        assert issubclass(model, ImageTextModel)
        assert set(model.own_options) <= set(parameters(name))
    # What is no option of a run: set in Python only.
    rest = {p for name in MODELS for p in parameters(name)} - set(known)
    assert rest == {"embed_dim", "chain_aperture_scale", "manifold", "ramp", "seed"}


def test_models_that_share_a_constructor_name_what_it_takes():
    shared = inspect.signature(with_cones).parameters.values()
    named = [p.name for p in shared if p.kind == p.KEYWORD_ONLY]
    assert list(Cones.__annotations__) == named
    assert list(inspect.signature(EuCLIP).parameters)[2:] == ["embed_dim", "logits", *named]
    assert inspect.signature(MERU).parameters["min_radius"].default == 0.1
    assert inspect.signature(TCL).parameters["momentum"].default == 0.995


def test_an_option_of_a_model_has_no_name_of_an_option_of_the_run():
    class Run:
        lr: float
        momentum: float

    with pytest.raises(TypeError, match="momentum: an option of a model has the name of one of"):
        with_model_options(after="lr")(Run)
