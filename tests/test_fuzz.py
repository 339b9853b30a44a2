"""Every public function of six rooms, called with what is valid, extreme, abusive and NaN.

The quick share runs with one seed; ``SPACEFORMS_FUZZ_SEED`` and ``SPACEFORMS_FUZZ_SECONDS`` are for
the slow one. What fails says the seed, the name, the space and the arguments.
"""

import dataclasses
import inspect
import math
import os
import time
import types
import zlib

import numpy as np
import pytest
import torch
from fuzz_table import EVERY, ROWS, Draw

from spaceforms import distributions, layers, losses, manifolds, search, stats
from spaceforms.losses import distributed, metrics
from spaceforms.manifolds import Manifold

F64, F32 = torch.float64, torch.float32
ROOMS = {
    "manifolds": manifolds,
    "losses": losses,
    "losses.metrics": metrics,
    "losses.distributed": distributed,
    "distributions": distributions,
    "stats": stats,
    "search": search,
    "layers": layers,
}
SEED = int(os.environ.get("SPACEFORMS_FUZZ_SEED", "0"))
SECONDS = float(os.environ.get("SPACEFORMS_FUZZ_SECONDS", "120"))
NAMES = sorted(name for name, row in ROWS.items() if inspect.signature(row.make).parameters)


def test_every_public_name_has_a_row():
    public = {f"{room}.{name}" for room, module in ROOMS.items() for name in module.__all__}
    assert not public - set(ROWS), "a public name without a row in tests/fuzz_table.py"
    extra = {name for name in ROWS if not name.startswith("manifolds.Manifold.")} - public
    assert not extra, "a row of a name that is not public"


# -- what is drawn --------------------------------------------------------------------------------


def drawn(name, seed, dtype=F64, far=1.0, space=None):
    """A row's arguments, and the space that they are of."""
    row = ROWS[name]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + seed)
    space = space or row.spaces[int(torch.randint(len(row.spaces), (), generator=generator))]
    d = Draw(generator, dtype, EVERY[0] if space is None else space, far)
    torch.manual_seed(seed)
    return row.make(d)


def numbers(found):
    """All tensors and numbers in a result."""
    if isinstance(found, torch.Tensor):
        return [found]
    if isinstance(found, float | int) and not isinstance(found, bool):
        return [torch.tensor(float(found), dtype=F64)]
    if isinstance(found, list | tuple):
        return [t for each in found for t in numbers(each)]
    if dataclasses.is_dataclass(found):
        return [t for f in dataclasses.fields(found) for t in numbers(getattr(found, f.name))]
    return []


def said(name, given, seed, why):
    """What somebody needs to see the failure again."""
    shown = {
        k: f"{v.dtype} {tuple(v.shape)} {v.flatten()[:8].tolist()}"
        if isinstance(v, torch.Tensor) and v.layout == torch.strided and not v.is_meta
        else str(v)[:80]
        for k, v in given.items()
    }
    return f"{name}, SPACEFORMS_FUZZ_SEED={seed}: {why}. Arguments: {shown}"


def is_float(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point()


# -- valid and extreme ----------------------------------------------------------------------------


def check_values(name, seed, dtype, far):
    """Finite values and gradients."""
    row, given = ROWS[name], drawn(name, seed, dtype, far)
    if row.smooth:
        given = {k: v.clone().requires_grad_() if is_float(v) else v for k, v in given.items()}
    results = [t for t in numbers(row.call(**given)) if t.is_floating_point()]
    for t in results:
        bad = t.isnan().any() if row.overflows else not t.isfinite().all()
        assert not bad, said(name, given, seed, f"gives {t.flatten()[:8].tolist()}")
    total = [t.where(t.isfinite(), 0.0).sum().double() for t in results if t.requires_grad]
    sources = {k: v for k, v in given.items() if is_float(v)}
    if not (row.smooth and total and sources) or any(t.isinf().any() for t in results):
        return
    slopes = torch.autograd.grad(sum(total), sources.values(), allow_unused=True)
    for (k, _), slope in zip(sources.items(), slopes, strict=True):
        if slope is not None:
            assert slope.isfinite().all(), said(
                name, given, seed, f"gradient by {k} {slope.flatten()[:8].tolist()}"
            )


FAR = (1.0, 0.0, 1e-30, 1e-8, 30.0, 1e4)
"""Sizes of normal coordinates: everyday ones, the origin, next to it, the edge and beyond."""


# -- abuse ----------------------------------------------------------------------------------------


def annotation(name, key):
    """What the signature says of an argument."""
    room, _, short = name.rpartition(".")
    target = getattr(Manifold if room == "manifolds.Manifold" else ROOMS[room], short, None)
    if isinstance(target, types.FunctionType | type):
        parameter = inspect.signature(target).parameters.get(key)
    else:
        parameter = None
    return "" if parameter is None else str(parameter.annotation)


def abuses(name, key, value):
    """Wrong values for an argument that is right as it is."""
    hint = annotation(name, key)
    none = [] if "None" in hint or value is None else [None]
    numbers_too = "float" in hint or not hint
    if isinstance(value, torch.Tensor):
        # Two rooms take arrays and lists of numbers for tensors.
        arrays = name.startswith(("stats.", "search."))
        other = np.full(tuple(value.shape), "a" if arrays else 0.0)
        table = [*none, "text", other, value.to(torch.complex64)]
        if value.layout == torch.strided and value.ndim:
            table += [value.double().to_sparse()]
        if value.is_floating_point():
            table += [value.to(torch.float8_e5m2), [0.5]]
            counts = key in ROWS[name].whole or key in ("weights", "uncertainty", "hit", "loss")
            table += [] if counts else [value.bool(), value.long()]
            table += [] if numbers_too else [3.0]
        else:
            table += [3]
            table += [value.double() + 0.5] if value.dtype != torch.bool else []
        if key not in ROWS[name].free and value.ndim:
            table += [torch.cat([value, value[:1], value[:1], value[:1]])]
            if value.ndim > 1:
                table += [torch.cat([value, value[..., :1], value[..., :1]], -1)]
        return table
    if isinstance(value, Manifold):
        if name.startswith("manifolds.Manifold."):  # a method of it
            return []
        return [*none, "Lorentz", type(value), torch.zeros(3), *([] if key == "curvature" else [3])]
    if isinstance(value, str):
        number = [] if "int" in hint else [3]
        return [*none, *number] if key == "path" else [*none, "nonsense", *number]
    if isinstance(value, int):
        return [*none, "text", 1.5, 1j, -3, torch.zeros(2), [1]]
    if isinstance(value, float):
        return [*none, "text", 1j, [1.0], torch.zeros(2, dtype=torch.complex64), np.zeros(3)]
    if isinstance(value, list):
        return [*none, 3, "text"]
    return [*none, 3]


def check_abuse(name, seed, index):
    """A ValueError or TypeError that names the argument."""
    row, base = ROWS[name], drawn(name, seed)
    for key, value in base.items():
        if value is None or isinstance(value, bool):
            continue
        wrong = abuses(name, key, value)
        if not wrong:
            continue
        chosen = wrong if index is None else [wrong[index % len(wrong)]]
        for bad in chosen:
            given = {**base, key: bad}
            why = f"{key} is {type(bad).__name__} {getattr(bad, 'dtype', '')}"
            try:
                row.call(**given)
            except (ValueError, TypeError) as error:
                text = str(error)
                # Of two that do not fit each other either may be named.
                fits = not isinstance(bad, type(value)) or getattr(bad, "dtype", 0) != getattr(
                    value, "dtype", 0
                )
                named = key in text if fits else any(k in text for k in base)
                if not (named and "expected" in text.lower()):
                    why = said(name, given, seed, f"{why}: says {text!r}")
                    raise AssertionError(why) from None
            except Exception as error:
                text = f"{why}: raises {type(error).__name__} {str(error)[:100]!r}"
                raise AssertionError(said(name, given, seed, text)) from None
            else:
                raise AssertionError(said(name, given, seed, f"{why} is taken"))


# -- NaN ------------------------------------------------------------------------------------------


def check_nan(name, seed):
    """NaN in an argument is NaN in the result, or refused."""
    row, base = ROWS[name], drawn(name, seed)
    space = base.get("manifold")
    # The metric of flat space is the same everywhere: a base point need not be looked at.
    flat = isinstance(space, Manifold) and space._family != "product" and space.sign == 0
    for key, value in base.items():
        if key in row.ignores or (flat and key == "x" and {"u", "v", "w"} & set(base)):
            continue
        if is_float(value):
            bad = value.clone()
            bad.view(-1)[-1] = math.nan
        elif isinstance(value, float):
            bad = math.nan
        else:
            continue
        given = {**base, key: bad}
        try:
            found = numbers(row.call(**given))
        except (ValueError, TypeError) as error:
            if "expected" not in str(error).lower():
                raise AssertionError(said(name, given, seed, f"{key} NaN: {error}")) from None
            continue
        except Exception as error:
            text = f"{key} NaN: raises {type(error).__name__} {str(error)[:100]!r}"
            raise AssertionError(said(name, given, seed, text)) from None
        assert any(t.is_floating_point() and bool(t.isnan().any()) for t in found), said(
            name, given, seed, f"{key} NaN is not seen: {[t.flatten()[:4].tolist() for t in found]}"
        )


# -- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_is_valid_gives_numbers(name):
    check_values(name, 0, F64, 1.0)


@pytest.mark.parametrize("name", [n for n in NAMES if not ROWS[n].near])
def test_what_is_extreme_gives_numbers(name):
    far = FAR[1 + zlib.crc32(name.encode()) % (len(FAR) - 1)]
    check_values(name, 0, F32, far)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_wrong_is_refused_in_a_sentence_that_names_the_argument(name):
    check_abuse(name, 0, None)


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan_or_is_refused(name):
    check_nan(name, 0)


@pytest.mark.slow
@pytest.mark.timeout(max(300, 2 * SECONDS))
def test_random_calls_of_everything_for_a_while():
    start, seed = time.monotonic(), SEED or int(time.time()) % 10**6
    while time.monotonic() - start < SECONDS:
        seed += 1
        for name in NAMES:
            choices = FAR if not ROWS[name].near else FAR[:1]
            check_values(name, seed, (F64, F32)[seed % 2], choices[seed % len(choices)])
            check_abuse(name, seed, seed)
            check_nan(name, seed)
