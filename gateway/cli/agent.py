"""``agent``: plug a terminal without an EA into a gateway."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.home import default_home
from gateway.cli.output import CliError
from gateway.cli.process import run_until_stopped
from gateway.cli.run import Json, Verbose, parse_address, say_pending, say_ready
from gateway.options import AgentOptions, Ready

MAX_TOKEN_FILE = 4096
"""Bytes: a token is one short line."""


def agent(
    *,
    bridge: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the gateway listens.")],
    auth_token: Annotated[
        str | None,
        typer.Option(
            envvar="MT_GATEWAY_TOKEN", show_envvar=True, help="The token of this terminal."
        ),
    ] = None,
    auth_token_file: Annotated[
        Path | None,
        typer.Option(help="A file that holds the token instead; - reads standard input."),
    ] = None,
    program: Annotated[
        str | None,
        typer.Option(
            "--terminal",
            metavar="PATH",
            help="terminal64.exe of the terminal; the one that was installed last if absent.",
        ),
    ] = None,
    portable: Annotated[
        bool, typer.Option("--portable", help="The terminal runs with /portable.")
    ] = False,
    login_terminal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="terminal64.exe of another terminal, for trying the logins of registered "
            "accounts; never the one that trades; repeatable.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Keeps what became of orders: keep it. In the gateway's home if absent.",
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Plug a terminal without an EA into a gateway, through the package MetaTrader5."""
    host, port = parse_address(bridge)
    if portable and program is None:
        raise CliError("--portable: name the terminal with --terminal PATH", 2)
    options = AgentOptions(
        bridge_host=host,
        bridge_port=port,
        auth_token=_token(auth_token, auth_token_file),
        folder=folder or default_home() / "agents",
        program=program,
        portable=portable,
        logins=tuple(login_terminal or ()),
    )

    async def main() -> None:
        from gateway.app import run_agent

        await run_agent(
            options, lambda ready: say_ready(ready, _text(ready), as_json=as_json), say_pending
        )

    run_until_stopped(main, verbose=verbose)


def _token(given: str | None, file: Path | None) -> str:
    """Return the token that is in the file, where one is named, or else was given.

    Raises:
        CliError: there is none.

    """
    if file is None:
        if given is None:
            raise CliError("give the token with --auth-token-file, or in MT_GATEWAY_TOKEN", 2)
        return given
    try:
        if str(file) == "-":
            return sys.stdin.readline(MAX_TOKEN_FILE).strip()
        with file.open(encoding="ascii", errors="replace") as opened:
            return opened.read(MAX_TOKEN_FILE).strip()
    except OSError as error:
        raise CliError(f"--auth-token-file {file}: {error.strerror}", 2) from error


def _text(ready: Ready) -> str:
    return f"Agent, linked to {ready.bridge} by token {ready.terminal}. Ctrl+C stops it."
