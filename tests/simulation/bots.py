"""Bots that trade as careless programs do: they give up waiting, ask again, and ask twice at once.

Each has a purse of a few positions and orders. What it does it does under an id of its own, made
once, and it asks until it has an end: a receipt, a refusal, or that nothing was sent. It notes
every answer; :mod:`.judge` compares them with what the broker did.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ea_bridge.model import TradeAction
from gateway.trading.client_ids import tag

Json = dict[str, Any]
Key = tuple[str, str] | tuple[TradeAction, int]
"""What the broker knows a request by: its tag, or what it does to which order."""

ENDS = frozenset({"done", "rejected", "not_sent"})
PASSING = frozenset({"terminal_disconnected", "terminal_busy", "timeout", "deadline_exceeded"})
"""Names of errors after which it is worth trying again, where nothing was sent."""
SYMBOL = "EURUSD"
MAGIC = 7
LOTS = 0.02
POLL_S = 0.2
MAX_TRIES = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to an intent: its outcome, the tickets that it names, the name of its error."""

    outcome: str | None
    order: int | None = None
    position: int | None = None
    name: str = ""


@dataclass(eq=False, slots=True, kw_only=True)
class Intent:
    """What a bot wants, under one id."""

    id: str
    method: str
    params: Json
    key: Key
    replies: list[Reply] = field(default_factory=list)
    silences: int = 0
    """Tries that were never answered."""
    unknown_at_s: float | None = None
    """When it was first told that the outcome is unknown."""
    resolved_at_s: float | None = None
    """When it was told how it had ended after all."""
    terminal_died: bool = False
    """A terminal was started anew while it had no end: then it takes longer to find out."""

    @property
    def end(self) -> str | None:
        """What it was told last, if that was an end."""
        outcome = self.replies[-1].outcome if self.replies else None
        return outcome if outcome in ENDS else None

    @property
    def receipt(self) -> Reply | None:
        """Where it was told that it is done."""
        return next((one for one in self.replies if one.outcome == "done"), None)


@dataclass
class Address:
    """Where the daemon is."""

    url: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it is thought to answer."""


class Door(Protocol):
    """The way to a daemon that comes and goes, for the holder of a token."""

    address: Address

    async def ask(self, method: str, params: Json, timeout_s: float) -> Json | None:
        """Return the response; ``None`` if none came in time, or the connection broke."""

    async def ask_all(self, method: str, params: Sequence[Json], timeout_s: float) -> list[Json]:
        """Return the responses to a batch, in the order of the requests."""


def now_s() -> float:
    """Return the seconds of the loop's clock: those of this run, real or simulated."""
    return asyncio.get_running_loop().time()


def reply_of(response: Json) -> Reply:
    """Read a response to something that trades."""
    if "error" in response:
        data = response["error"]["data"]
        return Reply(data.get("outcome"), name=data["name"])
    order = response["result"]["order"]
    return Reply("done", order["order"], order["position"])


class Bot:
    """One of them.

    Args:
        door: where it asks.
        account: login and server, which the tags of its orders are made from.
        patience_s: how long it waits for the end of what is unknown.

    """

    def __init__(
        self,
        name: str,
        door: Door,
        account: tuple[int, str],
        dice: random.Random,
        patience_s: float = 2.0,
    ) -> None:
        self._name, self._door, self._account, self._dice = name, door, account, dice
        self._patience_s = patience_s
        self._ids = iter(range(1_000_000))
        self._positions: list[int] = []
        self._orders: list[int] = []
        self._moved: list[int] = []
        self._left: list[Intent] = []

    async def run(self, begin: Callable[[Intent], bool]) -> None:
        """Trade until ``begin``, which is called with each new intent, says that it is enough."""
        while begin(intent := self._wish()):
            await self._carry(intent)
            await self._look_again()
            if intent.end is None:
                continue
            self._note(intent)
            if self._dice.random() < 0.1:
                await self._try(intent)  # it may have forgotten that it has its answer

    # --- what it wants ---------------------------------------------------------------------

    def _wish(self) -> Intent:
        dice = self._dice.random()
        if self._positions and (dice < 0.3 or len(self._positions) > 2):
            return self._intent("close_position", ticket=self._positions.pop(0), volume=LOTS / 2)
        if self._orders and (dice < 0.6 or len(self._orders) > 2):
            if dice < 0.4:
                ticket = self._orders.pop(0)
                self._moved.append(ticket)
                price = self._price(0.4)  # another one than it has, whichever that is
                return self._intent("modify_order", TradeAction.MODIFY, ticket=ticket, price=price)
            return self._cancel(self._orders.pop(0))
        if self._moved and (dice < 0.7 or len(self._moved) > 2):
            return self._cancel(self._moved.pop(0))
        common: Json = {"symbol": SYMBOL, "volume": LOTS, "magic": MAGIC}
        if dice < 0.85:
            return self._intent("place_order", side=self._dice.choice(("buy", "sell")), **common)
        return self._intent("place_order", type="buy_limit", price=self._price(), **common)

    def _price(self, base: float = 0.5) -> float:
        # few of them, so that many orders are alike in their price as well
        return round(base + self._dice.randrange(8) / 100_000, 5)

    def _cancel(self, ticket: int) -> Intent:
        return self._intent("cancel_order", TradeAction.REMOVE, ticket=ticket)

    def _intent(self, method: str, action: TradeAction | None = None, **params: Any) -> Intent:
        id_ = f"{self._name}-{next(self._ids)}"
        key: Key = (
            ("tag", tag(*self._account, id_)) if action is None else (action, params["ticket"])
        )
        return Intent(id=id_, method=method, params=params, key=key)

    def _note(self, intent: Intent) -> None:
        """Remember what it has now."""
        receipt = intent.receipt
        if receipt is None:
            return
        if intent.method == "close_position" and receipt.position is not None:
            # MetaTrader 4 gives what is left of a position another ticket
            before, after = intent.params["ticket"], receipt.position
            self._positions = [after if one == before else one for one in self._positions]
        if intent.method != "place_order":
            return
        if "side" not in intent.params:
            assert receipt.order is not None
            self._orders.append(receipt.order)
        elif receipt.position is not None:
            self._positions += [receipt.position] * 2  # each is closed in two halves

    # --- how it asks -----------------------------------------------------------------------

    async def _carry(self, intent: Intent) -> None:
        """Ask until there is an end, or the patience is."""
        for _ in range(MAX_TRIES):
            await self._try(intent)
            last = intent.replies[-1] if intent.replies else None
            if last is None:
                continue
            if last.outcome == "unknown":
                if not await self._resolved(intent):
                    self._left.append(intent)
                    return
            elif last.outcome != "not_sent" or not self._tries_again(last):
                return
            else:
                await asyncio.sleep(self._dice.uniform(0.0, 0.05))

    def _tries_again(self, last: Reply) -> bool:
        return last.name in PASSING and self._dice.random() < 0.98

    async def _try(self, intent: Intent) -> None:
        """Ask once, or several times at once; wait for long, or not long enough."""
        if self._dice.random() < 0.95:
            await self._door.address.up.wait()
        dice = self._dice.random()
        timeout_s = self._dice.uniform(0.001, 0.1) if dice < 0.05 else 15.0
        copies = self._dice.choice((2, 3)) if dice > 0.93 else 1
        params = intent.params | {"client_order_id": intent.id}
        asking = (self._door.ask(intent.method, params, timeout_s) for _ in range(copies))
        for response in await asyncio.gather(*asking):
            if response is None:
                intent.silences += 1
            else:
                self._hear(intent, reply_of(response))

    def _hear(self, intent: Intent, reply: Reply) -> None:
        intent.replies.append(reply)
        if reply.outcome == "unknown" and intent.unknown_at_s is None:
            intent.unknown_at_s = now_s()
        elif reply.outcome in ENDS and intent.unknown_at_s is not None:
            intent.resolved_at_s = intent.resolved_at_s or now_s()

    async def _resolved(self, intent: Intent) -> bool:
        """Look at what is unknown until it is known; whether it came to that."""
        until_s = now_s() + self._patience_s
        while now_s() < until_s:
            await asyncio.sleep(POLL_S)
            await self._door.address.up.wait()
            if await self._is_known(intent):
                return True
        return False

    async def _look_again(self) -> None:
        """Look at one of those that were unknown for too long, and go on with what it made."""
        if self._left:
            intent = self._left.pop(0)
            if not await self._is_known(intent):
                self._left.append(intent)
                return
            await self._carry(intent)
            self._note(intent)

    async def _is_known(self, intent: Intent) -> bool:
        response = await self._door.ask("get_order", {"client_order_id": intent.id}, 5.0)
        if response is None or outcome_of(response) not in ENDS:
            return False
        intent.resolved_at_s = now_s()
        return True


def outcome_of(response: Json) -> str | None:
    """Read a response of ``get_order``; ``None`` where the id is not known."""
    if "error" in response:
        return None
    outcome: str = response["result"]["outcome"]
    return outcome
