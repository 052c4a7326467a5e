"""EA source to a program: translated, compiled by g++ with the simulated terminal, and cached.

A program's name in the cache is the hash of all that it is made of, so that a suite compiles each
EA once, and not at all while nothing has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mql_source import BadSource, Source
from mql_translation import EVENTS, translate

HERE = Path(__file__).parent
SHIM = HERE / "shim"
CXX = "g++"
FLAGS = ["-std=c++17", "-g1", "-fwrapv", "-ftrivial-auto-var-init=pattern", "-pthread"]
SANITIZERS = [
    "-fsanitize=address,undefined",
    "-fno-sanitize=alignment",
    "-fno-sanitize-recover=undefined",
]
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-Wfloat-conversion",
    "-Wsign-compare",
    "-Wshadow",
    "-Wparentheses",
    "-Wreturn-type",
    "-Wunused",
    "-Woverloaded-virtual",
    "-Wno-sign-conversion",
    "-Wno-unknown-pragmas",
    "-Wno-switch",
    "-Wno-unused-function",
    "-Wno-unused-parameter",
    "-Wno-unused-parameter",
    "-Wno-unused-variable",
    "-Wno-unused-const-variable",
    "-Werror",
]
"""For the EA: those that stand for an error or a warning of MetaEditor. It needs every include
anyway, hence nothing about what is not used."""
SIMULATION = ["-w", "-O1"]
"""For the simulated terminal itself."""


class NotCompiled(Exception):
    """The linter or g++ has found something; the message is what."""


@dataclass(frozen=True)
class Build:
    """What to build.

    Args:
        main: the ``.mq4`` or ``.mq5`` file.
        includes: folders for ``#include <...>``.
        cache: the folder that keeps what was built.
        sanitized: with ASan and UBSan.
        optimize: ``-O``; the EA's own code only.

    """

    main: Path
    cache: Path
    includes: tuple[Path, ...] = ()
    sanitized: bool = False
    optimize: str = "0"

    @property
    def flags(self) -> list[str]:
        return [*FLAGS, *(SANITIZERS if self.sanitized else ()), f"-I{SHIM}"]


def has_compiler() -> bool:
    """Whether g++ is there."""
    return shutil.which(CXX) is not None


def compiled(build: Build) -> Path:
    """Return the program of an EA, out of the cache if it is there.

    Raises:
        NotCompiled: with everything that is wrong.

    """
    text = translated(build.main, build.includes)
    simulation = _simulation(build)
    name = _key([text, *build.flags, build.optimize, *WARNINGS, str(simulation)])
    program = build.cache / f"{build.main.stem}-{name}"
    if not program.exists():
        code = program.with_suffix(".cpp")
        code.write_text(text, "utf-8")
        header = _precompiled(build)
        flags = [*build.flags, f"-O{build.optimize}", *WARNINGS, "-include", header]
        _run([CXX, *flags, str(code), *simulation], program)
    return program


def translated(main: Path, includes: Iterable[Path] = ()) -> str:
    """Return an EA as C++, with the ``main`` that runs it, for after the header of its language.

    Raises:
        NotCompiled: it is not in the dialect.

    """
    is_mql4 = main.suffix == ".mq4"
    source = Source([*includes, main.parent / "Include"], is_mql4)
    try:
        source.read(main)
        text = translate(source)
    except BadSource as error:
        raise NotCompiled(str(error)) from None
    if source.errors:
        raise NotCompiled("\n".join(source.errors))
    handlers = ", ".join(
        event if re.search(rf"(?:^|[;}}\s])(?:int|void)\s+{event}\s*\(", text) else "nullptr"
        for event in EVENTS
    )
    return (
        f"{text}\n"
        '#line 1 "generated"\n'
        f"int main(int argc, char **argv) {{ mql::Handlers h = {{{handlers}}}; "
        f"return mql::run(h, {str(is_mql4).lower()}, argc, argv); }}\n"
    )


def _header(main: Path) -> str:
    return "mql4_api.hpp" if main.suffix == ".mq4" else "mql5_api.hpp"


def _precompiled(build: Build) -> str:
    """Return the header of the language, compiled once: most of what an EA's code costs."""
    header = _header(build.main)
    name = _key([_read(SHIM.glob("*.hpp")), header, *build.flags, build.optimize])
    folder = build.cache / f"header-{name}"
    compiled_header = folder / f"{header}.gch"
    if not compiled_header.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SHIM / header, folder)
        flags = [*build.flags, f"-O{build.optimize}", "-x", "c++-header"]
        _run([CXX, *flags, str(SHIM / header)], compiled_header)
    return str(folder / header)


def _simulation(build: Build) -> list[str]:
    """Return the objects of the simulated terminal."""
    headers = _read(SHIM.glob("*.hpp"))
    build.cache.mkdir(parents=True, exist_ok=True)
    missing: list[tuple[Path, Path]] = []
    objects = []
    for code in sorted(SHIM.glob("*.cpp")):
        name = _key([headers, code.read_text("utf-8"), *build.flags, *SIMULATION])
        made = build.cache / f"{code.stem}-{name}.o"
        objects.append(str(made))
        if not made.exists():
            missing.append((code, made))
    for code, made in missing:
        _run([CXX, *build.flags, *SIMULATION, "-c", str(code)], made)
    return objects


def _run(command: list[str], made: Path) -> None:
    """Run g++; put what it made into its place at once, so that nobody sees the half of it."""
    fresh = made.with_name(f"{made.name}.{os.getpid()}")
    done = subprocess.run([*command, "-o", str(fresh)], capture_output=True, text=True)
    if done.returncode:
        fresh.unlink(missing_ok=True)
        raise NotCompiled(done.stderr)
    fresh.replace(made)


def _read(paths: Iterable[Path]) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(paths))


def _key(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join([*parts, _version()]).encode()).hexdigest()[:16]


@cache
def _version() -> str:
    return subprocess.run([CXX, "--version"], capture_output=True, text=True).stdout
