"""Rules of the table of risk, and of the error of a broken limit."""

from __future__ import annotations

import inspect
from decimal import Decimal

import pytest

from gateway.trading.limits import TradingLimits
from gateway.trading.risk import rules
from gateway.trading.risk.checker import Plans
from gateway.trading.risk.context import OrderEffect
from gateway.trading.risk.rules import ALL, RULES


def test_each_check_stands_in_the_table_once() -> None:
    """A check that nobody makes would protect nobody."""
    checks = {
        function
        for _, function in inspect.getmembers(rules, inspect.isfunction)
        if function.__module__ == rules.__name__
        and [*inspect.signature(function).parameters] == ["context"]
        and not function.__name__.startswith("_")
    }
    assert {rule.check for rule in RULES} == checks
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_what_reduces_risk_is_held_to_no_limit_of_numbers() -> None:
    """Only its age, the terminal's switches and the side of its stops can refuse it."""
    always = {rule.name for rule in RULES if rule.kinds == ALL}
    assert always == {"age", "tradable", "stops"}


def test_without_limits_no_facts_are_asked_for() -> None:
    """A fact costs a question to the terminal."""
    plan = Plans().plan(OrderEffect.OPEN, TradingLimits())
    assert not plan._needs
    limited = Plans().plan(OrderEffect.OPEN, TradingLimits(max_positions=1))
    assert limited._needs == {"positions", "orders"}


@pytest.mark.parametrize(
    ("limit", "value", "text"),
    [
        (Decimal("0.10"), Decimal("0.2"), "It would be 0.2 lots, and the limit is 0.1 lots"),
        (Decimal(100), None, "It is not known, and the limit is 100 lots"),
        (3, 4, "It would be 4 lots, and the limit is 3 lots"),
    ],
)
def test_a_broken_limit_is_told_with_its_numbers(
    limit: Decimal | int, value: Decimal | int | None, text: str
) -> None:
    """In the message as a person writes them, in the data as JSON has them."""
    error = rules.over("some_rule", "It", limit=limit, value=value, unit=" lots", more=1)
    assert error.message == text
    assert error.data["rule"] == "some_rule"
    assert (error.data["limit"], error.data["more"]) == (float(limit), 1)
    assert error.data["value"] == (None if value is None else float(value))
