"""``secrets``: the key that seals what the database must not show, and where it lies."""

from __future__ import annotations

import asyncio
import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli.audit_notes import note_in
from gateway.cli.home import default_console_home, default_home, own_folder, running
from gateway.cli.output import CliError, known_failures
from gateway.cli.process import keep_memory_private
from gateway.cli.token import ConfigFile, Json

if TYPE_CHECKING:
    from gateway.config import Secrets
    from gateway.console.settings import ConsoleSettings
    from gateway.credentials.secret_keys import Exchanged
    from gateway.home.home_key import HomeKey


HomeOption = Annotated[Path | None, typer.Option(help="Of the gateway; as with serve.")]
OfConsole = Annotated[
    bool, typer.Option("--console", help="The key of the console, not that of the gateway.")
]
To = Literal["file", "keyring", "systemd", "passphrase"]

KIT_PASSPHRASE_FILE = "MT_GATEWAY_KIT_PASSPHRASE_FILE"  # noqa: S105 (a variable's name)


def status(*, home: HomeOption = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Tell where the key lies, whether it fits, and what it seals. Exit code 1: it does not."""
    from gateway.cli.doctor import key

    with _opened(home, config) as (opened, settings, place):
        noted = opened.noted
        finding, _ = key.examine(noted.known, settings, place)
        facts = {
            "home": str(place),
            "store": noted.known.store,
            "place": opened.keys.place,
            "key": noted.known.kid,
            "check": finding.verdict,
            "found": finding.found,
            "remedy": finding.remedy,
            "sealed": opened.sealed(),
            "recovery_kit": None if noted.kit_at is None else noted.kit_at * 1000,
            "not_deleted": [
                {"key": key.known.kid, "store": key.known.store} for key in opened.leftovers()
            ],
        }
    sys.stdout.write((json.dumps(facts, indent=2) if as_json else _table(facts)) + "\n")
    if finding.verdict == "problem":
        raise typer.Exit(1)


def rotate(
    *, home: HomeOption = None, config: ConfigFile = None, console: OfConsole = False
) -> None:
    """Make a new key where the old one lies, seal everything with it, and delete the old one.

    Gateway or console must not run meanwhile. Killed at any moment, it leaves a home that opens.
    """
    if console:
        _exchange_consoles(home, config)
        return
    with _opened(home, config, alone=True) as (opened, _, place):
        keys, had_kit = opened.keys, opened.noted.kit_at is not None
        if keys.name == "systemd":
            raise CliError(
                "systemd's key is made by you: mt-gateway secrets move --to file, make a new "
                "credential as docs/security.md shows, then mt-gateway secrets move --to systemd"
            )
        done = opened.exchange(opened.open())
        _note(place, "key_rotated", done, opened)
        _tell(done, keys.place, had_kit=had_kit)


def move(
    *,
    to: Annotated[To, typer.Option(help="Where the key is to lie.")],
    home: HomeOption = None,
    config: ConfigFile = None,
    console: OfConsole = False,
) -> None:
    """Make a new key in another store, seal everything with it, and delete the old one.

    A home that has no secrets yet is made, with its key there. Gateway or console must not run
    meanwhile.
    """
    if console:
        _exchange_consoles(home, config, to)
        return
    from gateway.home.home_key import NoSecrets

    try:
        with _opened(home, config, alone=True) as (opened, settings, place):
            if opened.noted.known.store == to:
                raise CliError(
                    f"the key lies in the store {to} already; a new one is made there by: "
                    "mt-gateway secrets rotate"
                )
            had_kit = opened.noted.kit_at is not None
            done = opened.exchange(opened.open(), to)
            _note(place, "key_moved", done, opened)
            _tell(done, opened.keys_of(to).place, had_kit=had_kit)
            _tell_setting(settings, to)
    except CliError as complaint:
        if not isinstance(complaint.__cause__, NoSecrets):
            raise
        _make_home(home, config, to)


def recovery_kit(*, home: HomeOption = None, config: ConfigFile = None) -> None:
    """Print the key under a passphrase, for the day on which its store is lost.

    It is shown this once. Keep paper and passphrase apart: both together open the database.
    """
    from gateway.credentials.key_store.passphrase import read_passphrase
    from gateway.credentials.recovery_kit import make_kit

    with _opened(home, config) as (opened, _, place):
        box = opened.open()
        passphrase = read_passphrase(
            new=True, of="the recovery kit", variables=(KIT_PASSPHRASE_FILE,)
        )
        lines = make_kit(box.kek, passphrase)
        # noted before it is shown: what is on paper must not be unknown here
        opened.note_kit(box.kid, int(time.time()))
        note_in(place, "recovery_kit_printed", object=box.kid)
    numbered = "\n".join(f"  {number}.  {line}" for number, line in enumerate(lines, 1))
    sys.stdout.write(
        f"mt-gateway recovery kit, {time.strftime('%Y-%m-%d')}: key {box.kid} of {place}\n\n"
        f"{numbered}\n\n"
        "The way back, with this and its passphrase: mt-gateway secrets restore\n"
        "It holds until the key is exchanged (secrets rotate, move or restore).\n"
    )


def restore(
    kit: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="A file with the kit's lines."),
    ] = None,
    *,
    to: Annotated[
        To | None, typer.Option(help="Where the new key is to lie; as before if absent.")
    ] = None,
    home: HomeOption = None,
    config: ConfigFile = None,
) -> None:
    """Open the database with a recovery kit, and seal everything with a new key.

    Without a file the kit is typed in. The gateway must not run meanwhile.
    """
    from gateway.credentials.key_store.passphrase import read_passphrase
    from gateway.credentials.recovery_kit import open_kit

    with _opened(home, config, alone=True) as (opened, settings, place):
        lines = _typed() if kit is None else _kit_lines(kit)
        passphrase = read_passphrase(
            new=False, of="the recovery kit", variables=(KIT_PASSPHRASE_FILE,)
        )
        box = opened.fits(open_kit(lines, passphrase))
        before = opened.noted.known.store
        done = opened.exchange(box, to)
        _note(place, "key_restored", done, opened)
        _tell(done, opened.keys.place, had_kit=True)
        if to not in (None, before):
            _tell_setting(settings, to)


# --- opening -------------------------------------------------------------------------------


@contextmanager
def _opened(
    home: Path | None, config_file: Path | None, *, alone: bool = False
) -> Iterator[tuple[HomeKey, Secrets, Path]]:
    """Open the key of a home; what is wrong with it becomes a complaint."""
    from gateway.config import load_for
    from gateway.home.home_key import HomeKey

    # before the key is in it
    keep_memory_private()
    place = home or default_home()
    # the lock would say so as well, but not who it is
    other = running(place) if alone else None
    if other is not None:
        raise CliError(
            f"a gateway runs in {place} (process {other.pid}): stop it first, since it holds the "
            "key that is to be exchanged"
        )
    with _explained(place):
        settings = load_for(place, config_file).secrets
        with HomeKey(place, settings, alone=alone) as opened:
            yield opened, settings, place


def _make_home(home: Path | None, config_file: Path | None, to: str) -> None:
    from gateway.config import load_for
    from gateway.credentials.key_store import store_named
    from gateway.home.home import Home

    keep_memory_private()
    place = home or default_home()
    with _explained(place):
        settings = load_for(place, config_file).secrets
        keys = store_named(to, settings, place)
        Home(place, keys).close()
    sys.stdout.write(f"A new home in {place}; its key: {keys.place}.\n")
    _tell_setting(settings, to)


def _exchange_consoles(home: Path | None, config_file: Path | None, to: str | None = None) -> None:
    from gateway.config import load_for

    keep_memory_private()
    place = home or own_folder(default_console_home())
    with _explained(place):
        done = exchange(place, config_file, to)
        settings = load_for(place, config_file).secrets
    if done is None:
        sys.stdout.write(f"A new console in {place}; its key lies in the store {to}.\n")
    else:
        _tell(done, f"in the store {to}" if to else "where the old one lay", had_kit=False)
    if to is not None:
        _tell_setting(settings, to)


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CliError(f"{error.filename or place}: {error.strerror}") from error
    except known_failures() as error:
        raise CliError(str(error)) from error


# --- the kit -------------------------------------------------------------------------------


def _kit_lines(file: Path) -> list[str]:
    """Find the numbered lines in what was printed, or take all there are."""
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise CliError(f"{file} is no recovery kit: it is not text") from None
    numbered = [line for line in lines if line[:1].isdigit() and line[1:2] == "."]
    return numbered or lines


def _typed() -> list[str]:
    """Ask for line after line; one that was mistyped is asked for again."""
    from gateway.credentials.recovery_kit import LINES, KitMistyped, read_line

    if not sys.stdin.isatty():
        raise CliError("there is no terminal to type the kit in; name a file with its lines")
    lines: list[str] = []
    while len(lines) < LINES:
        number = len(lines) + 1
        try:
            lines.append(read_line(number, input(f"  {number}.  ")))
        except KitMistyped as error:
            sys.stderr.write(f"{error}\n")
        except EOFError:
            raise CliError("no kit was given") from None
    return lines


def _note(place: Path, event: str, done: Exchanged, opened: HomeKey) -> None:
    note_in(place, event, object=done.kid, store=opened.noted.known.store, rows=done.rows)


# --- telling -------------------------------------------------------------------------------


def _tell(done: Exchanged, place: str, *, had_kit: bool) -> None:
    sys.stdout.write(f"{done.rows} secrets are sealed with the new key {done.kid}: {place}.\n")
    for reason in done.left:
        sys.stderr.write(f"not deleted yet, but the next time perhaps: {reason}\n")
    if had_kit:
        sys.stdout.write("Recovery kits printed before open nothing of this any more.\n")
    sys.stdout.write("Backups from before need the old key: make a new one of database and key.\n")


def _tell_setting(settings: Secrets, to: str) -> None:
    from gateway.credentials.key_store import chosen_store

    if chosen_store(settings) not in (None, to):
        sys.stdout.write(f'Now write store = "{to}" under [secrets] into your config.toml.\n')


def _table(facts: dict[str, Any]) -> str:
    sealed = ", ".join(f"{count} {name}" for name, count in facts["sealed"].items())
    kit = facts["recovery_kit"]
    rows = {
        "home": facts["home"],
        "store": facts["store"],
        "key": f"{facts['key']}: {facts['found']}",
        "remedy": facts["remedy"],
        "seals": sealed,
        "kit": "none: mt-gateway secrets recovery-kit prints one"
        if kit is None
        else f"printed on {time.strftime('%Y-%m-%d', time.localtime(kit / 1000))}",
        "not deleted": ", ".join(f"{o['key']} in {o['store']}" for o in facts["not_deleted"]),
    }
    return "\n".join(f"{name:<12} {text}" for name, text in rows.items() if text)


def exchange(home: Path, config_file: Path | None, to: str | None = None) -> Exchanged | None:
    """Seal everything of a console with a new key.

    Args:
        home: of the console.
        config_file: with its database, if that is not in the home.
        to: the name of another store for the new key.

    Returns:
        What was done; ``None`` if the console had no key yet, and its first one lies there now.

    Raises:
        CliError: the database cannot be opened, or a console works on it.
        ConfigError, SecretsError: the message says what to do.

    """
    from gateway.config import load_for
    from gateway.console.database import DatabaseError
    from gateway.console.settings import ConsoleSettings

    settings = ConsoleSettings.of(load_for(home, config_file))
    if to is None and not home.is_dir():
        raise CliError(f"there is no console in {home} yet")
    try:
        return asyncio.run(_exchange(home, settings, to))
    except DatabaseError as error:
        raise CliError(str(error)) from error


async def _exchange(home: Path, settings: ConsoleSettings, to: str | None) -> Exchanged | None:
    from gateway.console.database import database_url, open_database
    from gateway.console.secret_keys import current_key, exchange_console_key, open_box
    from gateway.credentials.key_store import store_named

    async with open_database(database_url(home, settings.console_server.database)) as db:
        async with db.session() as session:
            known = await current_key(session)
        if known is None and to is not None:
            await open_box(db, lambda _: store_named(to, settings.secrets, home, console=True))
            return None
    if known is not None and known.store == to:
        raise CliError(f"the key lies in the store {to} already; a new one: secrets rotate")
    return await exchange_console_key(home, settings, to=to)
