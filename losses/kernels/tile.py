"""A block of the table of all pairs: read, and computed again for the gradient.

    h = (p q' + q p')/2 - u.u'/2,   l = factor phi(h),   g = dL/dl,   G = g phi'(h)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
u, -u'/2     a, b                 bodies of rows and columns, (rows, K) and (columns, K), bfloat16
                                  or float32; with SPLIT their leading bits
             a_rest, b_rest       with SPLIT (rows, K2) and (columns, K2), what those leave out
p/2, q/2     a_gaps               (rows, 2) float32, with SPLIT float64
q', p'       b_gaps               (columns, 2), as ``a_gaps``
l            l                    the logits of a block, with the known ones in their place
============ ==================== ==================================================================

One program has one block: a product on the tensor cores, one pass of phi, and sums of its rows and
columns, which it writes beside those of other blocks. The backward kernel writes G, for two more
products (``losses/pairwise/fused.py``). Sums: "softmax" log sum e^l, less the largest l of a line
in the block; "sigmoid" the sum over a row of log(1 + e^t) less t of its positive, t = l + bias.

Domain: float32 and bfloat16 points; a pair's h within its rounding counts as 0.
Bound: h to n 2^-24 |u||u'|, with SPLIT to 2^-b of it (``manifolds/kernels/pairs/products.py``);
``phi`` says the rest.
"""

import triton
import triton.language as tl

from .phi import bend, log1p, phi, slope


@triton.jit
def dots(
    a, b, a_row, b_row, i, j, rows, columns,
    K: tl.constexpr, M: tl.constexpr, N: tl.constexpr, STEP: tl.constexpr, PRECISION: tl.constexpr,
    WIDEN: tl.constexpr,
):  # fmt: skip
    """a_i . b_j of rows i and columns j, (M, N) in float32."""
    total = tl.zeros((M, N), dtype=tl.float32)
    for start in range(0, K, STEP):
        k = start + tl.arange(0, STEP)
        left = (i < rows)[:, None] & (k < K)[None, :]
        right = (k < K)[:, None] & (j < columns)[None, :]
        x = tl.load(a + i.to(tl.int64)[:, None] * a_row + k[None, :], mask=left, other=0.0)
        y = tl.load(b + j.to(tl.int64)[None, :] * b_row + k[:, None], mask=right, other=0.0)
        if WIDEN:  # for the interpreter, which multiplies the bits of bfloat16 as integers
            x = x.to(tl.float32)
            y = y.to(tl.float32)
        total = tl.dot(x, y, total, input_precision=PRECISION)
    return total


@triton.jit
def logits(
    a, b, a_row, b_row, a_rest, b_rest, rest_row, a_gaps, b_gaps, a_gap_row, b_gap_row,
    factor, column, known, first, i, j, rows, columns,
    K: tl.constexpr, K2: tl.constexpr, M: tl.constexpr, N: tl.constexpr, STEP: tl.constexpr,
    PRECISION: tl.constexpr, REST_PRECISION: tl.constexpr, SPLIT: tl.constexpr,
    ROUNDING: tl.constexpr, NOISE: tl.constexpr, KIND: tl.constexpr, SIGN: tl.constexpr,
    AT: tl.constexpr, KNOWN: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """(l, value, d, half, whether an entry is known) of a block. ROUNDING is negative for no gate,
    ``first`` the number of the tile's first column, which ``column`` counts."""
    h = dots(a, b, a_row, b_row, i, j, rows, columns, K, M, N, STEP, PRECISION, WIDEN)
    p = tl.load(a_gaps + i.to(tl.int64) * a_gap_row, mask=i < rows, other=0.0)
    q = tl.load(a_gaps + i.to(tl.int64) * a_gap_row + 1, mask=i < rows, other=0.0)
    s = tl.load(b_gaps + j.to(tl.int64) * b_gap_row, mask=j < columns, other=0.0)
    r = tl.load(b_gaps + j.to(tl.int64) * b_gap_row + 1, mask=j < columns, other=0.0)
    size = p[:, None] * s[None, :] + q[:, None] * r[None, :]
    if SPLIT:
        rest = dots(
            a_rest, b_rest, rest_row, rest_row, i, j, rows, columns, K2, M, N, STEP,
            REST_PRECISION, WIDEN,
        )  # fmt: skip
        # The gaps' products are float64, and cancel with those of the leading bits, which are
        # exact.
        wide = size + h.to(tl.float64) + rest.to(tl.float64)
        if ROUNDING >= 0:
            wide = tl.where(wide > size * ROUNDING, wide, wide * 0)
        h = wide.to(tl.float32)
    else:
        h = h + size
        if ROUNDING >= 0:
            h = tl.where(h > size * ROUNDING, h, h * 0)
    value, d, half = phi(h, KIND, SIGN, AT, NOISE)
    l = value * tl.load(factor)
    here = (i < 0)[:, None] & (j < 0)[None, :]  # nowhere
    if KNOWN:
        own = tl.load(column + i, mask=i < rows, other=-1)
        # Rows past the end have the column -1, as those without any.
        here = (own[:, None] == (first + j).to(tl.int64)[None, :]) & (j < columns)[None, :]
        l = tl.where(here, tl.load(known + i, mask=i < rows, other=0.0)[:, None], l)
    return l, value, d, half, here


@triton.jit
def forward(
    a, b, a_row, b_row, a_rest, b_rest, rest_row, a_gaps, b_gaps, a_gap_row, b_gap_row,
    factor, bias, column, known, first, of_rows, of_columns, rows, columns,
    K: tl.constexpr, K2: tl.constexpr, M: tl.constexpr, N: tl.constexpr, STEP: tl.constexpr,
    PRECISION: tl.constexpr, REST_PRECISION: tl.constexpr, SPLIT: tl.constexpr,
    ROUNDING: tl.constexpr, NOISE: tl.constexpr, KIND: tl.constexpr, SIGN: tl.constexpr,
    AT: tl.constexpr, KNOWN: tl.constexpr, WIDEN: tl.constexpr,
    SIGMOID: tl.constexpr, SYMMETRIC: tl.constexpr,
):  # fmt: skip
    """Sums of a block: of_rows (blocks of columns, rows), of_columns (blocks of rows, columns)."""
    i = tl.program_id(0) * M + tl.arange(0, M)
    j = tl.program_id(1) * N + tl.arange(0, N)
    l, _value, _d, _half, here = logits(
        a, b, a_row, b_row, a_rest, b_rest, rest_row, a_gaps, b_gaps, a_gap_row, b_gap_row,
        factor, column, known, first, i, j, rows, columns, K, K2, M, N, STEP,
        PRECISION, REST_PRECISION, SPLIT, ROUNDING, NOISE, KIND, SIGN, AT, KNOWN, WIDEN,
    )  # fmt: skip
    inside = (i < rows)[:, None] & (j < columns)[None, :]
    to_rows = of_rows + tl.program_id(1).to(tl.int64) * rows + i
    if SIGMOID:
        t = l + tl.load(bias)
        loss = tl.maximum(t, t * 0) + log1p(tl.exp(-tl.abs(t)))
        loss = tl.where(here, loss - t, loss)
        tl.store(to_rows, tl.sum(tl.where(inside, loss, 0.0), 1), mask=i < rows)
    else:
        l = tl.where(inside, l, -float("inf"))
        # A row past the end has -inf alone, and 0 for its largest: -inf less -inf is NaN.
        most = tl.where(i < rows, tl.max(l, 1), 0.0)
        total = tl.where(i < rows, tl.sum(tl.exp(l - most[:, None]), 1), 1.0)
        tl.store(to_rows, most + tl.log(total), mask=i < rows)
        if SYMMETRIC:
            most = tl.where(j < columns, tl.max(l, 0), 0.0)
            total = tl.where(j < columns, tl.sum(tl.exp(l - most[None, :]), 0), 1.0)
            to_columns = of_columns + tl.program_id(0).to(tl.int64) * columns + j
            tl.store(to_columns, most + tl.log(total), mask=j < columns)


@triton.jit
def backward(
    a, b, a_row, b_row, a_rest, b_rest, rest_row, a_gaps, b_gaps, a_gap_row, b_gap_row,
    factor, bias, column, known, first, row_lse, row_by, column_lse, column_by,
    grad, by_known, by_factor, by_bias, by_number, row_gaps, column_gaps, rows, columns,
    K: tl.constexpr, K2: tl.constexpr, M: tl.constexpr, N: tl.constexpr, STEP: tl.constexpr,
    PRECISION: tl.constexpr, REST_PRECISION: tl.constexpr, SPLIT: tl.constexpr,
    ROUNDING: tl.constexpr, NOISE: tl.constexpr, KIND: tl.constexpr, SIGN: tl.constexpr,
    AT: tl.constexpr, KNOWN: tl.constexpr, WIDEN: tl.constexpr,
    SIGMOID: tl.constexpr, SYMMETRIC: tl.constexpr, CURVED: tl.constexpr,
):  # fmt: skip
    """G without the factor into grad (rows, columns); by each known value; sums for the factor,
    bias and number, one of each block; and G b_gaps, G^T a_gaps, two of each row and column."""
    i = tl.program_id(0) * M + tl.arange(0, M)
    j = tl.program_id(1) * N + tl.arange(0, N)
    l, value, d, half, here = logits(
        a, b, a_row, b_row, a_rest, b_rest, rest_row, a_gaps, b_gaps, a_gap_row, b_gap_row,
        factor, column, known, first, i, j, rows, columns, K, K2, M, N, STEP,
        PRECISION, REST_PRECISION, SPLIT, ROUNDING, NOISE, KIND, SIGN, AT, KNOWN, WIDEN,
    )  # fmt: skip
    inside = (i < rows)[:, None] & (j < columns)[None, :]
    block = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    by = tl.load(row_by + i, mask=i < rows, other=0.0)
    if SIGMOID:
        t = l + tl.load(bias)
        # 1/(1 + e^-t), by the exponential that is at most 1.
        e = tl.exp(-tl.abs(t))
        g = tl.where(t >= 0, 1.0, e) / (1 + e)
        g = tl.where(here, g - 1, g) * by[:, None]
        tl.store(by_bias + block, tl.sum(tl.sum(tl.where(inside, g, 0.0), 1), 0))
    else:
        l = tl.where(inside, l, -float("inf"))
        lse = tl.load(row_lse + i, mask=i < rows, other=0.0)
        g = tl.exp(l - lse[:, None]) * by[:, None]
        if SYMMETRIC:
            lse = tl.load(column_lse + j, mask=j < columns, other=0.0)
            by = tl.load(column_by + j, mask=j < columns, other=0.0)
            g += tl.exp(l - lse[None, :]) * by[None, :]
    g = tl.where(inside, g, 0.0)
    if KNOWN:
        # The gradient of a known entry is its value's; the product there was not used.
        own = tl.load(column + i, mask=i < rows, other=-1) - first
        found = (own >= tl.program_id(1) * N) & (own < tl.program_id(1) * N + N) & (own < columns)
        tl.store(by_known + i, tl.sum(tl.where(here, g, 0.0), 1), mask=found & (i < rows))
        g = tl.where(here, 0.0, g)
    tl.store(by_factor + block, tl.sum(tl.sum(g * value, 1), 0))
    if CURVED:
        tl.store(by_number + block, tl.sum(tl.sum(g * bend(d, KIND, AT), 1), 0))
    by_h = (g * slope(d, half, KIND, SIGN)).to(grad.dtype.element_ty)
    at = grad + i.to(tl.int64)[:, None] * columns + j[None, :]
    tl.store(at, by_h, mask=inside)
    # Those of the gaps are of what is stored: what cancels between them and the bodies does so in
    # bfloat16 too.
    w = by_h.to(tl.float32)
    for k in tl.static_range(2):
        s = tl.load(b_gaps + j.to(tl.int64) * b_gap_row + k, mask=j < columns, other=0.0)
        p = tl.load(a_gaps + i.to(tl.int64) * a_gap_row + k, mask=i < rows, other=0.0)
        to_row = row_gaps + (tl.program_id(1).to(tl.int64) * 2 + k) * rows + i
        to_column = column_gaps + (tl.program_id(0).to(tl.int64) * 2 + k) * columns + j
        tl.store(to_row, tl.sum(w * s.to(tl.float32)[None, :], 1), mask=i < rows)
        tl.store(to_column, tl.sum(w * p.to(tl.float32)[:, None], 0), mask=j < columns)
