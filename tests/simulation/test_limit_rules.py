"""The rules of a token's limits catch what goes beyond them, and what is refused within."""

from __future__ import annotations

from typing import Any

import pytest

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.model import TradeRequest
from gateway.credentials.record import TradeLimits

from .limit_rules import LimitRules, Moment


class Judged:
    """The rules of a token, at a terminal of their own."""

    def __init__(self, *, netting: bool = False, **limits: Any) -> None:
        broker = build_terminal(seed=1, netting=netting).handler.broker
        self.accused: list[str] = []
        self.rules = LimitRules(TradeLimits(**limits), broker, str.upper, self.accused.append)
        self._ids = iter(range(1, 100))

    def ask(self, id_: str, at_s: float = 0.0, lots: float = 0.1) -> None:
        """Have a bot ask for an order."""
        self.rules.asks(_message(id_, lots), _moment(at_s))

    def ask_for_close(self, id_: str, lots: float) -> None:
        """Have a bot ask for a close."""
        params = {"client_order_id": id_, "ticket": 1, "volume": lots}
        self.rules.asks({"method": "close_position", "params": params}, _moment(0.0))

    def refuse(self, id_: str, rule: str, at_s: float = 0.0, lots: float = 0.1) -> None:
        """Have it refused."""
        data = {"name": "risk_limit", "rule": rule, "outcome": "not_sent"}
        self.rules.answered(_message(id_, lots), {"error": {"data": data}}, at_s, at_s)

    def arrive(
        self, id_: str, at_s: float = 0.0, symbol: str = "EURUSD", lots: float = 0.1
    ) -> None:
        """Have it come to the terminal."""
        request = TradeRequest(action=1, symbol=symbol, volume=lots, comment=id_.upper())
        self.rules.arrives(next(self._ids), request, _moment(at_s))

    def end(self) -> None:
        """Judge the whole, where all that came was carried out."""
        self.rules.at_end(lambda _: True)


def _message(id_: str, lots: float) -> dict[str, Any]:
    params = {"client_order_id": id_, "symbol": "EURUSD", "volume": lots}
    return {"method": "place_order", "params": params}


def _moment(at_s: float) -> Moment:
    return Moment(at_s, 1e9 + at_s, 0)


@pytest.mark.parametrize(
    ("limits", "order"),
    [
        ({"max_lot": "0.05"}, {}),
        ({"allowed_symbols": ("EURUSD",)}, {"symbol": "GBPUSD"}),
        ({"max_open_lots": "0.05"}, {}),
    ],
)
def test_an_order_beyond_a_limit_is_found(limits: dict[str, Any], order: dict[str, Any]):
    """By its lots, its symbol, and what it makes of what is open."""
    judged = Judged(**limits)
    judged.arrive("a", **order)
    assert len(judged.accused) == 1


def test_an_order_within_its_limits_is_right():
    """At the limit, it is not beyond it."""
    judged = Judged(max_lot="0.1", allowed_symbols=("EURUSD",), max_open_lots="100")
    judged.arrive("a")
    assert judged.accused == []


@pytest.mark.parametrize(("last_s", "count"), [(58.0, 1), (61.0, 0)])
def test_more_than_a_minute_allows_are_found(last_s: float, count: int):
    """Where all were asked for and came within one."""
    judged = Judged(max_orders_per_min=2)
    for id_, at_s in (("a", 0.0), ("b", 1.0), ("c", last_s)):
        judged.ask(id_, at_s)
        judged.arrive(id_, at_s)
    judged.end()
    assert len(judged.accused) == count


def test_a_refusal_without_a_cause_is_found():
    """One that the order is within the limits of."""
    judged = Judged(max_lot="0.1", max_orders_per_min=3, max_open_lots="100")
    for id_, rule in (("a", "max_lot"), ("b", "max_open_lots"), ("c", "max_orders_per_minute")):
        judged.ask(id_, 0.0)
        judged.refuse(id_, rule)
    judged.ask("d", 0.0)
    judged.refuse("d", "allowed_symbols")
    assert len(judged.accused) == 4


def test_a_refusal_with_a_cause_is_right():
    """Beyond the lots, or after as many orders as a minute allows."""
    judged = Judged(max_lot="0.1", max_orders_per_min=1)
    judged.ask("a", 0.0, lots=0.2)
    judged.refuse("a", "max_lot", lots=0.2)
    judged.ask("b", 0.0)
    judged.ask("c", 0.0)
    judged.refuse("c", "max_orders_per_minute")
    assert judged.accused == []


@pytest.mark.parametrize(("netting", "accused"), [(True, 0), (False, 1)])
def test_a_close_under_way_may_be_a_cause(netting: bool, accused: int):
    """On a netting account, where the order may have counted on what is closed."""
    there = Judged(netting=netting, max_open_lots="100").rules._at_risk()
    judged = Judged(netting=netting, max_open_lots=f"{there + 0.15:.2f}")
    judged.ask_for_close("a", lots=0.1)
    judged.ask("b")
    judged.refuse("b", "max_open_lots")
    assert len(judged.accused) == accused
