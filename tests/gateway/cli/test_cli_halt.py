"""``halt`` and ``resume``: with and without a gateway, in a hurry, and never silently in vain."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Done

from gateway.app.ledger import open_ledger, open_ledger_store
from gateway.auth.home import Home
from gateway.cli.home import RUN_FILE
from gateway.credentials.tier import Tier
from gateway.errors import KillSwitchActive
from gateway.ledger import DATABASE, Ledger
from gateway.trading.kill_switch.switch import KillSwitch, TerminalSwitch

Run = Callable[..., Done]


@pytest.fixture(name="home")
def make_home(tmp_path: Path) -> Path:
    """A home in which no gateway has run yet."""
    folder = tmp_path / "home"
    Home(folder).close()
    return folder


def open_switch(home: Path) -> tuple[Ledger, TerminalSwitch]:
    ledger = open_ledger(home)
    return ledger, KillSwitch(ledger).of("mt5-a")


async def test_a_gateway_that_runs_meets_it_with_the_next_order(run: Run, home: Path) -> None:
    """And goes on with the next one after ``resume``."""
    ledger, switch = open_switch(home)
    switch.check(Tier.FULL)
    done = run("halt", "--reason", "news", "--home", str(home))
    assert done.code == 0
    assert done.out == (
        "all terminals: halted; closing and cancelling go on. "
        f"Undo: mt-gateway resume --home {home}\n"
    )
    with pytest.raises(KillSwitchActive) as refused:
        switch.check(Tier.FULL)
    assert refused.value.data["armed_by"] == "cli"
    assert refused.value.data["reason"] == "news"
    switch.check(Tier.REDUCE)
    assert run("resume", "--home", str(home)).out == "all terminals: trading goes on\n"
    switch.check(Tier.FULL)
    ledger.close()


async def test_a_gateway_that_starts_later_finds_it(run: Run, home: Path) -> None:
    """The ledger is made where there is none."""
    assert run("halt", "mt5-a", "--freeze", "--home", str(home)).code == 0
    ledger, switch = open_switch(home)
    with pytest.raises(KillSwitchActive):
        switch.check(Tier.REDUCE)
    ledger.close()


def test_what_was_halted_by_itself_stays_halted(run: Run, home: Path) -> None:
    """``resume`` says so, and how to lift it; ``--all`` lifts everything."""
    for name in ("mt5-a", "mt5-b"):
        run("halt", name, "--home", str(home))
    run("halt", "--home", str(home))
    done, at = run("resume", "--home", str(home)), f" --home {home}"
    assert done.out.splitlines() == [
        "all terminals: trading goes on",
        f"mt5-a: still halted by cli; lift it with mt-gateway resume mt5-a{at}",
        f"mt5-b: still halted by cli; lift it with mt-gateway resume mt5-b{at}",
    ]
    assert run("resume", "mt5-a", "--home", str(home)).out.startswith("mt5-a: trading goes on\n")
    assert run("resume", "--all", "--home", str(home)).out == "mt5-b: trading goes on\n"
    assert run("resume", "--home", str(home)).out == "nothing was halted there\n"


def test_a_name_that_is_nobodys_is_no_halt(run: Run, home: Path) -> None:
    """A typing error must not leave a terminal trading behind somebody's back."""
    store = open_ledger_store(home)
    with store.transaction() as connection:
        connection.execute("INSERT INTO terminal_accounts VALUES ('mt5-a', 1, 'Broker-Demo')")
    store.close()
    done = run("halt", "mt5a", "--home", str(home))
    assert (done.code, done.out) == (2, "")
    assert "there are: mt5-a" in done.err
    assert run("halt", "mt5-a", "--home", str(home)).code == 0


def test_a_folder_that_is_nobodys_home_is_no_halt(run: Run, tmp_path: Path) -> None:
    """Nothing is made there, and nobody is told that trading has stopped."""
    for command in (("halt",), ("halt", "--home", str(tmp_path)), ("resume",)):
        done = run(*command)
        assert (done.code, done.out) == (1, "")
        assert "is no home of a gateway" in done.err
    assert list(tmp_path.iterdir()) == []


def test_without_a_gateway_of_ones_own_the_demo_is_meant(run: Run, tmp_path: Path) -> None:
    """Who has nothing but a demo that runs halts that, and looks into its trail."""
    demo = tmp_path / "default" / "demo"
    (tmp_path / "default").mkdir()
    Home(demo).close()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        facts = {"url": url, "pid": 1, "bridge": "127.0.0.1:1"}
        (demo / RUN_FILE).write_text(json.dumps(facts))
        done = run("halt")
        assert (done.code, done.err) == (0, "")
        assert f"Undo: mt-gateway resume --home {demo}" in done.out
        assert str(demo) in run("audit", "verify").out
        assert run("resume").out == "all terminals: trading goes on\n"
        Home(tmp_path / "default").close()
        done = run("halt")
    assert done.out.endswith("Undo: mt-gateway resume\n")
    assert done.err == (
        f"No gateway answers in {tmp_path / 'default'}; one that starts there is halted.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("halt", "--home", "/nowhere/at/all"), 1, "is no home of a gateway"),
        (("halt", "--reason", "a\nb"), 2, "--reason"),
        (("halt", "--reason", "x" * 201), 2, "--reason"),
        (("resume", "mt5-a", "--all"), 2, "not both"),
    ],
)
def test_what_cannot_be_done_is_said(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_who_cannot_write_is_told_what_stops_trading(run: Run, home: Path) -> None:
    """A damaged ledger: one line, with the way out."""
    (home / DATABASE).write_bytes(b"no database" * 100)
    done = run("halt", "--home", str(home))
    assert done.code == 1
    assert "turn off AutoTrading" in done.err


def test_it_waits_for_the_daemons_own_write(run: Run, home: Path) -> None:
    """And says so where that takes too long, without a traceback."""
    open_ledger_store(home).close()
    other = sqlite3.connect(home / DATABASE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.cli.halt.BUSY_S", 0.05)
        done = run("halt", "--home", str(home))
    assert done.code == 1
    assert "locked" in done.err
    other.execute("ROLLBACK")
    assert run("halt", "--home", str(home)).code == 0
    other.close()
