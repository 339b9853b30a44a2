"""How this program is called, for messages that say what to type next."""

import re
import shutil
import sys
from pathlib import Path

_COMMAND = re.compile(
    r"\bspaceforms "
    r"(?=(train|evaluate|plot|traverse|rank|features|probvlm|shards|embed|explore)\b)"
)


def program() -> str:
    """What starts this program here: ``spaceforms``, or the path that it was started by where a
    shell would not find it by its name, such as ``.venv/bin/spaceforms`` from a Makefile."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "spaceforms":
        return "python -m spaceforms"
    found = shutil.which("spaceforms")
    if called.name != "spaceforms" or (found and called.exists() and called.samefile(found)):
        return "spaceforms"
    return str(called)


def spoken(text: str) -> str:
    """A text in which the commands of this program are as they can be typed here."""
    own = program()
    return _COMMAND.sub(lambda _: own + " ", text)
