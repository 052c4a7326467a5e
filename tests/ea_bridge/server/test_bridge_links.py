"""The life of links that the door let in, and their end, over real sockets."""

from __future__ import annotations

import asyncio

import pytest
from bridge_parts import DEVICE, TOKEN, TestEa, make_hello, raw

from ea_bridge import commands
from ea_bridge.errors import NotSent, OutcomeUnknown
from ea_bridge.model import TradeRequest
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.handshake import answer_challenge
from ea_bridge.server import BridgeServer
from ea_bridge.server.link import MAX_TICKS, TickTurns
from ea_bridge.token import parse_token

EURUSD = commands.SymbolParams(symbol="EURUSD")
WATCH = commands.WatchParams(symbol="EURUSD", ticks=True)
BUY = TradeRequest(action=1, symbol="EURUSD", volume=0.1)


async def test_a_connection_that_was_given_up_replaces_none(bridge):
    """Its proof was held up on the way, and the EA has dialled again."""
    late, hello = await bridge.dial(), make_hello()
    late.say(hello)
    challenge = await late.hear(m.Challenge)
    _, session = await bridge.join()
    late.say(answer_challenge(TOKEN, hello, challenge))
    assert (await late.hear(m.Denied)).code == "busy"
    assert bridge.registry.get("demo") is session


async def test_the_newest_link_wins(bridge):
    """The older is told; its questions were not sent, its trades are unknown."""
    older, session = await bridge.join()
    read = asyncio.create_task(session.request(commands.TICK_GET, EURUSD))
    await older.hear(m.Cmd)
    trade = asyncio.create_task(session.request(commands.ORDER_SEND, BUY))
    await older.hear(m.Cmd)
    _, newer = await bridge.join()
    assert await older.hear(m.Bye) == m.Bye(code="replaced")
    assert await older.closed_by_daemon()
    with pytest.raises(NotSent):
        await read
    with pytest.raises(OutcomeUnknown):
        await trade
    assert bridge.registry.get("demo") is newer
    assert bridge.heard.kinds() == ["connected", "connected"]


async def test_a_goodbye_is_heard_by_who_speaks_on(bridge):
    """An EA reads some milliseconds later. A socket that was closed while it still said something
    would have been reset by then, and the goodbye with it: it would come back at once, and
    displace the newer one."""
    older, _ = await bridge.join()
    older.stop_reading()
    _, newer = await bridge.join()
    for _ in range(20):
        older.say(m.StateEvent(broker=True, q=1))
        await asyncio.sleep(0.001)  # so that the daemon's system has it
    assert b'"replaced"' in await older.all_that_comes()
    assert bridge.registry.get("demo") is newer


async def test_a_trade_whose_link_dies_after_its_ack_is_unknown(bridge):
    """Taken, but with what result?"""
    ea, session = await bridge.join()
    trade = asyncio.create_task(session.request(commands.ORDER_SEND, BUY))
    cmd = await ea.hear(m.Cmd)
    ea.say(m.Ack(id=cmd.id))
    await ea.hang_up()
    with pytest.raises(OutcomeUnknown) as caught:
        await trade
    assert caught.value.acked


async def test_many_terminals_share_the_port(bridge, authorizer):
    """Each with its own token and its own session."""
    joined = {
        name: await bridge.join(authorizer.issue(name)) for name in ("demo-1", "demo-2", "demo-3")
    }
    assert {session.terminal for session in bridge.registry.sessions()} == joined.keys()
    for name, (ea, _) in joined.items():
        ea.say(m.Bye(code="shutdown"))
        await bridge.heard.until(lambda name=name: bridge.heard.changes[-1].facts.terminal == name)


async def test_events_reach_the_gateway_in_order(bridge):
    """Through the socket, without a task each."""
    ea, _ = await bridge.join()
    events = [m.StateEvent(broker=True, q=q) for q in range(1, 200)]
    ea.say(*events)
    await bridge.heard.until(lambda: len(bridge.heard.events) == len(events))
    assert bridge.heard.events == events


async def test_a_reconnect_resumes_the_events(bridge):
    """What was taken before is not taken twice."""
    ea, _ = await bridge.join(q=0)
    ea.say(m.StateEvent(broker=True, q=1), m.StateEvent(broker=True, q=2))
    await bridge.heard.until(lambda: len(bridge.heard.events) == 2)
    await ea.hang_up()
    again = await bridge.dial()
    welcome = await again.greet(q=3)
    assert welcome.ack == 2
    again.say(m.StateEvent(broker=True, q=2), m.StateEvent(broker=False, q=3))
    await bridge.heard.until(lambda: len(bridge.heard.events) == 3)
    assert bridge.heard.events[-1] == m.StateEvent(broker=False, q=3)


async def test_revoking_ends_the_session_at_once(bridge):
    """Before the bytes of its bye have even left."""
    ea, session = await bridge.join()
    trade = asyncio.create_task(session.request(commands.ORDER_SEND, BUY))
    await ea.hear(m.Cmd)
    bridge.server.close_terminal("demo", "revoked")
    assert session.state == "disconnected"
    assert bridge.registry.get("demo") is None
    with pytest.raises(NotSent):
        await session.request(commands.ORDER_SEND, BUY)
    with pytest.raises(OutcomeUnknown):
        await trade
    assert await ea.hear(m.Bye) == m.Bye(code="revoked")
    assert await ea.closed_by_daemon()


async def test_revoking_ends_a_handshake_too(bridge):
    """A link that has named the token, without a proof yet."""
    ea = await bridge.dial()
    ea.say(make_hello())
    await ea.hear(m.Challenge)
    bridge.server.close_terminal("other", "revoked")
    bridge.server.close_terminal("demo", "revoked")
    assert await ea.hear(m.Bye) == m.Bye(code="revoked")


async def test_a_terminal_that_does_not_read_is_cut_off(bridge):
    """Its kernel's buffers are full, so the bye can't leave: after a quarter of a second."""
    ea, session = await bridge.join()
    ea.stop_reading()
    session._wire.write(b'{"t":"hb"}\n' * 2**21)  # more than both kernels' buffers hold
    async with asyncio.timeout(5):
        await bridge.server.stop()
    assert not bridge.server._links


async def test_stopping_says_bye_to_everyone(bridge):
    """And returns when all links are gone."""
    ea, session = await bridge.join()
    stranger = await bridge.dial()
    await bridge.server.stop()
    assert await ea.hear(m.Bye) == m.Bye(code="shutdown")
    assert await stranger.hear(m.Bye) == m.Bye(code="shutdown")
    assert session.end_reason == "shutdown"


async def test_no_id_of_a_command_comes_again(authorizer, registry):
    """Not even after a restart, or where the clock went back: an EA answers an id that it knows
    with the old result."""
    ids = []
    for now_ms, first in ((1_764_000_000_000, 0), (1_764_000_000_001, 5), (1, 1_764_000_000_002)):
        server = BridgeServer(
            authorizer,
            registry,
            device_id=DEVICE,
            port=0,
            now_ms=lambda now=now_ms: now,
            first_command_id=first,
        )
        async with server:
            ea = await TestEa.dial(server.port)
            await ea.greet()
            asked = asyncio.create_task(registry.get("demo").request(commands.TICK_GET, EURUSD))
            ids.append((await ea.hear(m.Cmd)).id)
            await ea.hang_up()
        with pytest.raises(NotSent):
            await asked
    assert ids == [1_764_000_000_000_000, 1_764_000_000_001_000, 1_764_000_000_002]


async def test_an_ea_that_does_not_read_gets_no_order_after_a_revocation(bridge):
    """What the kernel has not taken is dropped; the caller is told that nobody knows."""
    ea, session = await bridge.join()
    ea.stop_reading()
    wire = session._wire
    while not wire.unsent():
        wire.write(b" " * 65_536)
    asking = asyncio.create_task(session.request(commands.ORDER_SEND, BUY))
    await asyncio.sleep(0)
    assert session.trades_in_flight == 1
    assert bridge.server.close_token(parse_token(TOKEN), "revoked") == 1
    with pytest.raises(OutcomeUnknown):
        await asking
    assert b"order_send" not in await ea.all_that_comes()


def many_ticks(count: int, start: int = 0) -> m.Ticks:
    """A line of them, each of its own millisecond."""
    rows = range(start, start + count)
    return m.Ticks(d=[(1, 1_764_000_000_000 + n, "1.5", "1.6", 0.0, 0, 6) for n in rows])


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_a_long_line_of_ticks_is_taken_in_pieces(bridge, hangs_up):
    """No loop turn has more than clients can be told of; nothing is lost or overtakes, not even
    where the link is gone right behind it."""
    ea, session = await bridge.join()
    asked = asyncio.create_task(session.request(commands.WATCH, WATCH))
    cmd = await ea.hear(m.Cmd)
    ea.say(m.Res(id=cmd.id, ok=True, d=raw({"sym": 1, "symbol": "EURUSD", "digits": 5})))
    await asked
    ea.say(
        many_ticks(100),
        many_ticks(15_000, 100),
        m.StateEvent(broker=True, q=1),
        many_ticks(300, 15_100),
    )
    if hangs_up:
        await ea.hang_up()
    await bridge.heard.until(lambda: len(told(bridge.heard.events)) == 15_401)
    heard = [one for one in bridge.heard.events if isinstance(one, m.Ticks)]
    assert max(len(one.d) for one in heard) <= MAX_TICKS
    assert min(len(one.d) for one in heard) > 0
    order = [*range(15_100), "state", *range(15_100, 15_400)]
    assert told(bridge.heard.events) == order


async def test_what_an_older_link_has_read_is_told_before_the_newest_begins(bridge, monkeypatch):
    """It counts as acknowledged, though it waits behind more ticks than a turn takes: the EA does
    not tell it again."""
    ea, session = await bridge.join()
    asked = asyncio.create_task(session.request(commands.WATCH, WATCH))
    cmd = await ea.hear(m.Cmd)
    ea.say(m.Res(id=cmd.id, ok=True, d=raw({"sym": 1, "symbol": "EURUSD", "digits": 5})))
    await asked
    held = asyncio.Event()
    monkeypatch.setattr(TickTurns, "_next", lambda turns: held.set())
    ea.say(many_ticks(MAX_TICKS + 1), m.StateEvent(broker=False, q=1))
    await held.wait()
    assert (session.last_q, bridge.heard.events) == (1, [])
    await bridge.join()
    assert told(bridge.heard.events)[-1] == "state"
    assert bridge.heard.kinds()[-1] == "connected"


def told(events: list[m.Message]) -> list[object]:
    """What came, tick by tick."""
    found: list[object] = []
    for event in events:
        if isinstance(event, m.Ticks):
            found += [row[1] - 1_764_000_000_000 for row in event.d]
        elif isinstance(event, m.StateEvent):
            found.append("state")
    return found


async def test_questions_of_one_turn_leave_together_and_a_trade_at_once(bridge, monkeypatch):
    """In the order in which they were asked; nothing waits for a turn in which it is alone."""
    ea, session = await bridge.join()
    transport = session._wire._transport
    written: list[bytes] = []

    class Writes:
        def __getattr__(self, name: str) -> object:
            return getattr(transport, name)

        def write(self, data: bytes) -> None:
            written.append(data)
            transport.write(data)

    monkeypatch.setattr(session._wire, "_transport", Writes())
    asked = [(commands.TICK_GET, EURUSD)] * 3 + [(commands.ORDER_SEND, BUY)]
    asked += [(commands.TICK_GET, EURUSD)] * 2
    calls = [asyncio.create_task(session.request(*question)) for question in asked]
    heard = [await ea.hear(m.Cmd) for _ in asked]
    assert [cmd.op for cmd in heard] == [command.op for command, _ in asked]
    assert [data.count(b"\n") for data in written] == [1, 3, 2]
    await ea.hang_up()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_bye_follows_questions_of_the_same_turn(bridge):
    """What waits for the end of the turn is nothing that the EA does not read."""
    ea, session = await bridge.join()
    calls = [asyncio.create_task(session.request(commands.TICK_GET, EURUSD)) for _ in range(3)]
    await asyncio.sleep(0)  # they have asked, and their turn is not over
    session._wire.say_bye("shutdown")
    for _ in calls:
        await ea.hear(m.Cmd)
    assert await ea.hear(m.Bye) == m.Bye(code="shutdown")
    assert [type(done) for done in await asyncio.gather(*calls, return_exceptions=True)] == [
        NotSent
    ] * len(calls)
