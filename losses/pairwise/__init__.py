"""Losses of all pairs of two batches of points, on one table of logits.

The way of one of them, ``info_nce(x, y, ...)``:

1. ``logits.PairOptions`` checks the options, and its ``table`` the points. The :class:`Table` that
   it gives is not computed yet; it says how it will be: dense, or by tiles.
2. ``positives`` turns targets, groups, masks and weights into which pairs belong together, which
   are compared, and how much each row counts.
3. ``info_nce.line_sums`` takes log sum e^l of rows and columns: of ``Table.dense`` in
   ``SoftmaxReader.whole``, or tile by tile in ``tiled.sweep`` with the same reader, on CUDA by the
   kernels of ``fused_sweep``. The logits of one positive a row come from ``Table.known``, by
   ``manifold.dist``.
4. ``info_nce.cross_entropy`` makes losses of the sums, ``info_nce.reduced`` their mean.

The other losses part from it where they differ: ``pairs`` and ``debiased`` at the sums,
``distributed`` in where they come from, the blocks of a ring of ``processes``. ``queue`` is of
points alone.
"""
