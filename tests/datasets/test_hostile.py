"""What strangers may send: read, counted and named, or refused in a sentence; never an error of a
parser, never without end, never more memory than is said."""

import itertools
import json
import os
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
        assert str(folder) in sentence
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


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of EXIF that is cut
@pytest.mark.parametrize("case", hostile.CASES, ids=lambda case: f"{case.kind}-{case.name}")
def test_what_a_stranger_sends_is_read_counted_or_refused_in_bounded_time_and_memory(
    case, tmp_path
):
    folder = tmp_path / "data"
    folder.mkdir()
    if case.kind in ("picture", "file") or "beside" in case.name:
        (folder / "good.png").write_bytes(hostile.GOOD)
        (folder / "good.txt").write_text("a dog")
    if case.kind == "archive":
        concept = dict.fromkeys(("name", "group", "subgroup", "family"), "a") | {"split": "train"}
        (folder / "c.json").write_text(json.dumps({"concepts": [concept]}))
    case.make(folder)
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


def test_there_are_more_than_a_hundred_and_forty_kinds_and_the_page_has_them_all():
    assert len(hostile.CASES) > 140
    page = Path(__file__).parents[2] / "docs" / "strangers.md"
    assert hostile.table() in page.read_text(encoding="utf-8")
