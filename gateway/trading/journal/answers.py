"""Params and answers as they are kept: compared, and given again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel

from gateway import errors
from gateway.errors import ClientOrderIdConflict, GatewayError, InternalError

NOT_COMPARED = frozenset({"client_order_id", "ttl_ms", "deadline_ms", "terminal", "validate_only"})
"""Params that say how and when, not what."""


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


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, BaseModel):
        return value.model_dump()
    return str(value)


def of_result(result: Any) -> bytes:
    """Return a result as it is kept."""
    return orjson.dumps({"result": result}, default=_plain)


def of_error(error: GatewayError) -> bytes:
    """Return an error as it is kept."""
    kept = {"code": error.code, "message": error.message, "data": error.data}
    return orjson.dumps({"error": kept}, default=_plain)


def again(answer: bytes) -> Any:
    """Return a result that was given before, marked as a duplicate; raise an error that was.

    Raises:
        GatewayError: what the first caller was told.

    """
    kept = orjson.loads(answer)
    if "error" in kept:
        error = error_of(kept["error"])
        error.data["duplicate"] = True
        raise error
    result = kept["result"]
    return {**result, "duplicate": True} if isinstance(result, dict) else result


def error_of(kept: Mapping[str, Any]) -> GatewayError:
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
