"""Requests and their answers, as bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from gateway.client.errors import NotTheGateway, error_from


def encode_request(number: int | str, method: str, params: Mapping[str, Any]) -> bytes:
    """Return a JSON-RPC request.

    Decimals become strings, which the gateway reads exactly; datetimes ISO 8601.

    Raises:
        ValueError: a number is NaN or infinite. JSON has no such thing, and the null that it
            would become means something: no stop loss, for example.
        TypeError: a value cannot be JSON.

    """
    for name, value in params.items():
        _check_finite(name, value)
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return orjson.dumps(message, default=_as_text)


def result_in(body: bytes, url: str, status: int) -> Any:
    """Return the result in the answer to a request.

    Args:
        body: as it came.
        url: whose answer it is.
        status: of HTTP.

    Raises:
        GatewayError: the answer is an error.
        NotTheGateway: it is no JSON-RPC.

    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        raise error_from(answer["error"])
    if not isinstance(answer, dict) or "result" not in answer:
        raise NotTheGateway(f"{url} answered {status}, and no JSON-RPC")
    return answer["result"]


def _check_finite(name: str, value: Any) -> None:
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}: give a finite number")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check_finite(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_finite(name, inner)


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError
