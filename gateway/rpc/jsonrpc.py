"""The JSON-RPC 2.0 front: bytes in, the catalogue's answers out.

The library jsonrpcserver runs the methods of batches and notifications and shapes their responses.
A request that comes alone, as nearly all do, is answered without it: that takes a fifth less. The
rest is ours: its own would put the text of exceptions on the wire, lose a whole batch to one bad
item, one result that is no JSON or one cancelled future, accept and emit NaN, and bound nothing.

What is tolerated: a byte order mark; a fractional id; ``"id": null`` (a request, answered with id
null); ``"params": null`` (none); a member given twice, of which the last counts, but in a message
that can change the account (``member_twice``). What is not: NaN and Infinity, numbers over the
range of a double, more than 1024 levels of nesting, lone surrogates, bytes that are not UTF-8 (all
``parse_error``).

A request may have one member more than the specification's: with ``"timing": true`` its response
has ``timing_ms`` beside ``result`` or ``error``. It stands there and not among the params because
it is no part of what is asked for: an order that is sent again under its id stays the same one.

A batch can hold a hundred calls that each keep the processor busy for a while. After every item
whoever else waits gets a turn: another caller's order must not stand behind the whole batch.
"""

from __future__ import annotations

import asyncio
import json
import logging
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import orjson
from jsonrpcserver import Error, Result, Success
from jsonrpcserver.async_dispatcher import call as run_method
from jsonrpcserver.dispatcher import to_response
from jsonrpcserver.request import Request
from jsonrpcserver.response import to_serializable_one
from jsonrpcserver.sentinels import NOID

from ea_bridge import host
from ea_bridge.histogram import Histogram
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.chunks import CHUNK, dump_chunks
from gateway.config import Limits
from gateway.errors import (
    AccessDenied,
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
from gateway.http.messages import error_response
from gateway.http.mount import LazyDocument
from gateway.rpc.catalogue import Call, Method
from gateway.rpc.in_flight import Id, InFlight
from gateway.storage.store import StoreError
from gateway.trading.terminal import Stages, new_stages, timing_ms

log = logging.getLogger(__name__)

MAX_PARAMS = 64
"""No method takes so many; each one too many would be listed in the error."""
_EXACT_FLOAT = 2**53
"""A float from here on may be an integer of the client's that we could not echo unchanged."""
_MEMBERS = frozenset({"jsonrpc", "method", "params", "id"})
_MORE_MEMBERS = _MEMBERS | {"timing"}
_UNPROTECTED = nullcontext()
MAX_CONCURRENT_READS = 32
"""Reads of one batch that are answered at a time."""

T = TypeVar("T")
R = TypeVar("R")

MAX_ERROR_BYTES = 4096
"""An error up to this size is sent even where the rest of its batch has filled the answer."""
NOTED = ("rule", "limit", "value", "armed_by", "scope", "tier", "client_order_id")
"""Members of an error's data that the trail keeps: none holds free text of a caller."""

Response = dict[str, Any]
Params = dict[str, Any] | list[Any]

HTTP_STATUS = {
    error.code: error.http_status
    for error in (LimitExceeded, Overloaded, ShuttingDown, Unauthorized)
}
"""Of an answer to ``POST /rpc`` that is this error as a whole; 200 for all others."""


class Answer(NamedTuple):
    """Answer of the front to one message."""

    body: bytes | None
    """``None`` when the message held notifications alone."""
    error: dict[str, Any] | None = None
    """The error object when it is the whole answer, else ``None``."""


class MethodContext(NamedTuple):
    """Parts that a method gets to see beside its params."""

    call: Call
    in_flight: InFlight | None
    """``None`` on HTTP."""
    request_id: Any


class CallMetrics:
    """Counts and durations of the calls of one method, for ``/metrics``.

    They only grow, and take no lock: only the loop's thread writes.
    """

    __slots__ = ("errors", "queue", "terminal", "whole")

    def __init__(self) -> None:
        self.whole = Histogram()
        """From the message's arrival until the answer is encoded; of all calls."""
        self.queue = Histogram()
        """From the arrival until the first command goes to the terminal."""
        self.terminal = Histogram()
        """How long at least one command was with the terminal."""
        self.errors: Counter[str] = Counter()
        """Calls that were answered with an error, by its name; all others were answered well."""


class _Entry(NamedTuple):
    answer: Callable[[MethodContext, Params], Awaitable[Response]]
    """Returns the ``result`` or the ``error`` of a response; see :func:`with_error_boundary`."""
    mutates: bool
    transports: tuple[str, ...]
    lists: tuple[str, ...]
    """Members of its result that may be long."""
    of_terminal: bool
    """It may ask the terminal."""
    metrics: CallMetrics

    def is_long(self, result: Any) -> bool:
        """Whether a result is worked off in several turns of the loop."""
        if type(result) is list:
            return len(result) > CHUNK
        for name in self.lists:  # noqa: SIM110 - a generator costs as much as writing the answer
            if name in result and len(result[name]) > CHUNK:
                return True
        return False


class JsonRpc:
    """Front that answers messages from the catalogue; ``/rpc`` and ``/ws`` share one.

    Args:
        catalogue: the methods.
        limits: ``max_batch`` and ``max_response_bytes``.
        document: the OpenRPC document, for ``rpc.discover``.
        audit: trail of what callers were refused.

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
        self._perf_s = host.perf_clock()
        self._document = document
        self._methods = {
            name: _from_catalogue(name, method, audit) for name, method in catalogue.items()
        }
        self._methods["rpc.discover"] = with_error_boundary("rpc.discover", self._discover)
        self._methods["cancel_request"] = with_error_boundary(
            "cancel_request", _cancel_request, transports=("ws",)
        )
        self.dropped_notifications = 0
        """Mutating calls without an id: nobody could have learnt how they ended."""
        self._others = CallMetrics()
        self.changing = 0
        """Messages that can change an account, and are being answered."""

    @property
    def metrics(self) -> dict[str, CallMetrics]:
        """How the calls of each method went; with an empty name, messages that named none."""
        return {name: entry.metrics for name, entry in self._methods.items()} | {"": self._others}

    async def answer(self, raw: bytes, call: Call, in_flight: InFlight | None = None) -> Answer:
        """Answer one message: a request, a notification or a batch of them.

        Never raises but ``CancelledError``, when the task itself is being cancelled.
        """
        arrived_s = self._perf_s()
        # orjson refuses NaN, lone surrogates and deep nesting by itself
        try:
            message = orjson.loads(raw.removeprefix(BOM_UTF8))
        except orjson.JSONDecodeError as exc:
            return self._refuse(ParseError(reason="not_json", position=exc.pos), arrived_s)
        is_batch = type(message) is list
        entry = None if is_batch else self._find(message)
        mutates = any(map(self._mutates, message)) if is_batch else entry and entry.mutates
        if mutates:
            try:
                check_members(raw.removeprefix(BOM_UTF8))
            except InvalidRequest as exc:
                exc.data["outcome"] = "not_sent"
                return self._refuse(exc, arrived_s, echo(message))
        # before the first await: a connection that is lost now stops the task of no trade
        with self._changing(in_flight) if mutates else _UNPROTECTED:
            if is_batch:
                return await self._batch(message, call, in_flight, arrived_s)
            stages = new_stages() if entry is not None and entry.of_terminal else None
            response = await self._one(message, entry, call, in_flight)
            if response is None:
                return Answer(None)
            room = ResponseBudget(self._limits.max_response_bytes)
            body, response = await self._dump(message, response, room, entry, arrived_s, stages)
            return Answer(body, response.get("error"))

    @contextmanager
    def _changing(self, in_flight: InFlight | None) -> Iterator[None]:
        """Protect the current task while it answers a message that can change an account."""
        self.changing += 1
        try:
            with in_flight.protected() if in_flight is not None else _UNPROTECTED:
                yield
        finally:
            self.changing -= 1

    async def _batch(
        self, items: list[Any], call: Call, in_flight: InFlight | None, arrived_s: float
    ) -> Answer:
        if not items:
            return self._refuse(
                InvalidRequest("The batch is empty", reason="empty_batch"), arrived_s
            )
        limit = self._limits.max_batch
        if len(items) > limit:
            error = InvalidRequest(
                f"A batch may hold {limit} calls", reason="batch_too_large", limit=limit
            )
            return self._refuse(self._unsent(error, *items), arrived_s)
        room = ResponseBudget(self._limits.max_response_bytes)
        # items are answered in later turns of the loop: each looks at the caller's rights anew
        call.may_read = False

        async def answer(item: Any) -> bytes | None:
            entry = self._find(item)
            stages = new_stages() if entry is not None and entry.of_terminal else None
            response = await self._one(item, entry, call, in_flight, is_alone=False)
            if response is None:
                return None
            body, _ = await self._dump(item, response, room, entry, arrived_s, stages)
            return body

        # a batch with one trade is answered in order as a whole: "close, then read what is left"
        is_in_order = any(map(self._mutates, items))
        answers = await (in_order if is_in_order else at_once)(items, answer)
        bodies = [body for body in answers if body is not None]
        return Answer(b"[" + b",".join(bodies) + b"]" if bodies else None)

    def _unsent(self, error: GatewayError, *items: Any) -> GatewayError:
        """Return the error of items that are not carried out, as their caller is told it: who
        trades is told that nothing was sent.
        """
        if any(map(self._mutates, items)):
            error.data["outcome"] = "not_sent"
        return error

    def _refuse(
        self, error: GatewayError, arrived_s: float, request_id: Id | None = None
    ) -> Answer:
        """Refuse a message as a whole, and count it."""
        self._others.whole.add(self._perf_s() - arrived_s)
        self._others.errors[error.name()] += 1
        return refuse(error, request_id)

    def _find(self, item: Any) -> _Entry | None:
        """Return the method that an item names, if there is one."""
        if type(item) is not dict or type(name := item.get("method")) is not str:
            return None
        return self._methods.get(name)

    def _mutates(self, item: Any) -> bool:
        entry = self._find(item)
        return entry is not None and entry.mutates

    async def _one(
        self,
        item: Any,
        entry: _Entry | None,
        call: Call,
        in_flight: InFlight | None,
        *,
        is_alone: bool = True,
    ) -> Response | None:
        """Answer one item, or nothing to a notification; errors never leave it."""
        try:
            check(item)
        except InvalidRequest as exc:
            return error_response(self._unsent(exc, item), echo(item))
        if "id" not in item:
            await self._notified(item, entry, call)
            return None
        request_id = item["id"]
        try:
            entry = self._callable(item["method"], entry, call)
            if in_flight is not None and request_id is not None:
                in_flight.enter(request_id, mutates=entry.mutates)
        except GatewayError as exc:
            return error_response(self._unsent(exc, item), request_id)
        context = MethodContext(call, in_flight, request_id)
        try:
            if not is_alone:
                return await _run_by_library(item, context, entry)
            answered = await entry.answer(context, _params_of(item))
        finally:
            if in_flight is not None and request_id is not None:
                in_flight.leave(request_id)
        return {"jsonrpc": "2.0", **answered, "id": request_id}

    async def _notified(self, item: dict[str, Any], entry: _Entry | None, call: Call) -> None:
        try:
            entry = self._callable(item["method"], entry, call)
        except GatewayError:
            return
        if entry.mutates:
            # nobody would learn what became of the order, so it is not sent at all
            self.dropped_notifications += 1
            log.warning("dropped a %s that came as a notification", item["method"])
            return
        await _run_by_library(item, MethodContext(call, None, None), entry)

    def _callable(self, name: str, entry: _Entry | None, call: Call) -> _Entry:
        if entry is None:
            raise MethodNotFound(method=name[:64], **did_you_mean(name, self._methods))
        if call.transport not in entry.transports:
            path = "/ws" if call.transport == "http" else "/rpc"
            raise MethodNotSupported(f"{name} works on {path} only", transport=call.transport)
        return entry

    async def _dump(
        self,
        item: Any,
        response: Response,
        room: ResponseBudget,
        entry: _Entry | None,
        arrived_s: float,
        stages: Stages | None,
    ) -> tuple[bytes, Response]:
        """Serialise one response of a message, and count its call; what cannot be sent becomes
        that item's error.
        """
        metrics = self._others
        if entry is not None:
            metrics = entry.metrics
            if "timing" in item and item["timing"] is True:
                response["timing_ms"] = timing_ms(self._perf_s(), arrived_s, stages)
        try:
            # a result came of a method
            if "result" in response and entry is not None and entry.is_long(response["result"]):
                body = await dump_chunks(response)
            else:
                body = orjson.dumps(response)
        except TypeError:
            # inside the except block: _internal logs the exception that is being handled
            error = _internal("the result of a method is no JSON")
            body, response = self._dump_instead(item, response, error)
        else:
            # as it is now: while a long answer was written, others of its batch have taken room
            if len(body) > room.bytes and not (
                "error" in response and len(body) <= MAX_ERROR_BYTES
            ):
                too_large = TooLarge(
                    "The answer is over the limit: ask for less at a time",
                    limit=self._limits.max_response_bytes,
                    size=len(body),
                    hint="limit, cursor or a shorter range",
                )
                body, response = self._dump_instead(item, response, too_large)
        room.bytes -= len(body)
        metrics.whole.add(self._perf_s() - arrived_s)
        if "error" in response:
            metrics.errors[response["error"]["data"]["name"]] += 1
        if stages is not None and stages.asked_s is not None:
            metrics.queue.add(stages.asked_s - arrived_s)
            metrics.terminal.add(stages.terminal_s)
        return body, response

    def _dump_instead(
        self, item: Any, response: Response, error: GatewayError
    ) -> tuple[bytes, Response]:
        """Serialise the error of a response that cannot be sent."""
        # the method has run: an order may have been sent though its answer cannot be
        if self._mutates(item):
            error.data["outcome"] = "unknown"
        timing = {"timing_ms": response["timing_ms"]} if "timing_ms" in response else {}
        response = error_response(error, response["id"]) | timing
        return orjson.dumps(response), response

    async def _discover(self, context: MethodContext, params: Params) -> Any:
        _none_but((), params)
        return orjson.Fragment(await self._document.read())


def refuse(error: GatewayError, request_id: Id | None = None) -> Answer:
    """Return the answer to a message as a whole; its id is null where it could not be told."""
    return Answer(orjson.dumps(error_response(error, request_id)), error.as_dict())


# --- one request ---------------------------------------------------------------------------


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


# json and not orjson, which takes the last of two members in silence
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
        _check_more_members(item)


def _check_more_members(item: dict[str, Any]) -> None:
    unknown = item.keys() - _MORE_MEMBERS
    if unknown:
        raise _unknown_member(item, min(unknown))
    if type(item["timing"]) is not bool:
        raise InvalidRequest('"timing" must be true or false', reason="bad_timing")


def _unknown_member(item: dict[str, Any], member: str) -> InvalidRequest:
    hint = {}
    if "auth_token" in item:
        member = "auth_token"
        hint = {"hint": "send the token in the header Authorization: Bearer, or in hello's params"}
    return InvalidRequest(
        "A request has the members jsonrpc, id, method, params and timing alone",
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


# --- batches -------------------------------------------------------------------------------


@dataclass(slots=True)
class ResponseBudget:
    """Bytes that the answers to a batch may still take together: first come, first served."""

    bytes: int


async def in_order(items: Sequence[T], answer: Callable[[T], Awaitable[R]]) -> list[R]:
    """Return the answers to the items, each asked for when the one before is answered."""
    answers = []
    for item in items:
        answers.append(await answer(item))
        await asyncio.sleep(0)  # an answer that had to wait for nothing gave nobody else a turn
    return answers


async def at_once(items: Sequence[T], answer: Callable[[T], Awaitable[R]]) -> list[R]:
    """Return the answers to the items, in their order, up to 32 of them asked for together.

    One more begins with each turn of the loop, however many could.
    """
    answers: dict[int, R] = {}
    free = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def answer_one(index: int, item: T) -> None:
        try:
            answers[index] = await answer(item)
        finally:
            free.release()

    async with asyncio.TaskGroup() as group:
        for index, item in enumerate(items):
            # acquired here and not in the task: no more tasks are made than may run
            await free.acquire()
            group.create_task(answer_one(index, item))
            await asyncio.sleep(0)
    return [answers[index] for index in range(len(items))]


# --- methods -------------------------------------------------------------------------------


def _from_catalogue(name: str, method: Method, audit: Audit) -> _Entry:
    def on_error(caller: Caller, error: GatewayError) -> None:
        note_call(audit, method, caller, error)

    return with_error_boundary(
        name,
        lambda context, params: method.answer(context.call, params),
        method.mutates,
        method.transports,
        lists=method.lists,
        of_terminal=method.of_terminal,
        on_error=on_error,
    )


def note_call(audit: Audit, method: Method, caller: Caller, error: GatewayError) -> None:
    """Note that a caller may not do something, or that a trade was refused before it was sent."""
    is_unsent = method.mutates and error.data.get("outcome") == "not_sent"
    if is_unsent or isinstance(error, AccessDenied):
        audit.often(
            "call_refused",
            outcome="refused",
            reason=error.name(),
            actor=caller.tid,
            terminal=caller.terminal,
            object=method.name,
            **{name: error.data[name] for name in NOTED if name in error.data},
        )


async def _cancel_request(context: MethodContext, params: Params) -> dict[str, bool]:
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
    answer: Callable[[MethodContext, Params], Awaitable[Any]],
    mutates: bool = False,
    transports: tuple[str, ...] = ("http", "ws"),
    *,
    lists: tuple[str, ...] = (),
    of_terminal: bool = False,
    on_error: Callable[[Caller, GatewayError], None] | None = None,
) -> _Entry:
    """Return a method that raises nothing, so that every caller gets an answer.

    The text of an exception never goes on the wire: it may hold anything.

    Args:
        answer: what answers a call; it may also raise before there is anything to wait for.
        on_error: told of each error that the method itself raised.

    """
    unknown = {"outcome": "unknown"} if mutates else {}

    async def answered(context: MethodContext, params: Params) -> Response:
        error: GatewayError
        try:
            try:
                return {"result": await answer(context, params)}
            except GatewayError as exc:
                if on_error is not None:
                    on_error(context.call.caller, exc)
                raise
        except GatewayError as exc:
            error = exc
        except asyncio.CancelledError:
            if not _was_asked_to_cancel(context):
                log.error("%s: something that it waited for was cancelled", name)
            error = Cancelled(**unknown)
        except StoreError as exc:
            log.error("%s: %s", name, exc)
            told = "The gateway's database cannot be used; its log says why"
            error = InternalError(told, **unknown)
        except Exception:  # its text stays in the log
            error = _internal(f"{name} failed", **unknown)
        return {"error": error.as_dict()}

    return _Entry(answered, mutates, transports, lists, of_terminal, CallMetrics())


async def _run_by_library(item: dict[str, Any], context: MethodContext, entry: _Entry) -> Response:
    """Return the response to an item of a batch, or to a notification, which nobody is sent."""

    async def method(context: MethodContext, params: Params) -> Result:
        answered = await entry.answer(context, params)
        error = answered.get("error")
        return Success(answered["result"]) if error is None else Error(**error)

    # jsonrpcserver would spread params over the method's arguments; ours takes them as one
    request = Request(item["method"], [_params_of(item)], item.get("id", NOID))
    result = await run_method(request, context, method)
    if request.id is NOID:
        return {}
    return to_serializable_one(to_response(request, result))  # type: ignore[return-value]  # a dict, for one response


def _params_of(item: dict[str, Any]) -> Params:
    params: Params | None = item.get("params")
    return {} if params is None else params


def _was_asked_to_cancel(context: MethodContext) -> bool:
    """Whether the CancelledError being handled came from ``cancel_request``.

    If not, something that the method waited for was cancelled.

    Raises:
        CancelledError: neither: the task itself is being cancelled.

    """
    if context.in_flight is not None and context.in_flight.took_cancellation(context.request_id):
        return True
    # cancelling() counts requests to cancel this very task; a future that was cancelled below it
    # raises the same exception and leaves the count at 0
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return False


def _internal(what: str, **data: Any) -> InternalError:
    """Log the exception being handled; return the error that tells the client where to look."""
    trace_id = host.token_hex(4)
    log.exception("%s (trace_id %s)", what, trace_id)
    return InternalError(trace_id=trace_id, **data)
