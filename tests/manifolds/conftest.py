"""Every test that asks for ``manifold`` runs on every case."""

import pytest
from cases import CASES, CURVED


@pytest.fixture(params=CASES, ids=str)
def manifold(request):
    return CASES[request.param]


@pytest.fixture(params=CURVED, ids=str)
def curved(request):
    return CURVED[request.param]
