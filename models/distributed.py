"""Training on several processes: how they start, stop and agree.

Each process encodes its share of a batch, gathers all points (with gradients) and computes the
loss of the whole batch. The gather's backward sums over processes, the parameters' gradients are
then averaged, and the two together give exactly the gradient of one process with the whole batch:
for the encoders' weights sum/W of W equal losses, for the loss's own scalars the mean of W equal
gradients.
"""

import os
from collections.abc import Callable, Iterable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from ..losses.distributed import gather as gather


def start(device: str, timeout: int = 600) -> tuple[int, int]:
    """Join the processes that ``torchrun`` started; (rank, world size), (0, 1) without it.

    One waits for the others ``timeout`` seconds at most, here and in every collective.

    Raises:
        ConnectionError: not all have come by then.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not dist.is_initialized():
        if device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "nccl" if device == "cuda" else "gloo"
        try:
            dist.init_process_group(backend, timeout=timedelta(seconds=timeout))
        except dist.DistError as error:
            reason = str(error).partition("\n")[0].strip(" .")
            raise ConnectionError(
                f"process {os.environ.get('RANK')}: expected all {world} processes to meet within "
                f"{timeout} s (--timeout), got: {reason}."
            ) from error
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def stop() -> None:
    """Leave the processes that :func:`start` joined, if it did."""
    if dist.is_initialized():
        dist.destroy_process_group()


def is_first() -> bool:
    """Whether this is the process that writes and speaks."""
    return not dist.is_initialized() or dist.get_rank() == 0


def barrier() -> None:
    """Wait for the other processes, if there are any."""
    if dist.is_initialized():
        dist.barrier()


def any_of(flag: bool, device: str) -> bool:
    """Whether the flag is up in any process: what all must know to leave a loop at one step."""
    if not dist.is_initialized():
        return flag
    raised = torch.tensor(int(flag), device=device)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return bool(raised)


def from_first(find: Callable[[], int]) -> int:
    """A number that the first process finds and all use."""
    if not dist.is_initialized():
        return find()
    found = [find() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(found, src=0)
    return int(found[0] or 0)


def check_equal(value: int, what: str) -> None:
    """Raise ValueError in all processes if they have different values of something."""
    if not dist.is_initialized():
        return
    values: list[int | None] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    other = [str(rank) for rank, found in enumerate(values) if found != values[0]]
    if other:
        raise ValueError(
            f"the {what} of process {', '.join(other)} are not those of process 0; expected the "
            "same in all."
        )


def joined(words: list[str]) -> list[str]:
    """The words of all processes, in order of rank, each once."""
    if not dist.is_initialized():
        return words
    lists: list[list[str]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(lists, words)
    return list(dict.fromkeys(word for some in lists for word in some))


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each parameter's gradient by its mean over processes, in one message."""
    if not dist.is_initialized():
        return
    with_grad = [p for p in parameters if p.requires_grad]
    for p in with_grad:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    gradients = [p.grad for p in with_grad if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for g, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        g.copy_(mean.view(g.shape))


def place() -> tuple[int, int]:
    """(rank, world size); (0, 1) alone."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def longest(length: int, device: torch.device) -> int:
    """The largest of the lengths of all processes."""
    if not dist.is_initialized():
        return length
    found = torch.tensor(length, device=device)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return int(found)
