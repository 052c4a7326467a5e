"""Error of a REST call: ``{"detail": ...}``, as it is documented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from gateway.http.guard import Refusal
from gateway.http.responses import json_response


class Problem(Exception):
    """Error that ends a REST request.

    Args:
        status: of HTTP.
        detail: what is wrong and what to do; of a 422 a list, one object for each fault.

    """

    def __init__(
        self,
        status: int,
        detail: str | Sequence[Mapping[str, Any]],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(str(status))
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self, headers: Mapping[str, str]) -> web.Response:
        """Return the response that carries the problem."""
        body = orjson.dumps({"detail": self.detail})
        return json_response(body, {**headers, **self.headers}, self.status)


def detail_response(refusal: Refusal, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the response that ends a request and its connection."""
    problem = Problem(refusal.status, refusal.error.message, refusal.headers)
    response = problem.response({**(headers or {}), "Connection": "close"})
    response.force_close()
    return response
