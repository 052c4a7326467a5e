"""Alerts of hooks on both databases: taken once, told, ended once; and what is read of them."""

from __future__ import annotations

import asyncio
import json

import pytest
from console_fixtures import Clock, Machine, approve, person

from gateway.console import tokens
from gateway.console.database.model import HookAlert
from gateway.console.errors import Invalid, NotFound, TooMany
from gateway.console.hook_template import BadAlert, HookTemplate, read_alert
from gateway.console.hooks import KEEP_S, MAX_HOOKS, TRADINGVIEW, AlertRefused
from gateway.console.pages.context import iso
from gateway.console.service import Console
from gateway.console.tokens import TokenInfo
from gateway.console.user_info import UserInfo
from gateway.credentials.alert import AlertOrder, open_alert
from gateway.credentials.daemon_api import AlertOutcome, TerminalDescription, TerminalReport
from gateway.credentials.keyset import open_keyset
from gateway.credentials.record import Scope

FACTS = TerminalDescription(
    platform="mt5", login=5_012_345, server="Demo", company="B", fp="ab" * 32
)
TEMPLATE = HookTemplate(size="0.1", dry_run=False)
NOW = 1_800_000_000


async def working(console: Console, clock: Clock, machine: Machine) -> tuple[UserInfo, TokenInfo]:
    """Return a person with a token whose terminal is online on a machine."""
    ann = await person(console)
    token = (await console.tokens.create(ann.id, "swing"))[1]
    await online(console, clock, token, machine)
    return ann, token


async def online(console: Console, clock: Clock, token: TokenInfo, machine: Machine) -> None:
    await approve(console, token, machine)
    report = TerminalReport(tid=token.tid, state="online", since=clock(), terminal=FACTS)
    await console.reports.report(machine.did, [report])


def message(clock: Clock, **more: object) -> bytes:
    alert = {"symbol": "EURUSD", "side": "buy", "time": iso(clock()), **more}
    return json.dumps(alert).encode()


async def opened(console: Console, envelope: str) -> AlertOrder:
    """Verify an alert as a daemon would."""
    keys = open_keyset(await console.signing.key_set(), await console.signing.root())
    return open_alert(envelope, keys.keys_for("alert", console.now_s()))


async def test_an_alert_is_taken_once_however_many_posts_come_at_once(
    console: Console, clock: Clock
) -> None:
    """One row, signed for the machine that has the terminal; the others are counted on it."""
    machine = Machine()
    ann, token = await working(console, clock, machine)
    secret, hook = await console.hooks.create(ann.id, "tv", token.tid, TEMPLATE)
    posts = (console.hooks.receive(secret, message(clock), "") for _ in range(8))
    got = await asyncio.gather(*posts)
    assert sorted(is_new for _, is_new in got) == [False] * 7 + [True]
    assert len({aid for aid, _ in got}) == 1
    [alert] = await console.hooks.alerts(ann.id)
    assert (alert.status, alert.repeats, alert.exp) == ("waiting", 7, clock() + 30)
    [told] = await console.hooks.pending(machine.did)
    order = await opened(console, told.envelope)
    assert (order.did, order.tid, order.login) == (machine.did, token.tid, FACTS.login)
    assert (order.aid, order.volume, order.exp) == (got[0][0], "0.1", clock() + 30)
    other = await console.hooks.receive(secret, message(clock, side="sell"), "")
    assert other[1]
    assert [line.status for line in await console.hooks.alerts(ann.id, hook.id)] == [
        "waiting",
        "told",
    ]


async def test_an_alert_is_told_again_until_its_end_is_known(
    console: Console, clock: Clock
) -> None:
    """Marked as told before it is sent; the machine's first word counts, and nobody else's."""
    machine, thief = Machine(), Machine("thief")
    ann, token = await working(console, clock, machine)
    secret, _ = await console.hooks.create(ann.id, "tv", token.tid, TEMPLATE)
    aid, _ = await console.hooks.receive(secret, message(clock), "")
    assert not await console.hooks.pending(thief.did)
    [first] = await console.hooks.pending(machine.did)
    assert not first.again
    assert not await console.hooks.pending(machine.did)
    [again] = await console.hooks.pending(machine.did, retell_s=900)
    assert (again.again, again.envelope) == (True, first.envelope)

    async def says(did: str, outcome: str) -> str:
        said = AlertOutcome.model_validate({"aid": aid, "outcome": outcome})
        await console.hooks.settle(did, said)
        return (await console.hooks.alerts(ann.id))[0].status

    assert await says(thief.did, "done") == "told"
    assert await says(machine.did, "unknown") == "unknown"
    assert len(await console.hooks.pending(machine.did, retell_s=900)) == 1
    assert await says(machine.did, "done") == "done"
    assert await says(machine.did, "not_sent") == "done"
    assert not await console.hooks.pending(machine.did, retell_s=900)


async def test_an_alert_that_nobody_takes_in_time_is_told_nobody(
    console: Console, clock: Clock
) -> None:
    """Nor one of a hook that was switched off meanwhile."""
    machine = Machine()
    ann, token = await working(console, clock, machine)
    secret, hook = await console.hooks.create(ann.id, "tv", token.tid, TEMPLATE)
    await console.hooks.receive(secret, message(clock), "")
    clock.forward(30)
    assert not await console.hooks.pending(machine.did, retell_s=900)
    await console.hooks.receive(secret, message(clock), "")
    await console.hooks.switch(ann.id, hook.id, on=False)
    assert not await console.hooks.pending(machine.did, retell_s=900)
    states = [alert.status for alert in await console.hooks.alerts(ann.id)]
    assert states == ["refused", "late"]


@pytest.mark.alike
async def test_a_hook_refuses_what_its_token_may_not(console: Console, clock: Clock) -> None:
    """Ended, without a terminal, or without the scope; a refused alert may be sent again."""
    machine = Machine()
    ann = await person(console)
    token = (await console.tokens.create(ann.id, "swing"))[1]
    reader = (await console.tokens.create(ann.id, "look", scopes=[Scope.READ]))[1]
    with pytest.raises(Invalid):
        await console.hooks.create(ann.id, "tv", reader.tid, TEMPLATE)
    secret, _ = await console.hooks.create(ann.id, "tv", token.tid, TEMPLATE)

    async def refusal(address: str = "") -> str:
        with pytest.raises(AlertRefused) as refused:
            await console.hooks.receive(secret, message(clock), address)
        return refused.value.word

    assert await refusal() == "no_terminal"
    await online(console, clock, token, machine)
    assert (await console.hooks.receive(secret, message(clock), ""))[1]
    await console.tokens.revoke(ann.id, token.tid)
    assert await refusal() == "token_ended"
    bob = await person(console, "bob")
    with pytest.raises(NotFound):
        await console.hooks.create(bob.id, "tv", token.tid, TEMPLATE)
    with pytest.raises(NotFound):
        await console.hooks.receive("b" * 43, message(clock), "")


async def test_only_tradingviews_addresses_where_the_hook_says_so(
    console: Console, clock: Clock
) -> None:
    """An address that nobody trustworthy tells is none of them."""
    ann, token = await working(console, clock, Machine())
    template = TEMPLATE.model_copy(update={"tradingview_only": True})
    secret, _ = await console.hooks.create(ann.id, "tv", token.tid, template)
    for address in ("", "127.0.0.1", "203.0.113.7"):
        with pytest.raises(AlertRefused) as refused:
            await console.hooks.receive(secret, message(clock), address)
        assert refused.value.word == "wrong_address"
    for address in TRADINGVIEW:
        await console.hooks.receive(secret, message(clock), address)


async def test_hooks_and_alerts_are_bounded_and_forgotten(console: Console, clock: Clock) -> None:
    """Alerts are kept for longer than one may be told again; a deleted hook leaves nothing."""
    ann, token = await working(console, clock, Machine())
    hooks = [
        await console.hooks.create(ann.id, f"tv{number}", token.tid, TEMPLATE)
        for number in range(MAX_HOOKS)
    ]
    with pytest.raises(TooMany):
        await console.hooks.create(ann.id, "more", token.tid, TEMPLATE)
    (secret, first), (other, second), *_ = hooks
    await console.hooks.receive(secret, message(clock), "")
    await console.hooks.receive(other, message(clock), "")
    await console.hooks.delete(ann.id, first.id)
    assert {alert.hook_id for alert in await console.hooks.alerts(ann.id)} == {second.id}
    clock.forward(KEEP_S)
    async with console.db.begin() as session:
        await console.hooks.cleanup(session)
    assert await console.hooks.alerts(ann.id)
    clock.forward(1)
    async with console.db.begin() as session:
        await console.hooks.cleanup(session)
        assert await session.get(HookAlert, 1) is None
    assert not await console.hooks.alerts(ann.id)


async def test_a_token_with_a_hook_is_not_forgotten(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Revoked ones that were used nowhere make room, but not one that a hook speaks of."""
    ann = await person(console)
    token = (await console.tokens.create(ann.id, "swing"))[1]
    _, hook = await console.hooks.create(ann.id, "tv", token.tid, TEMPLATE)
    await console.tokens.revoke(ann.id, token.tid)
    monkeypatch.setattr(tokens, "MAX_KEPT", 1)
    with pytest.raises(TooMany):
        await console.tokens.create(ann.id, "more")
    assert not (await console.hooks.get(ann.id, hook.id)).is_token_live
    await console.hooks.delete(ann.id, hook.id)
    assert await console.tokens.create(ann.id, "more")


GOOD = {"symbol": "EURUSD", "side": "BUY", "time": "2027-01-15T08:00:00Z"}
BAD_MESSAGES = (
    b"",
    b"buy EURUSD",
    b"[]",
    b"\xff",
    b"[" * 16_000,
    b'{"symbol": "A", "symbol": "B", "side": "buy", "time": 1}',
    b'{"symbol": "A", "side": "buy", "time": NaN}',
    b'{"symbol": "A", "side": "buy", "time": 1e9999999999999999999}',
)
BAD_MEMBERS: tuple[dict[str, object], ...] = (
    {"symbol": ""},
    {"symbol": 1},
    {"symbol": "EUR\nUSD"},
    {"symbol": "x" * 65},
    {"symbol": "\u0415URUSD"},
    {"side": "long"},
    {"side": None},
    {"time": "2027-01-15T08:00:00"},
    {"time": "now"},
    {"time": True},
    {"time": 1_800_000_000},
    {"time": "2026-11-01T08:00:00Z"},
    {"time": "2027-01-17T08:00:00Z"},
    {"time": "9999-12-31T23:59:59-23:59"},
    {"id": 5},
    {"stoploss": 1.08},
    {"volume": 1},
    {"sl": 1.08},
)
BAD_NUMBERS: tuple[object, ...] = (
    0,
    -1,
    True,
    "x",
    "1e3",
    "",
    [],
    None,
    "\u0661",
    10**12,
    10**4000,
)


@pytest.mark.parametrize("body", BAD_MESSAGES)
def test_what_is_no_object_is_no_alert(body: bytes) -> None:
    """Nor what says two things."""
    with pytest.raises(BadAlert):
        read_alert(TEMPLATE, body, NOW)


@pytest.mark.parametrize("members", BAD_MEMBERS)
def test_a_member_that_is_not_as_the_template_says_is_refused(members: dict[str, object]) -> None:
    """It was meant, and an order without it would be another one."""
    read_alert(TEMPLATE, json.dumps(GOOD).encode(), NOW)
    with pytest.raises(BadAlert):
        read_alert(TEMPLATE, json.dumps(GOOD | members).encode(), NOW)


def test_numbers_of_an_alert_are_read_as_they_were_written() -> None:
    """At ten decimals, with no more digits than were sent."""
    template = HookTemplate(sizing="alert", sl="alert", tp="alert")
    for number in BAD_NUMBERS:
        body = json.dumps(GOOD | {"volume": number, "sl": 1, "tp": 2}).encode()
        with pytest.raises(BadAlert):
            read_alert(template, body, NOW)
    for text in ("1e999999999", "1e-999999999", "1E+12"):
        body = (
            json.dumps(GOOD | {"sl": 1, "tp": 2}).encode()[:-1] + f', "volume": {text}}}'.encode()
        )
        with pytest.raises(BadAlert):
            read_alert(template, body, NOW)
    body = json.dumps(GOOD | {"volume": 0.1, "sl": "1.0850000000000001", "tp": 1.2}).encode()
    draft = read_alert(template, body, NOW)
    assert (draft.volume, draft.sl, draft.tp) == ("0.1000000000", "1.0850000000", "1.2000000000")


def test_the_id_is_of_hook_alert_and_bar() -> None:
    """The same moment in other words is the same bar."""

    def aid(hook: str = "h", **more: object) -> str:
        return read_alert(TEMPLATE, json.dumps(GOOD | more).encode(), NOW).aid(hook)

    same = {aid(), aid(side="buy"), aid(time="2027-01-15T09:00:00+01:00"), aid(time=NOW * 1000)}
    assert len(same) == 1
    others = {aid("g"), aid(id="2"), aid(side="sell"), aid(symbol="X"), aid(time=NOW * 1000 + 1)}
    assert len(others | same) == 6
    with pytest.raises(BadAlert):
        aid(symbol="X" * 65)
