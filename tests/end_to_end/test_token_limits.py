"""The limits of a token, from its issuer to the order that they stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from product import Client, Refused, product

pytestmark = pytest.mark.xdist_group("e2e-limits")

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


async def attempt(client: Client, **params: Any) -> str | None:
    """Place an order; return the rule that stopped it."""
    try:
        await client.call("place_order", **BUY, **params)
    except Refused as refused:
        assert refused.data["outcome"] == "not_sent"
        return str(refused.data.get("rule", refused.name))
    return None


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"max_lot": "0.09"}, "max_lot"),
        ({"max_open_lots": "0"}, "max_open_lots"),
        ({"max_orders_per_min": 0}, "max_orders_per_minute"),
        ({"allowed_symbols": ("GBPUSD",)}, "allowed_symbols"),
    ],
)
async def test_limits_hold_from_the_next_order_on(
    tmp_path: Path, limits: dict[str, object], rule: str
) -> None:
    """While the gateway runs, without a new token; and no longer when they are lifted."""
    async with product(tmp_path) as running:
        client = await running.http()
        issuer = running.home.issuer
        assert await attempt(client) is None

        issuer.change_limits("main", limits)
        assert await attempt(client) == rule

        issuer.change_limits("main", dict.fromkeys(limits))
        assert await attempt(client) is None
