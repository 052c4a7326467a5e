"""One connection of a subscriber: what it asks, what it is answered, what it is told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ea_bridge.token import parse_token

from .expiries import Expiries
from .stream_judge import ChannelCopy, Json, StreamRecord
from .stream_truth import TICKS, TerminalTruth
from .stream_wire import StreamWire

CHANNELS = ("orders", "positions", "deals", "account", "terminal", TICKS)
ANSWER_S = 20.0
CLOSE_CODES = {1001: "going_away", 4000: "slow_consumer", 4001: "heartbeat_timeout"}
"""With which the gateway may end a connection, and why."""
REVOKED = 4506
REVOKED_WITHIN_S = 12.0
"""The gateway looks four times a second, and believes what it knows for 5 s while its disk fails;
what was sent may be under way for some seconds."""
AWAKE_S = 2.0
"""In which a daemon that slept does what it should have done meanwhile."""
JOINED = "coalesce"
"""The feature by which several events come in one frame."""
PASSING = frozenset({"timeout", "terminal_busy", "overloaded", "terminal_disconnected"})
"""Errors of a channel after which it is asked for again."""


@dataclass
class ListenedTerminal:
    """A terminal to listen to.

    Attributes:
        tokens: of the terminals, by name, as they are now.
        spare_tokens: others, that somebody may end, and that expire.
        expiries: which tokens are over by the clock.
        truth: what there is to hear.

    """

    name: str
    tokens: Mapping[str, str]
    spare_tokens: Mapping[str, str]
    expiries: Expiries
    truth: TerminalTruth


class StreamSession:
    """A connection.

    Args:
        who: the subscriber, for what is wrong.
        listened: whom it listens to.
        token: that it shows.
        port, life: of the daemon.
        copies: what the subscriber knows already, by channel.
        record: of the run.

    """

    def __init__(
        self,
        who: str,
        listened: ListenedTerminal,
        token: str,
        port: int,
        life: int,
        copies: dict[str, ChannelCopy],
        record: StreamRecord,
    ) -> None:
        self.wire = StreamWire(token, port, self._take, self._take_array)
        self.token = token
        self.events_left = 0
        """Until somebody has listened for long enough."""
        self.enough: asyncio.Future[None] | None = None
        self._who = f"{who} at {listened.name}"
        self._seat, self._life = listened, life
        self._copies, self._record = copies, record
        self._heard: set[str] = set()
        """Channels that are subscribed to here, or never will be."""
        self._merged: dict[str, int] = {}
        """Events that were merged into later ones, before each channel was subscribed to here."""
        self._may_join = False
        """Events may come in arrays: it asked for that, and nobody has said that it is over."""
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[None], str, Json]] = {}
        """Calls without an answer: who waits, and what was asked."""
        self._loop = asyncio.get_running_loop()
        self._tid = parse_token(token)
        self._steps = listened.expiries.steps
        self._revoked_s: float | None = None
        self._expired_s: float | None = None
        """Since when its token has expired, as was seen first."""
        self._overdue_s: float | None = None
        """Since when it should be over, as was seen first."""

    @property
    def lacks(self) -> list[str]:
        """Return the channels that are to be subscribed to still."""
        return [one for one in CHANNELS if one not in self._heard]

    def accuse(self, said: str) -> None:
        """Note something wrong."""
        self._record.accuse(self._who, said)

    # --- calls -----------------------------------------------------------------------------------

    async def subscribe(self, channels: Sequence[str]) -> None:
        """Subscribe, from where each channel was left off."""
        items: list[dict[str, Any]] = []
        for channel in channels:
            copy = self._copies.get(channel)
            since = None if copy is None else copy.since
            items.append({"channel": channel} | ({} if since is None else {"since": since}))
        await self._ask("subscribe", {"channels": items})

    async def subscribe_again(self) -> None:
        """Subscribe to what it has already."""
        await self._ask("subscribe", {"channels": [{"channel": one} for one in CHANNELS]})

    async def unsubscribe(self, channel: str) -> None:
        """Hear a channel no more."""
        await self._ask("unsubscribe", {"channels": [channel]})

    async def join_events(self, *, is_on: bool) -> None:
        """Have events that are sent together come in one frame, or each in its own again."""
        self._may_join = True
        await self._ask("hello", {"features": [JOINED] if is_on else []})

    async def count_merged(self) -> None:
        """Ask how many events were merged because this connection was slow."""
        await self._ask("get_subscriptions", {})

    async def _ask(self, method: str, params: Json) -> None:
        """Call a method; return with its answer, or when the connection is gone."""
        number = next(self._ids)
        future = self._loop.create_future()
        self._waiting[number] = future, method, params
        self.wire.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        done, _ = await asyncio.wait(
            (future, self.wire.over), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            self.wire.vanish()  # it is broken, though nobody has said so

    # --- its end ---------------------------------------------------------------------------------

    def note_revoked(self) -> None:
        """Take that the token was ended just now."""
        self._revoked_s = self._loop.time()

    def check_revoked(self) -> None:
        """See that nothing comes any more for a token that was ended.

        Only what comes counts: where the way to the subscriber is broken he hears of no end
        either. The gateway pings, so that somebody who is still served does hear something.
        """
        now_s, heard_s = self._loop.time(), self.wire.heard_s
        if not self._seat.expiries.has_expired(self._tid):
            self._expired_s = None  # or no more, by a clock that was set back
        elif self._expired_s is None:
            self._expired_s = now_s
        ended_s = self._expired_s if self._revoked_s is None else self._revoked_s
        if ended_s is None:
            self._overdue_s = None
        if ended_s is None or self.wire.is_paused:
            return
        if heard_s - max(ended_s, self.wire.resumed_s) < REVOKED_WITHIN_S:
            return
        if self._overdue_s is None:
            self._overdue_s = now_s  # the time may have leapt, and the daemon is to be awake again
        elif heard_s - self._overdue_s > AWAKE_S and not self.wire.over.done():
            self.accuse(f"a token that was ended at {ended_s} is still served")
            self.wire.vanish()

    def check_end(self) -> None:
        """See that the gateway had a reason to end it, if it was the gateway."""
        code, reason = self.wire.close_code, self.wire.close_reason
        if code == REVOKED and reason == "expired":
            self._record.count("stream: expired")
            expiries = self._seat.expiries
            is_right = expiries.has_expired(self._tid) or expiries.steps > self._steps
        elif code == REVOKED:
            self._record.count("stream: revoked")
            is_right = self._revoked_s is not None and reason == "revoked"
        else:
            is_right = code in (0, 1000) or CLOSE_CODES.get(code) == reason
        if not is_right:
            self.accuse(f"closed with {code} {reason}")

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

    def _take_array(self, messages: Sequence[Json]) -> None:
        """Take a frame of several messages; each of them comes by itself as well."""
        self._record.count("stream: joined")
        if not self._may_join:
            self.accuse(f"{len(messages)} messages came in one frame, and nobody has asked for it")
        if len(messages) < 2 or any(one.get("method") != "event" for one in messages):
            self.accuse(f"such a frame has events alone, and several: {messages}")

    def _event(self, params: Json, payload: bytes) -> None:
        channel, epoch = params["channel"], params["epoch"]
        copy = self._copies.get(channel)
        if params["terminal"] != self._seat.name or copy is None or channel not in self._heard:
            self.accuse(f"told what it has not asked for: {params}")
            return
        self.check_revoked()
        self.events_left -= 1
        if self.events_left == 0 and self.enough is not None and not self.enough.done():
            self.enough.set_result(None)
        if epoch != copy.epoch:
            self._record.check_epoch(self._who, epoch, self._seat.name, channel, self._life)
        copy.event(params, payload)

    def _answer(self, message: Json) -> None:
        future, method, asked = self._waiting.pop(message["id"])
        if not future.done():
            future.set_result(None)
        error = message.get("error")
        if error is not None:
            failed = error["data"].get("failed", ())
            if error["data"]["name"] not in PASSING and not failed:
                self.accuse(f"{method} {asked} was answered {error}")
            self._note_failed(failed)
            return
        result = message["result"]
        match method:
            case "unsubscribe":
                self._heard.difference_update(asked["channels"])
                if result["failed"]:
                    self.accuse(f"{asked} was answered {result}")
            case "subscribe":
                sinces = {one["channel"]: one.get("since") for one in asked["channels"]}
                for entry in result["subscribed"]:
                    self._subscribed(entry, sinces[entry["channel"]])
                self._note_failed(result["failed"])
            case "hello":
                if result["features"] != asked["features"]:
                    self.accuse(f"said hello with {asked}, answered {result['features']}")
                self._may_join = bool(result["features"])
            case _:
                for entry in result["subscriptions"]:
                    self._check_merged(entry)

    def _subscribed(self, entry: Json, since: Json | None) -> None:
        channel = entry["channel"]
        if entry["already"]:
            if channel not in self._heard:
                self.accuse(f"not subscribed to {channel}, and told {entry}")
            return
        if entry["terminal"] != self._seat.name:
            self.accuse(f"subscribed at another terminal: {entry}")
        self._heard.add(channel)
        copy = self._copies.get(channel)
        if copy is None:
            copy = ChannelCopy(self._record, self._who, channel, self._seat.truth)
            self._copies[channel] = copy
        copy.subscribed(entry, since=since, life=self._life, terminal=self._seat.name)
        self._merged[channel] = copy.merged

    def _note_failed(self, failed: Sequence[Json]) -> None:
        for one in failed:
            is_lacking = one["channel"] == "deals" and not self._seat.truth.has_deals
            if is_lacking:
                self._heard.add("deals")
            elif one["name"] not in PASSING:
                self.accuse(f"could not subscribe: {one}")

    def _check_merged(self, entry: Json) -> None:
        """Compare how many events were merged with what is missing; nothing may be on its way."""
        channel = entry["channel"]
        copy = self._copies.get(channel)
        if copy is None or channel not in self._heard:
            self.accuse(f"not subscribed, and told {entry}")
        elif not entry["queued"] and (entry["epoch"], entry["seq"]) == (copy.epoch, copy.seq):
            merged = copy.merged - self._merged[channel]
            if merged != entry["conflated_total"]:
                self.accuse(f"{merged} events are missing, and it is told {entry}")
            elif merged:
                self._record.count("stream: merged ones counted")
