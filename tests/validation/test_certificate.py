"""The promise of the certificate is kept, and the certificate can say no."""

import json

import pytest
import torch

from spaceforms.__main__ import main
from spaceforms.manifolds import Lorentz
from spaceforms.validation import evaluation
from spaceforms.validation.certificate import (
    GRADIENTS,
    OPERATIONS,
    QUICK,
    VALUES,
    Plan,
    certify,
    report,
)
from spaceforms.validation.chart_models import MODELS
from spaceforms.validation.judge import DEFINITIONS, DTYPES, run_batch
from spaceforms.validation.report import as_page, as_text

SMALL = Plan(count=2, batches=1, largest=3)


# In half precision float32 computes: one kind on one manifold is enough for a fast run.
HALF = "bfloat16"
CELLS = [
    pytest.param(
        m,
        d,
        marks=()
        if d in ("float64", "float32") or (m, d) == ("Lorentz", HALF)
        else pytest.mark.slow,
    )
    for m in MODELS
    for d in DTYPES
]


@pytest.mark.parametrize(("manifold", "dtype"), CELLS)
def test_the_promise_is_kept(manifold, dtype):
    rows = certify(QUICK, manifolds=[manifold], dtypes=[dtype])
    assert {row.map for row in rows} == {
        name for name, definition in DEFINITIONS.items() if manifold in definition.models
    }
    assert all(row.kept for row in rows), as_text([row for row in rows if not row.kept])
    # Charts of small reach leave many problems out.
    for some, share in ((DEFINITIONS.keys() - set(OPERATIONS), 1 / 2), (OPERATIONS, 1 / 3)):
        part = [row for row in rows if row.map in some]
        assert sum(row.judged for row in part) >= share * sum(row.problems for row in part)


@pytest.mark.parametrize(
    ("manifold", "name", "dtype", "regime", "seed"),
    [
        # Antipodes on one line: numerator and denominator vanish together.
        ("Stereographic", "coadd", "float32", "antipodal", 0),
        # Subnormal vectors.
        ("Klein", "convert_vector:Lorentz", "float32", "tiny", 1),
        # A short point, far from p, across the normal.
        ("Euclidean", "reflection", "bfloat16", "tiny", 0),
        ("Lorentz", "reflection", "bfloat16", "tiny", 0),
        ("PoincareBall", "reflection", "bfloat16", "tiny", 1),
        # A normal all but parallel to its point.
        ("Lorentz", "signed_distance", "float64", "edge", 0),
        ("Lorentz", "signed_distance", "bfloat16", "far", 0),
        # A normal whose time part is beyond the dtype.
        ("Lorentz", "reflection", "float16", "huge", 1),
        # Far from the origin and next to one another.
        ("Lorentz", "expmap_differential", "float32", "close, far", 0),
        ("Lorentz", "jacobi_field", "float32", "close, far", 0),
        ("Lorentz", "expmap_differential", "float64", "huge", 1),
        ("PoincareBall", "expmap_differential", "float64", "close, far", 0),
        ("PoincareBall", "jacobi_field", "float32", "edge", 0),
        # Next to the antipode and at a right angle.
        ("Sphere", "logmap_differential_base", "float64", "antipodal", 0),
        ("Sphere", "logmap_differential_base", "float32", "tiny", 1),
    ],
)
def test_cells_that_broke_the_promise_keep_it(manifold, name, dtype, regime, seed):
    samples = run_batch(manifold, name, dtype, regime, count=4, gradients=False, seed=seed)
    assert samples
    assert all(s.finite for s in samples)
    assert max(s.units for s in samples if s.inside) <= VALUES


@pytest.mark.parametrize(
    ("manifold", "name", "dtype", "regime", "seed"),
    [
        # At its extreme a function of a direction has a derivative by rounding only.
        ("Lorentz", "busemann", "float64", "antipodal", 0),
        ("PoincareBall", "busemann", "float32", "origin", 0),
        ("Lorentz", "signed_distance", "float64", "radial", 0),
        ("PoincareBall", "signed_distance", "float32", "radial", 0),
        # Of a branch that is not taken, where products overflow.
        ("Lorentz", "signed_distance", "float64", "far", 0),
    ],
)
def test_gradients_that_broke_the_promise_keep_it(manifold, name, dtype, regime, seed):
    options = {"count": 3, "gradients": True, "seed": seed, "largest": 8}
    samples = run_batch(manifold, name, dtype, regime, **options)
    assert samples
    assert {s.quantity for s in samples} > {"value", "K"}
    assert all(s.finite for s in samples)
    assert max(s.units for s in samples if s.inside) <= GRADIENTS


@pytest.mark.parametrize("library", ["geoopt", "textbook"])
def test_formulas_that_lose_their_digits_are_caught(library):
    which = {"manifolds": ["Lorentz"], "maps": ["dist", "logmap"], "dtypes": ["float32"]}
    rows = certify(SMALL, libraries=[library], **which)
    assert len(rows) == 2
    assert all(row.worst > 1e3 for row in rows)


@pytest.mark.parametrize(
    ("error", "quantity"),
    [(1 + 1e-5, "value"), (1.0, "gradient")],
)
def test_an_error_of_a_hundred_units_breaks_the_promise(monkeypatch, error, quantity):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, d):
            return d * error

        @staticmethod
        def backward(ctx, g):
            return g * (1 + 1e-4)

    true = evaluation.call
    monkeypatch.setattr(evaluation, "call", lambda *args: Wrong.apply(true(*args)))
    rows = certify(SMALL, manifolds=["Euclidean"], maps=["dist"], dtypes=["float32"])
    broken = {row.quantity for row in rows if not row.kept}
    assert quantity in broken


def test_a_result_that_is_not_finite_breaks_the_promise(monkeypatch):
    monkeypatch.setattr(
        evaluation, "call", lambda space, name, values: values[0][..., 0] * torch.nan
    )
    rows = certify(SMALL, manifolds=["Sphere"], maps=["dist"], dtypes=["float64"])
    assert not any(row.kept for row in rows if row.quantity == "value")


def test_the_command_writes_what_the_page_is_made_of(tmp_path, capsys):
    file = tmp_path / "certificate.json"
    words = "--manifold Lorentz --map dist --dtype float32 --against textbook --processes 1"
    assert main(["certify", *words.split(), "--json", str(file)]) == 0
    assert "The promise is kept" in capsys.readouterr().out
    page = as_page(json.loads(file.read_text()))
    assert "Lorentz" in page
    assert "nan" not in page


def test_the_command_names_what_it_does_not_know(capsys):
    assert main(["certify", "--map", "distance"]) == 2
    assert "expected some of proj" in capsys.readouterr().err
    assert main(["certify", "--processes", "-1"]) == 2
    assert "--processes is -1; expected 0 or more" in capsys.readouterr().err


def test_a_report_is_plain_numbers():
    rows = certify(SMALL, manifolds=["Euclidean"], maps=["norm"], dtypes=["float64"])
    assert json.loads(json.dumps(report(rows, SMALL)))["rows"][0]["map"] == "norm"
    assert as_text(rows).splitlines()[0].split()[-3:] == ["problems", "not", "finite"]


def test_the_hyperboloid_ignores_the_stored_time_part():
    space = Lorentz()
    x = space.from_normal(torch.randn(3, 2, dtype=torch.float64))
    other = torch.cat([torch.full((3, 1), 7.0), x[:, 1:]], dim=-1)
    assert torch.equal(space.dist(x, x.flip(0)), space.dist(other, other.flip(0)))


def test_the_page_has_the_charts_and_the_operations(tmp_path, capsys):
    file = tmp_path / "certificate.json"
    words = "--manifold Klein Lorentz --map convert busemann --dtype float32 --processes 1"
    assert main(["certify", *words.split(), "--json", str(file)]) == 0
    capsys.readouterr()
    page = as_page(json.loads(file.read_text()))
    assert "| Klein | , " not in page.split("## Operations")[0]
    assert "| `busemann` | Lorentz |" in page


def test_a_wrong_operation_breaks_the_promise(monkeypatch):
    true = evaluation.call
    monkeypatch.setattr(evaluation, "call", lambda *args: true(*args) * (1 + 1e-4))
    rows = certify(SMALL, manifolds=["Klein"], maps=["convert:HalfSpace"], dtypes=["float32"])
    assert rows
    assert not any(row.kept for row in rows)
