"""Operators of an MT4 broker, who book as careless programs do.

They give up waiting, ask twice at once, ask again though they have their answer, use a key for
another request by mistake; each asks until it is told an end, or that nothing was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from .bookings import DONE, LATER, NO_DISK, REFUSED, Booking, draw_booking
from .bots import Address
from .rest_wire import RestAnswer, RestWire

ANSWER_S = 60.0
KEY_REUSED = "key_reused"
MAX_TRIES = 400


@dataclass
class Office:
    """What the operators share: where the daemon is, and who they are.

    Attributes:
        address: of the daemon.
        bearer: access token.
        log_in: returns another one, where that has expired.
        accuse: takes what is wrong.
        has_disk_failed: whether the daemon may be unable to use its database.

    """

    address: Address
    log_in: Callable[[], str]
    accuse: Callable[[str], None]
    has_disk_failed: Callable[[], bool] = lambda: False
    bearer: str = ""

    @property
    def port(self) -> int:
        """Return where the daemon listens, or has; 0 before the first."""
        url = self.address.url
        return int(url.split(":")[2].split("/")[0]) if url else 0

    def is_to_wait(self, answer: RestAnswer) -> bool:
        """Whether an answer says that the same is to be asked for again, later."""
        return answer.status in LATER or (answer.status == NO_DISK and self.has_disk_failed())


class Operator:
    """Operator of an MT4 broker: makes bookings, and repeats what got no answer."""

    def __init__(self, name: str, office: Office, dice: Random) -> None:
        self.name = name
        self.bookings: list[Booking] = []
        self._office, self._dice = office, dice
        self._wires = [RestWire() for _ in range(3)]

    async def book(self, logins: list[int]) -> None:
        """Have one booking made, or be told that it is not."""
        booking = draw_booking(f"{self.name}-{len(self.bookings)}", logins, self._dice)
        self.bookings.append(booking)
        gives_up = self._dice.random() < 0.1
        for tries in range(MAX_TRIES):
            await self._try(booking)
            if booking.end in ("done", "refused", "lost"):
                break
            if booking.end == "not_sent" and gives_up and not booking.is_open:
                return
            await self._pause(tries)
        else:
            self._office.accuse(f"{booking.label} has no end after {MAX_TRIES} tries")
        dice = self._dice.random()
        if dice < 0.1:
            await self._ask_again(booking)
        elif dice < 0.15 and booking.end == "done":
            await self._use_key_again(booking)

    async def _pause(self, tries: int) -> None:
        """Wait before the next try, the longer the more there were."""
        await asyncio.sleep(self._dice.uniform(0.0, 0.02 * min(tries + 1, 50)))

    async def _try(self, booking: Booking) -> None:
        """Ask once, or several times at once; wait for long, or not long enough."""
        if self._dice.random() < 0.95:
            await self._office.address.up.wait()
        dice = self._dice.random()
        timeout_s = self._dice.uniform(0.001, 0.1) if dice < 0.08 else ANSWER_S
        copies = self._dice.choice((2, 3)) if dice > 0.9 else 1
        asking = (
            self._ask(wire, booking, booking.body, timeout_s) for wire in self._wires[:copies]
        )
        answers = await asyncio.gather(*asking)
        booking.rounds.append([self._heard(booking, one) for one in answers])

    async def _ask(
        self, wire: RestWire, booking: Booking, body: Mapping[str, Any], timeout_s: float
    ) -> RestAnswer | None:
        office = self._office
        if not office.port:
            return None
        headers = {
            "Authorization": f"Bearer {office.bearer}",
            "Idempotency-Key": booking.label,
        }
        return await wire.ask(office.port, booking.request, headers, body, timeout_s)

    def _heard(self, booking: Booking, answer: RestAnswer | None) -> RestAnswer | None:
        """Return what an answer tells of a booking; ``None``: nothing."""
        if answer is not None and answer.status == 401:
            self._office.bearer = self._office.log_in()
            return None  # nothing was looked at but the token
        if answer is None or self._office.is_to_wait(answer):
            return answer
        if answer.status not in (*DONE, REFUSED):
            self._office.accuse(f"{booking.label} was answered {answer.status} {answer.body}")
        return answer

    async def _ask_again(self, booking: Booking) -> None:
        """Ask though there is an end: it may have been forgotten."""
        before = booking.end
        for tries in range(MAX_TRIES):
            await self._try(booking)
            if booking.end in ("done", "refused", "lost"):
                break
            await self._pause(tries)
        if before in ("done", "lost") and booking.end != before:
            self._office.accuse(f"{booking.label} was {before}, and is {booking.end} now")

    async def _use_key_again(self, booking: Booking) -> None:
        """Ask for something else with a key that was used: it must be refused."""
        (name,) = {"comment", "name", "city"} & booking.body.keys()
        other = {**booking.body, name: "another"}
        for tries in range(MAX_TRIES):
            answer = await self._ask(self._wires[0], booking, other, ANSWER_S)
            is_later = answer is None or self._office.is_to_wait(answer)
            if answer is not None and answer.status != 401 and not is_later:
                break
            if answer is not None and answer.status == 401:
                self._office.bearer = self._office.log_in()
            await self._pause(tries)
        else:
            return
        if answer.status != 422 or answer.body["detail"][0]["type"] != KEY_REUSED:
            self._office.accuse(f"{booking.label} with {other} was answered {answer}")
