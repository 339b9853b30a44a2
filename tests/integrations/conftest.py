"""Tests of what enters other libraries: each file is collected where its library is installed.

`make test-clients` makes an environment that has all of them, and there none is left out.
"""

import os
from importlib.util import find_spec

import pytest

NEEDS = {
    "test_sentence_transformers.py": "sentence_transformers",
    "test_metric_learning.py": "pytorch_metric_learning",
    "test_towers_of_transformers.py": "transformers",
    "test_pretrained_folders.py": "transformers",
    "test_qdrant.py": "qdrant_client",
    "test_towers_of_open_clip.py": "open_clip",
    "test_manifold_learning.py": "umap",
    "test_trainers.py": "lightning",
    "test_onnx.py": "onnxruntime",
}
collect_ignore = (
    []
    if os.environ.get("SPACEFORMS_ALL_CLIENTS")
    else [file for file, package in NEEDS.items() if find_spec(package) is None]
)


def pytest_collection_modifyitems(items):
    """What needs another library is marked so, and left to `make test-clients`."""
    for item in items:
        if item.path.name in NEEDS:
            item.add_marker(pytest.mark.clients)
