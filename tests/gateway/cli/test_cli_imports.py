"""What a short command does not import: people wait for it, and programs run it all the time."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from demo_process import Demo, clean_environment

from gateway.cli.commands import COMMANDS, CliCommand, CliGroup
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store

HEAVY = {
    *("aiohttp", "alembic", "asyncpg", "jinja2", "jsonrpcserver", "keyring", "rich"),
    *("sqlalchemy", "uvloop", "websockets"),
    *("gateway.app", "gateway.rpc.catalogue", "gateway.client.client", "gateway.console"),
    *("gateway.rpc.methods", "gateway.streams", "gateway.rpc", "ea_bridge.emulator"),
    *("ea_bridge.simulation", "ea_bridge.mt4_manager.emulator"),
}
"""Servers, consoles and screens: each takes longer to load than a short command to run."""
OF_A_HOME = {"asyncio", "cryptography", "gateway.config", "sqlite3"}
OF_ARGUMENTS = {"pydantic"}
"""Typer needs it as soon as a command has options."""
PROGRAM = """
import json, sys
from gateway.cli import main
try:
    main()
except SystemExit:
    pass
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def imported(*arguments: str) -> set[str]:
    """Run a command in a fresh Python; return all that it has imported."""
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM, *arguments),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("nothing-of-that-name",)])
def test_what_only_tells_of_commands_imports_none(arguments: tuple[str, ...]) -> None:
    """The first lines of their help stand in one table."""
    if arguments[0].startswith("--"):
        assert not imported(*arguments) & (HEAVY | OF_A_HOME | OF_ARGUMENTS)
    else:
        done = subprocess.run(
            (sys.executable, "-m", "gateway", *arguments),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "No such command" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "ping"),
        ("call", "get_account_info"),
        ("status",),
    ],
)
def test_a_call_imports_the_standard_library_alone(demo: Demo, arguments: tuple[str, ...]) -> None:
    """And what reads JSON: no HTTP client that makes its certificates ready first."""
    found = imported(*arguments, "--home", demo.home)
    assert not found & (HEAVY | {"cryptography", "gateway.config"})


@pytest.mark.parametrize("arguments", [("token", "list"), ("token", "create", "--name", "b")])
def test_a_token_is_made_without_a_server(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The database and its key are enough."""
    with Home(tmp_path) as home:
        home.issuer.create("a")
    open_ledger_store(tmp_path).close()
    assert not imported(*arguments, "--home", str(tmp_path)) & HEAVY


def test_who_halts_waits_for_nothing(demo: Demo) -> None:
    """Neither a loop nor cryptography."""
    found = imported("halt", "--home", demo.home)
    assert not found & (HEAVY | (OF_A_HOME - {"sqlite3"}))
    imported("resume", "--home", demo.home)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_they_say_themselves(name: str) -> None:
    """Each line of it is the first one of the command's own help."""
    entry = COMMANDS[name]
    places = entry.commands.values() if isinstance(entry, CliGroup) else (entry.place,)
    for place in places:
        module, _, function = place.partition(":")
        told = getattr(import_module(f"gateway.cli.{module}"), function).__doc__
        assert told
        if isinstance(entry, CliCommand):
            assert entry.help == told.strip().splitlines()[0]
