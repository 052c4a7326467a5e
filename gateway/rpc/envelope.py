"""What makes a JSON-RPC message a request: its members, each once, and their types."""

from __future__ import annotations

import json
from typing import Any

from gateway.errors import InvalidRequest
from gateway.rpc.in_flight import Id

MAX_PARAMS = 64
"""No method takes so many; each one too many would be listed in the error."""
_EXACT_FLOAT = 2**53
"""A float from here on may be an integer of the client's that we could not echo unchanged."""


_MEMBERS = frozenset({"jsonrpc", "method", "params", "id"})


def check_members(raw: bytes) -> None:
    """See that no object of a message has a member twice.

    Of two volumes one reader takes the first and another one the last: whoever looks at an order
    before it comes here must see the one that is sent. It costs 4 to 10 microseconds a call.

    Raises:
        InvalidRequest: one has; or it is nested so deeply that nobody means it.

    """
    try:
        _strict.decode(raw.decode())
    except RecursionError:
        raise InvalidRequest("It is nested too deeply", reason="too_deep") from None


def _once_each(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise InvalidRequest("A member is given twice in one object", reason="member_twice")


_strict = json.JSONDecoder(object_pairs_hook=_once_each, parse_int=str, parse_float=str)
"""Numbers stay texts: only names are compared."""


def check(item: Any) -> None:
    """See that an item is a request or a notification.

    Raises:
        InvalidRequest: ``data.reason`` says in what it is none.

    """
    if type(item) is not dict:
        raise InvalidRequest(reason="not_an_object")
    if item.get("jsonrpc") != "2.0":
        raise InvalidRequest('"jsonrpc" must be "2.0"', reason="bad_version")
    if type(item.get("method")) is not str:
        raise InvalidRequest('"method" must be a string', reason="bad_method")
    if "id" in item and not _is_id(item["id"]):
        raise InvalidRequest('"id" must be a string or an integer', reason="bad_id")
    params = {} if item.get("params") is None else item["params"]
    if type(params) not in (dict, list):
        raise InvalidRequest('"params" must be an object or an array', reason="bad_params")
    if len(params) > MAX_PARAMS:
        raise InvalidRequest(
            "No method takes so many params", reason="bad_params", limit=MAX_PARAMS
        )
    if not item.keys() <= _MEMBERS:
        raise _unknown_member(item)


def _unknown_member(item: dict[str, Any]) -> InvalidRequest:
    member = min(item.keys() - _MEMBERS)
    hint = {}
    if "auth_token" in item:
        member = "auth_token"
        hint = {"hint": "send the token in the header Authorization: Bearer, or in hello's params"}
    return InvalidRequest(
        "A request has the members jsonrpc, id, method and params alone",
        reason="unknown_member",
        member=member[:64],
        **hint,
    )


def _is_id(given: object) -> bool:
    if type(given) is float:
        return abs(given) < _EXACT_FLOAT
    return given is None or type(given) in (int, str)


def echo(item: Any) -> Id | None:
    """Return the id of an invalid request, if it has a good one."""
    if type(item) is dict and _is_id(item.get("id")):
        return item.get("id")
    return None
