"""Alerts of TradingView: posted to a console, carried out by a daemon on an emulated terminal."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from console_site import Linked, Person, Site, linked, site
from product import TIMEOUT_S, until
from sqlalchemy import select
from test_readme import noted

from ea_bridge.token import parse_token
from gateway.console.database.model import HookAlert
from gateway.console.hook_template import HookTemplate
from gateway.console.hooks import AlertInfo
from gateway.credentials.alert import AlertOrder
from gateway.rpc.alerts import AlertCalls

pytestmark = pytest.mark.xdist_group("e2e-alerts")
LIVE = HookTemplate(size="0.10", dry_run=False, deadline_s=300)


@dataclass
class Desk:
    """A trader with a console, a daemon and a terminal."""

    site: Site
    ann: Person
    daemon: Linked
    token: str

    @property
    def tid(self) -> str:
        return parse_token(self.token)

    async def user_id(self) -> str:
        user = await self.site.console.users.by_email(self.ann.email)
        assert user is not None
        return user.id

    async def hook(self, template: HookTemplate = LIVE, name: str = "hook") -> str:
        """Make a hook; return the path of its address."""
        made = await self.site.console.hooks.create(await self.user_id(), name, self.tid, template)
        return f"/hook/{made[0]}"

    async def post(self, path: str, **alert: Any) -> tuple[int, dict[str, Any]]:
        """Post an alert, as TradingView does."""
        message = {"symbol": "EURUSD", "side": "buy", "time": _bar(), **alert}
        async with self.site.http.post(self.site.url + path, json=message) as answer:
            return answer.status, await answer.json()

    async def end(self, path: str, **alert: Any) -> AlertInfo:
        """Post an alert and wait until the console knows what became of it."""
        status, said = await self.post(path, **alert)
        assert status == 202, said
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                newest = (await self.alerts())[0]
                if newest.status not in ("waiting", "told"):
                    return newest
                await asyncio.sleep(0.02)

    async def alerts(self) -> list[AlertInfo]:
        return list(await self.site.console.hooks.alerts(await self.user_id()))

    async def positions(self) -> list[dict[str, Any]]:
        client = await self.daemon.http(self.token)
        found: list[dict[str, Any]] = await client.call("get_positions")
        return found


def _bar() -> str:
    return datetime.now(UTC).replace(second=0, microsecond=0).isoformat()


@asynccontextmanager
async def desk(folder: Path, *, accept_alerts: bool = True) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(site(folder / "console"))
        ann = await place.person()
        daemon = await stack.enter_async_context(
            linked(folder / "daemon", place.url, root=place.root, accept_alerts=accept_alerts)
        )
        token = await ann.make_token("main", scopes=["admin"])
        running = await daemon.terminal(ann, token=token)
        built = Desk(place, ann, daemon, running.token)
        # the console hears of the terminal's session a moment after the daemon
        async with asyncio.timeout(TIMEOUT_S):
            while (await ann.terminals_of(running.token))[0]["state"] != "online":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield built


async def test_an_alert_becomes_one_order(tmp_path: Path) -> None:
    """However often it is posted; what the token may not do, its hook may not either."""
    async with desk(tmp_path) as one:
        path = await one.hook()
        end = await one.end(path, id="long")
        assert (end.status, end.volume) == ("done", "0.1"), end
        again = await asyncio.gather(*(one.post(path, id="long") for _ in range(5)))
        assert {status for status, _ in again} == {200}
        assert {said["status"] for _, said in again} == {"repeated"}
        [position] = await one.positions()
        assert (position["symbol"], position["volume"]) == ("EURUSD", 0.1)
        assert (await one.alerts())[0].repeats == 5

        dry = await one.end(await one.hook(HookTemplate(size="0.10", deadline_s=300)))
        assert dry.status == "checked", dry
        await _by_curl(one)
        await _risk(one)
        await _refusals(one, path)


async def _by_curl(one: Desk) -> None:
    """As docs/tradingview.md shows it."""
    (shown,) = noted("tests/end_to_end/test_alert_orders.py", "sh")
    hook = one.site.url + await one.hook(HookTemplate(size="0.10", deadline_s=300), "shown")
    said = await asyncio.to_thread(
        subprocess.check_output, ("sh", "-c", shown.code), env={**os.environ, "HOOK": hook}
    )
    assert json.loads(said)["status"] == "accepted", said


async def _risk(one: Desk) -> None:
    """Lots by a share of the equity at the stop loss; rounded down."""
    template = HookTemplate(
        sizing="risk",
        size="0.5",
        sl="percent",
        sl_pct="1",
        tp="percent",
        tp_pct="2",
        dry_run=False,
        deadline_s=300,
    )
    end = await one.end(await one.hook(template), id="risk")
    assert end.status == "done", end
    newest = max(await one.positions(), key=lambda position: int(position["ticket"]))
    client = await one.daemon.http(one.token)
    lost = await client.call(
        "order_calc_profit",
        symbol="EURUSD",
        side="buy",
        volume=newest["volume"],
        price_open=newest["price_open"],
        price_close=newest["sl"],
    )
    account = await client.call("get_account_info")
    assert 0.4 < -lost["profit"] / account["equity"] * 100 < 0.55
    assert newest["tp"] > newest["price_open"] > newest["sl"]


async def _refusals(one: Desk, path: str) -> None:
    """Limits, halt, an unknown symbol, a late alert: nothing is sent, and the console says why."""
    count = len(await one.positions())
    nowhere = await one.end(path, id="nowhere", symbol="NOSUCH")
    assert (nowhere.status, nowhere.error) == ("not_sent", "symbol_not_found")
    # its deadline over, and told again: the journal knows the one, and nothing of the other
    calls = AlertCalls(lambda: one.daemon.gateway._web.context, one.daemon.gateway.gate)
    envelope = await _envelope(one)
    late = envelope.model_copy(update={"aid": "tv-" + "0" * 40})
    for again in (False, True):
        told = await calls.execute(late, 0, again=again)
        assert told is not None
        assert told.outcome == "late"
    told = await calls.execute(envelope, 0, again=True)
    assert told is not None
    assert (told.outcome, told.volume) == ("done", "0.1")
    other = envelope.model_copy(update={"aid": "tv-" + "1" * 40, "login": 1})
    told = await calls.execute(other, 30, again=False)
    assert told is not None
    assert (told.outcome, told.error) == ("not_sent", "another_account")
    assert await calls.execute(other, 30, again=True) is None
    client = await one.daemon.http(one.token)
    await client.call("set_trading_enabled", enabled=False)
    halted = await one.end(path, id="halted")
    assert (halted.status, halted.error) == ("not_sent", "kill_switch_active")
    await client.call("set_trading_enabled", enabled=True)
    limits = {"limits": {"max_lot": "0.01"}}
    await one.ann.ask("PUT", f"/tokens/{one.tid}/limits", limits)
    gate = one.daemon.gateway.gate
    await until(lambda: gate.limits(one.tid).max_lot == "0.01")
    limited = await one.end(path, id="limited")
    assert (limited.status, limited.error) == ("not_sent", "risk_limit")
    assert len(await one.positions()) == count


async def _envelope(one: Desk) -> AlertOrder:
    """Return the signed order of the first alert, as the daemon verifies it."""
    async with one.site.console.db.session() as session:
        rows = (await session.scalars(select(HookAlert).order_by(HookAlert.id))).all()
    console = one.daemon.gateway._console
    assert console is not None
    return console.offers.alert(rows[0].envelope)
