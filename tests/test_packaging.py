"""The wheel and the sdist: built, compared, and installed into a clean environment.

Slow (it installs torch): run by `.ci/run` and `make check`, and with `make test-slow`.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PYPROJECT["tool"]["setuptools"]["packages"]
ROOMS = [name.partition(".")[2] for name in PACKAGES if name.count(".") == 1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("packaging")]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command with nothing of this checkout or environment in reach of its imports."""
    environment = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    result = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def build(kind: str, source: Path, out: Path, url: str = "") -> Path:
    run(
        *(("env", f"SPACEFORMS_URL={url}") if url else ()),
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        f"--{kind}",
        "--outdir",
        out,
        ".",
        cwd=source,
    )
    (built,) = out.iterdir()
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git would clone: left-overs of an earlier build cannot get into the wheel."""
    copy = tmp_path_factory.mktemp("checkout") / "spaceforms"
    kept = {*ROOMS, "src", "LICENSES", "tests", "docs"}
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.is_dir() and path.name in kept:
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "_build")
            shutil.copytree(path, copy / path.name, symlinks=True, ignore=ignore)
        elif path.is_file():
            shutil.copy2(path, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_rooms_their_data_and_the_licences_and_nothing_else(
    wheel: Path, checkout: Path
) -> None:
    names = set(contents(wheel))
    metadata = next(name for name in names if name.endswith("/METADATA")).partition("/")[0]
    wanted = {
        f"spaceforms/{path.relative_to(checkout)}"
        for room in ROOMS
        for path in (checkout / room).rglob("*")
        if path.suffix == ".py" or (path.is_file() and path.parent.name in ("files", "static"))
    }
    wanted |= {"spaceforms/__init__.py", "spaceforms/__main__.py", "spaceforms/py.typed"}
    wanted.add("spaceforms/validation/certificate/hard_cases.json")
    licences = [checkout / "LICENSE", *(checkout / "LICENSES").iterdir()]
    licences += [checkout / "datasets/files/NOTICE.md"]
    wanted |= {f"{metadata}/licenses/{path.relative_to(checkout)}" for path in licences}
    wanted |= {
        f"{metadata}/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt")
    }
    assert names == wanted


def test_the_sdist_builds_the_same_wheel(wheel: Path, checkout: Path, tmp_path: Path) -> None:
    sdist = build("sdist", checkout, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
    run(sys.executable, "-m", "tarfile", "--extract", sdist, ".", cwd=tmp_path)
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    again = build("wheel", source, tmp_path / "wheel")
    assert again.name == wheel.name
    first, second = contents(wheel), contents(again)
    assert set(first) == set(second)
    assert not [name for name in first if first[name] != second[name]]


def test_an_index_of_packages_takes_it_and_shows_its_readme(
    wheel: Path, checkout: Path, tmp_path: Path
) -> None:
    sdist = build("sdist", checkout, tmp_path / "sdist", "https://example.org/me/spaceforms/")
    built = build("wheel", checkout, tmp_path / "wheel", "https://example.org/me/spaceforms/")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "--quiet", "twine", "docutils", cwd=tmp_path)
    run(python, "-m", "twine", "check", "--strict", wheel, sdist, built, cwd=tmp_path)
    plain, linked = (
        next(text for name, text in contents(w).items() if name.endswith("METADATA")).decode()
        for w in (wheel, built)
    )
    assert "Project-URL: Source, https://example.org/me/spaceforms\n" in linked
    assert "](https://example.org/me/spaceforms/raw/main/docs/_static/mammals_disk.png)" in linked
    assert "Project-URL" not in plain
    for text in (plain, linked):  # no link that leads nowhere
        assert not [
            p for p in re.findall(r"\]\(([^)]+)\)", text) if not p.startswith(("https:", "#"))
        ]


def test_the_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    install = (python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt")

    # The core dependencies carry the geometry, the losses, the data, and the command line's help.
    run(*install, wheel, cwd=tmp_path)
    core = "import spaceforms.manifolds, spaceforms.losses, spaceforms.datasets"
    run(python, "-W", "ignore", "-c", f"{core} as d; d.load_emoji()", cwd=tmp_path)
    assert "evaluate" in run(tmp_path / "venv/bin/spaceforms", "--help", cwd=tmp_path)
    missing = subprocess.run(
        [python, "-m", "spaceforms", "train"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 2
    assert 'pip install "spaceforms[train,plot]"' in missing.stderr

    # With the extras, every room, and from the environment, not from the checkout.
    run(*install, f"{wheel}[train,plot,validation]", cwd=tmp_path)
    for room in ROOMS:
        code = f"import spaceforms.{room} as room; print(room.__file__)"
        file = Path(run(python, "-W", "ignore", "-c", code, cwd=tmp_path).strip())
        assert file.is_relative_to(tmp_path / "venv"), file
    for command in ("train", "evaluate", "plot"):
        run(tmp_path / "venv/bin/spaceforms", command, "--help", cwd=tmp_path)
