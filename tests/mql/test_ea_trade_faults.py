"""What the EA makes of trades that go wrong: an order is never doubled, never lost, and never
called refused where it may have been executed.
"""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from ea_orders import BOTH, BUY, buy, positions, stored
from linked_ea import Compile, LinkedEa, plain_config
from msgspec.structs import replace
from simulated_terminal import SimulatedTerminal
from test_ea_results import restarted, table_of
from test_ea_trades import LIMIT

from ea_bridge.commands import (
    LEASE_GET,
    LEASE_SET,
    ORDER_SEND,
    TRAIL_SET,
    TRAILS_GET,
    FilterParams,
    NoParams,
)
from ea_bridge.errors import CommandFailed
from ea_bridge.model import LeaseTerms, OrderType, TradeAction, TradeRetcode, TrailTerms
from gateway.trading.terminal import was_refused


@pytest.mark.parametrize(
    ("platform", "retcodes"), [("mt5", (10012, 10031, 0)), ("mt4", (10012, 10031))]
)
async def test_what_may_have_been_executed_is_never_called_refused(
    platform: str, retcodes: tuple[int, ...], tmp_path: Path, compile_ea: Compile
) -> None:
    """The broker's answer did not come, the connection broke on the way, or nothing is said."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        await ea.live()
        await ea.terminal.do("script", refusals=retcodes)
        for retcode in retcodes:
            if retcode:
                assert (await ea.ask(ORDER_SEND, BUY)).retcode == TradeRetcode.TIMEOUT
            else:
                with pytest.raises(CommandFailed) as failed:
                    await ea.ask(ORDER_SEND, BUY)
                assert not was_refused(failed.value.err, failed.value.retcode)
        await ea.terminal.do("script", refusals=[TradeRetcode.LOCKED, TradeRetcode.REQUOTE])
        busy, requoted = await ea.ask(ORDER_SEND, BUY), await ea.ask(ORDER_SEND, BUY)
        # MetaTrader 4: another expert trades just now, so that this was not sent
        assert busy.retcode == {"mt4": 10024, "mt5": 10028}[platform]
        assert requoted.retcode == TradeRetcode.REQUOTE
        assert await positions(ea) == []


@BOTH
async def test_nothing_is_executed_that_cannot_be_noted(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """A full disk takes a part of a note: the trade is refused, and once there is room again the
    next one goes on, and what was known before is known after a new start.
    """
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        session = await ea.live()
        await ea.ask(LEASE_GET, NoParams())
        first = session.new_command_id()
        result = await buy(ea, command_id=first)
        limit = resource.RLIMIT_FSIZE
        old = resource.prlimit(ea.terminal.pid, limit)
        room = (table_of(tmp_path).stat().st_size + 5, old[1])
        resource.prlimit(ea.terminal.pid, limit, room)
        with pytest.raises(CommandFailed) as refused:
            await ea.ask(ORDER_SEND, BUY)
        assert was_refused(refused.value.err, refused.value.retcode)
        assert len(await positions(ea)) == 1
        resource.prlimit(ea.terminal.pid, limit, old)
        last = session.new_command_id()
        second = await buy(ea, command_id=last)
        await restarted(ea)
        known = await stored(ea, first, last)
        assert [one.result for one in known] == [result, second]
        assert len(await positions(ea)) == 2


@BOTH
async def test_a_second_chart_does_not_share_the_table(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Neither EA would know what the other has executed: the later one does not begin."""
    program, config = compile_ea(platform), plain_config(tmp_path)
    async with LinkedEa(program, config) as ea:
        await ea.live()
        # each chart is a process here, and the variables are the terminal's
        shared = {**config, "variables": await ea.terminal.do("variables")}
        second = SimulatedTerminal(program, tmp_path, shared, dict(ea.terminal.inputs))
        await second.start()
        alert = await second.heard(lambda line: line["t"] == "alert")
        await second.stop()
        assert "on another chart" in alert["text"]
        assert ea.wire.dialled == 1
        await buy(ea)


@BOTH
async def test_a_trade_that_takes_longer_than_a_lease_does_not_end_it(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """The daemon's heartbeats came meanwhile, and nobody could read them."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        await buy(ea, LIMIT)
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=3000))
        ea.session.lease_ms = 3000  # which each heartbeat renews
        await ea.terminal.quirk(order_ms=3500)
        await buy(ea)
        await ea.terminal.quirk(order_ms=0)
        lease = await ea.ask(LEASE_GET, NoParams())
        assert (lease.lease_ms, lease.fired_msc, lease.cancelled) == (3000, 0, [])
        assert len((await ea.terminal.do("books"))["orders"]) == 1


async def test_a_ticket_is_not_cut_off(tmp_path: Path, compile_ea: Compile) -> None:
    """MetaTrader 4's have 32 bits: a longer number is nobody's, and not that of another trade."""
    async with LinkedEa(compile_ea("mt4"), plain_config(tmp_path)) as ea:
        held, waiting = (await buy(ea)).position, (await buy(ea, LIMIT)).order
        long = 1 << 32
        out = replace(BUY, position=held + long, type=OrderType.SELL, price=0.5)
        gone = replace(LIMIT, action=TradeAction.REMOVE, order=waiting + long)
        results = [await ea.ask(ORDER_SEND, one) for one in (out, gone)]
        assert [one.retcode for one in results] == [10036, 10035]
        assert [one.ticket for one in await positions(ea)] == [held]
        assert len((await ea.terminal.do("books"))["orders"]) == 1


@BOTH
async def test_a_stop_follows_no_position_of_another_account(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """There a position may have the same ticket: its stop is left alone."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path, login=111)) as ea:
        held = (await buy(ea)).position
        [position] = await positions(ea)
        await ea.ask(TRAIL_SET, TrailTerms(ticket=held, distance=100))
        assert len(await ea.ask(TRAILS_GET, FilterParams())) == 1
        await ea.terminal.do("login", login=222)
        bid = position.price_open + 0.0050
        await ea.terminal.do("tick", symbol="EURUSD", bid=bid, ask=bid + 0.0001)
        await ea.terminal.heard(lambda line: "session s-2" in line.get("text", ""))
        assert await ea.ask(TRAILS_GET, FilterParams()) == []
        [position] = await positions(ea)
        assert (position.ticket, position.sl) == (held, 0.0)
