"""Calls that a person makes from the console, as the stream brings them; and their answers.

A call is carried out at most once: it names the line, whose key this daemon has made for this
stream, and its id is remembered until its deadline. None outlives its stream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from gateway.auth.console_snapshot import ConsoleBook
from gateway.credentials.console_call import HALT, LineSecret, SealedFault, SignedCall
from gateway.credentials.daemon_api import MAX_BODY_BYTES, CallAnswer, PushedCall, TerminalSummary
from gateway.credentials.envelope import EnvelopeError

from .http import ConsoleFailure

MAX_CALLS: Final = 16
"""Calls that are carried out at a time; one more is refused, but for a halt."""
MAX_TAKEN: Final = 48
"""Calls that are carried out or verified; beyond that none is looked at."""
MAX_IDS: Final = 1_024
"""Ids of calls that are remembered; while there are so many none is begun."""
TOO_MANY: Final = '{"detail":"The machine has too much under way: try again in a moment"}'
TOO_LONG: Final = '{"detail":"The answer is longer than the console takes; ask on the machine"}'

logger = logging.getLogger(__name__)


class CallExecutor(Protocol):
    """Carries calls out, and tells of the terminals."""

    manages: bool
    """Whether accounts may be managed from the console."""

    async def execute(self, call: SignedCall, password: str) -> tuple[int, str]:
        """Carry a call out; return a status of HTTP and JSON. It raises nothing."""

    async def summaries(self) -> Sequence[TerminalSummary]:
        """Return the figures of all terminals of the console's tokens."""

    def on_turn(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever trading of a terminal was halted or goes on."""


class CallRunner:
    """Runner of the calls of one stream.

    Args:
        console: verifies them, and knows its time.
        executor: of calls.
        sync: fetches the console's keys.
        say: tells the console an answer.

    """

    def __init__(
        self,
        console: ConsoleBook,
        executor: CallExecutor,
        sync: Callable[[], Awaitable[None]],
        say: Callable[[CallAnswer], Awaitable[None]],
    ) -> None:
        self._console = console
        self._executor = executor
        self._sync = sync
        self._say = say
        self.line = LineSecret()
        self._begun: dict[str, int] = {}
        """Deadlines by the id of the call."""
        self._running: set[asyncio.Task[None]] = set()
        self._slow = 0
        """Calls that are carried out, without halts."""

    def take(self, pushed: PushedCall) -> None:
        """Begin to carry a call out; returns at once."""
        if len(self._running) >= MAX_TAKEN:
            logger.warning("a call of the console is dropped: %d are under way", MAX_TAKEN)
            return
        task = asyncio.create_task(self._run(pushed.e))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Wait for what runs: an account must not be half registered. A login ends by itself."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=1)
        for task in tuple(self._running):
            task.cancel()

    async def _run(self, envelope: str) -> None:
        try:
            call = await self._verified(envelope)
            if call is None or not self._begin(call):
                return
            password = self.line.open(call) if call.sealed else ""
            status, body = await self._execute(call, password)
            answer = CallAnswer(cid=call.cid, status=status, body=body)
            # as it is sent: JSON within JSON grows by a backslash for each quote, and the console
            # counts bytes; it would end the stream, and with it what else is under way
            if len(answer.model_dump_json().encode()) > MAX_BODY_BYTES:
                answer = CallAnswer(cid=call.cid, status=502, body=TOO_LONG)
            await self._say(answer)
        except SealedFault as fault:
            logger.warning("a call of the console is refused: %s", fault)
        except Exception:  # the person is told that no answer came
            logger.exception("a call of the console could not be carried out")

    async def _execute(self, call: SignedCall, password: str) -> tuple[int, str]:
        """Have a call carried out; logins that hang keep no halt away."""
        if call.name == HALT:
            return await self._executor.execute(call, password)
        if self._slow >= MAX_CALLS:
            return 503, TOO_MANY
        self._slow += 1
        try:
            return await self._executor.execute(call, password)
        finally:
            self._slow -= 1

    async def _verified(self, envelope: str) -> SignedCall | None:
        try:
            return self._console.offers.call(envelope)
        except EnvelopeError:
            with suppress(ConsoleFailure):  # its key may be new
                await self._sync()
        try:
            return self._console.offers.call(envelope)
        except EnvelopeError as error:
            logger.warning("a call of the console is refused: %s", error)
            return None

    def _begin(self, call: SignedCall) -> bool:
        """Whether a call may be carried out; from then on it may not once more."""
        now_s = self._console.clock.now_s()
        self._begun = {cid: exp for cid, exp in self._begun.items() if exp > now_s}
        fault = ""
        if call.line != self.line.public:
            fault = "it is for another stream"
        elif now_s >= call.exp:
            fault = "its deadline is over"
        elif call.cid in self._begun:
            fault = "it came before"
        elif len(self._begun) >= MAX_IDS:
            fault = "there are too many"
        if fault:
            logger.warning("a call of the console is refused: %s", fault)
            return False
        self._begun[call.cid] = call.exp
        return True
