"""A gateway that cannot read what its last run has left does not start."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import gateway.storage.store
from gateway.app import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.storage.store import LEDGER, Store, StoreError

CONFIG = Config.model_validate({"api": {"port": 0}, "bridge": {"port": 0}})


@pytest.mark.parametrize("table", ["armed", "contingent", "orders"])
async def test_what_is_to_go_on_is_read_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """A dead man's switch, a linked order or an unknown one would be forgotten otherwise, and who
    relies on it would not know.
    """
    whole = Store.all

    def broken(store: Store, sql: str, *values: Any) -> list[Any]:
        if f"FROM {table}" in sql:
            raise StoreError("the disk reports errors")
        return whole(store, sql, *values)

    with Home(tmp_path, CONFIG.secrets.key_file) as home:
        async with Gateway(home, CONFIG).run():
            pass
        with monkeypatch.context() as patched:
            patched.setattr(Store, "all", broken)
            with pytest.raises(StoreError, match="the disk reports errors"):
                async with Gateway(home, CONFIG).run():
                    pass
        async with Gateway(home, CONFIG).run() as ready:
            assert ready.bridge


async def test_damage_of_a_large_ledger_ends_a_gateway_that_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked through beside the work, since that may take minutes; the next start waits."""
    monkeypatch.setattr(gateway.storage.store, "SMALL_BYTES", 0)
    with Home(tmp_path, CONFIG.secrets.key_file) as home:
        async with Gateway(home, CONFIG).run():
            pass
        with closing(sqlite3.connect(tmp_path / LEDGER)) as ledger, ledger:
            ledger.execute("CREATE TABLE filler (text TEXT)")
            ledger.executemany("INSERT INTO filler VALUES (?)", [("x" * 4000,)] * 50)
            ledger.execute("DROP TABLE IF EXISTS store_checked")
        with (tmp_path / LEDGER).open("r+b") as file:
            file.seek(-8 * 4096, 2)
            file.write(b"\xff" * 4096)
        running = Gateway(home, CONFIG)
        async with running.run():
            with pytest.raises(StoreError, match="damaged; restore it from a backup"):
                await running.until_drained()
        with pytest.raises(StoreError, match="damaged; restore it from a backup"):
            Gateway(home, CONFIG)
