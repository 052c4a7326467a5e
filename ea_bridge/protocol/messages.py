"""Every message that crosses the wire, one frozen struct each. Don't subclass these.

The tag ``t`` comes first. Unknown fields are ignored, so that a newer peer can be understood;
what a message *must* have is required here, so that a lying one cannot.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ea_bridge.model import Account, BookEntry, Deal, Order, Position
from ea_bridge.model.market import Bar


class _Message(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=str.lower
):
    pass


# --- the handshake -----------------------------------------------------------------------


class Hello(_Message, frozen=True):
    """EA: who I am. ``proto`` is the span of versions spoken, ``"1-1"``."""

    proto: str
    tid: str
    cnonce: str
    boot: str
    """Random, new with each start of the EA: another one means its memory is gone."""
    platform: str
    """``mt4`` or ``mt5``."""
    login: int
    server: str
    ea: str = ""
    build: int = 0
    company: str = ""
    currency: str = ""
    mode: str = ""
    """``hedging``, ``netting`` or ``exchange``."""
    trade: str = ""
    """``demo``, ``contest`` or ``real``."""
    caps: str = ""
    """Capabilities, comma-separated: ``ticks,book,deals,check,lease``."""
    q: int = 0
    """Number of the last event that the EA made."""
    link: str = "ea"


class Challenge(_Message, frozen=True):
    """Daemon: here is my proof that I know the token's server key; now yours."""

    proto: int
    snonce: str
    device: str
    proof: str


class Auth(_Message, frozen=True):
    """EA: your proof was right, here is mine."""

    proof: str


class Welcome(_Message, frozen=True):
    """Daemon: the link is live."""

    session: str
    hb_ms: int
    dead_ms: int
    ack: int
    """The last event the daemon has; the EA sends again what came after it."""
    window: int
    time: int


class Pending(_Message, frozen=True):
    """Daemon: this machine waits for approval; stay connected."""

    user_code: str
    url: str
    expires_s: int


class Denied(_Message, frozen=True):
    """Daemon: no. ``code`` is one of :data:`DENIALS`."""

    code: str
    reason: str
    retry_ms: int


DENIALS = ("unknown", "expired", "revoked", "account_disabled", "proof", "proto", "busy")


# --- commands ----------------------------------------------------------------------------


class Cmd(_Message, frozen=True):
    """Daemon: do this. The params of the command lie flat beside these members."""

    id: int
    op: str
    ttl: int = 0
    """Milliseconds for which it is worth doing; 0 means always."""


class Ack(_Message, frozen=True):
    """EA: taken, about to be executed. Sent for commands that trade."""

    id: int


class Res(_Message, frozen=True):
    """EA: the answer, or one part of it: parts count from 0 and all but the last say so."""

    id: int
    ok: bool
    d: Raw = Raw(b"null")
    part: int = 0
    last: bool = True
    err: int = 0
    """An MQL run-time error, or 0."""
    retcode: int = 0
    msg: str = ""


# --- events, counted by ``q`` --------------------------------------------------------------


class Ticks(_Message, frozen=True):
    """EA: ticks as ``[sym, time_msc, "bid", "ask", last, volume, flags]``.

    ``sym`` is the index from the ``watch`` answer. Prices are text with the symbol's digits, so
    that they reach the client as the terminal wrote them.
    """

    d: list[tuple[int, int, str, str, float, int, int]]
    q: int = 0


class Book(_Message, frozen=True):
    """EA: the whole order book of a symbol, best prices first on each side."""

    sym: int
    time_msc: int
    d: list[BookEntry]
    q: int = 0


class BarEvent(_Message, frozen=True, tag="bar"):
    """EA: the forming bar (``closed`` false), or one that has just closed."""

    sym: int
    timeframe: int
    d: Bar
    closed: bool = False
    q: int = 0


class Trade(_Message, frozen=True):
    """EA: an order, a position or a deal changed; the one that did, whole.

    ``op`` is ``add``, ``change`` or ``remove``. An order that leaves the book is sent with its
    final state and ``remove``; a deal is only ever added.
    """

    op: str
    q: int
    time_msc: int = 0
    order: Order | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    deal: Deal | UnsetType = UNSET


class AccountEvent(_Message, frozen=True, tag="account"):
    """EA: balance, equity or margin changed."""

    d: Account
    q: int = 0


class Pnl(_Message, frozen=True):
    """EA: floating result of the open positions: ``[ticket, price_current, swap, profit]``."""

    d: list[tuple[int, float, float, float]]
    q: int = 0


class State(_Message, frozen=True):
    """EA: a switch was turned; absent means unchanged."""

    broker: bool | None = None
    autotrading: bool | None = None
    trade_allowed: bool | None = None
    q: int = 0


class Lost(_Message, frozen=True):
    """EA: events from ``start`` on are gone; take a snapshot and begin a new epoch."""

    start: int = msgspec.field(name="from")


# --- either side -------------------------------------------------------------------------


class Hb(_Message, frozen=True):
    """Either: I am alive. ``tcur`` and ``tgmt`` let the daemon learn the broker's offset.

    The daemon's says which events it has (``ack``) and how long the EA may act alone; the
    EA's echoes the daemon's ``n``, so that the round trip can be measured.
    """

    q: int = 0
    ack: int = 0
    n: int = 0
    broker: bool = True
    autotrading: bool = True
    backlog: int = 0
    tcur: int = 0
    tgmt: int = 0
    lease_ms: int = 0


class Bye(_Message, frozen=True):
    """Either: last words. ``replaced``, ``shutdown``, ``revoked`` or ``account_changed``."""

    code: str


Message = (
    Hello
    | Challenge
    | Auth
    | Welcome
    | Pending
    | Denied
    | Cmd
    | Ack
    | Res
    | Ticks
    | Book
    | BarEvent
    | Trade
    | AccountEvent
    | Pnl
    | State
    | Lost
    | Hb
    | Bye
)
