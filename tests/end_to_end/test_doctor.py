"""``doctor`` before terminals that are not well: each switch is named by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from commands import run
from product import TIMEOUT_S, Product, daemon, product, until
from typer.testing import CliRunner

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.session import SessionState
from gateway.cli.commands import build
from gateway.cli.doctor import gateway

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-doctor")]

Findings = dict[str, dict[str, Any]]
MAY_WARN = {"broker_time", "round_trip", "wine"}
"""The broker's offset is measured for a while; a busy machine answers late, or has an old Wine."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A daemon with a terminal."""
    async with product(tmp_path_factory.mktemp("doctor") / "home") as one:
        yield one


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not what is looked for here."""
    for limit in ("ANSWER_S", "ALL_S"):
        monkeypatch.setattr(gateway, limit, TIMEOUT_S)


async def examine(one: Product, token: str, *, apart: bool = False) -> Findings:
    """Run the command in a thread, or in a process of its own."""
    base = (one.ready.rpc or "").removesuffix("/rpc")
    place = ("--url", base, "--home", str(one.home.folder), "--auth-token", token)
    arguments = ("doctor", "--json", *place)
    if apart:
        done = await asyncio.to_thread(run, *arguments)
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        ended = await asyncio.to_thread(CliRunner().invoke, build("doctor"), arguments)
        code, out, err = ended.exit_code, ended.stdout, ended.stderr
    found = {finding["name"]: finding for finding in json.loads(out)}
    assert code == bool(problems(found)), err
    assert token not in out + err
    return found


def problems(found: Findings) -> set[str]:
    return {name for name, one in found.items() if one["verdict"] == "problem"}


async def test_all_is_on(running: Product) -> None:
    """Nothing but what time will settle is not well."""
    found = await examine(running, running.main.token, apart=True)
    warnings = {name for name, one in found.items() if one["verdict"] == "warning"}
    assert (problems(found), warnings - MAY_WARN) == (set(), set())


@pytest.mark.parametrize(
    ("switch", "finding", "remedy"),
    [
        ("autotrading", "autotrading", "press AutoTrading"),
        ("connected", "broker", "log in"),
        ("server_autotrading", "expert_trading", "ask the broker"),
        ("trade_allowed", "account_trading", "trading password"),
    ],
)
async def test_a_switch_is_off(running: Product, switch: str, finding: str, remedy: str) -> None:
    """It alone is a problem, and the remedy says where it is."""
    switches = running.main.machine.handler.broker.switches
    session = running.gateway.registry.get("main")
    assert session is not None
    setattr(switches, switch, False)
    try:
        await until(
            lambda: (
                (session.broker, session.autotrading) == (switches.connected, switches.autotrading)
            )
        )
        found = await examine(running, running.main.token)
    finally:
        setattr(switches, switch, True)
    assert problems(found) == {finding}
    assert remedy in found[finding]["remedy"]
    await until(lambda: session.broker is True and session.autotrading is True)


async def test_a_token_that_only_reads(running: Product) -> None:
    """Then the switches of trading may be as they like."""
    token = running.home.issuer.create("reader", scopes=("read",))[0]
    reader = await running.link("reader", build_terminal(), token=token)
    reader.machine.handler.broker.switches.autotrading = False
    found = await examine(running, token)
    assert problems(found) == set()
    assert "only reads" in found["autotrading"]["found"]


async def test_a_terminal_that_was_never_seen(tmp_path: Path) -> None:
    """What has to be done in MetaTrader is told."""
    async with daemon(tmp_path / "home") as one:
        token = one.home.issuer.create("new")[0]
        found = await examine(one, token)
    assert problems(found) == {"terminal"}
    assert "Tools > Options > Expert Advisors" in found["terminal"]["remedy"]
    assert found["autotrading"]["verdict"] == "skipped"


async def test_a_terminal_that_has_gone(tmp_path: Path) -> None:
    """It was there: that is told, with what it was."""
    async with product(tmp_path / "home") as one:
        token = one.main.token
        await one.unplug()
        registry = one.gateway.registry

        def has_gone() -> bool:
            session = registry.get("main")
            return session is None or session.state is SessionState.DISCONNECTED

        await until(has_gone)
        found = await examine(one, token)
    assert problems(found) == {"terminal"}
    assert "not linked any more" in found["terminal"]["found"]
