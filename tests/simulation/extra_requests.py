"""Requests of bots beside orders: stops that follow the market, linked orders, checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from .believed_holdings import BelievedHoldings
from .bot_requests import MAGICS, Habits
from .intents import Json

if TYPE_CHECKING:
    from .bots import TerminalClient

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

    async def link(self, client: TerminalClient, tickets: list[int]) -> str | None:
        """Link orders; return the id of the link."""
        response = await client.ask("link_oco", {"tickets": tickets}, WAIT_S)
        if response is None or "result" not in response:
            return None
        id_: str = response["result"]["id"]
        self.links[id_] = tuple(tickets)
        return id_


class ExtraRequests:
    """Asks for something now and then.

    Args:
        holdings: what there is.
        dice: of the bot.
        habits: what the account can do.
        asked: notes it.

    """

    def __init__(
        self, holdings: BelievedHoldings, dice: Random, habits: Habits, asked: Asked
    ) -> None:
        self._holdings, self._dice, self._habits, self._asked = holdings, dice, habits, asked

    async def turn(self, client: TerminalClient) -> None:
        """Ask for something, or mostly for nothing."""
        if self._dice.random() >= SHARE or not client.address.up.is_set():
            return
        dice = self._dice.random()
        if dice < 0.45 and self._holdings.positions:
            await self._trail(client)
        elif dice < 0.8 and len(self._holdings.orders) > 1:
            await self._link(client)
        else:
            await self._check(client)

    async def _trail(self, client: TerminalClient) -> None:
        dice = self._dice
        params: Json = {"ticket": dice.choice(self._holdings.positions).ticket}
        if dice.random() < 0.15:
            await client.ask("remove_trailing_stop", params, WAIT_S)
            return
        params["distance"] = dice.randint(20, 120)
        if dice.random() < 0.4:
            params["step"] = dice.randint(1, 20)
        if dice.random() < 0.4:
            params |= {"break_even": dice.randint(20, 60), "break_even_offset": dice.randint(0, 9)}
        response = await client.ask("set_trailing_stop", params, WAIT_S)
        self._asked.trails += response is not None and "result" in response

    async def _link(self, client: TerminalClient) -> None:
        tickets = [one.ticket for one in self._dice.sample(self._holdings.orders, 2)]
        link = await self._asked.link(client, tickets)
        if link is not None and self._dice.random() < 0.1:
            await client.ask("unlink_oco", {"id": link}, WAIT_S)

    async def _check(self, client: TerminalClient) -> None:
        """Have an order checked, in one of two ways: nothing may come of it."""
        dice = self._dice
        params: Json = {
            "symbol": dice.choice(self._habits.symbols),
            "side": dice.choice(("buy", "sell")),
            "volume": dice.choice((0.02, 0.005, 900.0)),
            "magic": dice.choice(MAGICS),
        }
        if self._habits.is_mt4 or dice.random() < 0.5:
            response = await client.ask("place_order", params | {"validate_only": True}, WAIT_S)
            if response is not None and response.get("result", {}).get("sent"):
                self._asked.wrong.append(f"sent, though only to be validated: {response}")
        else:
            await client.ask("order_check", params, WAIT_S)
