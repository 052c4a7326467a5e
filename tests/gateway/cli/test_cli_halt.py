"""``halt`` and ``resume``: with and without a gateway, in a hurry, and never silently in vain."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from shell import Done

from gateway.cli.home import RUN_FILE, home_in_use, run_file, running
from gateway.cli.target import find_target
from gateway.credentials.lease import Tier
from gateway.errors import KillSwitchActive
from gateway.home.home import Home
from gateway.home.ledger import open_ledger, open_ledger_store
from gateway.options import Ready
from gateway.storage.ledger import DATABASE, Ledger
from gateway.trading.kill_switch.switch import KillSwitch, TerminalSwitch

Run = Callable[..., Done]


@contextmanager
def runs(home: Path, kind: Literal["serve", "demo"] = "serve") -> Iterator[int]:
    """Let a home look as if a gateway ran there; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening, run_file(home) as file:
        port: int = listening.getsockname()[1]
        file.write(Ready(rpc=f"http://127.0.0.1:{port}/rpc", bridge="127.0.0.1:1"), kind)
        yield port


def where(home: Path, port: int, kind: str = "serve") -> str:
    return f"gateway: {kind} on port {port} (process {os.getpid()}), home {home}\n"


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
    with runs(home) as port:
        done = run("halt", "--reason", "news", "--home", str(home))
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "all terminals: halted (news); closing and cancelling go on. "
        f"Undo: mt-gateway resume --home {home}\n" + where(home, port)
    )
    with pytest.raises(KillSwitchActive) as refused:
        switch.check(Tier.FULL)
    assert refused.value.data["armed_by"] == "cli"
    assert refused.value.data["reason"] == "news"
    switch.check(Tier.REDUCE)
    assert run("resume", "--home", str(home)).out == (
        f"all terminals: trading goes on\ngateway: none that runs, home {home}\n"
    )
    switch.check(Tier.FULL)
    ledger.close()


async def test_a_gateway_that_starts_later_finds_it(run: Run, home: Path) -> None:
    """The ledger is made where there is none. It is no success: nothing that runs was stopped."""
    done = run("halt", "mt5-a", "--freeze", "--home", str(home))
    assert done.code == 1
    assert done.err == (
        f"mt-gateway: nothing that runs was stopped: no gateway runs in {home}; one that starts "
        "there is halted\n"
    )
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
        f"gateway: none that runs, home {home}",
    ]
    for words, said in (
        (("mt5-a",), "mt5-a: trading goes on\n"),
        (("--all",), "mt5-b: trading goes on\n"),
        ((), "nothing was halted there\n"),
    ):
        assert run("resume", *words, "--home", str(home)).out.startswith(said)


def test_a_name_that_is_nobodys_is_no_halt(run: Run, home: Path) -> None:
    """A typing error must not leave a terminal trading behind somebody's back."""
    store = open_ledger_store(home)
    with store.transaction() as connection:
        connection.execute("INSERT INTO terminal_accounts VALUES ('mt5-a', 1, 'Broker-Demo')")
    store.close()
    done = run("halt", "mt5a", "--home", str(home))
    assert (done.code, done.out) == (2, "")
    assert "there are: mt5-a" in done.err
    with runs(home):
        assert run("halt", "mt5-a", "--home", str(home)).code == 0


def test_a_folder_that_is_nobodys_home_is_no_halt(run: Run, tmp_path: Path) -> None:
    """Nothing is made there, and nobody is told that trading has stopped."""
    for command in (("halt",), ("halt", "--home", str(tmp_path)), ("resume",)):
        done = run(*command)
        assert (done.code, done.out) == (1, "")
        assert "is no home of a gateway" in done.err
    assert list(tmp_path.iterdir()) == []


def test_without_a_gateway_of_ones_own_the_demo_is_meant(run: Run, tmp_path: Path) -> None:
    """Who has nothing but a demo that runs halts that, and looks into its trail; every command
    means it then."""
    home, demo = default_and_demo(tmp_path)
    with runs(demo, "demo") as port:
        done = run("halt")
        assert (done.code, done.err) == (0, "")
        assert f"Undo: mt-gateway resume --home {demo}" in done.out
        assert done.out.endswith(where(demo, port, "demo"))
        assert str(demo) in run("audit", "verify").out
        assert find_target(None, None, None).home == home_in_use() == demo
        assert run("resume").out.startswith("all terminals: trading goes on\n")
    assert home_in_use() == home


def test_a_gateway_of_ones_own_is_meant_though_it_does_not_run(run: Run, tmp_path: Path) -> None:
    """Not the demo that does: no command reaches another gateway because one has ended, and who
    halts is told that orders still go there."""
    home, demo = default_and_demo(tmp_path)
    Home(home).close()
    with runs(demo, "demo") as port:
        done = run("halt")
        assert done.code == 1
        assert f"gateway: none that runs, home {home}\n" in done.out
        assert "nothing that runs was stopped" in done.err
        assert f"demo on port {port} (process {os.getpid()}) runs in {demo}" in done.err
        assert f"mt-gateway halt --home {demo}" in done.err
        for command in (("call", "ping"), ("status",), ("tail", "orders")):
            complaint = run(*command).complaint
            assert complaint.startswith(f"no gateway runs in {home}; demo on port {port}")
        told = json.loads(run("doctor", "--json").out)
        assert f"none runs in {home}" in [one["found"] for one in told]


def test_the_gateway_that_the_environment_names_is_meant_by_every_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``halt`` stops that which ``call`` calls, or says that it cannot; an option counts more."""
    home, demo = default_and_demo(tmp_path)
    Home(home).close()
    with runs(demo, "demo") as port, runs(home) as other:
        monkeypatch.setenv("MT_GATEWAY_URL", f"http://localhost:{port}")
        assert run("halt").out.endswith(where(demo, port, "demo"))
        assert find_target(None, None, None).home == demo
        assert run("halt", "--home", str(home)).out.endswith(where(home, other))
        assert find_target(None, None, home).url == f"http://127.0.0.1:{other}"
        monkeypatch.setenv("MT_GATEWAY_URL", "http://127.0.0.1:1")
        done = run("halt")
        assert (done.code, done.out) == (1, "")
        assert "MT_GATEWAY_URL names http://127.0.0.1:1, and no gateway of a home" in done.err
        both = ("--url", f"http://127.0.0.1:{port}", "--home", str(home))
        assert "is not the gateway in" in run("call", "ping", *both).complaint


def test_a_killed_gateway_does_not_run_though_its_port_answers(run: Run, tmp_path: Path) -> None:
    """Another program has it now, such as the demo: nobody must believe that this one was
    stopped."""
    home, demo = default_and_demo(tmp_path)
    Home(home).close()
    with runs(demo, "demo") as port:
        facts = {"url": f"http://127.0.0.1:{port}", "pid": 1, "bridge": "", "kind": "serve"}
        (home / RUN_FILE).write_text(json.dumps(facts))
        assert running(home) is None
        assert run("halt").code == 1


def test_a_second_halt_tells_its_reason(run: Run, home: Path) -> None:
    """And one without keeps that which is there."""
    first = ("halt", "--reason", "news at two", "--home", str(home))
    assert run(*first).out.startswith("all terminals: halted (news at two);")
    again = ("halt", "--home", str(home), "--freeze")
    assert run(*again).out.startswith("all terminals: halted (news at two);")
    second = ("halt", "--reason", "all day", "--home", str(home))
    assert run(*second).out.startswith("all terminals: halted (all day);")


def default_and_demo(tmp_path: Path) -> tuple[Path, Path]:
    """Return the default home, which is none yet, and that of the demo, which is one."""
    home = tmp_path / "default"
    home.mkdir()
    Home(home / "demo").close()
    return home, home / "demo"


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
    with runs(home):
        assert run("halt", "--home", str(home)).code == 0
    other.close()
