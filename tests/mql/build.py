"""Compile an EA for the simulated terminal: ``build.py EA.mq5 [-I INCLUDE] [-o PROGRAM]``.

Run it with ``PYTHONPATH=tests``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from mql_compiler import Build, NotCompiled, compiled


def main() -> int:
    """Return 0 if it compiles, 1 if not; what is wrong goes to stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("main", type=Path)
    parser.add_argument("-I", dest="includes", type=Path, action="append", default=[])
    parser.add_argument("-o", dest="program", type=Path)
    parser.add_argument("-O", dest="optimize", default="0")
    parser.add_argument("--san", action="store_true", help="with ASan and UBSan")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "mql-cache")
    said = parser.parse_args()
    began = time.monotonic()
    try:
        made = compiled(
            Build(
                said.main,
                said.cache,
                tuple(said.includes),
                sanitized=said.san,
                optimize=said.optimize,
            )
        )
    except NotCompiled as error:
        print(error, file=sys.stderr)
        return 1
    program = said.program or Path(said.main.stem)
    shutil.copy2(made, program)
    print(f"{program}: {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
