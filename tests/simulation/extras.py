"""What bots ask for beside orders: stops that follow the market, linked orders, checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from .intents import Json
from .purse import Purse
from .wishes import MAGICS, Habits

if TYPE_CHECKING:
    from .bots import Door

SHARE = 0.02
"""Of the turns of a bot."""
WAIT_S = 15.0


@dataclass
class Asked:
    """What was answered to bots of one account."""

    links: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The tickets that were linked, by the ids of the links."""
    trails: int = 0
    wrong: list[str] = field(default_factory=list)

    async def link(self, door: Door, tickets: list[int]) -> str | None:
        """Link orders; return the id of the link."""
        response = await door.ask("link_oco", {"tickets": tickets}, WAIT_S)
        if response is None or "result" not in response:
            return None
        id_: str = response["result"]["id"]
        self.links[id_] = tuple(tickets)
        return id_


class Extras:
    """Asks for something now and then.

    Args:
        purse: what there is.
        dice: of the bot.
        habits: what the account can do.
        asked: notes it.

    """

    def __init__(self, purse: Purse, dice: Random, habits: Habits, asked: Asked) -> None:
        self._purse, self._dice, self._habits, self._asked = purse, dice, habits, asked

    async def turn(self, door: Door) -> None:
        """Ask for something, or mostly for nothing."""
        if self._dice.random() >= SHARE or not door.address.up.is_set():
            return
        dice = self._dice.random()
        if dice < 0.45 and self._purse.positions:
            await self._trail(door)
        elif dice < 0.8 and len(self._purse.orders) > 1:
            await self._link(door)
        else:
            await self._check(door)

    async def _trail(self, door: Door) -> None:
        dice = self._dice
        params: Json = {"ticket": dice.choice(self._purse.positions).ticket}
        if dice.random() < 0.15:
            await door.ask("remove_trailing_stop", params, WAIT_S)
            return
        params["distance"] = dice.randint(20, 120)
        if dice.random() < 0.4:
            params["step"] = dice.randint(1, 20)
        if dice.random() < 0.4:
            params |= {"break_even": dice.randint(20, 60), "break_even_offset": dice.randint(0, 9)}
        response = await door.ask("set_trailing_stop", params, WAIT_S)
        self._asked.trails += response is not None and "result" in response

    async def _link(self, door: Door) -> None:
        tickets = [one.ticket for one in self._dice.sample(self._purse.orders, 2)]
        link = await self._asked.link(door, tickets)
        if link is not None and self._dice.random() < 0.1:
            await door.ask("unlink_oco", {"id": link}, WAIT_S)

    async def _check(self, door: Door) -> None:
        """Have an order checked, in one of two ways: nothing may come of it."""
        dice = self._dice
        params: Json = {
            "symbol": dice.choice(self._habits.symbols),
            "side": dice.choice(("buy", "sell")),
            "volume": dice.choice((0.02, 0.005, 900.0)),
            "magic": dice.choice(MAGICS),
        }
        if self._habits.is_mt4 or dice.random() < 0.5:
            response = await door.ask("place_order", params | {"validate_only": True}, WAIT_S)
            if response is not None and response.get("result", {}).get("sent"):
                self._asked.wrong.append(f"sent, though only to be validated: {response}")
        else:
            await door.ask("order_check", params, WAIT_S)
