"""Requests for channels: the forms that a caller may write, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import GatewayError, TerminalNotFound
from gateway.schemas.subscriptions import NotSubscribed

from .channels import MAX_NAME, Channel, parse_channel, vendor_channel
from .hub import StreamPosition

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


class VendorRequest(_RequestModel):
    """The vendor's form."""

    type: str
    """``tick``, ``mbook``, ``ohlc`` or ``order``."""
    symbol: str | Annotated[list[str], Field(max_length=MAX_SYMBOLS)] | None = None
    """One, or several."""
    timeframe: str | int | None = None
    """Of ``ohlc``: ``"M1"`` or MetaTrader's number."""

    @property
    def symbols(self) -> list[str | None]:
        """Always several."""
        return [*self.symbol] if isinstance(self.symbol, list) else [self.symbol]

    def describe(self, symbol: str | None) -> str:
        """Name what was asked for, in the caller's words."""
        return ":".join(part for part in (self.type[:64], symbol) if part)[:MAX_NAME]


Item = str | ChannelRequest | VendorRequest
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


def compare(
    at: StreamPosition, since: Since | None
) -> tuple[bool | None, Literal["epoch_changed", "evicted", "ahead"] | None]:
    """Tell whether a client that has heard up to ``since`` misses nothing if it hears what comes
    after ``at``.
    """
    if since is None:
        return None, None
    if since.epoch != at.epoch:
        return False, "epoch_changed"
    if since.seq == at.seq:
        return True, None
    return False, "ahead" if since.seq > at.seq else "evicted"
