"""``update --check``: whether there is a newer version.

Nothing asks by itself, and no address is known here: pip is asked, and pip asks the index that it
is configured for.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli.output import CliError

PACKAGE = "mt-gateway"
ASK_S = 60
"""For pip, which has a limit of its own for each connection."""
CONNECT_S = 10
_FIRST_LINE = re.compile(rf"^{PACKAGE} \((?P<version>[0-9][\w.!+-]*)\)", re.MULTILINE)
_UNREACHED = re.compile(r"Retrying|Could not fetch URL")
"""What pip writes of a connection; it says of a failed one that no version was found."""
HOW = """\
  mt-gateway drain
  {install}

and start it again as before. What is kept in the home goes on with the new version."""

NEW_INSTALLER = f"""\
run the new installer, or: winget upgrade {PACKAGE}, scoop update {PACKAGE}"""


def update(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the index of pip for the newest version.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with --check.")] = False,
) -> None:
    """Tell how to update and, with --check, whether there is something newer.

    Nothing is installed. Exit code 1: nobody could be asked.
    """
    # the installer for Windows puts a Python without pip in place
    has_pip = find_spec("pip") is not None
    by_pip = f"{sys.executable} -m pip install --upgrade {PACKAGE}"
    how = HOW.format(install=by_pip if has_pip else NEW_INSTALLER)
    if not check:
        sys.stdout.write(f"{PACKAGE} {__version__}. To update:\n\n{how}\n")
        return
    from packaging.version import Version

    newest = newest_version()
    is_newer = Version(newest) > Version(__version__)
    if as_json:
        told = {"installed": __version__, "newest": newest, "is_newer": is_newer}
        sys.stdout.write(json.dumps(told) + "\n")
    elif is_newer:
        sys.stdout.write(f"{newest} is there; this is {__version__}. To update:\n\n{how}\n")
    else:
        sys.stdout.write(f"{__version__} is the newest; the index of pip has {newest}\n")


def newest_version() -> str:
    """Return the newest version that is no pre-release, as pip finds it.

    Raises:
        CliError: pip is missing, the index was not reached, or has no such package.

    """
    # -P: a folder called pip where the command is run is not pip
    command = (sys.executable, "-P", "-m", "pip", "index", "versions", PACKAGE)
    limits = ("--retries", "1", "--timeout", str(CONNECT_S), "--disable-pip-version-check")
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            (*command, *limits, "--no-input"),
            capture_output=True,
            text=True,
            timeout=ASK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CliError(f"the index of pip did not answer within {ASK_S} s") from None
    if found := _FIRST_LINE.search(done.stdout):
        return found["version"]
    # what pip wrote is not repeated: it may hold the address of a private index
    if "No module named pip" in done.stderr:
        raise CliError(f"{sys.executable} has no pip: update with what has installed the gateway")
    if _UNREACHED.search(done.stderr):
        raise CliError("the package index was not reached: see to the network and try again")
    raise CliError(
        f"the index of pip has no {PACKAGE}, or nothing was said of it: "
        f"see {sys.executable} -m pip index versions {PACKAGE}"
    )
