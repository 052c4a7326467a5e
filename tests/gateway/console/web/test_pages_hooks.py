"""Hooks on the pages: made, seen once, changed, ended; and the address that takes alerts."""

from __future__ import annotations

import json
import logging
import re

import pytest
from console_fixtures import Clock, Machine, approve
from page_client import Page, PageClient

from gateway.console.hook_template import HookTemplate
from gateway.console.hooks import BURST, MAX_ALERT_BYTES
from gateway.console.pages.context import iso
from gateway.console.service import Console
from gateway.console.tokens import TokenInfo
from gateway.console.user_info import UserInfo
from gateway.credentials.daemon_api import TerminalDescription, TerminalReport

FORM = {"name": "tv", "sizing": "volume", "size": "0.1", "sl": "none", "tp": "none"}
FORM |= {"deadline_s": "30", "symbols": "BTCUSD = BTCUSD.m\nEURUSD"}
FACTS = TerminalDescription(
    platform="mt5", login=5_012_345, server="Demo", company="B", fp="ab" * 32
)


async def working(console: Console, user: UserInfo, clock: Clock) -> TokenInfo:
    """Return a token whose terminal is online."""
    token, machine = (await console.tokens.create(user.id, "swing"))[1], Machine()
    await approve(console, token, machine)
    online = TerminalReport(tid=token.tid, state="online", since=clock(), terminal=FACTS)
    await console.reports.report(machine.did, [online])
    return token


async def posted(visitor: PageClient, path: str, body: object, **headers: str | None) -> Page:
    """Post an alert as TradingView does: no cookie, no origin."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Origin": None, "Sec-Fetch-Site": None, "Content-Type": "text/plain", **headers}
    return await visitor.ask("POST", path, sent, data=data)


def alert(clock: Clock, **more: object) -> dict[str, object]:
    return {"symbol": "EURUSD", "side": "buy", "time": iso(clock()), **more}


async def test_a_hooks_address_is_shown_once_and_takes_alerts(
    ann: PageClient, stranger: PageClient, console: Console, ann_user: UserInfo, clock: Clock
) -> None:
    """Its hash alone is kept; a repeated post does nothing, and the page tells of both."""
    token = await working(console, ann_user, clock)
    page = await ann.post("/hooks", {**FORM, "tid": token.tid})
    [path] = re.findall(r"/hook/[A-Za-z0-9_-]{43}", page.text)
    [hook] = await console.hooks.list(ann_user.id)
    for place in ("/hooks", f"/hooks/{hook.id}", "/account"):
        assert path[6:] not in (await ann.get(place)).text
    first = await posted(stranger, path, alert(clock, symbol="BTCUSD"))
    assert (first.status, json.loads(first.text)["status"]) == (202, "accepted")
    again = await posted(stranger, path, alert(clock, symbol="BTCUSD"))
    assert (again.status, json.loads(again.text)["status"]) == (200, "repeated")
    words = (await ann.get("/hooks")).words
    assert "buy BTCUSD.m, 0.1 lots posted again 1 time" in words
    clock.forward(30)
    assert "Too late" in (await ann.get("/hooks")).words
    saved = await ann.post(f"/hooks/{hook.id}", {**FORM, "tid": token.tid, "size": "0.2"})
    assert saved.status == 303
    assert (await console.hooks.get(ann_user.id, hook.id)).template.size == "0.2"
    assert (await ann.post(f"/hooks/{hook.id}/off")).status == 303
    assert (await posted(stranger, path, alert(clock, id="2"))).status == 403
    assert "This hook is switched off." in (await ann.get(f"/hooks/{hook.id}")).words
    assert (await ann.post(f"/hooks/{hook.id}/delete")).status == 303
    assert (await posted(stranger, path, alert(clock, id="3"))).status == 404


BAD = (
    ("name", "two words"),
    ("tid", ""),
    ("tid", "A" * 12),
    ("size", "0"),
    ("size", "1e5"),
    ("size", "\u0661"),
    ("sizing", "all"),
    ("sl", "x"),
    ("deadline_s", "4"),
    ("deadline_s", "9" * 300),
    ("deadline_s", "9" * 5000),
    ("symbols", "= EURUSD"),
    ("symbols", "A = B\nA = C"),
)


@pytest.mark.parametrize(("field", "value"), BAD)
async def test_a_form_that_is_wrong_makes_no_hook(
    ann: PageClient,
    console: Console,
    ann_user: UserInfo,
    clock: Clock,
    field: str,
    value: str,
) -> None:
    """The page says so and keeps what was filled in."""
    token = await working(console, ann_user, clock)
    page = await ann.post("/hooks", {**FORM, "tid": token.tid, field: value})
    assert page.status == 422
    assert not await console.hooks.list(ann_user.id)
    wrong = {**FORM, "tid": token.tid, "sizing": "risk"}
    assert "A risk needs a stop loss." in (await ann.post("/hooks", wrong)).words


async def test_the_address_refuses_what_is_no_alert(
    stranger: PageClient,
    console: Console,
    ann_user: UserInfo,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Too large, no JSON, from elsewhere, too many; a wrong secret tells nothing, and no log has
    the right one."""
    caplog.set_level(logging.DEBUG)
    token = await working(console, ann_user, clock)
    template = HookTemplate(size="0.1", tradingview_only=True)
    secret, _ = await console.hooks.create(ann_user.id, "tv", token.tid, template)
    path = f"/hook/{secret}"
    refused = await posted(stranger, path, alert(clock))
    assert json.loads(refused.text)["error"] == "wrong_address"
    large = await posted(stranger, path, b" " * (MAX_ALERT_BYTES + 1))
    assert large.status == 413
    zipped = await posted(stranger, path, b"{}", **{"Content-Encoding": "gzip"})
    assert zipped.status == 415
    assert (await stranger.get(path)).status == 405
    assert (await posted(stranger, "/hook/" + "a" * 43, alert(clock))).status == 404
    assert (await posted(stranger, "/hook/short", alert(clock))).status == 404
    evil = await posted(stranger, path, alert(clock), Host="evil.test")
    assert evil.status == 421
    for _ in range(BURST - 1):
        last = await posted(stranger, path, b"[1]")
    assert last.status == 403
    many = await posted(stranger, path, alert(clock))
    assert (many.status, many.headers["Retry-After"]) == (429, "12")
    assert secret not in caplog.text


async def test_what_a_hook_is_called_runs_no_script(
    ann: PageClient, stranger: PageClient, console: Console, ann_user: UserInfo, clock: Clock
) -> None:
    """Nor does what an alert says."""
    token = await working(console, ann_user, clock)
    template = HookTemplate(size="0.1")
    secret, _ = await console.hooks.create(ann_user.id, "tv", token.tid, template)
    bad = alert(clock, symbol="<script>alert(1)</script>")
    assert (await posted(stranger, f"/hook/{secret}", bad)).status == 202
    unknown = alert(clock, **{"<img src=x>": 1})
    assert (await posted(stranger, f"/hook/{secret}", unknown)).status == 422
    page = await ann.get("/hooks")
    assert "<script>alert" not in page.text
    assert "<img src=x>" not in page.text
