"""Enrollment of a terminal that this daemon does not know, through the console.

Theory of operation
===================

The one place of the server that awaits. Each such terminal has one task, which carries its
handshake to the console (see :mod:`.authorizer`) and, while a person decides, its codes; the task
ends when its link does, and the server's end waits for it.

Anybody on this machine can dial with a token that nobody knows, so what costs the console
something is bounded: :data:`MAX_ENROLLMENTS` at a time, of which one that led to nothing keeps its
place for :data:`REST_S`. Who waits for approval has proved to the console that he holds the token;
of these there is one a token, the newest, and :data:`MAX_WAITING` in all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import msgspec

from ea_bridge.protocol.messages import Auth, Hb, Hello, Message, Pending, Verify
from ea_bridge.registry import PendingTerminal, TerminalRegistry
from ea_bridge.session import Liveness, TimerHandle, Timers

from .authorizer import Admitted, CodeRejected, Enroller, NotAdmitted, Waiting

ENROLLMENT_S = 15.0
"""From ``hello`` to the console's verdict, the terminal's ``auth`` included."""
MAX_ENROLLMENTS = 8
"""Handshakes that are being relayed; who comes then is told ``busy``."""
REST_S = 2.0
"""Time for which an enrollment that led to nothing still counts: strangers make the console four
requests a second at most."""
MAX_WAITING = 32
"""Terminals that wait for approval."""
MAX_TRIES = 5
"""Codes that one link may send."""
GRACE_S = 5.0
"""Difference of the console's clock from ours that is allowed when a request runs out."""

BUSY_RETRY_MS = 5_000
ENROLLMENT_RETRY_MS = 60_000
"""Least time to the next hello once the console has judged a proof."""
RAN_OUT_RETRY_MS = 300_000
"""After a request that nobody answered; doubled with each further one. The console sends 3 mails
an hour for a token and 10 a day to a person: a terminal that nobody looks after asks for 3 in
the first hour and 9 on the first day. A new start of the EA asks at once."""
REFUSED_RETRY_MS = 6 * 3_600_000
"""After a person has said no; and the most that a request without an answer leads to."""
MAX_REMEMBERED = 256
"""Tokens whose unanswered requests are counted."""

Verdict = Admitted | NotAdmitted
logger = logging.getLogger(__name__)


class PendingPeer(Protocol):
    """Link of a peer that waits to be let in. After its end none of these does anything."""

    def challenge(self, proof: str) -> None:
        """Send the challenge with the console's proof."""

    def say(self, message: Message) -> None:
        """Say something."""

    def admit(self, admitted: Admitted, auth: Auth) -> None:
        """Go on as with any token that is known here."""

    def deny(self, code: str, reason: str, retry_ms: int) -> None:
        """Say ``denied`` and close."""

    def say_bye(self, code: str) -> None:
        """Say ``bye`` and close."""

    def cut_off(self) -> None:
        """End the connection at once."""


class Enrollments:
    """Enrollments of one server.

    Args:
        enroller: the way to the console.
        registry: is told who waits for approval.
        timers: the clock.
        now_ms: UTC milliseconds.

    """

    def __init__(
        self,
        enroller: Enroller,
        registry: TerminalRegistry,
        timers: Timers,
        now_ms: Callable[[], int],
    ) -> None:
        self.enroller = enroller
        self.timers = timers
        self.now_ms = now_ms
        self._registry = registry
        self._relayed: set[Enrollment] = set()
        self._resting = 0
        self._waiting: dict[str, Enrollment] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unanswered: OrderedDict[str, int] = OrderedDict()

    def begin(self, peer: PendingPeer, hello: Hello, snonce: str) -> Enrollment | None:
        """Begin the enrollment of a terminal; ``None`` if there is no room."""
        is_full = len(self._waiting) >= MAX_WAITING and hello.tid not in self._waiting
        if is_full or len(self._relayed) + self._resting >= MAX_ENROLLMENTS:
            return None
        enrollment = Enrollment(self, peer, hello, snonce)
        self._relayed.add(enrollment)
        self._tasks.add(enrollment.task)
        enrollment.task.add_done_callback(self._tasks.discard)
        return enrollment

    def proved(self, enrollment: Enrollment) -> None:
        """Note that the console knows its token: it is no stranger."""
        self._relayed.discard(enrollment)

    def waits(self, enrollment: Enrollment, pending: PendingTerminal) -> None:
        """Note that a person is asked; an older link with the same token goes."""
        older = self._waiting.pop(pending.hello.tid, None)
        self._waiting[pending.hello.tid] = enrollment
        self._registry.await_approval(pending)
        if older is not None:
            # last: its end must not remove the newer one's entry
            older.replace()

    def ended(self, enrollment: Enrollment) -> None:
        """Note that its link is gone, or that it leads to nothing more."""
        if self._waiting.get(enrollment.hello.tid) is enrollment:
            del self._waiting[enrollment.hello.tid]
            self._registry.end_approval(enrollment.hello.tid)
        if enrollment in self._relayed:
            # its place stays taken for a while, or strangers could ask the console without end
            self._relayed.remove(enrollment)
            self._resting += 1
            self.timers.call_later(REST_S, self._rested)

    def approved(self, tid: str) -> None:
        """Forget how often the approval of ``tid`` timed out: a person has approved it."""
        self._unanswered.pop(tid, None)

    def ran_out(self, tid: str) -> int:
        """Note that the approval of ``tid`` timed out; return its next wait in milliseconds."""
        times = self._unanswered.pop(tid, 0)
        self._unanswered[tid] = times + 1
        if len(self._unanswered) > MAX_REMEMBERED:
            self._unanswered.popitem(last=False)
        # the shift is bounded as well: a number of a thousand bits helps nobody
        return min(RAN_OUT_RETRY_MS << min(times, 16), REFUSED_RETRY_MS)

    async def stop(self) -> None:
        """Return when all tasks have ended; their links are gone."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))

    def _rested(self) -> None:
        self._resting -= 1


class Enrollment:
    """One terminal on its way to the console and back."""

    def __init__(
        self, enrollments: Enrollments, peer: PendingPeer, hello: Hello, snonce: str
    ) -> None:
        self.hello = hello
        self._enrollments = enrollments
        self._enroller = enrollments.enroller
        self._peer = peer
        self._snonce = snonce
        self._timers = enrollments.timers
        self._auth: asyncio.Future[Auth] = asyncio.get_running_loop().create_future()
        # never full: codes are counted before they are put in
        self._codes: asyncio.Queue[str] = asyncio.Queue(MAX_TRIES)
        self._tries = 0
        self._liveness: Liveness | None = None
        self._expires_at = 0.0
        self._deadline: TimerHandle = self._timers.call_later(ENROLLMENT_S, self._late)
        self.task = asyncio.create_task(self._run())

    @property
    def is_waiting(self) -> bool:
        """Whether the terminal has shown whose it is and was told to wait: it sends heartbeats."""
        return self._liveness is not None

    def handle(self, message: Message) -> None:
        """Handle a message of the terminal after its hello."""
        if self._liveness is not None:
            self._liveness.heard()
        if isinstance(message, Auth) and not self._auth.done():
            self._auth.set_result(message)
        elif isinstance(message, Verify):
            self._try(message.code)

    def replace(self) -> None:
        """Say goodbye: a newer link waits with the same token."""
        self._peer.say_bye("replaced")

    def end(self) -> None:
        """Stop: the link is closed or about to be."""
        self._deadline.cancel()
        if self._liveness is not None:
            self._liveness.stop()
        if asyncio.current_task() is not self.task:  # a task that ends its link ends by itself
            self.task.cancel()
        self._enrollments.ended(self)

    # --- the way to the console ----------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._lead()
        except Exception:
            logger.exception("an enrollment failed")
            self._peer.deny("busy", "the console cannot be asked", ENROLLMENT_RETRY_MS)

    async def _lead(self) -> None:
        challenge = await self._enroller.fetch_challenge(self.hello, self._snonce)
        if isinstance(challenge, NotAdmitted):
            self._peer.deny(challenge.code, challenge.reason, challenge.retry_ms)
            return
        self._peer.challenge(challenge.proof)
        auth = await self._auth
        verdict = await self._enroller.prove(challenge, auth)
        if isinstance(verdict, NotAdmitted):
            self._refuse(verdict)
            return
        # from here on a person decides, who may take longer than a program
        self._deadline.cancel()
        self._enrollments.proved(self)
        if isinstance(verdict, Admitted):
            self._peer.admit(verdict, auth)
        else:
            self._decide(await self._approval(verdict))

    def _decide(self, verdict: Verdict) -> None:
        if isinstance(verdict, Admitted):
            logger.info("terminal %s is approved on this machine", verdict.terminal)
            self._enrollments.approved(self.hello.tid)
            self._peer.say_bye("approved")
        elif verdict.code == "refused" and self._remaining_s() <= GRACE_S:
            self._run_out()  # for a console that does not tell the two apart
        else:
            self._refuse(verdict)

    def _refuse(self, refused: NotAdmitted) -> None:
        least_ms = ENROLLMENT_RETRY_MS
        if refused.code == "device_pending":
            least_ms = self._enrollments.ran_out(self.hello.tid)
        elif refused.code == "refused":
            least_ms = REFUSED_RETRY_MS
        self._peer.deny(refused.code, refused.reason, max(refused.retry_ms, least_ms))

    def _late(self) -> None:
        logger.info("an enrollment took too long")
        self._peer.deny("busy", "the console did not answer in time", ENROLLMENT_RETRY_MS)

    # --- waiting for a person --------------------------------------------------------------

    async def _approval(self, waiting: Waiting) -> Verdict:
        self._expires_at = self._timers.time() + waiting.expires_s
        self._deadline = self._timers.call_later(waiting.expires_s + GRACE_S, self._run_out)
        self._peer.say(self._pending(waiting))
        since_ms = self._enrollments.now_ms()
        self._enrollments.waits(
            self,
            PendingTerminal(
                hello=self.hello,
                since_ms=since_ms,
                user_code=waiting.user_code,
                url=waiting.url,
                expires_ms=since_ms + waiting.expires_s * 1000,
            ),
        )
        self._liveness = Liveness(self._timers, self._beat, _nothing, self._peer.cut_off)
        self._liveness.start()
        async with asyncio.TaskGroup() as group:
            ways = (
                group.create_task(self._enroller.outcome(waiting)),
                group.create_task(self._check_codes(waiting)),
            )
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        verdicts = [way.result() for way in ways if not way.cancelled()]
        # both may end in one turn of the loop: a yes counts, whichever way it came
        return next(
            (verdict for verdict in verdicts if isinstance(verdict, Admitted)), verdicts[0]
        )

    async def _check_codes(self, waiting: Waiting) -> Verdict:
        while True:
            verdict = await self._check(waiting, await self._codes.get())
            if isinstance(verdict, CodeRejected):
                logger.info("a wrong code for token %s", self.hello.tid)
                left = min(verdict.tries_left, MAX_TRIES - self._tries)
                self._peer.say(self._pending(waiting, "wrong_code", left))
            elif isinstance(verdict, NotAdmitted) and verdict.code == "busy":
                self._peer.say(self._pending(waiting, "busy"))
            else:
                return verdict

    async def _check(self, waiting: Waiting, code: str) -> Admitted | CodeRejected | NotAdmitted:
        try:
            return await self._enroller.verify(waiting, code)
        except Exception:
            logger.exception("a code cannot be checked")
            return NotAdmitted(code="busy", reason="the console cannot be asked")

    def _try(self, code: str) -> None:
        self._tries += 1
        if self._tries > MAX_TRIES:
            self._peer.deny("busy", "too many codes", ENROLLMENT_RETRY_MS)
        else:
            self._codes.put_nowait(code)

    def _pending(self, waiting: Waiting, error: str = "", left: int | None = None) -> Pending:
        said = {
            "user_code": waiting.user_code,
            "url": waiting.url,
            "expires_s": max(0, round(self._remaining_s())),
            "error": error,
            "tries_left": left,
        }
        return msgspec.convert(said, Pending)  # the console's words: an EA must be able to read it

    def _remaining_s(self) -> float:
        return self._expires_at - self._timers.time()

    def _run_out(self) -> None:
        self._refuse(
            NotAdmitted(code="device_pending", reason="nobody approved this machine in time")
        )

    def _beat(self, n: int) -> None:
        self._peer.say(Hb(n=n))


def _nothing() -> None:
    """Do nothing: silence that is not yet too long changes nothing for a peer that waits."""
