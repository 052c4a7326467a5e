"""Subscribers: clients of ``/ws`` that listen to all that is said of trading, and are judged.

Each listens to one terminal after the other, as the README says: it subscribes, goes on after a
lost connection from the last event it has (``since``), answers pings. At times it reads nothing
for a while, vanishes, says goodbye, or ends a channel and takes it up again. What it is told goes
to a :class:`~.stream_judge.ChannelCopy` for each channel.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .stream_judge import ChannelCopy, Json, StreamRecord
from .stream_truth import TerminalTruth
from .stream_wire import Refused, StreamWire

CHANNELS = ("orders", "positions", "deals", "account", "terminal")
ANSWER_S = 20.0
SILENT_S = 20.0
"""Of a gateway that pings every 15 s: then the connection is broken, though nobody has said so."""
PATIENCE = (5, 20, 60, 150)
"""Events, after one of which many a subscriber does something else than to listen."""
QUIET_S = (0.05, 0.3, 2.0, 10.0)
"""Seconds without so many events, after which it does so too."""
AWAY_S = (0.0, 0.0, 0.0, 0.01, 0.01, 0.02, 0.05, 0.05, 0.2, 1.0)
"""Seconds between two connections."""
SLOW_S = (*(0.01,) * 4, *(0.05,) * 4, 0.2, 0.2, 1.0, 12.0)
"""Seconds for which somebody reads nothing; from 10 on with much to tell it is too slow."""
CLOSE_CODES = {1001: "going_away", 4000: "slow_consumer", 4001: "heartbeat_timeout"}
"""With which the gateway may end a connection, and why; 4506 after a revocation."""
REVOKED = 4506
PASSING = frozenset({"timeout", "terminal_busy", "overloaded", "terminal_disconnected"})
"""Errors of a channel after which it is asked for again."""


@dataclass
class Seat:
    """A terminal to listen to."""

    name: str
    tokens: Mapping[str, str]
    """Of the terminals, by name, as they are now."""
    truth: TerminalTruth


@dataclass
class Place:
    """Where the daemon is, as somebody hears who is told of each life."""

    port: int = 0
    life: int = 0
    """Number of the life; 0 before the first."""


class Subscriber:
    """One of them.

    Args:
        name: for what is wrong.
        seats: the terminals it may listen to.
        place: of the daemon.
        record: of the run.
        dice: of all that it does.

    """

    def __init__(
        self,
        name: str,
        seats: Sequence[Seat],
        place: Place,
        record: StreamRecord,
        dice: Random,
    ) -> None:
        self.name = name
        self.seat = seats[0]
        self.connections = self.slow_ends = 0
        self._seats, self._place, self._record, self._dice = seats, place, record, dice
        self._copies: dict[str, ChannelCopy] = {}
        self._wire: StreamWire | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[None], str, Json]] = {}
        """Calls without an answer: who waits, and what was asked."""
        self._heard: set[str] = set()
        """Channels that are subscribed to on this connection, or never will be."""
        self._life = 0
        """Of the daemon that the connection is to."""
        self._is_at_rest = False
        self._left = 0
        """Events until it has listened long enough."""
        self._enough: asyncio.Future[None] | None = None
        self._sit()

    # --- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            wire = await self._connect()
            if wire is None:
                await asyncio.sleep(self._dice.uniform(0.005, 0.05))
                continue
            await self._listen(wire)
            self._note_end(wire)
            if self._is_at_rest:
                continue
            await asyncio.sleep(self._dice.choice(AWAY_S))
            if self._dice.random() < 0.1:
                self._sit()

    async def rest(self) -> None:
        """Do nothing any more but listen; return when it is sure to be heard, or dials anew."""
        self._is_at_rest = True
        if self._wire is not None:
            self._wire.resume()
            await self.ask_again()

    async def ask_again(self) -> None:
        """Subscribe to what it has already."""
        await self._ask("subscribe", {"channels": [{"channel": one} for one in CHANNELS]})

    def finish(self) -> None:
        """Compare what is known at the end, after the rest."""
        if self._wire is None or not self._copies:
            self.accuse("not connected at the end")
            return
        for copy in self._copies.values():
            copy.finish()
        truth, account = self.seat.truth, self._copies["account"].data
        if account.get("balance") != truth.balance:
            self.accuse(f"the last balance was {account}, and is {truth.balance}")
        told = self._copies["terminal"].data
        if (told.get("state"), told.get("broker_connected")) != ("ready", True):
            self.accuse(f"the terminal is ready, and was said to be {told}")

    def accuse(self, said: str) -> None:
        """Note something wrong."""
        self._record.accuse(f"{self.name} at {self.seat.name}", said)

    def _sit(self) -> None:
        """Take another terminal, with no memory of what was told before."""
        self.seat = self._dice.choice(self._seats)
        self._copies = {}

    # --- a connection ----------------------------------------------------------------------------

    async def _connect(self) -> StreamWire | None:
        port, self._life = self._place.port, self._place.life
        wire = StreamWire(self.seat.tokens[self.seat.name], port, self._take)
        try:
            await asyncio.get_running_loop().create_connection(lambda: wire, "127.0.0.1", port)
            async with asyncio.timeout(ANSWER_S):
                await wire.opened
        except (OSError, TimeoutError, Refused):
            wire.vanish()
            return None
        self._wire = wire
        self._heard.clear()
        self.connections += 1
        return wire

    async def _listen(self, wire: StreamWire) -> None:
        """Listen to one connection until it is over."""
        await self._subscribe(CHANNELS)
        while not wire.over.done():
            self._enough = asyncio.get_running_loop().create_future()
            self._left = self._dice.choice(PATIENCE)
            await asyncio.wait(
                (wire.over, self._enough),
                timeout=self._dice.choice(QUIET_S),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not (wire.over.done() or self._is_at_rest):
                await self._act(wire)
            if asyncio.get_running_loop().time() - wire.heard_s > SILENT_S:
                wire.vanish()
            elif missing := [one for one in CHANNELS if one not in self._heard]:
                await self._subscribe(missing)

    async def _act(self, wire: StreamWire) -> None:
        """Do something that the gateway must bear."""
        dice = self._dice.random()
        if dice < 0.12:
            wire.vanish()
        elif dice < 0.2:
            wire.close()
        elif dice < 0.35:
            wire.pause()
            await asyncio.wait((wire.over,), timeout=self._dice.choice(SLOW_S))
            wire.resume()
        elif dice < 0.45:
            channel = self._dice.choice(CHANNELS)
            await self._ask("unsubscribe", {"channels": [channel]})
            await self._subscribe([channel])
        elif dice < 0.5:
            await self.ask_again()  # it has forgotten that

    def _note_end(self, wire: StreamWire) -> None:
        self._wire = None
        self._waiting.clear()  # who waits sees that the connection is gone
        code, reason = wire.close_code, wire.close_reason
        self.slow_ends += code == 4000
        if code not in (0, 1000, REVOKED) and CLOSE_CODES.get(code) != reason:
            self.accuse(f"closed with {code} {reason}")

    # --- calls -----------------------------------------------------------------------------------

    async def _subscribe(self, channels: Sequence[str]) -> None:
        """Subscribe, from where each channel was left off."""
        items: list[dict[str, Any]] = []
        for channel in channels:
            copy = self._copies.get(channel)
            since = None if copy is None else copy.since
            items.append({"channel": channel} | ({} if since is None else {"since": since}))
        await self._ask("subscribe", {"channels": items})

    async def _ask(self, method: str, params: Json) -> None:
        """Call a method; return with its answer, or when the connection is gone."""
        wire = self._wire
        if wire is None:
            return
        number = next(self._ids)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future, method, params
        wire.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        done, _ = await asyncio.wait(
            (future, wire.over), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            wire.vanish()  # it is broken, though nobody has said so

    # --- what comes ------------------------------------------------------------------------------

    def _take(self, message: dict[str, Any], payload: bytes) -> None:
        """Take a message, in the moment in which it comes: events follow their answer closely."""
        method = message.get("method")
        if method == "event":
            self._event(message["params"], payload)
        elif "id" in message:
            self._answer(message)
        elif method not in ("welcome", "heartbeat", "server_shutdown"):
            self.accuse(f"unknown notification: {message}")

    def _event(self, params: Json, payload: bytes) -> None:
        channel = params["channel"]
        copy = self._copies.get(channel)
        if params["terminal"] != self.seat.name or copy is None or channel not in self._heard:
            self.accuse(f"told what it has not asked for: {params}")
            return
        self._left -= 1
        if self._left == 0 and self._enough is not None:
            self._enough.set_result(None)
        epoch = params["epoch"]
        if epoch != copy.epoch:
            self._record.check_epoch(self.name, epoch, self.seat.name, channel, self._life)
        copy.event(params, payload)

    def _answer(self, message: Json) -> None:
        future, method, asked = self._waiting.pop(message["id"])
        if not future.done():
            future.set_result(None)
        result, error = message.get("result", {}), message.get("error")
        if error is not None:
            failed = error["data"].get("failed", ())
            if error["data"]["name"] not in PASSING and not failed:
                self.accuse(f"{method} {asked} was answered {error}")
            self._note_failed(failed)
        elif method == "unsubscribe":
            self._heard.difference_update(asked["channels"])
            if result["failed"]:
                self.accuse(f"{asked} was answered {result}")
        else:
            sinces = {one["channel"]: one.get("since") for one in asked["channels"]}
            for entry in result["subscribed"]:
                self._subscribed(entry, sinces[entry["channel"]])
            self._note_failed(result["failed"])

    def _subscribed(self, entry: Json, since: Json | None) -> None:
        channel = entry["channel"]
        if entry["already"]:
            if channel not in self._heard:
                self.accuse(f"not subscribed to {channel}, and told {entry}")
            return
        if entry["terminal"] != self.seat.name:
            self.accuse(f"subscribed at another terminal: {entry}")
        self._heard.add(channel)
        copy = self._copies.get(channel)
        if copy is None:
            who = f"{self.name} at {self.seat.name}"
            copy = self._copies[channel] = ChannelCopy(self._record, who, channel, self.seat.truth)
        copy.subscribed(entry, since=since, life=self._life, terminal=self.seat.name)

    def _note_failed(self, failed: Sequence[Json]) -> None:
        for one in failed:
            is_lacking = one["channel"] == "deals" and not self.seat.truth.has_deals
            if is_lacking:
                self._heard.add("deals")
            elif one["name"] not in PASSING:
                self.accuse(f"could not subscribe: {one}")
