"""What the answers carry, and what passes although it looks odd."""

from __future__ import annotations

from broker_bench import Bench, Market, close_by, pair, pending

from ea_bridge.model import OrderType, SymbolTradeMode, TradeRetcode

R, T, M = TradeRetcode, OrderType, SymbolTradeMode


def test_closing_is_allowed_where_opening_is_not() -> None:
    """Close-only, long-only and short-only symbols let go of what is held."""
    for mode in (M.CLOSEONLY, M.LONGONLY):
        bench = Bench()
        position = bench.buy().position
        bench.market.change("EURUSD", trade_mode=mode)
        assert bench.sell(position=position).retcode == R.DONE


def test_a_requote_tells_the_new_prices() -> None:
    """10004 carries bid and ask, so that the caller can decide again."""
    bench = Bench()
    bench.broker.script.refusals.append(R.REQUOTE)
    result = bench.buy()
    assert (result.bid, result.ask) == (1.1, 1.1001)
    assert bench.buy().retcode == R.DONE


def test_a_successful_deal_is_answered_in_full() -> None:
    """Tickets, volume, fill price, market and MetaTrader's words."""
    result = Bench().buy(0.1)
    assert result.retcode == R.DONE
    assert (result.volume, result.price, result.bid, result.ask) == (0.1, 1.1001, 1.1, 1.1001)
    assert result.order
    assert result.deal
    assert result.position == result.order
    assert (result.comment, result.request_id) == ("Request executed", 1)


def test_instant_execution_accepts_a_price_within_the_deviation() -> None:
    """The order shows the asked price, the deal the market's."""
    bench = Bench()
    bench.instant()
    result = bench.buy(price=1.1002, deviation=10)
    assert (result.retcode, result.price) == (R.DONE, 1.1001)
    assert bench.broker.history_orders()[0].price_open == 1.1002


def test_float_noise_in_prices_is_forgiven() -> None:
    """MetaTrader's own quotes read 1.1721300000000001; a program sends them back."""
    bench = Bench()
    result = bench.send(pending(T.BUY_LIMIT, 1.0900000000000003, sl=1.0700000000000003))
    assert result.retcode == R.DONE
    order = bench.broker.orders()[0]
    assert (order.price_open, order.sl) == (1.09, 1.07)


def test_netting_accounts_know_no_close_by() -> None:
    """10013: there are no two positions to close by each other."""
    bench = Bench(mode=0)
    position = bench.buy().position
    assert bench.send(close_by(position, position)).retcode == R.INVALID


def test_close_by_needs_one_symbol_and_two_directions() -> None:
    """10013 otherwise."""
    bench = Bench(market=Market(pair("EURUSD"), pair("GBPUSD")))
    bench.market.quote("GBPUSD", 1.3, 1.3001)
    long = bench.buy().position
    also_long = bench.buy().position
    other = bench.sell(symbol="GBPUSD").position
    assert bench.send(close_by(long, also_long)).retcode == R.INVALID
    assert bench.send(close_by(long, other)).retcode == R.INVALID
