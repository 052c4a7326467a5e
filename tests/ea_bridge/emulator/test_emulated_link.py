"""The emulated terminal on a real socket: it proves itself, answers, misbehaves, comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest
from bridge_parts import TOKEN, Bridge, MemoryAuthorizer
from terminal_bench import EURUSD, Bench

from ea_bridge import commands
from ea_bridge.emulator.link import EmulatedLink, LinkRefused
from ea_bridge.errors import BridgeError, CommandFailed, CommandTimeout, NotSent, OutcomeUnknown
from ea_bridge.model import Deal, TradeRetcode
from ea_bridge.protocol import messages as m
from ea_bridge.session import TerminalSession
from ea_bridge.token import new_token

WITHIN_S = 60


class Emulated:
    """A terminal that keeps itself linked, and what a test wants to reach of it."""

    def __init__(self, bridge: Bridge, token: str) -> None:
        self.bench = Bench()
        self.link = EmulatedLink(self.bench.terminal, "127.0.0.1", bridge.server.port, token)
        self._bridge = bridge
        self._running = asyncio.create_task(self.link.run())

    async def session(self, *, after: TerminalSession | None = None) -> TerminalSession:
        """Wait for the session that follows ``after``."""
        registry = self._bridge.registry
        await self._bridge.heard.until(
            lambda: registry.get("demo") is not None and registry.get("demo") is not after
        )
        session = registry.get("demo")
        assert session is not None
        return session

    async def refused(self) -> LinkRefused:
        """Wait until the daemon has refused it, and return how."""
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(LinkRefused) as refused:
                await self._running
        return refused.value

    async def stop(self) -> None:
        self.link.stop()
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running


@pytest.fixture
async def emulated(bridge: Bridge) -> AsyncIterator[Emulated]:
    emulated = Emulated(bridge, TOKEN)
    async with asyncio.timeout(WITHIN_S):
        await emulated.session()
    yield emulated
    await emulated.stop()


async def test_it_is_let_in_and_answers(emulated: Emulated):
    """The mutual proof, then commands."""
    session = await emulated.session()
    tick = await session.request(commands.TICK_GET, commands.SymbolParams(symbol=EURUSD))

    assert session.hello.platform == "mt5"
    assert 0 < tick.bid <= tick.ask


async def test_it_stops_before_a_daemon_that_does_not_know_the_token(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
):
    """The daemon's proof is wrong: it says so, and the token does not get into the log."""
    token = new_token()
    refused = await Emulated(bridge, token).refused()

    assert "does not know this token" in str(refused)
    assert bridge.registry.sessions() == []
    assert token not in caplog.text


async def test_a_wrong_proof_is_refused(bridge: Bridge):
    """With the same words as an unknown token."""
    emulated = Emulated(bridge, TOKEN)
    emulated.bench.faults.wrong_proof = 1

    assert str(await emulated.refused()) == "no such token, or its proof is wrong"
    assert bridge.registry.sessions() == []


async def test_it_comes_back_after_a_cut(emulated: Emulated):
    """With the same run of the EA, so that nothing has to begin anew."""
    first = await emulated.session()
    emulated.link.cut()
    async with asyncio.timeout(WITHIN_S):
        second = await emulated.session(after=first)

    assert second.hello.boot == first.hello.boot


async def test_a_trade_on_whose_arrival_the_link_breaks_is_not_executed(emulated: Emulated):
    """What the daemon knows is that its bytes were written: the outcome is unknown to it."""
    session = await emulated.session()
    emulated.bench.faults.cut_before_ack = 1

    with pytest.raises(OutcomeUnknown) as caught:
        await session.request(commands.ORDER_SEND, emulated.bench.buy_request())
    assert not caught.value.acked
    assert emulated.bench.broker.positions() == []


async def test_a_trade_whose_answer_is_cut_off_is_executed_and_told_after_the_reconnect(
    emulated: Emulated, bridge: Bridge
):
    """Unknown first, then the truth: its events come when the link is back."""
    session = await emulated.session()
    emulated.bench.faults.cut_after_ack = 1

    with pytest.raises(OutcomeUnknown) as caught:
        await session.request(commands.ORDER_SEND, emulated.bench.buy_request())
    assert caught.value.acked
    async with asyncio.timeout(WITHIN_S):
        await emulated.session(after=session)
        await bridge.heard.until(lambda: bool(_deals(bridge.heard.events)))
    [position] = emulated.bench.broker.positions()
    assert [deal.position_id for deal in _deals(bridge.heard.events)] == [position.identifier]


async def test_a_lost_result_leaves_the_outcome_unknown(emulated: Emulated):
    """After the time-out; the position is there."""
    session = await emulated.session()
    emulated.bench.faults.lose_result = 1

    with pytest.raises(OutcomeUnknown):
        await session.request(commands.ORDER_SEND, emulated.bench.buy_request(), timeout_s=0.2)
    assert len(emulated.bench.broker.positions()) == 1


async def test_a_late_result_is_reported_as_late(emulated: Emulated, bridge: Bridge):
    """Its caller was told that the outcome is unknown; the result is not thrown away."""
    session = await emulated.session()
    emulated.bench.faults.delay_result_ms = 300

    with pytest.raises(OutcomeUnknown):
        await session.request(commands.ORDER_SEND, emulated.bench.buy_request(), timeout_s=0.1)
    await bridge.heard.until(lambda: bridge.heard.late)
    assert bridge.heard.late[0].result.retcode == TradeRetcode.DONE


@pytest.mark.parametrize(
    ("fault", "state", "executed"),
    [
        ("cut_before_ack", "absent", 0),
        ("cut_unacked", "done", 1),
        ("cut_after_ack", "done", 1),
        ("crash_before", "forgotten", 0),
        ("crash_after", "forgotten", 1),
    ],
)
async def test_after_a_fault_the_next_session_is_told_what_is_known(
    emulated: Emulated, fault: str, state: str, executed: int
):
    """A terminal without a file forgets its trades in a crash; after a cut it knows them all."""
    session = await emulated.session()
    params = commands.ResultsParams(ids="100")
    await session.request(commands.RESULTS_GET, params)  # a table begins at a question
    setattr(emulated.bench.faults, fault, 1)
    with pytest.raises(OutcomeUnknown) as caught:
        await session.request(commands.ORDER_SEND, emulated.bench.buy_request())
    async with asyncio.timeout(WITHIN_S):
        session = await emulated.session(after=session)
        params = commands.ResultsParams(ids=str(caught.value.command_id))
        [stored] = await session.request(commands.RESULTS_GET, params)
    assert (stored.state, len(emulated.bench.broker.positions())) == (state, executed)


async def test_a_held_up_terminal_refuses_what_has_become_too_old(emulated: Emulated):
    """Its turn came after its time; nothing is executed, and its sender is told."""
    session = await emulated.session()
    emulated.bench.faults.stall_ms = 60

    with pytest.raises(CommandFailed) as caught:
        await session.request(commands.ORDER_SEND, emulated.bench.buy_request(), ttl_ms=20)
    assert caught.value.err == commands.TOO_LATE
    assert emulated.bench.broker.positions() == []


async def test_a_link_may_break_right_after_an_answer(emulated: Emulated):
    """The answer counts all the same."""
    session = await emulated.session()
    emulated.bench.faults.cut_after_result = 1
    result = await session.request(commands.ORDER_SEND, emulated.bench.buy_request())
    async with asyncio.timeout(WITHIN_S):
        await emulated.session(after=session)
    assert result.retcode == TradeRetcode.DONE


async def test_garbage_between_heartbeats_is_put_up_with(emulated: Emulated, bridge: Bridge):
    """A line that is no message is counted; the link stays."""
    session = await emulated.session()
    emulated.bench.faults.garbage = 1
    clocks = len(bridge.heard.clocks)
    await bridge.heard.until(lambda: len(bridge.heard.clocks) > clocks + 1)

    assert session.connection.counters.unreadable == 1
    assert session.state == "ready"


async def test_a_goodbye_of_the_daemon_is_no_end(emulated: Emulated, bridge: Bridge):
    """It dials again."""
    session = await emulated.session()
    bridge.server.close_terminal("demo", "shutdown")
    async with asyncio.timeout(WITHIN_S):
        await emulated.session(after=session)


async def test_a_question_just_before_a_goodbye_goes_without_an_answer(
    emulated: Emulated, bridge: Bridge, caplog: pytest.LogCaptureFixture
):
    """Both come in one read, as when a daemon is stopped; after a goodbye nobody may speak."""
    session = await emulated.session()
    asking = asyncio.create_task(session.request(commands.CLOCK_GET, commands.NoParams()))
    await asyncio.sleep(0)
    bridge.server.close_terminal("demo", "shutdown")
    with pytest.raises(BridgeError):
        await asking
    async with asyncio.timeout(WITHIN_S):
        await emulated.session(after=session)

    assert "break the protocol" not in caplog.text


async def test_a_question_on_a_cut_link_was_not_sent(emulated: Emulated):
    """Asking again is safe."""
    session = await emulated.session()
    emulated.link.cut()
    with pytest.raises((NotSent, CommandTimeout)):
        await session.request(commands.CLOCK_GET, commands.NoParams(), timeout_s=1)


async def test_two_terminals_with_one_token_replace_each_other(
    emulated: Emulated, bridge: Bridge, authorizer: MemoryAuthorizer
):
    """The newest link wins, and the older one is told."""
    first = await emulated.session()
    second = Emulated(bridge, TOKEN)
    async with asyncio.timeout(WITHIN_S):
        session = await second.session(after=first)
    await second.stop()

    assert first.end_reason
    assert session is not first


def _deals(events: Sequence[m.Event]) -> list[Deal]:
    trades = [event for event in events if isinstance(event, m.Trade)]
    return [trade.deal for trade in trades if isinstance(trade.deal, Deal)]
