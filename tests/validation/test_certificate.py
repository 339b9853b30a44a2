"""The promise of the certificate is kept, and the certificate can say no."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spaceforms.__main__ import main
from spaceforms.manifolds import Lorentz
from spaceforms.validation.certificate import evaluate
from spaceforms.validation.certificate.cases import Case, from_json, hard_cases, to_json
from spaceforms.validation.certificate.certificate import (
    GRADIENTS,
    OPERATIONS,
    QUICK,
    VALUES,
    Plan,
    certify,
    report,
)
from spaceforms.validation.certificate.climb import Climb, climb
from spaceforms.validation.certificate.report import as_page, as_text
from spaceforms.validation.certificate.score import DEFINITIONS, DTYPES, judge_cases, run_batch
from spaceforms.validation.exact.chart_models import MODELS
from spaceforms.validation.exact.conditioning import Argument, Problem

SMALL = Plan(count=2, batches=1, largest=3)
# Of what a cell takes a half is arithmetic of sixty digits in up to 32 dimensions. One cell of the
# fast run has it; the others have every map in half of the regimes, and the slow run has all.
LOW = replace(QUICK, largest=4, maps_every=4)


# In half precision float32 computes: one kind on one manifold is enough for a fast run.
HALF = "bfloat16"
KINDS = ("Euclidean", "Sphere", "PoincareBall", "Lorentz", "Stereographic", "Product")
FAST = {("Lorentz", d): LOW for d in ("float32", HALF)} | {
    (m, "float64"): QUICK if m == "Lorentz" else LOW for m in KINDS
}
CELLS = [
    pytest.param(
        m, d, QUICK, id=f"{m}-{d}", marks=() if FAST.get((m, d)) is QUICK else pytest.mark.slow
    )
    for m in MODELS
    for d in DTYPES
] + [
    pytest.param(*cell, LOW, id="-".join((*cell, "low")))
    for cell, plan in FAST.items()
    if plan is LOW
]


@pytest.mark.parametrize(("manifold", "dtype", "plan"), CELLS)
def test_the_promise_is_kept(manifold, dtype, plan):
    rows = certify(plan, manifolds=[manifold], dtypes=[dtype])
    assert {row.map for row in rows} == {
        name for name, definition in DEFINITIONS.items() if manifold in definition.models
    }
    assert all(row.kept for row in rows), as_text([row for row in rows if not row.kept])
    # Charts of small reach leave many problems out.
    for some, share in ((DEFINITIONS.keys() - set(OPERATIONS), 1 / 2), (OPERATIONS, 1 / 3)):
        part = [row for row in rows if row.map in some]
        assert sum(row.judged for row in part) >= share * sum(row.problems for row in part)


def with_fault(monkeypatch, change, cell, regimes):
    """Samples of a cell: of what the whole does, ``change`` gives the faulty result."""
    true = evaluate.call
    monkeypatch.setattr(evaluate, "call", lambda *args: change(true, *args))
    options = {"count": 4, "gradients": False, "seed": 0, "largest": 3}
    return [s for regime in regimes for s in run_batch(*cell, regime, **options) if s.inside]


def test_a_geodesic_that_is_right_in_its_first_half_only_is_caught(monkeypatch):
    def change(true, space, name, values):
        x, y, t = values
        return true(space, name, [x, y, torch.where(t > 0.5, t * (1 + 1e-3), t)])

    samples = with_fault(
        monkeypatch, change, ("Euclidean", "geodesic", "float32"), ("everyday", "far")
    )
    times = {s.case.inputs[2][0] for s in samples if s.units > VALUES}
    assert times
    assert min(times) > 0.5


def test_an_error_of_one_length_at_the_edge_of_the_ball_is_caught(monkeypatch):
    """Of 4e-15 in coordinates, where the rim is nearer than 1e-14; of nothing elsewhere."""
    true = evaluate.call

    def faulty(space, name, values):
        point = true(space, name, values)
        near = (point.norm(dim=-1, keepdim=True) > 1 - 1e-14).to(point.dtype)
        return point * (1 - 4e-15 * near)

    monkeypatch.setattr(evaluate, "call", faulty)
    worst = []
    for r in (30.0, 33.0):
        case = Case("PoincareBall", "from_normal", "float64", -1.0, ((0.6 * r, 0.8 * r),), (1, 1))
        worst.append(max(s.units for s in judge_cases([case], gradients=False)))
    assert worst[0] <= VALUES < worst[1]


def test_a_radial_error_that_the_norm_of_the_coordinates_hides_is_caught_by_distance():
    """On an axis a hyperboloid's rounding is radial, and 20 roundings of a sinh are a length of
    20 u; of a point 1e-4 off sideways, which is nothing of its norm, the distance is 1."""
    case = Case("Lorentz", "proj", "float64", -1.0, ((1e12, 0.0),), (1.0, 0.0))
    true = evaluate.call
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            evaluate, "call",
            lambda *args: true(*args) + torch.tensor([0.0, 0.0, 1e-4], dtype=torch.float64),
        )  # fmt: skip
        found = {s.quantity: s.units for s in judge_cases([case], gradients=False)}
    assert VALUES * 2**-53 * 1e12 > 1e-4  # by the coordinates alone the promise would be kept
    assert found["value"] > VALUES


def test_a_gradient_by_curvature_that_is_off_near_the_origin_is_caught(monkeypatch):
    """A part in 10^4 of the distance, which is much of a gradient of third order."""

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, d, k):
            ctx.save_for_backward(d, k)
            return d.clone()

        @staticmethod
        def backward(ctx, g):
            d, k = ctx.saved_tensors
            return g, (g * d * 1e-4).sum() / k

    def change(true, space, name, values):
        return Off.apply(true(space, name, values), space.curvature)

    case = Case("Stereographic", "dist", "float64", -1.0, ((5e-5, 1.5e-5), (-2e-5, 4e-5)))
    assert max(s.units for s in judge_cases([case]) if s.quantity == "K") <= GRADIENTS
    true = evaluate.call
    monkeypatch.setattr(evaluate, "call", lambda *args: change(true, *args))
    assert max(s.units for s in judge_cases([case]) if s.quantity == "K") > 1e3


def test_a_result_that_is_no_point_is_caught(monkeypatch):
    """A time part that does not belong to the space part, which alone is judged as coordinates."""

    def change(true, space, name, values):
        point = true(space, name, values)
        return torch.cat([point[..., :1] * (1 + 1e-3), point[..., 1:]], dim=-1)

    samples = with_fault(monkeypatch, change, ("Lorentz", "midpoint", "float32"), ("everyday",))
    assert all(s.units == math.inf for s in samples if s.quantity == "point")
    assert all(s.units < VALUES for s in samples if s.quantity == "value")


def test_what_is_not_judged_is_counted_with_its_reason():
    plan = replace(SMALL, largest=2)
    rows = certify(plan, manifolds=["Lorentz"], maps=["expmap", "dist"], dtypes=["float16"])
    for row in rows:
        assert row.judged + sum(row.why_not.values()) == row.problems
    reasons = {reason for row in rows for reason in row.why_not}
    assert reasons >= {"beyond the edge", "no digits"}
    assert "not judged: " in as_text(rows)
    empty = as_text([replace(rows[0], judged=0)])
    assert f"Nothing judged in: Lorentz.{rows[0].map} (float16, {rows[0].quantity})" in empty


def test_the_first_order_gives_way_to_a_corner_of_the_box():
    """dist from the origin's mirror image of 1e-9 to a point: |x| has a kink, and first order is 0
    at a point that rounding moves: at a corner it is not."""
    square = Problem(
        lambda z, k: [(z[0][0] - z[1][0]) ** 2],
        [Argument(None, np.array([1.0])), Argument(None, np.array([1.0]))],
        cotangent=None, output_time=False, curvature=1.0, scalar=True, turns=False,
    )  # fmt: skip
    corner = Problem(
        lambda z, k: [(z[0][0] - z[1][0]) ** 2], square.arguments, cotangent=None,
        output_time=False, curvature=1.0, scalar=True, turns=False,
        corner=[np.array([1e-3]), np.array([-1e-3])],
    )  # fmt: skip
    assert float(square.value().spread[0]) < 1e-30
    assert float(corner.value().value[0]) == pytest.approx(4e-6)


def test_hard_cases_survive_their_file():
    assert len(hard_cases()) > 200
    for case in hard_cases():
        assert from_json(json.loads(json.dumps(to_json(case)))) == case
        assert case.map == "proj" or case.holds(DEFINITIONS[case.map])


def test_a_climbing_search_finds_what_draws_did_not():
    """A fault in a narrow place, of which an everyday draw sees the foot only."""
    true = evaluate.call

    def faulty(space, name, values):
        d = true(space, name, values)
        return d * (1 + 1e-14 / (1e-3 + (d - 1.5).abs()))

    case = Case("Euclidean", "dist", "float64", 0.0, ((0.3, 0.1), (1.4, -0.2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "call", faulty)
        start = max(s.units for s in judge_cases([case]) if s.quantity == "value")
        found, units, steps = climb(Climb(case, "value", start, seconds=60, steps=40))
    assert steps == 40
    assert units > 2 * start
    assert abs(math.dist(*found.inputs) - 1.5) < abs(math.dist(*case.inputs) - 1.5)


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

    true = evaluate.call
    monkeypatch.setattr(evaluate, "call", lambda *args: Wrong.apply(true(*args)))
    rows = certify(SMALL, manifolds=["Euclidean"], maps=["dist"], dtypes=["float32"])
    broken = {row.quantity for row in rows if not row.kept}
    assert quantity in broken


def test_a_result_that_is_not_finite_breaks_the_promise(monkeypatch):
    monkeypatch.setattr(evaluate, "call", lambda space, name, values: values[0][..., 0] * torch.nan)
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
    assert main(["certify", "--minutes", "-1"]) == 2
    assert "--minutes is -1.0; expected 0 or more" in capsys.readouterr().err


def test_a_report_is_plain_numbers():
    rows = certify(SMALL, manifolds=["Euclidean"], maps=["norm"], dtypes=["float64"])
    assert json.loads(json.dumps(report(rows, SMALL)))["rows"][0]["map"] == "norm"
    assert as_text(rows).splitlines()[0].split()[-3:] == ["judged", "not", "finite"]


def test_the_hyperboloid_ignores_the_stored_time_part():
    space = Lorentz()
    x = space.from_normal(torch.randn(3, 2, dtype=torch.float64))
    other = torch.cat([torch.full((3, 1), 7.0), x[:, 1:]], dim=-1)
    assert torch.equal(space.dist(x, x.flip(0)), space.dist(other, other.flip(0)))


def test_the_page_has_the_charts_and_the_operations(tmp_path, capsys):
    file = tmp_path / "certificate.json"
    words = "--manifold Klein Lorentz --map convert busemann expmap_adjoint --dtype float32"
    assert main(["certify", *words.split(), "--processes", "1", "--json", str(file)]) == 0
    capsys.readouterr()
    page = as_page(json.loads(file.read_text()))
    assert "| Klein | , " not in page.split("## Operations")[0]
    assert "| `busemann` | Lorentz |" in page
    assert "| `expmap_adjoint`\\* | Lorentz |" in page  # the star: not promised


def test_a_wrong_operation_breaks_the_promise(monkeypatch):
    true = evaluate.call
    monkeypatch.setattr(evaluate, "call", lambda *args: true(*args) * (1 + 1e-4))
    rows = certify(SMALL, manifolds=["Klein"], maps=["convert:HalfSpace"], dtypes=["float32"])
    assert rows
    assert not any(row.kept for row in rows if row.quantity == "value")
