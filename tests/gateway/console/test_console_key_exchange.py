"""The exchange of the console's key: all or nothing, whenever it is killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from console_fixtures import CHEAP, IP, PASSWORD, Clock, Machine, approve, offer, person
from sqlalchemy import func, select, text
from warm_process import start_warm

from gateway.console.database import DatabaseError, open_database
from gateway.console.database.model import SEALED, Base, SecretKey
from gateway.console.secret_keys import exchange_console_key
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.credentials.secrets import SecretsError

HOME = "home"


async def filled(home: Path, settings: ConsoleSettings, clock: Clock) -> tuple[str, Machine]:
    """Make a console with something in each sealed column; return its token and machine."""
    async with open_console(home, settings, clock, costs=CHEAP) as console:
        ann, machine = await person(console), Machine()
        _, token = await console.tokens.create(ann.id, "A")
        await approve(console, token, machine)
        await console.request_reset(ann.email)
        await console.resets.settled()
        return token.tid, machine


async def check(console: Console, tid: str, machine: Machine) -> None:
    """See that everything opens: passwords, keys, tokens, mails."""
    await console.users.authenticate("ann@example.com", PASSWORD, IP)
    assert (await offer(console, machine)).tokens[tid].server_key is not None
    async with console.db.session() as session:
        for column in SEALED:
            table = Base.metadata.tables[column.table]
            for row, sealed in await session.execute(
                select(table.c[column.key], table.c[column.column])
            ):
                assert console.box.open(sealed, column.place(row))


async def test_everything_is_sealed_anew(
    console_settings: ConsoleSettings, tmp_path: Path, clock: Clock
):
    """With a new key; the old one is gone, and opens nothing more."""
    home = tmp_path / HOME
    tid, machine = await filled(home, console_settings, clock)
    key = (home / "secrets.key").read_bytes()
    first = await exchange_console_key(home, console_settings)
    second = await exchange_console_key(home, console_settings)
    async with open_console(home, console_settings, clock, costs=CHEAP) as console:
        await check(console, tid, machine)
        async with console.db.session() as session:
            kids = (await session.scalars(select(SecretKey.kid))).all()

    assert (first.kid, second.kid, kids) == ("k2", "k3", ["k3"])
    assert first.rows == second.rows == 6  # root, operational, pepper, browsers, server key, mail
    assert first.left == second.left == ()
    assert (home / "secrets.key").read_bytes() != key
    (home / "secrets.key").write_bytes(key)
    with pytest.raises(SecretsError):
        async with open_console(home, console_settings, clock, costs=CHEAP):
            pass


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("row", range(5))
async def test_killed_at_any_row_all_opens(
    console_settings: ConsoleSettings, database_url: str, tmp_path: Path, clock: Clock, row: int
):
    """And the next exchange clears up what was left."""
    home = tmp_path / HOME
    tid, machine = await filled(home, console_settings, clock)
    script = Path(__file__).with_name("exchange_and_die.py")
    process = await start_warm(sys.executable, script, home, database_url, str(row))
    assert await process.wait() == -9
    async with open_console(home, console_settings, clock, costs=CHEAP) as console:
        await check(console, tid, machine)
    done = await exchange_console_key(home, console_settings)
    async with open_console(home, console_settings, clock, costs=CHEAP) as console:
        await check(console, tid, machine)
        async with console.db.session() as session:
            assert await session.scalar(select(func.count()).select_from(SecretKey)) == 1
    assert done.rows == 6
    assert len((home / "secrets.key").read_text().splitlines()) == 1


async def test_a_secret_that_does_not_open_changes_nothing(
    console_settings: ConsoleSettings, database_url: str, tmp_path: Path, clock: Clock
):
    """All stays with the old key, and no other is left behind."""
    home = tmp_path / HOME
    await filled(home, console_settings, clock)
    key = (home / "secrets.key").read_bytes()
    async with open_database(database_url) as db, db.begin() as session:
        other = "UPDATE tokens SET server_key = (SELECT sealed FROM sealed_values LIMIT 1)"
        await session.execute(text(other))
    with pytest.raises(SecretsError):
        await exchange_console_key(home, console_settings)

    assert (home / "secrets.key").read_bytes() == key
    async with open_console(home, console_settings, clock, costs=CHEAP) as console:
        await console.users.authenticate("ann@example.com", PASSWORD, IP)


async def test_no_key_is_exchanged_under_a_running_console(
    console: Console, console_settings: ConsoleSettings, tmp_path: Path, clock: Clock
):
    """It would seal with the old one; a second console may run beside the first."""
    with pytest.raises(DatabaseError):
        await exchange_console_key(tmp_path / HOME, console_settings)
    async with open_console(tmp_path / HOME, console_settings, clock, costs=CHEAP) as other:
        assert await other.signing.root() == await console.signing.root()


async def test_a_console_that_never_ran_has_nothing_to_seal(
    console_settings: ConsoleSettings, tmp_path: Path
):
    """It gets a key all the same."""
    done = await exchange_console_key(tmp_path / HOME, console_settings)

    assert done.rows == 0
