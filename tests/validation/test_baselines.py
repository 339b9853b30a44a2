"""The textbook's formulas, with which ours are compared, are right where nothing is lost."""

import pytest
import torch

from spaceforms.validation.certificate.baselines import Textbook
from spaceforms.validation.certificate.evaluate import make

SPACES = {"Lorentz": -1.7, "PoincareBall": -1.7, "Sphere": 1.7, "Euclidean": 0.0}


@pytest.mark.parametrize("name", SPACES)
def test_the_textbook_agrees_with_us_on_everyday_points(name):
    generator = torch.Generator().manual_seed(0)
    u, v, w = (torch.randn(7, 4, generator=generator, dtype=torch.float64) / 2 for _ in "uvw")
    ours, theirs = make("spaceforms", name, SPACES[name]), Textbook(name, SPACES[name])
    x, y, z = (ours.from_normal(n) for n in (u, v, w))
    calls = {
        "dist": (x, y), "sqdist": (x, y), "logmap": (x, y), "exterior_angle": (x, y),
        "expmap": (x, ours.logmap(x, z)), "transport": (x, y, ours.logmap(x, z)),
        "from_normal": (u,), "from_space": (u,), "expmap0": (ours.logmap0(x),),
        "to_normal": (x,), "logmap0": (x,), "proj": (1.3 * x,), "half_aperture": (x,),
    }  # fmt: skip
    compared = 0
    for map_, arguments in calls.items():
        function = getattr(theirs, map_, None)
        if function is not None:
            # Their own loss: up to cosh^2 of a radius below 3, 100, in roundings of a double.
            torch.testing.assert_close(
                function(*arguments), getattr(ours, map_)(*arguments), rtol=1e-12, atol=1e-12
            )
            compared += 1
    assert compared >= 5
