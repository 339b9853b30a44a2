"""What strangers may send: read, counted and named, or refused in a sentence; never an error of a
parser, never without end, never more memory than is said."""

import itertools
import json
import os
import random
import shutil
import time
from pathlib import Path

import hostile
import pytest

from spaceforms.datasets import Stream, load_emoji, open_pairs
from spaceforms.datasets.stream import skipped

MEMORY = 2**30
SECONDS = 5


class Peak:
    """How far the memory of this process rises; nothing where the system does not tell."""

    def __enter__(self) -> "Peak":
        self._before = self._now(reset=True)
        return self

    def __exit__(self, *error: object) -> None:
        self.rise = self._now(reset=False) - self._before

    @staticmethod
    def _now(*, reset: bool) -> int:
        try:
            if reset:
                Path("/proc/self/clear_refs").write_text("5")
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return 0
        return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("VmHWM"))


def outcome(case: hostile.Case, folder: Path) -> str:
    """What becomes of a case: read, the kind of fault that is counted, or a sentence."""
    try:
        if case.kind == "archive":
            load_emoji(folder / "d.npz", folder / "c.json")
            return hostile.READ
        pairs = open_pairs(folder)
        pairs.count()
        stream = Stream(pairs, size=16, batch_size=1)
        seen, state = set(), stream.start()
        for batch, state in itertools.islice(stream.batches(), 99):
            if int(state[0, 0]):
                break
            seen.update(batch.index.tolist())
    except (ValueError, OSError) as error:
        sentence = str(error)
    else:
        sentence = ""
    if sentence:
        assert str(folder) in sentence, sentence
        assert "\n" not in sentence
        assert len(sentence) < 2000
        return hostile.REFUSED
    faults = skipped(state)
    if not faults:
        assert len(seen) == 2, "the pair itself and the good one"
        return hostile.READ
    assert seen, "the good pair is read in any case"
    assert all(str(folder) in name for name in stream.named())
    return " ".join(faults)


def make(case: hostile.Case, folder: Path) -> None:
    """The files of a case, beside a good pair."""
    folder.mkdir()
    if case.kind in ("picture", "file") or "beside" in case.name:
        (folder / "good.png").write_bytes(hostile.GOOD)
        (folder / "good.txt").write_text("a dog")
    if case.kind == "archive":
        concept = dict.fromkeys(("name", "group", "subgroup", "family"), "a") | {"split": "train"}
        (folder / "c.json").write_text(json.dumps({"concepts": [concept]}))
    case.make(folder)


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of EXIF that is cut
@pytest.mark.parametrize("case", hostile.CASES, ids=lambda case: f"{case.kind}-{case.name}")
def test_what_a_stranger_sends_is_read_counted_or_refused_in_bounded_time_and_memory(
    case, tmp_path
):
    folder = tmp_path / "data"
    make(case, folder)
    with Peak() as peak:
        began = time.process_time()
        found = outcome(case, folder)
        taken = time.process_time() - began
    assert peak.rise < MEMORY
    assert taken < SECONDS
    if case.outcome != "either":
        assert found == case.outcome
    if os.environ.get("HOSTILE_REPORT"):
        print(f"{case.kind}: {case.name}: {found}; {taken:.2f} s, {peak.rise / 2**20:.0f} MB")


def _damaged(content: bytes, draw: random.Random) -> bytes:
    """A byte other than it was, some left out, some of elsewhere put in, or an end."""
    at, length = draw.randrange(len(content)), draw.choice([1, 2, 4, 16, 512])
    some = draw.choice([draw.randbytes(length), content[draw.randrange(len(content)) :][:length]])
    return {
        "flip": content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :],
        "cut": content[:at] + content[at + length :],
        "insert": content[:at] + some + content[at:],
        "replace": content[:at] + some + content[at + length :],
        "end": content[:at],
    }[draw.choice(["flip", "flip", "cut", "insert", "replace", "end"])]


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_what_was_damaged_at_random_raises_no_error_of_a_parser(tmp_path):
    seed = int(os.environ.get("SPACEFORMS_FUZZ_SEED", "0"))
    until = time.monotonic() + float(os.environ.get("SPACEFORMS_FUZZ_SECONDS", "120"))
    folder, tried = tmp_path / "data", 0
    while time.monotonic() < until:
        draw = random.Random(f"{seed}/{tried}")
        case = draw.choice(hostile.CASES)
        make(case, folder)
        files = sorted(p for p in folder.iterdir() if p.is_file() and 0 < p.stat().st_size < 2**20)
        for path in draw.choices(files, k=2) if files else []:
            path.write_bytes(_damaged(path.read_bytes(), draw) or b"x")
        began = time.process_time()
        try:
            outcome(case, folder)
        except AssertionError as error:  # of what a case promises undamaged
            if "the pair itself" not in str(error) and "in any case" not in str(error):
                raise
        except Exception as error:
            raise AssertionError(f"SPACEFORMS_FUZZ_SEED={seed}, number {tried}: {case}") from error
        assert time.process_time() - began < 2 * SECONDS, f"seed {seed}, number {tried}: {case}"
        shutil.rmtree(folder)
        tried += 1
    print(f"seed {seed}: {tried} tried")


def test_there_are_more_than_a_hundred_and_forty_kinds_and_the_page_has_them_all():
    assert len(hostile.CASES) > 140
    page = Path(__file__).parents[2] / "docs" / "strangers.md"
    assert hostile.table() in page.read_text(encoding="utf-8")
