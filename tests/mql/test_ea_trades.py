"""What the EA does with trades, and what it does by itself: never twice, never too late, and on
guard while nobody is linked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ea_orders import BOTH, BUY, DONE, buy, positions, stored
from linked_ea import TIMEOUT_S, Compile, FastTimers, LinkedEa, plain_config
from msgspec.structs import replace

from ea_bridge.commands import (
    LEASE_GET,
    LEASE_SET,
    ORDER_SEND,
    TRAIL_SET,
    TRAILS_GET,
    FilterParams,
    NoParams,
)
from ea_bridge.errors import CommandFailed, OutcomeUnknown
from ea_bridge.model import (
    LeaseTerms,
    MarginMode,
    OrderType,
    TradeAction,
    TradeRequest,
    TradeRetcode,
    TrailTerms,
)

SPEED = 10
"""Of an EA's clock, where it has to wait."""
SOLD = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 1, "price": 1.0}
LIMIT = TradeRequest(
    action=TradeAction.PENDING,
    symbol="EURUSD",
    volume=0.1,
    price=1.0,
    type=OrderType.BUY_LIMIT,
)

Json = dict[str, Any]


async def until_books(ea: LinkedEa, fits: Callable[[Json], bool]) -> Json:
    """Wait until the broker's books are as they should be."""
    async with asyncio.timeout(TIMEOUT_S):
        books: Json = await ea.terminal.do("books")
        while not fits(books):
            await asyncio.sleep(0.02)
            books = await ea.terminal.do("books")
    return books


@BOTH
async def test_a_command_that_comes_again_is_not_executed_again(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """It is answered from the table: also on another link, also after a new start."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        session = await ea.live()
        number = session.new_command_id()
        first = await buy(ea, command_id=number)
        assert await buy(ea, command_id=number) == first
        await ea.restart_daemon()
        assert await buy(ea, command_id=number) == first
        ea.terminal.tell(do="restart")
        await ea.terminal.heard(lambda line: line["t"] == "restart")
        await ea.terminal.heard(
            lambda line: "linked" in line.get("text", ""), len(ea.terminal.said)
        )
        assert await buy(ea, command_id=number) == first
        [known] = await stored(ea, number)
        assert (known.state, known.result) == ("done", first)
        assert len(await positions(ea)) == 1


@pytest.mark.parametrize(("crash", "executed"), [("crash_before", 0), ("crash_after", 1)])
@BOTH
async def test_a_terminal_that_dies_in_a_trade_knows_that_it_had_begun(
    platform: str, crash: str, executed: int, tmp_path: Path, compile_ea: Compile
) -> None:
    """The caller hears *unknown*; later that it was taken; and the account tells the rest."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        session = await ea.live()
        await ea.ask(LEASE_GET, NoParams())  # a question, at which the table begins
        number = session.new_command_id()
        await ea.terminal.quirk(**{crash: 1})
        with pytest.raises(OutcomeUnknown) as unknown:
            await ea.ask(ORDER_SEND, BUY, command_id=number)
        assert unknown.value.acked
        taken, never = await stored(ea, number, number + 1)
        assert taken.state == "taken"
        assert never.state == "absent"
        assert len(await positions(ea)) == executed


@BOTH
async def test_a_refusal_is_kept_like_any_result(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """With its retcode; a command whose params are none is refused before it is sent."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        session = await ea.live()
        number = session.new_command_id()
        result = await ea.ask(ORDER_SEND, replace(BUY, volume=0.001), command_id=number)
        assert result.retcode == TradeRetcode.INVALID_VOLUME
        [known] = await stored(ea, number)
        assert (known.state, known.result) == ("done", result)
        await ea.terminal.switch(autotrading=False)
        result = await ea.ask(ORDER_SEND, BUY)
        assert result.retcode == TradeRetcode.CLIENT_DISABLES_AT
        assert "button" in result.comment
        await ea.terminal.switch(autotrading=True, connected=False)
        assert (await ea.ask(ORDER_SEND, BUY)).retcode == TradeRetcode.CONNECTION
        await ea.terminal.switch(connected=True)
        assert await positions(ea) == []


@BOTH
async def test_a_trade_that_waited_too_long_is_not_begun(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """While a trade holds the EA up nobody sees when the next came: it may be as old as that."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        await ea.live()
        await ea.terminal.quirk(order_ms=600)
        acked = asyncio.Event()
        slow = asyncio.create_task(ea.ask(ORDER_SEND, BUY, on_ack=acked.set))
        await acked.wait()
        late = asyncio.create_task(ea.ask(ORDER_SEND, replace(BUY, volume=0.5), ttl_ms=100))
        with pytest.raises(CommandFailed) as refused:
            await late
        assert refused.value.err == 65536
        assert (await slow).retcode == DONE
        assert 0.5 not in [one.volume for one in await positions(ea)]


@pytest.mark.parametrize("mode", [MarginMode.RETAIL_NETTING, MarginMode.RETAIL_HEDGING])
async def test_a_deal_that_names_a_position_never_opens_one(
    mode: MarginMode, tmp_path: Path, compile_ea: Compile
) -> None:
    """Netting servers would; the EA compares right before it sends."""
    async with LinkedEa(compile_ea("mt5"), plain_config(tmp_path, margin_mode=int(mode))) as ea:
        held = (await buy(ea)).position
        out = replace(BUY, position=held, type=OrderType.SELL, price=0.5)
        results = [
            await ea.ask(ORDER_SEND, one)
            for one in (
                replace(out, volume=0.2),
                replace(out, type=OrderType.BUY),
                replace(out, position=held + 77),
            )
        ]
        assert all(one.retcode not in (DONE, TradeRetcode.PLACED) for one in results)
        if mode == MarginMode.RETAIL_NETTING:
            assert [one.retcode for one in results] == [10038, 10013, 10036]
        assert [one.volume for one in await positions(ea)] == [0.1]
        await buy(ea, out)
        assert await positions(ea) == []


@BOTH
async def test_a_lease_that_nobody_renews_is_carried_out_without_a_daemon(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Orders are cancelled and positions closed; what was done is told once."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        held = (await buy(ea)).position
        waiting = (await buy(ea, LIMIT)).order
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=2000, action="cancel_and_close"))
        ea.wire.is_open = False
        ea.wire.cut()
        await until_books(ea, lambda books: not books["orders"] and not books["positions"])
        ea.wire.is_open = True
        lease = await ea.ask(LEASE_GET, NoParams())
        assert (lease.cancelled, lease.closed, lease.failed) == ([waiting], [held], [])
        assert lease.fired_msc > 0
        assert lease.lease_ms == 0
        assert (await ea.ask(LEASE_GET, NoParams())).fired_msc == 0


async def test_a_lease_waits_for_the_broker(tmp_path: Path, compile_ea: Compile) -> None:
    """Without him nothing can be cancelled; it is done as soon as he is there again."""
    config = {**plain_config(tmp_path), "speed": SPEED}
    timers = partial(FastTimers, speed=SPEED)
    async with LinkedEa(compile_ea("mt5"), config, timers=timers) as ea:
        waiting = (await buy(ea, LIMIT)).order
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=2000))
        await ea.terminal.switch(connected=False)
        ea.wire.hold()
        # silent for 15 s of its clock
        await ea.terminal.heard(lambda line: "is silent" in line.get("text", ""))
        assert len((await ea.terminal.do("books"))["orders"]) == 1
        await ea.terminal.switch(connected=True)
        await until_books(ea, lambda books: not books["orders"])
        ea.wire.release()
        lease = await ea.ask(LEASE_GET, NoParams())
        assert (lease.cancelled, lease.failed) == ([waiting], [])


async def test_a_lease_for_our_own_leaves_the_rest_alone(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """Ours is what the EA has sent, or what has the gateway's tag."""
    by_hand = {"action": 5, "symbol": "EURUSD", "volume": 0.1, "price": 1.0, "type": 2}
    async with LinkedEa(compile_ea("mt5"), plain_config(tmp_path)) as ea:
        await buy(ea, LIMIT)
        await ea.terminal.do("send", request={**by_hand, "comment": "gABCDEFGH2 mine"})
        await ea.terminal.do("send", request={**by_hand, "comment": "grandmother"})
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=2000, own=True))
        ea.wire.hold()
        books = await until_books(ea, lambda books: len(books["orders"]) == 1)
        assert books["orders"][0]["comment"] == "grandmother"
        ea.wire.release()


async def test_a_lease_for_our_own_closes_what_is_left_of_it(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """On MetaTrader 4 the rest has another ticket and comment, whoever has closed the part."""
    async with LinkedEa(compile_ea("mt4"), plain_config(tmp_path)) as ea:
        await buy(ea, replace(BUY, volume=0.4, comment=""))
        for by_hand in (False, True):
            [held] = await positions(ea)
            part = replace(BUY, position=held.ticket, volume=0.1, type=OrderType.SELL, comment="")
            if by_hand:
                await ea.terminal.do("send", request={**SOLD, "position": held.ticket})
            else:
                await buy(ea, part)
        [held] = await positions(ea)
        assert held.comment.startswith("from #")
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=2000, own=True, action="cancel_and_close"))
        ea.wire.hold()
        await until_books(ea, lambda books: books["positions"] == [])
        ea.wire.release()


@BOTH
async def test_a_stop_follows_the_market_without_a_daemon(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Never away from it; and after a new start as well."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        held = (await buy(ea)).position
        [position] = await positions(ea)
        opened = position.price_open
        terms = TrailTerms(ticket=held, distance=100, activation=50)
        assert (await ea.ask(TRAIL_SET, terms)).symbol == "EURUSD"

        async def stops_after(above: float, *stops: float) -> None:
            bid = opened + above
            ea.terminal.tell(do="tick", symbol="EURUSD", bid=bid, ask=bid + 0.0001)
            wanted = pytest.approx([opened + stop for stop in stops])
            await until_books(
                ea, lambda books: [one["sl"] for one in books["positions"]] == wanted
            )

        await stops_after(0.0020, 0.0010)
        sold = (await buy(ea, replace(BUY, type=OrderType.SELL, price=opened))).position
        await ea.ask(TRAIL_SET, TrailTerms(ticket=sold, distance=300))
        # refused: a terminal that was let in and cut at once would wait 20 s for its greeting
        await ea.wire.shut()
        await stops_after(0.0015, 0.0010, 0.0046)
        ea.terminal.tell(do="restart")
        await ea.terminal.heard(lambda line: line["t"] == "restart")
        await stops_after(0.0030, 0.0020, 0.0046)
        await ea.wire.reopen()
        trails = await ea.ask(TRAILS_GET, FilterParams())
        assert (trails[0].ticket, trails[0].moves) == (held, 2)
        assert trails[0].sl == pytest.approx(opened + 0.0020)
        await ea.ask(TRAIL_SET, TrailTerms(ticket=held))
        assert [one.ticket for one in await ea.ask(TRAILS_GET, FilterParams())] == [sold]


@BOTH
async def test_a_dial_that_nobody_answers_holds_nothing_up(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Windows asks again and again where nobody listens: here for longer than the test waits."""
    config = plain_config(tmp_path)
    config["quirks"]["connect_ms"] = 2 * TIMEOUT_S * 1000
    async with LinkedEa(compile_ea(platform), config, is_direct=True) as ea:
        held = (await buy(ea)).position
        waiting = (await buy(ea, LIMIT)).order
        [position] = await positions(ea)
        await ea.ask(TRAIL_SET, TrailTerms(ticket=held, distance=100))
        await ea.ask(LEASE_SET, LeaseTerms(lease_ms=3000))
        await ea.stop_daemon()
        await ea.terminal.heard(lambda line: "no connection to" in line.get("text", ""))
        bid = position.price_open + 0.0020
        ea.terminal.tell(do="tick", symbol="EURUSD", bid=bid, ask=bid + 0.0001)
        wanted = pytest.approx(bid - 0.0010)
        await until_books(ea, lambda books: books["positions"][0]["sl"] == wanted)
        books = await until_books(ea, lambda books: not books["orders"])
        assert books["past"][-1]["ticket"] == waiting


async def test_a_trail_follows_what_is_left_under_a_new_ticket(
    tmp_path: Path, compile_ea: Compile
) -> None:
    """MetaTrader 4 gives what is left of a trade a new ticket."""
    async with LinkedEa(compile_ea("mt4"), plain_config(tmp_path)) as ea:
        held = (await buy(ea)).position
        await ea.ask(TRAIL_SET, TrailTerms(ticket=held, distance=100))
        out = replace(BUY, position=held, type=OrderType.SELL, volume=0.04, price=0.5)
        left = (await buy(ea, out)).position
        assert left != held
        [trail] = await ea.ask(TRAILS_GET, FilterParams())
        assert trail.ticket == left
