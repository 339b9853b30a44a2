"""Numbers in sentences."""


def counted(number: int, one: str, many: str = "") -> str:
    """``1 level``, ``1,200 levels``.

    Args:
        number: how many.
        one: what a single one is called.
        many: what several are called; ``one`` with an s if not given.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
