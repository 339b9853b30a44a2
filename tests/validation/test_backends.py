"""The certificate of compiled maps, and of those on another device."""

import json
import math

import pytest
import torch

from spaceforms.__main__ import main
from spaceforms.manifolds import Lorentz, Manifold
from spaceforms.validation.certificate.backends import CPU, Backend, Compiled
from spaceforms.validation.certificate.certificate import Plan, certify, report, tasks
from spaceforms.validation.certificate.report import as_page

SMALL = Plan(count=2, batches=1, largest=3, maps_every=40)
CELL = {"manifolds": ["Lorentz"], "maps": ["dist"], "dtypes": ["float64"]}


def _made_by(change):
    """torch.compile, of a result that is changed; and what it was asked for."""
    asked = []

    def compile_(function, **_):
        asked.append(function.__name__)
        return lambda *arguments: change(function(*arguments))

    return compile_, asked


def test_what_is_compiled_is_judged(monkeypatch):
    """A fault that only the compiler makes is found, by value and by gradient."""
    rows = {}
    for name, change in (("right", lambda x: x), ("wrong", lambda x: x * (1 + 1e-12))):
        compile_, asked = _made_by(change)
        monkeypatch.setattr(torch, "compile", compile_)
        rows[name] = certify(SMALL, backend=Backend(compiled=True), **CELL)
        assert set(asked) == {"dist"}
    assert {row.backend for row in rows["right"]} == {"cpu, compiled"}
    assert all(row.kept for row in rows["right"])
    assert {row.quantity for row in rows["wrong"] if not row.kept} == {
        "value", "gradient", "curvature",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("manifold", ["Lorentz", "PoincareBall", "Sphere", "Euclidean"])
def test_compiled_maps_keep_the_promise(manifold):
    rows = certify(
        Plan(count=2, batches=1, largest=8, maps_every=4), manifolds=[manifold],
        maps=["dist", "expmap", "logmap", "transport"], dtypes=["float32"],
        backend=Backend(compiled=True),
    )  # fmt: skip
    assert rows
    assert all(row.kept for row in rows)


def test_only_methods_of_written_out_manifolds_are_compiled():
    made = {(t.manifold, t.map) for t in tasks(SMALL, backend=Backend(compiled=True))}
    assert ("Lorentz", "dist") in made
    assert ("Sphere", "half_aperture") in made
    assert not any(m == "Klein" or n in ("busemann", "convert:Klein") for m, n in made)


def test_a_compiled_manifold_is_one():
    space = Lorentz(-2.0)
    made = Compiled(space)
    assert isinstance(made, Manifold)
    assert made.curvature == -2
    assert made.radius == space.radius


def test_another_device_gets_the_arguments_and_the_manifold(monkeypatch):
    """``meta`` stands for one: it has no values, but says where everything is."""
    seen = []
    dist = Lorentz.dist

    def looked(self, x, y):
        seen.append((x.device.type, y.device.type, {p.device.type for p in self.parameters()}))
        return dist(self, x, y)

    monkeypatch.setattr(Lorentz, "dist", looked)
    with pytest.raises(NotImplementedError, match="meta"):  # as the result is fetched
        certify(SMALL, backend=Backend("meta"), **CELL)
    assert seen[0] == ("meta", "meta", set())


def test_the_page_has_a_table_a_backend():
    rows = certify(SMALL, **CELL)
    alone = as_page(report(rows, SMALL))
    assert "## Compiled" not in alone
    made = [
        type(row)(**{**vars(row), "backend": "cpu, compiled", "worst": math.pi}) for row in rows
    ]
    page = as_page(json.loads(json.dumps(report([*rows, *made], SMALL))))
    table = page[page.index("### cpu, compiled") :]
    assert "| `Lorentz.dist` | 3.1 / 3.1 / 3.1 &#124; " in table
    assert "No accelerator was at hand" in page
    before, after = (p[p.index("## The promise") :][:400] for p in (alone, page))
    assert before == after  # what is compiled counts apart


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("compiled", [False, True])
def test_the_promise_is_kept_on_cuda(compiled):
    rows = certify(
        SMALL, manifolds=["Lorentz", "PoincareBall", "Sphere"], maps=["dist", "expmap", "logmap"],
        dtypes=["float32"], backend=Backend("cuda", compiled),
    )  # fmt: skip
    assert rows
    assert all(row.kept for row in rows)


def test_the_command_says_what_it_cannot_do(capsys):
    assert main(["certify", "--device", "gpu"]) == 2
    assert "--device is 'gpu'" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(["certify", "--device", "cuda"]) == 2
        assert "--device is 'cuda', which torch" in capsys.readouterr().err
    assert main(["certify", "--device", "meta"]) == 2
    assert "--device is 'meta', which torch" in capsys.readouterr().err
    for words in ("--compiled --manifold Klein", "--manifold Euclidean --map gyration"):
        assert main(["certify", *words.split()]) == 2
        assert "nothing to measure: no manifold that was asked for" in capsys.readouterr().err
    assert main(["certify", "--compiled", "--minutes", "1"]) == 2
    assert "climbing is done eagerly" in capsys.readouterr().err
    assert Backend().name == CPU.name == "cpu"
