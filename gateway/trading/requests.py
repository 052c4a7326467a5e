"""Requests of callers, as plain values: orders, changes, closes, and how to carry them out.

Everything else in :mod:`gateway.trading` stands on this module, so it asks no terminal and keeps
nothing. A request passes through it in this order:

==========================  =================================================================
:class:`OrderRequest`,      what a caller wants; prices and volumes as given
:class:`OrderModification`,
:class:`CloseRequest`,
:class:`CloseByRequest`
:class:`ExecutionOptions`   its id and deadline, and how it is to be carried out
:class:`PreparedOrder`      the terminal's request for it, ready to be checked and sent
:class:`ReceiptContext`     the part of a prepared order that the journal keeps for the receipt
==========================  =================================================================

:class:`OrderFilter` selects orders and positions for requests about more than one.

Each request has a *client order id*, the caller's own name for it. It is known before the order
is sent, so it tells orders apart when tickets are not known yet. The terminal gets a short
:func:`tag` of it in the order's comment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from ea_bridge import host
from ea_bridge.model import (
    BUYS,
    Order,
    OrderFilling,
    OrderState,
    OrderTime,
    OrderType,
    Position,
    SymbolInfo,
    TradeRequest,
)
from ea_bridge.model.struct import Struct
from gateway.credentials.lease import Tier
from gateway.errors import DeadlineExceeded, GatewayError, Outcome

from .price_grid import Name

CLIENT_ORDER_ID = r"^[A-Za-z0-9._:-]{1,64}$"
MAX_COMMENT = 31
"""Characters of a comment that MetaTrader keeps."""
TAG_LENGTH = 10

_TAG = re.compile(r"g[A-Z2-7]{9}(?: |\Z)")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RFC_4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_client_order_id(now_ms: int) -> str:
    """Return ``gw-`` and a ULID: 48 bits of time, then 80 random ones; sorts by time."""
    number = (now_ms & (2**48 - 1)) << 80 | host.randbits(80)
    return "gw-" + _base32(number, 26, _CROCKFORD)


def _base32(number: int, length: int, digits: str) -> str:
    """Return the lowest ``length`` digits of a number, the highest of them first."""
    # a list and no generator, which would be resumed once a digit
    return "".join([digits[number >> 5 * place & 31] for place in range(length - 1, -1, -1)])


@lru_cache(maxsize=256)
def tag(login: int, server: str, client_order_id: str) -> str:
    """Return ``g`` and nine base32 characters of SHA-256(login|server|client_order_id).

    A hint for finding the order again, not a proof: brokers may overwrite comments.
    """
    digest = hashlib.sha256(f"{login}|{server}|{client_order_id}".encode()).digest()
    # its first 45 bits, of 256
    return "g" + _base32(int.from_bytes(digest) >> 211, TAG_LENGTH - 1, _RFC_4648)


def is_tagged(comment: str) -> bool:
    """Whether a comment begins with a tag."""
    return _TAG.match(comment) is not None


def tagged_comment(login: int, server: str, client_order_id: str, comment: str) -> str:
    """Return the tag, and the caller's comment cut to the room that is left."""
    return f"{tag(login, server, client_order_id)} {comment}".rstrip()[:MAX_COMMENT].rstrip()


_PART = re.compile(r"(from|to) #([0-9]{1,19})")
"""What MetaTrader 4 makes of the comments of a trade of which a part was closed, and of the rest,
which goes on under another ticket: their volumes are not the command's any more."""


class PartialClose(NamedTuple):
    """Link between two trades on MetaTrader 4 of which one is a part of the other."""

    is_next: bool
    """The other trade goes on where this one ends; otherwise this one comes from it."""
    ticket: int
    """Of the other trade."""


def part_of(comment: str) -> PartialClose | None:
    """Read the comment of a trade on MetaTrader 4; ``None``: it is no part of what it once was."""
    found = _PART.match(comment)
    return None if found is None else PartialClose(found[1] == "to", int(found[2]))


DEFAULT_TTL_MS = 5000
"""Of a trade whose caller names neither ``ttl_ms`` nor ``deadline_ms``."""
SLACK_MS = 1000
"""How far the wall clock, which is set now and then, may lag behind one that only runs on."""
DEFAULT_DEVIATION = 20
"""Points that a price may have moved where the caller does not say how many."""
FIRST_HELD = 2**52
"""Tickets of held orders lie from here on: above any of MetaTrader 4, and exact in JavaScript."""

Keep = Literal["keep"]
Target = Literal["order", "position"]
Action = Literal["cancel_orders", "cancel_and_close"]
"""A sweep of the orders that a filter selects, or of these orders and then the positions."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment, UTC milliseconds; it also remembers when the call arrived.

    A terminal that was frozen must not carry out stale orders when it wakes up.
    """

    at_ms: int
    now_ms: Callable[[], int]
    within_ms: int
    """Its distance when the call arrived: a clock that is put back does not prolong it."""
    arrived_s: float = field(default_factory=host.perf_s)

    @classmethod
    def of(cls, now_ms: Callable[[], int], ttl_ms: int | None, at_ms: int | None) -> Deadline:
        """Return the earlier of now plus ``ttl_ms`` and ``at_ms``; by default 5 s from now."""
        if ttl_ms is None and at_ms is None:
            ttl_ms = DEFAULT_TTL_MS
        arrived_ms = now_ms()
        ends = [] if ttl_ms is None else [arrived_ms + ttl_ms]
        if at_ms is not None:
            ends.append(at_ms)
        return cls(min(ends), now_ms, min(ends) - arrived_ms)

    def passed_ms(self) -> float:
        """Return how long ago the call arrived."""
        return round((host.perf_s() - self.arrived_s) * 1000, 3)

    def remaining_ms(self) -> int:
        """Return what is left, at least 1.

        Raises:
            DeadlineExceeded: nothing is.

        """
        # the wall clock tells the deadline; the running one catches a wall clock that was put back
        left = min(self.at_ms - self.now_ms(), self.within_ms)
        passed_ms = (host.perf_s() - self.arrived_s) * 1000
        if left <= 0 or passed_ms >= self.within_ms + SLACK_MS:
            raise self.exceeded()
        return left

    def exceeded(self) -> DeadlineExceeded:
        """Return the error that says how late it is."""
        return DeadlineExceeded(outcome="not_sent", late_ms=max(0, self.now_ms() - self.at_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionOptions:
    """The id, the deadline and the wishes that go with every trade."""

    client_order_id: str
    deadline: Deadline
    validate_only: bool = False
    """Check, and send nothing."""
    tid: str = ""
    """The token in whose name it is; of an order that is sent later, by the gateway itself."""
    normalize: bool = False
    """Move numbers onto the symbol's grid instead of refusing them."""

    def before_sending(self) -> BeforeSending:
        """Mark the errors of everything that comes before a request is sent: nothing was sent,
        and for which id.
        """
        return BeforeSending(self.client_order_id)


@dataclass(frozen=True, slots=True)
class BeforeSending:
    """Context of :meth:`ExecutionOptions.before_sending`; no generator, since an order enters
    several.
    """

    client_order_id: str

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Mark the error that ends it, if there is one."""
        if isinstance(error, GatewayError):
            with_outcome(error, self.client_order_id, "not_sent")


def with_outcome(error: GatewayError, client_order_id: str, outcome: Outcome) -> GatewayError:
    """Return the error of a trade with its outcome and id; what it says already stays."""
    error.data.setdefault("outcome", outcome)
    error.data.setdefault("client_order_id", client_order_id)
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A new order as a caller wants it. Prices and volume as given, not yet on the grid."""

    symbol: str
    type: OrderType
    volume: Decimal
    price: Decimal | None = None
    stoplimit: Decimal | None = None
    sl: Decimal | None = None
    tp: Decimal | None = None
    magic: int = 0
    comment: str = ""
    deviation: int = DEFAULT_DEVIATION
    filling: OrderFilling | None = None
    """``None``: what the symbol allows."""
    lifetime: OrderTime | None = None
    """``None``: until cancelled, or until ``expiration``."""
    expiration_ms: int | None = None
    """UTC milliseconds."""
    position: int | None = None
    """The position to close."""
    closable: Decimal | None = None
    """The open volume of that position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderModification:
    """New values of an order or a position: ``None`` removes, ``"keep"`` leaves it as it is."""

    ticket: int
    target: Target | None = None
    """``None``: the pending order with that ticket, or else the position."""
    price: Decimal | None = None
    """``None`` leaves it, since an order cannot be without."""
    stoplimit: Decimal | None = None
    sl: Decimal | Keep | None = "keep"
    tp: Decimal | Keep | None = "keep"
    lifetime: OrderTime | None = None
    expiration_ms: int | None = None

    @property
    def of_order_alone(self) -> list[str]:
        """The given values that only a pending order has."""
        given = {
            "price": self.price,
            "stoplimit": self.stoplimit,
            "type_time": self.lifetime,
            "expiration": self.expiration_ms,
        }
        return [name for name, value in given.items() if value is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequest:
    """A position to close at market, all of it or a part."""

    ticket: int
    volume: Decimal | None = None
    """``None``: all of it."""
    deviation: int = DEFAULT_DEVIATION
    filling: OrderFilling | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseByRequest:
    """A position to close by an opposite one of the same symbol."""

    ticket: int
    by: int
    comment: str = ""


class ReceiptContext(Struct, frozen=True, kw_only=True):
    """Facts for a receipt beside those of the request and its result; the journal keeps them.

    ``state`` is an :class:`~ea_bridge.model.OrderState`, ``tried`` are filling modes, ``moved``
    the numbers that were put onto the grid. ``closes`` is the identifier of the position that it
    is to close, which orders and deals have, while its ticket may change. ``broker_ms`` is
    the broker's clock at the moment when the command was made, and ``least_ms`` what it showed at
    the least, by a quote of the minute before. ``boot`` is the start of the EA
    that it was for (``hello.boot``). ``day`` is the broker's day for which limits
    count a new order, in days since 1970.
    """

    position: int | None = None
    closes: int | None = None
    state: int | None = None
    price: float | None = None
    moved: tuple[str, ...] = ()
    tried: tuple[int, ...] = ()
    symbol_requested: str | None = None
    broker_ms: int | None = None
    least_ms: int | None = None
    boot: str | None = None
    day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOrder:
    """A request that is ready to be sent, with everything that its receipt has to say of it."""

    request: TradeRequest
    options: ExecutionOptions
    position: int | None = None
    """The position that it is about, if that is known before."""
    closes: int | None = None
    """The identifier of the position that it is to close."""
    state: OrderState | None = None
    """Of the order, when the request has been carried out; ``None``: there is no order, or the
    answer tells."""
    price: float | None = None
    """Asked for by the caller."""
    tier: Tier = Tier.FULL
    """Needed of its caller."""
    symbol: SymbolInfo | None = None
    """As the terminal said it a moment ago."""
    symbol_requested: str | None = None
    """As the caller named it."""
    changes: Position | Order | None = None
    """The order or position that it changes, as it is before."""
    fillings: Sequence[OrderFilling] = ()
    """Modes to try in turn, where the caller named none."""
    tried: Sequence[int] = ()
    """Modes that the broker has refused."""
    moved: list[Name] = field(default_factory=list)

    @property
    def context(self) -> ReceiptContext:
        """The part that the journal keeps beside the request."""
        return ReceiptContext(
            position=self.position,
            closes=self.closes,
            state=None if self.state is None else int(self.state),
            price=self.price,
            moved=tuple(self.moved),
            tried=tuple(int(filling) for filling in self.tried),
            symbol_requested=self.symbol_requested,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """A selection of orders and positions; by default all, by whomever they were made."""

    symbol: str | None = None
    magic: int | None = None
    side: Literal["buy", "sell"] | None = None
    tags: Collection[str] | None = None
    """Of the comments of those that are meant; see :func:`tag`."""
    tickets: Collection[int] = ()
    """Beside those with one of the tags."""
    other_tags: Collection[str] | None = None
    """Not ``None``: beside those all that came through a gateway, as far as their comment tells,
    but those with one of these tags."""

    def matches(self, item: Order | Position) -> bool:
        """Whether an order or a position is selected."""
        side = "buy" if item.type in BUYS else "sell"
        return (
            self.symbol in (None, item.symbol)
            and self.magic in (None, item.magic)
            and self.side in (None, side)
            and (self.tags is None or self._is_known(item))
        )

    def _is_known(self, item: Order | Position) -> bool:
        own = {item.ticket, item.identifier} if isinstance(item, Position) else {item.ticket}
        part = part_of(item.comment)
        if part is not None and not part.is_next:
            own.add(part.ticket)  # what is left of a trade has another ticket on MetaTrader 4
        first_word = item.comment.partition(" ")[0]
        if any(number in self.tickets for number in own) or (
            first_word and first_word in (self.tags or ())
        ):
            return True
        others = self.other_tags
        return others is not None and is_tagged(item.comment) and first_word not in others
