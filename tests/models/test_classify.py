"""Prompts, probes, shifts and intervals, against scipy, loops and simulation; a run end to end."""

import json

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from spaceforms.__main__ import main
from spaceforms.datasets.augment import to_float
from spaceforms.losses.metrics import aurc
from spaceforms.models import (
    class_points,
    features_of,
    fit_probe,
    load_run,
    read_prompts,
    selective_figures,
    share_interval,
    shift_figures,
    zero_shot,
)
from spaceforms.models.evaluation.classify import probe_parts
from spaceforms.models.evaluation.evaluate import evaluate, held_out
from spaceforms.models.evaluation.probe import COARSE, FINEST, searched
from spaceforms.models.evaluation.shifts import shifted
from spaceforms.models.training.loop import train

# -- intervals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (7, 7), (412, 1000)])
def test_of_items_on_their_own_it_is_wilsons_interval(hits, n):
    hit = np.arange(n) < hits
    found = share_interval(hit)
    wanted = stats.binomtest(hits, n).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(found, (hits / n, wanted.low, wanted.high), rtol=1e-12, atol=1e-15)


def test_copies_of_an_item_tell_no_more_than_the_item():
    hit = np.arange(40) % 3 == 0
    one = share_interval(hit)
    copies = share_interval(np.repeat(hit, 5), np.repeat(np.arange(40), 5))
    # (n - 1)/n of a hundred and of forty, in the variance.
    np.testing.assert_allclose(copies, one, atol=0.02 * (one.high - one.low))
    alone = share_interval(np.repeat(hit, 5))
    assert alone.high - alone.low < 0.5 * (copies.high - copies.low)
    all_hit = share_interval(np.ones(200), np.repeat(np.arange(40), 5))
    assert all_hit == share_interval(np.ones(40))


def test_it_holds_the_share_of_clusters_as_often_as_it_says():
    draw = np.random.default_rng(0)
    held = []
    for _ in range(400):
        chance = np.repeat(draw.beta(1, 3, 60), 5)
        found = share_interval(draw.random(300) < chance, np.repeat(np.arange(60), 5))
        held.append(found.low <= 0.25 <= found.high)
    # Five standard deviations of 400 tries: 0.054.
    assert abs(np.mean(held) - 0.95) < 0.054


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([],), "expected .n,. of 0 and 1, n > 0"),
        (([0.5, 1],), r"values from 0\.5 to 1; expected"),
        (([1, 0], [1]), r"cluster has shape \(1,\) and hit \(2,\); expected one shape"),
    ],
)
def test_what_is_no_hit_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        share_interval(*map(np.array, given))
    with pytest.raises(ValueError, match="level is 1; expected a number between 0 and 1"):
        share_interval(np.array([1, 0]), level=1)


# -- prompts --------------------------------------------------------------------------------------


def test_prompts_are_read_by_line_and_a_wrong_one_is_named(tmp_path):
    assert read_prompts()[0] == "{}"
    file = tmp_path / "prompts.txt"
    file.write_text("# words\n\n  a {} \nthe {}\n")
    assert read_prompts(file) == ("a {}", "the {}")
    file.write_text("a {}\nthe\n")
    with pytest.raises(ValueError, match=r"line 2 is 'the'; expected \{\} once"):
        read_prompts(file)
    file.write_text("#\n")
    with pytest.raises(ValueError, match="expected at least one prompt"):
        read_prompts(file)


@pytest.mark.parametrize("model", ["clip", "meru", "phyclip"])
def test_a_class_is_the_mean_of_its_prompts_in_the_models_own_coordinates(trained, model):
    run = trained(model=model)
    names, prompts = ["dog", "a {x} cat", "sun"], ["{}", "a picture of {}", "one {}"]
    found = class_points(run, names, prompts)
    for name, point in zip(names, found, strict=True):
        texts = [prompt.replace("{}", name) for prompt in prompts]
        points = run.encode_texts(texts)
        if model == "clip":
            wanted = torch.nn.functional.normalize(points.sum(0), dim=0)
        else:
            v = run.manifold.to_normal(points)
            wanted = run.manifold.from_normal((v[0] + v[1] + v[2]) / 3)
        torch.testing.assert_close(point, wanted, rtol=1e-5, atol=1e-6)
    alone = class_points(run, names, ["{}"])
    torch.testing.assert_close(alone, run.encode_texts(names), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="3 classes and 0 prompts"):
        class_points(run, names, [])


def test_zero_shot_counts_what_a_loop_counts(trained):
    run = trained(epochs=10, lr=1e-2)
    data, tests = held_out(run)
    (index,) = tests.values()
    images = run.encode_prepared(to_float(data.images[index]))
    names = [data.names[c] for c in data.concept[index]]
    figures = zero_shot(run, images, names, np.arange(40), np.arange(40), ["{}", "a {}"])
    points = class_points(run, names, ["{}", "a {}"])
    top = {1: 0, 5: 0}
    for k, image in enumerate(images):
        order = run.manifold.dist(image.double(), points.double()).argsort().tolist()
        for most in top:
            top[most] += k in order[:most]
    for most, hits in top.items():
        found = figures["ensemble"][f"top {most}"]
        assert found["share"] == pytest.approx(hits / 40)
        assert found["low"] < found["share"] < found["high"]
        assert found["chance"] == most / 40
    single = figures["single prompts"]
    assert single["least"] <= figures["name alone"]["top 1"]["share"] <= single["most"]


# -- probes ---------------------------------------------------------------------------------------


def _blobs(n=240, width=5, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % classes
    middle = torch.randn(classes, width, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, width, generator=generator, dtype=torch.float64)
    return 2 + 3 * (middle[label] + noise), label


def test_the_probe_is_the_minimum_that_scipy_finds():
    x, y = _blobs()
    probe = fit_probe(x, y, most=500)
    z = ((x - x.mean(0)) / x.std(0, correction=0)).numpy()
    strength = 10**probe.log10_strength

    def objective(w):
        weight, bias = w[:15].reshape(3, 5), w[15:]
        logits = z @ weight.T + bias
        log_p = logits - np.logaddexp.reduce(logits, 1)[:, None]
        return -log_p[np.arange(len(z)), y].sum() + strength / 2 * (weight**2).sum()

    best = optimize.minimize(objective, np.zeros(18), method="BFGS", options={"gtol": 1e-7})
    ours = objective(np.concatenate([probe.weight.flatten().numpy(), probe.bias.numpy()]))
    # L-BFGS ends at a gradient of 1e-7 of the mean or a change of 1e-9: in the sum, 240 times that.
    assert best.fun - 1e-6 < ours < best.fun + 240 * 1e-7
    torch.testing.assert_close(
        probe.scores(x), torch.from_numpy(z) @ probe.weight.T + probe.bias, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("peak", [-6, -3.3, 0, 1.9, 4.6, 6])
def test_the_search_finds_a_single_peak_to_an_eighth_of_a_decade(peak):
    tried = []

    def accuracy(power):
        tried.append(power)
        return -abs(power - peak)

    assert abs(searched(accuracy) - peak) <= FINEST / 2 + 1e-12
    assert len(set(tried)) <= len(COARSE) + 2 * 4
    assert searched(lambda power: 0.0) == COARSE[-1]


def test_a_probe_learns_what_is_there_and_chance_where_nothing_is():
    x, y = _blobs(600)
    probe = fit_probe(x[:400], y[:400])
    bayes = fit_probe(x, y).scores(x[400:]).argmax(1).eq(y[400:]).double().mean()
    found = probe.scores(x[400:]).argmax(1).eq(y[400:]).double().mean()
    assert found > 0.6
    assert abs(found - bayes) < 0.08
    nothing = fit_probe(torch.randn(400, 5, generator=torch.Generator().manual_seed(1)), y[:400])
    other = torch.randn(200, 5, generator=torch.Generator().manual_seed(2))
    # Five standard deviations about a third.
    assert abs(nothing.scores(other).argmax(1).eq(y[400:]).double().mean() - 1 / 3) < 0.17


def test_a_column_that_does_not_vary_and_a_class_that_is_not_there_do_no_harm():
    x, y = _blobs(60)
    x = torch.cat([x, torch.ones(60, 1)], 1)
    scores = fit_probe(x, y, classes=4).scores(x)
    assert scores.shape == (60, 4)
    assert scores.isfinite().all()
    assert (scores.argmax(1) != 3).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": torch.zeros(3, dtype=torch.long)}, r"label \(3,\); expected \(N, D\) and"),
        ({"features": torch.full((60, 5), torch.nan)}, "features hold numbers that are not finite"),
        ({"classes": 2}, "labels are from 0 to 2; expected 0 to 1"),
        ({"family": np.zeros(60)}, "of 1 families leaves 0 of 60 rows to choose on"),
        ({"family": np.zeros(3)}, "expected one shape"),
    ],
)
def test_a_probe_that_cannot_be_fitted_says_why(change, message):
    x, y = _blobs(60)
    with pytest.raises(ValueError, match=message):
        fit_probe(**{"features": x, "label": y, **change})


def test_features_are_those_of_the_encoder_or_coordinates_of_the_points(trained):
    images = torch.rand(3, 3, 16, 16)
    for model in ("clip", "meru"):
        run = trained(model=model, overwrite=True)
        with torch.no_grad():
            torch.testing.assert_close(features_of(run, images), run.model.image_encoder(images))
        points = run.encode_prepared(images)
        wanted = points if model == "clip" else run.manifold.to_normal(points)
        torch.testing.assert_close(features_of(run, images, "points"), wanted)
    with pytest.raises(ValueError, match="of is 'text'; expected one of encoder, points"):
        features_of(run, images, "text")


# -- shifts and confidence ------------------------------------------------------------------------


def test_a_shift_moves_pixels_and_repeats_the_edge():
    image = torch.rand(2, 3, 5, 5)
    for down in (-2, 0, 1):
        for right in (-1, 0, 3):
            rows = (torch.arange(5) - down).clamp(0, 4)
            columns = (torch.arange(5) - right).clamp(0, 4)
            assert torch.equal(shifted(image, down, right), image[:, :, rows][..., columns])
    with pytest.raises(ValueError, match="right -5 for pictures of 5 pixels; expected less"):
        shifted(image, 0, -5)


def test_what_a_shift_keeps_is_counted_as_one_by_one(trained):
    run = trained(epochs=10, lr=1e-2)
    data, tests = held_out(run)
    (index,) = tests.values()
    images, label = to_float(data.images[index]), np.arange(40)
    names = run.encode_texts([data.names[c] for c in data.concept[index]])
    figures = shift_figures(run, images, names, label, label, pixels=2)
    first = run.distances(run.encode_prepared(images), names).argmin(1)
    kept = right = 0
    for move in ((2, 0), (-2, 0), (0, 2), (0, -2)):
        found = run.distances(run.encode_prepared(shifted(images, *move)), names).argmin(1)
        kept += int((found == first).sum())
        right += int((found == torch.arange(40)).sum())
    assert figures["2"]["kept"]["share"] == pytest.approx(kept / 160)
    assert figures["2"]["accuracy"]["share"] == pytest.approx(right / 160)
    assert figures["0"]["accuracy"]["share"] == pytest.approx(
        float((first == torch.arange(40)).double().mean())
    )
    assert set(figures) == {"0", "1", "2"}


def test_confidence_that_knows_its_errors_has_the_best_area_and_one_that_does_not_no_more():
    logits = torch.tensor([[9.0, 0, 0], [0, 3, 0], [1, 0.5, 0], [0.1, 0, 0]], dtype=torch.float64)
    right = np.zeros((4, 3), bool)
    right[[0, 1, 2, 3], [0, 1, 2, 2]] = True  # the last two are wrong, and least sure
    figures = selective_figures(logits, right)
    loss = torch.tensor([0.0, 0, 1, 1])
    assert figures["random"] == 0.5
    for name in ("probability", "margin", "entropy"):
        assert figures[name] == pytest.approx(figures["best"]) == pytest.approx(aurc(loss, loss))
    worst = selective_figures(logits, np.roll(right, 2, 0))
    assert worst["probability"] > worst["random"] > worst["best"]


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["clip", "meru"])
def test_the_command_classifies_with_intervals_and_writes_what_it_prints(
    trained, capsys, tmp_path, model
):
    run = trained(model=model)
    prompts = tmp_path / "mine.txt"
    prompts.write_text("{}\nsome {}\n")
    words = ["evaluate", str(run.folder), "--classify", "--prompts", str(prompts)]
    assert main(words) == 0
    said = capsys.readouterr().out
    found = json.loads((run.folder / "evaluation.json").read_text())["classify"]
    assert found["zero-shot"]["group"]["prompts"] == 2
    assert set(found["linear probe"]) == {"encoder", "points"}
    share = found["linear probe"]["points"]["group"]["top 1"]
    assert f"{share['share']:.3f} [{share['low']:.3f}, {share['high']:.3f}]" in said
    assert set(found["shifts"]) == {"0", "1", "2", "3", "4"}
    assert "AURC by its own confidence" in said
    assert main(["evaluate", str(run.folder), "--prompts", str(prompts)]) == 1
    assert "without classify; expected both" in capsys.readouterr().err


def test_a_probe_is_fitted_on_what_was_trained_on_and_tested_on_what_was_not(trained, small_data):
    run = trained()
    data, train_rows, test = probe_parts(run)
    assert set(data.vendor[train_rows]).isdisjoint(data.vendor[test])
    again, rows, _ = probe_parts(run, small_data[0], small_data[1])
    assert len(again) == len(data)
    np.testing.assert_array_equal(rows, train_rows)


def test_a_run_on_shards_classifies_by_the_texts_above_its_captions(tiny, small_shards):
    config = tiny(data=small_shards, concepts=None, val_share=0.3)
    train(config)
    found = evaluate(load_run(config.out), classify=True)["classify"]
    assert found["zero-shot"]["name"]["classes"] > 1
    assert found["linear probe"]["encoder"]["group"]["top 1"]["share"] >= 0
