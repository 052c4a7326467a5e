"""Every message that crosses the wire, one frozen struct each. Don't subclass these.

The tag ``t`` comes first. Unknown fields are ignored, so that a newer peer can be understood;
what a message *must* have is required here, so that a lying one cannot.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from ea_bridge.model import Account, BookEntry, Deal, Order, Position
from ea_bridge.model.market import Bar
from ea_bridge.model.struct import Integer, Struct, Text

Nonce = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{64}\Z")]
"""32 random bytes, or a proof of 32 bytes, as hexadecimal digits."""
FreeText = Annotated[str, Meta(max_length=128)]
"""A short text that a person reads, of somebody else's choice; longer ones are an attack."""
Label = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""The same, of a program's choice: what would steer a screen or begin a new line of a log is a
fault or an attack, too."""
Counter = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SymbolIndex = Annotated[int, Meta(ge=0, lt=2**31)]
"""Index of a symbol, from the answer to ``watch``."""
TimeMsc = Annotated[int, Meta(ge=0, lt=4_102_444_800_000)]
"""Milliseconds of the broker's wall clock, before the year 2100; 0 where there is none."""
TickTime = Annotated[int, Meta(ge=946_684_800_000, lt=4_102_444_800_000)]
"""Milliseconds of the broker's wall clock, from 2000 to 2099."""


class _Message(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="t", tag=str.lower
):
    pass


# --- the handshake -----------------------------------------------------------------------


class Hello(_Message, frozen=True):
    """EA: who I am. ``proto`` is the span of versions spoken, ``"1-1"``."""

    proto: Annotated[str, Meta(pattern=r"^[0-9]{1,4}-[0-9]{1,4}\Z")]
    tid: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{12}\Z")]
    cnonce: Nonce
    boot: Annotated[str, Meta(min_length=1, max_length=64)]
    """Random, new with each start of the EA: another one means its memory is gone."""
    platform: Annotated[str, Meta(pattern=r"^mt[45]\Z")]
    login: Counter
    """0 while the terminal is logged in nowhere."""
    server: Label
    ea: Label = ""
    build: Counter = 0
    company: FreeText = ""
    currency: Label = ""
    mode: Label = ""
    """``hedging``, ``netting`` or ``exchange``."""
    trade: Label = ""
    """``demo``, ``contest`` or ``real``."""
    caps: Annotated[str, Meta(max_length=512)] = ""
    """Capabilities, comma-separated: ``ticks,book,deals,check,lease``. Each is what a command
    needs (:attr:`ea_bridge.commands.Command.needs`), or :data:`ea_bridge.commands.SURE_ABSENT`.
    """
    q: Counter = 0
    """Number of the last event that the EA made."""
    link: Annotated[str, Meta(pattern=r"^(ea|service)\Z")] = "ea"
    role: Annotated[str, Meta(pattern=r"^(terminal|manager)\Z")] = "terminal"
    """Kind of peer: a terminal (:mod:`ea_bridge.commands`), or a manager peer, beside
    MetaTrader 4's Manager API (:mod:`~.mt4_manager.commands`). A token is for one of them."""
    fp: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    """Fingerprint of the terminal: SHA-256 over its platform, data path, company, login, server
    and a random id that the EA has saved. A label for the person who approves it, not a proof."""


class Challenge(_Message, frozen=True):
    """Daemon: here is my proof that I know the token's server key; now yours."""

    proto: int
    snonce: Nonce
    device: Label
    proof: Nonce


class Auth(_Message, frozen=True):
    """EA: your proof was right, here is mine."""

    proof: Nonce


class Welcome(_Message, frozen=True):
    """Daemon: the link is live."""

    session: str
    hb_ms: int
    dead_ms: int
    ack: Counter
    """The last event the daemon has; the EA sends again what came after it."""
    window: int
    """Most counted events (``q`` above 0) that may be on the way without an ``ack``."""
    time: int
    """The daemon's clock, UTC milliseconds."""
    sent: Counter = 0
    """Time of it by a clock of the daemon that nobody sets; to manager peers alone, as in
    ``Cmd`` and ``Hb``. From it they know how long a command was on its way."""


class Pending(_Message, frozen=True):
    """Daemon: this machine waits for approval; stay connected.

    Said again, with ``error``, when a code was wrong (``wrong_code``) or cannot be checked right
    now (``busy``). What decides it is ``bye: approved`` (dial again at once) or ``denied``.
    """

    user_code: Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,16}\Z")]
    """To be shown; the person types it on the console's page."""
    url: Annotated[str, Meta(pattern=r"^[!-~]{1,512}\Z")]
    """Page on which it is approved. An EA must not open it by itself."""
    expires_s: Annotated[int, Meta(ge=0, le=86_400)]
    error: Annotated[str, Meta(pattern=r"^(|wrong_code|busy)\Z")] = ""
    tries_left: Annotated[int, Meta(ge=0, le=100)] | None = None
    """Of codes; told after a wrong one."""


class Verify(_Message, frozen=True):
    """EA: the code of the mail, typed at the terminal instead of approving on the page."""

    code: Annotated[str, Meta(pattern=r"^[0-9]{8}\Z")]


class Denied(_Message, frozen=True):
    """Daemon: no. ``code`` is one of :data:`DENIALS`."""

    code: str
    reason: str
    retry_ms: int


class Remedy(enum.Enum):
    """Reaction of an EA that is denied."""

    WAIT = "wait"
    """Show it in the log and dial again after ``retry_ms``: that may be all that is needed."""
    ACT = "act"
    """Alert: a person has to do something. Dial again after ``retry_ms`` all the same, to find out
    when that is done; a new start of the EA dials at once."""


DENIALS: Mapping[str, Remedy] = MappingProxyType(
    {
        "busy": Remedy.WAIT,
        "device_pending": Remedy.WAIT,
        "unknown": Remedy.ACT,
        "expired": Remedy.ACT,
        "revoked": Remedy.ACT,
        "account_disabled": Remedy.ACT,
        "device_revoked": Remedy.ACT,
        "refused": Remedy.ACT,
        "proto": Remedy.ACT,
    }
)
"""Reasons for which a terminal is not let in, and the reaction of its EA.

``busy``
    There is no room, or no way to the console right now.
``device_pending``
    Nobody approved this machine in time; the next hello makes a new request, and a new mail.
``unknown``
    The same for a token nobody knows and for a proof that is wrong: the token was mistyped, or
    deleted. Make another.
``expired``, ``revoked``, ``account_disabled``
    The token's time is over, it was withdrawn, its owner may not trade. Make another, or ask.
``device_revoked``
    This machine may not be used any more. Approve it again in the console.
``refused``
    A person said no to this machine.
``proto``
    Daemon and EA speak different versions: update the older one.
"""


# --- commands ----------------------------------------------------------------------------


class Cmd(_Message, frozen=True):
    """Daemon: do this. On the wire the params lie flat beside these members."""

    id: Counter
    op: str
    ttl: Counter = 0
    """Milliseconds for which it is worth doing, since it came, or since ``sent`` where that is
    told; 0 means always."""
    sent: Counter = 0
    params: Struct | UnsetType = UNSET
    """An instance of the command's params. On arrival: unset where ``op`` is not in ``COMMANDS``
    (answer 4014) or the params don't fit it (answer 4003)."""


class Ack(_Message, frozen=True):
    """EA: taken, about to be executed. Sent for commands that trade."""

    id: Counter


class Res(_Message, frozen=True):
    """EA: the answer, or one part of it: parts count from 0, and all but the last carry
    ``last`` false. Each part of a list is a list.
    """

    id: Counter
    ok: bool
    d: Raw = Raw(b"null")
    part: Counter = 0
    last: bool = True
    err: Integer = 0
    """An MQL run-time error, or 0."""
    retcode: Integer = 0
    msg: Text = ""


# --- events --------------------------------------------------------------------------------
#
# An event with a ``q`` above 0 is counted: each one is the last plus 1, the daemon acknowledges it
# and the EA sends it again after a reconnect. One without is not missed when it is lost: ticks
# have their own cursor (``watch``), and a book or an account is followed by a newer one.


class Ticks(_Message, frozen=True):
    """EA: ticks as ``[sym, time_msc, "bid", "ask", last, volume, flags]``.

    ``sym`` is the index from the ``watch`` answer. Prices are text with the symbol's digits, so
    that they reach the client as the terminal wrote them; :mod:`.codec` checks that they are
    plain JSON numbers.
    """

    d: list[tuple[SymbolIndex, TickTime, str, str, float, Counter, Counter]]
    q: Counter = 0


class Book(_Message, frozen=True):
    """EA: the whole order book of a symbol, best prices first on each side."""

    sym: SymbolIndex
    time_msc: TimeMsc
    d: list[BookEntry]
    q: Counter = 0


class BarEvent(_Message, frozen=True, tag="bar"):
    """EA: the forming bar (``closed`` false), or one that has just closed."""

    sym: SymbolIndex
    timeframe: Integer
    d: Bar
    closed: bool = False
    q: Counter = 0


class Trade(_Message, frozen=True):
    """EA: an order, a position or a deal changed; the one that did, whole.

    ``op`` is ``add``, ``change`` or ``remove``. An order that leaves the book is sent with its
    final state and ``remove``; a deal is only ever added.
    """

    op: Annotated[str, Meta(pattern=r"^(add|change|remove)\Z")]
    q: Counter
    time_msc: TimeMsc = 0
    order: Order | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    deal: Deal | UnsetType = UNSET


class AccountEvent(_Message, frozen=True, tag="account"):
    """EA: balance, equity or margin changed."""

    d: Account
    q: Counter = 0


class Pnl(_Message, frozen=True):
    """EA: floating result of the open positions: ``[ticket, price_current, swap, profit]``."""

    d: list[tuple[Integer, float, float, float]]
    q: Counter = 0


class StateEvent(_Message, frozen=True, tag="state"):
    """EA: a switch was turned; absent means unchanged."""

    broker: bool | None = None
    autotrading: bool | None = None
    trade_allowed: bool | None = None
    q: Counter = 0


class Lost(_Message, frozen=True):
    """EA: events from ``start`` on are gone; take a snapshot and begin a new epoch.

    The daemon's own connection says it too, when it meets a gap; ``until`` is then the first
    event that is there again.
    """

    start: Counter = msgspec.field(name="from")
    until: Counter = 0


# --- either side -------------------------------------------------------------------------


class Hb(_Message, frozen=True):
    """Either: I am alive. ``tcur`` and ``tgmt`` let the daemon learn the broker's offset.

    The daemon's says which events it has (``ack``) and how long the EA may act alone. The EA
    answers each at once and echoes its ``n``, so that the round trip can be measured.
    """

    q: Counter = 0
    ack: Counter = 0
    n: Counter = 0
    broker: bool = True
    autotrading: bool = True
    backlog: Counter = 0
    tcur: Counter = 0
    tgmt: Counter = 0
    lease_ms: Counter = 0
    sent: Counter = 0


class Busy(_Message, frozen=True):
    """EA: a call of the terminal comes now that can hold me up for ``ms``: my silence is no end.

    MetaTrader gives an EA one thread, and ``CopyTicks`` waits up to 45 s for ticks that the
    terminal has yet to fetch. Whatever the EA says next ends it.
    """

    ms: Counter


class Bye(_Message, frozen=True):
    """Either: last words.

    The daemon's: ``approved`` (dial again at once), ``replaced``, ``shutdown``, or why the token
    opens nothing any more: ``revoked``, ``expired``, ``account_disabled``, ``device_revoked``,
    ``rights_changed`` (dial again). The EA's: ``shutdown``, ``account_changed``, ``proof`` (the
    daemon's was wrong), ``device`` (it was right, but this is not the daemon that the EA has been
    let in by before).
    """

    code: Label


Event = Ticks | Book | BarEvent | Trade | AccountEvent | Pnl | StateEvent | Lost
"""Messages that a terminal sends without being asked."""

Message = (
    Hello
    | Challenge
    | Auth
    | Welcome
    | Pending
    | Verify
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
    | StateEvent
    | Lost
    | Hb
    | Busy
    | Bye
)
