"""Orders of TradingView alerts, as the console hands them down over the stream.

The console tells an alert until it has heard what became of it. Each is executed under its own
``client_order_id``, so that one that is told twice is one order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

from gateway.auth.console_snapshot import ConsoleBook
from gateway.credentials.alert import AlertOrder
from gateway.credentials.daemon_api import AlertOutcome, PushedAlert
from gateway.credentials.envelope import EnvelopeError

from .http import ConsoleFailure

MAX_AT_ONCE: Final = 32
"""Alerts that are carried out at a time; one more is refused, or told again later."""
REMEMBERED: Final = 512
"""Ends that are told anew without asking anybody."""

logger = logging.getLogger(__name__)


class AlertExecutor(Protocol):
    """Executes alerts as calls of their tokens."""

    async def execute(
        self, alert: AlertOrder, left_s: float, *, again: bool
    ) -> AlertOutcome | None:
        """Carry an alert out, or find out what became of it.

        Args:
            alert: verified.
            left_s: until its deadline, by the console's clock; 0 or less when that is over.
            again: it was told before, so that it may be carried out already.

        Returns:
            What became of it; ``None`` where that cannot be told now.

        """


class AlertRunner:
    """Runner of the alerts that the stream brings.

    Args:
        console: verifies them, and knows its time.
        executor: of alerts.
        sync: fetches the console's keys.
        say: tells the console an outcome; what is lost on the way is asked for again.

    """

    def __init__(
        self,
        console: ConsoleBook,
        executor: AlertExecutor,
        sync: Callable[[], Awaitable[None]],
        say: Callable[[AlertOutcome], Awaitable[None]],
    ) -> None:
        self._console = console
        self._executor = executor
        self._sync = sync
        self._say = say
        self._running: dict[str, asyncio.Task[None]] = {}
        """Tasks by the envelope of the alert."""
        self._ends: OrderedDict[str, AlertOutcome] = OrderedDict()

    def take(self, pushed: PushedAlert) -> None:
        """Begin to carry an alert out; returns at once."""
        # told again while it runs: its end will be said, on whatever stream is open then
        if pushed.e in self._running:
            return
        if len(self._running) >= MAX_AT_ONCE:
            logger.warning("an alert waits: %d are being carried out", MAX_AT_ONCE)
            return
        task = asyncio.create_task(self._run(pushed))
        self._running[pushed.e] = task
        task.add_done_callback(lambda _: self._running.pop(pushed.e, None))

    async def stop(self) -> None:
        """End what runs; an order that was sent stands in the journal."""
        tasks = tuple(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, pushed: PushedAlert) -> None:
        try:
            alert = await self._verified(pushed.e)
            if alert is None:
                return
            end = self._ends.get(alert.aid)
            if end is None or end.outcome == "unknown":
                again = pushed.again or end is not None
                left_s = alert.exp - self._console.clock.now_s()
                end = await self._executor.execute(alert, left_s, again=again)
            if end is not None:
                self._keep(end)
                await self._say(end)
        except Exception:  # the console asks again
            logger.exception("an alert could not be carried out")

    async def _verified(self, envelope: str) -> AlertOrder | None:
        try:
            return self._console.offers.alert(envelope)
        except EnvelopeError:
            with suppress(ConsoleFailure):  # its key may be new
                await self._sync()
        try:
            return self._console.offers.alert(envelope)
        except EnvelopeError as error:
            logger.warning("an alert from the console is refused: %s", error)
            return None

    def _keep(self, end: AlertOutcome) -> None:
        self._ends[end.aid] = end
        while len(self._ends) > REMEMBERED:
            self._ends.popitem(last=False)
