"""A disk that is full: nothing new is put at risk, and all that takes risk away goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import create_token, run, running
from product import Refused, daemon, until
from small_disk import fill, small_disk

from ea_bridge.emulator.factory import build_terminal
from gateway.audit import verify
from gateway.storage.reserve import FILE, Reserve, keep_up
from gateway.storage.store import DATABASE, DiskFull, Store

MIB = 1 << 20
BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
CONFIG = """
[api]
port = 0
[bridge]
port = 0
[secrets]
store = "file"
"""


@pytest.fixture(name="disk")
def make_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 24) as folder:
        yield folder


async def test_positions_are_closed_on_a_full_disk(disk: Path) -> None:
    """New risk is refused, and may come again; closing, cancelling, tightening and halts work for
    hundreds of trades; once there is room all is as before, and the trail is whole."""
    home, reserve = disk / "home", Reserve(disk / "home")
    async with daemon(home, reserve=reserve) as house:
        assert reserve.keep()
        token = (await house.link("main", build_terminal())).token
        client = await house.http(token)
        for _ in range(60):
            await client.call("place_order", **BUY)
        tickets = [one["ticket"] for one in await client.call("get_positions")]
        pending = await client.call(
            "place_order", symbol="EURUSD", type="buy_limit", volume=0.1, price=1.0
        )
        ballast = fill(disk)

        for attempt in range(2):
            with pytest.raises(Refused) as refused:
                await client.call("place_order", client_order_id=f"new-{attempt}", **BUY)
            data = refused.value.data
            assert (data["reason"], data["outcome"]) == ("disk_full", "not_sent")
            assert data["retryable"] is True
            assert data["retry_after_ms"] > 0
        assert not reserve.is_whole, "it was given up"
        for ticket in tickets[:40]:
            assert (await client.call("close_position", ticket=ticket))["order"]
        await client.call("modify_order", ticket=tickets[40], sl=1.0)
        await client.call("cancel_order", ticket=pending["order"]["order"])
        assert (await client.call("set_trading_enabled", enabled=False))[
            "trading_enabled"
        ] is False
        swept = await client.call("close_all_positions")
        assert sorted(swept["closed"]) == sorted(tickets[40:])
        done = await asyncio.to_thread(run, "halt", "--home", str(home))
        assert "all terminals: halted" in done.stdout, done.stderr

        ballast.unlink()
        assert reserve.keep()
        done = await asyncio.to_thread(run, "resume", "--all", "--home", str(home))
        assert done.returncode == 0, done.stderr
        assert (await client.call("place_order", client_order_id="new-0", **BUY))["order"]
        ledger = house.gateway.ledger.reader
        assert verify(ledger).is_intact


async def test_the_reserve_is_made_anew_by_itself(
    disk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says when it is given up and when it is back."""
    monkeypatch.setattr("gateway.storage.reserve.LOOK_S", 0.005)
    reserve = Reserve(disk)
    ballast = fill(disk)
    keeping = asyncio.create_task(keep_up(reserve))
    await until(lambda: "the disk is full" in caplog.text)
    assert not reserve.is_whole
    ballast.unlink()
    await until(lambda: reserve.is_whole)
    await until(lambda: "room again" in caplog.text)
    keeping.cancel()


def test_a_revocation_is_written_on_a_full_disk(disk: Path) -> None:
    """By the command, whether a gateway runs or not."""
    home = disk / "home"
    (disk / "config.toml").write_text(CONFIG)
    create_token(home, "main", "--config", str(disk / "config.toml"))
    assert Reserve(home).keep()
    fill(disk)
    done = run("token", "revoke", "main", "--home", str(home))
    assert done.returncode == 0, done.stderr
    assert "revoked" in run("token", "list", "--home", str(home)).stdout
    assert done.stderr == "", "its note is in the trail, too"


def test_serve_starts_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    """With the reserve of its last run; without any it says where room is needed. No file that was
    being written stays."""
    home, config = disk / "home", tmp_path / "config.toml"
    config.write_text(CONFIG)
    arguments = ("serve", "--config", str(config), "--home", str(home))
    with running(tmp_path / "log.txt", *arguments):
        pass
    assert (home / FILE).stat().st_size == 8 * MIB
    fill(disk)
    (home / "run.json.12345").touch()
    with running(tmp_path / "log.txt", *arguments) as second:
        assert second.ready["home"] == str(home)
    assert "until then nothing new is opened" in (tmp_path / "log.txt").read_text()
    assert (home / FILE).stat().st_size == 0
    found = run("doctor", "--json", "--home", str(home), "--config", str(config)).stdout
    assert "the gateway's reserve is given up" in found
    assert "MB free where" in found

    fill(disk)
    for _ in range(2):
        done = run(*arguments)
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        assert "the disk is full; make room where" in line
        assert str(home) in line
    assert not list(home.glob("run.json*"))


def test_a_full_disk_has_one_text(disk: Path) -> None:
    """Whatever SQLite calls it: no room for a row, for the shared memory, for the file itself."""
    tables, texts = ["CREATE TABLE rows (text TEXT) STRICT"], set()
    Store(disk / "home", tables).close()
    ballast = fill(disk)
    for database in (DATABASE, "another.db"):
        with pytest.raises(DiskFull) as full:
            Store(disk / "home", tables, database=database)
        texts.add(str(full.value).partition(" (")[0].replace("another.db", DATABASE))
    ballast.unlink()
    store = Store(disk / "home", tables)
    ballast = fill(disk)
    with pytest.raises(DiskFull) as full, store.transaction() as connection:
        connection.execute("INSERT INTO rows VALUES (hex(zeroblob(100000)))")
    texts.add(str(full.value).partition(" (")[0])
    file = disk / "home" / DATABASE
    assert texts == {
        f"{file}: the disk is full; make room where {disk / 'home'} lies, then try again"
    }
    ballast.unlink()
    assert store.all("SELECT * FROM rows") == []
    store.close()
    assert not [one.name for one in (disk / "home").iterdir() if "reserve" in one.name]
