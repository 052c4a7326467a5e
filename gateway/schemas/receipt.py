"""Receipts of trade requests, results of checks, and records of requests by their id."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypeAliasType, TypedDict

from .enums import OrderFilling, OrderState, OrderType, Side, shape
from .trade import Order, Position

OrderStage = TypeAliasType(
    "OrderStage",
    Literal["received", "journaled", "sent", "acked", "done", "rejected", "unknown", "not_sent"],
)
"""``received``: nothing is on the disk yet; ``journaled``: it is, and may be sent now; ``sent``:
the command was written to the terminal; ``acked``: the terminal has taken it."""
SettledOutcome = TypeAliasType("SettledOutcome", Literal["done", "rejected"])
RecordOutcome = TypeAliasType(
    "RecordOutcome", Literal["pending", "done", "rejected", "not_sent", "unknown"]
)
OutcomeState = TypeAliasType("OutcomeState", OrderState | Literal["not_sent"])
NormalizedField = TypeAliasType(
    "NormalizedField", Literal["volume", "price", "sl", "tp", "stoplimit"]
)


@shape
class SentCommand(TypedDict):
    """One command that was sent to the terminal for the request. Times are null if not known."""

    command_id: int
    state: OrderStage
    symbol: str
    type: OrderType | None
    """Null when a position's stops were changed."""
    volume: float | None
    comment: str
    """As sent, with the gateway's tag."""
    time_created: int
    time_written: int | None
    time_ended: int | None
    retcode: int | None
    retcode_name: str | None
    order: int | None
    """Ticket, once it is known."""
    deal: int | None
    position: int | None


@shape
class OrderError(TypedDict):
    """The error that the request was answered with."""

    code: int
    message: str
    data: dict[str, Any]


@shape
class OrderSettlement(TypedDict):
    """Outcome that a person has given to a request whose outcome was unknown."""

    by: str
    """``token`` and its public id."""
    outcome: SettledOutcome
    ticket: int | None
    """Of the order that is said to be this one's."""
    checked: bool
    """The terminal has shown that order, and it is of the kind that was asked for."""
    note: str
    """For people: what was looked at, and what was not."""
    time: int
    time_contradicted: int | None
    """When the terminal has said otherwise since, and that counts; null: it has not."""


@shape
class OrderNow(TypedDict):
    """Present state, at the terminal, of what the request made or touched."""

    orders: list[Order]
    """Pending."""
    positions: list[Position]
    past_orders: list[Order]


@shape
class OrderRecord(TypedDict):
    """One request that could change the account, and what became of it."""

    client_order_id: str
    terminal: str
    paper: bool
    """True: its commands went to the paper broker, and no market has seen them."""
    method: str | None
    """Null for what the gateway did by itself."""
    params: dict[str, Any]
    """Those that differ from their defaults."""
    state: OrderStage
    outcome: RecordOutcome
    """``pending``: being carried out right now. ``not_sent``: nothing happened, and the id is
    free. ``unknown``: it may have been executed; the gateway goes on looking."""
    reconciled: bool
    """Its end was not answered by the terminal in time but found there later."""
    time_created: int
    time_updated: int
    sends: list[SentCommand]
    result: dict[str, Any] | None
    """What the request was answered with: an ``OrderReceipt`` for orders."""
    error: OrderError | None
    settlement: OrderSettlement | None
    """Null: nobody has settled it by hand."""
    now: OrderNow | None
    """Null while the terminal is offline, where no ticket is known, and while paper trading is
    switched otherwise than it was for the request."""


@shape
class Filling(TypedDict):
    """The filling mode of a request."""

    chosen: OrderFilling
    """The one in force."""
    tried: list[OrderFilling]
    """All that were sent, in order: a second one only after the broker refused the first as
    unsupported (10030), and only when the caller named none."""


@shape
class CheckResult(TypedDict):
    """The account as it would be after the request: MetaTrader's ``OrderCheck``."""

    passes: bool
    """The request would be accepted, as far as the terminal can tell."""
    retcode: int
    """0 if it would pass, else the ``TRADE_RETCODE_*`` of the refusal."""
    retcode_name: str | None
    """``TRADE_RETCODE_NO_MONEY``; null if it would pass."""
    balance: float | None
    """This and the other sums are null where the terminal did not compute them."""
    equity: float | None
    profit: float | None
    margin: float | None
    margin_free: float | None
    margin_level: float | None
    comment: str
    error: OrderError | None
    """The error that ``place_order`` would meet; null if the request would pass."""


@shape
class OrderOutcome(TypedDict):
    """The order as the broker took it. Ids that this request did not make or touch are null."""

    order: int | None
    """Ticket of the order."""
    deal: int | None
    """Ticket of the deal, when something was filled."""
    position: int | None
    """The position that was opened, changed or closed."""
    client_order_id: str
    """Yours, or the one that the gateway made."""
    emulated: bool
    """True: the platform has no such order (stop-limit on MetaTrader 4), so the gateway keeps it,
    and sends a limit order when its price is reached. Only while it runs and is linked."""
    symbol: str
    """As the broker names it."""
    symbol_requested: str | None
    """As you named it; null where you named none."""
    side: Side | None
    """Buy or sell; null for a ``close_by``."""
    type: OrderType | None
    """Null when a position's stops were changed."""
    state: OutcomeState | None
    """``filled``, ``partial``, ``placed``, ``canceled``; ``not_sent`` if only validated; null when
    a position's stops were changed."""
    volume: float | None
    """As asked for."""
    filled_volume: float
    """As filled by this request."""
    price: float | None
    """The price asked for; null at market."""
    avg_price: float | None
    """Where it was filled; null where nothing was, or the terminal does not know yet."""
    sl: float | None
    tp: float | None
    magic: int
    comment: str
    """As sent: the gateway's tag (``g`` and 9 characters), then yours, cut to fit. Brokers may
    overwrite it."""
    bid: float | None
    """The market when the broker answered, if it said."""
    ask: float | None
    retcode: int
    """10008 placed, 10009 done, 10010 partially done, 10025 nothing to change; 0 if not sent."""
    retcode_name: str | None
    """``TRADE_RETCODE_DONE``."""
    retcode_external: int
    request_id: int
    time: int
    """When the gateway had the answer, UTC milliseconds."""


@shape
class Timing(TypedDict):
    """Milliseconds that each step took."""

    queue: float
    """From the call's arrival until the command was written to the terminal."""
    terminal: float
    """From there until its result came."""


@shape
class OrderReceipt(TypedDict):
    """The answer to everything that trades."""

    sent: bool
    """False with ``validate_only``: nothing was sent, ``check`` says how it would end. False as
    well of an order that the gateway keeps itself: ``order.emulated`` is true then."""
    duplicate: bool
    """True where this is the answer of an earlier call with the same ``client_order_id``: nothing
    was sent again."""
    paper: bool
    """True: it was filled on paper, at the terminal's prices, and nothing reached the market."""
    changed: bool
    """False when there was nothing to change (10025), and with ``validate_only``."""
    order: OrderOutcome
    filling: Filling | None
    """Null where no filling mode applies: pending changes, MetaTrader 4."""
    normalized: list[NormalizedField]
    """What ``normalize: true`` moved onto the symbol's grid."""
    check: CheckResult | None
    """With ``validate_only``, where the terminal has ``OrderCheck``."""
    timing_ms: Timing
    unavailable: list[str]
    """What this platform does not tell of a trade; empty on MetaTrader 5."""


@shape
class Margin(TypedDict):
    """Margin that a trade would need, in the account's currency."""

    margin: float
    currency: str


@shape
class Profit(TypedDict):
    """Profit that a trade would bring, in the account's currency."""

    profit: float
    currency: str
