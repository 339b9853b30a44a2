"""DDP and FSDP2: processes agree on a learned curvature, and a checkpoint restores it."""

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from client_model import A, B, Model
from processes import spawn
from torch.distributed.checkpoint.state_dict import get_model_state_dict, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel


def averaged(parameter):
    """The gradient of a parameter that FSDP2 does not manage, over all processes."""
    dist.all_reduce(parameter.grad)
    parameter.grad /= dist.get_world_size()


def wrap(model, kind):
    if kind == "DDP":
        return DistributedDataParallel(model)
    # fully_shard refuses scalars; what it ignores it does not reduce either.
    scalars = {p for p in model.parameters() if p.ndim == 0}
    assert len(scalars) == 2
    for p in scalars:
        p.register_post_accumulate_grad_hook(averaged)
    return fully_shard(model, mesh=init_device_mesh("cpu", (2,)), ignored_params=scalars)


def train_in_a_group(rank, place, kind):
    dist.init_process_group("gloo", f"file://{place}/group", rank=rank, world_size=2)
    try:
        torch.manual_seed(0)
        model = Model()
        wrapped = wrap(model, kind)
        optimizer = torch.optim.AdamW(wrapped.parameters(), lr=0.05)
        half = slice(16 * rank, 16 * rank + 16)
        for _ in range(8):
            optimizer.zero_grad()
            wrapped(A[half], B[half]).backward()
            optimizer.step()
        state = {"model": get_model_state_dict(wrapped)}
        with torch.no_grad():
            loss = wrapped(A[half], B[half])
        dcp.save(state, checkpoint_id=f"{place}/checkpoint")
        again = wrap(Model(-3.0), kind)
        state = {"model": get_model_state_dict(again)}
        dcp.load(state, checkpoint_id=f"{place}/checkpoint")
        set_model_state_dict(again, state["model"])
        with torch.no_grad():
            assert torch.equal(again(A[half], B[half]), loss)
        full = get_model_state_dict(again)
        raw = full["space._magnitude.raw"]
        curvatures = [torch.zeros_like(raw) for _ in range(2)]
        dist.all_gather(curvatures, raw)
        assert torch.equal(*curvatures)
        assert raw.abs() > 0.01
    finally:
        dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["DDP", "FSDP2"])
def test_processes_agree_on_the_curvature_and_a_checkpoint_restores_it(kind, tmp_path):
    spawn(train_in_a_group, (str(tmp_path), kind), nprocs=2)
