"""The sums over rows and columns, of parts of a table and put together."""

import pytest
import torch

from spaceforms.losses.pairwise.readers import (
    PairMask,
    Positives,
    SigmoidReader,
    SoftmaxReader,
    SoftmaxSums,
)

ALL = slice(None)
F64 = torch.float64


def reader(columns, mask, positives):
    return SoftmaxReader(columns, mask, positives, symmetric=True, smoothed=True, decoupled=False)


def cases():
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 9, dtype=F64, generator=g)
    weights = torch.rand(6, 9, dtype=F64, generator=g)
    mask = torch.rand(6, 9, generator=g) < 0.6
    mask[2] = False  # a row with nothing to compare, and in columns 0..3 a column
    mask[:, 1] = False
    return logits, weights, mask


def read(logits, weights, mask):
    """Read as one tile, by the reader of tiles."""
    rows, columns = logits.shape
    it = reader(columns, PairMask(pairs=mask), Positives(table=weights))
    found = it.start(rows, columns, logits)
    it.read(found, logits.clone(), ALL, ALL, torch.tensor(0.0))
    return SoftmaxSums.of(found)


def test_sums_are_those_of_their_definitions():
    logits, weights, mask = cases()
    sums = read(logits, weights, mask)
    for line, table, share, kept in (
        (sums.rows, logits, weights, mask),
        (sums.columns, logits.T, weights.T, mask.T),
    ):
        for k in range(len(table)):
            some = kept[k]
            l, w = table[k][some], share[k][some]
            expected = torch.stack([l.exp().sum().log(), (w * l).sum(), l.sum(), w.sum()])
            got = torch.stack([line.lse[k], line.near[k], line.total[k], line.mass[k]])
            torch.testing.assert_close(got, expected)
            assert line.number[k] == some.sum()


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_the_sums_of_two_parts_combine_to_those_of_the_whole(cut):
    logits, weights, mask = cases()
    whole = read(logits, weights, mask)
    parts = [read(logits[:, j], weights[:, j], mask[:, j]) for j in (slice(cut), slice(cut, None))]
    for got, expected in zip(parts[0].rows.combine(parts[1].rows), whole.rows, strict=True):
        torch.testing.assert_close(got, expected)
    # Columns are each in one part alone.
    for one, other, expected in zip(*(p.columns for p in parts), whole.columns, strict=True):
        torch.testing.assert_close(torch.cat([one, other]), expected)


def test_the_list_for_autograd_and_the_names_are_one_thing():
    logits, weights, mask = cases()
    sums = read(logits, weights, mask)
    again = SoftmaxSums.of(sums.tensors())
    for one, other in zip((*sums.rows, *sums.columns), (*again.rows, *again.columns), strict=True):
        assert one is other
    fixed = reader(9, None, Positives(table=weights)).constants(sums.tensors())
    names = (sums.rows.mass, sums.rows.number, sums.columns.mass, sums.columns.number)
    assert all(a is b for a, b in zip(fixed, names, strict=True))


def test_a_mask_says_of_pairs_what_it_says_of_the_table():
    g = torch.Generator().manual_seed(1)
    parts = {
        "pairs": torch.rand(6, 9, generator=g) < 0.5,
        "rows": torch.rand(6, generator=g) < 0.5,
        "columns": torch.rand(9, generator=g) < 0.5,
        "skip": torch.randint(9, (6,), generator=g),
    }
    column = torch.randint(9, (6,), generator=g)
    for chosen in ({}, *({name: value} for name, value in parts.items()), parts):
        mask = PairMask(**chosen)
        table = mask.tile(ALL, ALL, 9)
        table = torch.ones(6, 9, dtype=torch.bool) if table is None else table.expand(6, 9)
        assert torch.equal(mask.of_pairs(column), table[torch.arange(6), column])


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("reach", [1.0, 60.0, 130.0, 1e4])
def test_one_shift_for_all_lines_loses_no_digits_however_far_apart_they_are(reach, dtype):
    """Line by line where one shift would overflow, from a range of 124 on in float32."""
    l = torch.linspace(-reach, 0, 40).to(dtype)[torch.randperm(40)].view(5, 8) - reach / 3
    columns = Positives(column=torch.full((5,), -1))
    it = SoftmaxReader(8, None, columns, symmetric=True, smoothed=False, decoupled=False)
    found = it.start(5, 8, l)
    it.read(found, l.clone(), slice(0, 5), slice(0, 8), torch.tensor(0.0))
    sums = SoftmaxSums.of(found)
    for line, axis in ((sums.rows, 1), (sums.columns, 0)):
        # A logit is rounded once, less its shift, and is no larger than 4/3 of the reach.
        allowed = 2 * torch.finfo(dtype).eps * (1 + reach)
        assert (line.lse - l.double().logsumexp(axis)).abs().max() <= allowed


def test_softplus_has_the_digits_of_its_dtype_on_both_sides_of_overflow():
    for most in (80.0, 1e4):  # float32 overflows at e^88.7
        l = torch.cat([torch.linspace(-100, most, 63), torch.tensor([0.0])]).view(8, 8)
        it = SigmoidReader(8, None, Positives(column=torch.full((8,), -1)))
        found = it.start(8, 8, l)
        with torch.no_grad():
            it.read(found, l.clone(), slice(0, 8), slice(0, 8), torch.tensor(0.0))
        exact = torch.logaddexp(l.double(), torch.zeros(8, 8, dtype=F64)).sum(1)
        assert ((found[0] - exact).abs() <= 8 * 2.0**-23 * exact).all()
