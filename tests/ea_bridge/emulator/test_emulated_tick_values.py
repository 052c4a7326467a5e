"""What a tick is worth on the account, as the emulated terminal tells it."""

from __future__ import annotations

import pytest
from terminal_bench import Bench

from ea_bridge import commands
from ea_bridge.model import OrderType, SymbolInfo
from ea_bridge.simulation.specs import load_specs


@pytest.fixture(scope="module")
def bench() -> Bench:
    """One terminal for all of them: nothing moves."""
    return Bench()


def told(bench: Bench, symbol: str) -> SymbolInfo:
    """A symbol as the terminal tells of it."""
    info: SymbolInfo = bench.result(commands.SYMBOL_GET, symbol=symbol)
    return info


@pytest.mark.parametrize("name", sorted(load_specs()))
def test_a_tick_is_worth_what_a_deal_brings(bench: Bench, name: str) -> None:
    """A move of a thousand ticks brings a thousand times the value, to the cent, to a buyer."""
    info = told(bench, name)
    moved = info.bid + 1000 * info.trade_tick_size
    brought = bench.result(
        commands.ORDER_CALC_PROFIT,
        type=OrderType.BUY,
        symbol=name,
        volume=1.0,
        price_open=info.bid,
        price_close=moved,
    ).value
    values = {info.trade_tick_value, info.trade_tick_value_loss}
    own = info.currency_base + info.currency_profit == name and info.currency_base == "USD"
    if not own:  # there the price of the deal itself converts
        assert any(abs(1000 * value - brought) <= 0.006 for value in values if value)
    assert info.trade_tick_value == info.trade_tick_value_profit
    assert info.trade_tick_value_loss is not None
    assert info.trade_tick_value <= info.trade_tick_value_loss


def test_a_foreign_currency_is_converted_at_the_present_price(bench: Bench) -> None:
    """USDJPY to an account in USD: a thousandth of 100,000 yen, by the present bid or ask; a
    profit is changed at the worse one."""
    info = told(bench, "USDJPY")
    assert info.trade_tick_value_profit == pytest.approx(100 / info.ask, rel=1e-12)
    assert info.trade_tick_value_loss == pytest.approx(100 / info.bid, rel=1e-12)


def test_metatrader_4_has_one_value() -> None:
    """The same, and no others beside it."""
    info = told(Bench("mt4"), "USDJPY")
    assert info.trade_tick_value == pytest.approx(100 / info.ask, rel=1e-12)
    assert info.trade_tick_value_profit is None
