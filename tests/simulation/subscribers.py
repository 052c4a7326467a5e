"""Subscribers: clients of ``/ws`` that listen to all that is said of trading, and are judged.

Each listens to one terminal after the other, as docs/api.md says: it subscribes, goes on after a
lost connection from the last event it has (``since``), answers pings. At times it reads nothing
for a while, vanishes, says goodbye, or ends a channel and takes it up again. What it is told goes
to a :class:`~.stream_judge.ChannelCopy` for each channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from .stream_judge import ChannelCopy, StreamRecord
from .stream_session import ANSWER_S, CHANNELS, ListenedTerminal, StreamSession
from .stream_wire import Refused

PATIENCE = (5, 20, 60, 150)
"""Events, after one of which many a subscriber does something else than to listen."""
QUIET_S = (0.05, 0.3, 2.0, 10.0)
"""Seconds without so many events, after which it does so too."""
AWAY_S = (0.0, 0.0, 0.0, 0.01, 0.01, 0.02, 0.05, 0.05, 0.2, 1.0)
"""Seconds between two connections."""
SLOW_S = (0.01, 0.01, 0.05, 0.2, 1.0)
"""Seconds for which somebody reads nothing, until then or later."""
SLOW_CHANGES = (0, 0, 0, 15, 40, 100)
"""Changes of the account for which somebody reads nothing: with the last it is too slow."""
SLOWEST_S = 30.0
"""No longer than that, if nothing happens."""
NARROW_BYTES = 1024
"""What the computer of a narrow subscriber takes in while nobody reads."""
SILENT_S = 40.0
"""Without even a ping, after which a connection is taken to be broken."""
SPARE_SHARE = 0.3
"""Of the connections: with a token that somebody may end."""


JOINED_SHARE = 0.4
"""Of the connections: events that are sent together come in one frame, at first."""


@dataclass
class Place:
    """Where the daemon is, as somebody hears who is told of each life."""

    port: int = 0
    life: int = 0
    """Number of the life; 0 before the first."""


class Subscriber:
    """Subscriber of ``/ws``: listens to one terminal at a time and checks what it is told.

    Args:
        name: for what is wrong.
        listened: the terminals it may listen to.
        place: of the daemon.
        record: of the run.
        dice: of all that it does.
    """

    def __init__(
        self,
        name: str,
        listened: Sequence[ListenedTerminal],
        place: Place,
        record: StreamRecord,
        dice: Random,
    ) -> None:
        self.name = name
        self.listened = listened[0]
        self.session: StreamSession | None = None
        """The connection, while there is one."""
        self.connections = 0
        self._listened, self._place, self._record, self._dice = listened, place, record, dice
        self._copies: dict[str, ChannelCopy] = {}
        self._is_at_rest = False
        self._sit()

    def copy_of(self, channel: str) -> ChannelCopy | None:
        """Return what it knows of a channel, while it listens to that and reads what comes."""
        session = self.session
        if session is None or session.wire.is_paused or session.wire.over.done():
            return None
        return None if channel in session.lacks else self._copies.get(channel)

    # --- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            session = await self._connect()
            if session is None:
                await asyncio.sleep(self._dice.uniform(0.005, 0.05))
                continue
            self.session = session
            self.connections += 1
            await self._listen(session)
            session.check_end()
            self.session = None
            if self._is_at_rest:
                continue
            await asyncio.sleep(self._dice.choice(AWAY_S))
            if self._dice.random() < 0.1:
                self._sit()

    async def rest(self) -> None:
        """Do nothing any more but listen; return when it is sure to be heard, or dials anew."""
        self._is_at_rest = True
        if self.session is not None:
            self.session.wire.resume()
            await self.session.subscribe_again()

    def finish(self) -> None:
        """Compare what is known at the end, after the rest."""
        if self.session is None or not self._copies:
            self._accuse("not connected at the end")
            return
        for copy in self._copies.values():
            copy.finish()
        truth, account = self.listened.truth, self._copies["account"].data
        if account.get("balance") != truth.balance:
            self._accuse(f"the last balance was {account}, and is {truth.balance}")
        told = self._copies["terminal"].data
        if (told.get("state"), told.get("broker_connected")) != ("ready", True):
            self._accuse(f"the terminal is ready, and was said to be {told}")

    def _accuse(self, said: str) -> None:
        self._record.accuse(f"{self.name} at {self.listened.name}", said)

    def _sit(self) -> None:
        """Take another terminal, with no memory of what was told before."""
        self.listened = self._dice.choice(self._listened)
        self._copies = {}

    # --- a connection ----------------------------------------------------------------------------

    async def _connect(self) -> StreamSession | None:
        listened, place = self.listened, self._place
        token = listened.tokens[listened.name]
        if self._dice.random() < SPARE_SHARE:
            token = listened.spare_tokens.get(listened.name, token)
        session = StreamSession(
            self.name, listened, token, place.port, place.life, self._copies, self._record
        )
        wire = session.wire
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: wire, "127.0.0.1", place.port
            )
            async with asyncio.timeout(ANSWER_S):
                await wire.opened
        except (OSError, TimeoutError, Refused):
            wire.vanish()
            return None
        return session

    async def _listen(self, session: StreamSession) -> None:
        """Listen to one connection until it is over."""
        wire, loop = session.wire, asyncio.get_running_loop()
        if self._dice.random() < JOINED_SHARE:
            await session.join_events(is_on=True)
        await session.subscribe(CHANNELS)
        while not wire.over.done():
            session.enough = loop.create_future()
            session.events_left = self._dice.choice(PATIENCE)
            await asyncio.wait(
                (wire.over, session.enough),
                timeout=self._dice.choice(QUIET_S),
                return_when=asyncio.FIRST_COMPLETED,
            )
            session.check_revoked()
            if not (wire.over.done() or self._is_at_rest):
                await self._act(session)
            if loop.time() - wire.heard_s > SILENT_S:
                wire.vanish()
            elif missing := session.lacks:
                await session.subscribe(missing)

    async def _act(self, session: StreamSession) -> None:
        """Do something that the gateway must bear."""
        wire, dice = session.wire, self._dice.random()
        if dice < 0.1:
            wire.vanish()
        elif dice < 0.16:
            wire.close()
        elif dice < 0.35:
            await self._be_slow(session)
        elif dice < 0.45:
            channel = self._dice.choice(CHANNELS)
            await session.unsubscribe(channel)
            await session.subscribe([channel])
        elif dice < 0.5:
            await session.subscribe_again()  # it has forgotten that
        elif dice < 0.55:
            await session.join_events(is_on=self._dice.random() < 0.5)

    async def _be_slow(self, session: StreamSession) -> None:
        """Read nothing for a while, on a computer that takes in little or much."""
        wire, loop, truth = session.wire, asyncio.get_running_loop(), self.listened.truth
        is_narrow = self._dice.random() < 0.5
        if is_narrow:
            wire.narrow(NARROW_BYTES)
        until_s, until = loop.time() + SLOWEST_S, truth.count + self._dice.choice(SLOW_CHANGES)
        wire.pause()
        while True:
            await asyncio.wait((wire.over,), timeout=self._dice.choice(SLOW_S))
            if wire.over.done() or truth.count >= until or loop.time() >= until_s:
                break
        wire.resume()
        if is_narrow:
            await session.count_merged()
