"""The same numbers whatever the machine is doing: threads, forks, order of sets, no network."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from spaceforms.datasets import emoji_rows, load_emoji, write_shards
from spaceforms.models.training.checkpoint import MODEL
from spaceforms.models.training.config import to_json

_TRAIN = """
import os, sys
from pathlib import Path
from spaceforms.models.config import from_json
from spaceforms.models.train import train
config = from_json(Path(sys.argv[1]).read_bytes(), where=sys.argv[1])
if sys.argv[2:] and os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
assert train(config)
"""
SITUATIONS = {
    "no threads": ({"workers": 0}, {"PYTHONHASHSEED": "0"}, [], []),
    "one thread, no network": ({"workers": 1}, {"PYTHONHASHSEED": "1"}, ["unshare", "-rn"], []),
    "four threads, a fork": ({"workers": 4}, {"PYTHONHASHSEED": "2"}, [], ["fork"]),
    "two threads of OpenMP": ({"workers": 2}, {"OMP_NUM_THREADS": "2"}, [], []),
}


def _allowed(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return not subprocess.run([*command, "true"], check=False, capture_output=True).returncode


@pytest.mark.slow
def test_a_run_has_one_result(tiny, small_data, tmp_path):
    data = load_emoji(*small_data)
    write_shards(emoji_rows(data, data.by_vendor().train), tmp_path / "shards", per_shard=30)
    weights = {}
    for name, (options, variables, before, after) in SITUATIONS.items():
        if before and not _allowed(before):
            continue  # no such program, or not allowed
        config = tiny(data=tmp_path / "shards", concepts=None, **options)
        (tmp_path / "config.json").write_text(to_json(config))
        result = subprocess.run(
            [*before, sys.executable, "-c", _TRAIN, str(tmp_path / "config.json"), *after],
            env=os.environ | {"OMP_NUM_THREADS": "1"} | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, (name, result.stderr)
        # Not the file's bytes: safetensors writes what is said of the weights in any order.
        weights[name] = load_file(config.out / MODEL)
        shutil.rmtree(config.out)
    wanted = weights.pop("no threads")
    threaded = weights.pop("two threads of OpenMP")
    for name, value in wanted.items():
        # A sum cut in two is rounded otherwise, and Adam divides a rounding error of a small
        # gradient by that gradient: a step of the size of the learning rate.
        torch.testing.assert_close(threaded[name], value, rtol=1e-2, atol=2e-3)
    for name, found in weights.items():
        assert all(torch.equal(found[k], wanted[k]) for k in wanted), name
