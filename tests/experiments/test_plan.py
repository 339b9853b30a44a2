"""Plans: what they stand for, and the sentences with which wrong ones are refused."""

import importlib
import json

import claims
import measure
import plan
import pytest

from spaceforms.models.probvlm.config import ProbVLMConfig
from spaceforms.models.training.config import TrainConfig, from_json, to_json


def test_runs_are_all_seeds_places_and_variants_once_those_of_claims_first(write):
    write()
    runs = plan.read("own", quick=False).runs
    wanted = [
        (seed, {"embed_dim": width, "image.size": size}, variant)
        for seed in (3, 1)
        for width in (2, 4)
        for size in (16, 24)
        for variant in ("a", "b, other")
    ]
    claimed = {"embed_dim": 4, "image.size": 16}  # a stable sort: seed after seed in both parts
    wanted.sort(key=lambda run: run[1] != claimed)
    assert [(r.seed, r.at, r.variant) for r in runs] == wanted
    assert len({r.name for r in runs}) == len(runs) == 16
    # The variant's and the grid's options within the common ones, and the seed.
    options = {run.name: run.options for run in runs}
    assert options["a-embed_dim2-image.size24-seed3"] == {
        "epochs": 2,
        "embed_dim": 2,
        "image": {"size": 24, "group": 4},
        "model": "meru",
        "seed": 3,
    }
    other = options["b, other-embed_dim2-image.size24-seed3"]
    assert other["image"] == {"size": 24, "group": 8}


def test_the_run_that_a_claim_says_equals_a_number_goes_first_too(write, toml):
    start, end = toml.index("[[claims]]"), toml.index("[tables")
    claim = """[[claims]]
source = "theory"
text = "b is at one half"
of = "b, other"
equals = 0.5
margin = 0.1
figure = "score"
at = { embed_dim = 2, "image.size" = 24 }

"""
    write(toml[:start] + claim + toml[end:])
    runs = plan.read("own", quick=False).runs
    first = {(run.variant, run.at["embed_dim"], run.at["image.size"]) for run in runs[:2]}
    assert first == {("b, other", 2, 24)}
    assert [run.seed for run in runs[:2]] == [3, 1]


def test_the_quick_set_replaces_seeds_grid_and_variants_and_merges_options(write):
    write()
    (run,) = plan.read("own", quick=True).runs
    assert (run.seed, run.at, run.variant) == (0, {"embed_dim": 4}, "a")
    assert run.options["epochs"] == 1
    assert run.options["image"] == {"size": 16, "group": 8}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("title =", "titel =", r"own\.toml: got titel; expected claims, grid"),
        ('kind = "train"\n', "", r"own\.toml: kind is missing"),
        ("[variants]", "[others]", r"own\.toml: got others"),
        (
            'kind = "train"',
            'kind = "trian"',
            "kind is 'trian'; expected one of train, probvlm, selection",
        ),
        ("seeds = [3, 1]", "seeds = [3, 3]", r"seeds is \[3, 3\]; expected .* different"),
        ("seeds = [3, 1]", "seeds = []", r"seeds is \[\]; expected a list"),
        ("embed_dim = [2, 4]", "embed_dim = 4", "embed_dim is 4; expected a list"),
        ("epochs = 2", "epochs = ", r"own\.toml: expected TOML, but"),
        ('model = "clip"', "embed_dim = 9", "variant 'b, other' has embed_dim; expected options"),
        ("options = { epochs", "option = { epochs", r"own\.toml, quick: got option;"),
    ],
)
def test_a_wrong_experiment_is_refused_in_a_sentence(write, toml, old, new, sentence):
    assert old in toml
    write(toml.replace(old, new))
    with pytest.raises(ValueError, match=sentence):
        plan.read("own", quick=False)


def test_an_unknown_experiment_is_named_with_those_there_are(write):
    write(name="first")
    write(name="second")
    with pytest.raises(FileNotFoundError, match=r"third: no such .* one of first, second\."):
        plan.read("third", quick=False)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("figure =", "figur =", "claim 1: got figur; expected"),
        ('source = "a source"\n', "", "claim 1: source is missing"),
        ('than = "b, other"', 'than = "b"', "'b' is no variant; expected one of a, b, other"),
        # Without a point of the grid, runs of several places would be compared as one.
        ('at = { embed_dim = 4, "image.size" = 16 }', "", r"at is \{\}; expected a point"),
        ("at = { embed_dim = 4", "at = { embed_dim = 8", "expected a point of the grid"),
        ('than = "b, other"', "lower = true", "lower without than"),
        ('better = "a"', "equals = 0.5", "margin, of is missing"),
    ],
)
def test_a_claim_about_what_is_not_run_is_refused(write, toml, old, new, sentence):
    assert old in toml
    write(toml.replace(old, new))
    with pytest.raises(ValueError, match=sentence):
        claims.read("own")


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", plan.names())
def test_every_run_of_our_experiments_has_options_that_its_model_takes(name, quick, tmp_path):
    """An option that is misspelt should be seen now, not after hours of other runs."""
    p = plan.read(name, quick=quick)
    assert p.kind in measure.KINDS
    default = json.loads(to_json(TrainConfig(out=tmp_path)))
    for run in (*p.runs, *p.tuning):
        options = dict(run.options)
        if p.kind == "probvlm":
            options.pop("encoders", None)
            own = json.dumps(plan.merged(default, options.pop("own")))
            assert from_json(own, where=run.name).model == "clip"
            options.pop("views", None)
            method = options.pop("method")
            methods = () if method == "ttda" else (method,)
            config = ProbVLMConfig(tmp_path, tmp_path, methods=methods, **options)
        elif p.kind in ("heads", "noise", "wordnet", "embed", "selection", "joined"):
            config = importlib.import_module(p.kind).Options(**options)
            for own in (*options.get("candidates", ()), options.get("own", {})):
                from_json(json.dumps(plan.merged(default, own)), where=run.name)
        else:
            options.pop("shuffled_hierarchy", None)
            config = from_json(json.dumps(plan.merged(default, options)), where=run.name)
        assert config.seed == run.seed


@pytest.mark.parametrize("name", plan.names())
def test_claims_and_tables_of_our_experiments_are_read(name):
    content = plan.content(name)
    assert len(claims.read(name)) == len(content["claims"]) > 0
    assert all(columns for columns in content["tables"].values())
    assert set(measure.KINDS) == set(plan.KINDS)


TUNING = """
[tuning]
figure = "score"
seed = 9
options = { epochs = 1 }
grid = { lr = [1, 2], "image.size" = [8] }
"""


def test_settings_are_tried_by_runs_of_their_own_and_the_best_ones_are_taken(write, toml):
    write(toml.replace('"image.size" = [16, 24]', "") + TUNING)
    with pytest.raises(ValueError, match="expected a point of the grid"):
        claims.read("own")  # the claim names what is no longer in the grid
    p = plan.read("own", quick=False)
    assert len(p.tuning) == 2 * 2 * 2  # variants, places, settings
    for tried in p.tuning:
        assert tried.options["epochs"] == 1
        assert tried.options["seed"] == tried.seed == 9
        assert tried.options["lr"] == tried.setting["lr"]
        assert tried.options["image"]["size"] == 8
    assert len({tried.name for tried in p.tuning}) == len(p.tuning)
    found = [
        {"variant": t.variant, "at": t.at, "setting": t.setting, "value": value}
        for t, value in zip(p.tuning, (0.1, 0.9, 0.5, 0.4, 0.2, 0.3, 0.7), strict=False)
    ]
    best = {(f["variant"], str(f["at"])): max(
        (g for g in found if (g["variant"], g["at"]) == (f["variant"], f["at"])),
        key=lambda g: g["value"],
    )["setting"]["lr"] for f in found}  # fmt: skip
    chosen = plan.tuned(p, found)
    assert len(chosen.runs) == len(p.runs)
    assert {r.options["lr"] for r in chosen.runs} == {1, 2}
    for r in chosen.runs:
        assert r.options["lr"] == best[r.variant, str(r.at)]
        assert r.options["epochs"] == 2
    assert not plan.tuned(p, []).runs


def test_a_variant_tries_options_of_its_own_beside_the_common_ones(write, toml):
    own = (
        'variants.a = { entail_weight = [0.0, 0.2] }\nvariants."b, other" = { ema = [0.9, 0.99] }\n'
    )
    write(
        toml.replace('"image.size" = [16, 24]', "")
        + TUNING.replace(', "image.size" = [8]', "").replace("options =", own + "options =")
    )
    tried = [
        (t.variant, t.at["embed_dim"], t.setting) for t in plan.read("own", quick=False).tuning
    ]
    wanted = {
        "a": [{"lr": r, "entail_weight": w} for r in (1, 2) for w in (0.0, 0.2)],
        "b, other": [{"lr": r, "ema": e} for r in (1, 2) for e in (0.9, 0.99)],
    }
    for variant, settings in wanted.items():
        for width in (2, 4):
            assert [s for v, w, s in tried if (v, w) == (variant, width)] == settings
    # Everyone's first setting before anyone's second.
    assert [s["lr"] for _, _, s in tried[:4]] == [1] * 4
    # The cut-down set has variants of its own, and the tuning may know more.
    quick = plan.read("own", quick=True).tuning
    assert [t.setting for t in quick] == wanted["a"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "grid =",
            "variants.c = { ema = [0.9] }\ngrid =",
            "a variant c; expected some of a, b, oth",
        ),
        ("seed = 9", "seed = 3", "seed is 3; expected one of its own"),
        (
            "grid =",
            "variants.a = { ema = [0.9, 0.99] }\ngrid =",
            "settings tried are .* expected as many of each variant",
        ),
        ("seed = 9\n", "", "got figure, grid, options; expected figure, grid, options, seed"),
    ],
)
def test_a_tuning_that_is_none_is_refused(write, toml, old, new, sentence):
    write(toml + TUNING.replace(old, new).replace(', "image.size" = [8]', ""))
    with pytest.raises(ValueError, match=sentence):
        plan.read("own", quick=False)


def test_a_figure_that_no_run_has_chooses_nothing(write, toml):
    """A misspelt one was not a number for all, and the first setting was the best."""
    write(toml.replace('"image.size" = [16, 24]', "") + TUNING)
    p = plan.read("own", quick=False)
    found = [{"variant": t.variant, "at": t.at, "setting": t.setting} for t in p.tuning]
    with pytest.raises(ValueError, match=r"own, tuning: a at .* has no 'score'; expected a figure"):
        plan.tuned(p, [f | {"value": float("nan")} for f in found])


def test_merging_leaves_its_arguments_alone():
    one = {"image": {"size": 16}, "seed": 0}
    other = {"image.size": 24, "seed": 1}
    assert plan.merged(one, other) == {"image": {"size": 24}, "seed": 1}
    assert one == {"image": {"size": 16}, "seed": 0}
