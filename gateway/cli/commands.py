"""The commands, put together.

Only the command that is run is imported: a person waits for it, and a program may run hundreds.
For the list of all the first lines of their help stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.main import get_command

from gateway import __version__


class Command(NamedTuple):
    """A command, and where its function is."""

    place: str
    """``module:function`` within this folder."""
    help: str
    """The first line of the function's docstring."""
    hidden: bool = False


class Group(NamedTuple):
    """Commands of one noun: ``token create``."""

    help: str
    commands: dict[str, str]
    """Their places by name."""
    hidden: frozenset[str] = frozenset()


COMMANDS: dict[str, Command | Group] = {
    "demo": Command(
        "run:demo",
        "Run console, gateway, an emulated terminal and an emulated MT4 server, to try "
        "everything.",
    ),
    "serve": Command(
        "run:serve", "Run the gateway for the EAs of real terminals, or for emulators."
    ),
    "console": Command(
        "console:console",
        "Run the console: the pages where tokens are made, and machines approved and revoked.",
    ),
    "emulator": Command(
        "run:emulator",
        "Run an emulated terminal that links to a gateway in another process.",
    ),
    "manager-emulator": Command(
        "run:manager_emulator",
        "Run an emulated MT4 server whose peer links to a gateway in another process.",
    ),
    "call": Command("call:call", "Call a method and print its result as JSON."),
    "tail": Command(
        "tail:tail",
        "Show events as they come: live tables, or lines where the output is no screen.",
    ),
    "status": Command(
        "status:status",
        "Tell whether the gateway runs, and how the terminal is. Exit code 1: not all is well.",
    ),
    "halt": Command(
        "halt:halt", "Stop new orders at once, until `resume`; closing and cancelling go on."
    ),
    "resume": Command(
        "halt:resume", "Lift a halt: that of a terminal, or without a name that of all."
    ),
    "settle": Command(
        "call:settle",
        "Say what became of an order whose outcome is unknown; needs an admin token.",
    ),
    "verify": Command(
        "verify:verify",
        "Approve this machine for the terminal that waits, with the code of the mail.",
    ),
    "doctor": Command(
        "doctor:doctor",
        "Find what is wrong, and tell how to put it right. Exit code 1: there is a problem.",
    ),
    "install-ea": Command(
        "install_ea:install_ea",
        "Copy the Expert Advisor into MetaTrader, and tell what to click then.",
    ),
    "openrpc": Command(
        "stubs:openrpc",
        "Print the OpenRPC document, which /openrpc.json and rpc.discover give out too.",
    ),
    "token": Group(
        "Make, list and end the tokens that open terminals.",
        {
            "create": "token:create",
            "list": "token:list_tokens",
            "replace": "token:replace",
            "limits": "token:set_limits",
            "revoke": "token:revoke",
        },
    ),
    "manager-user": Group(
        "Who may use the REST API for the manager of an MT4 server.",
        {
            "add": "manager_user:add",
            "list": "manager_user:list_users",
            "remove": "manager_user:remove",
            "password": "manager_user:set_password",
            "role": "manager_user:set_role",
            "sign-out": "manager_user:sign_out",
        },
    ),
    "secrets": Group(
        "Look after the key that seals what the database must not show.",
        {
            "status": "secrets:status",
            "rotate": "secrets:rotate",
            "move": "secrets:move",
            "recovery-kit": "secrets:recovery_kit",
            "restore": "secrets:restore",
        },
    ),
    "audit": Group(
        "The trail of what was done, which nobody changes unseen.",
        {"verify": "audit:verify", "export": "audit:export", "archive": "audit:archive"},
    ),
    "bench": Group(
        "Measure what the gateway costs, on this machine.",
        {"orders": "bench:orders", "daemon": "bench:daemon"},
        hidden=frozenset({"daemon"}),
    ),
    "stubs": Command("stubs:stubs", "Write the client's typed methods anew.", hidden=True),
}


def command(arguments: Sequence[str]) -> Callable[[], object]:
    """Return the command line as it is run, with that command alone that the arguments name."""
    return _built(_named(arguments))


@cache
def _built(name: str | None) -> Callable[[], object]:
    return get_command(build(name))


def build(name: str | None = None) -> typer.Typer:
    """Return the command line application.

    Args:
        name: of the one command that it has; ``None`` for the outline of all, to be listed.

    """
    app = typer.Typer(
        name="mt-gateway",
        help="Local gateway for MetaTrader 4 and 5: JSON-RPC and WebSocket for trading bots.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for each, entry in COMMANDS.items():
        if name is None:
            hidden = isinstance(entry, Command) and entry.hidden
            app.command(each, help=entry.help, hidden=hidden)(_outline)
        elif each == name:
            _add(app, each, entry)
    return app


def _add(app: typer.Typer, name: str, entry: Command | Group) -> None:
    if isinstance(entry, Command):
        app.command(name, hidden=entry.hidden)(_function(entry.place))
        return
    group = typer.Typer(help=entry.help)
    for each, place in entry.commands.items():
        group.command(each, hidden=each in entry.hidden)(_function(place))
    app.add_typer(group, name=name)


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"gateway.cli.{module}"), name)


def _named(arguments: Sequence[str]) -> str | None:
    """Return the command that is to be run; ``None`` if all are listed, or nothing is right."""
    for one in arguments:
        if one in ("--help", "--version"):
            break
        if not one.startswith("-"):
            return one if one in COMMANDS else None
    return None


def _outline() -> None:
    raise AssertionError("a command was run that was only to be listed")


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
