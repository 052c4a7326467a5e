"""``manager-emulator``: an emulated MT4 server for the manager API of a gateway elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.process import run_until_stopped
from gateway.cli.run import Json, Seed, Verbose, parse_address, say_pending, say_ready
from gateway.options import ManagerEmulatorOptions, Ready

MAX_USERS = 1_000_000


def manager_emulator(
    *,
    bridge: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the daemon listens.")],
    auth_token: Annotated[
        str,
        typer.Option(
            envvar="MT_GATEWAY_TOKEN",
            show_envvar=True,
            help="The token that [manager] peer names.",
        ),
    ],
    users: Annotated[
        int, typer.Option(min=0, max=MAX_USERS, help="How many it begins with.")
    ] = 200,
    folder: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Keeps users, trades and money between runs."),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="MT4_MANAGER_PASSWORD",
            show_envvar=True,
            help="The manager's at this server; a new one with each start if absent.",
        ),
    ] = None,
    seed: Seed = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COUNT", help="What is to go wrong, how often; repeatable."),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run an emulated MT4 server whose peer links to a gateway in another process."""
    host, port = parse_address(bridge)
    options = ManagerEmulatorOptions(
        bridge_host=host,
        bridge_port=port,
        auth_token=auth_token,
        users=users,
        folder=folder,
        password=password,
        seed=seed,
        faults=tuple(fault or ()),
    )

    async def main() -> None:
        from gateway.app import run_manager_emulator

        await run_manager_emulator(
            options,
            lambda ready: say_ready(ready, _text(ready), as_json=as_json),
            say_pending,
        )

    run_until_stopped(main, verbose=verbose)


def _text(ready: Ready) -> str:
    assert ready.mt4 is not None
    one = ready.mt4
    return (
        f"Emulated MT4 server, linked to {ready.bridge} by token {ready.terminal}. Connect to it "
        f"by POST /api/test/connect:\n\n"
        f'  {{"server":"{one.server}","login":{one.login},"password":"{one.password}"}}\n\n'
        "Ctrl+C stops it."
    )
