"""A run in Python: what it takes for a picture, and what it says of it."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spaceforms.__main__ import main
from spaceforms.datasets import Augmentation, EmojiDataset, load_emoji
from spaceforms.models import load_run
from spaceforms.models.encoders.transformers import ImageEncoderConfig, TextEncoderConfig
from spaceforms.models.evaluation.evaluate import held_out, image_points
from spaceforms.models.training.checkpoint import read_config
from spaceforms.models.training.config import TrainConfig, options_digest
from spaceforms.models.training.loop import train


@pytest.fixture(scope="module")
def run(small_data, tmp_path_factory):
    config = TrainConfig(
        out=tmp_path_factory.mktemp("run") / "run",
        model="clip",
        data=small_data[0],
        concepts=small_data[1],
        epochs=3,
        batch_size=48,
        lr=1e-2,
        embed_dim=8,
        image=ImageEncoderConfig(size=16, widths=(8, 16), blocks=(0, 0), group=8),
        text=TextEncoderConfig(vocabulary=300, context=8, width=16, layers=0),
        augmentation=Augmentation(shift=0.05),
    )
    train(config)
    return load_run(config.out)


@pytest.fixture(scope="module")
def picture(run) -> np.ndarray:
    """A held-out picture (16, 16, 3) uint8."""
    data, tests = held_out(run)
    return data.images[tests["vendor"][3]]


def test_a_picture_is_the_same_point_in_every_form_it_may_have(run, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "p.png")
    floats = torch.from_numpy(picture).permute(2, 0, 1) / 255
    forms = [
        str(tmp_path / "p.png"),
        tmp_path / "p.png",
        Image.fromarray(picture),
        Image.fromarray(picture).convert("RGBA"),
        picture,
        picture / 255,
        (picture / 255).astype(np.float32),
        torch.from_numpy(picture).permute(2, 0, 1),
        floats,
        floats.double(),
    ]
    points = run.encode_images(forms)
    data, tests = held_out(run)
    wanted = image_points(run, data, tests["vendor"][3:4]).expand(len(forms), -1)
    # One formula for all; what differs is the size of the batch, and sums in another order.
    torch.testing.assert_close(points, wanted)
    torch.testing.assert_close(run.encode_images(picture[None]), wanted[:1])
    torch.testing.assert_close(run.encode_images(floats[None]), wanted[:1])


def test_large_pictures_are_scaled_as_the_packaged_ones_were(run):
    """By means of blocks: at 16 pixels each is the mean of a square of the 64's."""
    large = load_emoji()
    rows = np.array([0, 1000, 5000])
    prepared = torch.stack([run.prepare(image) for image in large.images[rows]])
    means = large.images[rows].reshape(3, 16, 4, 16, 4, 3).mean((2, 4)) / 255
    wanted = torch.from_numpy(means).permute(0, 3, 1, 2).float()
    # Half a level for rounding, and once more, for rows are averaged before columns.
    assert float((prepared - wanted).abs().max()) <= 1.01 / 255


def test_of_a_run_on_the_packaged_pictures_wide_pictures_are_set_on_a_white_square(run):
    black = np.zeros((8, 16, 3), np.uint8)
    prepared = run.prepare(black)
    assert torch.equal(prepared[:, 4:12], torch.zeros(3, 8, 16))
    assert (prepared[:, :4] == 1).all()
    assert (prepared[:, 12:] == 1).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.full((3, 16, 16), 255.0), "picture 1 has floats from 255 to 255; expected"),
        (np.full((16, 16, 3), -0.5), r"floats from -0\.5 to -0\.5"),
        (np.full((16, 16, 3), np.nan), "floats from nan to nan"),
        (np.full((16, 16, 3), 100), "is of int64"),
        (np.zeros((16, 16, 3), bool), "is of bool"),
        (np.zeros((16, 16, 3), object), "is of object"),
        (torch.zeros(16, 16, 3), r"a tensor of shape \(16, 16, 3\); .*a tensor \(3, H, W\)"),
        (np.zeros((3, 16, 16)), r"an array of shape \(3, 16, 16\); expected .* array \(H, W, 3\)"),
        (np.zeros((16, 16)), r"an array of shape \(16, 16\)"),
        (np.zeros((0, 4, 3)), r"an array of shape \(0, 4, 3\)"),
        (17, "is of type int"),
    ],
    ids=lambda value: None if not isinstance(value, str) else value[:24],
)
def test_what_is_no_picture_is_refused_in_a_sentence(run, picture, image, message):
    with pytest.raises(ValueError, match=message):
        run.encode_images([picture, image])


def test_a_file_that_is_no_picture_and_one_picture_for_a_list_are_named(run, picture, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png: expected a picture"):
        run.encode_images([tmp_path / "text.png"])
    with pytest.raises(FileNotFoundError, match=r"gone\.png: expected a picture, found no such"):
        run.encode_images([tmp_path / "gone.png"])
    with pytest.raises(TypeError, match="got one str; expected a list of pictures"):
        run.encode_images("p.png")
    with pytest.raises(ValueError, match=r"picture 0 is an array of shape \(16, 3\)"):
        run.encode_images(picture)
    with pytest.raises(TypeError, match="got the text 'a dog'; expected a list"):
        run.encode_texts("a dog")
    with pytest.raises(ValueError, match="expected a list of at least one text"):
        run.rank(picture, [])


def test_ranks_go_by_distances_counted_one_by_one(run, picture):
    texts = ["dog", "a house", "pizza", "red apple"]
    ranked = run.rank(picture, texts)
    (x,) = run.encode_images([picture])
    y = run.encode_texts(texts)
    with torch.no_grad():
        distance = {t: float(run.manifold.dist(x, p)) for t, p in zip(texts, y, strict=True)}
    assert [r.text for r in ranked] == sorted(texts, key=distance.__getitem__)
    for r in ranked:
        assert r.distance == pytest.approx(distance[r.text], rel=1e-4)
    # The softmax of the logits, by its definition: the cosine times the scale.
    scale = float(run.model.contrastive.scale().detach())
    cosine = (y.double() @ x.double()).tolist()
    weights = {t: np.exp(scale * c) for t, c in zip(texts, cosine, strict=True)}
    for r in ranked:
        assert r.probability == pytest.approx(weights[r.text] / sum(weights.values()), rel=1e-4)


def test_the_nearest_to_a_point_is_the_point(run, picture):
    texts = ["dog", "a house", "pizza"]
    points = run.encode_texts(texts)
    near = run.nearest(points, text="pizza", count=2)
    assert (near[0].number, len(near)) == (2, 2)
    assert near[0].distance < near[1].distance
    by_picture = [texts[n.number] for n in run.nearest(points, image=picture)]
    assert by_picture == [r.text for r in run.rank(picture, texts)]
    for words, message in (
        ({}, "expected a picture or a text, and not both"),
        ({"text": "a", "count": 0}, "count 0"),
    ):
        with pytest.raises(ValueError, match=message):
            run.nearest(points, **words)
    with pytest.raises(ValueError, match=r"points is \(3, 2\)"):
        run.nearest(points[:, :2], text="a")


def test_a_way_to_the_root_is_among_texts_of_the_run_or_of_yours(run, picture):
    data, _ = held_out(run)
    way = run.to_root(picture)
    assert way[-1].text == "[ROOT]"
    assert {met.text for met in way[:-1]} <= {
        *data.names,
        *map(data.hierarchy.text, range(len(data.hierarchy))),
    }
    assert [met.at for met in way] == sorted(met.at for met in way)
    own = run.to_root(picture, ["pizza", "dog"], steps=9)
    assert {met.text for met in own} <= {"pizza", "dog", "[ROOT]"}


def test_training_batches_and_a_runs_own_preparation_are_one(run):
    data, tests = held_out(run)
    batch = EmojiDataset(data, tests["vendor"]).batch(range(4), epoch=0)
    direct = run.encode_prepared(batch.image)
    torch.testing.assert_close(run.encode_images(batch.image), direct)


def test_the_command_rank_prints_what_rank_says(run, picture, tmp_path, capsys):
    Image.fromarray(picture).save(tmp_path / "p.png")
    texts = ["a red fox", "a house"]
    assert main(["rank", str(run.folder), str(tmp_path / "p.png"), *texts]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["distance", "probability", "text"]
    for line, ranked in zip(lines, run.rank(picture, texts), strict=True):
        distance, probability, text = line.split(None, 2)
        assert text == ranked.text
        assert float(distance) == pytest.approx(ranked.distance, abs=1e-3)
        assert float(probability) == pytest.approx(ranked.probability, abs=1e-3)
    for words, message in (
        ([str(tmp_path / "p.png")], "no texts; expected some to rank"),
        ([str(tmp_path / "gone.png"), "a"], "gone.png: expected a picture, found no such file"),
        ([str(Path(__file__)), "a"], "test_run.py: expected a picture, but"),
    ):
        assert main(["rank", str(run.folder), *words]) == 1
        assert message in capsys.readouterr().err


def test_a_run_that_was_begun_by_a_version_with_fewer_options_is_gone_on_with(run, tmp_path):
    """And one whose options were edited is not."""
    out = tmp_path / "run"
    shutil.copytree(run.folder, out)
    options = json.loads((out / "config.json").read_text())
    state = torch.load(out / "state.pt", weights_only=True)
    older = {k: v for k, v in options.items() if k not in ("tuning", "lora_rank", "image_folder")}
    state["made"]["config.json"] = options_digest(older)  # as that version wrote it
    torch.save(state, out / "state.pt")
    (out / "config.json").write_text(json.dumps(older, indent=2))
    config = dataclasses.replace(read_config(out), resume=True)
    train(config)
    train(config)  # what was written by the first is found by the second
    (out / "config.json").write_text(json.dumps(older | {"lr": 0.5}))
    with pytest.raises(ValueError, match=r"begun with another config\.json"):
        train(dataclasses.replace(read_config(out), resume=True))
