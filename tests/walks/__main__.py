"""Command that prints the walks."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]


def _start_again() -> None:
    """Run this package under the name that it has in pytest, with what the tests share."""
    paths = (TESTS, TESTS.parent, TESTS / "end_to_end", os.environ.get("PYTHONPATH", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    words = [sys.executable, "-m", "walks", *sys.argv[1:]]
    os.execve(sys.executable, words, environment)  # noqa: S606 (this program again)


def main(names: list[str]) -> None:
    """Print the figures of all walks, or those of one with its files and climbs."""
    from .product_walks import measure

    with tempfile.TemporaryDirectory() as folder:
        walks = measure(Path(folder))
    for name in names or walks:
        walk = walks[name]
        print(f"\n{name}: " + ", ".join(f"{n} {what}" for what, n in walk.figures().items()))
        for n, file in enumerate(walk.files, 1):
            print(f"{n:4} {file}")
        for climb, count in walk.climbs.most_common() if names else ():
            print(f"{count:4} x {climb}")


if __name__ == "__main__":
    if __package__ != "walks":
        _start_again()
    main(sys.argv[1:])
