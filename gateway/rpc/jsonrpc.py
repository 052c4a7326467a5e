"""The JSON-RPC 2.0 front: bytes in, the catalogue's answers out.

The library jsonrpcserver runs the methods and shapes results and responses. The rest is ours: its
own would put the text of exceptions on the wire, lose a whole batch to one bad item, one result
that is no JSON or one cancelled future, accept and emit NaN, and bound nothing.

What is tolerated: a byte order mark; a fractional id; ``"id": null`` (a request, answered with id
null); ``"params": null`` (none); a member given twice, of which the last counts, but in a message
that can change the account (``member_twice``). What is not: NaN and Infinity, numbers over the
range of a double, more than 1024 levels of nesting, lone surrogates, bytes that are not UTF-8 (all
``parse_error``).
"""

from __future__ import annotations

import asyncio
import logging
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import orjson
from jsonrpcserver import Error, Result, Success
from jsonrpcserver.async_dispatcher import call as run_method
from jsonrpcserver.dispatcher import to_response
from jsonrpcserver.request import Request
from jsonrpcserver.response import to_serializable_one
from jsonrpcserver.sentinels import NOID

from ea_bridge import host
from gateway.audit import Audit
from gateway.config import Limits
from gateway.errors import (
    Cancelled,
    GatewayError,
    InternalError,
    InvalidParams,
    InvalidRequest,
    LimitExceeded,
    MethodNotFound,
    MethodNotSupported,
    Overloaded,
    ParseError,
    ShuttingDown,
    TooLarge,
    Unauthorized,
    did_you_mean,
)
from gateway.http.mount import LazyDocument
from gateway.http.responses import error_response
from gateway.rpc.audit_notes import note_call
from gateway.rpc.batch import ResponseBudget, at_once, in_order
from gateway.rpc.catalogue import Call, Method
from gateway.rpc.envelope import check, check_members, echo
from gateway.rpc.in_flight import Id, InFlight
from gateway.storage.store import StoreError

log = logging.getLogger(__name__)

MAX_ERROR_BYTES = 4096
"""An error up to this size is sent even where the rest of its batch has filled the answer."""
Response = dict[str, Any]
Params = dict[str, Any] | list[Any]

HTTP_STATUS = {
    error.code: error.http_status
    for error in (LimitExceeded, Overloaded, ShuttingDown, Unauthorized)
}
"""Of an answer to ``POST /rpc`` that is this error as a whole; 200 for all others."""


class Answer(NamedTuple):
    """What the front says to one message."""

    body: bytes | None
    """``None`` when the message held notifications alone."""
    error: dict[str, Any] | None = None
    """The error object when it is the whole answer, else ``None``."""


class Context(NamedTuple):
    """What a method gets to see beside its params."""

    call: Call
    in_flight: InFlight | None
    """``None`` on HTTP."""
    request_id: Any


class _Entry(NamedTuple):
    method: Callable[[Context, Params], Awaitable[Result]]
    """In jsonrpcserver's shape; see :func:`with_error_boundary`."""
    mutates: bool
    transports: tuple[str, ...]


class JsonRpc:
    """Answers messages from the catalogue; both doors share one.

    Args:
        catalogue: the methods.
        limits: ``max_batch`` and ``max_response_bytes``.
        document: the OpenRPC document, for ``rpc.discover``.
        audit: where it is noted what callers were refused.

    """

    def __init__(
        self,
        catalogue: Mapping[str, Method],
        limits: Limits,
        *,
        document: LazyDocument,
        audit: Audit | None = None,
    ) -> None:
        audit = audit or Audit()
        self._limits = limits
        self._document = document
        self._methods = {
            name: with_error_boundary(
                name, _from_catalogue(method, audit), method.mutates, method.transports
            )
            for name, method in catalogue.items()
        }
        self._methods["rpc.discover"] = with_error_boundary("rpc.discover", self._discover)
        self._methods["cancel_request"] = with_error_boundary(
            "cancel_request", _cancel_request, transports=("ws",)
        )
        self.dropped_notifications = 0
        """Mutating calls without an id: nobody could have learnt how they ended."""

    async def answer(self, raw: bytes, call: Call, in_flight: InFlight | None = None) -> Answer:
        """Answer one message: a request, a notification or a batch of them.

        Never raises but ``CancelledError``, when the task itself is being cancelled.
        """
        try:
            message = orjson.loads(raw.removeprefix(BOM_UTF8))
        except orjson.JSONDecodeError as exc:
            return refuse(ParseError(reason="not_json", position=exc.pos))
        if any(map(self._mutates, message if type(message) is list else [message])):
            try:
                check_members(raw.removeprefix(BOM_UTF8))
            except InvalidRequest as exc:
                exc.data["outcome"] = "not_sent"
                return refuse(exc, echo(message))
        if type(message) is list:
            return await self._batch(message, call, in_flight)
        if in_flight is not None and self._mutates(message):
            with in_flight.protected():
                response = await self._one(message, call, in_flight)
        else:
            response = await self._one(message, call, in_flight)
        if response is None:
            return Answer(None)
        body, response = self._dump(message, response, self._limits.max_response_bytes)
        return Answer(body, response.get("error"))

    async def _batch(self, items: list[Any], call: Call, in_flight: InFlight | None) -> Answer:
        if not items:
            return refuse(InvalidRequest("The batch is empty", reason="empty_batch"))
        limit = self._limits.max_batch
        if len(items) > limit:
            return refuse(
                InvalidRequest(
                    f"A batch may hold {limit} calls", reason="batch_too_large", limit=limit
                )
            )
        room = ResponseBudget(self._limits.max_response_bytes)

        async def answer(item: Any) -> bytes | None:
            response = await self._one(item, call, in_flight)
            if response is None:
                return None
            body, _ = self._dump(item, response, room.bytes)
            room.bytes -= len(body)
            return body

        if any(map(self._mutates, items)):
            with in_flight.protected() if in_flight is not None else nullcontext():
                answers = await in_order(items, answer)
        else:
            answers = await at_once(items, answer)
        bodies = [body for body in answers if body is not None]
        return Answer(b"[" + b",".join(bodies) + b"]" if bodies else None)

    def _mutates(self, item: Any) -> bool:
        if type(item) is not dict or type(name := item.get("method")) is not str:
            return False
        entry = self._methods.get(name)
        return entry is not None and entry.mutates

    async def _one(self, item: Any, call: Call, in_flight: InFlight | None) -> Response | None:
        """Answer one item, or nothing to a notification; errors never leave it."""
        try:
            check(item)
        except InvalidRequest as exc:
            return error_response(exc, echo(item))
        params = {} if item.get("params") is None else item["params"]
        # jsonrpcserver would spread params over the method's arguments; ours takes them as one
        request = Request(item["method"], [params], item.get("id", NOID))
        if request.id is NOID:
            await self._notified(request, call)
            return None
        try:
            entry = self._entry(request.method, call)
            context = Context(call, in_flight, request.id)
            if in_flight is None or request.id is None:
                result = await run_method(request, context, entry.method)
            else:
                in_flight.enter(request.id, mutates=entry.mutates)
                try:
                    result = await run_method(request, context, entry.method)
                finally:
                    in_flight.leave(request.id)
        except GatewayError as exc:
            result = Error(**exc.as_dict())
        return to_serializable_one(to_response(request, result))  # type: ignore[return-value]  # a dict, for one response

    async def _notified(self, request: Request, call: Call) -> None:
        try:
            entry = self._entry(request.method, call)
        except GatewayError:
            return
        if entry.mutates:
            self.dropped_notifications += 1
            log.warning("dropped a %s that came as a notification", request.method)
            return
        await run_method(request, Context(call, None, None), entry.method)

    def _entry(self, name: str, call: Call) -> _Entry:
        entry = self._methods.get(name)
        if entry is None:
            raise MethodNotFound(method=name[:64], **did_you_mean(name, self._methods))
        if call.transport not in entry.transports:
            door = "/ws" if call.transport == "http" else "/rpc"
            raise MethodNotSupported(f"{name} works on {door} only", transport=call.transport)
        return entry

    def _dump(self, item: Any, response: Response, room: int) -> tuple[bytes, Response]:
        """Serialise one response of a message; what cannot be sent becomes that item's error."""
        try:
            body = orjson.dumps(response)
        except TypeError:
            error: GatewayError = _internal("the result of a method is no JSON")
        else:
            if len(body) <= room or ("error" in response and len(body) <= MAX_ERROR_BYTES):
                return body, response
            error = TooLarge(
                "The answer is over the limit: ask for less at a time",
                limit=self._limits.max_response_bytes,
                size=len(body),
                hint="limit, cursor or a shorter range",
            )
        if self._mutates(item):
            error.data["outcome"] = "unknown"
        response = error_response(error, response["id"])
        return orjson.dumps(response), response

    async def _discover(self, context: Context, params: Params) -> Any:
        _none_but((), params)
        return orjson.Fragment(await self._document.read())


def refuse(error: GatewayError, request_id: Id | None = None) -> Answer:
    """Return the answer to a message as a whole; its id is null where it could not be told."""
    return Answer(orjson.dumps(error_response(error, request_id)), error.as_dict())


def _from_catalogue(method: Method, audit: Audit) -> Callable[[Context, Params], Awaitable[Any]]:
    async def answer(context: Context, params: Params) -> Any:
        try:
            return await method.answer(context.call, params)
        except GatewayError as error:
            note_call(audit, method, context.call.caller, error)
            raise

    return answer


async def _cancel_request(context: Context, params: Params) -> dict[str, bool]:
    given = _none_but(("id",), params)
    request_id = given.get("id")
    if not isinstance(request_id, int | str | float):
        raise InvalidParams(errors=[{"field": "id", "reason": "the id of a request in flight"}])
    if context.in_flight is None:
        raise MethodNotSupported("cancel_request works on /ws only", transport="http")
    return {"cancelled": context.in_flight.cancel(request_id)}


def _none_but(names: tuple[str, ...], params: Params) -> dict[str, Any]:
    given = params if isinstance(params, dict) else dict(zip(names, params, strict=False))
    if len(params) > len(names) or not given.keys() <= set(names):
        raise InvalidParams(errors=[{"field": str(len(names)), "reason": "unexpected"}])
    return given


def with_error_boundary(
    name: str,
    answer: Callable[[Context, Params], Awaitable[Any]],
    mutates: bool = False,
    transports: tuple[str, ...] = ("http", "ws"),
) -> _Entry:
    """Return a method that jsonrpcserver sees no exception of.

    It would put the text of one on the wire, and a CancelledError would leave the caller without
    an answer.
    """
    unknown = {"outcome": "unknown"} if mutates else {}

    async def method(context: Context, params: Params) -> Result:
        try:
            return Success(await answer(context, params))
        except GatewayError as exc:
            return Error(**exc.as_dict())
        except asyncio.CancelledError:
            if not _was_asked_to_cancel(context):
                log.error("%s: something that it waited for was cancelled", name)
            return Error(**Cancelled(**unknown).as_dict())
        except StoreError as error:
            log.error("%s: %s", name, error)
            told = "The gateway's database cannot be used; its log says why"
            return Error(**InternalError(told, **unknown).as_dict())
        except Exception:
            return Error(**_internal(f"{name} failed", **unknown).as_dict())

    return _Entry(method, mutates, transports)


def _was_asked_to_cancel(context: Context) -> bool:
    """Whether the CancelledError being handled came from ``cancel_request``.

    If not, something that the method waited for was cancelled.

    Raises:
        CancelledError: neither: the task itself is being cancelled.

    """
    if context.in_flight is not None and context.in_flight.took_cancellation(context.request_id):
        return True
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return False


def _internal(what: str, **data: Any) -> InternalError:
    """Log the exception being handled; return the error that tells the client where to look."""
    trace_id = host.token_hex(4)
    log.exception("%s (trace_id %s)", what, trace_id)
    return InternalError(trace_id=trace_id, **data)
