"""``shim``: a distribution named MetaTrader5 that stands for the drop-in.

Programs declare or pin that distribution, which exists for Windows alone. The wheel is made here,
has one file that re-exports :mod:`gateway.client.mt5`, and never leaves this machine: it bears the
local version label ``+gateway``, which no registry takes.
"""

from __future__ import annotations

import base64
import hashlib
import json  # not orjson: another interpreter's answer is one line
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import CliError

NAME = "MetaTrader5"
VERSION = "5.0.6231"
"""Of the package whose names the drop-in has."""
LABEL = "+gateway"
INSTALL_S = 300
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,3}", re.ASCII)

_MODULE = '''"""The names of MetaTrader5 {version}, over mt-gateway: see its docs/mt5.md."""

from gateway.client.mt5 import *
from gateway.client.mt5 import _RawOrder, __author__, _core

__version__ = "{version}"
'''
_METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}{label}
Summary: The names of the MetaTrader5 package, over mt-gateway; made on this machine
Requires-Dist: mt-gateway[mt5]
"""
_WHEEL = """\
Wheel-Version: 1.0
Generator: mt-gateway shim
Root-Is-Purelib: true
Tag: py3-none-any
"""
_LOOK = """
import importlib.metadata as metadata, importlib.util as util, json, sys
try:
    version = metadata.version("MetaTrader5")
except metadata.PackageNotFoundError:
    version = None
try:
    gateway = util.find_spec("gateway.client.mt5") is not None
except ImportError:
    gateway = False
facts = {"version": version, "module": util.find_spec("MetaTrader5") is not None}
facts |= {"gateway": gateway, "numpy": util.find_spec("numpy") is not None}
print(json.dumps(facts | {"pip": util.find_spec("pip") is not None}))
"""

Python = Annotated[
    Path | None,
    typer.Option(
        metavar="PROGRAM",
        help="Of the environment that is meant, such as venv/bin/python; if absent this one.",
    ),
]


def install(
    *,
    version: Annotated[
        str, typer.Option(help="That programs shall see; some pin one, such as 5.0.5735.")
    ] = VERSION,
    python: Python = None,
    wheel: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Only write the wheel into a folder, for another machine."
        ),
    ] = None,
) -> None:
    """Install a package MetaTrader5 that goes over the gateway; refused beside the real one."""
    if not _VERSION.fullmatch(version):
        raise CliError(f"a version looks like {VERSION}, and not like {version}", 2)
    if wheel is not None:
        typer.echo(write_wheel(wheel, version))
        return
    program = str(python or sys.executable)
    facts = _facts(program)
    _refuse_real(facts)
    if not facts["gateway"]:
        raise CliError(f"{program} has no mt-gateway: install 'mt-gateway[mt5]' there first")
    if not facts["numpy"]:
        raise CliError(f"{program} has no numpy: install 'mt-gateway[mt5]' there first")
    with tempfile.TemporaryDirectory() as folder:
        made = write_wheel(Path(folder), version)
        options = ("--no-deps", "--no-index", "--force-reinstall")
        _installer(program, facts)("install", *options, str(made))
    typer.echo(f"{NAME} {version}{LABEL} is installed: import {NAME} now means the gateway.")


def uninstall(*, python: Python = None) -> None:
    """Take out what `shim install` has put in; the real package is left alone."""
    program = str(python or sys.executable)
    facts = _facts(program)
    _refuse_real(facts)
    if facts["version"] is None:
        raise CliError(f"{NAME} is not installed for {program}: there is nothing to remove")
    yes = ("--yes",) if facts["pip"] else ()
    _installer(program, facts)("uninstall", *yes, NAME)
    typer.echo(f"{NAME} {facts['version']} is gone.")


def write_wheel(folder: Path, version: str) -> Path:
    """Write the wheel of a version into a folder, and return its path.

    Raises:
        CliError: it cannot be written.

    """
    info = f"{NAME}-{version}{LABEL}.dist-info"
    files = {
        f"{NAME}.py": _MODULE.format(version=version),
        f"{info}/METADATA": _METADATA.format(name=NAME, version=version, label=LABEL),
        f"{info}/WHEEL": _WHEEL,
    }
    record = "".join(f"{name},{_digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    path = folder / f"{NAME}-{version}{LABEL}-py3-none-any.whl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    except OSError as error:
        raise CliError(f"{path}: {error.strerror or error}") from error
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode("ascii")).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def _facts(program: str) -> dict[str, Any]:
    """Return what an interpreter has of all this."""
    try:
        # -P: a file of that name in the folder where we are is nothing that is installed
        told = subprocess.run(  # noqa: S603 (the program that the person named, or our own)
            [program, "-P", "-c", _LOOK], capture_output=True, text=True, check=True, timeout=60
        )
        facts: dict[str, Any] = json.loads(told.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise CliError(f"{program} is no Python 3.11 or later that runs") from error
    return facts


def _refuse_real(facts: dict[str, Any]) -> None:
    version = facts["version"]
    if version is None and facts["module"]:
        raise CliError(f"a module {NAME} of another kind is installed there: remove it first")
    if version is not None and not version.endswith(LABEL):
        raise CliError(f"the real {NAME} {version} is installed there, and was not changed")


def _installer(program: str, facts: dict[str, Any]) -> Callable[..., None]:
    """Return what calls pip, or uv where the environment has no pip of its own."""
    if facts["pip"]:
        return partial(_call, (program, "-m", "pip", "--disable-pip-version-check"), ())
    uv = shutil.which("uv")
    if uv is None:
        raise CliError(
            f"{program} has no pip: write the wheel with --wheel FOLDER, and install that"
        )
    return partial(_call, (uv, "pip"), ("--python", program))


def _call(installer: tuple[str, ...], where: tuple[str, ...], command: str, *rest: str) -> None:
    try:
        subprocess.run(  # noqa: S603 (pip or uv, with arguments of our own)
            [*installer, command, *where, *rest],
            capture_output=True,
            text=True,
            check=True,
            timeout=INSTALL_S,
        )
    except subprocess.CalledProcessError as error:
        raise CliError(f"{command} failed:\n{error.stderr.strip()}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CliError(f"{command} failed: {type(error).__name__}") from error
