"""The options of the commands that work with runs; those of `train` and `probvlm` are in files of
their own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .evaluation.run_data import MOST
from .options import FORMATS, INT, PATH, absent, formats_of


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a trained model.

    Retrieval both ways, zero-shot subgroup and group, distance from the root by level; chance
    beside each figure. Printed as a table and written to DIR/evaluation.json, or for other pictures
    or concepts to DIR/evaluation-NAME.json with the name of their file.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run."""
    data: Annotated[Path | None, absent(PATH, "the held-out ones")] = None
    """Other pictures, all taken as one test set: a folder, shards, or an .npz of the packaged
    format. The run's own held-out ones if not given, or if it is where the run's own data lie
    now."""
    most: int = MOST
    """Folders and shards: how many pictures at most, some by chance."""
    ema: bool = False
    """Measure the averaged weights of a run that was trained with an ema."""
    concepts: Annotated[Path | None, absent(PATH, "the packaged ones or the run's")] = None
    """Other concepts for the pictures; if not given the packaged ones for other pictures, the run's
    own for its own."""
    classify: bool = False
    """Also classify the main test set, with 95 % intervals: zero-shot by an ensemble of prompts, by
    linear probes on the frozen features, and moved by 1 to 4 pixels. A minute or so."""
    prompts: Annotated[Path | None, absent(PATH, "the packaged ones")] = None
    """With --classify, a text file of prompts, one a line with {} where a class is named."""


@dataclass(frozen=True)
class PlotOptions:
    """Draw a trained model: loss curves, the embedding on the disk, distances from the root, and
    the risk of wrong names among the pictures that the model is most certain of."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run; the pictures go there too."""
    data: Annotated[Path | None, absent(PATH, "the held-out ones")] = None
    """Pictures to draw: a folder, shards, or an .npz of the packaged format; the run's own held-out
    ones if not given. The losses need none."""
    dpi: int = 150
    """Dots an inch."""
    format: Annotated[str, tyro.conf.arg(metavar=FORMATS)] = "png"
    """Of the pictures: one format, or some with commas between."""

    def __post_init__(self) -> None:
        formats_of(self.format)


@dataclass(frozen=True)
class FeaturesOptions:
    """Write what two encoders make of pictures and names, once, for `spaceforms probvlm` or models
    of your own on top of them.

    By the two encoders of a run of yours (--run), or by a frozen pair: EfficientNet-Lite0 for
    pictures, MiniLM for names, some minutes on a CPU. The file is an .npz with image (N, 1280 or
    the run's width), text (C, 384 or that), concept (N,) and vendor (N,): what
    `spaceforms.models.encoders.frozen.load_features` reads.
    """

    out: Path
    """The file to write."""
    run: Annotated[Path | None, absent(PATH, "the frozen pair")] = None
    """Folder of a run, whose two encoders are taken in place of the frozen pair, with their own
    widths; nothing but the run is needed."""
    augmented: Annotated[int | None, absent(INT, "pictures as they are")] = None
    """A seed: features of the test concepts' pictures, moved and coloured at random, as views for
    test-time augmentation in `spaceforms probvlm --views`."""
    data: Annotated[Path | None, absent(PATH, "the run's, or the packaged emoji")] = None
    """Pictures: a folder, shards, or an .npz of the packaged format; those of the run, or without
    one the packaged emoji, if not given."""
    concepts: Annotated[Path | None, absent(PATH, "the packaged ones")] = None
    """Concepts, a .json of the packaged format; the packaged ones if not given."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda if there is one."""


@dataclass(frozen=True)
class TraverseOptions:
    """Walk from pictures to the root of a trained model and name what is met on the way.

    The nearest caption of the run's held-out pictures, groups and subgroups at each step, among
    those whose cone holds the point. Printed, and drawn in DIR/traversal.png.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run; the picture goes there too."""
    image: tuple[str, ...] = ()
    """Names of held-out pictures such as "dog face", or picture files; some of different groups if
    not given."""
    data: Annotated[Path | None, absent(PATH, "the held-out ones")] = None
    """Pictures and captions in place of the held-out ones: a folder, shards, or an .npz of the
    packaged format."""
    count: int = 5
    """How many pictures if none are given."""
    steps: int = 50
    """Points on each way."""
    dpi: int = 150
    """Dots an inch."""


@dataclass(frozen=True)
class RankOptions:
    """Rank texts by how near they are to a picture, by a trained model.

    The nearest first, with its distance and its probability among the texts given: that says which
    of them fits best, not whether any does.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder of a run."""
    picture: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PICTURE")]
    """A picture file."""
    texts: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="TEXT...", help_behavior_hint="(one at least)"),
    ]
    """The texts, each in quotes: "a red fox" "a house"."""
    ema: bool = False
    """By the averaged weights of a run that was trained with an ema."""


@dataclass(frozen=True)
class ShardsOptions:
    """Write tar shards for training: the packaged emoji, or a folder of pictures with captions."""

    out: Path
    """Folder for the shards; it must hold none yet."""
    data: Annotated[Path | None, absent(PATH, "the packaged emoji")] = None
    """A folder of pictures with captions, or shards, whose picture files are taken as they are; or
    an .npz of the packaged format; the packaged emoji if not given."""
    concepts: Annotated[Path | None, absent(PATH, "the packaged ones")] = None
    """Emoji: concepts, a .json of the packaged format; the packaged ones if not given."""
    split: Literal["vendor", "concept", "both"] = "vendor"
    """Emoji: what is held out, and not written."""
    held_out: str = "emojione"
    """Emoji: the vendor held out by the splits vendor and both, or several with commas between."""
    size: Annotated[int | None, absent(INT, "64")] = None
    """Emoji: side of a picture in pixels; the stored one, 64, if not given."""
    per_shard: int = 1000
    """Pairs in a shard."""
    seed: int = 0
    """Of the order of the pairs, and of the captions drawn for emoji."""
