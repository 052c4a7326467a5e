"""What the console is told of an alert whose order was refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.credentials.alert import AlertOrder
from gateway.rpc.alerts import AlertCalls, _failed

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


@pytest.mark.parametrize(("most", "step"), [(0.0, 0.01), (0.0, 0.0), (5.0, 0.01)])
async def test_the_risk_sizes_an_order_where_the_symbol_names_no_bounds(
    most: float, step: float
) -> None:
    """0 is no largest volume, but none at all."""

    class Asked(AlertCalls):
        async def _ask(self, call: Any, method: str, **params: Any) -> Any:
            # a lot loses 100 at the stop loss, and one percent of the equity is 150
            if method == "get_account_info":
                return {"equity": 15_000.0}
            return {"profit": -100.0 * float(params["volume"])}

    alert = AlertOrder.model_construct(symbol="EURUSD", side="buy", risk_pct="1")
    info = {"volume_min": 0.01, "volume_max": most, "volume_step": step}
    sized = Asked(lambda: None, None)  # type: ignore[arg-type,return-value]  # neither is asked
    volume = await sized._volume(alert, None, info, Decimal("1.1"), "1.09")  # type: ignore[arg-type]  # nor is the call
    assert Decimal(volume) == Decimal("1.5")
