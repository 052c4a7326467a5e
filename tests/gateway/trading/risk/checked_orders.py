"""Orders that pass every check, and how they are placed or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace as with_
from scripted_answers import ACCOUNT, BROKER_NOW_S
from scripted_terminal import CATALOGUE, Scene

from gateway.errors import GatewayError

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
LIMIT = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": 1.08}
BROKER_MS = BROKER_NOW_S * 1000


def lots(text: str) -> Decimal:
    return Decimal(text)


def account(**changes: Any) -> dict[str, Any]:
    return {"account_get": with_(ACCOUNT, **changes)}


async def place(scene: Scene, **params: Any) -> Any:
    """Place an order, without the check of the receipt's shape."""
    return await CATALOGUE["place_order"].answer(scene.call(), params)


async def refused(scene: Scene, **params: Any) -> GatewayError:
    """Place an order that must be refused before anything is sent."""
    before = len(scene.script.sent)
    with pytest.raises(GatewayError) as caught:
        await place(scene, **params)
    assert len(scene.script.sent) == before
    assert caught.value.data["outcome"] == "not_sent"
    assert caught.value.data["client_order_id"]
    return caught.value
