"""Calls: commands in flight, by id, and the outcome of each."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ea_bridge.commands import TOO_LARGE, Command
from ea_bridge.errors import (
    BridgeError,
    CommandFailed,
    NotSent,
    OutcomeUnknown,
    ResultTooLarge,
    TerminalBusy,
)
from ea_bridge.model import History
from ea_bridge.model.struct import Page, Struct
from ea_bridge.protocol.codec import MAX_LINE_TO_DAEMON
from ea_bridge.protocol.messages import Res

MAX_IN_FLIGHT = 64
MAX_LATE = 256
"""Trades whose caller has gone, but whose result may still come."""
MAX_RESULT_BYTES = 8 * 1024 * 1024
"""Longest answer in all its parts, and most that may lie here unfinished for one terminal."""

INTERNAL_ERROR = 4024

MAX_UNSENT = 64 * 1024
"""Bytes that the kernel did not take. An EA that lets so many pile up does not read, and a
command behind them would arrive late."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of the commands and bytes under way to a kind of peer, and from it."""

    in_flight: int
    """Commands that wait for their answers."""
    answer_bytes: int
    """Of one answer in all its parts, and of all that are unfinished."""
    unsent: int
    """Bytes that the kernel did not take; see :data:`MAX_UNSENT`."""


TERMINAL_BOUNDS = Bounds(
    in_flight=MAX_IN_FLIGHT,
    answer_bytes=MAX_RESULT_BYTES,
    unsent=MAX_UNSENT,
)


@dataclass(frozen=True, slots=True)
class LateResult:
    """Outcome of a trade whose caller has left, or was told that it is unknown.

    Either ``result`` or ``error`` is ``None``. An error of :class:`CommandFailed` means that the
    terminal refused it.
    """

    command_id: int
    command: Command[Any, Any]
    params: Struct
    result: Any
    error: BridgeError | None


@dataclass(eq=False, slots=True)
class PendingCall:
    """Command that was asked, until its answer is whole."""

    id: int
    command: Command[Any, Any]
    params: Struct
    future: asyncio.Future[Any]
    on_ack: Callable[[], None] | None = None
    """Called once, when the terminal has taken it."""
    timeout_s: float = math.inf
    """How long its caller waits, from the moment at which it was written."""
    deadline_s: float = math.inf
    """When that is over, on the clock of the session's timers."""
    acked: bool = False
    parts: int = 0
    size: int = 0
    items: list[Any] = field(default_factory=list)
    total: int = 0
    """Length of the whole list, as all parts of a page tell it."""

    def lost(self, reason: str) -> BridgeError:
        """Return the error for its caller when no answer can come any more."""
        if self.command.trades:
            return OutcomeUnknown(self.command.op, self.id, acked=self.acked, reason=reason)
        return NotSent(reason)


class Calls:
    """Calls of one session.

    Args:
        ids: unique for good, since EAs remember the ids they have executed.
        on_late: told what became of a trade whose caller has gone.
        on_result: told of each whole result before its caller is; returns what is wrong with
            it, or nothing.
        bounds: how much may be on the way.

    """

    def __init__(
        self,
        ids: Iterator[int],
        on_late: Callable[[LateResult], None],
        on_result: Callable[[PendingCall, Any], str | None],
        bounds: Bounds = TERMINAL_BOUNDS,
    ) -> None:
        self.strays = 0
        """Answers to nothing that we wait for: a late read's, or a lie."""
        self._ids = ids
        self._on_late = on_late
        self._on_result = on_result
        self._bounds = bounds
        self._in_flight: dict[int, PendingCall] = {}
        self._late: OrderedDict[int, PendingCall] = OrderedDict()
        self._unfinished = 0

    def __len__(self) -> int:
        """Count the callers that wait."""
        return len(self._in_flight)

    @property
    def trades(self) -> int:
        """Number of trades under way, those among them whose callers have left."""
        calls = (*self._in_flight.values(), *self._late.values())
        return sum(call.command.trades for call in calls)

    def new_id(self) -> int:
        """Return an id that no command ever had."""
        return next(self._ids)

    def open(
        self,
        command: Command[Any, Any],
        params: Struct,
        *,
        command_id: int | None = None,
        on_ack: Callable[[], None] | None = None,
    ) -> PendingCall:
        """Make room for a call and give it its id, unless it has one."""
        # an EA works them off one by one: the last of a longer queue would come too late anyway
        if len(self._in_flight) >= self._bounds.in_flight:
            raise TerminalBusy(f"{self._bounds.in_flight} commands are in flight")
        future = asyncio.get_running_loop().create_future()
        identity = self.new_id() if command_id is None else command_id
        call = PendingCall(identity, command, params, future, on_ack)
        self._in_flight[call.id] = call
        return call

    def due(self, now_s: float) -> list[PendingCall]:
        """Return the calls whose callers have waited long enough."""
        return [call for call in self._in_flight.values() if call.deadline_s <= now_s]

    def next_deadline_s(self) -> float:
        """Return the earliest deadline; infinity where nobody waits."""
        return min((call.deadline_s for call in self._in_flight.values()), default=math.inf)

    def discard(self, call: PendingCall) -> None:
        """Forget a call: it was not written, or its caller has his answer."""
        if self._in_flight.pop(call.id, None) is not None:
            self._unfinished -= call.size  # parts that came make room for others' answers

    def abandon(self, call: PendingCall) -> None:
        """Let the caller go without an answer. That to a trade is still worth having."""
        if not call.command.trades:
            self.discard(call)
        elif call.id in self._in_flight:
            self._keep_late(call)  # it no longer takes the room of those who wait
        elif call.future.done() and not call.future.cancelled():
            # cancelled between the answer's arrival and its own waking up: nobody has seen it
            error = call.future.exception()
            result = None if error else call.future.result()
            self._notify_late(call, result, error if isinstance(error, BridgeError) else None)

    def _keep_late(self, call: PendingCall) -> None:
        self._late[call.id] = self._in_flight.pop(call.id)
        if len(self._late) > MAX_LATE:
            # the reconciler finds out by the terminal's own lists what became of the oldest
            self._late.popitem(last=False)

    def ack(self, command_id: int) -> None:
        """Note that the terminal has taken a command."""
        call = self._find(command_id)
        if call is None:
            self.strays += 1
        elif not call.acked:
            call.acked = True
            if call.on_ack is not None:
                call.on_ack()

    def answer(self, res: Res) -> bool:
        """Take an answer, whole or a part of one; return whether it was asked for."""
        call = self._find(res.id)
        if call is None:
            self.strays += 1
            return False
        try:
            result = self._read(call, res)
        except BridgeError as error:
            self._finish(call, None, error)
            return True
        if res.last:
            # before its caller: the answer may show that the session must end
            wrong = self._on_result(call, result)
            self._finish(call, result, _unreadable(call, wrong) if wrong else None)
        return True

    def fail_all(self, reason: str) -> None:
        """Settle all calls: the link is gone."""
        # cleared first: a caller that wakes up must not find its call again
        calls = list(self._in_flight.values())
        self._in_flight.clear()
        self._late.clear()
        for call in calls:
            if not call.future.done():
                # a question may be asked again; what became of a trade nobody knows
                call.future.set_exception(call.lost(reason))

    def _find(self, command_id: int) -> PendingCall | None:
        return self._in_flight.get(command_id) or self._late.get(command_id)

    def _read(self, call: PendingCall, res: Res) -> Any:
        if not res.ok:
            if res.err == TOO_LARGE and not call.command.trades:
                raise ResultTooLarge(call.command.op, MAX_LINE_TO_DAEMON)
            raise CommandFailed(call.command.op, res.err, res.retcode, res.msg)
        # a line of the link is never lost alone, so a gap is a fault of the peer
        if res.part != call.parts:
            raise _unreadable(call, f"part {res.part} came instead of {call.parts}")
        call.parts += 1
        self._weigh(call, memoryview(res.d).nbytes)
        try:
            part = call.command.decoder.decode(res.d)
        except _UNREADABLE as error:
            raise _unreadable(call, "the answer has the wrong shape") from error
        if call.parts == 1 and res.last:
            return part
        if isinstance(part, Page):
            return self._join(call, part)
        if isinstance(part, History):
            call.items += part.rows
            return History(rows=call.items, missing=part.missing)
        if not isinstance(part, list):
            raise _unreadable(call, "an answer that is no list came in parts")
        call.items += part
        return call.items

    def _join(self, call: PendingCall, part: Page[Any]) -> Page[Any]:
        if call.parts > 1 and part.total != call.total:
            # the list has changed between two parts: joined they would be neither
            raise _unreadable(call, "the parts of a page speak of two lists")
        call.total = part.total
        call.items += part.rows
        return Page(total=call.total, rows=call.items)

    def _weigh(self, call: PendingCall, size: int) -> None:
        call.size += size
        self._unfinished += size
        if self._unfinished > self._bounds.answer_bytes:
            if call.command.trades:
                raise _unreadable(call, "the answer is too large")
            raise ResultTooLarge(call.command.op, self._bounds.answer_bytes)

    def _finish(self, call: PendingCall, result: Any, error: BridgeError | None) -> None:
        if not (self._in_flight.pop(call.id, None) or self._late.pop(call.id, None)):
            return  # the answer itself made the session end, which settled every call
        self._unfinished -= call.size
        if call.future.done():
            # expired, or its caller was cancelled and has not woken up yet
            self._notify_late(call, result, error)
        elif error is None:
            call.future.set_result(result)
        else:
            call.future.set_exception(error)

    def _notify_late(self, call: PendingCall, result: Any, error: BridgeError | None) -> None:
        if call.command.trades:
            self._on_late(LateResult(call.id, call.command, call.params, result, error))
        else:
            self.strays += 1


def _unreadable(call: PendingCall, reason: str) -> BridgeError:
    """Return the error for an answer that cannot be read.

    It says nothing of what a trade did, so that outcome is unknown.
    """
    if call.command.trades:
        return OutcomeUnknown(call.command.op, call.id, acked=True, reason=reason)
    return CommandFailed(call.command.op, INTERNAL_ERROR, msg=reason)
