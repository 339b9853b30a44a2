"""The commands of the models: train, evaluate, plot, traverse, rank, features, probvlm, shards,
embed, explore."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tyro

from ..datasets import (
    CaptionMix,
    Fault,
    Folder,
    emoji_rows,
    load_emoji,
    open_pairs,
    pair_rows,
    write_shards,
)
from ..datasets.disk import printable
from ..datasets.shards import check_shards_folder
from ..datasets.share import is_npz
from .command_options import (
    EvaluateOptions,
    FeaturesOptions,
    PlotOptions,
    RankOptions,
    ShardsOptions,
    TraverseOptions,
)
from .encoders.presets import Size
from .evaluation.run import load_run
from .evaluation.run_data import all_pictures
from .options import formats_of
from .program import spoken
from .training.checkpoint import (
    CONFIG,
    evaluation_file,
    read_config,
)
from .training.config import TrainConfig
from .training.interrupt import interruptible, polite_interrupt
from .training.run_folder import check_place, own_folder
from .words import counted, faults_counted

T = TypeVar("T")
_STOPPED = 130  # what a shell expects of a command ended by Ctrl-C


def train(argv: Sequence[str]) -> int:
    """``spaceforms train``."""

    def run(config: TrainConfig) -> int:
        from .training.loop import train as train_model

        try:
            if not train_model(config):
                return _STOPPED
        except KeyboardInterrupt:
            begun = (config.out / CONFIG).exists()
            more = f"spaceforms train --out {shlex.quote(str(config.out))} --resume"
            what = f"go on from what was saved with: {more}" if begun else "nothing was saved yet."
            print(spoken(f"spaceforms train: stopped; {what}"), file=sys.stderr)
            return _STOPPED
        print(spoken(f"Trained. Next: {_next(config)}"))
        return 0

    return _command("train", lambda: _parse("train", TrainConfig, argv, _defaults(argv)), run)


def _next(config: TrainConfig) -> str:
    """Commands that work for a run of this configuration."""
    out = shlex.quote(str(config.out))
    if not is_npz(config.data) and config.val is None and not config.share_held_out:
        return (
            f"spaceforms plot {out}; and as nothing was held out (--val-share 0), with other "
            f"pictures: spaceforms evaluate {out} --data PICTURES"
        )
    return f"spaceforms evaluate {out}; spaceforms plot {out}; spaceforms traverse {out}"


@dataclass(frozen=True)
class _Beginning:
    """The options of ``train`` that say what the others are where they are not given."""

    out: Path | None = None
    resume: bool = False
    encoders: Size = "tiny"


def _defaults(argv: Sequence[str]) -> TrainConfig:
    """The options of the run that ``argv`` resumes, or those of a new one with its encoders."""
    words = [word for word in argv if word not in ("-h", "--help")]
    asked, _ = tyro.cli(_Beginning, args=words, prog="spaceforms train", return_unknown_args=True)
    if asked.resume and asked.out is not None and (asked.out / CONFIG).is_file():
        return read_config(asked.out)
    return TrainConfig(out=tyro.MISSING, encoders=asked.encoders)


def evaluate(argv: Sequence[str]) -> int:
    """``spaceforms evaluate``."""

    def run(options: EvaluateOptions) -> int:
        from .evaluation.evaluate import as_table, evaluate as evaluate_run

        result = evaluate_run(
            load_run(options.folder, ema=options.ema),
            data=options.data,
            concepts=options.concepts,
            most=options.most,
            classify=options.classify,
            prompts=options.prompts,
        )
        print(as_table(result))
        written = evaluation_file(options.data or options.concepts)
        print(f"Written to {options.folder / written}")
        return 0

    return _command("evaluate", lambda: _parse("evaluate", EvaluateOptions, argv), run)


def plot(argv: Sequence[str]) -> int:
    """``spaceforms plot``."""

    def run(options: PlotOptions) -> int:
        from .evaluation.figures import LOSSES, draw_run
        from .evaluation.run_data import NothingHeldOut

        formats = formats_of(options.format)
        run = load_run(options.folder)
        try:
            for path in draw_run(run, data=options.data, dpi=options.dpi, formats=formats):
                print(f"Drawn: {path}")
        except NothingHeldOut as error:
            for kind in formats:
                print(f"Drawn: {options.folder / LOSSES}.{kind}")
            print(f"spaceforms plot: the points are not drawn. {error}", file=sys.stderr)
        return 0

    return _command("plot", lambda: _parse("plot", PlotOptions, argv), run)


def features(argv: Sequence[str]) -> int:
    """``spaceforms features``."""

    def run(options: FeaturesOptions) -> int:
        import torch

        from .encoders.frozen import extract, save_features
        from .probvlm.alignment_heads import augmented, make_parts, run_features

        device = options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        check_place(options.out.parent)
        trained = None if options.run is None else load_run(options.run, device=device)
        data = all_pictures(trained, options.data, options.concepts)
        rows = None
        if options.augmented is not None:
            data, rows = augmented(data, options.augmented), make_parts(data).test
        if trained is None:
            try:
                found = extract(data, rows, device=device)
            except ModuleNotFoundError:  # the command line names the extra
                print(
                    "spaceforms features: without the frozen pair, features of your own run do: "
                    "spaceforms train --split concept --out RUN, then "
                    f"spaceforms features --run RUN --out {options.out}",
                    file=sys.stderr,
                )
                raise
        else:
            config = trained.config
            if is_npz(config.data) and config.split == "vendor":
                print(
                    f"spaceforms features: {options.run} was trained on every concept (split "
                    "'vendor'), those that `spaceforms probvlm` tests on too; expected a run of "
                    "the split 'concept' or 'both' for that.",
                    file=sys.stderr,
                )
            elif not is_npz(config.data) and not config.share_held_out:
                print(
                    f"spaceforms features: {options.run} held nothing out, and was trained on what "
                    "`spaceforms probvlm` tests on too; expected a --val-share for that.",
                    file=sys.stderr,
                )
            found = run_features(trained, data, rows)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        save_features(found, options.out)
        words = [str(options.out), "--out", "DIR"]
        for name in ("run", "data", "concepts"):
            if value := getattr(options, name):
                words += [f"--{name}", str(value)]
        print(spoken(f"Written to {options.out}. Next: spaceforms probvlm {shlex.join(words)}"))
        return 0

    return _command("features", lambda: _parse("features", FeaturesOptions, argv), run)


def probvlm(argv: Sequence[str]) -> int:
    """``spaceforms probvlm``."""
    from .probvlm.config import ProbVLMConfig
    from .probvlm.run import RESULT, as_table, run as run_probvlm

    def run(config: ProbVLMConfig) -> int:
        print(as_table(run_probvlm(config)))
        print(f"Written to {config.out / RESULT}, and pictures beside it")
        return 0

    return _command("probvlm", lambda: _parse("probvlm", ProbVLMConfig, argv), run)


def traverse(argv: Sequence[str]) -> int:
    """``spaceforms traverse``."""

    def run(options: TraverseOptions) -> int:
        from .evaluation.traverse_run import TRAVERSAL, draw, walk

        if options.dpi < 1:
            raise ValueError(f"dpi is {options.dpi}; expected at least 1.")
        trained = load_run(options.folder)
        walks = walk(
            trained, options.image, data=options.data, count=options.count, steps=options.steps
        )
        for way in walks:
            print(f"{way.title}: {' > '.join(way.captions)}")
        if trained.model.min_radius is not None and all(len(w.captions) == 1 for w in walks):
            print(
                "No text's cone holds a point of these ways, so nothing is met before the root. "
                "Longer training, a larger --entail-weight, or a model without cones (clip) may "
                "change that.",
                file=sys.stderr,
            )
        title = f"{trained.config.model.upper()}: from pictures to the root (% of the way)"
        draw(walks, options.folder / TRAVERSAL, title=title, dpi=options.dpi)
        print(f"Drawn: {options.folder / TRAVERSAL}")
        return 0

    return _command("traverse", lambda: _parse("traverse", TraverseOptions, argv), run)


def rank(argv: Sequence[str]) -> int:
    """``spaceforms rank``."""

    def run(options: RankOptions) -> int:
        if not options.texts:
            raise ValueError('no texts; expected some to rank: "a red fox" "a house".')
        trained = load_run(options.folder, ema=options.ema)
        ranked = trained.rank(options.picture, options.texts)
        print(f"{'distance':>9}{'probability':>13}  text")
        for text, distance, probability in ranked:
            print(f"{distance:9.3f}{probability:13.3f}  {text}")
        return 0

    return _command("rank", lambda: _parse("rank", RankOptions, argv), run)


def shards(argv: Sequence[str]) -> int:
    """``spaceforms shards``."""

    def run(options: ShardsOptions) -> int:
        data, faults = options.data, list[Fault]()
        check_place(options.out)
        check_shards_folder(options.out)
        if data is None or is_npz(data):
            emoji = load_emoji(data, options.concepts, size=options.size)
            split = emoji.split(options.split, held_out=options.held_out)
            mix = CaptionMix(unspoken=split.unspoken)
            rows = emoji_rows(emoji, split.train, mix=mix, seed=options.seed)
        else:
            # Copies are made of what it names: of nothing outside of it.
            pairs = open_pairs(data, links=False)
            if isinstance(pairs, Folder) and pairs.note:
                print(f"{data}: {pairs.note}.", file=sys.stderr)
            rows = pair_rows(pairs, seed=options.seed, skipped=faults.append)
        written = write_shards(rows, options.out, per_shard=options.per_shard)
        if faults:
            counts = Counter(fault.kind for fault in faults)
            print(f"Not written, or mended: {faults_counted(counts)}. The first:", file=sys.stderr)
            print(*(f"  {f}" for f in faults[:5]), sep="\n", file=sys.stderr)
        data_words = shlex.quote(str(options.out))
        print(
            spoken(
                f"Written: {counted(len(written), 'shard')}. Next: spaceforms train --data "
                f"{data_words} --out RUN"
            )
        )
        return 0

    return _command("shards", lambda: _parse("shards", ShardsOptions, argv), run)


def embed(argv: Sequence[str]) -> int:
    """``spaceforms embed``."""
    if "--diagnose" in argv:
        return _diagnose([word for word in argv if word != "--diagnose"])
    from .graphs.config import EmbedOptions, factors_of
    from .graphs.run import STATE, embed as embed_graph, finish

    def run(options: EmbedOptions) -> int:
        check_place(options.out)
        again = shlex.join(word for word in argv if word not in ("--overwrite", "--resume"))
        try:
            with interruptible(), own_folder(options.out):
                report = embed_graph(options, polite_interrupt)
        except KeyboardInterrupt:
            if not (options.out / STATE).is_file():
                raise
            report = None
        if report is None:
            said = f"stopped and saved; go on with: spaceforms embed {again} --resume"
            print(spoken(f"spaceforms embed: {said}"), file=sys.stderr)
            return _STOPPED
        print(finish(options, report))
        if options.manifold != "sphere" and factors_of(options.manifold) is None:
            out = shlex.quote(str(options.out))
            print(spoken(f"To look at it in a browser: spaceforms explore {out} --out {out}.html"))
        return 0

    return _command("embed", lambda: _parse("embed", EmbedOptions, argv), run)


def explore(argv: Sequence[str]) -> int:
    """``spaceforms explore``."""
    from .explore.options import ExploreOptions
    from .explore.run import explore as write_page

    def run(options: ExploreOptions) -> int:
        check_place(options.out.parent)
        count = write_page(options)
        print(f"Written to {options.out}: {counted(count, 'point')}. Open it in a browser.")
        return 0

    return _command("explore", lambda: _parse("explore", ExploreOptions, argv), run)


def _diagnose(argv: Sequence[str]) -> int:
    """``spaceforms embed --diagnose``, which has options of its own."""
    from .graphs.diagnosis import DiagnoseOptions, diagnose, diagnosis_in_words

    def run(options: DiagnoseOptions) -> int:
        if options.out is not None:
            check_place(options.out)
        print(diagnosis_in_words(diagnose(options)))
        return 0

    return _command("embed", lambda: _parse("embed --diagnose", DiagnoseOptions, argv), run)


def _parse(name: str, kind: type[T], argv: Sequence[str], default: T | None = None) -> T:
    words, prog = list(argv), f"spaceforms {name}"
    if default is None:
        return tyro.cli(kind, args=words, prog=prog)
    return tyro.cli(kind, args=words, prog=prog, default=default)


def _command(name: str, parse: Callable[[], T], run: Callable[[T], int]) -> int:
    """Parse, run, and turn what the user can mend into a sentence without a traceback."""
    try:
        return run(parse())
    except SystemExit as done:  # the parser has said what is wrong, or printed its help
        return int(done.code or 0)
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        return 1
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"spaceforms {name}: {spoken(_sentence(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"spaceforms {name}: stopped.", file=sys.stderr)
        return _STOPPED


def _sentence(error: Exception) -> str:
    words = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:  # the system's own words
        words = f"{error.filename}: {error.strerror.lower()}."
    return "\n".join(map(printable, words.split("\n")))  # a name may have a terminal's controls
