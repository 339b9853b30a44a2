"""The training loop, read top to bottom.

    spaceforms train --model meru --out runs/meru              # one CPU or one GPU
    torchrun --nproc-per-node 2 -m spaceforms train --model meru --out runs/meru
    spaceforms train --out runs/meru --resume                  # after Ctrl-C or a crash

A step is a function of the configuration, the step's number and the state saved: captions,
augmentation, order and the random numbers of the encoders are drawn from (seed, epoch, picture) or
(seed, step), so a resumed run gives the same numbers as one that never stopped, bit for bit on a
CPU with as many threads of OpenMP, which cut sums.
"""

import math
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ...datasets import Batch
from ...datasets.pair import number
from ...datasets.share import is_npz
from ...datasets.stream import skipped
from .. import distributed
from ..batch import AfterStep, Inputs, Level, OwnLoss
from ..image_text import ImageTextModel
from ..program import program
from ..terminal import Terminal, say
from ..words import counted, faults_counted
from .checkpoint import (
    CONFIG,
    METRICS,
    TOKENIZER,
    begin_run,
    load_state,
    read_config,
    read_options,
    save_state,
    write_places,
)
from .config import TrainConfig, build_model, check_sizes, differences, options_digest
from .data import Feed, open_feed
from .ema import Ema
from .faults import Bounds, Faults, explain
from .interrupt import interruptible, polite_interrupt
from .log import LOG_EVERY, Log, board_writer
from .optim import learning_rate, parameter_groups
from .run_folder import check_place, own_folder
from .step import gradients, prepare
from .tokens import AnyTokenizer, new_tokenizer, read_tokenizer
from .watch import watched


def train(config: TrainConfig) -> bool:
    """Train; True if the run reached its end, False if Ctrl-C, SIGTERM or SIGHUP stopped it (it can
    be resumed).

    To resume a run is to train with its own configuration and ``resume``:
    ``train(replace(load_run(folder).config, resume=True))``.

    Raises:
        FileExistsError: the folder holds a run, and neither resume nor overwrite is set; or another
            process trains in it.
        FileNotFoundError: no data where they should be.
        ValueError: a configuration that cannot work, or data of which none can be read.
        FloatingPointError: the loss or a gradient is not finite; the last checkpoint is kept.
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP before the first step, or a second one.
        ConnectionError: one of several processes was lost, is stopped or hangs; see
            :func:`~spaceforms.models.training.watch.watched`.
    """
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, and torch finds none; expected auto or cpu.")
    rank, world = distributed.start(device, config.timeout)
    advice = (
        f"What was saved in {config.out} is whole; when the cause is mended go on with --resume."
    )
    try:
        with interruptible(), watched(advice), ExitStack() as held:
            _check_folder(config)
            distributed.barrier()  # or a slow process would find the run that rank 0 begins
            check_sizes(config, world)
            if config.tensorboard:
                board_writer()
            return _run(config, device, rank, world, held)
    finally:
        distributed.stop()


def _run(config: TrainConfig, device: str, rank: int, world: int, held: ExitStack) -> bool:
    # -- data and vocabulary
    feed = open_feed(config, rank, world)
    if config.batch_size > feed.pairs:
        config = _with_smaller_batch(config, feed.pairs, world)
        feed = open_feed(config, rank, world)
    if rank == 0 and not is_npz(config.data):
        rest = f" about {config.share_held_out:.0%} are held out to evaluate on (--val-share);"
        say(
            f"{config.data}:{rest if config.share_held_out else ''} {feed.pairs:,} pairs to train "
            "on."
        )
    if config.resume:
        tokenizer = read_tokenizer(config, config.out / TOKENIZER)
    else:
        tokenizer = new_tokenizer(config, feed.texts)

    # -- model and optimiser
    torch.manual_seed(config.seed)
    model = build_model(config, len(tokenizer)).to(device)
    if config.micro_batch and isinstance(model, OwnLoss):
        raise ValueError(
            f"micro_batch is {config.micro_batch}, and {config.model} computes its loss from whole "
            "batches; expected no micro_batch."
        )
    prepare(model, recompute=config.recompute, compiled=config.compile)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay), lr=config.lr, betas=config.betas
    )
    ema = Ema(model, config.ema) if config.ema else None
    half = config.precision == "bfloat16" or (config.precision == "auto" and device == "cuda")
    per_epoch = feed.pairs // config.batch_size
    steps = per_epoch * config.epochs
    done, place = 0, feed.start()

    options = read_options(config.out) if config.resume else asdict(config)
    made = {CONFIG: options_digest(options), TOKENIZER: tokenizer.digest()}

    def everything(place: Tensor) -> dict[str, Any]:
        """What a checkpoint keeps beside model and optimiser; all processes must ask."""
        return {
            "ema": ema.weights if ema else None,
            "data": distributed.gather(place.to(device)).cpu() if place.numel() else None,
            "fingerprint": feed.fingerprint,
            "made": made,
        }

    if rank == 0:
        held.enter_context(own_folder(config.out))
    if config.resume:
        done, readers = load_state(
            config.out, model, optimizer, ema=ema, fingerprint=feed.fingerprint, made=made
        )
        place = place if readers is None else readers.chunk(world)[rank]
        if rank == 0 and feed.compared < 1:
            say(
                f"{config.data}: more than 4 GiB: all names and sizes were compared with those "
                f"that the run was begun on, and {feed.compared:.2%} of the contents."
            )
        begun = read_config(config.out)
        # The same data, and the same pretrained encoders, in another place.
        names = ("data", "concepts", "image_folder", "text_folder")
        places = {name: getattr(config, name) for name in names}
        if rank == 0 and replace(begun, **places) != begun:
            write_places(config.out, places)
    else:
        more = everything(place)
        if rank == 0:
            begin_run(config, tokenizer, model, optimizer, **more)
    log = Log(config.out / METRICS, done, board=config.tensorboard) if rank == 0 else None

    # -- loop
    model.train()
    bar = tqdm(
        total=steps * config.batch_size,
        initial=done * config.batch_size,
        unit=" pairs",
        unit_scale=True,
        desc=config.model,
        disable=rank != 0,
        file=Terminal(),
        # Where no one watches (a log file) a line now and then is enough.
        mininterval=0.5 if Terminal().isatty() else 20,
    )
    began = time.monotonic()
    reached = done
    faults, bounds = Faults(config.not_finite, config.out), Bounds(model)
    with (
        bar,
        closing(feed.batches(done, place)) as batches,
        polite_interrupt() as interrupted,
    ):
        for step in range(done, steps):
            batch, place = next(batches)
            # Dropout and its like: another mask in every step and process, the same after a stop.
            torch.manual_seed(number(f"{config.seed}/{step}/{rank}"))
            rate = learning_rate(step, peak=config.lr, steps=steps, warmup=config.warmup)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses, norm = train_step(
                model,
                optimizer,
                batch,
                tokenizer,
                device=device,
                clip_norm=config.clip_norm,
                half=half,
                micro_batch=config.micro_batch,
            )
            wrong = None
            if not (math.isfinite(norm) and math.isfinite(losses["loss"])):
                inputs = inputs_of(model, batch, tokenizer, device=device)
                wrong = explain(step + 1, losses, norm, model, inputs, batch.caption, half=half)
            faults.judge(wrong)
            if ema:
                ema.update(model, step)
            bar.update(config.batch_size)
            last = step + 1 == steps
            stopping = distributed.any_of(interrupted(), device) and not last
            if (step + 1) % LOG_EVERY == 0 or last:
                missed = skipped(distributed.gather(place.to(device)).cpu())
                if log:
                    for words in bounds.told(step + 1):
                        say(words)
                    elapsed = time.monotonic() - began
                    log.write(
                        step=step + 1,
                        epoch=(step + 1) / per_epoch,
                        lr=rate,
                        **losses,
                        **model.scalars(),
                        grad_norm=norm,
                        pairs_per_second=(step + 1 - done) * config.batch_size / elapsed,
                        **{f"skipped, {kind}": count for kind, count in missed.items()},
                        **({"steps left out": faults.count} if faults.count else {}),
                    )
                    bar.set_postfix(loss=f"{losses['loss']:.3f}", refresh=False)
            if (step + 1) % (per_epoch * config.save_every) == 0 or last or stopping:
                more = everything(place)
                if rank == 0:
                    save_state(config.out, model, optimizer, step + 1, **more)
            reached = step + 1
            if stopping:
                break
    if log:
        log.close()
    _report(config, feed, device, reached, steps, began, done, place)
    distributed.barrier()  # torchrun ends all processes when the first one leaves
    return reached == steps


def _with_smaller_batch(config: TrainConfig, pairs: int, world: int) -> TrainConfig:
    """The configuration with batches that few pairs can fill, said in a sentence."""
    # Four steps an epoch or more: with one, the same pairs would be contrasted in every step.
    size = max(2, 2 ** math.floor(math.log2(max(pairs / 4, 2))))
    if pairs < size or config.resume:
        raise ValueError(
            f"batch_size is {config.batch_size} with {pairs} training pictures; expected at most "
            "that many, and at least two pictures to contrast."
        )
    smaller = replace(config, batch_size=size)
    check_sizes(smaller, world)
    if distributed.is_first():
        say(
            f"batch_size is {config.batch_size} with {pairs} training pictures: batches of {size} "
            "are taken."
        )
    return smaller


def train_step(
    model: ImageTextModel,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    tokenizer: AnyTokenizer,
    *,
    device: str,
    clip_norm: float,
    half: bool = False,
    micro_batch: int | None = None,
) -> tuple[dict[str, float], float]:
    """One optimiser step on this process's share of a batch: (losses, gradient norm).

    Where one of them is not finite the weights are left alone. ``half`` and ``micro_batch`` are as
    in :func:`gradients`.
    """
    inputs = inputs_of(model, batch, tokenizer, device=device)
    optimizer.zero_grad(set_to_none=True)
    losses = gradients(model, inputs, half=half, micro_batch=micro_batch)
    distributed.average_gradients(model.parameters())
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm))
    parts = {"loss": losses.total, **losses.parts}
    values = {name: float(value.detach()) for name, value in parts.items()}
    # A model's own loss is of a share: one process's may be the only one that is not finite.
    wrong = not (math.isfinite(norm) and math.isfinite(values["loss"]))
    if distributed.any_of(wrong, device):
        return values, norm if wrong else math.nan
    optimizer.step()
    if isinstance(model, AfterStep):
        model.after_step()
    return values, norm


def inputs_of(
    model: ImageTextModel, batch: Batch, tokenizer: AnyTokenizer, *, device: str
) -> Inputs:
    """A process's share of a batch as a model takes it, on its device."""
    above = batch.general if getattr(model, "uses_general", False) else ()
    return Inputs(
        batch.image.to(device),
        tokenizer.encode(batch.caption).to(device),
        batch.family.to(device),
        tuple(
            Level(tokenizer.encode(g.texts).to(device), g.place.to(device), g.node.to(device))
            for g in above
        ),
        None if batch.view is None else batch.view.to(device),
    )


def _report(
    config: TrainConfig,
    feed: Feed,
    device: str,
    reached: int,
    steps: int,
    began: float,
    done: int,
    place: Tensor,
) -> None:
    """Say how fast it went, what was skipped, and after a stop how to go on."""
    seconds = time.monotonic() - began
    missed = skipped(distributed.gather(place.to(device)).cpu())
    named = distributed.joined(feed.named()) if missed else []
    lines = []
    if reached < steps:
        lines.append(
            f"Stopped after step {reached} of {steps} and saved. Go on with: "
            f"{program()} train --out {config.out} --resume"
        )
    if done == steps:
        lines.append(
            f"{config.out} has reached its end, all of {counted(steps, 'step')}; --overwrite "
            "begins it anew."
        )
    pairs = (reached - done) * config.batch_size
    memory = f", at most {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on a GPU"
    lines.append(
        f"{counted(reached - done, 'step')}, {counted(pairs, 'pair')} in {seconds:.1f} s: "
        f"{pairs / max(seconds, 1e-9):,.0f} pairs a second{memory if device == 'cuda' else ''}."
    )
    if missed:
        lines += [
            f"Skipped or mended in all passes: {faults_counted(missed)}. The first:",
            *(f"  {w}" for w in named),
        ]
    if distributed.is_first():
        say("\n".join(lines))


def _check_folder(config: TrainConfig) -> None:
    """Refuse to begin where a run is, and to resume where none is or another one."""
    check_place(config.out)
    if config.data is not None and config.out.resolve() == config.data and not config.resume:
        raise ValueError(
            f"out is {config.out}, the folder of the data; expected one of its own, such as "
            f"{config.out / 'run'}."
        )
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
