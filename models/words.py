"""Numbers in sentences."""

from collections.abc import Mapping


def counted(number: int, one: str, many: str = "") -> str:
    """``1 level``, ``1,200 levels``.

    Args:
        number: how many.
        one: what a single one is called.
        many: what several are called; ``one`` with an s if not given.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def faults_counted(found: Mapping[str, int]) -> str:
    """``1 picture unreadable, 2 files refused``, of the kinds in `spaceforms.datasets.pair.FAULTS`,
    which begin with what there may be several of."""
    words = (counted(n, kind.replace("s ", " ", 1), kind) for kind, n in found.items())
    return ", ".join(words)
