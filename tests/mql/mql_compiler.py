"""EA source to a program: translated, compiled with the simulated terminal, and cached.

A program's name in the cache is the hash of all that it is made of, so that a suite compiles each
EA once, and not at all while nothing has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path

from external_programs import cxx
from mql_source import BadSource, Source
from mql_translation import EVENTS, translate

HERE = Path(__file__).parent
SHIM = HERE / "shim"
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
KEPT_S = 24 * 3600
"""A cache of programs grows with each change of a header."""
SIMULATION = ["-w"]
"""For the simulated terminal itself."""


class NotCompiled(Exception):
    """The linter or the compiler has found something; the message is what."""


@dataclass(frozen=True)
class Build:
    """What to build.

    Args:
        main: the ``.mq4`` or ``.mq5`` file.
        includes: folders for ``#include <...>``.
        cache: the folder that keeps what was built.
        sanitized: with ASan and UBSan.
        optimize: ``-O``: 0 compiles in half the time of 1.

    """

    main: Path
    cache: Path
    includes: tuple[Path, ...] = ()
    sanitized: bool = False
    optimize: str = "0"

    @property
    def flags(self) -> list[str]:
        return [*FLAGS, *(SANITIZERS if self.sanitized else ()), f"-I{SHIM}"]


def compiled(build: Build) -> Path:
    """Return the program of an EA, out of the cache if it is there.

    Raises:
        NotCompiled: with everything that is wrong.

    """
    text = translated(build.main, build.includes)
    build.cache.mkdir(parents=True, exist_ok=True)
    with (build.cache / "lock").open("w") as lock:
        flock(lock, LOCK_EX)  # one worker compiles, the others find it done
        simulation = _simulation(build)
        flags = [*build.flags, f"-O{build.optimize}"]
        name = _key([text, *flags, *WARNINGS, *simulation])
        program = build.cache / f"{build.main.stem}-{name}"
        if not program.exists():
            code = program.with_suffix(".cpp")
            code.write_text(text, "utf-8")
            header = _precompiled(build.cache, _header(build.main), flags)
            _run([*flags, *WARNINGS, "-include", header, str(code), *simulation], program)
            _forget(build.cache)
        os.utime(program)  # it is in use: nobody may forget it meanwhile
        return program


def _forget(cache: Path) -> None:
    """Delete what was made long ago; what is still needed of it is made anew."""
    for path in cache.iterdir():
        if time.time() - path.stat().st_mtime > KEPT_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


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


def _precompiled(cache: Path, header: str, flags: list[str]) -> str:
    """Return a header to include first, compiled once: reading it is most of the work."""
    folder = cache / f"header-{_key([_read(SHIM.glob('*.hpp')), header, *flags])}"
    made = folder / f"{header}.gch"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(SHIM / header, folder)
        _run([*flags, "-x", "c++-header", str(SHIM / header)], made)
    return str(folder / header)


def _simulation(build: Build) -> list[str]:
    """Return the objects of the simulated terminal."""
    flags = [*build.flags, f"-O{build.optimize}", *SIMULATION]
    headers = _read(SHIM.glob("*.hpp"))
    objects = []
    for code in sorted(SHIM.glob("*.cpp")):
        name = _key([headers, code.read_text("utf-8"), *flags])
        made = build.cache / f"{code.stem}-{name}.o"
        if not made.exists():
            header = _precompiled(build.cache, "world.hpp", flags)
            _run([*flags, "-include", header, "-c", str(code)], made)
        objects.append(str(made))
    return objects


def _run(words: list[str], made: Path) -> None:
    """Run the compiler; put what it made into its place at once, so that nobody sees half."""
    fresh = made.with_name(f"{made.name}.{os.getpid()}")
    done = subprocess.run([*_cxx(), *words, "-o", str(fresh)], capture_output=True, text=True)
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
    return subprocess.run([*_cxx(), "--version"], capture_output=True, text=True).stdout


@cache
def _cxx() -> tuple[str, ...]:
    found = cxx()
    if found is None:
        raise NotCompiled("there is no C++ compiler: install g++ or the package ziglang")
    return found
