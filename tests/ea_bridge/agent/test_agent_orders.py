"""Orders of an agent: each is sent once, in time, to the account that was meant, or not at all."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from agent_parts import Bench, MemoryPackage
from msgspec.structs import replace
from product import until

from ea_bridge import host
from ea_bridge.agent import package_thread
from ea_bridge.agent.package import struct_of
from ea_bridge.agent.questions import request_dict
from ea_bridge.commands import (
    LEASE_GET,
    LEASE_SET,
    ORDER_SEND,
    POSITIONS_GET,
    RESULTS_GET,
    SYMBOLS_GET,
    TOO_LATE,
    TRAIL_SET,
    TRAILS_GET,
    FilterParams,
    ResultsParams,
    StoredResult,
)
from ea_bridge.errors import CommandFailed, NotSent, OutcomeUnknown
from ea_bridge.model import (
    LeaseTerms,
    Position,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
    TrailTerms,
)

BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, type=0)
INVALID_PARAMETER, INTERNAL_ERROR = 4003, 4024


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(tmp_path) as one:
        await one.ask(LEASE_GET)  # from here on its table knows of everything
        yield one


async def opened(bench: Bench) -> int:
    """How many positions there are."""
    return len(await bench.ask(POSITIONS_GET, FilterParams()))


async def stored(bench: Bench, number: int) -> StoredResult:
    """What the agent's table has of a command."""
    [known] = await bench.ask(RESULTS_GET, ResultsParams(ids=str(number)))
    return known


async def new_id(bench: Bench) -> int:
    return (await bench.live()).new_command_id()


def sent(package: MemoryPackage) -> int:
    return package.calls.count("order_send")


async def test_an_order_that_comes_again_gets_its_first_answer(bench: Bench) -> None:
    """On the same link, after a new one, and after the agent was started again."""
    number, before = await new_id(bench), await opened(bench)
    first = await bench.ask(ORDER_SEND, BUY, command_id=number)
    assert first.retcode == TradeRetcode.DONE
    assert first.position
    assert await bench.ask(ORDER_SEND, BUY, command_id=number) == first
    session = await bench.live()
    bench.link.cut()
    await bench.live(but_not=session)
    assert await bench.ask(ORDER_SEND, BUY, command_id=number) == first
    await bench.stop()
    await bench.start(MemoryPackage(bench.machine))
    assert await bench.ask(ORDER_SEND, BUY, command_id=number) == first
    assert sent(bench.package) == 0
    assert (await stored(bench, number)).result == first
    assert await opened(bench) == before + 1


async def test_an_agent_that_died_over_an_order_does_not_send_it_again(bench: Bench) -> None:
    """Between ``order_send`` and its note: the table says ``taken``, and nobody sends it again."""
    number, before = await new_id(bench), await opened(bench)
    hangs, package = threading.Event(), bench.package

    def never_return(name: str, result: Any) -> Any:
        if name == "order_send":
            hangs.wait()
        return result

    package.after = never_return
    with pytest.raises(OutcomeUnknown):
        await bench.ask(ORDER_SEND, BUY, command_id=number, timeout_s=0.3)
    await bench.stop()
    await bench.start(MemoryPackage(bench.machine))
    assert (await stored(bench, number)).state == "taken"
    with pytest.raises(OutcomeUnknown):
        await bench.ask(ORDER_SEND, BUY, command_id=number, timeout_s=0.3)
    assert sent(bench.package) == 0
    assert await opened(bench) == before + 1
    hangs.set()


async def test_an_order_that_waited_too_long_is_not_sent(bench: Bench) -> None:
    """Behind a call of the package that took longer than the order was worth sending."""
    hold = bench.hold("symbols_get")
    question = asyncio.create_task(bench.ask(SYMBOLS_GET))
    await hold.begun()
    number = await new_id(bench)
    order = asyncio.create_task(bench.ask(ORDER_SEND, BUY, ttl_ms=1, command_id=number))
    await bench.waits_for_its_turn()
    came_s = host.monotonic_s()
    await until(lambda: host.monotonic_s() > came_s + 0.01)
    hold.release()
    await question
    with pytest.raises(CommandFailed) as failed:
        await order
    assert failed.value.err == TOO_LATE
    assert (await stored(bench, number)).err == TOO_LATE
    assert sent(bench.package) == 0


async def test_what_the_package_does_not_tell_is_unknown(bench: Bench) -> None:
    """``None`` of ``order_send``: only what the package itself refused is surely not sent."""
    package = bench.package
    answers: dict[int, TradeResult | int] = {}

    def fail(name: str, result: Any) -> Any:
        if name != "order_send":
            return result
        package.fail(code)
        return None

    package.after = fail
    for code in (-1, -2, -8, -10002):
        try:
            answers[code] = (await bench.ask(ORDER_SEND, BUY)).retcode
        except CommandFailed as failed:
            answers[code] = failed.err
    assert answers == {
        -1: INTERNAL_ERROR,
        -2: INVALID_PARAMETER,
        -8: TradeRetcode.CLIENT_DISABLES_AT,
        -10002: INTERNAL_ERROR,
    }


async def test_an_order_for_another_account_is_not_sent(bench: Bench) -> None:
    """Somebody has logged in elsewhere, at the terminal, a moment before: the link ends, and its
    successor is about the other account."""
    session = await bench.live()
    bench.package.login = 4242
    number = session.new_command_id()
    with pytest.raises((NotSent, OutcomeUnknown)):
        await session.request(ORDER_SEND, BUY, command_id=number)
    fresh = await bench.live(but_not=session)
    assert fresh.hello.login == 4242
    assert sent(bench.package) == 0
    assert (await stored(bench, number)).state == "absent"


async def test_an_account_that_was_read_at_the_second_look_counts(bench: Bench) -> None:
    """The look before the trade fails, and the one at the desk finds another account."""
    session, package = await bench.live(), bench.package

    def fail_once(name: str, result: Any) -> Any:
        if name != "account_info" or bench.terminal._thread._op != ORDER_SEND.op:
            return result
        package.after = lambda _, result: result
        package.login = 4242
        package.fail(-1)
        return None

    package.after = fail_once
    number = session.new_command_id()
    with pytest.raises((NotSent, OutcomeUnknown, CommandFailed)):
        await session.request(ORDER_SEND, BUY, command_id=number)
    await bench.live(but_not=session)
    assert sent(package) == 0
    assert (await stored(bench, number)).err == TOO_LATE


async def test_the_lease_waits_for_the_broker(bench: Bench) -> None:
    """It runs out while he is away, and is carried out when he is back."""
    done = await bench.ask(ORDER_SEND, BUY)
    switches, lease = bench.machine.handler.broker.switches, bench.terminal._thread.lease
    switches.connected = False
    await bench.ask(LEASE_SET, LeaseTerms(lease_ms=1000, action="cancel_and_close"))
    await until(lambda: host.monotonic_s() > lease._due_s)
    looks = bench.package.calls.count("terminal_info")
    await until(lambda: bench.package.calls.count("terminal_info") > looks + 2)
    assert (await bench.ask(LEASE_GET)).lease_ms == 1000
    switches.connected = True
    await until(lambda: lease._lease.fired_msc > 0)
    told = await bench.ask(LEASE_GET)
    assert done.position in told.closed
    assert told.failed == []


async def test_trails_outlive_lists_without_positions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of a terminal that has just found its broker, or has lost him, or has another account."""

    async def trailed() -> int:
        return len(await bench.ask(TRAILS_GET))

    def list_nothing(name: str, result: Any) -> Any:
        return () if name == "positions_get" else result

    package, switches = bench.package, bench.machine.handler.broker.switches
    ticket = (await bench.ask(ORDER_SEND, BUY)).position
    await bench.ask(TRAIL_SET, TrailTerms(ticket=ticket, distance=100))
    assert await trailed() == 1
    monkeypatch.setattr(package_thread, "SETTLE_S", math.inf)
    package.after = list_nothing
    assert await trailed() == 0
    monkeypatch.setattr(package_thread, "SETTLE_S", 0.0)
    switches.connected = False
    package.after = lambda _, result: result  # whatever was listed until here
    assert await trailed() == 1
    package.after = list_nothing
    assert await trailed() == 0
    session, package.login = await bench.live(), 4242
    switches.connected = True
    session = await bench.live(but_not=session)
    assert await trailed() == 0
    package.after = lambda _, result: result
    assert await trailed() == 0  # the same ticket, of another account
    package.login = None
    await bench.live(but_not=session)
    assert await trailed() == 1
    package.after = list_nothing
    await until(lambda: reads(tmp_path / "trails.json") == b"[]")


def reads(file: Path) -> bytes | None:
    """Return what a file holds; ``None`` while Windows lets nobody read it: it is exchanged."""
    try:
        return file.read_bytes()
    except PermissionError:
        return None


async def test_switches_are_read_right_before_an_order(bench: Bench) -> None:
    """So that the retcode says why; nothing is sent."""
    for switch, retcode in (
        ("autotrading", TradeRetcode.CLIENT_DISABLES_AT),
        ("connected", TradeRetcode.CONNECTION),
    ):
        setattr(bench.machine.handler.broker.switches, switch, False)
        assert (await bench.ask(ORDER_SEND, BUY)).retcode == retcode
        setattr(bench.machine.handler.broker.switches, switch, True)
    assert sent(bench.package) == 0


async def test_a_connection_that_was_lost_over_an_order_leaves_it_open(bench: Bench) -> None:
    """10031 of ``order_send`` itself: whether it got through nobody knows."""
    bench.package.after = lambda name, result: (
        TradeResult(retcode=TradeRetcode.CONNECTION) if name == "order_send" else result
    )
    assert (await bench.ask(ORDER_SEND, BUY)).retcode == TradeRetcode.TIMEOUT


def test_a_request_has_the_types_that_the_package_demands() -> None:
    """It takes no ``int`` for a price, and refuses what is too long."""
    request = request_dict(replace(BUY, volume=1, price=2, comment="g" * 31))
    assert request == {
        "action": 1,
        "symbol": "EURUSD",
        "volume": 1.0,
        "price": 2.0,
        "comment": "g" * 28,
    }
    assert type(request["volume"]) is type(request["price"]) is float
    assert type(request["action"]) is int


def test_what_a_terminal_says_can_be_written_to_the_wire() -> None:
    """A lone surrogate, no number, and an unsigned number that is too large."""

    class Record(NamedTuple):
        ticket: int = 1
        type: int = 0
        magic: int = 2**64 - 1
        volume: float = math.nan
        price_open: float = math.inf
        symbol: str = "EURUSD"
        comment: str = "broken \ud800"

    position = struct_of(Position, Record())
    assert (position.magic, position.volume, position.price_open) == (-1, 0.0, 0.0)
    assert position.comment == "broken ?"
