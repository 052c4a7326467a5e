"""What the console is told of an alert whose order was refused."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.credentials.alert import AlertOrder
from gateway.rpc.alerts import _failed

ALERT = AlertOrder.model_construct(aid="tv-" + 40 * "0")


@pytest.mark.parametrize(
    ("name", "outcome", "told"),
    [
        ("shutting_down", "not_sent", None),
        ("shutting_down", "unknown", "unknown"),
        ("deadline_exceeded", "not_sent", "late"),
        ("trading_halted", "not_sent", "not_sent"),
    ],
)
def test_what_a_refusal_means_for_an_alert(name: str, outcome: str, told: str | None) -> None:
    """A drain, which surely sent nothing, ends no alert: the console hands it down again."""
    error: dict[str, Any] = {"message": "no", "data": {"name": name, "outcome": outcome}}
    found = _failed(ALERT, error)
    assert (None if found is None else found.outcome) == told
