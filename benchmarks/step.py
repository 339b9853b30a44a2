"""What the geometry costs: a training step of MERU beside one of CLIP with the same encoders.

    python benchmarks/step.py [--batch 256] [--steps 15] [--device cpu]

One process; the two models take turns step by step and swap the order, so that whatever else the
machine does hits both alike. A step is that of `spaceforms train` without the data: encode, gather,
loss, backward, clip, AdamW. The share of lift and loss is their forward and backward time alone, on
the features of the same batch.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from spaceforms.models import CLIP, MERU, ImageEncoder, ImageEncoderConfig, TextEncoder
from spaceforms.models.batch import Inputs
from spaceforms.models.encoders.transformers import TextEncoderConfig
from spaceforms.models.image_text import ImageTextModel
from spaceforms.models.training.optim import parameter_groups
from spaceforms.models.training.step import gradients

SIZES = {
    "emoji (2.7 M)": (ImageEncoderConfig(), TextEncoderConfig()),
    "wider, 64 px": (
        ImageEncoderConfig(size=64, widths=(64, 128, 256, 512), blocks=(1, 1, 1, 1), layers=2),
        TextEncoderConfig(width=256, layers=4),
    ),
}


def _model(kind: type[ImageTextModel], size: str, device: str) -> ImageTextModel:
    torch.manual_seed(0)
    image, text = SIZES[size]
    made: ImageTextModel = kind(ImageEncoder(image), TextEncoder(text), embed_dim=128)  # type: ignore[call-arg]
    return made.to(device)


def _batch(size: str, rows: int, device: str) -> Inputs:
    generator = torch.Generator().manual_seed(1)
    side, vocabulary = SIZES[size][0].size, SIZES[size][1].vocabulary
    images = torch.rand(rows, 3, side, side, generator=generator)
    tokens = torch.randint(1, vocabulary, (rows, 12), generator=generator)
    return Inputs(images.to(device), tokens.to(device), torch.arange(rows, device=device))


def _seconds(work: Callable[[], object], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _stepper(model: ImageTextModel, inputs: Inputs, half: bool) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.1), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        losses = gradients(model, inputs, half=half)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        float(losses.total.detach())

    return step


def _head(model: ImageTextModel, inputs: Inputs) -> Callable[[], object]:
    """Lift and loss alone, forward and backward, from features to their gradient."""
    with torch.no_grad():
        features = [
            model.image_projection(model.image_encoder(inputs.images)),
            model.text_projection(model.text_encoder(inputs.tokens)),
        ]
    leaves = [f.float().requires_grad_() for f in features]
    targets = inputs.family[:, None] == inputs.family[None]

    def head() -> None:
        points: list[Tensor] = [
            model.lift(leaf, name) for leaf, name in zip(leaves, ("image", "text"), strict=True)
        ]
        model.loss(*points, targets).total.backward()  # type: ignore[no-untyped-call]

    return head


def main() -> None:
    """Print, for each size of encoders, both steps, their ratio, and the share of lift and loss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    device = options.device
    print(
        f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads, "
        f"batch {options.batch}, medians of {options.steps}, ms"
    )
    print(f"{'encoders':16}{'CLIP':>9}{'MERU':>9}{'ratio':>9}{'CLIP head':>12}{'MERU head':>12}")
    for size in SIZES:
        inputs = _batch(size, options.batch, device)
        models = [_model(kind, size, device) for kind in (CLIP, MERU)]
        works = [_stepper(model, inputs, half=device == "cuda") for model in models]
        works += [_head(model, inputs) for model in models]
        times: list[list[float]] = [[] for _ in works]
        for turn in range(options.steps + 2):
            order = range(len(works)) if turn % 2 else reversed(range(len(works)))
            for k in order:
                seconds = _seconds(works[k], device)
                if turn >= 2:  # the first two warm up
                    times[k].append(seconds)
        clip, meru, *heads = (1e3 * statistics.median(some) for some in times)
        # Of neighbours in time, so that a slow spell of the machine hits both.
        ratio = statistics.median(m / c for c, m in zip(times[0], times[1], strict=True))
        shares = "".join(
            f"{f'{head:.1f} ({head / step:.0%})':>12}"
            for head, step in zip(heads, (clip, meru), strict=True)
        )
        print(f"{size:16}{clip:9.1f}{meru:9.1f}{ratio:9.3f}{shares}", flush=True)


if __name__ == "__main__":
    main()
