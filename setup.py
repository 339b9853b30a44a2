"""What of the metadata depends on where the project lives; all else is in pyproject.toml.

With ``SPACEFORMS_URL=https://github.com/NAME/spaceforms`` a build gives the package links: those
of the README then lead to the files of that address. Without it they are text, since an index of
packages has no files beside a README.
"""

import os
import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
PLACES = {
    "Source": "",
    "Documentation": "/tree/main/docs",
    "Issues": "/issues",
    "Changelog": "/blob/main/CHANGELOG.md",
}
# [text](place) and ![text](place), the place in the repository.
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?!https?:|#|mailto:)(?P<place>[^)\s]+)\)")


def readme(text: str, url: str) -> str:
    """A README as an index of packages shows it."""

    def link(found: re.Match[str]) -> str:
        picture, text, place = found.group("picture", "text", "place")
        if not url:
            return "" if picture else text
        return f"{picture}[{text}]({url}/{'raw' if picture else 'blob'}/main/{place})"

    return LINK.sub(link, text)


def address() -> str:
    """That of the project, from the environment; empty if it has none."""
    url = os.environ.get("SPACEFORMS_URL", "").rstrip("/")
    if url and not re.fullmatch(r"https://[^\s/]+/\S+", url):
        raise SystemExit(f"SPACEFORMS_URL is {url!r}; expected https://HOST/PROJECT or nothing.")
    return url


if __name__ == "__main__":
    URL = address()
    setup(
        long_description=readme((ROOT / "README.md").read_text(encoding="utf-8"), URL),
        long_description_content_type="text/markdown",
        project_urls={name: URL + place for name, place in PLACES.items()} if URL else {},
    )
