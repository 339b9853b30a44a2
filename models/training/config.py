"""A training run in one typed value: what the command line sets and the checkpoint keeps."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from torch import nn

from ...datasets import Augmentation
from ...datasets.disk import digest
from ...datasets.pair import parse
from ...datasets.share import is_npz
from ..design import Design
from ..encoders.presets import IMAGE_SIZES, TCL_IMAGE, TEXT_SIZES, Size
from ..encoders.pretrained_files import PREFIX, folder_of, side_of
from ..encoders.pretrained_folders import Tuning, load_image_folder, load_text_folder
from ..encoders.transformers import ImageEncoder, ImageEncoderConfig, TextEncoder, TextEncoderConfig
from ..image_text import ImageTextModel
from ..options import INT, PATH, absent, folder_option
from ..registry import MODELS, design_of, make_model, parameters
from .kinds import wrong_kinds
from .model_fields import OPTIONS, Model, with_model_options

_LORA_RANK = 8


@dataclass(frozen=True)
@with_model_options(after="embed_dim")
class TrainConfig:
    """Train a reference model on pictures with captions.

    The defaults train on the emoji pictures inside the package, in a few minutes on two CPU cores.
    """

    out: Path
    """Folder of the run: checkpoint, vocabulary, configuration and log."""
    model: Model = "meru"
    data: Annotated[Path | None, absent(PATH, "the packaged emoji")] = None
    """What to train on; the packaged emoji if not given. A folder of pictures with captions (see
    `spaceforms.datasets.Folder`), shards (shard-{0000..0099}.tar, or a folder of them), or pictures
    in an .npz of the packaged format."""
    concepts: Annotated[Path | None, absent(PATH, "the packaged ones")] = None
    """Concepts, a .json of the packaged format; the packaged ones if not given."""
    val_share: float = 0.1
    """Folders and shards: about this share of the pairs is held out, to be evaluated on; 0 holds
    none out. Which ones hangs on their names alone."""
    val: Annotated[Path | None, absent(PATH, "a share of data")] = None
    """Folders and shards: other pairs to evaluate on, a folder or shards; then none of `data` is
    held out."""
    split: Literal["vendor", "concept", "both"] = "vendor"
    """Emoji: what is held out: all pictures of a vendor, some concepts of every vendor, or
    both."""
    held_out: str = "emojione"
    """Emoji: the vendor held out by the splits vendor and both, or several with commas between:
    emojione,fluent3d. The figures of each are reported."""
    epochs: int = 48
    """Passes over the training pictures."""
    batch_size: int = 256
    """Pairs in a step, over all processes; a short rest of an epoch is left out. Fewer are taken
    where there are not as many."""
    lr: float = 2e-3
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.1
    """On matrices only; never on norms, biases and learned scalars."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises linearly; a cosine to 0 follows."""
    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's betas."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    embed_dim: int = 128
    """Coordinates that an encoder's features are projected to."""
    encoders: Size = "tiny"
    """Both encoders by name: tiny for a few CPU minutes, small (ViT-S/16) and base (ViT-B/16) for a
    GPU. What the options image and text start from."""
    image: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    """The image encoder."""
    text: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    """The text encoder; vocabulary is the most tokens of the BPE vocabulary that is trained."""
    image_folder: Annotated[str | None, folder_option("image")] = None
    """In place of it a pretrained one: hf:DIR, a folder that save_pretrained of transformers wrote.
    Pictures are read at its own size."""
    text_folder: Annotated[str | None, folder_option("text")] = None
    """In place of it a pretrained one, hf:DIR, with its tokenizer; DIR may be that of a pair, as
    CLIP, for both."""
    tuning: Tuning = "frozen"
    """What learns of encoders from folders: nothing, low-rank adapters beside their linear layers
    (needs peft), or all; then take a small learning rate."""
    lora_rank: int = _LORA_RANK
    """Of the adapters."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    """How pictures are moved and coloured; half-widths, 0 switches one off."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the names in captions, drawn with equal shares."""
    seed: int = 0
    """Of weights, captions, augmentation and order."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda if there is one, with encoders in bfloat16; geometry is float32 everywhere."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the encoders: auto is bfloat16 on cuda and float32 on the CPU."""
    micro_batch: Annotated[int | None, absent(INT, "all of them")] = None
    """Pairs that a process encodes at once, where its share of a batch does not fit in memory; the
    gradient is that of the whole batch. Must divide the share; all of it if not given."""
    recompute: bool = False
    """Compute the activations of the encoders' blocks again in the backward pass: less memory,
    about a third more time."""
    compile: bool = False
    """Compile the encoders (torch.compile): minutes at the start, then faster steps."""
    ema: float = 0.0
    """Also average the weights with this decay, 0.999 for instance; 0 does not. Evaluation takes
    the averages if told to."""
    readers: int = 0
    """Folders and shards: parallel streams over all processes, a divisor of the batch and a
    multiple of the processes. The order of the pairs depends on it and not on the processes. 0: a
    power of two, up to 64, that the batch and the shards allow."""
    workers: int = 4
    """Folders and shards: threads of a process that decode pictures; 0 for none."""
    buffer: int = 1024
    """Shards: pairs among which each reader draws the next one."""
    pairs: int = 0
    """Folders and shards: pairs in an epoch; 0 counts them, or takes sizes.json beside shards."""
    tensorboard: bool = False
    """Write the log for TensorBoard too; needs the package tensorboard."""
    not_finite: Literal["stop", "skip"] = "stop"
    """Where a loss or a gradient is NaN or infinite: stop, and name it; or leave that step out, at
    most nine in a row."""
    timeout: int = 600
    """Several processes: seconds that one waits for the others before all end, and the one that
    hangs is named. The first one counts the data while the others wait."""
    save_every: int = 10
    """Epochs between checkpoints; at the start, the end and Ctrl-C one is written in any case."""
    resume: bool = False
    """Go on with the run in `out`, to the same numbers as if it had never stopped. Its options are
    known; device, save_every, workers, tensorboard, timeout and not_finite may be given
    anew."""
    overwrite: bool = False
    """Begin anew where `out` holds a run already."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "embed_dim", "save_every", "timeout", "lora_rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
        for name, most in _MOST.items():
            if (getattr(self, name) or 0) > most:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; expected at most {most:,}, or all memory is "
                    "taken before anything is said."
                )
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup is {self.warmup}; expected a share between 0 and 1.")
        for name in ("lr", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a positive number.")
        # What was left alone is of the named size; where it was not, it says all itself.
        for name, sizes in (("image", IMAGE_SIZES), ("text", TEXT_SIZES)):
            if self.encoders not in sizes:
                raise ValueError(
                    f"encoders is {self.encoders!r}; expected one of {', '.join(sizes)}."
                )
            if getattr(self, name) == sizes["tiny"]:
                object.__setattr__(self, name, sizes[self.encoders])
        self._check_folders()
        # The tiny encoder leaves one cell, and has no parts.
        if getattr(MODELS.get(self.model), "needs_cells", False) and (
            self.image == IMAGE_SIZES["tiny"]
        ):
            object.__setattr__(self, "image", TCL_IMAGE)
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay is {self.weight_decay}; expected 0 or more.")
        self.design().check_batch(self.batch_size)
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas is {self.betas}; expected two numbers from 0 to below 1.")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}; expected a number from 0 to below 1.")
        for name in ("readers", "workers", "pairs"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more.")
        if self.buffer < 1:
            raise ValueError(f"buffer is {self.buffer}; expected at least 1.")
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite are both set; expected at most one of them.")
        if not 0 <= self.val_share < 1:
            raise ValueError(f"val_share is {self.val_share}; expected a share from 0 to below 1.")
        if self.val is not None and is_npz(self.data):
            raise ValueError(
                f"val is {self.val} without data that are a folder or shards; the packaged "
                "pictures, and others of their format, hold out what split says. Expected no val."
            )
        # A run finds its data again from whatever folder it is evaluated in.
        for name in ("data", "concepts", "val"):
            if (path := getattr(self, name)) is not None:
                object.__setattr__(self, name, path.resolve())

    def _check_folders(self) -> None:
        """Of pretrained encoders, which are kept by their absolute paths."""
        for name in ("image", "text"):
            if (text := getattr(self, f"{name}_folder")) is None:
                continue
            object.__setattr__(self, f"{name}_folder", f"{PREFIX}{folder_of(text, name)}")
            if getattr(MODELS.get(self.model), "needs_cells", False):
                raise ValueError(
                    f"{name} is {text} and model is {self.model}, which compares the parts of what "
                    "its own encoders see; expected another model, or no folder."
                )
            if self.compile or self.recompute:
                raise ValueError(
                    f"{name} is {text} with compile or recompute, which are for encoders of this "
                    "library; expected neither."
                )
            if own := list(_set_options(getattr(self, name))):
                raise ValueError(
                    f"{name} is {text}, and {', '.join(f'{name}.{o}' for o in own)} of the encoder "
                    "of this library is set, which it stands in the place of; expected one of them."
                )
        if self.tuning != "lora" and self.lora_rank != _LORA_RANK:
            raise ValueError(
                f"lora_rank is {self.lora_rank} and tuning is {self.tuning}; expected tuning lora, "
                "or no rank."
            )
        if self.image_folder is None and self.text_folder is None and self.tuning != "frozen":
            raise ValueError(
                f"tuning is {self.tuning} without encoders from folders, and those of this library "
                "learn in any case; expected image or text, or no tuning."
            )

    @cached_property
    def side(self) -> int:
        """Of the pictures that the image encoder takes, or took when it was first asked for."""
        if self.image_folder is None:
            return self.image.size
        return side_of(folder_of(self.image_folder, "image"))

    @property
    def share_held_out(self) -> float:
        """Of the pairs of a folder or of shards."""
        return 0.0 if self.val is not None or is_npz(self.data) else self.val_share

    def model_options(self) -> dict[str, Any]:
        """The options of the model that were given."""
        given = {name: getattr(self, name) for name in OPTIONS}
        return {name: value for name, value in given.items() if value is not None}

    def design(self) -> Design:
        """The space and the losses of the model."""
        return design_of(self.model, self.embed_dim, self.model_options())


_MOST = {"embed_dim": 2**16} | {name: o.most for name, o in OPTIONS.items() if o.most is not None}

# What may differ between a run and its resumption.
_OF_THE_PROCESS = (
    *("out", "resume", "overwrite"),
    *("device", "save_every", "workers", "tensorboard", "timeout", "not_finite"),
)

# Where data lie. What they are is compared by a fingerprint, so that they can be moved.
# Encoders from folders have a fingerprint in the state too.
_PLACES = ("data", "concepts", "val", "image_folder", "text_folder")


def check_sizes(config: TrainConfig, world: int) -> None:
    """Refuse batches that ``world`` processes cannot share, in a sentence."""
    if config.batch_size % world:
        raise ValueError(
            f"batch_size is {config.batch_size} with {world} processes; expected a multiple."
        )
    share, micro = config.batch_size // world, config.micro_batch
    if micro is not None and (micro < 1 or share % micro):
        raise ValueError(
            f"micro_batch is {micro} and a process has {share} pairs of a batch; expected a "
            "divisor."
        )


def differences(config: TrainConfig, other: TrainConfig) -> list[str]:
    """Names of the options, other than those of the process and places of data, in which two runs
    differ."""
    return [
        f.name
        for f in dataclasses.fields(config)
        if f.name not in (*_OF_THE_PROCESS, *_PLACES)
        and getattr(config, f.name) != getattr(other, f.name)
    ]


def options_digest(options: Mapping[str, Any]) -> str:
    """A digest of the options of a run, as its file has them, that its resumption must find there.

    Where the data lie is none of them: whether they are the same is seen from what is read. Of the
    file and not of what is read from it, so that a version with more options finds the same.
    """
    kept = {k: v for k, v in options.items() if k not in (*_OF_THE_PROCESS, *_PLACES)}
    return digest([json.dumps(kept, default=str, sort_keys=True).encode()])


def _set_options(config: Any) -> Iterator[str]:
    """Names of the fields of a dataclass that are not at their default."""
    for f in dataclasses.fields(config):
        if f.default is dataclasses.MISSING or getattr(config, f.name) != f.default:
            yield f.name


def build_model(config: TrainConfig, vocabulary: int) -> ImageTextModel:
    """The model of a configuration, with ``vocabulary`` tokens, at its initial weights."""
    options = config.model_options()
    if "seed" in parameters(config.model):
        options["seed"] = config.seed
    vocabulary += MODELS[config.model].needs_mask
    image: nn.Module = ImageEncoder(config.image)
    text: nn.Module = TextEncoder(dataclasses.replace(config.text, vocabulary=vocabulary))
    if config.image_folder is not None:
        folder = folder_of(config.image_folder, "image")
        image = load_image_folder(folder, config.tuning, config.lora_rank)
    if config.text_folder is not None:
        folder = folder_of(config.text_folder, "text")
        text = load_text_folder(folder, config.tuning, config.lora_rank)
    return make_model(config.model, image, text, embed_dim=config.embed_dim, options=options)


def to_json(config: TrainConfig) -> str:
    """The configuration as JSON text."""
    return json.dumps(dataclasses.asdict(config), indent=2, default=str) + "\n"


def from_json(text: str | bytes, *, where: str) -> TrainConfig:
    """The inverse of :func:`to_json`; ``where`` names the source in an error."""
    try:
        raw: dict[str, Any] = parse(text)
        # The model may be one that was registered since, which its choices do not have.
        for words in wrong_kinds(TrainConfig, {k: v for k, v in raw.items() if k != "model"}):
            raise ValueError(words)
        for name, kind in (
            ("image", ImageEncoderConfig),
            ("text", TextEncoderConfig),
            ("augmentation", Augmentation),
        ):
            raw[name] = kind(**{k: _frozen(v) for k, v in raw[name].items()})
        if raw["model"] == "clip" and "logits" not in raw:
            # Written when there were two models, and the hyperboloid's options stood in every run.
            raw |= dict.fromkeys(OPTIONS)
        # Before it was an option, all pairs of a folder or of shards were trained on.
        raw = {"val_share": 0.0, "val": None} | raw
        for name in ("out", "data", "concepts", "val"):
            raw[name] = None if raw[name] is None else Path(raw[name])
        return TrainConfig(**{k: _frozen(v) for k, v in raw.items()})
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        said = str(error).rstrip(".") if isinstance(error, ValueError) else repr(error)
        raise ValueError(
            f"{where}: expected the configuration that `spaceforms train` writes, but {said}."
        ) from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
