"""torch.export and ONNX: an encoder, a distance and cones as one graph, run by onnxruntime."""

import numpy as np
import onnxruntime
import pytest
import torch

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.models import MERU, ImageEncoder, ImageEncoderConfig, TextEncoder, TextEncoderConfig

A, B = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
SPACES = [Euclidean(), Lorentz(-0.5), PoincareBall(-0.5), Sphere(0.1)]


class Ranker(torch.nn.Module):
    """Normal coordinates of two sets -> distances, half-apertures and exterior angles."""

    def __init__(self, space):
        super().__init__()
        self.space = space

    def forward(self, a, b):
        x, y = self.space.from_normal(a), self.space.from_normal(b)
        angle = self.space.exterior_angle(x, y)
        return self.space.dist(x, y), self.space.half_aperture(x), angle


def run(program, *inputs):
    session = onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, (i.numpy() for i in inputs), strict=True)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("space", SPACES, ids=str)
def test_distances_and_cones_of_an_onnx_graph_are_ours_at_any_batch_size(space):
    rows = torch.export.Dim("rows", min=2)
    program = torch.onnx.export(
        Ranker(space), (A[:3], B[:3]), dynamo=True, dynamic_shapes=({0: rows}, {0: rows})
    )
    with torch.no_grad():
        wanted = Ranker(space)(A, B)
    for found, ours in zip(run(program, A, B), wanted, strict=True):
        # onnxruntime's own sinh, asinh and atan2: some units each, of condition numbers below 30
        np.testing.assert_allclose(found, ours, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_both_encoders_of_a_model_with_the_lift_are_one_graph_each():
    torch.manual_seed(0)
    image = ImageEncoderConfig(size=16, widths=(8, 16), blocks=(0, 0), group=8)
    text = TextEncoderConfig(vocabulary=300, context=8, width=16, layers=1, heads=2)
    model = MERU(ImageEncoder(image), TextEncoder(text), embed_dim=8).eval()

    class Half(torch.nn.Module):
        def __init__(self, encode):
            super().__init__()
            self.model, self.encode = model, encode

        def forward(self, inputs):
            return getattr(self.model, self.encode)(inputs)

    pixels, tokens = torch.rand(2, 3, 16, 16), torch.randint(2, 300, (2, 8))
    for encode, inputs in (("encode_image", pixels), ("encode_text", tokens)):
        program = torch.onnx.export(Half(encode), (inputs,), dynamo=True)
        with torch.no_grad():
            wanted = Half(encode)(inputs)
        np.testing.assert_allclose(run(program, inputs)[0], wanted, rtol=1e-3, atol=1e-5)
