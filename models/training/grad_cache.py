"""The gradient of a large contrastive batch in the memory of a small one.

A contrastive loss needs the features of the whole batch at once, so adding up the gradients of
micro-batches gives the gradient of another loss, one with fewer negatives. Features are small and
encoders are large: encode each micro-batch without a graph, take the loss and its gradient by the
features, then encode each micro-batch again with a graph and push its part of that gradient
through. This is GradCache (Gao et al. 2021, arXiv 2101.06983, section 3); the chain rule makes it
exact.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from ..image_text import Losses

C = TypeVar("C")


def cached_backward(
    encode: Callable[[C], tuple[Tensor, ...]],
    chunks: Sequence[C],
    loss: Callable[..., Losses],
) -> Losses:
    """Add to each parameter's ``grad`` what ``loss(*encode(all chunks)).total.backward()`` adds.

    The second encoding of a chunk draws the random numbers of the first (dropout drops the same),
    on the CPU and on the current CUDA device, and the generators end where they would have ended
    with one encoding. Gradients differ from those of the whole batch by rounding only. Encoders
    whose features of a row depend on the other rows (batch normalisation) are not meant.

    Args:
        encode: a chunk -> tensors whose leading axis is the chunk's rows.
        chunks: the batch, in order.
        loss: the joined tensors -> the loss; it may gather them from other processes, with
            gradients, and may have parameters of its own.

    Returns:
        What ``loss`` gave, without a graph.
    """
    states: list[list[Tensor]] = []
    encoded: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        for chunk in chunks:
            states.append(_states())
            encoded.append(encode(chunk))
    leaves = [torch.cat(parts).requires_grad_() for parts in zip(*encoded, strict=True)]
    result = loss(*leaves)
    result.total.backward()  # type: ignore[no-untyped-call]
    rows = [len(first) for first, *_ in encoded]
    gradients = [
        torch.split(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad, rows)
        for leaf in leaves
    ]
    del encoded, leaves
    for k, chunk in enumerate(chunks):
        with _replayed(states[k]):
            outputs = encode(chunk)
        # A frozen encoder's outputs have no graph.
        learned = [j for j, output in enumerate(outputs) if output.requires_grad]
        if learned:
            torch.autograd.backward(
                [outputs[j] for j in learned], [gradients[j][k] for j in learned]
            )
    return Losses(result.total.detach(), {n: v.detach() for n, v in result.parts.items()})


def _states() -> list[Tensor]:
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states.append(torch.cuda.get_rng_state())
    return states


def _set(states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1])


@contextmanager
def _replayed(states: list[Tensor]) -> Iterator[None]:
    now = _states()
    _set(states)
    try:
        yield
    finally:
        _set(now)
