"""Bodies, answers and errors that all REST APIs have.

Bodies are strict: an unknown member is refused. An error is ``{"detail": ...}``, as documented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from gateway.http.guard import Refusal
from gateway.http.messages import json_response


class RequestModel(BaseModel):
    """Base of bodies."""

    model_config = ConfigDict(
        defer_build=True,  # a gateway starts sooner by what its first request needs
        strict=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class ResponseModel(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        from_attributes=True,
        use_attribute_docstrings=True,
    )


class Detail(ResponseModel):
    """Error of a call: what is wrong, and what to do about it."""

    detail: str


class Fault(ResponseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    """Where: ``body``, ``query``, ``path`` or ``header``, then names and numbers on the way."""
    msg: str
    type: str


class Faults(ResponseModel):
    """All that is wrong with a request."""

    detail: list[Fault]


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

    @property
    def body(self) -> bytes:
        """The problem as JSON."""
        return orjson.dumps({"detail": self.detail})

    def response(self, headers: Mapping[str, str]) -> web.Response:
        """Return the response that carries the problem."""
        return json_response(self.body, {**headers, **self.headers}, self.status)


def detail_response(refusal: Refusal, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the response that ends a request and its connection."""
    problem = Problem(refusal.status, refusal.error.message, refusal.headers)
    response = problem.response({**(headers or {}), "Connection": "close"})
    response.force_close()
    return response
