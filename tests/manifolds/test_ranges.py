"""What is left out where values are looked at changes no bit of any result."""

import pytest
import torch

from spaceforms.layers import from_signed_distances, hyperplane_scores
from spaceforms.manifolds import Lorentz, PoincareBall, Sphere, Stereographic
from spaceforms.manifolds.kernels.arithmetic import ranges

SPACES = {
    "Lorentz": lambda **k: Lorentz(-1.7, **k),
    "PoincareBall": lambda **k: PoincareBall(-1.7, **k),
    "Sphere": lambda **k: Sphere(1.7, **k),
    "Stereographic, K < 0": lambda **k: Stereographic(-1.7, **k),
    "Stereographic, K > 0": lambda **k: Stereographic(1.7, **k),
    "of radius 1": Lorentz,
}
MAPS = ("from_normal", "expmap0", "to_normal", "logmap0", "proj", "dist", "sqdist", "logmap",
        "exterior_angle", "half_aperture", "midpoint", "expmap", "transport")  # fmt: skip


def _vectors(lengths: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets of normal coordinates: of lengths about 1, 6 or 14, or 1 and all others."""
    generator = torch.Generator().manual_seed(3)
    a, b = (torch.randn(41, 3, generator=generator, dtype=dtype) / 3 for _ in "ab")
    if lengths in ("about 6", "about 14"):
        return tuple(int(lengths.split()[1]) / 0.6 * v for v in (a, b))
    if lengths == "all":
        far = torch.tensor([0.0, 1e-30, 1e-12, 1e-3, 4.0, 9.0, 25.0, 1e3, 1e25], dtype=dtype)
        a[: len(far)] = far[:, None] * torch.tensor([0.6, -0.8, 0.0], dtype=dtype)
        b[9:12], b[12:15] = a[9:12], a[12:15] * (1 + 1e-6)
    return a, b


def _everything(space, name, a, b):
    """The value of a map, and its gradients by all it takes and by the curvature."""
    x, y = (space.from_normal(v).detach() for v in (a, b))
    v = space.logmap(x, y).detach() if name in ("expmap", "transport") else x
    arguments = {
        "from_normal": [a], "expmap0": [space.logmap0(x).detach()], "expmap": [x, v],
        "transport": [x, y, v],
    }.get(name, [x, y] if name in ("dist", "sqdist", "logmap", "exterior_angle", "midpoint") else [x])  # fmt: skip  # noqa: E501
    arguments = [v.clone().requires_grad_() for v in arguments]
    value = getattr(space, name)(*arguments)
    weights = torch.linspace(-1, 2, value.numel(), dtype=value.dtype).reshape(value.shape)
    return value, *torch.autograd.grad(
        value, [*arguments, *space.parameters()], weights, materialize_grads=True
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("lengths", ["about 1", "about 6", "about 14", "all"])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("space", SPACES)
def test_looking_at_values_changes_no_bit(space, name, lengths, dtype, monkeypatch):
    for learnable in (False, True):
        manifold = SPACES[space](learnable=learnable).to(dtype)
        vectors = _vectors(lengths, dtype)
        looked = _everything(manifold, name, *vectors)
        with monkeypatch.context() as patch:
            patch.setattr(ranges, "can_look", lambda s: False)
            for module in ("arithmetic.vectors", "radial.maps", "hyperboloid.pair"):
                patch.setattr(f"spaceforms.manifolds.kernels.{module}.can_look", lambda s: False)
            blind = _everything(manifold, name, *vectors)
        for seen, unseen in zip(looked, blind, strict=True):
            assert torch.equal(seen, unseen)
            assert seen.isfinite().all()


@pytest.mark.parametrize("k", [-1.7, -1e-9, 0.0, 1e-9, 1.7])
@pytest.mark.parametrize("length", [0.1, 1.0, 5.0])
def test_looking_at_the_sign_of_a_learned_curvature_changes_no_bit_of_a_layer(
    k, length, monkeypatch
):
    v = _vectors("about 1", torch.float32)[0] * length
    found = []
    for look in (ranges.can_look, lambda s: False):
        monkeypatch.setattr(ranges, "can_look", look)
        space = Stereographic(k, learnable=True)
        x = space.from_normal(v).detach().requires_grad_()
        z, r = torch.eye(3, requires_grad=True), torch.full((3,), 0.3, requires_grad=True)
        scores = hyperplane_scores(space, x, z, r)
        point = from_signed_distances(space, scores)
        weights = torch.linspace(-1, 2, point.numel()).reshape(point.shape)
        inputs = (x, z, r, *space.parameters())
        found.append((scores, point, *torch.autograd.grad(point, inputs, weights)))
    for seen, unseen in zip(*found, strict=True):
        assert torch.equal(seen, unseen)


def test_values_are_looked_at_at_all():
    assert [ranges.sign_seen(torch.tensor(s)) for s in ([1.0, 2.0], [0.0, -1.0], [1.0, 0.0])] == [
        1,
        -1,
        0,
    ]
    assert ranges.sign_seen(torch.tensor([torch.nan, 1.0])) == 0
    x = torch.rand(5, 1)
    assert ranges.all_within(x, -1.0, 2.0)
    assert not ranges.all_within(x, 0.0, x.max().item())
    assert not ranges.all_below(torch.tensor([0.5, torch.nan]), 1.0)
    assert not ranges.all_below(torch.empty(0, 1), 1.0)


def test_no_transform_looks():
    x, seen = torch.rand(3, 4), []

    def look(v):
        seen.append(ranges.all_below(v, 2.0))
        return v.sum()

    torch.func.vmap(look)(x)
    torch.func.grad(look)(x)
    torch.func.jvp(look, (x,), (x,))
    torch.fx.experimental.proxy_tensor.make_fx(look)(x)
    torch.jit.trace(look, (x,), check_trace=False)
    assert seen == [False] * len(seen)
    assert len(seen) >= 5
    look(x)
    assert seen[-1]
