"""Calls that people make from the console: each is carried out once, on its stream alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from link_fixtures import House, until
from scripted_console import ISSUER, ScriptedConsole, Signer

from ea_bridge.token import parse_token
from gateway.console_link import Uplink
from gateway.console_link.calls import MAX_CALLS
from gateway.credentials.console_call import (
    LineSecret,
    SealedFault,
    SignedCall,
    is_line_key,
    seal_for,
)
from gateway.credentials.daemon_api import (
    MAX_BODY_BYTES,
    MAX_SUMMARIES,
    Summary,
    TerminalSummary,
)
from gateway.credentials.record import AUDIENCE


@dataclass
class Calls:
    """Executor that notes what it is asked for."""

    manages: bool = True
    body: str = "{}"
    hung: asyncio.Event | None = None
    """Until then nothing but halts is answered."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: list[TerminalSummary] = field(default_factory=list)
    turned: list[Callable[[], None]] = field(default_factory=list)

    async def execute(self, call: SignedCall, password: str) -> tuple[int, str]:
        self.asked.append((call.cid, password))
        if self.hung is not None and call.name != "halt":
            await self.hung.wait()
        return 200, self.body

    async def summaries(self) -> Sequence[TerminalSummary]:
        return self.told

    def on_turn(self, callback: Callable[[], None]) -> None:
        self.turned.append(callback)


def cid(number: int) -> str:
    return f"cc-{number:022d}"


def signed(console: Signer, tid: str, line: str, number: int = 0, **changes: Any) -> str:
    """Return a call as the console signs it."""
    now = console.now_s()
    call = {"v": 1, "iss": ISSUER, "aud": AUDIENCE, "did": console.did, "tid": tid}
    call |= {"line": line, "cid": cid(number), "name": "halt", "iat": now, "exp": now + 30}
    return console.sign("call", call | changes)


async def push(console: ScriptedConsole, envelope: str) -> None:
    for socket in tuple(console.sockets):
        with suppress(ConnectionError):
            await socket.send_json({"t": "call", "e": envelope})


def line_of(console: ScriptedConsole) -> str:
    socket = next(iter(console.sockets))
    assert socket._req is not None
    return str(socket._req.query.get("line", ""))


async def let_in(house: House, token: str, uplink: Uplink) -> None:
    await until(lambda: house.reason(token) == "" and uplink.status().connected, 30)
    await until(lambda: house.script.sockets, 30)


async def said(console: ScriptedConsole, kind: str) -> dict[str, Any]:
    """Wait for a message of the daemon."""
    async with asyncio.timeout(30):
        while (message := await console.said.get())["t"] != kind:
            pass
    return dict(message)


async def test_a_call_is_carried_out_once_and_on_its_stream_alone(
    house: House, console: ScriptedConsole
) -> None:
    """Told again it does nothing, as on the next stream, whose key is another one."""
    token, calls = console.create(), Calls()
    tid = parse_token(token)
    async with house.running(calls=calls) as uplink:
        await let_in(house, token, uplink)
        line = line_of(console)
        first = signed(console, tid, line, sealed=seal_for(line, cid(0), "broker's own"))
        for _ in range(3):
            await push(console, first)
        answer = await said(console, "call")
        assert (answer["cid"], answer["status"]) == (cid(0), 200)
        await push(console, signed(console, tid, line, 1))
        assert (await said(console, "call"))["cid"] == cid(1)
        assert calls.asked == [(cid(0), "broker's own"), (cid(1), "")]
        await console.cut()
        await until(lambda: console.sockets and line_of(console) != line, 30)
        assert is_line_key(line_of(console))
        await push(console, signed(console, tid, line, 2))
        await push(console, signed(console, tid, line_of(console), 3))
        assert (await said(console, "call"))["cid"] == cid(3)
    assert [asked for asked, _ in calls.asked] == [cid(0), cid(1), cid(3)]


async def test_a_call_that_is_not_meant_is_not_carried_out(
    house: House, console: ScriptedConsole
) -> None:
    """Of another key, device, issuer or kind, altered, late, too long, or sealed for another."""
    token, calls, stranger = console.create(), Calls(), Signer()
    tid = parse_token(token)
    stranger.know(console.did, console.pub)
    async with house.running(calls=calls) as uplink:
        await let_in(house, token, uplink)
        line, now = line_of(console), console.now_s()
        good = signed(console, tid, line)
        kind, kid, body, signature = good.removeprefix("mg1.").split(".")
        for envelope in (
            signed(stranger, tid, line),
            signed(console, tid, line, did="a" * 52),
            signed(console, tid, line, iss="somebody"),
            signed(console, tid, line, name="place_order"),
            signed(console, tid, line, exp=now - 1, iat=now - 30),
            signed(console, tid, line, exp=now + 3_600),
            signed(console, tid, line, 5, sealed=seal_for(line, cid(6), "secret")),
            signed(console, tid, line, 8, sealed="AAAA"),
            f"mg1.alert.{kid}.{body}.{signature}",
            f"mg1.{kind}.{kid}.{body[:-2]}AA.{signature}",
            console.event("token.updated", tid),
        ):
            await push(console, envelope)
        await push(console, signed(console, tid, line, 7))
        assert (await said(console, "call"))["cid"] == cid(7)
    assert calls.asked == [(cid(7), "")]


async def test_a_halt_gets_through_where_logins_hang(
    house: House, console: ScriptedConsole
) -> None:
    """One call too many is refused with a word, and a halt is carried out."""
    token, calls, hung = console.create(), Calls(), asyncio.Event()
    calls.hung = hung
    tid = parse_token(token)
    async with house.running(calls=calls) as uplink:
        await let_in(house, token, uplink)
        line = line_of(console)
        for number in range(MAX_CALLS + 1):
            await push(console, signed(console, tid, line, number, name="get_account_info"))
        refused = await said(console, "call")
        assert (refused["status"], "too much" in refused["body"]) == (503, True)
        await push(console, signed(console, tid, line, 99))
        halted = await said(console, "call")
        assert (halted["cid"], halted["status"]) == (cid(99), 200)
        hung.set()


async def test_an_answer_is_measured_in_bytes(house: House, console: ScriptedConsole) -> None:
    """A longer message would end the stream."""
    token, calls = console.create(), Calls(body="ж" * (MAX_BODY_BYTES // 2))
    async with house.running(calls=calls) as uplink:
        await let_in(house, token, uplink)
        await push(console, signed(console, parse_token(token), line_of(console)))
        assert (await said(console, "call"))["status"] == 502


async def test_a_halt_is_told_at_once_and_figures_when_they_change(
    house: House, console: ScriptedConsole
) -> None:
    """In parts of a bounded size; the pace here is a quarter of a minute."""
    token, calls = console.create(), Calls()
    tid = parse_token(token)
    wide, far = "\x01" * 128, 253_402_300_799
    one = TerminalSummary(
        tid=tid, at=far, linked=False, login=2**63 - 1, server=wide, currency=wide[:16],
        balance=-1.2345678901234567e-300, equity=-1.2345678901234567e-300,
        halted_by=wide, halted_at=far, halt_reason="\x01" * 200,
    )  # fmt: skip
    calls.told = [one] * 50
    whole = Summary(t="summary", manages=False, terminals=(one,) * MAX_SUMMARIES)
    assert len(whole.model_dump_json().encode()) <= MAX_BODY_BYTES
    async with house.running(calls=calls) as uplink:
        await let_in(house, token, uplink)
        parts = [len((await said(console, "summary"))["terminals"]) for _ in range(3)]
        assert parts == [20, 20, 10]
        calls.told = [TerminalSummary(tid=tid, at=2, linked=True, halted_by="cli")]
        [turned] = calls.turned
        turned()
        [one] = (await said(console, "summary"))["terminals"]
        assert one["halted_by"] == "cli"


async def test_an_older_console_is_told_no_figures(house: House, console: ScriptedConsole) -> None:
    """It would end the stream at a message that it does not know."""
    token, calls = console.create(), Calls()
    console.knows_lines = False
    calls.told = [TerminalSummary(tid=parse_token(token), at=1, linked=True)]
    async with house.running(calls=calls) as uplink:
        await let_in(house, token, uplink)
        [turned] = calls.turned
        turned()
        # what is told later comes later: the acknowledgement of an end
        await console.push(console.revoke(parse_token(token)))
        async with asyncio.timeout(30):
            while (message := await console.said.get())["t"] != "ack":
                assert message["t"] == "report"


async def test_without_an_executor_no_call_is_taken(
    house: House, console: ScriptedConsole
) -> None:
    """The stream is opened without a line."""
    token = console.create()
    async with house.running() as uplink:
        await let_in(house, token, uplink)
        assert line_of(console) == ""
        await push(console, signed(console, parse_token(token), LineSecret().public))
        await push(console, console.event("token.updated", parse_token(token)))
        assert uplink.status().connected


def test_what_is_sealed_opens_on_its_line_and_for_its_call_alone() -> None:
    """A password that was moved to another call, or to another line, is none."""
    mine, other = LineSecret(), LineSecret()
    box = seal_for(mine.public, cid(0), "secret")

    def call(line: str, number: int, sealed: str) -> SignedCall:
        return SignedCall.model_construct(line=line, cid=cid(number), sealed=sealed)

    assert mine.open(call(mine.public, 0, box)) == "secret"
    for secret, moved in (
        (mine, call(mine.public, 1, box)),
        (other, call(mine.public, 0, box)),
        (mine, call(mine.public, 0, box[:-4] + "AAAA")),
        (mine, call(mine.public, 0, "")),
    ):
        with pytest.raises(SealedFault):
            secret.open(moved)
    assert box != seal_for(mine.public, cid(0), "secret")
    assert not is_line_key("A" * 42 + "=")
