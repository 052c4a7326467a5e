"""Bookings at an MT4 server by its operators, who see that the books are what they were told."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from gateway.home.home import Home
from gateway.storage.store import StoreError

from ..bookings import judge_bookings, rare_in
from ..broker_side import BrokerSide, furnish, log_in
from ..lives import CONFIG
from ..operators import Office, Operator
from ..plugins import Watcher, watcher
from ..world import World

OPERATORS = 40
"""So many bookings are under way at most."""
ORDERS_A_BOOKING = 20
"""One of so many orders of a run is a booking."""
LOOK_S = 0.02
"""Between two looks whether a booking is due."""


@watcher
class Bookings(Watcher):
    """The MT4 server, its link, and the operators."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        token = world.context("daemon").run(self._furnish)
        seed, folder = world.options.seed, world.folder
        context = world.context("mt4-server")
        self.side = context.run(BrokerSide, folder, token, seed, world.loop)
        self.office = Office(
            world.address, self._log_in, self._accuse, lambda: world.disk.has_failed
        )
        self.office.bearer = self._log_in()
        self.operators = [
            Operator(name, self.office, world.dice(name))
            for name in (f"operator-{number}" for number in range(OPERATORS))
        ]
        self._linking = world.loop.create_task(self.side.link.run(), context=context)
        self._pacing = world.loop.create_task(self._pace(), context=world.context("operators"))

    def after_life_begins(self, life: int, ready: Any) -> None:
        """Tell the peer where the daemon is."""
        self.side.link.port = int(ready["bridge"].rpartition(":")[2])

    def on_peace(self) -> None:
        """Let nothing fail any more."""
        self.side.behave()

    async def rest(self) -> None:
        """Wait until every booking has its end; judge them."""
        await self._pacing
        self._linking.cancel()
        await asyncio.wait((self._linking,))
        bookings = [booking for one in self.operators for booking in one.bookings]
        judge_bookings(bookings, self.side.truth, self.world.run.verdict)
        for booking in bookings:
            for name in rare_in(booking):
                self.world.sometimes(name)

    async def _pace(self) -> None:
        """Let one order in twenty be a booking, by whoever has none under way."""
        run, begun, idle = self.world.run, 0, deque(self.operators)
        booking: dict[asyncio.Task[None], Operator] = {}
        while run.begun < run.goal:
            while idle and run.begun >= begun * ORDERS_A_BOOKING and run.begin_other():
                begun += 1
                operator = idle.popleft()
                task = asyncio.create_task(operator.book(self.side.truth.logins))
                booking[task] = operator
            await asyncio.sleep(LOOK_S)
            for task in [task for task in booking if task.done()]:
                idle.append(booking.pop(task))
                task.result()
        await asyncio.gather(*booking)

    def _furnish(self) -> str:
        with Home(self.world.folder / "home", CONFIG.secrets.key_file) as home:
            return furnish(home)

    def _log_in(self) -> str:
        def issue() -> str:
            with Home(self.world.folder / "home", CONFIG.secrets.key_file) as home:
                return log_in(home)

        try:
            return self.world.context("daemon").run(issue)
        except StoreError:
            return ""  # the disk fails just now: the daemon will refuse it, and he tries again

    def _accuse(self, said: str) -> None:
        self.world.invariants.broken("operators", said)
