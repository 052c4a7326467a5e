"""How a web page opens /ws: with a ticket that works once, and with nothing else."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from web_server_fixture import UPGRADE, RawWs, Server, open_server, raw_ws, split_response

from ea_bridge.token import new_token

PAGE = "http://127.0.0.1:7402"
OTHER = "https://dashboard.example"
ASK = {"jsonrpc": "2.0", "id": 1, "method": "get_ws_ticket"}
NEVER_GIVEN = "A" * 22


@pytest.fixture
async def house() -> AsyncIterator[Server]:
    """A server that lets pages of two origins call."""
    async with open_server(origins=(PAGE, OTHER)) as opened:
        yield opened


def from_origin(origin: str | None) -> list[str]:
    return [] if origin is None else [f"Origin: {origin}"]


async def ticket_of(house: Server, origin: str | None = PAGE, token: str = "") -> str:
    """Ask for a ticket, as a page of the origin or as a program."""
    status, _, body = await house.post(ASK, *from_origin(origin), token=token)
    assert status == 200, body
    ticket: str = orjson.loads(body)["result"]["ticket"]
    return ticket


def handshake(house: Server, *more: str, path: str = "/ws") -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{house.port}", *UPGRADE, *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def knock(
    house: Server, offered: str, origin: str | None = PAGE, *more: str
) -> tuple[int, dict[str, str], Any]:
    """Try a handshake; return status, headers and the error, if any."""
    offer = f"Sec-WebSocket-Protocol: {offered}"
    raw = await house.raw(handshake(house, offer, *from_origin(origin), *more))
    status, headers, body = split_response(raw)
    return status, headers, orjson.loads(body)["error"] if status != 101 else None


async def refused(house: Server, offered: str, origin: str | None = PAGE, *more: str) -> str:
    """Return the reason of a 401; nobody may have been let in."""
    status, headers, error = await knock(house, offered, origin, *more)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert error["code"] == -32001
    assert error["message"]
    assert house.streams.listeners == []
    reason: str = error["data"]["reason"]
    return reason


def showing(ticket: str) -> str:
    return f"mtg.v1, mtg.ticket.{ticket}"


@pytest.mark.parametrize("origin", [PAGE, OTHER, None])
async def test_a_ticket_opens_a_connection(house: Server, origin: str | None) -> None:
    """For the caller who asked for it; the server answers with mtg.v1 alone."""
    ticket = await ticket_of(house, origin)
    offer = f"Sec-WebSocket-Protocol: {showing(ticket)}"
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(handshake(house, offer, *from_origin(origin)))
    status, headers, _ = split_response(await reader.readuntil(b"\r\n\r\n"))
    assert (status, headers["sec-websocket-protocol"]) == (101, "mtg.v1")
    assert ticket not in str(headers)
    ws = RawWs(reader, writer)
    ws.send({"jsonrpc": "2.0", "id": 1, "method": "hello"})
    assert (await ws.json())["result"]["tid"] == house.gate.tokens[house.token].tid
    (listener,) = house.streams.listeners
    assert not listener.by_header
    writer.close()


async def test_the_answer_says_how_to_use_it(house: Server) -> None:
    """The subprotocol is ready to be offered; the life is in milliseconds; nobody caches it."""
    _, headers, body = await house.post(ASK, f"Origin: {PAGE}")
    told = orjson.loads(body)["result"]
    assert told["subprotocol"] == f"mtg.ticket.{told['ticket']}"
    assert told["expires_ms"] == 5000
    assert headers["cache-control"] == "no-store"
    assert headers["access-control-allow-origin"] == PAGE


async def test_a_used_ticket_is_unknown(house: Server) -> None:
    """The second connection gets no 101, while the first is open and after."""
    ticket = await ticket_of(house)
    assert (await knock(house, showing(ticket)))[0] == 101
    status, _, error = await knock(house, showing(ticket))
    assert (status, error["data"]["reason"]) == (401, "unknown")


async def test_of_two_that_race_one_wins(house: Server) -> None:
    """However many show the same ticket at once."""
    for _ in range(5):
        ticket = await ticket_of(house)
        answers = await asyncio.gather(*(knock(house, showing(ticket)) for _ in range(20)))
        assert sorted(status for status, *_ in answers) == [101] + [401] * 19


@pytest.mark.parametrize(
    ("asked", "shown"), [(PAGE, OTHER), (OTHER, PAGE), (PAGE, None), (None, PAGE)]
)
async def test_a_ticket_is_for_the_origin_that_asked(
    house: Server, asked: str | None, shown: str | None
) -> None:
    """Also listed ones are not each other; and a stolen ticket is used up."""
    ticket = await ticket_of(house, asked)
    assert await refused(house, showing(ticket), shown) == "unknown"
    assert await refused(house, showing(ticket), asked) == "unknown"


async def test_a_late_ticket_has_expired(house: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason tells a slow page from a wrong one."""
    monkeypatch.setattr("gateway.auth.tickets.LIFETIME_S", 0.0)
    assert await refused(house, showing(await ticket_of(house))) == "expired"


@pytest.mark.parametrize(
    ("ticket", "reason"),
    [("", "malformed"), ("short", "malformed"), (NEVER_GIVEN, "unknown"), ("!" * 22, "malformed")],
)
async def test_a_wrong_ticket_gets_no_101(house: Server, ticket: str, reason: str) -> None:
    """401 with the reason."""
    assert await refused(house, showing(ticket)) == reason


@pytest.mark.parametrize("tell", [True, False])
async def test_a_revoked_token_has_no_tickets(house: Server, tell: bool) -> None:
    """The gate is asked when the ticket is used, whether or not it has told anybody."""
    other = house.gate.new()
    ticket, others = await ticket_of(house), await ticket_of(house, token=other)
    house.gate.revoke(house.token, tell=tell)
    assert await refused(house, showing(ticket)) == "revoked"
    assert (await knock(house, showing(others)))[0] == 101


async def test_a_connection_by_ticket_ends_with_its_token(house: Server) -> None:
    """As one by header does."""
    ticket = await ticket_of(house)
    offer = f"Sec-WebSocket-Protocol: {showing(ticket)}"
    async with raw_ws(house, offer, f"Origin: {PAGE}", login=False) as ws:
        ws.send({"jsonrpc": "2.0", "id": 1, "method": "update"})
        assert (await ws.json())["id"] == 1
        house.gate.revoke(house.token)
        assert await ws.close_code() == 4506


def bearer(token: str) -> str:
    return "mtg.bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


@pytest.mark.parametrize("offered", ["mtg.v1", "mtg.v1, {bearer}"])
async def test_a_page_shows_a_ticket_and_nothing_else(house: Server, offered: str) -> None:
    """A page is let in before the 101, and its token goes to /rpc alone: no hello, no bearer."""
    text = offered.format(bearer=bearer(house.token))
    assert await refused(house, text, PAGE) == "missing"
    raw = await house.raw(handshake(house, f"Origin: {PAGE}"))
    assert split_response(raw)[0] == 401
    assert house.gate.admitted == 0
    assert (await knock(house, text, None))[0] == 101


@pytest.mark.parametrize("second", ["mtg.ticket.{ticket}", "mtg.ticket.{other}", "{bearer}"])
async def test_one_login_is_shown(house: Server, second: str) -> None:
    """Two of them are refused, whichever they are, and so is one beside the header."""
    ticket = await ticket_of(house)
    more = second.format(ticket=ticket, other=await ticket_of(house), bearer=bearer(house.token))
    assert await refused(house, f"{showing(ticket)}, {more}") == "malformed"
    header = f"Authorization: Bearer {house.token}"
    assert await refused(house, f"mtg.v1, {more}", PAGE, header) == "malformed"


async def test_without_our_subprotocol_a_ticket_is_not_looked_at(house: Server) -> None:
    """400: the server has nothing that it could answer with; the ticket is not used up."""
    ticket = await ticket_of(house)
    assert (await knock(house, f"mtg.ticket.{ticket}"))[0] == 400
    assert (await knock(house, showing(ticket)))[0] == 101


@pytest.mark.parametrize("origin", [PAGE, None])
async def test_a_ticket_never_goes_into_the_url(
    house: Server, origin: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """401, and a line in the log without it."""
    caplog.set_level(logging.DEBUG)
    ticket = await ticket_of(house, origin)
    raw = await house.raw(handshake(house, *from_origin(origin), path=f"/ws?ticket={ticket}"))
    status, _, body = split_response(raw)
    assert status == 401
    assert orjson.loads(body)["error"]["data"]["reason"] == "malformed"
    assert "in the URL" in caplog.text
    assert ticket not in caplog.text


async def test_no_ticket_is_ever_logged(house: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Good, used, wrong: the log has reasons alone."""
    caplog.set_level(logging.DEBUG)
    ticket = await ticket_of(house)
    await knock(house, showing(ticket))
    await knock(house, showing(ticket))
    await knock(house, showing(NEVER_GIVEN))
    assert caplog.text.count("refused a ticket: unknown") == 2
    assert not re.search(f"{ticket}|{NEVER_GIVEN}", caplog.text)


async def test_wrong_tickets_are_answered_at_the_pace_of_wrong_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They count together, and a good ticket never waits."""
    # not 0: where the clock begins anew with the machine, ten intervals are not ten times one
    monkeypatch.setattr("gateway.http.rate_limit.MAX_WAIT_S", 0.001)
    async with open_server(origins=(PAGE,), failures_per_s=0.001) as house:
        ticket = await ticket_of(house)
        for n in range(10):
            if n % 2:
                assert await refused(house, showing(NEVER_GIVEN)) == "unknown"
            else:
                assert (await house.post(ASK, token=new_token()))[0] == 401
        offer = f"Sec-WebSocket-Protocol: {showing(NEVER_GIVEN)}"
        assert await house.raw(handshake(house, offer, f"Origin: {PAGE}")) == b""
        assert (await knock(house, showing(ticket)))[0] == 101


async def test_too_many_tickets_are_refused(house: Server) -> None:
    """429 with the time to wait; other tokens get theirs."""
    tickets = [await ticket_of(house) for _ in range(16)]
    status, headers, body = await house.post(ASK, f"Origin: {PAGE}")
    error = orjson.loads(body)["error"]
    assert (status, error["code"], error["data"]["limit"]) == (429, -32005, 16)
    assert 0 < error["data"]["retry_after_ms"] <= 5000
    assert 1 <= int(headers["retry-after"]) <= 5
    await ticket_of(house, token=house.gate.new())
    assert (await knock(house, showing(tickets[0])))[0] == 101
    await ticket_of(house)


async def test_a_page_that_is_not_listed_gets_no_ticket(house: Server) -> None:
    """Nor may it show one."""
    ticket = await ticket_of(house)
    status, headers, _ = await house.post(ASK, "Origin: https://evil.test")
    assert status == 403
    assert not any(name.startswith("access-control") for name in headers)
    assert (await knock(house, showing(ticket), "https://evil.test"))[0] == 403
    assert (await knock(house, showing(ticket)))[0] == 101
