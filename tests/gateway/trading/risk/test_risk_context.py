"""Rules of what an order adds to the exposure of an account, and of what counts beside it."""

from __future__ import annotations

from dataclasses import replace as replace_record
from decimal import Decimal
from itertools import permutations, product
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace
from scripted_answers import ORDER, POSITION

from ea_bridge.model import OrderType, TradeAction, TradeRequest
from gateway.credentials.lease import Tier
from gateway.trading.limits import TradingLimits
from gateway.trading.requests import Deadline, ExecutionOptions, PreparedOrder
from gateway.trading.risk.context import Exposure, OrderEffect, RiskContext, StaleFacts, listed
from gateway.trading.risk.counters import OrderRate, Reservation
from gateway.trading.risk.facts import AccountFacts

OPTIONS = ExecutionOptions(client_order_id="a", deadline=Deadline.of(lambda: 0, None, None))
SYMBOLS = ("EURUSD", "GBPUSD")
LOTS = st.integers(1, 50).map(lambda count: Decimal(count) / 10)


def prepared(action: TradeAction, tier: Tier = Tier.FULL) -> PreparedOrder:
    request = TradeRequest(
        action=int(action), symbol="EURUSD", type=int(OrderType.BUY), volume=1.0
    )
    return PreparedOrder(request=request, options=OPTIONS, tier=tier)


def context(*, mode: str = "hedging", **more: Any) -> RiskContext:
    facts = AccountFacts(
        0, {"positions": more.pop("positions", []), "orders": more.pop("orders", [])}
    )
    terminal = cast(Any, SimpleNamespace(hello=SimpleNamespace(mode=mode)))
    order = more.pop("order", prepared(TradeAction.DEAL))
    return RiskContext(
        terminal=terminal,
        order=order,
        limits=TradingLimits(),
        facts=facts,
        rate=OrderRate(),
        **more,
    )


def reserved(volume: str = "1", *, buys: bool = True, closes: bool = False) -> Reservation:
    return Reservation(
        client_order_id="b",
        symbol="EURUSD",
        volume=Decimal(volume),
        buys=buys,
        waits=False,
        closes=closes,
    )


def with_order(kind: OrderType, volume: float) -> PreparedOrder:
    request = TradeRequest(
        action=int(TradeAction.DEAL), symbol="EURUSD", type=int(kind), volume=volume
    )
    return PreparedOrder(request=request, options=OPTIONS)


@pytest.mark.parametrize(
    ("action", "tier", "kind"),
    [
        (TradeAction.DEAL, Tier.FULL, OrderEffect.OPEN),
        (TradeAction.PENDING, Tier.FULL, OrderEffect.OPEN),
        (TradeAction.MODIFY, Tier.FULL, OrderEffect.CHANGE),
        (TradeAction.SLTP, Tier.FULL, OrderEffect.CHANGE),
        (TradeAction.DEAL, Tier.REDUCE, OrderEffect.REDUCE),
        (TradeAction.SLTP, Tier.REDUCE, OrderEffect.REDUCE),
        (TradeAction.CLOSE_BY, Tier.FULL, OrderEffect.REDUCE),
    ],
)
def test_the_kind_of_an_order(action: TradeAction, tier: Tier, kind: OrderEffect) -> None:
    """What only takes risk away must hardly ever be refused."""
    assert OrderEffect.of(prepared(action, tier)) is kind


@given(held=LOTS, buys=LOTS, sells=LOTS)
def test_a_netting_position_counts_by_how_far_it_can_go(
    held: Decimal, buys: Decimal, sells: Decimal
) -> None:
    """Whichever of the orders are filled; on a hedging account all add up."""
    exposures = [
        Exposure("EURUSD", held, buys=True, is_open=True),
        Exposure("EURUSD", buys, buys=True, waits=True),
        Exposure("EURUSD", sells, buys=False, waits=True),
    ]
    netting = context(mode="netting").by_symbol(exposures)["EURUSD"]
    ends = [held, held + buys, held - sells, held + buys - sells]
    assert netting == max(abs(end) for end in ends)
    assert context().by_symbol(exposures)["EURUSD"] == held + buys + sells


def test_what_is_there_already_refuses_nothing_that_adds_nothing() -> None:
    """On a netting account a sale reduces a position that is over the limit."""
    long = replace(POSITION, symbol="EURUSD", volume=5.0)
    sale = TradeRequest(
        action=int(TradeAction.DEAL), symbol="EURUSD", type=int(OrderType.SELL), volume=1.0
    )
    order = PreparedOrder(request=sale, options=OPTIONS)
    netting = context(mode="netting", positions=[long], order=order)
    assert netting.measured(netting.lots, Decimal(2)) == 2
    hedging = context(positions=[long], order=order)
    assert hedging.measured(hedging.lots, Decimal(2)) == 6


def test_an_order_under_way_the_same_way_leaves_the_next_less_room() -> None:
    """Buys that wait outweigh each of two sales, until one of them is filled."""
    waiting = [
        replace(ORDER, symbol="EURUSD", type=int(kind), volume_current=volume)
        for kind, volume in ((OrderType.BUY_LIMIT, 2.0), (OrderType.SELL_LIMIT, 1.3))
    ]
    sale = TradeRequest(
        action=int(TradeAction.DEAL), symbol="EURUSD", type=int(OrderType.SELL), volume=0.2
    )
    order = PreparedOrder(request=sale, options=OPTIONS)
    alone = context(mode="netting", orders=waiting, order=order)
    assert alone.measured(alone.lots, Decimal(1)) == 1
    beside = replace_record(alone, surely=[reserved("0.5", buys=False)])
    assert beside.measured(beside.lots, Decimal(1)) == 2


@given(
    held=st.integers(-50, 50).map(lambda count: Decimal(count) / 10),
    limits=st.tuples(LOTS, LOTS),
    under_way=st.lists(st.tuples(st.sampled_from(SYMBOLS), LOTS, st.booleans()), max_size=4),
    most=LOTS,
)
def test_what_passes_is_within_the_limit_or_adds_nothing_whatever_is_filled(
    held: Decimal,
    limits: tuple[Decimal, Decimal],
    under_way: list[tuple[str, Decimal, bool]],
    most: Decimal,
) -> None:
    """Each of the orders under way is filled or refused before it: in no case does it go beyond
    what is there by then, if that is above the limit.
    """
    position = replace(POSITION, symbol="EURUSD", type=int(held < 0), volume=float(abs(held)))
    pending = [
        replace(ORDER, symbol="EURUSD", type=int(kind), volume_current=float(lots))
        for kind, lots in zip((OrderType.BUY_LIMIT, OrderType.SELL_LIMIT), limits, strict=True)
    ]
    beside = [
        replace_record(reserved(f"{lots}", buys=buys), symbol=symbol)
        for symbol, lots, buys in under_way
    ]
    netting = context(mode="netting", positions=[position], orders=pending, surely=beside)
    assume(netting.measured(netting.lots, most) <= most)

    listed = [
        Exposure("EURUSD", abs(held), buys=held > 0, is_open=True),
        Exposure("EURUSD", limits[0], buys=True, waits=True),
        Exposure("EURUSD", limits[1], buys=False, waits=True),
    ]
    for are_filled in product((False, True), repeat=len(under_way)):
        filled = [
            Exposure(symbol, lots, buys, is_open=True)
            for (symbol, lots, buys), is_filled in zip(under_way, are_filled, strict=True)
            if is_filled
        ]
        before = netting.lots([*listed, *filled])
        assert netting.lots([*listed, *filled, netting.exposure]) <= max(before, most)


class UnderWay(NamedTuple):
    """An order that may be carried out, or a close of the position that was there at first."""

    lots: Decimal
    buys: bool
    closes: bool = False

    def carry_out(self, net: Decimal) -> Decimal:
        """Return what the position is afterwards: a close takes from it, and never turns it."""
        signed = self.lots if self.buys else -self.lots
        is_refused = self.closes and (net * signed >= 0 or abs(net) < self.lots)
        return net if is_refused else net + signed


@given(
    held=st.integers(-30, 30).filter(bool).map(lambda count: Decimal(count) / 10),
    waiting=st.tuples(LOTS, LOTS),
    others=st.lists(st.builds(UnderWay, LOTS, st.booleans()), max_size=2),
    close=LOTS,
    order=st.builds(UnderWay, LOTS, st.booleans()),
    most=LOTS,
)
def test_what_passes_beside_a_close_is_within_the_limit_in_every_order_of_fills(
    held: Decimal,
    waiting: tuple[Decimal, Decimal],
    others: list[UnderWay],
    close: Decimal,
    order: UnderWay,
    most: Decimal,
) -> None:
    """The close may come first, last, or to nothing, and so may each of the others."""
    closing = UnderWay(min(close, abs(held)), held < 0, closes=True)
    position = replace(POSITION, symbol="EURUSD", type=int(held < 0), volume=float(abs(held)))
    pending = [
        replace(ORDER, symbol="EURUSD", type=int(kind), volume_current=float(lots))
        for kind, lots in zip((OrderType.BUY_LIMIT, OrderType.SELL_LIMIT), waiting, strict=True)
    ]
    beside = [
        reserved(f"{one.lots}", buys=one.buys, closes=one.closes) for one in (closing, *others)
    ]
    kind = OrderType.BUY if order.buys else OrderType.SELL
    asked = with_order(kind, float(order.lots))
    netting = context(
        mode="netting", positions=[position], orders=pending, surely=beside, order=asked
    )
    # the least limit that it is within, and one at which it may add nothing
    tightest = netting.measured(netting.lots, Decimal(1000))
    limits = {tightest, min(most, tightest)}
    passed = [limit for limit in limits if netting.measured(netting.lots, limit) <= limit]
    assert tightest in passed

    def lots(net: Decimal) -> Decimal:
        return max(net + waiting[0], waiting[1] - net)

    under_way = (closing, *others)
    for count in range(len(under_way) + 1):
        for first in permutations(under_way, count):
            net = held
            for one in first:
                net = one.carry_out(net)
            assert lots(order.carry_out(net)) <= max(lots(net), min(passed))


def test_a_close_under_way_makes_no_other_position() -> None:
    """What it closes is in the list, or is no position any more."""
    gbp = replace(POSITION, symbol="GBPUSD")
    elsewhere = replace_record(reserved(buys=False, closes=True), symbol="USDJPY")
    beside = context(mode="netting", positions=[gbp], surely=[elsewhere])
    assert beside.measured(beside.positions, Decimal(2)) == 2


def test_an_order_that_may_be_counted_twice_settles_nothing() -> None:
    """The facts may show it already: they are asked for again, unless the limit breaks anyhow."""
    doubtful = context(doubtful=[reserved()])
    with pytest.raises(StaleFacts):
        doubtful.measured(doubtful.lots, Decimal(1))
    both = context(surely=[reserved()], doubtful=[reserved()])
    assert both.measured(both.lots, Decimal(1)) == 3
    assert doubtful.measured(doubtful.lots, Decimal(2)) == 2


def test_opposite_orders_are_counted() -> None:
    """One that has ended, and may be shown, settles it only beside another."""
    assert context(surely=[reserved(buys=False), reserved()]).opposed() == 1
    assert context(doubtful=[reserved()]).opposed() == 0
    with pytest.raises(StaleFacts):
        context(doubtful=[reserved(buys=False)]).opposed()


def test_lists_show_what_was_carried_out_by_all_its_numbers() -> None:
    """A position's ticket may change, and its identifier stays."""
    position = replace(POSITION, ticket=5, identifier=6)
    assert listed([position], [ORDER]).keys() == {5, 6, ORDER.ticket}
