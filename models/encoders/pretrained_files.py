"""What the files of a folder say that ``save_pretrained`` of transformers wrote, but for weights.

They are read anew each time: a folder may change while the process runs.
"""

from pathlib import Path
from typing import Any, NamedTuple

from ...datasets.disk import MOST_TABLE, read_file
from ...datasets.pair import parse
from ...manifolds.extras import import_extra

PREFIX = "hf:"


def folder_of(text: str, where: str) -> Path:
    """The absolute path of ``hf:DIR``.

    Raises:
        ValueError: another text.
    """
    if not isinstance(text, str) or not text.startswith(PREFIX) or text == PREFIX:
        raise ValueError(
            f"{where} is {text!r}; expected {PREFIX}DIR, a folder that save_pretrained of "
            "transformers wrote."
        )
    return Path(text.removeprefix(PREFIX)).expanduser().resolve()


def side_of(folder: Path) -> int:
    """The side of the pictures that the image encoder of a folder takes."""
    return pixels_of(folder).side


class Pixels(NamedTuple):
    """What pictures of a folder's model are: the side, and mean and deviation of a channel."""

    side: int
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]


def pixels_of(folder: Path) -> Pixels:
    """From the files of a folder. What prepares pictures in transformers wants torchvision.

    Raises:
        ValueError: the folder of a model that reads texts alone, or one that lacks these numbers.
    """
    config = config_of(folder)
    if not _sees(config) and getattr(config, "vocab_size", None) is not None:
        raise ValueError(
            f"{folder}: a {config.model_type}, which reads texts; expected the folder of an image "
            "encoder, or of a pair."
        )
    found: dict[str, Any] = {}
    for name in ("processor_config.json", "preprocessor_config.json"):
        if (folder / name).is_file():
            content = parse(read_file(folder / name, MOST_TABLE))
            found |= content.get("image_processor", content)
    vision = getattr(config, "vision_config", config)
    side = getattr(vision, "image_size", None) or _side(found.get("crop_size") or found.get("size"))
    if isinstance(side, list | tuple) and len(set(side)) == 1:
        side = side[0]
    plain = found.get("do_normalize") is False
    mean = (0.0, 0.0, 0.0) if plain else found.get("image_mean")
    std = (1.0, 1.0, 1.0) if plain else found.get("image_std")
    numbers = all(
        isinstance(three, list | tuple)
        and len(three) == 3
        and all(isinstance(x, int | float) for x in three)
        for three in (mean, std)
    )
    if not isinstance(side, int) or side < 1 or not numbers:
        raise ValueError(
            f"{folder}: expected the folder of an image encoder, with image_size in config.json "
            "and image_mean and image_std in preprocessor_config.json; got "
            f"{side!r}, {mean!r} and {std!r}."
        )
    return Pixels(side, tuple(mean), tuple(std))  # type: ignore[arg-type]


def check_reads(folder: Path) -> None:
    """Refuse the folder of a model that sees pictures alone.

    Raises:
        ValueError: such a one; and what :func:`config_of` raises.
    """
    config = config_of(folder)
    parts = (config, getattr(config, "text_config", None))
    if _sees(config) and all(getattr(part, "vocab_size", None) is None for part in parts):
        raise ValueError(
            f"{folder}: a {config.model_type}, which sees pictures; expected the folder of a text "
            "encoder, or of a pair."
        )


def _sees(config: Any) -> bool:
    return any(hasattr(config, name) for name in ("vision_config", "image_size", "num_channels"))


def _side(size: Any) -> Any:
    if isinstance(size, dict):
        return size.get("shortest_edge", size.get("height"))
    return size


def config_of(folder: Path) -> Any:
    """The configuration of the model, as transformers reads it.

    Raises:
        FileNotFoundError: no such folder, or one without a model.
        ValueError: a file that transformers cannot read.
    """
    hf = transformers_for(folder)
    try:
        return hf.AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # of all kinds, for what is no such file
        raise ValueError(
            f"{folder / 'config.json'}: expected the configuration of a model of transformers, got "
            f"{first_line(error)}"
        ) from error


def transformers_for(folder: Path) -> Any:
    """The library transformers, where there is a folder to read by it.

    Raises:
        FileNotFoundError: no such folder, or one without a model.
        ModuleNotFoundError: it is not installed.
    """
    hf = import_extra(f"{PREFIX}{folder}", "transformers", "transformers")
    if not (folder / "config.json").is_file():
        got = "one without config.json" if folder.is_dir() else "no such folder"
        raise FileNotFoundError(
            f"{folder}: expected the folder of a pretrained encoder, got {got}. Nothing is "
            "downloaded: `hf download NAME --local-dir DIR` makes the folder of a model of the "
            "Hub. If it was moved, give its place to spaceforms train by --image or --text, and to "
            "a finished run in its config.json."
        )
    return hf


def first_line(error: Exception) -> str:
    """What an error of transformers says, which may go on for a page."""
    return (str(error).strip().splitlines() or [repr(error)])[0][:300]
