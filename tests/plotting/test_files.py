"""Pictures as files: the same bytes on every run, and words that are outlines or text."""

import hashlib
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from matplotlib import pyplot

from spaceforms.manifolds import Lorentz, PoincareBall
from spaceforms.plotting import (
    disk,
    draw_tree,
    field,
    geodesics,
    hyperboloid,
    project_disk,
    radius_histogram,
    save,
    tiling,
)

EDGES = [("tree", "leafy"), ("tree", "needles"), ("leafy", "oak"), ("leafy", "elm")]


def pictures(folder):
    """One of each kind of artist, in all formats; a digest of all files."""
    space, ball = Lorentz(-1.0), PoincareBall(-1.0)
    v = torch.linspace(-1, 1, 60, dtype=torch.float64).reshape(20, 3)
    x = space.from_normal(v.sin() * 3)
    flat = project_disk(x, manifold=space).points
    drawn = disk(flat, manifold=ball, labels=["a", "b"] * 10, rings=(1, 2))
    tiling(7, 3, reach=2.0, ax=drawn.ax)
    geodesics(flat[:10], flat[10:], manifold=ball, ax=drawn.ax)
    field(lambda p: ball.dist(ball.origin(2).double(), p), manifold=ball, ax=drawn.ax)
    axes = [
        drawn.ax,
        draw_tree(EDGES).ax,
        hyperboloid(space.from_normal(v[:, :2])).ax,
        radius_histogram({"a": v[:, 0].abs()})[0].axes,
    ]
    digest = hashlib.sha256()
    for k, ax in enumerate(axes):
        for kind in ("png", "svg", "pdf"):
            save(ax.get_figure(), folder / f"{k}.{kind}", dpi=60)
            digest.update((folder / f"{k}.{kind}").read_bytes())
    return digest.hexdigest()


def test_pictures_are_the_same_bytes_in_another_process(tmp_path):
    here = pictures(tmp_path)
    code = (
        "import sys; from pathlib import Path; from test_files import pictures; "
        "print(pictures(Path(sys.argv[1])))"
    )
    folder = os.path.dirname(__file__)
    path = os.pathsep.join([folder, *filter(None, sys.path)])
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": path, "TZ": "Asia/Tokyo"}
    there = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split()[-1] == here


def words(path):
    texts = ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    return {"".join(text.itertext()) for text in texts}


def test_words_of_an_svg_are_outlines_or_text(tmp_path):
    figure = draw_tree(EDGES).ax.get_figure()
    save(figure, tmp_path / "outlines.svg")
    save(figure, tmp_path / "text.svg", text=True)
    assert words(tmp_path / "outlines.svg") == set()
    assert words(tmp_path / "text.svg") == {"tree", "leafy", "needles", "oak", "elm"}
    assert pyplot.rcParams["svg.fonttype"] == "path"  # as it was
    save(figure, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "outlines.svg").read_bytes()


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_files_hold_no_date(tmp_path, kind):
    save(disk(manifold=PoincareBall()).ax.get_figure(), tmp_path / f"a.{kind}")
    content = (tmp_path / f"a.{kind}").read_bytes()
    for word in (b"dc:date", b"CreationDate", b"ModDate"):
        assert word not in content
    if kind == "pdf":
        assert b"/Type3" not in content.replace(b" ", b"")  # fonts that stay text
