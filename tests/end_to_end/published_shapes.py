"""What results and events must look like: as they are documented, with nothing beside it."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from gateway import schemas as shapes
from gateway.app import build_catalogue
from gateway.rpc.catalogue import shape_adapter
from gateway.streams.channels import FORMS, parse_channel

CATALOGUE = build_catalogue()
VENDOR_METHODS = frozenset(
    {
        "get_account_info",
        "get_account_balance",
        "get_terminal_info",
        "get_server_time",
        "get_ea_status",
        "get_symbols",
        "get_symbol_info",
        "get_ohlc",
        "get_history_prices",
        "get_history_ticks",
        "get_positions",
        "get_orders",
        "get_order_info",
        "place_order",
        "modify_order",
        "cancel_order",
        "close_position",
        "get_history_orders",
        "get_subscriptions",
        "subscribe",
        "unsubscribe",
    }
)
"""What the vendor's programs call."""
Json = dict[str, Any]


def check_result(method: str, result: Any) -> None:
    """Fail unless a result has the shape that its method documents, with nothing beside it."""
    if method in CATALOGUE:
        shape_adapter(CATALOGUE[method].result).validate_json(json.dumps(result))


ENVELOPE = set(shapes.EventParams.__annotations__)
OTHERS = {"gap": shapes.Gap, "end": shapes.ChannelEnd}


@cache
def _event_shape(channel: str, kind: str) -> TypeAdapter[Any]:
    form = next(form for form in FORMS if _form(form.example) == _form(channel))
    shape = {"snapshot": form.snapshot, "update": form.update, **OTHERS}[kind]
    assert shape is not None, f"{channel} has no {kind}"
    assert kind != "gap" or form.gaps
    assert kind != "end" or form.ends
    return shape_adapter(shape)


def _form(name: str) -> tuple[str, str]:
    """Return what two channels of one form have in common: the topic, and the kind of option."""
    channel = parse_channel(name)
    return channel.topic, re.sub("[0-9]+", "0", channel.option) if channel.topic != "bar" else ""


def check_event(event: Json) -> None:
    """Fail unless an event has the documented envelope, and its channel's ``data``."""
    assert set(event) == ENVELOPE
    assert isinstance(event["seq"], int)
    shape = _event_shape(event["channel"], event["type"])
    shape.validate_json(json.dumps(event["data"]))
