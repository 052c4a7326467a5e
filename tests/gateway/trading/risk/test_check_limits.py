"""Limits from several hands: the strictest counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from scripted_terminal import Scene

from ea_bridge.protocol.messages import Hello
from gateway.accounts import RegisteredAccount
from gateway.accounts.book import RiskSettings
from gateway.accounts.caller_limits import LimitsBook, of_account
from gateway.config import Trading, is_limit
from gateway.credentials.record import TradeLimits
from gateway.trading.limits import TradingLimits, of_config, of_record, strictest


def test_nothing_limits_nothing() -> None:
    """Of no hands, and of hands that say nothing, nothing comes."""
    assert strictest() == TradingLimits()
    assert strictest(TradingLimits(), of_record(TradeLimits())) == TradingLimits()


@pytest.mark.parametrize(
    ("name", "one", "other", "expected"),
    [
        ("max_lot", Decimal("0.5"), Decimal("0.1"), Decimal("0.1")),
        ("max_orders_per_minute", 5, 0, 0),
        ("collar_bps", None, 30, 30),
        ("auto_trade", True, False, False),
        ("hedging", False, True, False),
        ("live", True, False, False),
        ("require_stop_loss", False, True, True),
        ("block_unresolved", True, False, True),
        ("check_margin", False, False, False),
        ("symbol_window_s", 60.0, 3600.0, 3600.0),
        (
            "allowed_symbols",
            frozenset({"EURUSD", "XAUUSD"}),
            frozenset({"XAUUSD", "BTCUSD"}),
            frozenset({"XAUUSD"}),
        ),
        ("allowed_symbols", frozenset({"EURUSD"}), frozenset({"BTCUSD"}), frozenset()),
        ("allowed_symbols", frozenset({"EURUSD"}), None, frozenset({"EURUSD"})),
    ],
)
def test_the_strictest_counts(name: str, one: Any, other: Any, expected: Any) -> None:
    """Whoever says it: the order of the hands makes no difference."""
    both = [TradingLimits(**{name: value}) for value in (one, other)]
    for hands in (both, both[::-1]):
        assert getattr(strictest(*hands), name) == expected


def test_what_is_left_out_is_no_limit() -> None:
    """A new user's configuration bounds the pace alone, and waits for what is not known."""
    assert of_config(Trading()) == TradingLimits(
        orders_per_second=Decimal(20),
        order_burst=40,
        block_unresolved=True,
        no_stop_loss=False,
    )


def test_settings_are_read_as_they_were_meant() -> None:
    """0.1 of a TOML file is a tenth."""
    limits = of_config(Trading(max_lot=0.1, risk_pct=0.01, allowed_symbols=("EURUSD",)))
    assert limits.max_lot == Decimal("0.1")
    assert limits.risk_pct == Decimal("0.01")
    assert limits.allowed_symbols == {"EURUSD"}


def test_zero_allows_nothing_whoever_says_it() -> None:
    """In a configuration as in a token."""
    zero: dict[str, Any] = {
        name: 0 for name, field in Trading.model_fields.items() if is_limit(field)
    }
    limits = of_config(Trading(**zero))
    told = {name.replace("price_collar", "collar"): value for name, value in zero.items()}
    assert {name: getattr(limits, name) for name in told} == told
    record = TradeLimits(max_lot="0", allowed_symbols=(), max_orders_per_min=0)
    limits = of_record(record)
    assert limits.max_lot == 0
    assert limits.allowed_symbols == frozenset()
    assert limits.max_orders_per_minute == 0


def registered(**changes: Any) -> RegisteredAccount:
    """An account as somebody registered it."""
    return RegisteredAccount(
        name="Main",
        broker="Broker Ltd",
        login=12345678,
        server="Broker-Demo",
        id=1,
        owner="",
        is_active=True,
        created_at=1_780_000_000,
        **{"risk": RiskSettings(), **changes},
    )


def test_what_an_account_was_registered_with() -> None:
    """Its own bounds, and of its owner's risk settings those that are switched on."""
    limits = of_account(registered(allowed_symbols=("EURUSD",), max_lot_size=0.3))
    assert limits == TradingLimits(
        live=False,
        allowed_symbols=frozenset({"EURUSD"}),
        max_lot=Decimal("0.3"),
        risk_pct=Decimal("0.01"),
        symbol_window_s=RiskSettings().rate_limit_window_hours * 3600,
    )
    strict = RiskSettings(
        position_limit_enabled=True,
        max_open_positions=5,
        rate_limit_enabled=True,
        rate_limit_max_trades=3,
        rate_limit_window_hours=4.0,
        drawdown_check_enabled=True,
        max_drawdown_pct=12.5,
        hedging_allowed=False,
    )
    limits = of_account(registered(risk=strict, is_live=True, auto_trade_enabled=False))
    assert (limits.live, limits.auto_trade, limits.hedging) == (True, False, False)
    assert (limits.max_positions, limits.max_symbol_orders) == (5, 3)
    assert (limits.symbol_window_s, limits.max_drawdown_pct) == (14_400.0, Decimal("12.5"))
    assert limits.allowed_symbols is None


def test_all_hands_together(scene: Scene) -> None:
    """Configuration, token and account; what the gateway does by itself has no token."""
    asked: list[tuple[int, str]] = []

    def find(hello: Hello) -> RegisteredAccount | None:
        asked.append((hello.login, hello.server))
        return registered(max_lot_size=0.3)

    book = LimitsBook(
        Trading(max_lot=0.5, max_open_lots=2.0),
        {"A1b2C3d4E5f6": TradeLimits(max_lot="0.2", max_open_lots="3")}.__getitem__,
        find,
    )
    of_all = book.of(scene.facts(), "A1b2C3d4E5f6")
    assert (of_all.max_lot, of_all.max_open_lots) == (Decimal("0.2"), Decimal("2"))
    of_none = book.of(scene.facts(), None)
    assert (of_none.max_lot, of_none.max_open_lots) == (Decimal("0.3"), Decimal("2"))
    assert book.of(None, None).max_lot == Decimal("0.5")
    assert asked == [(12345678, "Broker-Demo")] * 2
