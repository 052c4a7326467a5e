"""The console's database: migrated by itself, durable, opened with its own key alone."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from console_fixtures import (
    CHEAP,
    IP,
    PASSWORD,
    Clock,
    Machine,
    approve,
    events,
    offer,
    person,
)
from sqlalchemy import Connection, select, text
from warm_process import start_warm

from gateway.console.database import (
    Database,
    DatabaseError,
    NewerDatabase,
    after_commit,
    open_database,
)
from gateway.console.database.engine import HEAD, newest
from gateway.console.database.model import SEALED, Base, SealedValue, Token
from gateway.console.links import RESET
from gateway.console.records import server_key_place
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.credentials.secrets import Place, SecretsError

posix = pytest.mark.skipif(os.name != "posix", reason="modes and signals are POSIX's")


VERSION = text("SELECT version_num FROM alembic_version")


def differences(connection: Connection) -> list[object]:
    """Compare the tables with the model."""
    return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


async def test_a_new_database_is_what_the_model_says(empty_database_url: str):
    """On both databases; opened again nothing happens."""
    for _ in range(2):
        async with open_database(empty_database_url) as db, db.engine.connect() as connection:
            assert await connection.run_sync(differences) == []
            assert await connection.scalar(VERSION) == HEAD == newest()


async def test_the_migrations_make_what_the_model_says(empty_database_url: str):
    """A database that was made by the first version, and opened by this one."""
    async with open_database(empty_database_url) as db, db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.execute(text("DELETE FROM alembic_version"))
    async with open_database(empty_database_url) as db, db.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.scalar(VERSION) == HEAD


async def test_a_database_that_is_up_to_date_needs_no_alembic(tmp_path: Path):
    """It would make each start of the console longer."""
    code = (
        "import asyncio, sys\n"
        "from gateway.console.database import open_database\n"
        "async def main():\n"
        "    for _ in range(2):\n"
        "        async with open_database(sys.argv[1]): pass\n"
        "asyncio.run(main())\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'alembic']\n"
    )
    url = f"sqlite:///{tmp_path / 'console.db'}"
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", code, url)
    assert await program.wait() == 0


async def test_a_newer_database_is_left_alone(empty_database_url: str):
    """This version would not know what it breaks."""
    async with open_database(empty_database_url) as db, db.begin() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(NewerDatabase):
        async with open_database(empty_database_url):
            pass


async def test_many_open_a_new_database_at_once(
    empty_database_url: str, tmp_path: Path, clock: Clock, console_settings: ConsoleSettings
):
    """One makes the tables, one the keys, and all open it."""
    server = console_settings.console_server.model_copy(update={"database": empty_database_url})
    settings = ConsoleSettings(console_server=server, secrets=console_settings.secrets)

    async def root() -> bytes:
        async with open_console(tmp_path / "home", settings, clock, costs=CHEAP) as console:
            return (await console.signing.root()).public_bytes_raw()

    assert len(set(await asyncio.gather(*(root() for _ in range(4))))) == 1


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://localhost/x", "sqlite:////nowhere/at/all.db"]
)
async def test_what_cannot_be_opened_is_said(url: str):
    """In words for whoever wrote the configuration, without the password."""
    with pytest.raises(DatabaseError):
        async with open_database(url):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/console",
        "postgresql://me@127.0.0.1:1/console?password=hunter2",
        "postgresql://me:a@hunter2@127.0.0.1:1/console",
    ],
)
async def test_a_server_that_is_not_there_is_said_without_its_password(url: str):
    """Wherever it stands, with an @ in it as well: the complaint may be in a log."""
    with pytest.raises(DatabaseError) as refused:
        async with open_database(url):
            pass

    assert "hunter2" not in str(refused.value)
    assert "127.0.0.1:1/console" in str(refused.value)


@posix
async def test_the_home_is_its_owners_alone(tmp_path: Path, clock: Clock):
    """Folder, database and what SQLite writes beside it."""
    home = tmp_path / "deep" / "home"
    settings = ConsoleSettings(
        secrets=ConsoleSettings().secrets.model_copy(update={"store": "file"})
    )
    async with open_console(home, settings, clock, costs=CHEAP):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}

    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert modes["console.db"] == modes["console.db-wal"] == modes["secrets.key"] == 0o600


async def test_sqlite_is_durable(tmp_path: Path):
    """A commit is on disk; foreign keys hold."""
    url = f"sqlite:///{tmp_path / 'console.db'}"
    async with open_database(url) as db, db.session() as session:
        said = [
            await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert said == ["wal", 2, 1, 5000]


async def test_a_transaction_within_a_transaction_is_refused(console: Console):
    """It would wait for itself."""
    async with console.db.begin():
        with pytest.raises(RuntimeError):
            async with console.db.begin():
                pass
    async with console.db.begin():
        pass


async def test_what_follows_a_commit_is_called_once_it_is_on_disk(console: Console):
    """And never for what was rolled back."""
    called: list[str] = []

    async def fail(db: Database) -> None:
        async with db.begin() as session:
            after_commit(session, lambda: called.append("never"))
            raise ZeroDivisionError

    async with console.db.begin() as session:
        after_commit(session, lambda: called.append("after"))
        assert called == []
    with pytest.raises(ZeroDivisionError):
        await fail(console.db)
    assert called == ["after"]


async def test_a_console_keeps_to_its_key(
    console: Console, console_settings: ConsoleSettings, tmp_path: Path, clock: Clock
):
    """With the key gone or another one nothing starts, and nothing is changed."""
    root = await console.signing.root()
    path = tmp_path / "home" / "secrets.key"
    key = path.read_bytes()

    async def opened() -> object:
        async with open_console(tmp_path / "home", console_settings, clock, costs=CHEAP) as other:
            return await other.signing.root()

    path.unlink()
    with pytest.raises(SecretsError):
        await opened()
    assert not path.exists()
    path.write_bytes(b"A" * 43 + b"\n")
    path.chmod(0o600)
    with pytest.raises(SecretsError):
        await opened()
    path.write_bytes(key)
    assert await opened() == root


async def test_what_is_sealed_opens_in_its_place_alone(console: Console):
    """A server key moved to another token's row, or to another column, does not open."""
    ann = await person(console)
    _, one = await console.tokens.create(ann.id, "A")
    _, two = await console.tokens.create(ann.id, "B")
    async with console.db.session() as session:
        row = await session.get_one(Token, one.tid)

    assert len(console.tokens.server_key(row)) == 32
    for place in (
        server_key_place(two.tid),
        Place("tokens", one.tid, "stored_key"),
        Place("records", one.tid, "server_key"),
        Place("tokens", one.tid, "server_key", version=2),
    ):
        with pytest.raises(SecretsError):
            console.box.open(row.server_key, place)


async def dump(console: Console) -> str:
    """Return all rows of all tables as text."""
    async with console.db.session() as session:
        rows = [
            tuple(row)
            for table in Base.metadata.sorted_tables
            for row in await session.execute(select(table))
        ]
    return repr(rows)


async def test_a_thief_of_the_database_has_no_secret(
    console_settings: ConsoleSettings,
    tmp_path: Path,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
):
    """Neither in its rows nor in its files nor in the log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "sqlalchemy.engine")  # at DEBUG it shows whole rows
    async with open_console(tmp_path / "home", console_settings, clock, costs=CHEAP) as console:
        await look_for_secrets(console, tmp_path / "home", caplog)


def files_of(home: Path) -> bytes:
    """Return all that lies in the files of the database."""
    return b"".join(path.read_bytes() for path in home.glob("console.db*"))


async def look_for_secrets(console: Console, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Plant secrets and look for them."""
    ann, machine = await person(console), Machine()
    text_, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    told = await offer(console, machine)
    session = await console.sessions.create(ann, IP, "x")
    link = await console.links.make(RESET, ann.id, 600)
    async with console.db.session() as reading:
        pepper = (await reading.get_one(SealedValue, "pepper")).sealed
        row = await reading.get_one(Token, token.tid)
    server_key = told.tokens[token.tid].server_key or ""
    planted = [
        text_,
        text_[16:48],
        PASSWORD,
        session,
        link,
        server_key,
        console.tokens.server_key(row).hex(),
        console.box.open(pepper, Place("sealed_values", "pepper", "sealed")).hex(),
        console.box.kek.hex(),
        machine.key.private_bytes_raw().hex(),
    ]

    everything = await dump(console)
    assert token.tid in everything
    assert [secret for secret in planted if secret in everything] == []
    assert "INSERT INTO tokens" in caplog.text
    assert [secret for secret in (*planted, row.stored_key) if secret in caplog.text] == []
    stored = files_of(home)
    raw = [bytes.fromhex(text) for text in planted if len(text) == 64]
    assert [text for text in planted if text.encode() in stored] == []
    assert [digest for digest in raw if digest in stored] == []


async def test_all_that_is_sealed_is_listed(console: Console):
    """So that an exchange of the key finds it."""
    ann = await person(console)
    await console.tokens.create(ann.id, "A")
    await console.request_reset(ann.email)
    await console.resets.settled()
    await console.second_factors.begin(ann)
    async with console.db.session() as session:
        found = {
            (table.name, column.name)
            for table in Base.metadata.sorted_tables
            for row in (await session.execute(select(table))).mappings()
            for column in table.columns
            if str(row[column.name]).startswith("mgs1.")
        }

    assert found == {(sealed.table, sealed.column) for sealed in SEALED}


@posix
@pytest.mark.parametrize("what", ["token", "device", "user"])
async def test_a_revocation_survives_the_death_of_the_console(
    console: Console, tmp_path: Path, database_url: str, what: str
):
    """Killed as soon as it is done: it is done, and the devices will be told."""
    await person(console, "root", admin=True)
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    which = {"token": token.tid, "device": machine.did, "user": "-"}[what]
    script = Path(__file__).with_name("revoke_and_die.py")
    process = await start_warm(
        sys.executable, script, tmp_path / "home", database_url, what, ann.id, which
    )
    assert await process.wait() == -9

    told = await offer(console, machine)
    assert told.lease(token.tid) is None
    ending = {"token": "token.revoked", "device": "device.revoked", "user": "user.disabled"}[what]
    assert [event.type for event in await events(console, machine)][-1] == ending
    if console.db.is_sqlite:
        with sqlite3.connect(tmp_path / "home" / "console.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
