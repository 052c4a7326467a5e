"""From the params of the trading methods to what :mod:`gateway.trading` understands."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import OrderFilling, OrderTime, OrderType
from gateway import schemas as shapes
from gateway.errors import InvalidParams
from gateway.rpc.catalogue import Call
from gateway.trading.client_ids import new_client_order_id, tag
from gateway.trading.requests import DEFAULT_DEVIATION, Deadline, ExecutionOptions, OrderRequest

KINDS = frozenset({"market", "limit", "stop", "stop_limit"})


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


def note_placing(call: Call, how: ExecutionOptions) -> None:
    """Note whose order this is, before it is sent: its connection may be lost meanwhile.

    A call that repeats an earlier one is answered by the journal, and does not come here.
    """
    terminal, told = call.terminal, call.terminal.hello
    if told is not None and not how.validate_only:
        mark = tag(told.login, told.server, how.client_order_id)
        call.safeguards.disconnects.placing(call.listener, terminal.name, mark)


def note_placed(call: Call, receipt: shapes.OrderReceipt) -> None:
    """Note under which numbers the broker has it: brokers rewrite comments."""
    terminal = call.terminal
    if call.listener is not None:
        for ticket in (receipt["order"]["order"], receipt["order"]["position"]):
            if ticket is not None:
                call.safeguards.disconnects.placed(call.listener, terminal.account, ticket)


def new_order(
    *,
    symbol: str,
    side: str | None,
    type_: str,
    volume: Decimal,
    price: Decimal | None,
    sl: Decimal | None,
    tp: Decimal | None,
    stoplimit: Decimal | None,
    deviation: tuple[int | None, int | None],
    magic: int,
    comment: str,
    filling: str | None,
    lifetime: str | None,
    expiration: int | None,
) -> OrderRequest:
    """Return the order that the params describe; prices of 0 mean none."""
    return OrderRequest(
        symbol=symbol,
        type=order_type_of(type_, side),
        volume=volume,
        price=price or None,
        sl=sl or None,
        tp=tp or None,
        stoplimit=stoplimit or None,
        deviation=deviation_of(*deviation),
        magic=magic,
        comment=comment,
        filling=filling_of(filling),
        lifetime=lifetime_of(lifetime),
        expiration_ms=expiration,
    )


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
    given = [one for one in (deviation, max_deviation_points) if one is not None]
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
