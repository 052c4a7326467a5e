"""Packages of npm: installed once, outside of the project's tree of sources."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from external_programs import npm

THIRD_PARTY = Path(__file__).parent / "third_party"
PACKAGE = THIRD_PARTY / "package.json"
RUNTIMES = THIRD_PARTY / "runtimes.json"
"""Deno and Bun for Linux on x86-64, 200 MB."""
INSTALL = (
    "install",
    "--no-save",
    "--no-package-lock",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
)
INSTALL_S = 100


def installed_modules(cache: Path, package: Path = PACKAGE) -> Path:
    """Return the folder ``node_modules`` with what a package names; one worker installs."""
    with (cache / "lock").open("w") as lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)  # the others find it done
        return _installed(cache, package)


def _installed(cache: Path, package: Path) -> Path:
    wanted = hashlib.sha256(package.read_bytes()).hexdigest()
    stamp = cache / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.copy(package, cache / "package.json")
        done = subprocess.run(
            (*npm(), *INSTALL), cwd=cache, capture_output=True, text=True, timeout=INSTALL_S
        )
        if done.returncode != 0:
            pytest.fail(f"npm could not install {package}:\n{done.stderr}")
        stamp.write_text(wanted)
    return cache / "node_modules"
