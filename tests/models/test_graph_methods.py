"""The methods of embed: their losses by the public ones, what they learn, how it is judged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spaceforms.__main__ import main
from spaceforms.losses import (
    Hierarchy,
    disk_ranking,
    entailment,
    exclusion,
    order_ranking,
    shadow_ranking,
)
from spaceforms.manifolds import Product
from spaceforms.models import load_embedding
from spaceforms.models.graphs import run as run_module
from spaceforms.models.graphs.config import EmbedOptions, make_space
from spaceforms.models.graphs.edges import read_graph, shape_in_words
from spaceforms.models.graphs.links import best_f1, f1_at, f1_of_yes, judged
from spaceforms.models.graphs.methods import METHODS, Nodes
from spaceforms.models.graphs.methods.cones import MIN_RADIUS
from spaceforms.models.graphs.methods.shadow import SIZE
from spaceforms.models.graphs.relation import relation_of, split
from spaceforms.models.graphs.run import embed
from spaceforms.models.graphs.trainer import Trainer

PRODUCT = "lorentz:2,euclidean:1"


@pytest.fixture
def tree(tmp_path):
    """The path of the edges of a binary tree of 31 nodes."""
    path = tmp_path / "tree.txt"
    path.write_text("".join(f"n{k // 2} n{k}\n" for k in range(2, 32)))
    return path


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(run_module, "draw", lambda *args, **_: None)


def options_of(edges, out, method, **more):
    flat = "euclidean" if method == "order" else "lorentz"
    dim = 10 if ":" in more.get("manifold", "") else 3  # 10: as the product says
    given = {"dim": dim, "epochs": 4, "batch": 16, "negatives": 5, "manifold": flat} | more
    return EmbedOptions(str(edges), Path(out), method=method, **given)


def pairs_of(space, count=6, k=4):
    generator = torch.Generator().manual_seed(0)
    n = 3
    x, y = (torch.randn(count, j, n, generator=generator).double() for j in (1, 1 + k))
    r = [torch.randn(count, j, generator=generator).double() for j in (1, 1 + k)]
    return Nodes(space.from_normal(x), r[0]), Nodes(space.from_normal(y), r[1])


def public(method, space, margin, node, others):
    """The loss of each row by a function of ``losses``: parent first, its negatives after."""
    p, c = others.points[:, 0], node.points[:, 0]
    q, d = others.points[:, 1:], node.points
    space_and = {"manifold": space, "margin": margin, "reduction": "none"}
    if method == "order":
        return order_ranking(p.abs(), c.abs(), q.abs(), d.abs(), margin=margin, reduction="none")
    if method == "disk":
        r, s = others.number, node.number
        radii = (r[:, 0], s[:, 0]), (r[:, 1:], s)
        return disk_ranking(p, c, *radii[0], q, d.expand_as(q), *radii[1], **space_and)
    if method == "cones":
        options = {"manifold": space, "min_radius": MIN_RADIUS, "reduction": "none"}
        out = exclusion(q, d.expand_as(q), margin=margin, **options)
        return entailment(p, c, **options) + out.sum(-1)
    return shadow_ranking(p, c, q, d, shadow=method, size=SIZE, **space_and)


@pytest.mark.parametrize("method", ["cones", "umbral", "penumbral", "order", "disk"])
@pytest.mark.parametrize("manifold", ["lorentz", "ball", "sphere", "euclidean"])
def test_the_losses_are_the_public_ones(method, manifold):
    if method == "order" and manifold != "euclidean":
        pytest.skip("an order of coordinates is one of flat space")
    space = make_space(manifold)
    found = METHODS[method](space)
    node, others = pairs_of(space)
    if method == "order":
        node, others = (Nodes(found.place(x.points)) for x in (node, others))
    loss = found.loss(node, others, None, torch.tensor(1.0))
    wanted = public(method, space, found.margin, node, others)
    torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=1e-12)
    assert (loss > 0).any()


@pytest.mark.parametrize(
    ("method", "manifold", "least"),
    [
        ("distances", PRODUCT, 0.9),
        ("cones", "lorentz", 0.7),
        ("cones", PRODUCT, 0.6),
        ("umbral", "lorentz", 0.7),
        ("penumbral", "ball", 0.7),
        ("disk", "euclidean", 0.7),
        ("order", "euclidean", 0.45),
    ],
)
def test_each_method_learns_a_tree_beyond_popularity(tree, tmp_path, method, manifold, least):
    out = tmp_path / "out"
    more = {"epochs": 100, "batch": 128, "negatives": 10, "manifold": manifold}
    report = embed(options_of(tree, out, method, **more))
    assert report["map"] > least
    embedding = load_embedding(out)
    assert embedding.method == method
    # The score that is stored is the one that was measured.
    relation = relation_of(read_graph(str(tree)), closure=True)
    first = [embedding.general(name, 1)[0].name for name in embedding.names[1:]]
    right = [a in embedding.ancestors(n) for n, a in zip(embedding.names[1:], first, strict=True)]
    assert sum(right) / len(right) > least - 0.25
    assert relation.nodes == len(embedding)


def test_stress_makes_distances_those_of_the_graph(tmp_path):
    # A path is flat, so that its distances can be kept exactly.
    path = tmp_path / "path.txt"
    path.write_text("".join(f"n{k} n{k + 1}\n" for k in range(11)))
    report = embed(
        options_of(path, tmp_path / "out", "stress", manifold="euclidean", epochs=150, lr=1.0)
    )
    assert report["mean_distortion"] < 0.02
    assert 1 <= report["worst_distortion"] < 1.15
    embedding = load_embedding(tmp_path / "out")
    distance = embedding.manifold.dist(embedding.points[:, None], embedding.points)
    steps = (torch.arange(12)[:, None] - torch.arange(12)).abs()
    error = (distance / steps.clamp(min=1) - 1).abs()[steps > 0]
    assert float(error.mean()) == pytest.approx(report["mean_distortion"], rel=1e-4)


@pytest.mark.parametrize("method", ["cones", "disk", "stress"])
def test_a_seed_gives_the_same_bits_stopped_or_not(tree, tmp_path, method):
    relation = relation_of(graph := read_graph(str(tree)), closure=True)
    options = options_of(tree, tmp_path, method)
    whole, one = (Trainer(graph, relation, options, 4) for _ in range(2))
    for _ in whole.run(lambda: False):
        pass
    while one.done < one.steps:
        for count, _ in enumerate(one.run(lambda one=one: one.done % 3 == 2), 1):
            assert count <= 3
        one._step()
        again = Trainer(graph, relation, options, 4)
        again.load_state({k: v.clone() for k, v in one.state().items()})
        one = again
    assert torch.equal(whole.points(), one.points())


@pytest.mark.parametrize("wider", [0, 3])
def test_the_points_that_are_kept_have_the_dimension_asked_for(tree, tmp_path, wider):
    report = embed(options_of(tree, tmp_path / "o", "distances", wider=wider, dim=2))
    assert load_embedding(tmp_path / "o").points.shape == (31, 3)
    assert report["map"] > 0


def test_what_vanishes_has_vanished_before_the_end(tree, tmp_path):
    graph = read_graph(str(tree))
    trainer = Trainer(
        graph, relation_of(graph, closure=True), options_of(tree, "x", "distances", wider=2), 10
    )
    seen = []
    for _ in trainer.run(lambda: False):
        batch = trainer.method.draw(
            trainer.relation, trainer.rows[:5], 3, torch.Generator().manual_seed(0)
        )
        node, _ = trainer.nodes(batch, trainer._scale())
        seen.append(node.points.shape[-1])
    assert (seen[0], seen[-1]) == (6, 4)
    assert seen == sorted(seen, reverse=True)
    assert seen.count(4) == pytest.approx(0.1 * trainer.steps, abs=2)


# -- hidden pairs


def test_a_share_of_what_follows_is_hidden_and_no_edge(tree):
    graph = read_graph(str(tree))
    whole = relation_of(graph, closure=True)
    known, hidden = split(whole, graph, 0.4, 0)
    known_of, hidden_of, every = (
        {tuple(p) for p in r.pairs.tolist()} for r in (known, hidden, whole)
    )
    assert known_of | hidden_of == every
    assert not known_of & hidden_of
    edges = set(zip(graph.child.tolist(), graph.parent.tolist(), strict=True))
    assert edges <= known_of
    assert len(hidden_of) == round(0.4 * (len(every) - len(edges)))
    assert {tuple(p) for p in split(whole, graph, 0.4, 1)[1].pairs.tolist()} != hidden_of


def test_a_score_that_knows_finds_all_and_one_that_does_not_finds_what_chance_does(tree):
    graph = read_graph(str(tree))
    whole = relation_of(graph, closure=True)
    known, hidden = split(whole, graph, 0.8, 0)
    tree_of = Hierarchy(parent=graph.parent, child=graph.child, nodes=whole.nodes)
    every = torch.arange(whole.nodes)
    truth = (~tree_of.contains(every[None, :], every[:, None])).double()  # [u, v]: v above u: 0
    found = judged(
        *(whole, known, hidden),
        cost=lambda u: truth[u],
        score=lambda u, v: truth[u, v],
        seed=0,
    )
    assert (found.f1, found.map, found.mean_rank) == (1.0, 1.0, 1.0)
    assert found.f1_of_yes == pytest.approx(2 / 12)
    assert found.pairs == len(hidden.pairs)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=truth.shape))
    found = judged(
        *(whole, known, hidden),
        cost=lambda u: noise[u],
        score=lambda u, v: noise[u, v],
        seed=0,
    )
    assert found.f1 < 0.4
    assert found.mean_rank > 5


def test_f1_is_that_of_the_definition():
    score = torch.tensor([0.1, 0.4, 0.2, 0.9])
    truth = torch.tensor([True, False, True, True])
    best, threshold = best_f1(score, truth)
    assert (best, threshold) == (pytest.approx(6 / 7), pytest.approx(0.9))
    assert f1_at(0.2, score, truth) == pytest.approx(2 * 2 / (2 + 3))
    assert f1_of_yes(truth) == pytest.approx(6 / 7)


def test_hidden_pairs_are_judged_by_the_command(tree, tmp_path, capsys):
    out = tmp_path / "o"
    words = ["embed", str(tree), "--out", str(out), "--method", "cones", "--dim", "3"]
    assert main([*words, "--hidden", "0.3", "--epochs", "200", "--negatives", "15"]) == 0
    assert "hidden pairs: F1" in capsys.readouterr().out
    hidden = json.loads((out / "report.json").read_text())["hidden"]
    assert hidden["f1"] > 0.4 > hidden["f1_of_yes"]


# -- spaces and options


def test_the_example_is_a_hierarchy_of_one_root():
    graph = read_graph(str(Path(__file__).parents[2] / "examples/data/languages.tsv"))
    assert graph.notes == ()
    assert shape_in_words(graph) == "73 nodes, 81 edges, 1 root, 1 component."
    assert relation_of(graph, closure=True).nodes == 73


@pytest.mark.slow
def test_a_compiled_step_is_the_plain_one(tree):
    graph = read_graph(str(tree))
    relation = relation_of(graph, closure=True)
    found = []
    for compiled in (False, True):
        trainer = Trainer(graph, relation, options_of(tree, "x", "distances", compile=compiled), 4)
        found.append([loss for _, loss in trainer.run(lambda t=trainer: t.done >= 4)])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_a_product_is_stored_and_read_again(tree, tmp_path):
    out = tmp_path / "o"
    embed(options_of(tree, out, "disk", manifold="stereographic:2,sphere:3"))
    embedding = load_embedding(out)
    assert isinstance(embedding.manifold, Product)
    assert embedding.manifold.dims == (2, 3)
    assert embedding.manifold.curvatures[1] == 1
    assert embedding.manifold.curvatures[0] != 0
    assert embedding.manifold.is_point(embedding.points).all()
    assert embedding.radius.shape == (31,)
    assert embedding.bias is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--manifold", "lorentz:3,flat:2"], "expected lorentz, ball"),
        (["--manifold", "lorentz:3,sphere"], "each with its dimension"),
        (["--manifold", "lorentz:3,sphere:2", "--dim", "4"], "dim is 4; expected 5"),
        (["--manifold", "lorentz:3,sphere:2", "--wider", "1"], "expected 0 for a product"),
        (["--manifold", "lorentz:3,sphere:2", "--method", "umbral"], "one of one light"),
        (["--method", "order"], "expected --manifold euclidean"),
        (["--method", "cone"], "method is 'cone'; expected one of distances"),
        (["--method", "cones", "--bias"], "expected --method distances with a bias"),
        (["--hidden", "1.5"], "hidden is 1.5; expected a share"),
        (["--hidden", "0.5", "--closure", "False"], "expected at most one"),
    ],
)
def test_options_that_cannot_work_get_a_sentence(tree, tmp_path, words, sentence, capsys):
    assert main(["embed", str(tree), "--out", str(tmp_path / "o"), *words]) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert sentence.replace("one of one light", "those of one light") in said


def test_nothing_to_hide_is_a_sentence(tmp_path, capsys):
    path = tmp_path / "flat.txt"
    path.write_text("a b\na c\na d\n")
    assert main(["embed", str(path), "--out", str(tmp_path / "o"), "--hidden", "0.5"]) == 1
    assert "of 3 pairs 0 follow from others" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "a b c d\n"])
def test_a_list_that_cannot_be_read_leaves_no_folder(tmp_path, content, capsys):
    path = tmp_path / "edges.txt"
    if content is not None:
        path.write_text(content)
    assert main(["embed", str(path), "--out", str(tmp_path / "new" / "run")]) == 1
    assert "edges.txt" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    kept = tmp_path / "kept"
    kept.mkdir()
    assert main(["embed", str(path), "--out", str(kept)]) == 1
    assert kept.is_dir()
