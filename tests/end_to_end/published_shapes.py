"""What results and events must look like: as they are documented, with nothing beside it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from gateway import schemas as shapes
from gateway.app import build_catalogue
from gateway.rpc.catalogue import result_adapter

CATALOGUE = build_catalogue()
Json = dict[str, Any]


@cache
def _shape(method: str) -> TypeAdapter[Any]:
    return result_adapter(CATALOGUE[method])


def check_result(method: str, result: Any) -> None:
    """Fail unless a result has the shape that its method documents, with nothing beside it."""
    if method in CATALOGUE:
        _shape(method).validate_json(json.dumps(result))


EVENT_SHAPES: dict[str, tuple[Any, Any]] = {
    "tick": (shapes.Tick, shapes.Tick),
    "book": (shapes.Book, shapes.Book),
    "bar": (shapes.BarEvent, shapes.BarEvent),
    "orders": (shapes.OrdersSnapshot, shapes.OrderEvent | shapes.OrderSettled),
    "positions": (shapes.PositionsSnapshot, shapes.PositionEvent),
    "deals": (shapes.DealEvent, shapes.DealEvent),
    "pnl": (shapes.PnlEvent, shapes.PnlEvent),
    "account": (shapes.AccountEvent, shapes.AccountEvent),
    "terminal": (shapes.TerminalEvent, shapes.TerminalEvent | shapes.KillSwitchEvent),
    "heartbeat": (shapes.HeartbeatEvent, shapes.HeartbeatEvent),
}
"""Of each topic: the ``data`` of a snapshot, and of an update."""
ENVELOPE = {"channel", "terminal", "epoch", "seq", "type", "ts", "data"}


@cache
def _event_shape(topic: str, is_snapshot: bool) -> TypeAdapter[Any]:
    snapshot, update = EVENT_SHAPES[topic]
    return TypeAdapter(snapshot if is_snapshot else update)


def check_event(event: Json) -> None:
    """Fail unless an event has the documented envelope, and its channel's ``data``."""
    assert set(event) == ENVELOPE
    assert isinstance(event["seq"], int)
    if event["type"] in ("snapshot", "update"):
        topic = event["channel"].partition(":")[0].partition(".")[0]
        shape = _event_shape(topic, event["type"] == "snapshot")
        shape.validate_json(json.dumps(event["data"]))
    else:
        assert event["type"] in ("gap", "end")
