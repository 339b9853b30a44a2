"""Evaluation and the command line, end to end on a run of a second."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.image import BboxImage, imsave

from spaceforms.__main__ import main
from spaceforms.datasets.augment import to_float
from spaceforms.manifolds import Product
from spaceforms.models.evaluation import figures, traverse_run
from spaceforms.models.evaluation.evaluate import (
    as_table,
    evaluate,
    held_out,
    image_points,
    radii_by_level,
    text_points,
)
from spaceforms.models.evaluation.figures import draw_run
from spaceforms.models.evaluation.hierarchy import level_texts
from spaceforms.models.evaluation.retrieval import recall_at
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.training.checkpoint import EVALUATION, METRICS, MODEL
from spaceforms.models.training.data import load_data
from spaceforms.models.training.log import Log, read_log
from spaceforms.models.training.loop import train
from spaceforms.search import csls, hubness


@pytest.mark.parametrize("model", ["meru", "clip"])
def test_every_figure_stands_beside_its_chance(trained, model):
    run = trained(model=model)
    result = evaluate(run)
    assert json.loads((run.folder / EVALUATION).read_text()) == result
    test = result["tests"]["vendor"]
    assert (test["pictures"], test["names"]) == (40, 40)
    for key in ("image to text", "text to image"):
        for by in ("id", "family"):
            figures = test[f"{key}, by {by}"]
            assert list(figures["recall"]) == list(figures["chance"]) == ["1", "5", "10"]
            assert sorted(figures["recall"].values()) == list(figures["recall"].values())
    assert test["image to text, by id"]["chance"]["1"] == pytest.approx(1 / 40)
    table = as_table(result)
    for word in ("R@1", "chance", "zero-shot group", "picture", "scale"):
        assert word in table


def test_retrieval_agrees_with_distances_counted_one_by_one(trained):
    run = trained(epochs=20, lr=1e-2)
    data, split = load_data(run.config)
    index = split.tests["vendor"]
    images = image_points(run, data, index)
    concepts = np.unique(data.concept[index])
    names = text_points(run, [data.names[c] for c in concepts])
    hits = 0
    for row, point in zip(index, images, strict=True):
        with torch.no_grad():
            distances = [float(run.model.manifold.dist(point, name)) for name in names]
        hits += concepts[int(np.argmin(distances))] == data.concept[row]
    figure = evaluate(run)["tests"]["vendor"]["image to text, by id"]["recall"]["1"]
    assert figure == pytest.approx(hits / len(index))


def test_points_of_two_runs_side_by_side_are_points_of_the_product(trained):
    """As the guide on training joins them, whatever their models."""
    runs = [trained(folder="a", epochs=1), trained(folder="b", epochs=1, model="clip")]
    dims = [run.manifold.to_normal(run.root).numel() for run in runs]
    space = Product([run.manifold for run in runs], dims=dims)
    data, _ = load_data(runs[0].config)
    pictures, captions = [*data.images[:5]], ["a dog", "a cat", "pizza"]
    images = torch.cat([run.encode_images(pictures) for run in runs], -1).double()
    texts = torch.cat([run.encode_texts(captions) for run in runs], -1).double()
    found = space.cdist(images, texts, matmul=True)
    each = [run.distances(run.encode_images(pictures), run.encode_texts(captions)) for run in runs]
    torch.testing.assert_close(found, sum(d**2 for d in each).sqrt(), rtol=1e-7, atol=0)


def test_recall_without_hubs_is_that_of_csls_in_both_directions(trained):
    run = trained(epochs=1)
    found = evaluate(run)["tests"]["vendor"]
    data, tests = held_out(run)
    index = tests["vendor"]
    concept = data.concept[index]
    names = np.unique(concept)
    d = run.distances(
        image_points(run, data, index), text_points(run, [data.names[c] for c in names])
    )
    for direction, table, right in (
        ("image to text", d, concept[:, None] == names),
        ("text to image", d.T, concept == names[:, None]),
    ):
        best = recall_at(-csls(table).numpy(), right)
        assert [*found[f"{direction}, CSLS"]["recall"].values()] == best
        assert found["hubness"][direction] == hubness(table)


def test_radius_is_the_distance_from_the_origin_for_meru_and_from_the_empty_caption_for_clip(
    trained,
):
    for model in ("meru", "clip"):
        run = trained(model=model, overwrite=True)
        data, split = load_data(run.config)
        index = split.tests["vendor"]
        radii = radii_by_level(run, data, index)
        assert list(radii) == ["group", "subgroup", "name", "picture"]
        images = image_points(run, data, index)
        if model == "meru":
            wanted = run.model.manifold.to_normal(images).norm(dim=-1)
        else:
            root = text_points(run, [""])[0]
            wanted = torch.acos((images.double() @ root.double()).clamp(-1, 1))
        np.testing.assert_allclose(radii["picture"], wanted.detach().numpy(), rtol=1e-4)


def test_held_out_concepts_are_reported_when_they_were_held_out(trained):
    tests = evaluate(trained(split="both"))["tests"]
    assert {"vendor", "vendor seen"} <= set(tests)
    assert "concept" not in evaluate(trained(overwrite=True))["tests"]


def test_each_vendor_has_its_figures_where_several_were_held_out(trained):
    """Those of two vendors held out, and of each as if it had been tested alone."""
    run = trained(held_out="emojione,fluent3d", overwrite=True)
    result = evaluate(run)
    data, tests = held_out(run)
    index = tests["vendor"]
    found = result["tests"]["vendor"]["by vendor"]
    assert sorted(found) == ["emojione", "fluent3d"]
    firsts = [entry["recall"]["1"] for entry in found.values()]
    assert firsts == sorted(firsts, reverse=True)
    table = as_table(result)
    for vendor, entry in found.items():
        rows = index[data.vendor[index] == data.vendors.index(vendor)]
        concept = data.concept[rows]
        names = np.unique(concept)
        images = image_points(run, data, rows)
        scores = -run.distances(images, text_points(run, [data.names[c] for c in names])).numpy()
        rank = (scores >= scores[concept[:, None] == names[None]][:, None]).sum(1) - 1
        for k in (1, 5, 10):
            assert entry["recall"][str(k)] == pytest.approx((rank < k).mean())
            assert entry["chance"][str(k)] == pytest.approx(k / len(names))
        assert (entry["pictures"], entry["names"]) == (len(rows), len(names))
        assert f"image to text, {vendor}" in table
    assert "by vendor" not in evaluate(trained(overwrite=True))["tests"]["vendor"]


def test_other_pictures_go_to_a_file_of_their_own_and_may_have_been_trained_on(
    trained, small_data, tmp_path
):
    run = trained()
    evaluate(run)
    before = (run.folder / EVALUATION).read_bytes()
    assert b"no, held out by the split 'vendor'" in before
    copy = tmp_path / "copy.npz"
    moved = shutil.copy(small_data[0], tmp_path / "moved.npz")
    assert evaluate(run, data=Path(moved))["seen in training"].startswith("no, held out")
    with np.load(small_data[0]) as arrays:  # others, by one pixel
        palette = arrays["palette"].copy()
        palette[0, 0, 0] ^= 1
        np.savez(copy, **{**arrays, "palette": palette})
    result = evaluate(run, data=copy, concepts=small_data[1])
    assert {name: t["pictures"] for name, t in result["tests"].items()} == {"file": 200}
    assert result["seen in training"].startswith("unknown")
    assert "seen in training: unknown" in as_table(result)
    assert result["data"] == str(copy)
    assert json.loads((run.folder / "evaluation-copy.json").read_text()) == result
    assert (run.folder / EVALUATION).read_bytes() == before


@pytest.mark.parametrize("with_data", [False, True])
def test_of_the_runs_own_pictures_only_those_held_out_are_tested_by_whatever_names(
    trained, small_data, tmp_path, with_data
):
    run = trained()
    table = json.loads(small_data[1].read_text())
    for entry in table["concepts"]:
        entry["name"] = f"a {entry['name']}"
        entry["split"] = "test"  # says nothing of what this run has held out
    concepts = tmp_path / "articles.json"
    concepts.write_text(json.dumps(table))
    data = small_data[0] if with_data else None
    result = evaluate(run, data=data, concepts=concepts)
    assert {name: t["pictures"] for name, t in result["tests"].items()} == {"vendor": 40}
    assert result["data"] == str(small_data[0].resolve())
    written = "evaluation-small.json" if with_data else "evaluation-articles.json"
    assert json.loads((run.folder / written).read_text()) == result


def test_of_a_run_that_held_nothing_out_only_the_losses_are_drawn(
    tiny, small_data, tmp_path, capsys
):
    table = json.loads(small_data[1].read_text())
    for entry in table["concepts"]:
        entry["split"] = "train"
    path = tmp_path / "all.json"
    path.write_text(json.dumps(table))
    config = tiny(split="concept", concepts=path, epochs=1)
    train(config)
    for command, status in (("evaluate", 1), ("traverse", 1), ("plot", 0)):
        assert main([command, str(config.out)]) == status
        told = capsys.readouterr()
        assert "its split 'concept' holds none out. Expected" in told.err
    assert told.out == f"Drawn: {config.out / 'loss.png'}\n"  # which needs no pictures
    assert main(["plot", str(config.out), "--format", "svg,pdf"]) == 0
    drawn = [config.out / f"loss.{kind}" for kind in ("svg", "pdf")]
    assert capsys.readouterr().out == "".join(f"Drawn: {path}\n" for path in drawn)
    assert all(path.stat().st_size > 1000 for path in drawn)


def test_what_cannot_be_drawn_gets_a_sentence(trained, capsys):
    run = trained(epochs=1)
    log = run.folder / METRICS
    for content, message in (
        (b'{"step": 10\n', f"{log}: line 1: expected"),
        (b'{"step": 10, "lo', f"{log} has no row"),
        (None, f"{log}: expected the log of a run, found no such file"),
    ):
        log.unlink() if content is None else log.write_bytes(content)
        assert main(["plot", str(run.folder)]) == 1
        assert message in capsys.readouterr().err
    assert main(["plot", str(run.folder), "--dpi", "0"]) == 1
    assert "dpi is 0; expected at least 1" in capsys.readouterr().err


def test_weights_that_do_not_belong_to_a_run_are_named(trained):
    run, other = trained(epochs=1), trained(folder="other", epochs=1, embed_dim=9)
    path = run.folder / MODEL
    whole = path.read_bytes()
    for content, message in (
        (whole[:-10], "expected the weights of a run, got"),
        (b"", "expected the weights of a run, got"),
        ((other.folder / MODEL).read_bytes(), "of the model that config.json beside it describes"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{path}: .*{message}") as caught:
            load_run(run.folder)
        assert "\n" not in str(caught.value)


def test_the_commands_train_evaluate_and_plot(tiny, capsys, small_data):
    config = tiny("cli")
    files = ["--data", str(small_data[0]), "--concepts", str(small_data[1])]
    small = ["--image.size", "16", "--image.widths", "8", "16", "--image.blocks", "0", "0"]
    small += ["--image.group", "8"]
    words = ["train", "--model", "meru", "--out", str(config.out), "--epochs", "1"]
    words += ["--batch-size", "48", "--embed-dim", "8", *small, *files]
    assert main(words) == 0
    assert main(["evaluate", str(config.out)]) == 0
    assert "R@1" in capsys.readouterr().out
    assert main(["plot", str(config.out)]) == 0
    drawn = [line.removeprefix("Drawn: ") for line in capsys.readouterr().out.splitlines()]
    assert len(drawn) >= 3
    for path in drawn:
        with open(path, "rb") as file:
            assert file.read(4) == b"\x89PNG"


def test_what_the_user_can_mend_is_one_sentence(tiny, capsys, tmp_path):
    assert main(["evaluate", str(tmp_path / "nothing")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("spaceforms evaluate: ")
    assert "spaceforms train --out" in said
    assert said.count("\n") == 1
    assert main(["train", "--out", str(tmp_path / "x"), "--held-out", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path / "x"), "--curvature", "2"]) == 2
    assert "expected a negative number" in capsys.readouterr().err


def test_the_hierarchy_is_measured_where_the_model_has_what_it_takes(trained):
    chain = trained(model="hycoclip", folder="chain", epochs=1)
    result = evaluate(chain)
    assert list(result["hierarchy"]) == [
        "depth and radius",
        "half-aperture",
        "cones",
        "ways to the root",
    ]
    table = as_table(result)
    for words in ("tree of WordNet", "cones of texts, pictures", "ways to the root", "Spearman"):
        assert words in table
    flat = evaluate(trained(model="clip", folder="clip", epochs=1))["hierarchy"]
    assert list(flat) == ["depth and radius", "ways to the root"]
    fixed = trained(model="meru", folder="fixed", epochs=1, fixed_radius=1.0)
    assert list(evaluate(fixed)["hierarchy"]) == [
        "half-aperture",
        "cones",
        "ways to the root",
    ]


def test_a_product_is_drawn(trained):
    for path in draw_run(trained(model="phyclip", folder="product", epochs=1), dpi=40):
        assert path.read_bytes()[:4] == b"\x89PNG"


def test_the_command_traverse_walks_from_names_and_files(trained, tmp_path, capsys):
    run = trained(epochs=1)
    data, tests = held_out(run)
    name = data.names[data.concept[tests["vendor"][3]]]
    row = tests["vendor"][3]
    # The same picture as a file, transparent where it is white.
    pixels = np.concatenate([data.images[row], np.full((16, 16, 1), 255, np.uint8)], 2)
    pixels[(data.images[row] == 255).all(-1)] = 0
    imsave(tmp_path / "mine.png", pixels)
    assert main(["traverse", str(run.folder), "--image", name, str(tmp_path / "mine.png")]) == 0
    first, second, drawn = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{name}: ")
    assert first.endswith("[ROOT]")
    assert second.removeprefix("mine") == first.removeprefix(name)
    assert Path(drawn.removeprefix("Drawn: ")).read_bytes()[:4] == b"\x89PNG"

    assert main(["traverse", str(run.folder), "--count", "3"]) == 0
    titles = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]]
    groups = {c.name: c.group for c in data.concepts}
    assert len({groups[title] for title in titles}) == len(titles) == 3

    (tmp_path / "text.png").write_text("no picture")
    for words, message in (
        (["--image", "no such thing"], "which is the name of no held-out picture and no file"),
        (["--image", titles[0][:-1]], f"expected a name such as {titles[0]!r}"),
        (["--image", str(tmp_path / "text.png")], "text.png: expected a picture, but"),
        (["--count", "0"], "count is 0; expected at least 1"),
        (["--steps", "1"], "steps is 1; expected at least 2"),
    ):
        assert main(["traverse", str(run.folder), *words]) == 1
        assert message in capsys.readouterr().err


def _numbers(line: str) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+\.\d+", line)]


def test_the_table_has_every_figure_in_its_place():
    """Each figure is another number, so that one in another's place is seen."""
    ways = [f"{a}, by {b}" for a in ("image to text", "text to image") for b in ("id", "family")]
    test = {"pictures": 1234, "names": 5678}
    for k, way in enumerate(ways):
        test[way] = {
            "recall": {"1": 0.101 + k / 10, "5": 0.105 + k / 10, "10": 0.11 + k / 10},
            "chance": {"1": 0.001 + k / 100, "5": 0.005 + k / 100, "10": 0.009 + k / 100},
        }
    scores = {"TIE": {"mean": 1.5, "chance": 2.5}, "LCA": {"mean": 3.5, "chance": 4.5}}
    test["tree"] = {"groups": scores}
    areas = {"probability": 0.711, "margin": 0.722, "random": 0.733, "best": 0.744}
    test["AURC"] = {"image to text": areas, "text to image": {k: v + 0.1 for k, v in areas.items()}}
    test["hubness"] = {"image to text": 1.83, "text to image": 2.92}
    names = ("accuracy", "macro", "chance", "most frequent")
    for k, level in enumerate(("subgroup", "group")):
        test[f"zero-shot {level}"] = {n: 0.5 + k / 10 + j / 100 for j, n in enumerate(names)}
    quartiles = ("mean", "25%", "median", "75%")
    result = {
        **{"model": "meru", "manifold": "Lorentz()", "parameters": 1234567, "data": "some"},
        **{"seen in training": "no, held out", "tests": {"vendor": test}},
        "radius": {
            level: {q: k + j / 10 for j, q in enumerate(quartiles)}
            for k, level in enumerate(("group", "picture"))
        },
        "hierarchy": {
            "depth and radius": {"texts": 0.123},
            "cones": {"texts": {"AUC": 0.456, "contained": 0.789}},
            "ways to the root": {"precision": 0.321, "recall": 0.654},
        },
        "scalars": {"scale": 14.25, "curvature": -1.5},
    }
    lines = as_table(result).splitlines()
    (line,) = [x for x in lines if "parameters" in x]
    assert line == "meru on Lorentz(), 1,234,567 parameters"
    assert lines[1] == "data: some; seen in training: no, held out"
    assert "vendor: 1,234 pictures, 5,678 names" in lines

    def row(start: str) -> list[float]:
        (found,) = [x for x in lines if x.strip().startswith(start)]
        return _numbers(found[2 + len(start) :])

    for way in ways:
        wanted = [*test[way]["recall"].values(), *test[way]["chance"].values()]
        assert row(way) == pytest.approx(wanted)
    (head,) = [x for x in lines if "R@1" in x]
    assert head.split() == ["R@1", "R@5", "R@10", "chance"]
    (head,) = [x for x in lines if "TIE" in x]
    assert head.split() == ["tree", "of", "groups", "TIE", "LCA"]
    assert [row(r) for r in ("mean", "chance")] == [[1.5, 3.5], [2.5, 4.5]]
    assert any(x.endswith("  image to text 1.83, text to image 2.92") for x in lines)
    (head,) = [x for x in lines if "AURC" in x]
    assert head.split()[-4:] == list(areas)
    for direction, found in test["AURC"].items():
        assert row(f"{direction}  ") == pytest.approx([*found.values()])
    (head,) = [x for x in lines if "accuracy" in x]
    assert head.split() == ["accuracy", "macro", "chance", "most", "frequent"]
    for level in ("subgroup", "group"):
        assert row(f"zero-shot {level}") == pytest.approx([*test[f"zero-shot {level}"].values()])
    for level in ("group", "picture"):
        wanted = list(result["radius"][level].values())
        assert wanted in [_numbers(x) for x in lines if x.startswith(f"  {level} ")]
    assert row("Spearman, depth and radius, texts") == [0.123]
    assert any(x.endswith("AUC 0.456, contained 0.789") for x in lines)
    assert any(x.split("  ")[1] == "cones of texts, texts" for x in lines if "AUC" in x)
    assert any(x.endswith("precision 0.321, recall 0.654") for x in lines)
    assert lines[-1] == "  scalars: scale 14.2, curvature -1.5"


def test_pictures_of_different_groups_are_shown_first_and_names_are_found(tiny):
    data, split = load_data(tiny())
    index = split.tests["vendor"]
    group = data.hierarchy.ancestor("group")[data.concept[index]]
    groups = len(set(group.tolist()))
    for count in (1, groups, groups + 4):
        chosen = traverse_run._some(data, index, count)
        assert len(chosen) == count
        places = [data.names.index(name) for name, _ in chosen]
        shown = data.hierarchy.ancestor("group")[places]
        assert len(set(shown[:groups].tolist())) == min(count, groups)
        for place, (_, image) in zip(places, chosen, strict=True):
            rows = index[data.concept[index] == place]
            assert any(torch.equal(image, to_float(data.images[[k]])[0]) for k in rows)
    first = index[group == group.min()]
    assert chosen[0][0] == data.names[data.concept[first[len(first) // 2]]]
    name = data.names[data.concept[index[3]]]
    run = SimpleNamespace(prepare=None)  # for files alone
    found, image = traverse_run._find(run, name, data, index)
    assert found == name
    assert torch.equal(image, to_float(data.images[index[[3]]])[0])
    with pytest.raises(ValueError, match=rf"image is '{name}x', .* a name such as '{name}'"):
        traverse_run._find(run, f"{name}x", data, index)
    known = data.names[data.concept[index[0]]]
    with pytest.raises(ValueError, match=rf"a name such as '{known}'"):
        traverse_run._find(run, "?", data, index)


def test_of_a_long_way_the_ends_and_even_steps_between_are_drawn(tmp_path, monkeypatch):
    assert traverse_run._kept(1) == [0]
    assert traverse_run._kept(7) == list(range(7))
    assert traverse_run._kept(13) == [0, 2, 4, 6, 8, 10, 12]
    words = [f"w{k}" for k in range(13)]
    ways = [
        traverse_run.Walk("a title", torch.zeros(3, 2, 2), words, [k / 12 for k in range(13)]),
        traverse_run.Walk("other", torch.zeros(3, 2, 2), ["one", "root"], [0.25, 1.0]),
    ]
    drawn = []
    monkeypatch.setattr(
        "spaceforms.models.evaluation.figures.saved",
        lambda figure, path, dpi: drawn.append((figure, path, dpi)),
    )
    traverse_run.draw(ways, tmp_path / "x.png", title="all of it")
    ((figure, path, dpi),) = drawn
    assert (path, dpi, figure.get_suptitle()) == (tmp_path / "x.png", 150, "all of it")
    long, short = figure.axes[0], figure.axes[1]
    texts = [[t.get_text() for t in ax.texts if t.get_text()] for ax in (long, short)]
    kept = [f"{k} {j:.0%}" for k, j in zip(words[::2], (k / 6 for k in range(7)), strict=True)]
    assert texts[0] == ["a title", *" ".join(kept).split()]
    assert texts[1] == ["other", "one", "25%", "root", "100%"]
    assert long.get_xlim() == short.get_xlim() == (0, 8)
    places = [t.get_position()[0] for t in short.texts if t.get_text() in ("one", "root")]
    assert places == [1.5, 2.5]
    assert len(long.child_axes) == 1


def test_a_log_goes_on_where_its_run_does_and_rounds_to_seven_digits(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = Log(path, 0)
    for step in (10, 20, 30):
        log.write(step=step, loss=1 / 3, big=123456789.0)
    log.close()
    assert read_log(path)[0] == {"step": 10, "loss": 0.3333333, "big": 123456800.0}
    Log(path, 20).close()
    assert [row["step"] for row in read_log(path)] == [10, 20]
    Log(path, 0).close()
    assert read_log(path) == []
    Log(tmp_path / "new.jsonl", 5).close()
    assert read_log(tmp_path / "new.jsonl") == []
    path.write_text('{"step": 1}\n' + "x" * 80 + "\n")
    with pytest.raises(ValueError, match=rf"line 2: .*got '{'x' * 60}'\.$"):
        read_log(path)
    with pytest.raises(FileNotFoundError, match=r"none: expected the log of a run, found no such"):
        read_log(tmp_path / "none")


def test_what_a_run_holds_out_is_drawn_with_its_words_and_its_scale(trained):
    run = trained(model="clip", epochs=1)
    data, tests = held_out(run)
    index = tests["vendor"]
    found = figures._embedding(run, data, index, "CLIP", "pictures")
    assert list(found) == [figures.EMBEDDING, figures.PICTURES]
    for file, levels, most in ((figures.EMBEDDING, 4, 36), (figures.PICTURES, 3, 90)):
        ax = found[file].axes[0]
        labels = [t.get_text() for t in ax.get_legend().get_texts()]
        assert labels == ["name", "subgroup", "group", "picture"][:levels]
        assert ax.get_title().startswith("CLIP")
        texts = [t.get_text() for t in ax.texts if not t.get_text().replace(".", "").isdigit()]
        (said,) = (t for t in texts if t.startswith("On the sphere, in normal coordinates"))
        assert "distortion" in said
        texts.remove(said)
        known = {t for level in level_texts(data, index).values() for t in level}
        assert 0 < len(texts) <= most
        assert set(texts) <= known
    pictures = found[figures.PICTURES].axes[0].findobj(BboxImage)
    assert 0 < len(pictures) <= len(index)
    title = figures._radii(run, data, index, "CLIP").axes[0]
    assert [t.get_text() for t in title.texts][-1] == "root (the empty caption)"
    assert figures._losses(run, "CLIP").axes[0].get_title() == "CLIP: training losses"
