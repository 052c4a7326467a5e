"""How often a caller's rights are looked at when the door has just done it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from jsonrpc_front import Front, request

from gateway.credentials.lease import Tier
from gateway.errors import Unauthorized

READ = request("balance")
TRADE = request("trade", name="t")


class Watched:
    """A terminal that notes each look at its caller's rights; they may be over."""

    name = "demo"

    def __init__(self, *, revoked: bool = False) -> None:
        self.looks: list[Tier] = []
        self._revoked = revoked

    def require(self, tier: Tier) -> None:
        self.looks.append(tier)
        if self._revoked:
            raise Unauthorized(reason="revoked")


async def answer(message: Any, terminal: Watched, *, may_read: bool) -> Any:
    front = Front()
    call = front.call()
    call.terminal = terminal  # type: ignore[assignment]
    call.may_read = may_read
    body = (await front.rpc.answer(orjson.dumps(message), call, front.in_flight)).body
    return orjson.loads(body or b"null")


@pytest.mark.parametrize("may_read", [True, False])
async def test_a_read_is_looked_at_once(may_read: bool) -> None:
    """By the door in this turn of the loop, or else by the method."""
    terminal = Watched()
    await answer(READ, terminal, may_read=may_read)
    assert terminal.looks == ([] if may_read else [Tier.READ])


async def test_a_trade_is_looked_at_by_its_own_tier() -> None:
    """That the caller may read says nothing of that."""
    terminal = Watched()
    await answer(TRADE, terminal, may_read=True)
    assert terminal.looks == [Tier.FULL]


async def test_each_item_of_a_batch_is_looked_at() -> None:
    """They are answered in later turns: the caller's rights may have ended meanwhile."""
    terminal = Watched(revoked=True)
    answers = await answer([READ, {**READ, "id": 2}], terminal, may_read=True)
    assert terminal.looks == [Tier.READ, Tier.READ]
    assert {item["error"]["data"]["name"] for item in answers} == {"unauthorized"}
