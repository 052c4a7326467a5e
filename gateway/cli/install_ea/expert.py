"""The EA that came with this gateway: its files for each MetaTrader, and its version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Literal

Platform = Literal["mt5", "mt4"]

NAME = "TerminalGateway"
INCLUDES = PurePosixPath("Include", NAME)
VERSION_FILE = INCLUDES / "Hello.mqh"
"""Says which version the EA tells the daemon, under :data:`_VERSION`."""
SOURCES = (".mq5", ".mq4", ".mqh")

_VERSION = re.compile(rb'^#define[ \t]+HELLO_EA_VERSION[ \t]+"(\d{1,6}(?:\.\d{1,6}){0,3})"', re.M)


@dataclass(frozen=True, slots=True)
class Expert:
    """The EA for one MetaTrader."""

    platform: Platform
    version: str
    """As the EA says it in its hello, ``1.0.0``."""
    files: Mapping[PurePosixPath, bytes]
    """By their path below the folder ``MQL5`` or ``MQL4``. The one that is compiled comes last."""

    @property
    def main(self) -> PurePosixPath:
        """The file that is compiled."""
        return main_file(self.platform)


def main_file(platform: Platform) -> PurePosixPath:
    """Return the path of the file that is compiled, below ``MQL5`` or ``MQL4``."""
    return PurePosixPath("Experts", f"{NAME}.mq{platform[-1]}")


def shipped(platform: Platform) -> Expert:
    """Return the EA that came with this gateway.

    MetaTrader 4's shares the includes of MetaTrader 5's, but for those that it has itself.
    """
    bridge = files("ea_bridge")
    found = dict(_sources(bridge / "mql5"))
    if platform == "mt4":
        found |= dict(_sources(bridge / "mql4"))
    main = main_file(platform)
    parts = {path: text for path, text in sorted(found.items()) if INCLUDES in path.parents}
    version = version_in(parts[VERSION_FILE])
    assert version is not None  # a test reads it
    return Expert(platform, version, {**parts, main: found[main]})


def shipped_version() -> str:
    """Return the version of the EA that came with this gateway; it is the same for both."""
    version = version_in((files("ea_bridge") / "mql5" / str(VERSION_FILE)).read_bytes())
    assert version is not None  # a test reads it
    return version


def version_in(text: bytes) -> str | None:
    """Return the version that a ``Hello.mqh`` names; ``None`` if it names none."""
    found = _VERSION.search(text)
    return None if found is None else found[1].decode()


def is_older(version: str, than: str) -> bool | None:
    """Compare two versions; ``None`` if one of them is none of ours."""
    numbers = [_numbers(one) for one in (version, than)]
    left, right = numbers
    return None if left is None or right is None else left < right


def _numbers(version: str) -> tuple[int, ...] | None:
    parts = version.split(".")
    if len(parts) > 4 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return (*numbers, *[0] * (4 - len(numbers)))


def _sources(folder: Traversable, *path: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    for one in folder.iterdir():
        below = PurePosixPath(*path, one.name)
        if one.is_dir():
            yield from _sources(one, *below.parts)
        elif below.suffix in SOURCES:
            yield below, one.read_bytes()
