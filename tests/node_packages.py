"""Packages for Node.js: installed once, outside of the project's tree of sources."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from external_programs import npm

PACKAGE = Path(__file__).parent / "third_party" / "package.json"
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


def installed_modules(cache: Path) -> Path:
    """Return the folder ``node_modules`` with what ``package.json`` names.

    Tests that use it belong to the xdist group ``demo``, so that one worker installs for all.
    """
    wanted = hashlib.sha256(PACKAGE.read_bytes()).hexdigest()
    stamp = cache / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.copy(PACKAGE, cache / "package.json")
        done = subprocess.run(
            (*npm(), *INSTALL), cwd=cache, capture_output=True, text=True, timeout=INSTALL_S
        )
        if done.returncode != 0:
            pytest.fail(f"npm could not install {PACKAGE}:\n{done.stderr}")
        stamp.write_text(wanted)
    return cache / "node_modules"
