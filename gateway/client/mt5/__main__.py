"""``python -m gateway.client.mt5 run script.py args...``: a program over the drop-in.

Nothing is installed for it: ``import MetaTrader5`` means the drop-in in that process. ``run -m
module args...`` runs a module, as ``python -m`` does.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from gateway.client import mt5

USAGE = "usage: python -m gateway.client.mt5 run (script.py | -m module) [arguments ...]"


def main(arguments: list[str]) -> None:
    """Run the program that is named."""
    if arguments[:1] != ["run"] or not arguments[1:] or arguments[1:] == ["-m"]:
        sys.exit(USAGE)
    sys.modules["MetaTrader5"] = mt5
    sys.modules["MetaTrader5._core"] = mt5
    if arguments[1] == "-m":
        sys.argv = arguments[2:]
        runpy.run_module(arguments[2], run_name="__main__", alter_sys=True)
        return
    script = Path(arguments[1])
    if not script.is_file():
        sys.exit(f"{script} is no file\n{USAGE}")
    sys.argv = arguments[1:]
    # what lies beside a script is found by it, as with python itself
    sys.path[0] = str(script.resolve().parent)
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
