"""Witness of the audit trail: the console is told how far the trail goes, and keeps the newest.

What it has is compared with the trail before anything is told: a history that was written anew
while the gateway was off does not go together with it, and then nothing is told any more, so that
what the console has stays as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.credentials.daemon_api import TrailTold, Witness
from gateway.credentials.device import DeviceKey, SignedHead, open_head
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.keyset import public_key

from .http import ConsoleFailure, ConsoleHttp, ConsoleRefused

logger = logging.getLogger(__name__)

PATH = "/v1/daemon/trail"


class Rows(Protocol):
    """The rows of an audit trail."""

    def archived(self) -> int:
        """Return up to which row it is archived."""

    def hash_at(self, n: int) -> bytes | None:
        """Return the hash of a row; ``None`` if it is not there."""


class AuditTrailSource(Rows, Protocol):
    """The audit trail of this gateway."""

    def newest(self) -> tuple[int, str] | None:
        """Return the last row that was signed, and the envelope; ``None``: none was yet."""

    def signed_at(self, n: int, hashed: bytes) -> str:
        """Sign a row as it is."""

    def doubt(self, text: str) -> None:
        """Note that it is not the trail that the console knows."""


class NoTrail:
    """One that nobody keeps."""

    def newest(self) -> tuple[int, str] | None:
        return None

    def archived(self) -> int:
        return 0

    def hash_at(self, n: int) -> bytes | None:
        return None

    def signed_at(self, n: int, hashed: bytes) -> str:
        return ""

    def doubt(self, text: str) -> None:
        pass


def contradiction(told: TrailTold, device: DeviceKey, trail: Rows) -> str:
    """Return what is wrong with a trail, by what the console has of it; empty if nothing is."""
    for envelope in (*told.earlier, told.newest):
        if problem := _wrong_by(envelope, told, device, trail):
            return problem
    return ""


def _wrong_by(envelope: str, told: TrailTold, device: DeviceKey, trail: Rows) -> str:
    if not envelope:
        return ""
    try:
        head = open_head(envelope, public_key(device.public))
    except EnvelopeError:
        return ""  # not our word: it proves nothing
    if envelope == told.newest and told.contradicted_at is not None:
        return f"the console was told of row {head.n}, and later what does not go together with it"
    if head.did != device.did or head.n <= trail.archived():
        return ""
    found = trail.hash_at(head.n)
    if found is None:
        return f"the console knows row {head.n}, which is not there"
    return "" if found == head.hash else f"row {head.n} has another hash than the console knows"


async def ask(http: ConsoleHttp) -> TrailTold:
    """Return what the console has; see :class:`.http.ConsoleFailure` for what is raised."""
    return await http.get(PATH, TrailTold)


class WitnessLink:
    """Tells the console.

    Args:
        http: entered.
        device: of this home.
        trail: told of.
        met: waits until the console knows this device.
        gap_s: between two times.

    """

    def __init__(
        self,
        http: ConsoleHttp,
        device: DeviceKey,
        trail: AuditTrailSource,
        met: Callable[[], Awaitable[None]],
        gap_s: float,
    ) -> None:
        self._http = http
        self._device = device
        self._trail = trail
        self._met = met
        self._gap_s = gap_s
        self._theirs: SignedHead | None = None
        self._has_asked = False

    async def run(self) -> None:
        """Tell what is new now and then, until cancelled or until it is no use."""
        while True:
            await self._met()
            try:
                problem = await self._round()
            except ConsoleFailure as failure:
                if isinstance(failure, ConsoleRefused) and failure.word in ("", "not_found"):
                    return  # a console of before does not know of this
                logger.info("the console was not told of the audit trail: %s", failure)
            except Exception:  # what a console says, or a database, must not end the task
                logger.exception("the console was not told of the audit trail")
            else:
                if problem:
                    self._trail.doubt(problem)
                    return
            await asyncio.sleep(self._gap_s)

    async def _round(self) -> str:
        if not self._has_asked:
            told = await ask(self._http)
        elif (body := self._news()) is not None:
            told = await self._http.post(PATH, body, TrailTold)
        else:
            return ""
        problem = contradiction(told, self._device, self._trail)
        if told.newest and not problem:
            try:
                self._theirs = open_head(told.newest, public_key(self._device.public))
            except EnvelopeError:
                logger.info("what the console has of the audit trail was not signed here")
                self._has_asked = False
                return ""
        self._has_asked = True
        return problem

    def _news(self) -> Witness | None:
        newest, theirs = self._trail.newest(), self._theirs
        if newest is None or (theirs is not None and newest[0] <= theirs.n):
            return None
        if theirs is None:
            return Witness(newest=newest[1])
        if theirs.n <= self._trail.archived():
            return Witness(newest=newest[1], is_archived=True)
        hashed = self._trail.hash_at(theirs.n)
        if hashed is None:
            return None
        return Witness(newest=newest[1], before=self._trail.signed_at(theirs.n, hashed))
