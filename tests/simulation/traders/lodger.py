"""Bots that trade with a token which was replaced: it works until somebody ends it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ..intents import Json
from ..plugins import trader
from ..rpc_client import HttpRpcClient
from ..terminals import TradedTerminal
from ..world import World
from .careless import new_bot


class ReplacedTokenClient:
    """The way to the daemon with an old token, and with the present one as soon as that is over.

    Args:
        name: of the terminal.

    """

    def __init__(self, world: World, name: str) -> None:
        self.address = world.address
        self._old: HttpRpcClient = world.client(name, world.spare_tokens[name])
        self._new = world.terminals[name].client
        self._world, self._name = world, name
        self._is_over = False

    async def ask(self, method: str, params: Json, timeout_s: float) -> Json | None:
        """Return the response; ``None`` if none came in time, or the old token was refused."""
        if self._is_over or self._name not in self._world.spare_tokens:
            return await self._new.ask(method, params, timeout_s)
        answer = await self._old.ask(method, params, timeout_s)
        data: Json = {} if answer is None else answer.get("error", {}).get("data", {})
        self._is_over = data.get("reason") == "expired"  # the machine slept for days
        is_refused = bool(data) and data.get("outcome") is None  # at the client, whatever it asks
        return None if self._is_over or is_refused else answer

    async def ask_all(self, method: str, params: Sequence[Json], timeout_s: float) -> list[Json]:
        """Return the responses to a batch, in the order of the requests."""
        return await self._new.ask_all(method, params, timeout_s)


@trader("lodging", count=1)
async def lodge(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade with the old token, then with that which took its place."""
    bot = new_bot(terminal, name, dice, [ReplacedTokenClient(world, terminal.name)])
    await bot.run(world.run.begin_at(terminal))
