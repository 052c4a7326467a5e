"""Params of orders, and the requests of :mod:`gateway.trading` made from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field

from ea_bridge.model import OrderFilling, OrderTime, OrderType
from gateway import schemas as shapes
from gateway.errors import InvalidParams
from gateway.rpc.catalogue import Call, ParamGroup
from gateway.trading.requests import (
    DEFAULT_DEVIATION,
    Deadline,
    ExecutionOptions,
    OrderRequest,
    new_client_order_id,
    tag,
)

from .params import (
    Comment,
    FillingParam,
    LifetimeParam,
    Magic,
    OrderTypeParam,
    Points,
    Price,
    SideParam,
    Symbol,
    Time,
    Volume,
)

KINDS = frozenset({"market", "limit", "stop", "stop_limit"})


_Side = Annotated[
    SideParam | None, Field(description="With `type` market, limit, stop, stop_limit.")
]
_Type = Annotated[
    OrderTypeParam,
    Field(
        description="Either `market`, `limit`, `stop`, `stop_limit` beside `side`, or both in one "
        "word: `buy`, `sell_limit`. In any case, also `ORDER_TYPE_BUY` and MetaTrader's number."
    ),
]
_OrderPrice = Annotated[
    Price | None,
    Field(
        description="Where a pending order waits. At market it may be left out: it is the price "
        "that `deviation` counts from, where the broker executes instantly."
    ),
]
_Sl = Annotated[Price | None, Field(description="Stop loss, a price. 0 is read as null: none.")]
_Tp = Annotated[Price | None, Field(description="Take profit, a price. 0 is read as null: none.")]
_Stoplimit = Annotated[
    Price | None, Field(description="Of a stop-limit order: the limit that `price` triggers.")
]
_Filling = Annotated[
    FillingParam | None, Field(description="Filling mode; chosen from the symbol's if absent.")
]
_Lifetime = Annotated[
    LifetimeParam | None,
    Field(
        description="How long a pending order lives; `gtc`, or until `expiration`, if absent. "
        "MetaTrader 4 has `gtc` and `specified` alone."
    ),
]
_Expiration = Annotated[
    Time | None, Field(description="With `type_time` specified or specified_day, or alone.")
]
_Deviation = Annotated[Points | None, Field(description="In points; 20 if absent.")]
_MaxDeviation = Annotated[Points | None, Field(description="Another name of `deviation`.")]


class OrderParams(ParamGroup):
    """Params of a new order, the same for ``place_order`` and ``order_check``."""

    symbol: Symbol
    side: _Side = None
    type: _Type = "market"
    volume: Volume
    price: _OrderPrice = None
    sl: _Sl = None
    tp: _Tp = None
    stoplimit: _Stoplimit = None
    deviation: _Deviation = None
    max_deviation_points: _MaxDeviation = None
    magic: Magic = 0
    comment: Comment = ""
    type_filling: _Filling = None
    type_time: _Lifetime = None
    expiration: _Expiration = None

    def request(self) -> OrderRequest:
        """Return the order that the params describe; prices of 0 mean none.

        Raises:
            InvalidParams: two of them contradict each other.

        """
        return OrderRequest(
            symbol=self.symbol,
            type=order_type_of(self.type, self.side),
            volume=self.volume,
            price=self.price or None,
            sl=self.sl or None,
            tp=self.tp or None,
            stoplimit=self.stoplimit or None,
            deviation=deviation_of(self.deviation, self.max_deviation_points),
            magic=self.magic,
            comment=self.comment,
            filling=filling_of(self.type_filling),
            lifetime=lifetime_of(self.type_time),
            expiration_ms=self.expiration,
        )


def options_of(
    call: Call,
    client_order_id: str | None,
    ttl_ms: int | None,
    deadline_ms: int | None,
    *,
    normalize: bool = False,
    validate_only: bool = False,
) -> ExecutionOptions:
    """Return how a trade shall be handled; makes the id that the caller did not."""
    now_ms = call.daemon.now_ms
    return ExecutionOptions(
        client_order_id=client_order_id or new_client_order_id(now_ms()),
        deadline=Deadline.of(now_ms, ttl_ms, deadline_ms),
        tid=call.caller.tid,
        normalize=normalize,
        validate_only=validate_only,
    )


@contextmanager
def noted_placing(call: Call, how: ExecutionOptions) -> Iterator[None]:
    """Note whose order this is, before it is sent: its connection may be lost meanwhile. It is
    under way while the context lasts.

    A call that repeats an earlier one is answered by the journal, and does not come here.
    """
    terminal, told = call.terminal, call.terminal.hello
    if told is None or how.validate_only:
        yield
        return
    # by its tag: the broker's number is known only with the answer
    mark = tag(told.login, told.server, how.client_order_id)
    disconnects = call.safeguards.disconnects
    with how.before_sending():
        disconnects.placing(call.listener, terminal.name, mark)
    try:
        yield
    finally:
        disconnects.settled(call.listener, mark)


def note_placed(call: Call, receipt: shapes.OrderReceipt) -> None:
    """Note under which numbers the broker has it: brokers rewrite comments."""
    terminal = call.terminal
    if call.listener is not None:
        for ticket in (receipt["order"]["order"], receipt["order"]["position"]):
            if ticket is not None:
                call.safeguards.disconnects.placed(call.listener, terminal.account, ticket)


def note_left(call: Call, receipt: shapes.OrderReceipt, closed: int) -> None:
    """Note under which ticket the rest of a position that was closed in part goes on."""
    rest = receipt["order"]["position"]
    if receipt["sent"] and rest not in (None, closed):
        call.safeguards.disconnects.left(call.terminal.account, closed, rest)


def order_type_of(kind: str, side: str | None) -> OrderType:
    """Put ``type`` and ``side`` together.

    Raises:
        InvalidParams: ``side`` is missing, or says the opposite of ``type``.

    """
    if kind not in KINDS:
        if side is not None and not kind.startswith(side):
            raise _fault("side", f"contradicts type {kind}")
        return OrderType[kind.upper()]
    if side is None:
        raise _fault("side", f"needed with type {kind}")
    return OrderType[side.upper() if kind == "market" else f"{side}_{kind}".upper()]


def side_of(side: str | None, type_: str | None) -> OrderType:
    """Read a direction that has two names.

    Raises:
        InvalidParams: it was given under neither, or under both and differently.

    """
    if side is None and type_ is None:
        raise _fault("side", "needed")
    if side is not None and type_ is not None and side != type_:
        raise _fault("side", f"contradicts type {type_}")
    return OrderType[(side or type_ or "").upper()]


def deviation_of(deviation: int | None, max_deviation_points: int | None) -> int:
    """Read the deviation, which has two names.

    Raises:
        InvalidParams: it was given under both, and differently.

    """
    # the same number under both names contradicts nothing
    given = [points for points in (deviation, max_deviation_points) if points is not None]
    if len(set(given)) > 1:
        raise _fault("max_deviation_points", "contradicts deviation")
    return given[0] if given else DEFAULT_DEVIATION


def filling_of(word: str | None) -> OrderFilling | None:
    """Return MetaTrader's filling mode."""
    return None if word is None else OrderFilling[word.upper()]


def lifetime_of(word: str | None) -> OrderTime | None:
    """Return MetaTrader's lifetime."""
    return None if word is None else OrderTime[word.upper()]


def _fault(field: str, reason: str) -> InvalidParams:
    return InvalidParams(errors=[{"field": field, "reason": reason}])
