"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import run


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
    for command in (run.demo, run.serve, run.emulator):
        app.command()(command)
    return app


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"mt-gateway {__version__}")
        raise typer.Exit
