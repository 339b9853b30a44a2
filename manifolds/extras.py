"""Packages that not everyone has installed."""

import importlib
from typing import Any


def import_extra(where: str, module: str, extra: str | None) -> Any:
    """A module of a package that comes with an extra of the library, or with none.

    Args:
        where: what needs it, the subject of the sentence.
        module: its name, whose first part is that of the package.
        extra: as in ``pip install "spaceforms[extra]"``; None for a package that is in no extra.

    Raises:
        ModuleNotFoundError: it is not installed; the sentence says what brings it.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise  # the package is there, and lacks something itself
        brings = package if extra is None else f'"spaceforms[{extra}]"'
        raise ModuleNotFoundError(
            f"{where} needs {package}, which is not installed: pip install {brings}.",
            name=package,
        ) from None
