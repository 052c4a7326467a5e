"""The commands, put together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer
from typer.main import get_command

from gateway import __version__
from gateway.cli import (
    audit,
    call,
    console,
    doctor,
    documents,
    halt,
    install_ea,
    manager_emulator,
    manager_user,
    run,
    secrets,
    status,
    tail,
    token,
    verify,
)
from gateway.cli.bench import orders


@cache
def command() -> Callable[[], object]:
    """Return the command line as it is run; it is put together once."""
    return get_command(build())


def build() -> typer.Typer:
    """Return the command line application."""
    app = typer.Typer(
        name="mt-gateway",
        help="Local gateway for MetaTrader 4 and 5: JSON-RPC and WebSocket for trading bots.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for command in (
        run.demo,
        run.serve,
        console.console,
        run.emulator,
        manager_emulator.manager_emulator,
        call.call,
        tail.tail,
        status.status,
        halt.halt,
        halt.resume,
        verify.verify,
        doctor.doctor,
        install_ea.install_ea,
        documents.openrpc,
    ):
        app.command()(command)
    app.add_typer(_token(), name="token")
    app.add_typer(_manager_user(), name="manager-user")
    app.add_typer(_secrets(), name="secrets")
    app.add_typer(_audit(), name="audit")
    app.add_typer(_bench(), name="bench")
    app.command(hidden=True)(documents.stubs)
    return app


def _token() -> typer.Typer:
    group = typer.Typer(help="Make, list and end the tokens that open terminals.")
    group.command("create")(token.create)
    group.command("list")(token.list_tokens)
    group.command("replace")(token.replace)
    group.command("limits")(token.set_limits)
    group.command("revoke")(token.revoke)
    return group


def _manager_user() -> typer.Typer:
    group = typer.Typer(help="Who may use the REST API for the manager of an MT4 server.")
    group.command("add")(manager_user.add)
    group.command("list")(manager_user.list_users)
    group.command("remove")(manager_user.remove)
    group.command("password")(manager_user.set_password)
    group.command("role")(manager_user.set_role)
    group.command("sign-out")(manager_user.sign_out)
    return group


def _secrets() -> typer.Typer:
    group = typer.Typer(help="Look after the key that seals what the database must not show.")
    group.command("status")(secrets.status)
    group.command("rotate")(secrets.rotate)
    group.command("move")(secrets.move)
    group.command("recovery-kit")(secrets.recovery_kit)
    group.command("restore")(secrets.restore)
    return group


def _audit() -> typer.Typer:
    group = typer.Typer(help="The trail of what was done, which nobody changes unseen.")
    group.command("verify")(audit.verify)
    group.command("export")(audit.export)
    group.command("archive")(audit.archive)
    return group


def _bench() -> typer.Typer:
    group = typer.Typer(help="Measure what the gateway costs, on this machine.")
    group.command("orders")(orders.orders)
    group.command("daemon", hidden=True)(orders.daemon)
    return group


def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda wanted: wanted and _say_version(),
            help="Print the version.",
        ),
    ] = False,
) -> None:
    pass


def _say_version() -> None:
    typer.echo(f"mt-gateway {__version__}")
    raise typer.Exit
