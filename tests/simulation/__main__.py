"""Commands of the simulation.

``python -m tests.simulation --seed N --orders N [--kills-every N] [--json]`` makes one run; its
last line is JSON. ``... campaign`` makes many and adds them up, ``... shrink`` cuts a wrong one
down. ``... days --seed N --days N`` lets days pass. The exit code is 1 if anything was wrong. With
``--mutant NAME`` the product has a deliberate fault: see :mod:`simulation.mutants`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]


def _start_again() -> None:
    """Run this package under its one name, with hashes that are the same every time."""
    environment = os.environ | {
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(
            (str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", ""))
        ),
    }
    words = [sys.executable, "-m", "simulation", *sys.argv[1:]]
    os.execve(sys.executable, words, environment)  # noqa: S606 (this program again)


if __name__ == "__main__":
    if __package__ != "simulation" or os.environ.get("PYTHONHASHSEED") != "0":
        _start_again()
    from .mutants import install_named

    install_named(sys.argv)  # before anything of the product is imported
    if sys.argv[1:2] == ["campaign"]:
        from .campaign import main
    elif sys.argv[1:2] == ["shrink"]:
        from .shrink import main
    elif sys.argv[1:2] == ["days"]:
        from .days.command import main
    else:
        from .command import main
    main()
