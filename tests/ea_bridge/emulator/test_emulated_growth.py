"""An account that has traded for long: its answers fit through the wire, and its books find."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bridge_parts import Bridge
from terminal_bench import EURUSD, WEDNESDAY, Bench
from test_emulated_link import Emulated, emulated

from ea_bridge import commands
from ea_bridge.errors import ResultTooLarge
from ea_bridge.model import Deal, Order, OrderState
from ea_bridge.protocol import codec
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.codec import MAX_LINE_TO_DAEMON
from ea_bridge.simulation.broker import Broker, terms_of
from ea_bridge.simulation.broker.ledger import Archive
from ea_bridge.simulation.specs import default_account

__all__ = ["emulated"]

MANY = 6000


def past_order(n: int) -> Order:
    """The order of the nth second."""
    return Order(
        ticket=10**9 + n,
        time_done=n,
        type=0,
        state=OrderState.FILLED,
        position_id=10**9 + n % 7,
        symbol=EURUSD,
        comment="as long as a comment may be ...",
    )


def past_deal(n: int) -> Deal:
    """The deal of the nth second."""
    return Deal(ticket=n + 1, order=10**9 + n, time=n, type=0, position_id=10**9 + n % 7)


def test_a_long_past_fits_through_the_wire() -> None:
    """An order is five times as long as a bar: it is the bytes of a part that count."""
    bench = Bench()
    bench.broker.load(map(past_order, range(MANY)), map(past_deal, range(MANY)))
    for command in (commands.HISTORY_ORDERS_GET, commands.HISTORY_DEALS_GET):
        lines = [len(codec.encode(part)) for part in bench.ask(command, from_s=0, to_s=MANY)]
        assert sum(lines) > MAX_LINE_TO_DAEMON > 2 * max(lines)
        assert len(bench.result(command, from_s=0, to_s=MANY)) == MANY


@pytest.fixture(name="swollen")
def swell(emulated: Emulated) -> Emulated:
    """A terminal with an order so long that no line can hold it."""
    order = Order(
        ticket=7, type=2, state=OrderState.PLACED, symbol=EURUSD, comment="x" * 2 * 1024 * 1024
    )
    emulated.bench.broker.load([order])
    return emulated


async def test_an_answer_that_no_line_holds_is_an_error_of_its_own(swollen: Emulated) -> None:
    """The link goes on: otherwise the same question would end the next one, for ever."""
    session = await swollen.session()
    with pytest.raises(ResultTooLarge):
        await session.request(commands.ORDERS_GET, commands.FilterParams())
    assert await session.request(commands.CLOCK_GET, commands.NoParams())
    assert not session.end_reason


async def test_an_event_that_no_line_holds_is_missed_by_its_number(
    swollen: Emulated, bridge: Bridge
) -> None:
    """Those before and after it are told, and the daemon knows that one is lost."""
    session = await swollen.session()
    ledger = swollen.bench.broker.books
    ledger.finish_order(ledger.orders[7], OrderState.CANCELED, WEDNESDAY)
    swollen.bench.broker.deposit(1.0, swollen.bench.now_msc)
    await bridge.heard.until(lambda: any(isinstance(one, m.Trade) for one in bridge.heard.events))
    told = [one for one in bridge.heard.events if isinstance(one, m.Lost | m.Trade)]
    assert [type(one) for one in told] == [m.Lost, m.Trade]
    assert not session.end_reason


# --- the books ---------------------------------------------------------------------------------


def broker() -> Broker:
    """One with a past of a hundred seconds, told in no order."""
    made = Broker(Bench().market, default_account(), terms_of(default_account()))
    numbers = [n * 37 % 100 for n in range(100)]
    made.load(map(past_order, numbers), map(past_deal, numbers))
    return made


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"from_s": 10},
        {"to_s": 10},
        {"from_s": 10, "to_s": 12},
        {"from_s": 50, "to_s": 49},
        {"ticket": 10**9 + 5},
        {"ticket": 5},
        {"position": 10**9 + 3},
        {"position": 10**9 + 3, "from_s": 20, "to_s": 40},
        {"position": 10**9 + 3, "ticket": 10**9 + 10},
        {"position": 10**9 + 3, "ticket": 10**9 + 11},
    ],
)
def test_the_past_is_found_by_all_that_is_asked(chosen: dict[str, int]) -> None:
    """By time, order and position, in any combination: what looking at each record finds."""

    def fits(time_s: int, order: int, position: int) -> bool:
        return (
            chosen.get("from_s", 0) <= time_s <= chosen.get("to_s", 100)
            and chosen.get("ticket", order) == order
            and chosen.get("position", position) == position
        )

    orders = [one for one in map(past_order, range(100))]
    deals = [one for one in map(past_deal, range(100))]
    made = broker()
    assert made.history_orders(**chosen) == [
        one for one in orders if fits(one.time_done, one.ticket, one.position_id)
    ]
    found = sorted(made.history_deals(**chosen), key=lambda one: one.time)
    assert found == [one for one in deals if fits(one.time, one.order, one.position_id)]


def test_a_record_that_is_replaced_is_found_as_it_is_now() -> None:
    """Neither at its old time nor by its old number."""
    number: Callable[[tuple[int, int]], int] = lambda one: one[1]  # noqa: E731  # named for mypy
    archive = Archive[tuple[int, int]](lambda one: one[0], number=number)
    archive.put(1, (10, 77))
    archive.put(2, (20, 77))
    archive.put(1, (30, 88))
    assert archive.within(None, None) == [(20, 77), (30, 88)]
    assert archive.within(5, 15) == []
    assert archive.with_number("number", 77) == [(20, 77)]
    assert archive.with_number("number", 88) == [(30, 88)]
