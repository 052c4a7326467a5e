"""Names of channels: ``topic *("." option) [":" symbol]``.

Split at the *first* colon only: what follows is the broker's symbol, verbatim, and may hold dots,
spaces, signs and more colons. Options stand left of it, so that one text is one channel: the key
to unsubscribe by and to resume from.

:data:`FORMS` has all of them, with what their events hold.

A caller may ask for a channel by its name, by an object with particulars, or in the vendor's form
(:func:`read_items`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from ea_bridge.model import Timeframe
from gateway.errors import GatewayError, InvalidParams, TerminalNotFound, did_you_mean
from gateway.schemas import (
    AccountEvent,
    BarEvent,
    Book,
    DealEvent,
    HeartbeatEvent,
    NotSubscribed,
    OrdersSnapshot,
    OrdersUpdate,
    PnlEvent,
    PositionEvent,
    PositionsSnapshot,
    TerminalEvent,
    TerminalUpdate,
    Tick,
)
from gateway.schemas.events import Delivery

from .hub import RingBounds, StreamPosition, Topic
from .outbox import StreamEvent

MAX_SYMBOLS = 256
"""In one vendor form."""


class _RequestModel(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class Since(_RequestModel):
    """Position of a client's copy of a channel: members of the last event it has."""

    epoch: Annotated[str, Field(max_length=64)]
    seq: Annotated[int, Field(ge=0, lt=2**53)]


class ChannelRequest(_RequestModel):
    """A channel with its particulars."""

    channel: str
    terminal: str | None = None
    """May be left out, since a token is for one terminal."""
    snapshot: bool = True
    """False: begin with the next change, unless ``since`` is not recovered."""
    since: Since | None = None
    """Go on after this event, if what came since is still there."""


VendorSymbols = TypeAliasType(
    "VendorSymbols", str | Annotated[list[str], Field(max_length=MAX_SYMBOLS)]
)
VendorPeriod = TypeAliasType("VendorPeriod", str | int)


class VendorRequest(_RequestModel):
    """The vendor's form."""

    type: str
    """``tick``, ``mbook``, ``ohlc`` or ``order``."""
    symbol: VendorSymbols | None = None
    """One, or several."""
    timeframe: VendorPeriod | None = None
    """Of ``ohlc``: ``"M1"`` or MetaTrader's number."""

    @property
    def symbols(self) -> list[str | None]:
        """Always several."""
        return [*self.symbol] if isinstance(self.symbol, list) else [self.symbol]

    def describe(self, symbol: str | None) -> str:
        """Name what was asked for, in the caller's words."""
        return ":".join(part for part in (self.type[:64], symbol) if part)[:MAX_NAME]


Item = TypeAliasType("Item", str | ChannelRequest | VendorRequest)
"""A channel's name, one of our objects, or one of the vendor's."""


@dataclass(frozen=True, slots=True)
class RequestedChannel:
    """Channel that was asked for and understood."""

    channel: Channel
    snapshot: bool = True
    since: Since | None = None


def read_items(
    items: Sequence[Item], terminal: str
) -> tuple[list[RequestedChannel], list[NotSubscribed]]:
    """Read what was asked for; an item that makes no sense does not spoil the others.

    Args:
        terminal: the one that the caller's token is for.

    """
    requested: list[RequestedChannel] = []
    failed: list[NotSubscribed] = []
    for given, read in _readers(items, terminal):
        try:
            requested.append(read())
        except GatewayError as error:
            failed.append(refusal(given, error))
    return requested, failed


def refusal(given: str, error: GatewayError) -> NotSubscribed:
    """Return the entry that tells a caller that a channel failed."""
    return {
        "channel": given,
        "code": error.code,
        "name": error.name(),
        "message": error.message,
        "did_you_mean": list(error.data.get("did_you_mean", ())),
    }


def _readers(
    items: Sequence[Item], terminal: str
) -> Iterator[tuple[str, Callable[[], RequestedChannel]]]:
    for item in items:
        if isinstance(item, str):
            yield item[:MAX_NAME], partial(_read_name, item)
        elif isinstance(item, ChannelRequest):
            yield item.channel[:MAX_NAME], partial(_read_request, item, terminal)
        else:
            for symbol in item.symbols:
                yield item.describe(symbol), partial(_read_vendor, item, symbol)


def _read_name(name: str) -> RequestedChannel:
    return RequestedChannel(parse_channel(name))


def _read_request(item: ChannelRequest, terminal: str) -> RequestedChannel:
    if item.terminal not in (None, terminal):
        raise TerminalNotFound(terminal=item.terminal, terminals=[terminal])
    return RequestedChannel(parse_channel(item.channel), item.snapshot, item.since)


def _read_vendor(item: VendorRequest, symbol: str | None) -> RequestedChannel:
    return RequestedChannel(vendor_channel(item.type, symbol, item.timeframe))


def missed(
    topic: Topic, at: StreamPosition, since: Since
) -> list[StreamEvent] | Literal["epoch_changed", "evicted", "ahead"]:
    """Return the events that a client missed between ``since`` and ``at``, or why they are not
    available.
    """
    # an epoch of an earlier gateway goes on in this one, as far as it was told then
    if since.epoch != at.epoch and since.seq > topic.earlier.get(since.epoch, -1):
        return "epoch_changed"
    if since.seq > at.seq:
        return "ahead"
    if since.seq == at.seq:
        return []
    events = topic.after(since.seq, at.seq)
    return "evicted" if events is None else events


MIN_INTERVAL_MS, MAX_INTERVAL_MS = 10, 60_000
MAX_DEPTH = 100
MAX_SYMBOL = 64
"""Characters; MetaTrader's own limit is 31."""
MAX_NAME = 128

RINGS = {
    "tick": RingBounds(512, 60_000),
    "bar": RingBounds(1000, 86_400_000),
    **dict.fromkeys(("orders", "positions", "deals", "terminal"), RingBounds(10_000, 86_400_000)),
}
"""Of topics whose last events are kept for those who come back; the others have a snapshot that
tells everything."""

OF_SYMBOL = frozenset({"tick", "book", "bar"})
LOSSLESS = frozenset({"orders", "positions", "deals", "terminal"})
TOPICS = (
    "tick",
    "book",
    "bar",
    "orders",
    "positions",
    "deals",
    "pnl",
    "account",
    "terminal",
    "heartbeat",
)


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """Form of the names of some channels, and what the events of these hold."""

    id: str
    address: str
    """With the parameters ``{symbol}``, ``{interval}``, ``{depth}`` and ``{timeframe}``."""
    example: str
    content: str
    """For people."""
    update: Any
    """Shape of the ``data`` of an update."""
    snapshot: Any = None
    """The same of a snapshot; ``None`` where there is none."""
    gaps: bool = False
    """Lost events are told by a ``gap``."""
    ends: bool = False
    """A terminal may turn out not to have it: then an ``end`` comes."""

    @property
    def delivery(self) -> Delivery:
        """What becomes of events when a connection is slow."""
        return parse_channel(self.example).delivery


FORMS = (
    ChannelForm(
        "tick",
        "tick:{symbol}",
        "tick:EURUSD",
        "Every tick, merged while you are far behind.",
        update=Tick,
        snapshot=Tick,
        ends=True,
    ),
    ChannelForm(
        "tick_interval",
        "tick.{interval}:{symbol}",
        "tick.100ms:EURUSD",
        "The newest tick, at most one an interval.",
        update=Tick,
        snapshot=Tick,
        ends=True,
    ),
    ChannelForm(
        "tick_all",
        "tick.all:{symbol}",
        "tick.all:EURUSD",
        "Every tick.",
        update=Tick,
        gaps=True,
        ends=True,
    ),
    ChannelForm(
        "book",
        "book:{symbol}",
        "book:EURUSD",
        "The whole order book, each time that it changes.",
        update=Book,
        snapshot=Book,
        ends=True,
    ),
    ChannelForm(
        "book_depth",
        "book.{depth}:{symbol}",
        "book.10:EURUSD",
        "The best levels of the order book, on each side.",
        update=Book,
        snapshot=Book,
        ends=True,
    ),
    ChannelForm(
        "bar",
        "bar.{timeframe}:{symbol}",
        "bar.M1:EURUSD",
        "Each bar once it has closed, never merged; and the forming one, of which only the newest "
        "counts.",
        update=BarEvent,
        snapshot=BarEvent,
        gaps=True,
        ends=True,
    ),
    ChannelForm(
        "orders",
        "orders",
        "orders",
        "Every change of a pending order, and the ends of requests whose outcome was unknown.",
        update=OrdersUpdate,
        snapshot=OrdersSnapshot,
        gaps=True,
    ),
    ChannelForm(
        "positions",
        "positions",
        "positions",
        "Every change of an open position but its floating profit.",
        update=PositionEvent,
        snapshot=PositionsSnapshot,
        gaps=True,
    ),
    ChannelForm(
        "deals",
        "deals",
        "deals",
        "Every execution and balance operation; not on MetaTrader 4.",
        update=DealEvent,
        gaps=True,
        ends=True,
    ),
    ChannelForm(
        "pnl",
        "pnl",
        "pnl",
        "The floating result of every open position.",
        update=PnlEvent,
        snapshot=PnlEvent,
    ),
    ChannelForm(
        "pnl_interval",
        "pnl.{interval}",
        "pnl.1000ms",
        "The same, at most once an interval.",
        update=PnlEvent,
        snapshot=PnlEvent,
    ),
    ChannelForm(
        "account",
        "account",
        "account",
        "Balance, equity, margin: the whole account.",
        update=AccountEvent,
        snapshot=AccountEvent,
    ),
    ChannelForm(
        "terminal",
        "terminal",
        "terminal",
        "Link, broker and switches of the terminal, and what the kill switch has done.",
        update=TerminalUpdate,
        snapshot=TerminalEvent,
    ),
    ChannelForm(
        "heartbeat",
        "heartbeat",
        "heartbeat",
        "The gateway is alive: when nothing else has come for `heartbeat_ms`.",
        update=HeartbeatEvent,
    ),
)

_INTERVAL = re.compile(r"([1-9][0-9]{0,4})ms", re.ASCII)
_DEPTH = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

VENDOR_TYPES = {"tick": "tick", "mbook": "book", "ohlc": "bar", "order": "orders"}
"""The vendor's names of what can be subscribed to, and our topics."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel whose name was understood."""

    topic: str
    option: str = ""
    symbol: str = ""

    @property
    def name(self) -> str:
        """The canonical name."""
        option = f".{self.option}" if self.option else ""
        symbol = f":{self.symbol}" if self.symbol else ""
        return f"{self.topic}{option}{symbol}"

    @property
    def delivery(self) -> Delivery:
        """What becomes of events when a connection is slow."""
        if self.topic == "bar":
            return "mixed"
        return "lossless" if self.topic in LOSSLESS or self.is_every_tick else "latest"

    @property
    def ring(self) -> RingBounds | None:
        """Bounds of the events that are kept; ``None``: none are."""
        return RINGS.get(self.topic)

    @property
    def is_every_tick(self) -> bool:
        """``tick.all``: never merged, and without a snapshot."""
        return self.option == "all"

    @property
    def interval_ms(self) -> int | None:
        """At most one event in so many milliseconds."""
        return int(self.option[:-2]) if self.option.endswith("ms") else None

    @property
    def depth(self) -> int | None:
        """At most so many levels on each side of the book."""
        return int(self.option) if self.topic == "book" and self.option else None

    @property
    def timeframe(self) -> Timeframe:
        """The period of a ``bar`` channel."""
        return Timeframe[self.option]


def parse_channel(name: str) -> Channel:
    """Read a channel's name.

    Raises:
        InvalidParams: it is none; ``data.reason`` says what is wrong, ``data.did_you_mean``
            names what comes close.

    """
    if len(name) > MAX_NAME:
        raise InvalidParams(f"A channel's name has at most {MAX_NAME} characters", reason="length")
    head, colon, symbol = name.partition(":")
    topic, *options = head.split(".")
    if topic not in TOPICS:
        near = did_you_mean(topic, TOPICS)
        raise InvalidParams("There is no such channel", reason="unknown_channel", **near)
    if len(options) > 1:
        raise InvalidParams("A channel takes one option", reason="option")
    option = _read_option(topic, options[0]) if options else ""
    _check_symbol(topic, symbol, given=bool(colon))
    if topic == "bar" and not option:
        raise InvalidParams(
            "bar needs a timeframe", reason="option", did_you_mean=[f"bar.M1:{symbol}"]
        )
    return Channel(topic, option, symbol)


def vendor_channel(kind: str, symbol: str | None, timeframe: str | int | None) -> Channel:
    """Read the vendor's form: ``tick``, ``mbook``, ``ohlc`` or ``order``, beside their symbol.

    ``timeframe`` is a name (``"M1"``, ``"PERIOD_M1"``) or MetaTrader's number.

    Raises:
        InvalidParams: as :func:`parse_channel`.

    """
    topic = VENDOR_TYPES.get(kind)
    if topic is None:
        near = did_you_mean(kind, VENDOR_TYPES)
        raise InvalidParams("There is no such type", reason="unknown_channel", **near)
    if topic != "bar" and timeframe is not None:
        raise InvalidParams(f"{kind} takes no timeframe", reason="option")
    if topic == "bar" and timeframe is None:
        raise InvalidParams("ohlc needs a timeframe", reason="option")
    _check_symbol(topic, symbol or "", given=symbol is not None)
    return Channel(topic, "" if timeframe is None else _timeframe(timeframe), symbol or "")


def _read_option(topic: str, option: str) -> str:
    if topic == "bar":
        return _timeframe(option)
    if topic == "tick" and option == "all":
        return option
    if topic in ("tick", "pnl") and (match := _INTERVAL.fullmatch(option)):
        if MIN_INTERVAL_MS <= int(match[1]) <= MAX_INTERVAL_MS:
            return option
        span = f"{MIN_INTERVAL_MS}ms to {MAX_INTERVAL_MS}ms"
        raise InvalidParams(f"An interval is {span}", reason="option")
    if topic == "book" and _DEPTH.fullmatch(option) and int(option) <= MAX_DEPTH:
        return option
    allowed = {"tick": ["all", "100ms"], "pnl": ["1000ms"], "book": ["10"]}.get(topic, [])
    hint = {"did_you_mean": [f"{topic}.{choice}" for choice in allowed] or [topic]}
    raise InvalidParams(f"{topic} has no such option", reason="option", **hint)


def _timeframe(given: str | int) -> str:
    try:
        if isinstance(given, int):
            return Timeframe(given).name
        return Timeframe[given.upper().removeprefix("PERIOD_").removeprefix("TIMEFRAME_")].name
    except (KeyError, ValueError):
        near = did_you_mean(str(given).upper(), Timeframe.__members__)
        raise InvalidParams("There is no such timeframe", reason="option", **near) from None


def _check_symbol(topic: str, symbol: str, *, given: bool) -> None:
    if topic not in OF_SYMBOL:
        if given:
            raise InvalidParams(f"{topic} takes no symbol", reason="symbol", did_you_mean=[topic])
    elif not symbol:
        raise InvalidParams(f"{topic} needs a symbol: {topic}:EURUSD", reason="symbol")
    elif len(symbol) > MAX_SYMBOL or _UNPRINTABLE.search(symbol):
        raise InvalidParams("That cannot be a symbol", reason="symbol")
