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


class CliCommand(NamedTuple):
    """A command, and where its function is."""

    place: str
    """``module:function`` within this folder."""
    help: str
    """The first line of the function's docstring."""
    hidden: bool = False


class CliGroup(NamedTuple):
    """Commands of one noun: ``token create``."""

    help: str
    commands: dict[str, str]
    """Their places by name."""
    hidden: frozenset[str] = frozenset()


COMMANDS: dict[str, CliCommand | CliGroup] = {
    "demo": CliCommand(
        "run:demo",
        "Run console, gateway, an emulated terminal and an emulated MT4 server, to try "
        "everything.",
    ),
    "serve": CliCommand(
        "run:serve", "Run the gateway for the EAs of real terminals, or for emulators."
    ),
    "console": CliCommand(
        "console:console",
        "Run the console: the pages where tokens are made, and machines approved and revoked.",
    ),
    "emulator": CliCommand(
        "run:emulator",
        "Run an emulated terminal that links to a gateway in another process.",
    ),
    "agent": CliCommand(
        "agent:agent",
        "Plug a terminal without an EA into a gateway, through the package MetaTrader5.",
    ),
    "manager-emulator": CliCommand(
        "run:manager_emulator",
        "Run an emulated MT4 server whose peer links to a gateway in another process.",
    ),
    "ui": CliCommand("ui:ui", "Open the live page in the browser, signed in."),
    "call": CliCommand("call:call", "Call a method and print its result as JSON."),
    "tail": CliCommand(
        "tail:tail",
        "Show events as they come: live tables, or lines where the output is no screen.",
    ),
    "status": CliCommand(
        "status:status",
        "Tell whether the gateway runs, and how the terminal is. Exit code 1: not all is well.",
    ),
    "halt": CliCommand(
        "halt:halt", "Stop new orders at once, until `resume`; closing and cancelling go on."
    ),
    "resume": CliCommand(
        "halt:resume", "Lift a halt: that of a terminal, or without a name that of all."
    ),
    "drain": CliCommand(
        "drain:drain",
        "Stop the gateway once no order is under way. Exit code 1: it goes on, and why.",
    ),
    "settle": CliCommand(
        "call:settle",
        "Say what became of an order whose outcome is unknown; needs an admin token.",
    ),
    "verify": CliCommand(
        "verify:verify",
        "Approve this machine for the terminal that waits, with the code of the mail.",
    ),
    "doctor": CliCommand(
        "doctor:doctor",
        "Find what is wrong, and tell how to put it right. Exit code 1: there is a problem.",
    ),
    "install-ea": CliCommand(
        "install_ea:install_ea",
        "Copy the Expert Advisor into MetaTrader, and tell what to click then.",
    ),
    "docs": CliCommand("docs:docs", "Open the documents in the browser, without a network."),
    "openrpc": CliCommand(
        "stubs:openrpc",
        "Print the OpenRPC document, which /openrpc.json and rpc.discover give out too.",
    ),
    "asyncapi": CliCommand(
        "stubs:asyncapi",
        "Print the AsyncAPI document of /ws, which /asyncapi.json gives out too.",
    ),
    "history": CliGroup("Copy past prices out of a terminal.", {"pull": "history:pull"}),
    "token": CliGroup(
        "Make, list and end the tokens that open terminals.",
        {
            "create": "token:create",
            "list": "token:list_tokens",
            "replace": "token:replace",
            "limits": "token:set_limits",
            "revoke": "token:revoke",
        },
    ),
    "remote": CliGroup(
        "What programs of other machines need, where they may call.", {"pin": "remote:pin"}
    ),
    "manager-user": CliGroup(
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
    "console-user": CliGroup(
        "Help a user of the console, on the console's own machine.",
        {"second-factor-off": "console_user:second_factor_off"},
    ),
    "secrets": CliGroup(
        "Look after the key that seals what the database must not show.",
        {
            "status": "secrets:status",
            "rotate": "secrets:rotate",
            "move": "secrets:move",
            "recovery-kit": "secrets:recovery_kit",
            "restore": "secrets:restore",
        },
    ),
    "notify": CliGroup(
        "Be told elsewhere of what the gateway does.",
        {"test": "notify:send_test", "secret": "notify:secret"},
    ),
    "audit": CliGroup(
        "The trail of what was done, which nobody changes unseen.",
        {"verify": "audit:verify", "export": "audit:export", "archive": "audit:archive"},
    ),
    "service": CliGroup(
        "Have the system start the gateway when you log in, and again after a crash.",
        {
            "install": "service:install",
            "remove": "service:remove",
            "status": "service:status",
            "logs": "service:logs",
        },
    ),
    "shim": CliGroup(
        "Let programs that import MetaTrader5 find the gateway in its place.",
        {"install": "shim:install", "uninstall": "shim:uninstall"},
    ),
    "update": CliCommand(
        "update:update",
        "Tell how to update and, with --check, whether there is something newer.",
    ),
    "bench": CliGroup(
        "Measure what the gateway costs, on this machine.",
        {
            "all": "bench:all_parts",
            "rpc": "bench:rpc",
            "ws": "bench:ws",
            "fanout": "bench:fanout",
            "ingest": "bench:ingest",
            "history": "bench:history",
            "orders": "bench:orders",
            "daemon": "bench:daemon",
            "terminal": "bench:terminal",
            "echo": "bench:echo",
        },
        hidden=frozenset({"daemon", "terminal", "echo"}),
    ),
    "reference": CliCommand(
        "reference:reference", "Write the pages of docs/reference anew.", hidden=True
    ),
    "stubs": CliCommand("stubs:stubs", "Write the client's typed methods anew.", hidden=True),
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
        # its tracebacks may show local variables: tokens and passwords among them
        pretty_exceptions_enable=False,
        # rich takes longer to import than most commands take to run
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for command_name, entry in COMMANDS.items():
        if name is None:
            hidden = isinstance(entry, CliCommand) and entry.hidden
            app.command(command_name, help=entry.help, hidden=hidden)(_outline)
        elif command_name == name:
            _add(app, name, entry)
    return app


def _add(app: typer.Typer, name: str, entry: CliCommand | CliGroup) -> None:
    if isinstance(entry, CliCommand):
        app.command(name, hidden=entry.hidden)(_function(entry.place))
        return
    group = typer.Typer(help=entry.help)
    for verb, place in entry.commands.items():
        group.command(verb, hidden=verb in entry.hidden)(_function(place))
    app.add_typer(group, name=name)


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"gateway.cli.{module}"), name)


def _named(arguments: Sequence[str]) -> str | None:
    """Return the command that is to be run; ``None`` if all are listed, or nothing is right."""
    for word in arguments:
        if word in ("--help", "--version"):
            break
        if not word.startswith("-"):
            return word if word in COMMANDS else None
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
