"""The command embed: edge lists with every kind of dirt, what is learned, measured and stored."""

import gzip
import json
import math
import os
import re
import signal
import time
from collections import deque
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spaceforms.__main__ import main
from spaceforms.losses import Hierarchy
from spaceforms.models import load_embedding
from spaceforms.models.graphs import (
    picture as picture_module,
    run as run_module,
    trainer as trainer_module,
)
from spaceforms.models.graphs.config import EmbedOptions, make_space
from spaceforms.models.graphs.edges import components, read_graph, shape_in_words
from spaceforms.models.graphs.embedding import Embedding
from spaceforms.models.graphs.measures import (
    graph_metric,
    measured_nodes,
    popularity,
    reconstruction,
)
from spaceforms.models.graphs.methods import Batch
from spaceforms.models.graphs.relation import descendants, relation_of
from spaceforms.models.graphs.run import embed
from spaceforms.models.graphs.trainer import Trainer, epochs_of

SPACES = ["lorentz", "ball", "halfspace", "stereographic", "sphere", "euclidean"]
ROWS = [("animal", "dog"), ("animal", "cat"), ("dog", "poodle"), ("plant", "oak")]
PLAIN = "".join(f"{p}\t{c}\n" for p, c in ROWS)


@pytest.fixture
def graph_of(tmp_path):
    """A function (text or bytes, name) -> the graph of such a file."""

    def make(content, name="edges.tsv", **options):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_graph(str(path), **options)

    return make


@pytest.fixture
def tree(tmp_path):
    """The path of a list of the edges of a binary tree of 31 nodes, with a second root."""
    path = tmp_path / "tree.txt"
    edges = [(f"n{k // 2}", f"n{k}") for k in range(2, 32)]
    path.write_text("".join(f"{p} {c}\n" for p, c in [*edges, ("m1", "n31")]))
    return path


def named(graph):
    ends = zip(graph.parent.tolist(), graph.child.tolist(), strict=True)
    return {(graph.names[p], graph.names[c]) for p, c in ends}


# -- reading


def written(pattern):
    return "".join(pattern.format(p=p, c=c) for p, c in ROWS)


@pytest.mark.parametrize(
    ("content", "name", "options"),
    [
        (PLAIN, "e.tsv", {}),
        (PLAIN, "e", {}),
        (written("{p},{c}\n"), "e.csv", {}),
        (written("{p};{c}\n"), "e.csv", {}),
        (written("{p} {c}\n"), "e.txt", {}),
        (written(" {p}  {c} \n"), "e.tsv", {}),
        (written("{p}\t{c}\r\n"), "e.tsv", {}),
        (written("{p}\t{c}\r"), "e.tsv", {}),
        (PLAIN.rstrip(), "e.tsv", {}),
        ("\ufeff" + PLAIN, "e.tsv", {}),
        ("# taxonomy\n\n  \n" + PLAIN + "\n#end", "e.tsv", {}),
        ("parent\tchild\n" + PLAIN, "e.tsv", {}),
        ('"Source","Target"\n' + written("{p},{c}\n"), "e.csv", {}),
        (gzip.compress(PLAIN.encode(), mtime=0), "e.tsv.gz", {}),
        (gzip.compress(PLAIN.encode(), mtime=0), "e.tsv", {}),
        (written('"{p}","{c}"\n'), "e.csv", {}),
        (written('"{p}", "{c}"\n'), "e.csv", {}),
        (written('"{p}" "{c}"\n'), "e.txt", {}),
        (written("{c}\t{p}\n"), "e.tsv", {"order": "child-parent"}),
        ("child,parent\n" + written("{c},{p}\n"), "e.csv", {}),
        ("employee,manager\n" + written("{c},{p}\n"), "e.csv", {}),
        ("Parent Name,child_name\n" + written("{p},{c}\n"), "e.csv", {}),
        (written('["{p}", "{c}"]\n'), "e.jsonl", {}),
        (written('{{"child": "{c}", "parent": "{p}"}}\n'), "e.jsonl", {}),
        (written('{{"child": "{c}", "parent": "{p}"}}\n'), "e.txt", {"order": "child-parent"}),
        (written('{{"source": "{p}", "target": "{c}"}}\n'), "e.jsonl", {}),
        (written('{{"From": "{c}", "to": "{p}"}}\n'), "e.jsonl", {"order": "child-parent"}),
        (written('{{"manager": "{p}", "Employee": "{c}", "id": 3}}\n'), "e.jsonl", {}),
        (json.dumps(ROWS), "e.json", {}),
        (json.dumps([{"head": p, "tail": c} for p, c in ROWS], indent=2), "e.json", {}),
        (gzip.compress(json.dumps(ROWS, indent=1).encode(), mtime=0), "e.json.gz", {}),
        (written("{p} -> {c}\n"), "e.txt", {}),
        (written('"{p}"=>"{c}";\n'), "e.txt", {}),
        (written("{c} → {p}\n"), "e.csv", {"order": "child-parent"}),
        (written("{p}\thypernym_of\t{c}\n"), "e.tsv", {}),
        (written("{p} above {c}\n"), "e.txt", {}),
        (written('["{p}", "above", "{c}"]\n'), "e.jsonl", {}),
        (written('{{"relation": "r", "subject": "{p}", "object": "{c}"}}\n'), "e.jsonl", {}),
        ("head,relation,tail\n" + written("{p},r,{c}\n"), "e.csv", {}),
        ("object,predicate,subject\n" + written("{c},r,{p}\n"), "e.csv", {}),
        ("rel,head,tail,weight\n" + written("r,{p},{c},1\n"), "e.csv", {}),
        (written("{c},subclass_of,{p}\n"), "e.csv", {"order": "child-parent"}),
        ("class,subclass_of,x\n" + written("{p},r,{c}\n"), "e.csv", {"relation": "r"}),
        (written("{p},r,{c}\n") + "dog,eats,cat\n", "e.csv", {"relation": "r"}),
        (PLAIN.replace("\t", ",r,") + "bone,for,dog\n", "e.csv", {"relation": " r"}),
        ("animal,r,dog\nanimal,s,cat\ndog,t,poodle\nplant,r,oak\n", "e.csv", {"relation": "r,s,t"}),
        # as pandas, Gephi and databases write tables: columns more, and roots that have no parent
        (",parent,child\n" + written("0,{p},{c}\n"), "e.csv", {}),
        ("id,parent,child,note\n" + written("0,{p},{c},\n"), "e.csv", {}),
        ("Source,Target,Type,Id,Weight\n" + written("{p},{c},Directed,0,1.0\n"), "e.csv", {}),
        ("name,parent\nanimal,\n" + written("{c},{p}\n") + "plant,\n", "e.csv", {}),
        ("parent\tnode\n\tanimal\n" + PLAIN, "e.tsv", {}),
        ("id,name,parent_id\nanimal,Animal,\n" + written("{c},x,{p}\n"), "e.csv", {}),
        ("manager name,id,name\n,1,plant\n" + written("{p},7,{c}\n"), "e.csv", {}),
        (
            '{"id": "plant", "parent": null}\n' + written('{{"id": "{c}", "parent": "{p}"}}\n'),
            "j",
            {},
        ),
        # networkx: write_edgelist, node_link_data; D3; children by their parents
        (written("{p} {c} {{}}\n"), "e.edgelist", {}),
        (written("{p}\t{c}\t{{'kind': 'a, {{b}}', 'weight': 1.0}}\n"), "e.edgelist", {}),
        (
            json.dumps(
                {
                    "directed": True,
                    "nodes": [{"id": "dog"}],
                    "edges": [{"source": p, "target": c, "weight": 1} for p, c in ROWS],
                },
                indent=2,
            ),
            "e.json",
            {},
        ),
        (
            json.dumps({"directed": True, "links": [{"source": p, "target": c} for p, c in ROWS]}),
            "j",
            {},
        ),
        (
            json.dumps({"animal": ["dog", "cat"], "dog": ["poodle"], "plant": ["oak"]}),
            "e.json",
            {},
        ),
    ],
)
def test_a_graph_is_the_same_however_it_is_written(graph_of, content, name, options):
    assert named(graph_of(content, name, **options)) == set(ROWS)


def test_a_nested_tree_is_read_however_deep(graph_of):
    tree = {
        "name": "animal",
        "children": [{"name": "dog", "children": [{"name": "poodle"}]}, "cat"],
    }
    assert named(graph_of(json.dumps(tree, indent=1), "e.json")) == set(ROWS[:3])
    deep = '{"name": 0, "children": [' * 300 + "]}" * 300
    with pytest.raises(ValueError, match="expected edges between different nodes"):
        graph_of(deep, "e.json")


@pytest.mark.parametrize(
    ("document", "edges", "note"),
    [
        # of pandas' to_dict("list"), what the columns are called
        (
            {"parent": ["animal", "animal", None], "child": ["dog", "cat", "animal"]},
            {("animal", "dog"), ("animal", "cat")},
            "1 row without a parent taken for roots",
        ),
        (
            {"from": ["animal"], "to": ["dog"]},
            {("animal", "dog")},
            "the keys 'from, to' were taken for parent and child",
        ),
        ({"parent": ["dog", "cat"], "child": ["x"]}, None, None),  # children of two nodes
        # of D3's trees, ids where all have one
        (
            {"name": "r", "id": 0, "children": [{"name": "r", "id": 1}, {"name": "x", "id": 2}]},
            {("0", "1"), ("0", "2")},
            None,
        ),
        (
            {
                "name": "r",
                "id": 7,
                "children": [
                    {"name": "a", "children": [{"name": "other"}]},
                    {"name": "b", "children": ["other"]},
                ],
            },
            {("r", "a"), ("r", "b"), ("a", "other"), ("b", "other")},
            "1 name of several nodes of the document taken for one node each (the first: other)",
        ),
        # of D3's older graphs, places in the list of nodes
        (
            {
                "nodes": [{"name": "animal", "group": 1}, {"name": "dog"}, {"name": "cat"}],
                "links": [{"source": 0, "target": 1}, {"source": 0, "target": 2}],
            },
            {("animal", "dog"), ("animal", "cat")},
            "source and target were taken for places in the list of nodes",
        ),
        (
            {"nodes": [{"id": "animal"}, {"id": "dog"}], "links": [{"source": 0, "target": 1}]},
            {("animal", "dog")},
            "source and target were taken for places in the list of nodes",
        ),
        # and of networkx, ids
        (
            {
                "nodes": [{"id": 1, "name": "dog"}, {"id": 0, "name": "animal"}],
                "links": [{"source": 0, "target": 1}],
            },
            {("0", "1")},
            None,
        ),
        ({"nodes": [{"x": 1}, {"x": 2}], "links": [{"source": 0, "target": 1}]}, None, None),
    ],
)
def test_whose_names_a_document_has_is_known(graph_of, document, edges, note):
    graph = graph_of(json.dumps(document), "e.json")
    if edges is None:
        edges = {("parent", "dog"), ("parent", "cat"), ("child", "x")}
        edges = {("0", "1")} if "nodes" in document else edges
    assert named(graph) == edges
    assert [n for n in graph.notes if "keys 'source" not in n] == ([note] if note else [])


def test_weights_of_networkx_are_read_of_what_it_knows_of_an_edge(graph_of):
    content = "a b {'kind': 'x', 'weight': 3}\nb c {'weight': np.float64(0.5)}\nb d {}\n"
    graph = graph_of(content, "e.txt")
    assert graph.names == ("a", "b", "c", "d")
    assert graph.weight.tolist() == [3, 0.5, 1]


@pytest.mark.parametrize(
    ("content", "edges", "note"),
    [
        ("id,parent_id\n1,\n2,1.0\n3,2.0\n", {("1", "2"), ("2", "3")}, "2 parents written as 1.0"),
        (
            '[{"id": 2, "parent": 1.0}, {"id": 3, "parent": 2.0}]',
            {("1", "2"), ("2", "3")},
            "2 parents",
        ),
        ("child,parent\n1,\n2,1\n", {("1", "2")}, "1 row without a parent taken for roots"),
        (
            '[{"id": 1, "parent": NaN}, {"id": 2, "parent": 1.0}]',
            {("1", "2")},
            "1 row without a parent taken for roots",
        ),
        ("k,parent,child,x\n0,a,b,1\n", {("a", "b")}, "columns left out: k, x"),
        (",parent,child\n0,a,b\n", {("a", "b")}, "columns left out: one without a name"),
        ("a,b\n#tag,c\nb,#tag\n# end\n", {("a", "b"), ("b", "#tag")}, "2 lines that begin with #"),
        (
            '# tags\n#b,"c\n#tag,c\na,b\n',
            {("a", "b")},
            "1 line that begins with # left out as comm",
        ),
    ],
)
def test_what_was_made_of_a_table_is_said(graph_of, content, edges, note):
    graph = graph_of(content, "e.csv")
    assert named(graph) == edges
    assert any(said.startswith(note) for said in graph.notes)


def test_a_name_in_braces_is_no_knowledge_of_networkx(graph_of):
    assert named(graph_of("A\t{B}\n{B}\tC\n", "e.tsv")) == {("A", "{B}"), ("{B}", "C")}
    content = "a {b} {'weight': 2}\nc {b} {\"it's\": '}', 'weight': 3}\n"
    graph = graph_of(content, "e.txt")
    assert named(graph) == {("a", "{b}"), ("c", "{b}")}
    assert graph.weight.tolist() == [2, 3]
    with pytest.raises(ValueError, match="expected two names and perhaps a weight"):
        graph_of("a b" + " {}" * 5000 + "\n", "e.txt")


@pytest.mark.parametrize("line", [" {" * 50_000, "->" * 50_000 + ",", " {'" * 50_000 + "}"])
def test_a_first_line_takes_no_longer_than_its_length(graph_of, line):
    """With patterns that go back at every sign, minutes: 2 s for the first of 16 kB, 20 s for the
    second of 8 kB. Here a quarter of a second."""
    start = time.process_time()
    with pytest.raises(ValueError, match="expected"):
        graph_of(f"a b{line}\n", "e.txt")
    assert time.process_time() - start < 2


def test_a_first_line_that_is_an_edge_by_itself_is_asked_about(graph_of):
    graph = graph_of("Oberbegriff,Unterbegriff\n" + written("{p},{c}\n"), "e.csv")
    assert ("Oberbegriff", "Unterbegriff") in named(graph)
    assert any("'Oberbegriff, Unterbegriff', is an edge of its own" in n for n in graph.notes)
    assert not graph_of(PLAIN, "e.tsv").notes


@pytest.mark.parametrize(
    ("content", "name", "options", "note"),
    [
        ("a above b\n", "e.txt", {}, "relation 'above' the first end was taken to be above the"),
        ("a in b\n", "e.txt", {"order": "child-parent"}, "to be below the second, 'b' above 'a'"),
        ("a -> b\n", "e.txt", {}, "before the arrow was taken to be above what stands behind it"),
        ('{"from": "a", "to": "b"}\n', "e.jsonl", {}, "keys 'from, to' were taken for parent and"),
    ],
)
def test_which_end_was_taken_to_be_above_is_said(graph_of, content, name, options, note):
    assert any(note in said for said in graph_of(content, name, **options).notes)


def test_several_relations_are_named_and_nodes_of_others_left_out(graph_of):
    content = "dog,is_a,animal\ncat,is_a,animal\ndog,eats,bone\n"
    with pytest.raises(
        ValueError, match=r"got 2 relations: is_a \(2\), eats \(1\).*--relation NAME"
    ):
        graph_of(content, "e.csv")
    with pytest.raises(ValueError, match=r"has no 'likes'; expected some of .*: is_a \(2\), eats"):
        graph_of(content, "e.csv", relation="is_a,likes")
    with pytest.raises(ValueError, match=r"expected none for .*whose edges have no relations"):
        graph_of(PLAIN, "e.tsv", relation="is_a")
    assert graph_of(content, "e.csv", relation="is_a").names == ("dog", "animal", "cat")


def test_two_spellings_of_a_name_in_unicode_are_one_node(graph_of, tmp_path):
    graph = graph_of("a\tcafe\u0301\ncaf\u00e9\tb\n", "e.tsv")
    assert graph.names == ("a", "caf\u00e9", "b")
    assert graph.notes == ("1 name was put into Unicode's composed form (NFC)",)
    nothing = torch.zeros(0, dtype=torch.int64)
    points = torch.zeros(3, 2)
    known = Embedding(graph.names, points, make_space("euclidean"), parent=nothing, child=nothing)
    assert known.index("cafe\u0301") == known.index("caf\u00e9") == 1


def test_names_keep_what_quotes_protect(graph_of):
    graph = graph_of('"dog, the",animal,2\n"the ""big"" cat",animal\n', "e.csv")
    assert named(graph) == {("dog, the", "animal"), ('the "big" cat', "animal")}
    assert sorted(graph.weight.tolist()) == [1, 2]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"a\tb\nb\tcaf\xe9\n", "e.tsv", "e.tsv:2: expected text in UTF-8, got the byte 0xe9 at c"),
        ("a b".encode("utf-16"), "e.txt", "e.txt:1: expected text in UTF-8, got UTF-16"),
        (b"a b\nb\0c d\n", "e.txt", "e.txt:2: expected text, got a zero byte"),
        ('a,b\n"b,c\nc,d\n', "e.csv", "e.csv:2: expected quotes in pairs around a name, got a quo"),
        ("# x\na\tb\n\nc\n", "e.tsv", "e.tsv:4: expected two names and perhaps a weight, with a t"),
        ("a b c d\n", "e.txt", "e.txt:1: expected two names and perhaps a weight, with blanks bet"),
        ("a\t\n", "e.tsv", "e.tsv:1: expected two names, got an empty one: 'a | '"),
        (
            "a b 1\nb c heavy\n",
            "e.txt",
            "e.txt:2: expected a positive number for a weight, got",
        ),
        (
            "a b 1\nb c nan\n",
            "e.txt",
            "e.txt:2: expected a positive number for a weight, got",
        ),
        ("a b -1\n", "e.txt", "e.txt:1: expected a positive number for a weight, got '-1'"),
        ('{"parent": "a"}\n', "e.jsonl", "e.jsonl:1: expected an object"),
        ('["a", "b"]\n{"parent"\n', "e.jsonl", "e.jsonl:2: expected an object"),
        (
            "a r b\nb r 1\n",
            "e.txt",
            "e.txt:2: expected a name, a relation and a name as in the first",
        ),
        (
            "a r b\nb c\n",
            "e.txt",
            "e.txt:2: expected a name, a relation and a name as in the first",
        ),
        ("digraph {\na -> b;\n}\n", "e.dot", "e.dot:2: expected arrows between names in all lines"),
        ("a -> b -> c\n", "e.txt", "with an arrow between them, got 3 columns: 'a | b | c'"),
        ("head,rel,tail\na,b\n", "e.csv", "e.csv:2: expected 3 columns as in the header"),
        ('[["a", "b"],\n["c"', "e.json", "e.json:1: expected an object"),
        ('[["a", "b"], ["c"]]', "e.json", "e.json: edge 2: expected two names"),
        ('["a", ["b"]]\n', "e.jsonl", "e.jsonl:1: expected names that are text or numbers, got"),
        ('["a", NaN]\n', "e.jsonl", "e.jsonl:1: expected names that are text or numbers, got 'NaN"),
        ('{"parent": "a", "child": NaN}\n', "e.jsonl", "expected names that are text or numbers,"),
        ('["a", "b\\nc"]\n', "e.jsonl", "e.jsonl:1: expected names of one line"),
        (
            gzip.compress(b"a b\nb c\n" * 9999, mtime=0)[:60],
            "e.gz",
            "e.gz: expected a whole gzip file",
        ),
        ("# nothing\n\n", "e.txt", "e.txt: expected edges, one a line, got none"),
        ("name,parent\n,\n", "e.csv", "e.csv:2: expected two names, got an empty one"),
        ("from,to\na,\n", "e.csv", "e.csv:2: expected two names, got an empty one"),
        ("id,name,parent\n1,a,\n", "e.csv", "e.csv:1: expected a header with columns parent and"),
        ("a b {}\nb c\n", "e.txt", "e.txt:2: expected what is known of an edge in braces, as in"),
        (
            '{"nodes": [{"id": 1}]}',
            "e.json",
            "e.json: edge 1: expected names that are text or numb",
        ),
        ('{"name": "a",\n"child": "b"}', "e.json", "e.json:1: expected an object"),
        (
            b"PK\x03\x04\0\0",
            "e.xlsx",
            "e.xlsx:1: expected text, a parent and a child a line, got a s",
        ),
        (b"PAR1\x15\4", "e.parquet", "got Parquet or SQLite; save it as .csv."),
        (b"\x93NUMPY\1", "e.npy", "got arrays or a pickle; save it as .csv."),
        ("<?xml version='1.0'?>\n<graphml/>", "e.graphml", "got XML; save it as .csv."),
        ("graph [\n  directed 1\n", "e.gml", "got GML; save it as .csv."),
        ("((A:1,B:2)C:1,D:3)R;\n", "e.nwk", "got a tree in Newick's form; save it as .csv."),
        ("", "e.txt", "e.txt: expected edges, one a line, got none"),
        ("a a\nb b\n", "e.txt", "e.txt: expected edges between different nodes, got none"),
    ],
)
def test_what_is_no_edge_is_named_by_file_and_line(graph_of, content, name, sentence):
    with pytest.raises(ValueError, match=r"^(?s:.*)$") as caught:
        graph_of(content, name)
    assert sentence in str(caught.value)


def test_what_is_left_out_or_merged_is_counted_in_words(graph_of):
    graph = graph_of("a b 1\na b 2\nb b\nb c\nx y\n", "e.txt")
    assert graph.notes == ("1 self-loop left out (the first: b)", "1 duplicate merged")
    assert shape_in_words(graph) == "5 nodes, 3 edges, 2 roots, 2 components."
    assert graph.weight.tolist() == [3, 1, 1]


def test_a_cycle_is_named_and_is_no_error_for_the_edges_as_they_are(graph_of):
    graph = graph_of("r a\na b\nb c\nc a\nc d\n", "e.txt")
    with pytest.raises(ValueError, match=r"^([abc] -> ){3}[abc] is a cycle"):
        relation_of(graph, closure=True)
    assert len(relation_of(graph, closure=False).pairs) == 5


def test_a_packaged_hierarchy_has_the_pairs_of_nickel_and_kiela():
    # Two more than theirs; see load_mammals.
    relation = relation_of(read_graph("wordnet:mammals"), closure=True)
    assert (relation.nodes, len(relation.pairs)) == (1182, 6542)


# -- who lies above whom


@pytest.fixture
def dag():
    """The edges of a random directed acyclic graph of some components."""
    generator = np.random.default_rng(3)
    ends = np.unique(np.sort(generator.integers(0, 40, (60, 2)), axis=1), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    shuffled = generator.permutation(40)[ends]
    return "".join(f"{p} {c}\n" for p, c in shuffled)


def test_the_closure_is_that_of_hierarchy(graph_of, dag):
    graph = graph_of(dag, "e.txt")
    relation = relation_of(graph, closure=True)
    known = Hierarchy(parent=graph.parent, child=graph.child, nodes=len(graph.names))
    assert {(p, c) for c, p in relation.pairs.tolist()} == {tuple(r) for r in known.pairs.tolist()}
    assert relation.pairs.tolist() == sorted(relation.pairs.tolist())


@pytest.mark.parametrize("closure", [True, False])
def test_negatives_are_all_nodes_that_are_neither_the_child_nor_above_it(graph_of, dag, closure):
    relation = relation_of(graph_of(dag, "e.txt"), closure=closure)
    child = torch.arange(relation.nodes)
    drawn = relation.negatives(child, 2000, torch.Generator().manual_seed(0))
    for node in range(relation.nodes):
        above = set(relation.pairs[relation.pairs[:, 0] == node, 1].tolist())
        expected = set(range(relation.nodes)) - above - {node}
        counts = torch.bincount(drawn[node], minlength=relation.nodes)
        assert set(counts.nonzero().flatten().tolist()) == expected
        # Each has 2000/len(expected) with a deviation of its root: five of them.
        mean = 2000 / len(expected)
        assert counts.max() < mean + 5 * mean**0.5
        assert len(expected) == relation.room[node]


def test_components_hang_together(graph_of, dag):
    graph = graph_of(dag, "e.txt")
    label = components(len(graph.names), graph.parent, graph.child)
    ends = list(zip(graph.parent.tolist(), graph.child.tolist(), strict=True))
    for start in range(len(graph.names)):
        seen, waiting = {start}, [start]
        while waiting:
            node = waiting.pop()
            near = {b for a, b in ends if a == node} | {a for a, b in ends if b == node}
            waiting += near - seen
            seen |= near
        assert label[start] == min(seen)


# -- measures


def by_definition(relation, table):
    """MAP and mean rank in loops; ties half."""
    precisions, ranks = [], []
    for u in range(relation.nodes):
        above = relation.pairs[relation.pairs[:, 0] == u, 1].tolist()
        others = [v for v in range(relation.nodes) if v != u and v not in above]
        own = []
        for i, d in enumerate(sorted(table[u][v] for v in above), 1):
            wrong = sum(1.0 if table[u][v] < d else 0.5 * (table[u][v] == d) for v in others)
            ranks.append(1 + wrong)
            own.append(i / (i + wrong))
        if own:
            precisions.append(sum(own) / len(own))
    return sum(precisions) / len(precisions), sum(ranks) / len(ranks)


@pytest.mark.parametrize("closure", [True, False])
@pytest.mark.parametrize("levels", [3, 10**6])  # distinct costs: many ties, hardly any
def test_map_and_mean_rank_are_those_of_the_definition(graph_of, dag, closure, levels):
    relation = relation_of(graph_of(dag, "e.txt"), closure=closure)
    generator = torch.Generator().manual_seed(1)
    size = (relation.nodes, relation.nodes)
    table = torch.randint(levels, size, generator=generator).double()
    found = reconstruction(relation, measured_nodes(relation), lambda nodes: table[nodes])
    assert found == pytest.approx(by_definition(relation, table.tolist()), rel=1e-12, abs=0)


def test_controls_are_descendants_counted_and_edges_walked(graph_of, dag):
    graph = graph_of(dag, "e.txt")
    relation = relation_of(graph, closure=True)
    nodes = torch.arange(relation.nodes)
    below = [int((relation.pairs[:, 1] == v).sum()) for v in range(relation.nodes)]
    assert popularity(relation)(nodes)[0].tolist() == [-float(b) for b in below]
    steps = graph_metric(graph, nodes)(nodes)
    ends = list(zip(graph.parent.tolist(), graph.child.tolist(), strict=True))
    for start in range(relation.nodes):
        known, waiting = {start: 0}, deque([start])
        while waiting:
            node = waiting.popleft()
            for a, b in [*ends, *[(b, a) for a, b in ends]]:
                if a == node and b not in known:
                    known[b] = known[node] + 1
                    waiting.append(b)
        expected = [known.get(v, relation.nodes) for v in range(relation.nodes)]
        assert steps[start].tolist() == expected


# -- training


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out the picture, which takes longer than the rest."""
    monkeypatch.setattr(run_module, "draw", lambda *args, **_: None)


def options_of(edges, out, **more):
    given = {"dim": 3, "epochs": 4, "batch": 16, "negatives": 5} | more
    return EmbedOptions(str(edges), Path(out), **given)


@pytest.mark.parametrize("bias", [False, True])
def test_the_loss_is_that_of_equation_6(tree, bias):
    options = options_of(tree, "x", bias=bias, epochs=50, wider=0)
    graph = read_graph(str(tree))
    trainer = Trainer(graph, relation_of(graph, closure=True), options, 50)
    for _ in trainer.run(lambda: trainer.done >= 30):
        pass
    batch = Batch(torch.tensor([5, 6]), torch.tensor([[2, 9, 1], [0, 3, 4]]))
    node, others = trainer.nodes(batch)
    found = trainer.method.loss(node, others, batch, torch.tensor(0.5))
    points = trainer.points()
    for i in range(2):
        logits = []
        for v in batch.others[i]:
            b = 0.0 if trainer.number is None else float(trainer.number[v].detach())
            d = float(trainer.space.dist(points[batch.node[i]], points[v]))
            logits.append((b - d) / 0.5)
        wanted = math.log(sum(math.exp(x - logits[0]) for x in logits))
        assert float(found[i].detach()) == pytest.approx(wanted, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("manifold", SPACES)
def test_a_seed_gives_the_same_bits_stopped_or_not(undrawn, tree, tmp_path, manifold):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = {"manifold": manifold, "bias": manifold == "euclidean"}
    assert embed(options_of(tree, whole, **options)) is not None
    calls = 0

    def stopped():
        nonlocal calls
        calls += 1
        return calls % 3 == 0

    report = embed(options_of(tree, parts, **options), lambda: nullcontext(stopped))
    assert report is None
    for _ in range(20):
        again = options_of(tree, parts, resume=True, **options)
        report = embed(again, lambda: nullcontext(stopped))
        if report is not None:
            break
    assert calls > 9
    a, b = (load_file(folder / "vectors.safetensors") for folder in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert json.loads((whole / "report.json").read_text())["map"] == report["map"]


def test_another_seed_gives_others(undrawn, tree, tmp_path):
    for seed in (0, 1):
        embed(options_of(tree, tmp_path / str(seed), seed=seed))
    a, b = (load_file(tmp_path / str(s) / "vectors.safetensors")["points"] for s in (0, 1))
    assert not torch.equal(a, b)


def test_edges_as_they_are_may_have_weights_and_cycles(tmp_path):
    path = tmp_path / "cycle.txt"
    path.write_text("a b 5\nb c 1\nc a 1\nc d 2\nd e\n")
    report = embed(options_of(path, tmp_path / "x", closure=False))
    assert report["pairs"] == 5
    assert load_embedding(tmp_path / "x").ancestors("d") == ["c", "b", "a"]


def test_minutes_are_turned_into_epochs_by_the_speed(tree, monkeypatch):
    graph = read_graph(str(tree))
    relation = relation_of(graph, closure=True)
    ticks = iter(range(100))
    monkeypatch.setattr(trainer_module.time, "perf_counter", lambda: float(next(ticks)))
    # One second a step.
    options = options_of(tree, "x", epochs=None, minutes=1.0)
    per_epoch = -(-len(relation.pairs) // 16)
    assert epochs_of(options, graph, relation) == 60 // per_epoch


# -- the command


def test_from_an_edge_list_to_files_and_answers(tree, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["embed", str(tree), "--out", str(out), "--dim", "4", "--epochs", "150"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "32 nodes, 31 edges, 2 roots, 1 component" in printed.err
    assert "who has more descendants" in printed.out
    files = {path.name for path in out.iterdir()}
    made = {"vectors.safetensors", "names.txt", "config.json", "report.json"}
    assert made | {"disk.png", "tree.png", "ranks.png"} <= files
    assert "disk.png, tree.png, ranks.png" in printed.out
    report = json.loads((out / "report.json").read_text())
    assert report["map"] > 0.95
    assert report["controls"]["popularity"]["map"] < report["map"]

    embedding = load_embedding(out)
    assert len(embedding) == 32
    assert embedding.manifold.is_point(embedding.points).all()
    assert embedding.children("n3") == ["n6", "n7"]
    assert set(embedding.ancestors("n31")) == {"n15", "m1", "n7", "n3", "n1"}
    near = embedding.nearest("n31", 3)
    row = embedding.manifold.dist(embedding.points[embedding.index("n31")], embedding.points)
    smallest = sorted(row.tolist())[1:4]
    assert [n.distance for n in near] == pytest.approx(smallest, rel=1e-6)
    with pytest.raises(KeyError, match=r"there is no node 'N31' among 32; did you mean 'n31'"):
        embedding.index("N31")
    with pytest.raises(TypeError, match=r"name is 31; expected a text, as '31'\."):
        embedding.nearest(31)
    with pytest.raises(KeyError, match=r"there is no node 'zebra' among 32\."):
        embedding.nearest("zebra")

    assert main(words) == 1
    assert "holds an embedding already" in capsys.readouterr().err
    assert main([*words, "--resume", "--seed", "3"]) == 1
    assert "was begun with another seed" in capsys.readouterr().err
    tree.write_text(tree.read_text() + "n1 n99\n")
    assert main([*words, "--resume"]) == 1
    assert "was begun with other edges" in capsys.readouterr().err


def test_ctrl_c_saves_and_the_same_command_goes_on(undrawn, tree, tmp_path, capsys, monkeypatch):
    whole, out = tmp_path / "whole", tmp_path / "out"
    more = ["--dim", "3", "--epochs", "5", "--batch", "16"]
    assert main(["embed", str(tree), "--out", str(whole), *more]) == 0
    real = Trainer._step

    def interrupt(self):
        if self.done == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self)

    words = ["embed", str(tree), "--out", str(out), *more]
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", interrupt)
        assert main(words) == 130
    err = capsys.readouterr().err
    assert f"go on with: spaceforms {' '.join(words)} --resume" in err
    assert not (out / "vectors.safetensors").exists()
    assert main([*words, "--resume"]) == 0
    a, b = (load_file(folder / "vectors.safetensors") for folder in (whole, out))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_ctrl_c_while_it_is_measured_ends_it_and_the_points_are_kept(
    tree, tmp_path, capsys, monkeypatch
):
    def interrupt(*args, **_):
        os.kill(os.getpid(), signal.SIGINT)

    words = ["embed", str(tree), "--out", str(tmp_path / "o"), "--dim", "2", "--epochs", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "draw", interrupt)
        assert main(words) == 130
    assert f"go on with: spaceforms {' '.join(words)} --resume" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert (tmp_path / "o" / "disk.png").is_file()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--dim", "0"], 2, "dim is 0; expected at least 1."),
        (["--lr", "-1"], 2, "lr is -1.0; expected a positive number."),
        (["--epochs", "1", "--minutes", "1"], 2, "epochs and minutes are both given"),
        (["--resume"], 1, "has no embedding to go on with"),
    ],
)
def test_options_that_cannot_work_get_a_sentence(tree, tmp_path, words, status, sentence, capsys):
    assert main(["embed", str(tree), "--out", str(tmp_path / "o"), *words]) == status
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(("manifold", "edge"), [("lorentz", 28.4), ("ball", 15.8)])
def test_points_at_the_edge_of_float32_are_counted(undrawn, tree, tmp_path, manifold, edge, capsys):
    options = options_of(tree, tmp_path / "o", lr=20.0, epochs=3, manifold=manifold)
    report = embed(options)
    assert 1 < report["at_the_edge"] <= 32
    # The ball's edge is 1 - 3 eps; an eps more or less is 0.3 radii there.
    assert report["radius"]["largest"] == pytest.approx(edge, abs=0.4)
    assert f"from the origin: {report['at_the_edge']} of 32 points" in capsys.readouterr().err
    assert embed(options_of(tree, tmp_path / "near"))["at_the_edge"] == 0


def test_a_flat_solution_is_warned_of(undrawn, tree, tmp_path, capsys):
    embed(options_of(tree, tmp_path / "flat", lr=1e-3, epochs=1))
    assert "below two curvature radii" in capsys.readouterr().err
    embed(options_of(tree, tmp_path / "sphere", lr=1e-3, epochs=1, manifold="sphere"))
    assert "curvature radii" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("manifold", "dim"),
    [
        *(
            # The disk of three dimensions is lorentz's.
            pytest.param(name, 3, marks=pytest.mark.slow if name in ("ball", "halfspace") else ())
            for name in SPACES
        ),
        *((n, d) for n in ("ball", "sphere") for d in (1, 2)),
    ],
)
def test_every_space_of_every_dimension_has_a_picture(tree, tmp_path, manifold, dim):
    embed(options_of(tree, tmp_path / "o", manifold=manifold, dim=dim, epochs=1))
    sign = make_space(manifold).sign
    if manifold != "stereographic":  # whose sign is learned
        assert (tmp_path / "o" / ("disk.png" if sign < 0 else "plane.png")).stat().st_size > 10_000


def test_pictures_are_in_the_formats_asked_for_and_a_graph_with_a_cycle_has_no_tree(
    tmp_path, capsys
):
    path = tmp_path / "cycle.tsv"
    path.write_text("a b\nb c\nc a\n")
    out = tmp_path / "o"
    words = ["--closure", "False", "--epochs", "1", "--format", "svg,pdf", "--dim", "2"]
    assert main(["embed", str(path), "--out", str(out), *words]) == 0
    drawn = {p.name for p in out.iterdir() if p.suffix in (".svg", ".pdf", ".png")}
    assert drawn == {"disk.svg", "disk.pdf", "ranks.svg", "ranks.pdf"}
    assert (out / "disk.pdf").read_bytes().startswith(b"%PDF")
    assert main(["embed", str(path), "--out", str(out), "--format", "jpg"]) == 2
    assert "format is 'jpg'; expected png, svg or pdf" in capsys.readouterr().err


def test_what_is_drawn_says_what_was_done_and_the_tree_is_that_of_the_edges(tree):
    graph = read_graph(str(tree))
    relation = relation_of(graph, closure=True)
    space = make_space("lorentz")
    far = torch.randn(len(graph.names), 4, generator=torch.Generator().manual_seed(0)) * 4
    ends = {"parent": torch.from_numpy(graph.parent), "child": torch.from_numpy(graph.child)}
    embedding = Embedding(graph.names, space.from_normal(far), space, **ends)
    general = np.argsort(-descendants(relation), kind="stable")
    layout = picture_module._on_plane(embedding, general, hyperbolic=True)
    r = layout.plane.to_normal(layout.places).norm(dim=-1)
    assert float(r.max()) == pytest.approx(3.2)  # of a small graph, well within the rim
    assert float(r[general[0]]) == pytest.approx(0, abs=1e-6)
    share = re.search(r"drawn at (\d+)% of their length", layout.said)
    farthest = float(space.dist(embedding.points[general[0]], embedding.points).max())
    assert int(share[1]) == round(100 * 3.2 / farthest)
    branches = picture_module._branches(embedding)
    ax = picture_module._tree(embedding, branches, "a title").axes[0]
    assert ax.get_title() == "a title"
    assert "nothing is learned" in ax.texts[0].get_text()
    written = {t.get_text() for t in ax.texts[1:]}
    assert len(written) > 25
    assert written <= set(graph.names)


def test_names_of_all_kinds_are_drawn_and_stored(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(
        '"日本","$x$_^2"\n"日本","a\x1b[31m"\n"日本","x\u2028y"\n"$x$_^2",long ' + 99 * "x"
    )
    embed(options_of(path, tmp_path / "o"))
    names = load_embedding(tmp_path / "o").names
    assert names[:4] == ("日本", "$x$_^2", "a\x1b[31m", "x\u2028y")


def test_what_lies_below_a_noun_is_an_edge_list_of_its_own():
    whales = read_graph("wordnet:whale.n.02")
    assert "whale.n.02" in whales.names
    assert "killer_whale.n.01" in whales.names
    assert {whales.names[k] for k in whales.parent} <= set(whales.names)
    assert "mammal.n.01" not in whales.names
    with pytest.raises(ValueError, match=r"edges is wordnet:unicorns; expected .*bird\.n\.01"):
        read_graph("wordnet:unicorns")
    with pytest.raises(ValueError, match="expected a noun with others below it"):
        read_graph("wordnet:killer_whale.n.01")
