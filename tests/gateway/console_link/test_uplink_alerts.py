"""Alerts that the console hands down: taken where the setting says so, each executed once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from link_fixtures import House, until
from scripted_console import ISSUER, ScriptedConsole, Signer

from ea_bridge.token import parse_token
from gateway.console_link import Uplink
from gateway.credentials.alert import AlertOrder
from gateway.credentials.daemon_api import AlertOutcome
from gateway.credentials.record import AUDIENCE
from gateway.errors import Unauthorized


@dataclass
class Executor:
    """Executor that notes what it is asked for, and answers what a test says."""

    asked: list[tuple[str, bool]] = field(default_factory=list)
    outcome: str = "done"
    may_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def execute(
        self, alert: AlertOrder, left_s: float, *, again: bool
    ) -> AlertOutcome | None:
        assert left_s <= 30
        self.asked.append((alert.aid, again))
        await self.may_go.wait()
        if not self.outcome:
            return None
        return AlertOutcome.model_validate({"aid": alert.aid, "outcome": self.outcome})


def signed(console: Signer, tid: str, number: int = 0, **changes: Any) -> str:
    """Return an alert as the console signs it."""
    now = console.now_s()
    order = {"v": 1, "iss": ISSUER, "aud": AUDIENCE, "did": console.did, "tid": tid}
    order |= {"aid": f"tv-{number:040x}", "login": 1, "server": "Demo", "symbol": "EURUSD"}
    order |= {"side": "buy", "volume": "0.1", "iat": now, "exp": now + 30, **changes}
    return console.sign("alert", order)


async def push(console: ScriptedConsole, envelope: str, *, again: bool = False) -> None:
    for socket in tuple(console.sockets):
        with suppress(ConnectionError):
            await socket.send_json({"t": "alert", "e": envelope, "again": again})


async def tell(console: ScriptedConsole, envelope: str, happened: Callable[[], object]) -> None:
    """Tell an alert until something has happened, as a console does: a stream may be lost."""
    async with asyncio.timeout(30):
        while not happened():
            await push(console, envelope)
            await asyncio.sleep(0.05)


def ended(console: ScriptedConsole, number: int, outcome: str) -> Callable[[], bool]:
    """Return what looks whether the daemon has said this of an alert since it was asked last."""

    def look() -> bool:
        while not console.said.empty():
            said = console.said.get_nowait()
            if said["t"] == "alert" and said["aid"] == f"tv-{number:040x}":
                found.append(said["outcome"])
        return outcome in found

    found: list[str] = []
    return look


async def let_in(house: House, token: str, uplink: Uplink) -> None:
    await until(lambda: house.reason(token) == "" and uplink.status().connected, 30)
    await until(lambda: house.script.sockets, 30)


def asks_for_alerts(console: ScriptedConsole) -> bool:
    socket = next(iter(console.sockets))
    assert socket._req is not None
    return socket._req.query.get("alerts") == "1"


async def test_alerts_are_taken_only_where_the_setting_says_so(
    house: House, console: ScriptedConsole
) -> None:
    """A daemon without it neither asks for them nor carries out one that comes all the same."""
    token = console.create()
    tid = parse_token(token)
    async with house.running() as uplink:
        await let_in(house, token, uplink)
        assert not asks_for_alerts(console)
        await push(console, signed(console, tid))
        await console.push(console.revoke(tid))
        async with asyncio.timeout(30):
            while (said := await console.said.get())["t"] != "ack":
                assert said["t"] == "report"
    with pytest.raises(Unauthorized):
        house.gate.admit_signed(tid)


async def test_an_alert_is_executed_once_however_often_it_is_told(
    house: House, console: ScriptedConsole
) -> None:
    """While it runs, and after it; only of what nobody knows is asked again."""
    token, executor = console.create(), Executor()
    tid = parse_token(token)
    first, second = signed(console, tid), signed(console, tid, 1)
    async with house.running(alerts=executor) as uplink:
        await let_in(house, token, uplink)
        assert house.gate.admit_signed(tid).tid == tid
        assert asks_for_alerts(console)
        for _ in range(3):
            await push(console, first, again=True)
        await tell(console, first, lambda: executor.asked)
        # what comes after them is taken: so all of them were
        await tell(console, signed(console, tid, 9), lambda: len(executor.asked) == 2)
        executor.may_go.set()
        for _ in range(2):
            await tell(console, first, ended(console, 0, "done"))
        executor.outcome = "unknown"
        await tell(console, second, ended(console, 1, "unknown"))
        executor.outcome = "done"
        await tell(console, second, ended(console, 1, "done"))
    asked = [int(aid[3:], 16) for aid, _ in executor.asked]
    assert (asked[:2], set(asked[2:])) == ([0, 9], {1})
    assert [again for _, again in executor.asked[2:]] == [False] + [True] * (len(asked) - 3)


async def test_an_alert_that_is_not_meant_is_not_executed(
    house: House, console: ScriptedConsole
) -> None:
    """Of another key, for another device, of another kind, or that says two things."""
    token, executor = console.create(), Executor()
    tid = parse_token(token)
    executor.may_go.set()
    stranger = Signer()
    stranger.know(console.did, console.pub)
    good = signed(console, tid)
    kind, kid, body, signature = good.removeprefix("mg1.").split(".")
    async with house.running(alerts=executor) as uplink:
        await let_in(house, token, uplink)
        for envelope in (
            signed(stranger, tid),
            signed(console, tid, did="a" * 52),
            signed(console, tid, risk_pct="1"),
            signed(console, tid, volume=None),
            signed(console, tid, sl="1", sl_pct="1"),
            signed(console, tid, iss="somebody"),
            f"mg1.evt.{kid}.{body}.{signature}",
            f"mg1.{kind}.{kid}.{body[:-2]}AA.{signature}",
            console.event("token.updated", tid),
            json.dumps({}),
        ):
            await push(console, envelope)
        await tell(console, signed(console, tid, 7), ended(console, 7, "done"))
    assert executor.asked == [(f"tv-{7:040x}", False)]
