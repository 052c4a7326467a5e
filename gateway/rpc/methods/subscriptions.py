"""Subscriptions to what happens. The events arrive on ``/ws``; the channels are listed in
:mod:`gateway.streams.channels`.

A subscription that is made on a ``/ws`` connection belongs to it and ends with it. One that is
made over ``POST /rpc`` belongs to the token: its events go to every ``/ws`` connection of the
token that logs in with an ``Authorization`` header, now or later.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypeAliasType

from gateway.auth.caller import Scope
from gateway.errors import InvalidParams, SubscribeFailed
from gateway.rpc.catalogue import Call, method
from gateway.schemas.events import SubscribeResult, Subscriptions, UnsubscribeResult
from gateway.streams.channels import (
    ChannelRequest,
    Item,
    VendorPeriod,
    VendorRequest,
    VendorSymbols,
)

MAX_ITEMS = 1024
"""Channels in one call, each symbol of a vendor's form counted."""

ChannelItems = TypeAliasType(
    "ChannelItems", Item | Annotated[list[Item], Field(max_length=MAX_ITEMS, fail_fast=True)]
)
Channels = Annotated[
    ChannelItems | None,
    Field(
        description=(
            'Channels: names (`"tick:EURUSD"`, `"bar.M1:EURUSD"`, `"orders"`), objects with '
            "particulars, or the vendor's objects; one or a list."
        )
    ),
]
VendorType = Annotated[
    str | None,
    Field(description="The vendor's form instead: `tick`, `mbook`, `ohlc` or `order`."),
]
VendorSymbol = Annotated[
    VendorSymbols | None,
    Field(description="With `type`: the symbol, or several."),
]
VendorTimeframe = Annotated[
    VendorPeriod | None,
    Field(description='With `type: "ohlc"`: `"M1"`, or MetaTrader\'s number.'),
]


@method(scope=Scope.READ, raises=(SubscribeFailed,))
async def subscribe(
    call: Call,
    *,
    channels: Channels = None,
    type: VendorType = None,
    symbol: VendorSymbol = None,
    timeframe: VendorTimeframe = None,
) -> SubscribeResult:
    """Subscribe to channels.

    Each channel succeeds or fails by itself; the call fails only when none could be subscribed.
    The answer comes before the first event. The first event of a channel that has a state is its
    ``snapshot``, with the ``seq`` at which it is true; updates follow without a hole. Subscribing
    again changes nothing and says ``already``. While the terminal is offline a subscription is
    kept (``live: false``) and begins when it comes back; the channel ``terminal`` tells when.

    Who comes back names the last event it has of a channel, as ``since``. ``recovered: true``:
    every event after it comes now, in order, then the snapshot (unless ``snapshot: false``), then
    what is new. ``recovered: false``: none of them comes, and a snapshot does. Kept are the last
    events of ticks (512, of a minute), bars (1000), and of ``orders``, ``positions``, ``deals``
    and ``terminal`` (10,000, of a day), at most 1 MiB a channel; the other channels have a
    snapshot that tells everything, and a symbol's channels keep nothing once nobody hears them.
    ``since`` on a connection that hears the channel already mends a hole: it begins anew behind
    that event.
    """
    items = _items(channels, type, symbol, timeframe)
    if not items:
        raise InvalidParams(errors=[{"field": "channels", "reason": "Name at least one channel"}])
    items = await _by_broker_name(call, items)
    result, begin = await call.streams.subscribe(call.caller, call.listener, items)
    # snapshot and subscription are taken without an await between; both go behind this answer
    call.after_answer.append(begin)
    return result


@method(scope=Scope.READ)
async def unsubscribe(
    call: Call,
    *,
    channels: Channels = None,
    all: Annotated[bool, Field(description="Every channel.")] = False,
    type: VendorType = None,
    symbol: VendorSymbol = None,
    timeframe: VendorTimeframe = None,
) -> UnsubscribeResult:
    """End subscriptions.

    After the answer no more events of these channels come. On a connection this also silences
    what the token subscribed to over ``/rpc``, for this connection alone.
    """
    items = _items(channels, type, symbol, timeframe)
    if all == bool(items):
        reason = "Name channels, or all: true"
        raise InvalidParams(errors=[{"field": "channels", "reason": reason}])
    items = await _by_broker_name(call, items)
    return call.streams.unsubscribe(call.caller, call.listener, None if all else items)


@method(scope=Scope.READ)
async def get_subscriptions(call: Call) -> Subscriptions:
    """List what this connection hears; over ``/rpc``, what the token has subscribed to."""
    return call.streams.subscriptions(call.caller, call.listener)


async def _by_broker_name(call: Call, items: list[Item]) -> list[Item]:
    """Return the items under the broker's names of their symbols.

    A name that is ambiguous stays as it is, and fails by itself; so does one that the terminal
    cannot be asked about now.
    """
    # each name is looked up once, however many channels a call has of one symbol
    known: dict[str, str] = {}

    async def name(symbol: str) -> str:
        if symbol not in known:
            (known[symbol],) = await call.state.symbols.names(call.terminal, [symbol])
        return known[symbol]

    async def channel(text: str) -> str:
        topic, colon, symbol = text.partition(":")
        return f"{topic}:{await name(symbol)}" if colon and symbol else text

    named: list[Item] = []
    for item in items:
        if isinstance(item, str):
            named.append(await channel(item))
        elif isinstance(item, ChannelRequest):
            named.append(item.model_copy(update={"channel": await channel(item.channel)}))
        else:
            symbols = [symbol and await name(symbol) for symbol in item.symbols]
            named.append(item.model_copy(update={"symbol": symbols}))
    return named


def _items(
    channels: Item | list[Item] | None,
    type: str | None,
    symbol: str | list[str] | None,
    timeframe: str | int | None,
) -> list[Item]:
    items = list(channels) if isinstance(channels, list) else [channels] if channels else []
    if type is not None:
        items.append(VendorRequest(type=type, symbol=symbol, timeframe=timeframe))
    elif symbol is not None or timeframe is not None:
        reason = "symbol and timeframe go with type"
        raise InvalidParams(errors=[{"field": "type", "reason": reason}])
    if sum(map(_width, items)) > MAX_ITEMS:
        reason = f"At most {MAX_ITEMS} channels in one call"
        raise InvalidParams(errors=[{"field": "channels", "reason": reason}])
    return items


def _width(item: Item) -> int:
    return len(item.symbols) if isinstance(item, VendorRequest) else 1
