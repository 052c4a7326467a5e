"""Margin, conversion, swaps, stop-out, the account's sums."""

from __future__ import annotations

from decimal import Decimal

import pytest
from broker_bench import ACCOUNT, DAY, NOW, Bench, Market, pair, pending
from msgspec.structs import replace

from ea_bridge.model import (
    Account,
    DealReason,
    OrderState,
    OrderType,
    SymbolCalcMode,
    SymbolInfo,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)
from ea_bridge.simulation.broker import Broker, load_demo
from ea_bridge.simulation.broker.prices import rounded
from ea_bridge.simulation.broker.terms import Platform

T, C = OrderType, SymbolCalcMode


def cfd(name: str, mode: int, **fields: object) -> SymbolInfo:
    """Return an instrument in dollars with two digits and 10 units a lot."""
    return pair(
        name,
        **{
            "digits": 2,
            "point": 0.01,
            "trade_tick_size": 0.01,
            "trade_tick_value": 0.1,
            "trade_contract_size": 10.0,
            "trade_calc_mode": mode,
            "currency_base": "USD",
            "currency_profit": "USD",
            "currency_margin": "USD",
            **fields,
        },
    )


FORMULAS = [
    (pair("EURUSD"), 1.1, 1100.0),
    (pair("USDJPY"), 150.0, 1000.0),
    (pair("EURUSD", trade_calc_mode=C.FOREX_NO_LEVERAGE), 1.1, 110_000.0),
    (pair("EURUSD", margin_initial=500.0), 1.1, 550.0),
    (cfd("GOLD", C.CFD), 2000.0, 20_000.0),
    (cfd("GOLD", C.CFDLEVERAGE), 2000.0, 200.0),
    (cfd("INDEX", C.CFDINDEX), 2000.0, 200_000.0),
    (cfd("FUT", C.FUTURES, margin_initial=750.0), 2000.0, 750.0),
    (cfd("STOCK", C.EXCH_STOCKS), 50.0, 500.0),
]


@pytest.mark.parametrize(("symbol", "price", "expected"), FORMULAS)
def test_margin_of_one_lot_by_calc_mode(symbol: SymbolInfo, price: float, expected: float) -> None:
    """The formulas of ENUM_SYMBOL_CALC_MODE at leverage 1:100, in dollars."""
    bench = Bench(market=Market(symbol))
    bench.market.quote(symbol.name, price, price)
    assert bench.broker.calc_margin(T.BUY, symbol.name, 1.0, price) == expected


@pytest.mark.parametrize(
    ("symbol", "opened", "closed", "expected"),
    [
        (pair("EURUSD"), 1.1, 1.1015, 150.0),
        (pair("USDJPY"), 150.0, 151.0, 662.25),
        (cfd("GOLD", C.CFD), 2000.0, 1990.0, -100.0),
        (cfd("FUT", C.FUTURES, trade_tick_size=0.25, trade_tick_value=12.5), 10.0, 11.0, 50.0),
    ],
)
def test_profit_of_one_lot_by_calc_mode(
    symbol: SymbolInfo, opened: float, closed: float, expected: float
) -> None:
    """A pair that ends in another currency converts at its own closing price."""
    bench = Bench(market=Market(symbol))
    bench.market.quote(symbol.name, opened, opened)
    assert bench.broker.calc_profit(T.BUY, symbol.name, 1.0, opened, closed) == expected
    assert bench.broker.calc_profit(T.SELL, symbol.name, 1.0, closed, opened) == pytest.approx(
        expected, rel=0.01
    )


def test_conversion_uses_the_side_of_the_trade() -> None:
    """EURGBP on a dollar account: margin in euros at the EURUSD ask for a buy and at the bid
    for a sell; profit in pounds at the GBPUSD bid for a long position, which a sell closes.
    """
    bench = Bench(market=Market(pair("EURGBP"), pair("EURUSD"), pair("GBPUSD")))
    bench.market.quote("EURGBP", 0.85, 0.86)
    bench.market.quote("EURUSD", 1.1, 1.2)
    bench.market.quote("GBPUSD", 1.3, 1.4)
    broker = bench.broker
    assert broker.calc_margin(T.BUY, "EURGBP", 1.0, 0.86) == 1200.0
    assert broker.calc_margin(T.SELL, "EURGBP", 1.0, 0.85) == 1100.0
    assert broker.calc_profit(T.BUY, "EURGBP", 1.0, 0.85, 0.86) == 1300.0
    assert broker.calc_profit(T.SELL, "EURGBP", 1.0, 0.86, 0.85) == 1400.0


def test_conversion_by_an_inverse_pair_and_through_the_dollar() -> None:
    """Dollars to yen by USDJPY, yen to euros by both."""
    market = Market(pair("AUDJPY"), pair("EURUSD"), pair("USDJPY"), pair("AUDUSD"))
    for name, price in (("AUDJPY", 100.0), ("EURUSD", 1.25), ("USDJPY", 150.0), ("AUDUSD", 0.7)):
        market.quote(name, price, price)
    euros = Bench(market=market, account=replace(ACCOUNT, currency="EUR"))
    market.quote("EURUSD", 1.25, 1.25)
    assert euros.broker.calc_profit(T.BUY, "AUDJPY", 1.0, 100.0, 103.0) == 1600.0
    assert euros.broker.calc_margin(T.BUY, "AUDJPY", 1.0, 100.0) == 560.0
    assert euros.broker.calc_profit(T.BUY, "NOSUCH", 1.0, 1.0, 2.0) is None
    assert euros.broker.calc_margin(T.BUY_LIMIT, "AUDJPY", 1.0, 1.0) is None
    assert euros.broker.calc_margin(T.BUY, "AUDJPY", float("nan"), 1.0) is None


def test_the_brokers_suffix_is_tried_first() -> None:
    """EURGBP.x converts at GBPUSD.x, although there is a GBPUSD."""
    market = Market(
        replace(pair("EURGBP"), name="EURGBP.x"),
        replace(pair("GBPUSD"), name="GBPUSD.x"),
        pair("GBPUSD"),
    )
    bench = Bench(market=market)
    for name, price in (("EURGBP.x", 0.85), ("GBPUSD.x", 1.3), ("GBPUSD", 9.0)):
        market.quote(name, price, price)
    assert bench.broker.calc_profit(T.BUY, "EURGBP.x", 1.0, 0.85, 0.86) == 1300.0


HEDGED = [
    ({"margin_hedged": 0.0}, 2.0 * 1100.1 - 1100.1),
    ({"margin_hedged": 100_000.0}, 1100.1 + 1100.06667),
    ({"margin_hedged": 50_000.0}, 1100.1 + 550.03333),
    ({"margin_hedged_use_leg": True}, 2 * 1100.1),
]


@pytest.mark.parametrize(("fields", "expected"), HEDGED)
def test_covered_volume_costs_the_hedged_margin(
    fields: dict[str, object], expected: float
) -> None:
    """Long 2, short 1: the uncovered lot at the long price; the covered one at the average
    rate of all three, by the hedged contract size; or the larger leg alone.
    """
    bench = Bench(market=Market(pair("EURUSD", **fields)))
    bench.buy(2.0)
    bench.sell(1.0)
    assert bench.broker.account().margin == pytest.approx(expected, abs=0.006)


def test_margin_stays_at_the_opening_rate() -> None:
    """A position's margin does not float with the market."""
    bench = Bench()
    bench.buy(1.0)
    bench.move(1.2)
    assert bench.broker.account().margin == 1100.1


def test_the_captured_account_follows_from_one_position() -> None:
    """A real account (ICMarketsSC-Demo, 1:500): balance 928.29, profit 1.83, margin 2.39.

    The capture does not say what was held; 0.01 EURUSD bought at 1.195 fits, and from it
    equity, free margin and margin level follow as captured.
    """
    template = replace(ACCOUNT, leverage=500, margin_so_so=0.0)
    bench = Bench(account=template, funds=928.29)
    bench.market.quote("EURUSD", 1.1949, 1.195)
    bench.buy(0.01)
    bench.move(1.19683)
    account = bench.broker.account()
    assert (account.balance, account.profit, account.equity) == (928.29, 1.83, 930.12)
    assert (account.margin, account.margin_free) == (2.39, 927.73)
    assert account.margin_level == pytest.approx(38917.154811715474, rel=1e-12)


def test_free_margin_bounds_a_trade_exactly() -> None:
    """9.09 lots at 1.1001 need 9999.91 of 10000; 9.10 need too much."""
    assert Bench().buy(9.09).retcode == TradeRetcode.DONE
    assert Bench().buy(9.1).retcode == TradeRetcode.NO_MONEY


def test_what_reduces_exposure_needs_no_money() -> None:
    """An account without free margin may still close and hedge."""
    bench = Bench()
    ticket = bench.buy(9.0).position
    bench.move(1.0996)
    assert bench.broker.account().margin_free < 200
    assert bench.sell(9.0).retcode == TradeRetcode.DONE
    assert bench.sell(9.0, position=ticket).retcode == TradeRetcode.DONE


def test_pending_orders_reserve_margin_only_where_the_broker_says_so() -> None:
    """A rate of 0 is usual; with 1 the order counts like a position."""
    for rate, margin in ((0.0, 0.0), (1.0, 1090.0)):
        bench = Bench(pending_margin_rate=rate)
        bench.send(pending(T.BUY_LIMIT, 1.09, 1.0))
        assert bench.broker.account().margin == margin
    assert bench.send(pending(T.BUY_LIMIT, 1.09, 9.0)).retcode == TradeRetcode.NO_MONEY


def test_money_rounds_half_away_from_zero() -> None:
    """A price move worth half a cent is a cent, won or lost."""
    bench = Bench(market=Market(pair("EURUSD", trade_contract_size=500.0)))
    broker = bench.broker
    assert broker.calc_profit(T.BUY, "EURUSD", 1.0, 1.1, 1.10001) == 0.01
    assert broker.calc_profit(T.BUY, "EURUSD", 1.0, 1.1, 1.09999) == -0.01


# --- order_check -------------------------------------------------------------------------


def test_check_foresees_the_account_and_does_nothing() -> None:
    """``retcode`` 0, and margin with the new position."""
    bench = Bench()
    request = TradeRequest(
        action=TradeAction.DEAL, symbol="EURUSD", type=T.BUY, volume=1.0, type_filling=1
    )
    seen = bench.broker.check(request, bench.now)
    assert (seen.retcode, seen.comment, seen.margin) == (0, "Done", 1100.1)
    assert (seen.balance, seen.margin_free) == (10_000.0, 8899.9)
    assert bench.broker.positions() == []
    assert bench.broker.take_events() == []
    too_much = bench.broker.check(replace(request, volume=20.0), bench.now)
    assert (too_much.retcode, too_much.margin) == (TradeRetcode.NO_MONEY, 22_002.0)
    wrong = bench.broker.check(replace(request, volume=0.001), bench.now)
    assert (wrong.retcode, wrong.margin) == (TradeRetcode.INVALID_VOLUME, 0.0)


# --- swaps -------------------------------------------------------------------------------

THURSDAY = NOW // DAY
SWAPS = [
    ({"swap_mode": 0}, 0.0),
    ({"swap_mode": 1}, -6.8),
    ({"swap_mode": 2, "swap_long": -2.0}, -2.2),
    ({"swap_mode": 3, "swap_long": -2.0}, -2.2),
    ({"swap_mode": 4, "swap_long": -2.0}, -2.0),
    ({"swap_mode": 5, "swap_long": -3.6}, -11.0),
    ({"swap_mode": 6, "swap_long": -3.6}, -11.0),
]


@pytest.mark.parametrize(("fields", "expected"), SWAPS)
def test_one_night_of_one_lot_by_swap_mode(fields: dict[str, object], expected: float) -> None:
    """Points, currencies (base, margin, deposit), interest a year of 360 days."""
    bench = Bench(market=Market(pair("EURUSD", **fields)))
    bench.market.quote("EURUSD", 1.1, 1.1)
    bench.buy(1.0)
    bench.broker.on_time((THURSDAY + 1) * DAY)
    [one] = bench.broker.positions()
    assert one.swap == expected
    account = bench.broker.account()
    assert account.equity == pytest.approx(10_000 + one.profit + one.swap)


@pytest.mark.parametrize(
    ("first_day", "days", "nights"),
    [(0, 1, 1), (0, 2, 2), (0, 4, 2), (0, 5, 3), (6, 1, 3), (0, 7, 7), (2, 1, 0), (3, 1, 0)],
)
def test_weekends_are_charged_on_wednesday(first_day: int, days: int, nights: int) -> None:
    """Counted from a Thursday: Friday's night counts, Saturday's and Sunday's do not, and
    Wednesday's counts three times.
    """
    bench = Bench()
    bench.now += first_day * DAY
    bench.buy(1.0)
    bench.broker.on_time((THURSDAY + first_day + days) * DAY)
    assert [one.swap for one in bench.broker.positions()] == [round(-6.8 * nights, 2)]


def test_swap_is_booked_in_proportion_when_closing() -> None:
    """Half the volume takes half the swap; a clock that jumps back charges nothing twice."""
    bench = Bench()
    ticket = bench.buy(1.0).position
    bench.now = (THURSDAY + 1) * DAY
    bench.broker.on_time(bench.now)
    bench.broker.on_time(bench.now - DAY)
    bench.broker.on_time(bench.now)
    bench.sell(0.5, position=ticket)
    assert bench.broker.history_deals()[-1].swap == -3.4
    assert [one.swap for one in bench.broker.positions()] == [-3.4]


def test_swap_can_be_corrected_by_hand() -> None:
    """And an unknown position says so."""
    bench = Bench()
    ticket = bench.buy(1.0).position
    bench.broker.set_swap(ticket, -1.23, bench.now)
    assert bench.broker.positions()[0].swap == -1.23
    with pytest.raises(LookupError):
        bench.broker.set_swap(1, -1.0, bench.now)


# --- stop-out ----------------------------------------------------------------------------


def test_stop_out_closes_the_worst_position_first() -> None:
    """At 50 % of margin; the rest stays if that is enough."""
    bench = Bench(funds=1500.0)
    small = bench.buy(0.1).position
    large = bench.buy(1.0).position
    bench.move(1.092)
    assert bench.broker.margin_call()
    assert len(bench.broker.positions()) == 2
    bench.move(1.0919)
    [deal] = [d for d in bench.broker.history_deals() if d.reason == DealReason.SO]
    assert deal.position_id == large
    assert deal.comment == "[so 49.42%/598.00/1210.11]"
    assert [one.ticket for one in bench.broker.positions()] == [small]


def test_stop_out_drops_orders_that_reserve_margin_first() -> None:
    """They go before any position does."""
    bench = Bench(funds=2500.0, pending_margin_rate=1.0)
    ticket = bench.buy(1.0).position
    order = bench.send(pending(T.BUY_LIMIT, 1.0, 1.0)).order
    bench.move(1.0852)
    [gone] = bench.broker.history_orders(ticket=order)
    assert gone.state == OrderState.CANCELED
    assert [one.ticket for one in bench.broker.positions()] == [ticket]


def test_a_hedged_account_is_stopped_out_below_zero() -> None:
    """Without margin there is no level: only negative equity ends it."""
    bench = Bench(funds=100.0)
    bench.buy(0.05)
    bench.sell(0.05)
    assert bench.broker.account().margin == 0
    bench.move(1.09, 1.1099)
    assert len(bench.broker.positions()) == 2
    bench.move(1.09, 1.1105)
    assert bench.broker.positions() == []


# --- books -------------------------------------------------------------------------------


def test_money_goes_in_and_out() -> None:
    """Deposits and withdrawals change the balance, credit the equity alone."""
    bench = Bench()
    bench.broker.withdraw(500.5, bench.now)
    bench.broker.grant_credit(200.0, bench.now)
    account = bench.broker.account()
    assert (account.balance, account.credit, account.equity) == (9499.5, 200.0, 9699.5)


@pytest.mark.parametrize("platform", ["mt5", "mt4"])
def test_a_demonstration_account_has_a_past(platform: Platform) -> None:
    """Closed trades whose sums make the balance, pending orders off the market, no events; the
    same from the same seed, and new tickets are above the old ones.
    """
    market = Market(pair("EURUSD"), pair("GBPUSD"))
    market.quote("GBPUSD", 1.3, 1.3001)

    def fresh() -> Broker:
        bench = Bench(market=market, funds=0, platform=platform)
        load_demo(bench.broker, market, NOW, seed=7)
        return bench.broker

    broker = fresh()
    assert broker.take_events() == []
    assert [order.symbol for order in broker.orders()] == ["GBPUSD"] * 3
    history = broker.history_orders()
    assert len(history) == (24 if platform == "mt4" else 48)
    assert all(one.time_done_msc < NOW for one in history)
    assert history == fresh().history_orders()
    earned = sum(deal.profit for deal in broker.history_deals())
    if platform == "mt4":
        earned = 10_000 + sum(trade.profit for trade in broker.closed_trades())
    assert float(broker.balance) == pytest.approx(earned)
    request = TradeRequest(
        action=TradeAction.DEAL, symbol="EURUSD", type=T.BUY, volume=0.1, type_filling=1
    )
    assert broker.send(request, NOW).order > max(one.ticket for one in history)


def test_the_template_gives_the_account_its_face() -> None:
    """Login, server and leverage are the template's, sums are the broker's."""
    template = Account(login=42, server="Demo", leverage=200, currency="USD", balance=5.0)
    account = Broker(Market(), template).account()
    assert (account.login, account.server, account.balance) == (42, "Demo", 0.0)


def test_a_sum_beyond_all_money_is_not_rounded() -> None:
    """It has more digits than a decimal: a question for a profit at a price of nothing must not
    end the terminal that is asked."""
    assert rounded(Decimal("1.3e103"), 2) == Decimal("1.3e103")
    assert rounded(Decimal("1.005"), 2) == Decimal("1.01")
