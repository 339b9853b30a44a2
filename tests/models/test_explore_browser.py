"""The page in a real browser: hands on it, and what is then seen."""

import json

import networkx as nx
import numpy as np
import pytest
import torch
from chromium import Page, needs_chromium

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall
from spaceforms.models.explore.cloud import Cloud
from spaceforms.models.explore.page import write_html
from spaceforms.models.explore.run import page_data
from spaceforms.plotting import tree_layout

pytestmark = [needs_chromium, pytest.mark.xdist_group("chromium")]
L, B = Lorentz(-1.0), PoincareBall(-1.0)
HOSTILE = {
    1: "</script><script>document.title = 'gone'</script>",
    2: '<img src=x onerror="document.title = 1">',
    3: "\"double\" 'single' `back` ${1} $title \\n",
    4: "犬とオオカミ",
    5: "كلب",
    6: "Ünïcødé ☃ 🐕\u200d🦺",
    7: "a\u2028b\u2029c<!--",
}
TREE = nx.balanced_tree(3, 4)  # 121 nodes, the children of k are 3k + 1 and on
NAMES = tuple(HOSTILE.get(k, f"node {k}") for k in TREE)
LEAF = 40


def spread(space):
    """The tree with its levels on circles: nothing is trained."""
    depth = nx.single_source_shortest_path_length(TREE, 0)
    first = {d: min(k for k in TREE if depth[k] == d) for d in range(5)}
    t = [2 * np.pi * (k - first[depth[k]] + 0.5) / 3 ** depth[k] for k in TREE]
    r = [1.1 * depth[k] for k in TREE]
    v = torch.tensor(np.stack([r * np.cos(t), r * np.sin(t)], 1))
    return space.from_normal(v)


def cloud(space=L, **more):
    ends = np.array(list(TREE.edges), np.int64).T
    return Cloud(spread(space), space, NAMES, "A tree", parent=ends[0], child=ends[1], **more)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    data = page_data(cloud()) | {"share": 1.0}  # true to scale
    path.write_text(write_html(data), encoding="utf-8")
    return path


@pytest.fixture
def page(browser, file):
    browser.resize(1280, 800)
    browser.prefer("light", motion="reduce")
    browser.errors.clear()
    browser.requests.clear()
    browser.open(file)
    yield browser
    assert not browser.errors
    assert browser.requests == [file.resolve().as_uri()]  # and nothing else, ever


def settle(page):
    """Until what was done is drawn and no flight is left."""
    page.until("!explorer.flying()")
    page.run("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")


def where(page, k):
    """A node on the screen."""
    return tuple(page.run(f"[explorer.scene.x[{k}], explorer.scene.y[{k}]]"))


def drawn(page):
    """All places on the disk."""
    z = page.run("Array.from(explorer.scene.z)")
    return torch.tensor(z, dtype=torch.float64).reshape(-1, 2)


def text(page, name):
    return page.run(f"document.getElementById({name!r}).textContent")


def entries(page, name):
    return page.run(f"[...document.querySelectorAll('#{name} li span')].map((e) => e.textContent)")


def test_the_disk_holds_the_points_where_the_library_has_them(page):
    assert drawn(page).numpy() == pytest.approx(spread(B).numpy(), abs=1e-13)
    assert text(page, "facts") == "121 points, 120 edges"
    assert page.run("document.title") == "A tree"


def test_names_are_text_whatever_they_hold(page):
    assert page.run("explorer.nodes.names") == list(NAMES)
    for k in HOSTILE:
        page.run(f"explorer.choose({k}, false)")
        settle(page)
        assert text(page, "name") == NAMES[k]
    assert page.run("document.scripts.length") == 2
    assert page.run("document.images.length") == 0
    assert page.run("document.title") == "A tree"


def test_what_is_taken_follows_the_pointer_and_nothing_is_stretched(page):
    x, y = where(page, 2)
    path = [(x, y), (x + 30, y - 40), (x + 90, y + 20), (x - 60, y + 110)]
    before = page.picture()
    page.mouse("mousePressed", *path[0])
    for place in path[1:]:
        page.mouse("mouseMoved", *place, buttons=1)
        settle(page)
        assert where(page, 2) == pytest.approx(place, abs=1e-3)
        seen = B.cdist(drawn(page), drawn(page))
        assert (seen - L.cdist(spread(L), spread(L))).abs().max() < 1e-10
    away = page.picture()
    page.mouse("mouseMoved", *path[0], buttons=1)
    page.mouse("mouseReleased", *path[0])
    page.mouse("mouseMoved", 5, 400)
    settle(page)
    assert page.run("explorer.scene.selected") == -1  # a drag is no click
    assert away != before
    assert page.picture() == before  # to the last pixel


def test_the_wheel_zooms_about_the_pointer(page):
    x, y = np.round(where(page, 9))  # a wheel's place is a whole number
    before = [np.array(where(page, k)) - (x, y) for k in (9, 0)]
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-500)
    settle(page)
    zoom = page.run("explorer.scene.camera.k / explorer.scene.fit.k")
    assert zoom == pytest.approx(np.exp(500 * 0.0016), rel=1e-9)
    for k, old in zip((9, 0), before, strict=True):
        assert np.array(where(page, k)) - (x, y) == pytest.approx(zoom * old, abs=1e-3)
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=5000)
    settle(page)
    assert page.run("explorer.scene.camera.k / explorer.scene.fit.k") == pytest.approx(0.8)


def test_hovering_shows_the_name(page):
    page.mouse("mouseMoved", *where(page, 4))
    settle(page)
    assert page.run("getComputedStyle(document.getElementById('tip')).display") != "none"
    assert text(page, "tip-name") == NAMES[4]
    assert text(page, "tip-more") == f"{NAMES[4]} · 2.20 from the middle"
    page.mouse("mouseMoved", 700, 795)
    assert page.run("document.getElementById('tip').hidden")


def test_a_click_shows_the_way_to_the_root_and_the_nearest(page):
    page.click(*where(page, LEAF))
    settle(page)
    assert text(page, "name") == NAMES[LEAF]
    way = nx.shortest_path(TREE, LEAF, 0)
    assert entries(page, "way") == [NAMES[k] for k in way]
    distance = L.dist(spread(L)[LEAF], spread(L))
    order = distance.argsort()[1:9]
    shown = page.run("[...document.querySelectorAll('#near li small')].map((e) => +e.textContent)")
    assert shown == pytest.approx(distance[order].tolist(), abs=0.0051)
    assert set(entries(page, "near")[:2]) <= {NAMES[k] for k in TREE}
    page.run("document.querySelectorAll('#way li button')[1].click()")
    settle(page)
    assert text(page, "name") == NAMES[way[1]]
    assert entries(page, "below") == [NAMES[k] for k in range(3 * way[1] + 1, 3 * way[1] + 4)]
    page.click(*where(page, 0))
    page.key("Escape")
    assert page.run("document.getElementById('panel').hidden")


def test_search_flies_to_a_point(page):
    page.run("document.getElementById('canvas').focus()")
    page.key("/")
    assert page.run("document.activeElement.id") == "search"
    page.type("NODE 11")  # case does not count
    found = page.run("[...document.querySelectorAll('#results li')].map((e) => e.firstChild.data)")
    assert found[0] == "node 11"
    assert {"node 110", "node 119"} < set(found)
    page.key("ArrowDown")
    page.key("Enter")
    settle(page)
    assert text(page, "name") == found[1]
    k = NAMES.index(found[1])
    fit = page.run("[explorer.scene.fit.x, explorer.scene.fit.y]")
    assert where(page, k) == pytest.approx(fit, abs=1e-3)
    assert page.run("document.activeElement.id") == "canvas"
    page.key("/")
    page.type("unic")  # without its accents
    assert text(page, "results").startswith(NAMES[6])
    page.key("Escape")
    page.type("犬")
    assert text(page, "results").startswith(NAMES[4])
    page.key("Escape")
    page.type("zebra")
    assert text(page, "results") == "No such name"


def test_lengths_are_drawn_at_a_share_that_a_slider_sets(browser, tmp_path):
    browser.resize(1280, 800)
    browser.prefer("light", motion="reduce")
    path = tmp_path / "shrunk.html"
    path.write_text(write_html(page_data(cloud())), encoding="utf-8")
    browser.open(path)
    # Half of the nodes are leaves, at 4.4: they are drawn at 3.2 first.
    assert text(browser, "percent") == "73 %"
    v = B.to_normal(spread(B))
    assert drawn(browser).numpy() == pytest.approx(B.from_normal(v * 3.2 / 4.4).numpy(), abs=1e-12)
    assert "drawn shorter than they are" in text(browser, "note")
    browser.run(
        "(() => { const s = document.getElementById('share'); s.value = '1';"
        " s.dispatchEvent(new Event('input')); })()"
    )
    settle(browser)
    assert text(browser, "percent") == "100 %"
    assert drawn(browser).numpy() == pytest.approx(spread(B).numpy(), abs=1e-12)
    assert "shorter" not in text(browser, "note")
    assert not browser.errors


def test_a_flight_follows_the_geodesic(page):
    page.prefer("light")  # things move
    page.run("explorer.fly({r: explorer.scene.points.r[80], t: explorer.scene.layout.t[80]})")
    middles = []
    while page.run("explorer.flying()"):
        middles.append(page.run("[explorer.scene.view.r, explorer.scene.view.t]"))
    t = page.run("explorer.scene.layout.t[80]")
    assert len(middles) > 3
    radii = [r for r, _ in middles]
    assert radii == sorted(radii)  # outwards along a ray, which is a geodesic
    for r, angle in middles:
        assert r < 1e-9 or np.cos(angle - t) == pytest.approx(1, abs=1e-12)


def test_home_is_upright_again(page):
    page.drag((800, 400), (900, 300), (700, 250), (820, 500))
    page.mouse("mouseWheel", 700, 300, deltaX=0, deltaY=-300)
    page.click(
        *page.run(
            "(({x, y, width, height}) => [x + width / 2, y + height / 2])"
            "(document.getElementById('home').getBoundingClientRect())"
        )
    )
    settle(page)
    assert drawn(page).numpy() == pytest.approx(spread(B).numpy(), abs=1e-13)
    assert page.run("explorer.scene.camera.k === explorer.scene.fit.k")


def test_keys_do_what_hands_do(page):
    page.run("document.getElementById('canvas').focus()")
    page.key("ArrowDown")
    settle(page)
    assert where(page, 0)[1] < page.run("explorer.scene.fit.y")
    page.key("Enter")
    settle(page)
    assert page.run("explorer.scene.selected") == 0
    page.run(f"explorer.choose({LEAF}, true)")
    settle(page)
    page.key("u")
    settle(page)
    assert page.run("explorer.scene.selected") == (LEAF - 1) // 3
    page.key("+")
    assert page.run("explorer.scene.camera.k > explorer.scene.fit.k")
    page.key("Home")
    settle(page)
    assert where(page, 0) == pytest.approx(page.run("[explorer.scene.fit.x, explorer.scene.fit.y]"))


def test_fingers_drag_and_pinch_and_tap(page):
    page.resize(390, 844, scale=2, touch=True)
    settle(page)
    x, y = where(page, 0)
    page.touch("touchStart", (x, y))
    page.touch("touchMove", (x + 20, y + 10))
    page.touch("touchMove", (x + 50, y - 30))
    settle(page)
    assert where(page, 0) == pytest.approx((x + 50, y - 30), abs=1e-3)
    page.touch("touchEnd")
    page.key("Home")
    page.run("explorer.goHome()")
    settle(page)
    page.touch("touchStart", (x - 40, y), (x + 40, y))
    page.touch("touchMove", (x - 60, y), (x + 60, y))
    page.touch("touchMove", (x - 80, y), (x + 80, y))
    settle(page)
    assert page.run("explorer.scene.camera.k / explorer.scene.fit.k") == pytest.approx(2, abs=0.01)
    page.touch("touchEnd")
    page.run("explorer.goHome()")
    settle(page)
    page.touch("touchStart", (x, y))
    page.touch("touchEnd")
    settle(page)
    assert text(page, "name") == NAMES[0]
    # The sheet leaves the disk its place.
    bottom = page.run("document.getElementById('panel').getBoundingClientRect().top")
    assert page.run("explorer.scene.fit.y + explorer.scene.fit.k") < bottom


def test_dark_and_light_follow_the_system_and_the_switch(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.prefer("dark", motion="reduce")
    page.until(f"{ground} !== {light!r}")
    dark = page.run(ground)
    settle(page)
    assert sum(json.loads(dark.replace("rgb(", "[").replace(")", "]"))) < 100
    pixel = (
        "[...document.getElementById('canvas').getContext('2d').getImageData(5, 400, 1, 1).data]"
    )
    assert sum(page.run(pixel)[:3]) < 100
    page.run("document.getElementById('theme').click()")
    settle(page)
    assert page.run(ground) == light
    assert sum(page.run(pixel)[:3]) > 600


def test_names_do_not_overlap(page):
    for code in ("1", f"explorer.choose({LEAF}, true)"):
        page.run(code)
        settle(page)
        boxes = np.array(page.run("explorer.scene.labels.map(({x, y, w, h}) => [x, y, w, h])"))
        assert len(boxes) > 8
        x, y, w, h = boxes.T
        apart = (
            (x[:, None] + w[:, None] <= x) | (x[:, None] >= x + w)
            | (y[:, None] + h[:, None] <= y) | (y[:, None] >= y + h)
        )  # fmt: skip
        assert (apart | np.eye(len(boxes), dtype=bool)).all()


def test_a_class_can_be_hidden_and_colours_chosen(page):
    count = "explorer.scene.labels.length"
    full = page.run(count)
    page.run("document.querySelectorAll('#classes button').forEach((b) => b.click())")
    settle(page)
    assert page.run(count) == 0 < full
    page.run(
        "(() => { const s = document.getElementById('scheme'); s.value = '1';"
        " s.dispatchEvent(new Event('change')); })()"
    )
    settle(page)
    assert entries(page, "classes") == ["0", "1", "2", "3", "4"]  # depths
    sizes = page.run("[...document.querySelectorAll('#classes small')].map((e) => +e.textContent)")
    assert sizes == [1, 3, 9, 27, 81]
    assert page.run(count) > 0


def test_everything_has_a_name_for_those_who_do_not_see_it(page):
    nodes = page.send("Accessibility.getFullAXTree")["nodes"]
    wanted = {"button", "textbox", "searchbox", "combobox", "slider", "complementary", "navigation"}
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] in wanted
    ]
    assert len(named) > 8
    assert all(name for _, name in named), named


def test_flat_space_is_a_plane_that_is_shifted(browser, tmp_path):
    browser.prefer("light", motion="reduce")
    browser.resize(1280, 800)
    path = tmp_path / "flat.html"
    path.write_text(write_html(page_data(cloud(Euclidean()))), encoding="utf-8")
    browser.open(path)
    k = browser.run("explorer.scene.camera.k") / 4.4  # of a unit of length: the farthest is at 4.4
    before = np.array([where(browser, j) for j in (0, 40, 80)])
    expected = spread(Euclidean())[[0, 40, 80]].numpy() * [k, -k]
    assert before - before[0] == pytest.approx(expected - expected[0], abs=0.01)
    browser.drag((700, 400), (760, 350))
    settle(browser)
    after = np.array([where(browser, j) for j in (0, 40, 80)])
    assert after - before == pytest.approx(np.tile([60.0, -50.0], (3, 1)), abs=0.01)
    assert not browser.errors


def press(page, name):
    page.click(
        *page.run(
            "(({x, y, width, height}) => [x + width / 2, y + height / 2])"
            f"(document.getElementById({name!r}).getBoundingClientRect())"
        )
    )


def tree_places():
    """Where the library lays the tree out."""
    up = [-1] + [(k - 1) // 3 for k in range(1, len(TREE))]
    return tree_layout(up).points


def test_a_button_switches_to_the_tree_and_back(page):
    seen = "document.getElementById('canvas').toDataURL()"
    before = page.run(seen)
    press(page, "layout-1")
    settle(page)
    assert page.run("document.getElementById('layout-1').getAttribute('aria-pressed')") == "true"
    assert page.run("document.getElementById('layout-0').getAttribute('aria-pressed')") == "false"
    assert drawn(page).numpy() == pytest.approx(tree_places().numpy(), abs=1e-12)
    table = B.cdist(drawn(page), drawn(page))
    edge = [float(table[a, b]) for a, b in TREE.edges]
    assert edge == pytest.approx([edge[0]] * len(edge), rel=1e-9)  # all of one length
    assert page.run(seen) != before
    assert "all of one length" in text(page, "note")
    # Words stay those of the points.
    page.mouse("mouseMoved", *where(page, 4))
    settle(page)
    assert text(page, "tip-more") == f"{NAMES[4]} · 2.20 from the middle"
    press(page, "layout-0")
    page.mouse("mouseMoved", 5, 400)
    settle(page)
    assert drawn(page).numpy() == pytest.approx(spread(B).numpy(), abs=1e-13)
    assert page.run(seen) == before  # to the last pixel


def test_the_selected_point_is_in_the_middle_of_either_layout(page):
    page.run(f"explorer.choose({LEAF}, true)")
    settle(page)
    page.run("explorer.setLayout(explorer.layouts[1])")
    settle(page)
    fit = page.run("[explorer.scene.fit.x, explorer.scene.fit.y]")
    assert where(page, LEAF) == pytest.approx(fit, abs=1e-3)
    space = PoincareBall(-1.0)
    expected = space.cdist(tree_places(), tree_places())
    assert (space.cdist(drawn(page), drawn(page)) - expected).abs().max() < 1e-9


def test_points_move_to_the_other_layout_and_a_hand_ends_it(page):
    page.prefer("light")  # things move
    # While JavaScript runs no frame comes: the flight is seen at times of its own.
    page.run("explorer.setLayout(explorer.layouts[1])")
    seen = []
    while page.run("explorer.flying()"):
        seen.append(page.run("[explorer.scene.points.r[80], explorer.scene.points.cos[80]]"))
    assert len({tuple(s) for s in seen}) > 3
    assert drawn(page).numpy() == pytest.approx(tree_places().numpy(), abs=1e-12)
    page.run("explorer.setLayout(explorer.layouts[0])")
    page.until("explorer.scene.moving")
    x, y = page.run("[explorer.scene.fit.x, explorer.scene.fit.y]")
    page.mouse("mouseMoved", x, y)
    page.mouse("mousePressed", x, y)
    page.mouse("mouseReleased", x, y)
    settle(page)
    seen = B.cdist(drawn(page), drawn(page))
    assert (seen - L.cdist(spread(L), spread(L))).abs().max() < 1e-10


def test_the_slider_belongs_to_the_points(browser, tmp_path):
    browser.resize(1280, 800)
    browser.prefer("light", motion="reduce")
    path = tmp_path / "both.html"
    path.write_text(write_html(page_data(cloud())), encoding="utf-8")
    browser.open(path)
    press(browser, "layout-1")
    settle(browser)
    assert browser.run("document.getElementById('shrink').hidden")
    assert drawn(browser).numpy() == pytest.approx(tree_places().numpy(), abs=1e-12)
    press(browser, "layout-0")
    settle(browser)
    assert text(browser, "percent") == "73 %"
    v = B.to_normal(spread(B))
    assert drawn(browser).numpy() == pytest.approx(B.from_normal(v * 3.2 / 4.4).numpy(), abs=1e-12)
    assert not browser.errors


def test_without_edges_or_on_flat_space_there_is_one_layout(browser, tmp_path):
    bare = Cloud(spread(L), L, NAMES, "Points")
    flat = cloud(Euclidean())
    for name, one in (("bare", bare), ("flat", flat)):
        path = tmp_path / f"{name}.html"
        path.write_text(write_html(page_data(one)), encoding="utf-8")
        browser.open(path)
        assert browser.run("document.getElementById('layouts').hidden")
        assert browser.run("explorer.layouts.length") == 1
        assert not browser.errors
