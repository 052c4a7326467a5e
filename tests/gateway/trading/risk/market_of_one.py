"""A terminal whose account grows with what is sent to it, and that answers out of order.

Each request is taken at one moment and its answer delivered at a later one, both by chance of a
seed: facts arrive that are from before an order that is already confirmed, and lists show orders
whose results are still on their way. There is no clock in it.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from msgspec.structs import replace
from scripted_answers import DONE, EURUSD, ORDER, POSITION
from scripted_terminal import CATALOGUE, Scene

from ea_bridge import commands, model
from ea_bridge.commands import Command
from ea_bridge.errors import CommandFailed
from ea_bridge.model import TradeAction, TradeRequest, TradeResult
from ea_bridge.model.struct import Struct
from gateway.errors import GatewayError
from gateway.trading.limits import TradingLimits

PLACE = CATALOGUE["place_order"]
WORTH = 100_000.0
"""Of a lot."""


class GrowingAccount:
    """What the broker of a :class:`Scene` really has.

    Args:
        scene: gets an account that grows.
        seed: of the chances.
        most_steps: how long a request, or an answer, may be on its way; 0 keeps all in order.
        refuses: how many of a hundred orders the broker refuses.

    """

    def __init__(
        self, scene: Scene, *, seed: int = 0, most_steps: int = 0, refuses: int = 0
    ) -> None:
        self.scene = scene
        self.positions: list[model.Position] = []
        self.orders: list[model.Order] = []
        self._chance = random.Random(seed)  # noqa: S311  # no secret hangs on it
        self._most_steps = most_steps
        self._refuses = refuses
        self._ask = scene.script.request
        scene.script.request = self._request  # type: ignore[method-assign]  # the way is longer
        scene.script.answers |= {
            "symbol_get": lambda p: replace(EURUSD, name=p.symbol),
            "positions_get": lambda _: list(self.positions),
            "orders_get": lambda _: list(self.orders),
            "order_send": self._trade,
            "order_calc_profit": lambda p: commands.CalculatedAmount(value=WORTH * p.volume),
        }

    @property
    def lots(self) -> float:
        """All that is open or waits."""
        held = [one.volume for one in self.positions]
        return round(sum(held) + sum(one.volume_current for one in self.orders), 2)

    async def rush(self, limits: TradingLimits, orders: int, **params: Any) -> list[GatewayError]:
        """Place orders at the same moment; return what the refused ones were told."""
        self.scene.limits = limits
        # without the check of the receipt's shape, which takes longer than all the rest
        answers = await asyncio.gather(
            *(PLACE.answer(self.scene.call(), params) for _ in range(orders)),
            return_exceptions=True,
        )
        strange = [
            one
            for one in answers
            if isinstance(one, BaseException) and not isinstance(one, GatewayError)
        ]
        assert not strange
        return [one for one in answers if isinstance(one, GatewayError)]

    async def _request(self, command: Command[Any, Any], params: Struct, **rest: Any) -> Any:
        await self._travel()
        try:
            return await self._ask(command, params, **rest)
        finally:
            await self._travel()

    async def _travel(self) -> None:
        for _ in range(self._chance.randint(0, self._most_steps)):
            await asyncio.sleep(0)

    def _trade(self, request: TradeRequest) -> TradeResult | CommandFailed:
        if self._chance.randrange(100) < self._refuses:
            return CommandFailed("order_send", 4756, 10006)
        ticket = 1000 + len(self.positions) + len(self.orders)
        if request.action == TradeAction.PENDING:
            waiting = replace(ORDER, ticket=ticket, symbol=request.symbol)
            self.orders.append(
                replace(waiting, volume_initial=request.volume, volume_current=request.volume)
            )
            return replace(DONE, order=ticket, deal=0, position=0, volume=request.volume)
        self.positions.append(
            replace(
                POSITION,
                ticket=ticket,
                identifier=ticket,
                symbol=request.symbol,
                type=request.type,
                volume=request.volume,
            )
        )
        return replace(DONE, order=ticket, position=ticket, volume=request.volume)
