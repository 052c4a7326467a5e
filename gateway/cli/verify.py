"""``verify``: approve this machine with the code of the mail, without the console's page."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.home import home_in_use, is_home, running
from gateway.cli.output import CliError, known_failures
from gateway.cli.token import ConfigFile

if TYPE_CHECKING:
    from gateway.credentials.daemon_api import OpenRequest
    from gateway.credentials.device import DeviceKey

Meant = tuple[int | None, str | None]
"""Login of the account, and id of the token; ``None``: whichever."""
AGAIN = "start the terminal again: the console then sends a new code by mail"


def verify(
    code: Annotated[str, typer.Argument(help="The 8 digits of the mail.")],
    *,
    login: Annotated[
        int | None,
        typer.Option(help="Login of the account whose terminal is meant, if several wait."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Id of its token, if several terminals have one login."),
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Home folder of the gateway; as with serve.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Approve this machine for the terminal that waits, with the code of the mail."""
    digits = re.sub(r"[ -]", "", code)
    if not re.fullmatch(r"[0-9]{8}", digits, re.ASCII):
        raise CliError("give the 8 digits of the mail, such as 1234-5678", 2)
    # the device's key lies in the home: the daemon need not lend it
    url, device = _device(home or home_in_use(), config)
    from gateway.console_link.http import ConsoleFailure

    try:
        asyncio.run(_confirm(url, device, digits, (login, token)))
    except ConsoleFailure as failure:
        raise CliError(str(failure)) from failure
    sys.stdout.write("approved: the terminal links within seconds\n")


def _device(home: Path, config_file: Path | None) -> tuple[str, DeviceKey]:
    from gateway.config import load_for
    from gateway.home.home import Home
    from gateway.home.home_console import console_of

    try:
        settings = load_for(home, config_file)
        if not is_home(home):  # looking must not make it
            _console_of(home)
        with Home(home, settings.secrets) as opened:
            console = console_of(opened.store, settings.console)
            noted = "" if console is None else console.url
            return noted or _console_of(home), opened.device
    except OSError as error:
        raise CliError(f"{error.filename or home}: {error.strerror}") from error
    except known_failures() as error:
        raise CliError(str(error)) from error


def _console_of(home: Path) -> str:
    """Return the console to which the gateway of a home listens, so that the mail's command
    works as it stands."""
    gateway = running(home)
    if gateway is None:
        raise CliError(f"no gateway runs in {home}: start it, or give its --home or --config", 2)
    if gateway.console is None:
        raise CliError(f"the gateway in {home} makes its own tokens: nothing waits there", 2)
    return gateway.console


async def _confirm(url: str, device: DeviceKey, code: str, meant: Meant) -> None:
    from gateway.console_link.http import ApprovalClient, RequestExpired

    async with ApprovalClient(url, device) as desk:
        request = _chosen(await desk.requests(), meant)
        try:
            wrong = await desk.confirm(request.rid, code)
        except RequestExpired as over:
            raise CliError(f"the request is over; {AGAIN}") from over
    if wrong is not None:
        left = f"{wrong.tries_left} tries are left" if wrong.tries_left else AGAIN
        raise CliError(f"that is not the code of the mail; {left}")


def _chosen(waiting: tuple[OpenRequest, ...], wanted: Meant) -> OpenRequest:
    """Return the request that is meant; a code tried on another would be a try lost."""
    if not waiting:
        raise CliError("no terminal of this machine waits for approval; start it first")
    login, token = wanted
    meant = [
        request
        for request in waiting
        if login in (None, request.terminal.login) and token in (None, request.tid)
    ]
    if len(meant) == 1:
        return meant[0]
    listed = ", ".join(f"{request.terminal.login} (token {request.tid})" for request in waiting)
    raise CliError(f"these terminals wait: {listed}; say which with --login or --token", 2)
