"""The training loop, read top to bottom.

    spaceforms train --model meru --out runs/meru              # one CPU or one GPU
    torchrun --nproc-per-node 2 -m spaceforms train --model meru --out runs/meru
    spaceforms train --out runs/meru --resume                  # after Ctrl-C or a crash

A step is a function of the configuration, the step's number and the state saved: captions,
augmentation and order are drawn from (seed, epoch, picture), so a resumed run gives the same
numbers as one that never stopped, bit for bit on CPU.
"""

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from tqdm import tqdm

from ..datasets import Batch, CaptionMix, EmojiData, EmojiDataset, Split, load_emoji
from . import distributed
from .checkpoint import CONFIG, METRICS, begin_run, load_state, read_config, save_state
from .config import TrainConfig, build_model, differences
from .image_text import General, ImageTextModel
from .log import LOG_EVERY, Log
from .optim import learning_rate, parameter_groups
from .tokenizer import Tokenizer


def load_data(config: TrainConfig) -> tuple[EmojiData, Split]:
    """The pictures of a configuration, at the image encoder's size, and their split."""
    data = load_emoji(config.data, config.concepts, size=config.image.size)
    return data, data.split(config.split, held_out=config.held_out)


def train(config: TrainConfig) -> bool:
    """Train; True if the run reached its end, False if Ctrl-C stopped it (it can be resumed).

    To resume a run is to train with its own configuration and ``resume``:
    ``train(replace(load_run(folder).config, resume=True))``.

    Raises:
        FileExistsError: the folder holds a run, and neither resume nor overwrite is set.
        ValueError: a configuration that cannot work.
        FloatingPointError: the loss is not finite; the last checkpoint is kept.
    """
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, and torch finds none; expected auto or cpu.")
    rank, world = distributed.start(device)
    try:
        _check_folder(config)
        distributed.barrier()  # or a slow process would find the run that rank 0 begins
        if config.batch_size % world:
            raise ValueError(
                f"batch_size is {config.batch_size} with {world} processes; expected a multiple."
            )
        return _run(config, device, rank, world)
    finally:
        distributed.stop()


def _run(config: TrainConfig, device: str, rank: int, world: int) -> bool:
    # -- data and vocabulary
    data, split = load_data(config)
    mix = CaptionMix(languages=config.languages, unspoken=split.unspoken)
    dataset = EmojiDataset(
        data,
        split.train,
        mix=mix,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    if config.batch_size > len(dataset):
        raise ValueError(
            f"batch_size is {config.batch_size} with {len(dataset)} training pictures; expected "
            "at most that many."
        )
    tokenizer = Tokenizer.train(
        training_texts(data, split, mix),
        vocabulary=config.text.vocabulary,
        context=config.text.context,
    )

    # -- model and optimiser
    torch.manual_seed(config.seed)
    model = build_model(config, len(tokenizer)).to(device)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay), lr=config.lr, betas=config.betas
    )
    per_epoch = len(dataset) // config.batch_size
    steps = per_epoch * config.epochs
    done = 0
    if config.resume:
        done = load_state(config.out, model, optimizer)
    elif rank == 0:
        begin_run(config, tokenizer, model, optimizer)
    log = Log(config.out / METRICS, done) if rank == 0 else None

    # -- loop
    model.train()
    bar = tqdm(
        total=steps * config.batch_size,
        initial=done * config.batch_size,
        unit=" pairs",
        unit_scale=True,
        desc=config.model,
        disable=rank != 0,
        # Where no one watches (a log file) a line now and then is enough.
        mininterval=0.5 if sys.stderr.isatty() else 20,
    )
    began = time.monotonic()
    with bar, _polite_interrupt() as interrupted:
        for step in range(done, steps):
            epoch, k = divmod(step, per_epoch)
            order = dataset.order(epoch)[k * config.batch_size : (k + 1) * config.batch_size]
            share = order.reshape(world, -1)[rank]  # consecutive rows, as gather() joins them
            rate = learning_rate(step, peak=config.lr, steps=steps, warmup=config.warmup)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses, norm = train_step(
                model,
                optimizer,
                dataset.batch(share, epoch),
                tokenizer,
                device=device,
                clip_norm=config.clip_norm,
            )
            if not math.isfinite(losses["loss"]):
                raise FloatingPointError(
                    f"step {step + 1}: the loss is {losses['loss']} "
                    f"({', '.join(f'{n} {v:g}' for n, v in losses.items())}; "
                    f"{', '.join(f'{n} {v:g}' for n, v in model.scalars().items())}). "
                    f"The last checkpoint in {config.out} is kept; a lower --lr may help, with "
                    "--overwrite or another --out."
                )
            bar.update(config.batch_size)
            last = step + 1 == steps
            stopping = distributed.any_of(interrupted(), device) and not last
            if log and ((step + 1) % LOG_EVERY == 0 or last):
                elapsed = time.monotonic() - began
                log.write(
                    step=step + 1,
                    epoch=(step + 1) / per_epoch,
                    lr=rate,
                    **losses,
                    **model.scalars(),
                    grad_norm=norm,
                    pairs_per_second=(step + 1 - done) * config.batch_size / elapsed,
                )
                bar.set_postfix(loss=f"{losses['loss']:.3f}", refresh=False)
            saving = (step + 1) % (per_epoch * config.save_every) == 0
            if rank == 0 and (saving or last or stopping):
                save_state(config.out, model, optimizer, step + 1)
            if stopping:
                bar.close()
                if rank == 0:
                    print(
                        f"Stopped after step {step + 1} of {steps} and saved. Go on with: "
                        f"spaceforms train --out {config.out} --resume",
                        file=sys.stderr,
                    )
                distributed.barrier()  # torchrun ends all processes when the first one leaves
                return False
    return True


def train_step(
    model: ImageTextModel,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    tokenizer: Tokenizer,
    *,
    device: str,
    clip_norm: float,
) -> tuple[dict[str, float], float]:
    """One optimiser step on this process's share of a batch: (losses, gradient norm)."""
    above = batch.general if model.uses_general else ()
    texts = [tokenizer.encode(t).to(device) for t in (batch.caption, *(g.texts for g in above))]
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        points = model(batch.image.to(device), *texts)
    image, text = (distributed.gather(x) for x in points[:2])
    # A text is encoded once and stands above many captions.
    general = [
        General(
            *(distributed.gather(x) for x in (points[k][g.place.to(device)], g.node.to(device)))
        )
        for k, g in enumerate(above, 2)
    ]
    family = distributed.gather(batch.family.to(device))
    # Pictures of one family are positives of each other's captions: see datasets.Concept.
    losses = model.loss(image, text, family[:, None] == family[None], general=general)
    optimizer.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    distributed.average_gradients(model.parameters())
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    parts = {"loss": losses.total, **losses.parts}
    return {name: float(value.detach()) for name, value in parts.items()}, float(norm)


def training_texts(data: EmojiData, split: Split, mix: CaptionMix) -> list[str]:
    """The names and keywords of trained concepts: what a vocabulary may learn from."""
    trained = sorted({int(c) for c in data.concept[split.train]})
    concepts = [data.concepts[c] for c in trained]
    names = [c.name_in(language) for c in concepts for language in mix.languages]
    return names + [word for c in concepts for word in mix.words_of(c)]


def _check_folder(config: TrainConfig) -> None:
    """Refuse to begin where a run is, and to resume where none is or another one."""
    exists = (config.out / CONFIG).exists()
    if exists and not (config.resume or config.overwrite):
        raise FileExistsError(
            f"{config.out} holds a run already; go on with it by --resume, replace it by "
            "--overwrite, or name another --out."
        )
    if not config.resume:
        return
    if not exists:
        raise FileNotFoundError(
            f"{config.out} has no run to resume; begin one with: "
            f"spaceforms train --out {config.out}"
        )
    changed = differences(config, read_config(config.out))
    if changed:
        raise ValueError(
            f"{config.out} was begun with another {', '.join(changed)}; expected the options of "
            f"its {CONFIG}, which need not be repeated, with --resume."
        )


@contextmanager
def _polite_interrupt() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end the loop after the step under way; a second one ends it at once."""
    hit = False

    def handler(number: int, frame: Any) -> None:
        nonlocal hit
        hit = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        before = signal.signal(signal.SIGINT, handler)
    except ValueError:  # not in the main thread: then there is no Ctrl-C to catch
        yield lambda: False
        return
    try:
        yield lambda: hit
    finally:
        signal.signal(signal.SIGINT, before)
