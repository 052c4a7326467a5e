"""Bots that trade as careless programs do: they give up waiting, ask again, and ask twice at once.

Each has holdings, its own or some for which it races with others. What it does it does under an
id of its own, made once, and it asks until it has an end: a receipt, a refusal, or that nothing
was sent. It notes every answer; :mod:`.judge` compares them with what the broker did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from gateway.trading.requests import tag

from .believed_holdings import BelievedHoldings
from .bot_requests import BotRequest, Habits, RequestGenerator
from .extra_requests import Asked, ExtraRequests
from .intents import ENDS, PASSING, SWEEPS, Intent, Json, Reply, outcome_of, reply_of
from .sweeps import SweepJudge

POLL_S = 0.2
MAX_TRIES = 200
PATIENCE_S = 2.0
"""For the end of what is unknown."""
IMPATIENCE = 0.1
"""Share of the looks at what is unknown before which its bot asks for it once more."""
FORGETS, TWISTS = 0.1, 0.02
"""Shares of the intents whose bot asks again though it knows; and asks for something else then."""


@dataclass
class Address:
    """Where the daemon is."""

    url: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it is thought to answer."""


class TerminalClient(Protocol):
    """The way to a daemon that comes and goes, for the holder of a token."""

    address: Address

    async def ask(self, method: str, params: Json, timeout_s: float) -> Json | None:
        """Return the response; ``None`` if none came in time, or the connection broke."""

    async def ask_all(self, method: str, params: Sequence[Json], timeout_s: float) -> list[Json]:
        """Return the responses to a batch, in the order of the requests."""


def now_s() -> float:
    """Return the seconds of this run, real or simulated, without those that all machines slept."""
    loop = asyncio.get_running_loop()
    return loop.time() - float(getattr(loop, "slept_s", 0.0))  # a real loop tells of no sleep


class Bot:
    """Bot that trades carelessly: it gives up waiting, asks again, and asks twice at once.

    Args:
        clients: where it asks: each time at one of them, all of which lead to one account.
        account: login and server, which the tags of its orders are made from.
        asked: takes what it asks for beside orders.
        sweeps: looks at each of its sweeps while it happens.
        habits: what the account can do, and how it trades there.
        holdings: its own, or one that it shares.
    """

    def __init__(
        self,
        name: str,
        clients: Sequence[TerminalClient],
        account: tuple[int, str],
        dice: Random,
        *,
        asked: Asked,
        sweeps: SweepJudge,
        habits: Habits,
        holdings: BelievedHoldings | None = None,
    ) -> None:
        self._name, self._clients, self._account, self._dice = name, clients, account, dice
        self._habits = habits
        self._ids = iter(range(1_000_000))
        self._holdings = holdings or BelievedHoldings()
        self._generator = RequestGenerator(self._holdings, dice, habits)
        self._extras = ExtraRequests(self._holdings, dice, habits, asked)
        self._sweeps = sweeps
        self._left: list[Intent] = []

    async def run(self, begin: Callable[[Intent], bool]) -> None:
        """Trade until ``begin``, which is called with each new intent, says that it is enough."""
        while await self.carry_out(self._generator.draw(), begin) is not None:
            await self._extras.turn(self._client())
            if self._habits.thinks_s:
                await asyncio.sleep(self._dice.expovariate(1 / self._habits.thinks_s))

    async def carry_out(
        self, wanted: BotRequest, begin: Callable[[Intent], bool]
    ) -> Intent | None:
        """Carry a request out, as far as it can be; ``None``: the run has enough."""
        intent = self._intent(wanted)
        if not begin(intent):
            return None
        intent.begun_at_s = now_s()
        await self._carry(intent)
        await self._look_again()
        if intent.end is not None:
            self._holdings.note(intent)
            await self._forget(intent)
        return intent

    def _intent(self, wanted: BotRequest) -> Intent:
        id_ = f"{self._name}-{next(self._ids)}"
        return Intent(
            id=id_, method=wanted.method, params=wanted.params, tag=tag(*self._account, id_)
        )

    async def _forget(self, intent: Intent) -> None:
        """Ask again now and then, as who has forgotten that it has its answer."""
        dice = self._dice.random()
        if dice < FORGETS:
            await self._try(intent)
        elif dice < FORGETS + TWISTS and intent.end in ("done", "rejected"):
            twisted = intent.params | {"client_order_id": intent.id, **_another(intent)}
            response = await self._client().ask(intent.method, twisted, 15.0)
            if response is not None:
                intent.conflicts.append(reply_of(response))

    # --- how it asks -----------------------------------------------------------------------

    def _client(self) -> TerminalClient:
        return self._clients[0] if len(self._clients) == 1 else self._dice.choice(self._clients)

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
            await self._clients[0].address.up.wait()
        dice = self._dice.random()
        timeout_s = self._dice.uniform(0.001, 0.1) if dice < 0.05 else 15.0
        copies = self._dice.choice((2, 3)) if dice > 0.93 else 1
        params = intent.params | {"client_order_id": intent.id}
        asking = [self._ask(intent, params, timeout_s) for _ in range(copies)]
        await (asking[0] if copies == 1 else asyncio.gather(*asking))

    async def _ask(self, intent: Intent, params: Json, timeout_s: float) -> None:
        sweep = self._sweeps.begin(intent) if intent.method in SWEEPS else None
        client, asked_s = self._client(), now_s()
        address = client.address.url
        response = await client.ask(intent.method, params, timeout_s)
        if response is None:
            intent.hear_nothing(address, asked_s)
            return
        reply = reply_of(response)
        intent.hear(reply, address, asked_s)
        _note_end(intent, reply)
        if sweep is not None:
            sweep.end(reply)

    async def _resolved(self, intent: Intent) -> bool:
        """Look at what is unknown until it is known; whether it came to that."""
        until_s = now_s() + PATIENCE_S
        while now_s() < until_s:
            await asyncio.sleep(POLL_S)
            await self._clients[0].address.up.wait()
            if self._dice.random() < IMPATIENCE:
                await self._try(intent)  # the same id again, though nobody knows what became of it
                if intent.end is not None:
                    return True
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
            self._holdings.note(intent)

    async def _is_known(self, intent: Intent) -> bool:
        response = await self._client().ask("get_order", {"client_order_id": intent.id}, 5.0)
        if response is None or outcome_of(response) not in ENDS:
            return False
        intent.resolved_at_s = now_s()
        return True


def _note_end(intent: Intent, reply: Reply) -> None:
    """Note when it was told that nobody knows how it ended, and when how it did."""
    if reply.outcome == "unknown" and intent.unknown_at_s is None:
        intent.unknown_at_s = now_s()
    elif reply.outcome in ENDS and intent.unknown_at_s is not None:
        intent.resolved_at_s = intent.resolved_at_s or now_s()


def _another(intent: Intent) -> Json:
    """Return a param of an intent as another request would have it."""
    match intent.method:
        case "place_order":
            return {"volume": intent.params["volume"] + 0.01}
        case "close_position":
            return {"volume": intent.params.get("volume", 0.01) + 0.01}
        case "close_by":
            return {"position_by": intent.params["position_by"] + 1}
        case "modify_order":
            return {"tp": 3.0} if intent.params.get("tp") != 3.0 else {"tp": 4.0}
        case "cancel_order":
            return {"ticket": intent.params["ticket"] + 1}
    return {"magic": intent.params.get("magic", 0) + 1}
