"""Params and answers as the journal keeps them: params to compare, answers to give again.

The journal keeps what a caller said, but for what equals its default. There is more than one way
to say the same: a stop of 0 is none, ``type: "buy"`` is ``side: "buy"``, 20 points are the
deviation that is taken where none is named, and a symbol may be written in any case, or in full as
the receipt of the first call has named it. A repeat in other words is no other request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel

from gateway import errors
from gateway.errors import ClientOrderIdConflict, GatewayError, InternalError

from ..requests import DEFAULT_DEVIATION
from .intents import CallKey, Intent

NOT_COMPARED = frozenset({"client_order_id", "ttl_ms", "deadline_ms", "terminal", "validate_only"})
"""Params that say how and when, not what."""
_PRICES = ("price", "stoplimit", "sl", "tp")
_KINDS = frozenset({"market", "limit", "stop", "stop_limit"})
_STOPS = frozenset({"sl", "tp"})


# --- params -------------------------------------------------------------------------------------


def canonical(model: type[BaseModel], arguments: Mapping[str, Any]) -> str:
    """Return params as JSON that is the same for the same request.

    What equals its default is left out, so that a param that comes later changes nothing.
    """
    fields = model.model_fields
    said = {
        name: value
        for name, value in arguments.items()
        if name not in NOT_COMPARED and value != fields[name].default
    }
    return orjson.dumps(said, default=_plain, option=orjson.OPT_SORT_KEYS).decode()


def is_same(known: Intent, asked: CallKey) -> bool:
    """Whether a call asks for what was asked for under its id before."""
    if known.asked.method != asked.method:
        return False
    # the usual case: a program says the same again in the same words
    if known.asked.params == asked.params:
        return True
    before, now = (
        normalized(asked.method, orjson.loads(params))
        for params in (known.asked.params, asked.params)
    )
    taken = {send.request.symbol.casefold() for send in known.sends}
    # the first call may have named it in short, and its receipt told the broker's name
    if now.get("symbol") in taken and "symbol" in before:
        before["symbol"] = now["symbol"]
    return before == now


def normalized(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return params as they are however they were said."""
    said = dict(params)
    for name in _PRICES:
        if said.get(name) == "0":
            if method == "modify_order" and name in _STOPS:
                said[name] = None  # there an absent one stays as it is
            else:
                del said[name]
    names = [said.pop(name, None) for name in ("deviation", "max_deviation_points")]
    deviation = next((value for value in names if value is not None), DEFAULT_DEVIATION)
    if deviation != DEFAULT_DEVIATION:
        said["deviation"] = deviation
    if isinstance(said.get("symbol"), str):
        said["symbol"] = said["symbol"].casefold()
    if method == "place_order":
        _normalize_order(said)
    return said


def _normalize_order(said: dict[str, Any]) -> None:
    kind, side = said.pop("type", "market"), said.pop("side", None)
    if kind in _KINDS and side is not None:
        kind = side if kind == "market" else f"{side}_{kind}"
    said["type"] = kind
    if said.get("type_time") == ("specified" if "expiration" in said else "gtc"):
        del said["type_time"]


# --- answers ------------------------------------------------------------------------------------


def encode_result(result: Any) -> bytes:
    """Return a result as it is kept."""
    return orjson.dumps({"result": result}, default=_plain)


def encode_error(error: GatewayError) -> bytes:
    """Return an error as it is kept."""
    kept = {"code": error.code, "message": error.message, "data": error.data}
    return orjson.dumps({"error": kept}, default=_plain)


def replay(answer: bytes) -> Any:
    """Return a result that was given before, marked as a duplicate; raise an error that was.

    Raises:
        GatewayError: what the first caller was told.

    """
    kept = orjson.loads(answer)
    if "error" in kept:
        error = decode_error(kept["error"])
        error.data["duplicate"] = True
        raise error
    result = kept["result"]
    return {**result, "duplicate": True} if isinstance(result, dict) else result


def decode_error(kept: Mapping[str, Any]) -> GatewayError:
    """Return an error as it was raised."""
    kind = _kinds().get(kept["code"], InternalError)
    return kind(kept["message"], **kept["data"])


def conflict(method: str, params: str, stage: str, client_order_id: str) -> ClientOrderIdConflict:
    """Return the error of an id that was used for something else."""
    return ClientOrderIdConflict(
        outcome="not_sent",
        client_order_id=client_order_id,
        original={"method": method, "params": orjson.loads(params), "state": stage},
    )


_by_code: dict[int, type[GatewayError]] = {}


def _kinds() -> Mapping[int, type[GatewayError]]:
    if not _by_code:
        _by_code.update((kind.code, kind) for kind in _leaves(errors.GatewayError))
    return _by_code


def _leaves(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """Return the errors that are raised: those with a code of their own."""
    for below in kind.__subclasses__():
        if "code" in vars(below):
            yield below
        yield from _leaves(below)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, BaseModel):
        return value.model_dump()
    return str(value)
