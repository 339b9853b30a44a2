"""Frames a second of a page to explore, in a headless Chromium without a graphics card.

    python benchmarks/explore.py [--nodes 20000] [--page PAGE [--picture PICTURE --node NAME]]

A random tree of so many nodes, laid out in two dimensions, or a page that is there, is dragged
about for 90 frames. Printed are frames a second, which the rest of the machine takes part in, and
the milliseconds of one drawing. ``--picture`` writes screenshots instead, as the guide has them:
PICTURE-light.webp and PICTURE-dark.webp, with a node chosen.
"""

import argparse
import io
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chromium import Page

from spaceforms.manifolds import Lorentz
from spaceforms.models.explore.cloud import Cloud
from spaceforms.models.explore.page import write_html
from spaceforms.models.explore.run import page_data

DRAG = """(async () => {
  const { scene, draw, Geometry } = explorer, times = [], begin = { ...scene.view };
  scene.moving = true;
  const from = performance.now();
  for (let i = 0; i < 90; i++) {
    await new Promise(requestAnimationFrame);
    scene.view = Geometry.dragged(begin, [0, 0], [0.8 * Math.sin(i / 8), 0.5 * Math.sin(i / 5)]);
    const start = performance.now();
    draw();
    times.push(performance.now() - start);
  }
  const whole = performance.now() - from;
  times.sort((a, b) => a - b);
  return [90000 / whole, times[45], times[85]];
})()"""


def random_tree(count: int, seed: int = 0) -> Cloud:
    """Parents at random, the early ones more often; each node in a share of its parent's angle."""
    rng = np.random.default_rng(seed)
    up = np.array(
        [0, *(rng.integers(0, max(1, k // rng.choice([1, 8, 40]))) for k in range(1, count))]
    )
    size = np.ones(count)
    for k in range(count - 1, 0, -1):
        size[up[k]] += size[k]
    low, high = np.zeros(count), np.zeros(count)
    low[0], high[0] = -math.pi, math.pi
    free = low.copy()
    for k in range(1, count):
        above = up[k]
        low[k] = free[k] = free[above]
        high[k] = free[above] = low[k] + (high[above] - low[above]) * size[k] / (size[above] - 1)
    angle = (low + high) / 2
    r = np.where(np.arange(count) > 0, 0.5 + 0.9 * np.log(2 * math.pi / (high - low + 1e-9)), 0)
    v = torch.from_numpy(np.stack([r * np.cos(angle), r * np.sin(angle)], 1))
    space = Lorentz(-1.0)
    names = tuple(f"node {k}" for k in range(count))
    ends = (up[1:], np.arange(1, count))
    return Cloud(space.from_normal(v), space, names, "A random tree", *ends)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--node", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.page or Path(folder) / "page.html"
        if options.page is None:
            path.write_text(write_html(page_data(random_tree(options.nodes))), encoding="utf-8")
        page = Page(Path(folder) / "profile")
        try:
            if options.picture is None:
                page.open(path)
                rate, middle, slow = page.run(DRAG)
                count = page.run("explorer.nodes.count")
                print(
                    f"{count:,} points: {rate:.0f} frames/s; a drawing takes {middle:.1f} ms, "
                    f"95 % at most {slow:.1f} ms"
                )
                return
            for theme in ("light", "dark"):
                page.prefer(theme, motion="reduce")
                page.open(path)
                chosen = f"explorer.nodes.names.indexOf({options.node!r})"
                page.run(f"explorer.choose({chosen}, true)" if options.node else "1")
                page.until("!explorer.flying()")
                page.run("new Promise((r) => setTimeout(() => r(1), 300))")
                shot = Image.open(io.BytesIO(page.picture()))
                shot.save(options.picture.with_name(f"{options.picture.name}-{theme}.webp"))
        finally:
            page.close()


if __name__ == "__main__":
    main()
