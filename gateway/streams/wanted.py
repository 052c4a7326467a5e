"""What a caller may write to name channels, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import GatewayError, TerminalNotFound
from gateway.schemas.subscriptions import NotSubscribed

from .channels import MAX_NAME, Channel, parse_channel, vendor_channel
from .hub import Mark

MAX_SYMBOLS = 256
"""In one vendor form."""


class _Given(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class Since(_Given):
    """Where a client's copy of a channel stands: members of the last event it has."""

    epoch: Annotated[str, Field(max_length=64)]
    seq: Annotated[int, Field(ge=0, lt=2**53)]


class ChannelRequest(_Given):
    """A channel with its particulars."""

    channel: str
    terminal: str | None = None
    """May be left out, since a token is for one terminal."""
    snapshot: bool = True
    """False: begin with the next change, unless ``since`` is not recovered."""
    since: Since | None = None
    """Go on after this event, if what came since is still there."""


class VendorRequest(_Given):
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
class Wanted:
    """A channel that was asked for and understood."""

    channel: Channel
    snapshot: bool = True
    since: Since | None = None


def read_items(items: Sequence[Item], terminal: str) -> tuple[list[Wanted], list[NotSubscribed]]:
    """Read what was asked for; an item that makes no sense does not spoil the others.

    Args:
        terminal: the one that the caller's token is for.

    """
    wanted: list[Wanted] = []
    failed: list[NotSubscribed] = []
    for given, read in _each(items, terminal):
        try:
            wanted.append(read())
        except GatewayError as error:
            failed.append(refusal(given, error))
    return wanted, failed


def refusal(given: str, error: GatewayError) -> NotSubscribed:
    """Return how a caller is told that a channel failed."""
    return {
        "channel": given,
        "code": error.code,
        "name": error.name(),
        "message": error.message,
        "did_you_mean": list(error.data.get("did_you_mean", ())),
    }


def _each(items: Sequence[Item], terminal: str) -> Iterator[tuple[str, Callable[[], Wanted]]]:
    for item in items:
        if isinstance(item, str):
            yield item[:MAX_NAME], partial(_read_name, item)
        elif isinstance(item, ChannelRequest):
            yield item.channel[:MAX_NAME], partial(_read_request, item, terminal)
        else:
            for symbol in item.symbols:
                yield item.describe(symbol), partial(_read_vendor, item, symbol)


def _read_name(name: str) -> Wanted:
    return Wanted(parse_channel(name))


def _read_request(item: ChannelRequest, terminal: str) -> Wanted:
    if item.terminal not in (None, terminal):
        raise TerminalNotFound(terminal=item.terminal, terminals=[terminal])
    return Wanted(parse_channel(item.channel), item.snapshot, item.since)


def _read_vendor(item: VendorRequest, symbol: str | None) -> Wanted:
    return Wanted(vendor_channel(item.type, symbol, item.timeframe))


def compare(
    at: Mark, since: Since | None
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
