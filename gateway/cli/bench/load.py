"""Orders as a bot sends them, and how long each took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Literal

from gateway.client import GatewayClient

SYMBOL = "EURUSD"
VOLUME = 0.01


class Bot:
    """Buys and sells in turn, on a netting account, so that nothing piles up.

    Args:
        url: of the gateway.
        token: opens the terminal.

    """

    def __init__(self, url: str, token: str) -> None:
        self._client = GatewayClient(url, token, transport="ws")
        self._is_buying = False

    async def alone(self, orders: int) -> list[float]:
        """Send one order after the other; return their milliseconds."""
        return [await self._order() for _ in range(orders)]

    async def crowded(self, orders: int, at_once: int) -> tuple[list[float], float]:
        """Keep so many orders under way; return their milliseconds, and orders a second."""
        taken: list[float] = []
        left = iter(range(orders))
        begun_s = time.perf_counter()
        await asyncio.gather(*(self._work(left, taken) for _ in range(at_once)))
        return taken, orders / (time.perf_counter() - begun_s)

    async def leave(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _work(self, left: Iterator[int], taken: list[float]) -> None:
        for _ in left:
            taken.append(await self._order())  # noqa: PERF401  # the workers share the list

    async def _order(self) -> float:
        self._is_buying = not self._is_buying
        side: Literal["buy", "sell"] = "buy" if self._is_buying else "sell"
        begun_s = time.perf_counter()
        await self._client.place_order(symbol=SYMBOL, side=side, volume=VOLUME)
        return (time.perf_counter() - begun_s) * 1000
