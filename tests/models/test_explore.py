"""Pages to explore points: what is read, what is written, and that it needs nothing else."""

import base64
import json
import re
from html.parser import HTMLParser

import networkx as nx
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from spaceforms.__main__ import main
from spaceforms.datasets import load_mammals
from spaceforms.manifolds import Euclidean, HalfSpace, Lorentz, PoincareBall, Product, Stereographic
from spaceforms.models import load_run
from spaceforms.models.explore.cloud import Cloud, read_cloud
from spaceforms.models.explore.layout import lay_out
from spaceforms.models.explore.near import nearest
from spaceforms.models.explore.options import ExploreOptions
from spaceforms.models.explore.page import STATIC, as_json, atlas, write_html
from spaceforms.models.explore.run import page_data
from spaceforms.models.graphs.embedding import Embedding, save_embedding
from spaceforms.models.graphs.spanning import branches, spanning_tree
from spaceforms.models.training.loop import train
from spaceforms.plotting import tree_layout

L = Lorentz(-1.0)
HOSTILE = "</script><script>alert(1)</script><!-- & \"'` \u2028 犬 \ud83d\udc36"


def points(count=12, dim=2, space=L, seed=0, scale=1.5):
    draw = torch.Generator().manual_seed(seed)
    return space.from_normal(scale * torch.randn(count, dim, dtype=torch.float64, generator=draw))


class Parts(HTMLParser):
    """The elements of a page, its scripts and whatever it would load."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.loaded, self._inside = [], [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script"
        self.scripts += [""] if self._inside else []
        self.loaded += [v for k, v in attrs if k in ("src", "href", "action", "data", "srcset")]

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data


def told(page):
    """What a page is told."""
    return json.loads(Parts(page).scripts[0])


def array(text, kind):
    return np.frombuffer(base64.b64decode(text), f"<{kind}")


def page_of(tmp_path, *words):
    """The page that a command writes."""
    out = tmp_path / "page.html"
    assert main(["explore", *map(str, words), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


# -- the page -----------------------------------------------------------------------------------


def test_a_page_loads_nothing_and_forbids_it():
    page = write_html(page_data(Cloud(points(), L, tuple(map(str, range(12))), "title")))
    parts = Parts(page)
    assert parts.loaded == []
    assert len(parts.scripts) == 2
    policy = next(a["content"] for _, a in parts.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy
    for source in STATIC.iterdir():
        text = source.read_text(encoding="utf-8")
        assert not re.search(r"https?:|//\w+\.\w|fetch\(|XMLHttp|import\(|@import|WebSocket", text)
        # Names are untrusted: nothing turns text into elements or code.
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


def test_ids_are_there_once_and_labels_name_something():
    tags = Parts((STATIC / "page.html").read_text(encoding="utf-8")).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        for name in ("for", "aria-controls", "aria-describedby"):
            assert attributes.get(name, ids[0]) in ids
    for tag, attributes in tags:
        if tag == "button":
            assert attributes["aria-label"]
    used = set()
    for source in STATIC.glob("*.js"):
        used |= set(re.findall(r"(?:\$|getElementById)\(\"([\w-]+)\"\)", source.read_text()))
    assert len(used) > 15
    assert used <= set(ids)


def test_hostile_names_stay_in_their_place():
    names = (HOSTILE, "\ud800 alone", "", "$title ${x} \\", *map(str, range(8)))
    page = write_html(page_data(Cloud(points(), L, names, HOSTILE)))
    parts = Parts(page)
    assert len(parts.scripts) == 2
    data = told(page)
    clean = "</script><script>alert(1)</script><!-- & \"'` \u2028 犬 \ufffd\ufffd"
    assert data["names"][:4] == [clean, "\ufffd alone", "", "$title ${x} \\"]
    assert data["title"] == clean
    assert not set(parts.scripts[0]) & set("<>&\u2028\u2029")
    page.encode("utf-8")


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028", "a&b", "\\u003c", "\0"])
def test_json_is_the_same_text_again(text):
    assert json.loads(as_json({"a": text})) == {"a": text}


def test_the_mammals_are_less_than_400_kb():
    mammals = load_mammals()
    cloud = Cloud(
        points(len(mammals.names), dim=5, scale=4.0),
        L,
        mammals.names,
        "mammals",
        parent=mammals.parent,
        child=mammals.child,
    )
    page = write_html(page_data(cloud))
    assert len(page.encode()) < 400_000
    data = told(page)
    assert data["groups"][0]["names"][-1] == "other"
    assert data["names"][array(data["order"], "u4")[0]] == "mammal.n.01"


def test_pictures_are_tiles_of_one():
    images = np.stack([np.full((8, 8, 3), 40 * k, np.uint8) for k in range(5)])
    found = atlas(images)
    raw = base64.b64decode(found["source"].removeprefix("data:image/webp;base64,"))
    from io import BytesIO

    whole = np.asarray(Image.open(BytesIO(raw)).convert("RGB"))
    assert [found[k] for k in ("columns", "rows", "side")] == [3, 2, 8]
    assert whole.shape == (16, 24, 3)
    for k in range(5):
        row, column = divmod(k, 3)
        tile = whole[8 * row + 2 : 8 * row + 6, 8 * column + 2 : 8 * column + 6]
        assert np.abs(tile.astype(int) - 40 * k).max() <= 8  # WebP of quality 80


# -- what it is told ------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [L, PoincareBall(-0.3), HalfSpace(-2.0), Euclidean()])
@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("bias", [False, True])
def test_the_nearest_are_those_of_all(space, dim, bias):
    x = points(150, dim, space)
    radius = space.dist(space.origin(dim, dtype=torch.float64), x)
    added = 0.3 * torch.linspace(-1, 1, 150, dtype=torch.float64) if bias else None
    found = nearest(x, manifold=space, k=7, radius=radius, bias=added)
    table = space.cdist(x, x)
    if added is not None:
        table = table - added
    table.fill_diagonal_(torch.inf)
    expected = table.sort(1).values[:, :7].numpy()
    assert found.distance == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert np.take_along_axis(table.numpy(), found.index, 1) == pytest.approx(
        expected, rel=1e-12, abs=0
    )
    nearer = table.masked_fill(radius[None] >= radius[:, None], torch.inf)
    assert (found.inwards == -1).sum() == 1
    inner = found.inwards >= 0
    assert (found.inwards[inner] == nearer.argmin(1).numpy()[inner]).all()


def test_the_nearest_of_far_points_are_right():
    # At r = 20 a Lorentz inner product would be off by more than the distances.
    t = torch.linspace(0, 2e-8, 30, dtype=torch.float64)
    r = torch.full_like(t, 20.0)
    x = L.from_normal(torch.stack([r * t.cos(), r * t.sin()], 1))
    found = nearest(x, manifold=L, k=2, radius=r)
    assert [set(row) for row in found.index[1:-1]] == [{k - 1, k + 1} for k in range(1, 29)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_have_few_neighbours(count):
    found = nearest(points(count), manifold=L, k=8, radius=torch.arange(count).double())
    assert found.index.shape == (count, count - 1)
    assert write_html(page_data(Cloud(points(count), L, ("a",) * count, "few")))


@pytest.mark.parametrize("seed", range(5))
def test_ways_to_the_root_are_shortest(seed):
    rng = np.random.default_rng(seed)
    ends = np.unique(rng.integers(0, 60, (90, 2)), axis=0)
    parent, child = ends[ends[:, 0] < ends[:, 1]].T
    graph = nx.DiGraph(zip(parent.tolist(), child.tolist(), strict=True))
    graph.add_nodes_from(range(60))
    found = spanning_tree(60, parent, child)
    roots = [k for k in graph if graph.in_degree(k) == 0]
    steps = nx.multi_source_dijkstra_path_length(graph, set(roots))
    assert found.depth.tolist() == [steps[k] for k in range(60)]
    tree = nx.DiGraph((int(up), k) for k, up in enumerate(found.up) if up >= 0)
    tree.add_nodes_from(range(60))
    assert all(graph.has_edge(*edge) for edge in tree.edges)
    assert found.below.tolist() == [len(nx.descendants(tree, k)) for k in range(60)]
    heads, label = branches(found)
    assert len(heads) <= 7
    for k in range(60):
        inside = [j for j, head in enumerate(heads) if k == head or k in nx.descendants(tree, head)]
        assert label[k] == (inside[0] if inside else len(heads))
        assert len(inside) <= 1


def test_a_cycle_has_a_way_too():
    parent, child = np.array([[0, 1, 2, 2, 4], [1, 2, 0, 3, 4]])
    found = spanning_tree(6, parent[:4], child[:4])
    assert found.up.tolist() == [2, 0, -1, 2, -1, -1]
    assert found.depth.tolist() == [1, 2, 0, 1, 0, 0]


def test_a_plane_says_what_it_lost():
    x = points(200, 5, Euclidean()) * torch.tensor([3.0, 2.0, 0.1, 0.1, 0.1])
    found = lay_out(x, manifold=Euclidean())
    assert not found.hyperbolic
    share = (x - x.mean(0)).square().sum(0)
    assert f"{float(share[:2].sum() / share.sum()):.0%} of the variance" in found.note
    v = found.polar[:, :1] * np.stack([np.cos(found.polar[:, 1]), np.sin(found.polar[:, 1])], 1)
    assert found.radius == pytest.approx((x - x.mean(0)).norm(dim=-1).numpy())
    gram = (x - x.mean(0))[:, :2]
    assert v @ v.T == pytest.approx((gram @ gram.T).numpy(), abs=0.5)


@pytest.mark.parametrize("space", [L, PoincareBall(-0.25), Stereographic(-3.0)])
def test_the_disk_has_the_root_in_the_middle_and_true_distances(space):
    x = points(9, 2, space)
    cloud = Cloud(
        *(x, space, tuple("abcdefghi"), "t"),
        parent=np.array([3, 3, 3, 0, 0, 1, 1, 1]),
        child=np.array([0, 1, 2, 4, 5, 6, 7, 8]),
    )
    data = page_data(cloud)
    polar = array(data["polar"], "f8").reshape(-1, 2)
    assert polar[3, 0] == pytest.approx(0, abs=1e-12)
    assert polar[:, 0] * data["unit"] == pytest.approx(space.dist(x[3], x).numpy(), rel=1e-9)
    z = np.tanh(polar[:, :1] / 2) * np.stack([np.cos(polar[:, 1]), np.sin(polar[:, 1])], 1)
    ball = PoincareBall(-1.0)
    drawn = ball.cdist(torch.tensor(z), torch.tensor(z)) * data["unit"]
    assert drawn.numpy() == pytest.approx(space.cdist(x, x).numpy(), rel=1e-7, abs=1e-7)
    assert array(data["up"], "i4").tolist() == [3, 3, 3, -1, 0, 0, 1, 1, 1]


def test_the_tree_of_the_edges_is_on_the_page_of_hyperbolic_points():
    ends = {"parent": np.array([3, 3, 3, 0, 0, 1]), "child": np.array([0, 1, 2, 4, 5, 6])}
    names = tuple("abcdefg")
    data = page_data(Cloud(points(7, 4, L), L, names, "t", **ends))
    polar = array(data["tree"], "f8").reshape(-1, 2)
    expected = tree_layout([3, 3, 3, -1, 0, 0, 1])
    z = np.tanh(polar[:, :1] / 2) * np.stack([np.cos(polar[:, 1]), np.sin(polar[:, 1])], 1)
    assert z == pytest.approx(expected.points.numpy(), abs=1e-14)
    depth = array(data["depth"], "u2")
    assert depth.tolist() == expected.level.tolist()
    assert "tree" not in page_data(Cloud(points(7, 4, L), L, names, "t"))
    assert "tree" not in page_data(
        Cloud(points(7, 4, Euclidean()), Euclidean(), names, "t", **ends)
    )


def test_labels_beyond_the_colours_are_one():
    labels = tuple("aaaabbbccddefghijk")
    data = page_data(Cloud(points(18), L, labels, "t", labels=labels))
    (group,) = data["groups"]
    assert group["names"][:4] == ["a", "b", "c", "d"]
    assert len(group["names"]) == 8
    assert group["names"][-1] == "other"
    of = array(group["of"], "u1")
    assert [group["names"][k] for k in of[:12]] == [*labels[:12]]
    assert set(of[-3:].tolist()) == {7}


# -- the command ----------------------------------------------------------------------------------


def test_an_embedding_becomes_a_page(tmp_path, capsys):
    x = points(6, 3)
    found = Embedding(
        tuple("abcdef"),
        x,
        L,
        parent=torch.tensor([0, 0, 1, 1, 2]),
        child=torch.tensor([1, 2, 3, 4, 5]),
        bias=torch.linspace(0, 1, 6),
    )
    folder = tmp_path / "letters"
    folder.mkdir()
    save_embedding(folder, found)
    config = {"manifold": "lorentz", "curvature": -1.0, "method": "distances"}
    (folder / "config.json").write_text(json.dumps(config))
    data = told(page_of(tmp_path, folder, "--nearest", "3"))
    assert "6 points. Open it in a browser" in capsys.readouterr().out
    assert data["title"] == "letters"
    assert data["biased"]
    assert "Drawn from 3 dimensions: radius kept" in data["note"]
    near = array(data["near"], "u4").reshape(6, 3)
    length = array(data["distance"], "f4").reshape(6, 3)
    for k, name in enumerate(found.names):
        expected = found.nearest(name, 3)
        assert [data["names"][j] for j in near[k]] == [n.name for n in expected]
        assert length[k] == pytest.approx([n.distance for n in expected], rel=1e-6)
        way, here = [], k
        while (here := array(data["up"], "i4")[here]) >= 0:
            way.append(data["names"][here])
        assert way == found.ancestors(name)  # of a tree


def test_a_run_becomes_a_page_with_its_pictures(tiny, tmp_path):
    config = tiny(epochs=1)
    assert train(config)
    data = told(page_of(tmp_path, config.out))
    (group,) = data["groups"]
    assert group["title"] == "Level"
    assert group["names"] == ["group", "subgroup", "name", "picture"]
    level, shown = array(group["of"], "u1"), array(data["pictures"]["of"], "i4")
    assert ((shown >= 0) == (level == 3)).all()
    assert shown.max() + 1 == (level == 3).sum() == 40  # a vendor's, which was held out
    first = array(data["order"], "u4")[0]
    assert level[first] == 0
    run = load_run(config.out)
    radius = array(data["radius"], "f4")[level == 2] * data["unit"]
    names = [name for name, k in zip(data["names"], level, strict=True) if k == 2]
    true = run.manifold.dist(run.root, run.encode_texts(names)).detach()
    assert radius == pytest.approx(true.numpy(), rel=1e-4)
    words = ["--curvature", "-1", "--out", str(tmp_path / "x.html")]
    assert main(["explore", str(config.out), *words]) == 1  # it has its own


def test_tables_arrays_and_tensors_are_read_alike(tmp_path):
    x = points(5, 2, PoincareBall(-0.5)).numpy()
    np.save(tmp_path / "p.npy", x)
    save_file({"weights": torch.from_numpy(x)}, tmp_path / "p.safetensors")
    rows = [",".join(map(repr, map(float, row))) for row in x]
    (tmp_path / "p.csv").write_text("\n".join(rows) + "\n")
    named = ["name\tx\ty", *(f"n{k}\t{row}".replace(",", "\t") for k, row in enumerate(rows))]
    (tmp_path / "p.tsv").write_text("\n".join(named) + "\n")
    options = ["--manifold", "ball", "--curvature", "-0.5"]
    pages = [
        told(page_of(tmp_path, tmp_path / f"p.{kind}", *options))
        for kind in ("npy", "safetensors", "csv", "tsv")
    ]
    assert all(page["polar"] == pages[0]["polar"] for page in pages)
    assert pages[0]["unit"] == pytest.approx(2**0.5)
    assert pages[0]["names"] == list("01234")
    assert pages[3]["names"] == ["n0", "n1", "n2", "n3", "n4"]


@pytest.mark.parametrize(
    ("header", "names"),
    [(",0,1", "34567"), (",x,y", "34567"), ("ID,x,y", "34567"), ("x,y", None), ("0.5,0.25", None)],
)
def test_names_may_be_numbers_and_columns_called_so(tmp_path, header, names):
    x = points(5, 2, PoincareBall()).numpy().tolist()
    lines = [",".join(map(repr, row)) for row in x]
    if names:
        lines = [f"{name},{line}" for name, line in zip(names, lines, strict=True)]
    (tmp_path / "p.csv").write_text("\n".join([header, *lines]) + "\n")
    cloud = read_cloud(ExploreOptions(tmp_path / "p.csv", out=tmp_path / "p.html", manifold="ball"))
    first = [[0.5, 0.25]] if header == "0.5,0.25" else []  # no header, a point
    assert cloud.points.tolist() == first + x
    assert cloud.names == tuple(names or "012345"[: 5 + len(first)])


def test_names_labels_edges_and_thumbnails_go_with_a_file(tmp_path):
    np.save(tmp_path / "p.npy", points(4).numpy())
    (tmp_path / "names.txt").write_text("ape\r\nbear\r\ncat\r\n犬\r\n")
    (tmp_path / "labels.txt").write_text("x\ny\nx\nx\n")
    (tmp_path / "edges.tsv").write_text("ape\tbear\nape\tcat\ncat\t犬\n")
    (tmp_path / "pictures").mkdir()
    for name, colour in (("cat", "red"), ("犬", "blue"), ("other", "green")):
        Image.new("RGB", (20, 30), colour).save(tmp_path / "pictures" / f"{name}.png")
    words = [f"--{k}={tmp_path / v}" for k, v in (("names", "names.txt"), ("labels", "labels.txt"))]
    words += [f"--edges={tmp_path / 'edges.tsv'}", f"--thumbnails={tmp_path / 'pictures'}"]
    data = told(page_of(tmp_path, tmp_path / "p.npy", *words, "--title", "Beasts"))
    assert data["names"] == ["ape", "bear", "cat", "犬"]
    assert data["title"] == "Beasts"
    assert [group["title"] for group in data["groups"]] == ["Label", "Branch"]
    assert array(data["up"], "i4").tolist() == [-1, 0, 0, 2]
    assert array(data["pictures"]["of"], "i4").tolist() == [-1, -1, 0, 1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing"], "expected a folder that .* found no such thing"),
        (["p.npy", "--manifold", "sphere"], "got a sphere"),
        (["p.npy", "--manifold", "torus"], "manifold is 'torus'; expected one of lorentz,"),
        (
            ["p.npy", "--manifold", "ball"],
            r"^spaceforms explore: p\.npy: .* are no points of Poinc",
        ),
        (["raw.npy"], r"points of --manifold lorentz with .* --manifold may be lorentz, ball,"),
        (["p.npy", "--nearest", "-1"], "nearest is -1; expected 0 to 100"),
        (["p.npy", "--manifold", "euclidean", "--curvature", "1"], "expected 0 or none"),
        (["p.npy", "--names", "short.txt"], "expected 4 names, one a line, got 1"),
        (["p.npy", "--edges", "edges.tsv"], "got 2 other names \\('a', 'b'\\)"),
        (["p.npy", "--thumbnails", "nowhere"], "found no such folder"),
        (["p.npy", "--thumbnails", "."], r"called as the points are, as 0\.png"),
        (["p.npy", "--data", "x"], "expected none for a file of points"),
        (["."], "has neither vectors.safetensors nor config.json"),
        (["short.txt"], r"got \.txt"),
        (["odd.csv"], "expected 3 numbers in row 2 of the points, got 2 numbers"),
        (["words.csv"], "expected 2 numbers in row 1 of the points, got 'x'"),
        (["flat.npy"], r"expected points \(N, m\), one a row, got shape \(3,\)"),
        (["objects.npy"], "expected an array of numbers"),
        (["nan.npy"], "rows of points are not finite"),
    ],
)
def test_what_cannot_be_shown_is_said(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("p.npy", points(4).numpy())
    np.save("raw.npy", np.ones((3, 3)))
    np.save("flat.npy", np.ones(3))
    np.save("nan.npy", np.full((3, 3), np.nan))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, content in (("short.txt", "a\n"), ("edges.tsv", "a\tb\n")):
        (tmp_path / name).write_text(content)
    (tmp_path / "odd.csv").write_text("1,0,0\n1,0\n")
    (tmp_path / "words.csv").write_text("a,1,x\nb,1,2\n")
    assert main(["explore", *words, "--out", "page.html"]) in (1, 2)  # 2: of an option
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(sentence, said), said
    assert not (tmp_path / "page.html").exists()


def test_a_product_has_no_page():
    space = Product([Lorentz(-1.0), Euclidean()], dims=[2, 2])
    from spaceforms.models.explore.layout import check_space

    with pytest.raises(ValueError, match="got a product"):
        check_space(space, "here")


def test_the_command_asks_for_a_place(capsys):
    assert main(["explore", "p.npy"]) == 2
    assert "--out" in capsys.readouterr().err
