"""First contact: introduction of a terminal that is not known here to the console."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ea_bridge.protocol.messages import Auth, Hello
from ea_bridge.server import Admitted, CodeRejected, ConsoleChallenge, NotAdmitted, Relay, Waiting
from gateway.auth.gate import Gate
from gateway.credentials.daemon_api import (
    ApprovalVerdict,
    Confirm,
    Contact,
    ContactAnswer,
    ContactProof,
)

from .http import ConsoleFailure, ConsoleHttp, ConsoleRefused
from .status import PendingApproval, facts_of

logger = logging.getLogger(__name__)

POLL_S = 3.0
"""Between two questions whether a request was decided; an event comes sooner."""
MAX_OPEN = 64
"""Enrollments and requests remembered; more than the bridge has at a time."""
BUSY = "the console cannot be reached now"

T = TypeVar("T")


@dataclass(frozen=True)
class Machine:
    """Facts about this machine for the person who approves it."""

    public: str
    """Of the device's key."""
    os: str
    hostname: str
    version: str


class ConsoleEnroller:
    """The way of first contacts; see :class:`ea_bridge.server.Enroller`.

    Args:
        http: asks.
        machine: what is shown of it.
        gate: knows the token once its record is here.
        sync: fetches the records now.
        now_ms: UTC milliseconds.
        on_met: called when a terminal has made this machine known to the console, so that what
            is decided can be heard at once.

    """

    def __init__(
        self,
        http: ConsoleHttp,
        machine: Machine,
        gate: Gate,
        sync: Callable[[], Awaitable[None]],
        now_ms: Callable[[], int],
        on_met: Callable[[], None] = lambda: None,
    ) -> None:
        self._http = http
        self._machine = machine
        self._gate = gate
        self._sync = sync
        self._now_ms = now_ms
        self._on_met = on_met
        self._contacts: OrderedDict[str, Hello] = OrderedDict()
        self._requests: OrderedDict[str, tuple[Hello, PendingApproval]] = OrderedDict()
        self._changed = asyncio.Event()

    @property
    def pending(self) -> tuple[PendingApproval, ...]:
        """The requests that wait for a person."""
        now_ms = self._now_ms()
        return tuple(
            request for _, request in self._requests.values() if request.expires_ms > now_ms
        )

    def look(self) -> None:
        """Something has come from the console: those who wait for a decision look at once."""
        self._changed.set()
        self._changed = asyncio.Event()

    # --- Enroller --------------------------------------------------------------------------

    async def fetch_challenge(self, hello: Hello, snonce: str) -> ConsoleChallenge | NotAdmitted:
        """Ask for the proof with which to challenge the terminal."""
        machine = self._machine
        body = Contact(
            pub=machine.public,
            os=machine.os[:128],
            hostname=machine.hostname[:128],
            version=machine.version[:128],
            tid=hello.tid,
            terminal=facts_of(hello),
            cnonce=hello.cnonce.lower(),
            snonce=snonce.lower(),
        )
        try:
            answer = await self._http.post("/v1/daemon/contact", body, ContactAnswer)
        except ConsoleFailure as failure:
            return _no_way(failure)
        _keep(self._contacts, answer.eid, hello)
        return ConsoleChallenge(id=answer.eid, proof=answer.proof)

    async def prove(
        self, challenge: ConsoleChallenge, auth: Auth
    ) -> Admitted | Waiting | NotAdmitted:
        """Have the terminal's proof checked."""
        hello = self._contacts.pop(challenge.id, None)
        if hello is None:
            return NotAdmitted(code="busy", reason="too many first contacts at a time")
        body = ContactProof(client_proof=auth.proof.lower())
        path = f"/v1/daemon/contact/{challenge.id}"
        try:
            verdict = await self._http.post(path, body, ApprovalVerdict)
        except ConsoleFailure as failure:
            return _no_way(failure)
        if verdict.status == "pending":
            self._on_met()
            return self._wait(hello, verdict)
        return await self._decided(hello, verdict)

    async def outcome(self, waiting: Waiting) -> Admitted | NotAdmitted:
        """Wait until the request is decided."""
        hello, request = self._requests[waiting.id]
        try:
            while True:
                changed = self._changed
                verdict = await self._ask(waiting.id)
                if verdict is not None and verdict.status != "pending":
                    return await self._decided(hello, verdict, request)
                try:
                    async with asyncio.timeout(POLL_S):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            self._requests.pop(waiting.id, None)

    async def verify(self, waiting: Waiting, code: str) -> Admitted | CodeRejected | NotAdmitted:
        """Have the code of the mail checked."""
        return await self.confirm(code, waiting.id)

    async def confirm(self, code: str, rid: str = "") -> Admitted | CodeRejected | NotAdmitted:
        """The same for a code that was typed into this machine.

        Args:
            code: 8 digits.
            rid: of the request; empty for the one that waits.

        """
        if not rid:
            waiting = self.pending
            if len(waiting) != 1:
                reason = "several requests wait: approve on the page of the console"
                none = "no terminal of this machine waits for approval"
                return NotAdmitted(code="unknown", reason=reason if waiting else none)
            rid = waiting[0].rid
        hello, request = self._requests[rid]
        try:
            path = f"/v1/daemon/requests/{rid}/confirm"
            verdict = await self._http.post(path, Confirm(ecode=code), ApprovalVerdict)
        except ConsoleRefused as refused:
            return _wrong(refused)
        except ConsoleFailure as failure:
            return _no_way(failure)
        return await self._decided(hello, verdict, request)

    # --- verdicts ----------------------------------------------------------------------------

    def _wait(self, hello: Hello, verdict: ApprovalVerdict) -> Waiting | NotAdmitted:
        rid, code, url = verdict.rid, verdict.user_code, verdict.url
        if rid is None or code is None or url is None or verdict.expires_s is None:
            return NotAdmitted(code="busy", reason="the console does not say how to approve")
        request = PendingApproval(
            rid=rid,
            tid=hello.tid,
            platform=hello.platform,
            login=hello.login,
            server=hello.server,
            user_code=code,
            url=url,
            expires_ms=self._now_ms() + verdict.expires_s * 1000,
        )
        _keep(self._requests, rid, (hello, request))
        return Waiting(id=rid, user_code=code, url=url, expires_s=verdict.expires_s)

    async def _ask(self, rid: str) -> ApprovalVerdict | None:
        try:
            return await self._http.get(f"/v1/daemon/requests/{rid}", ApprovalVerdict)
        except ConsoleRefused as refused:
            if refused.status in (404, 410):
                return ApprovalVerdict(status="denied", code="refused")
            logger.warning("%s", refused)
        except ConsoleFailure as failure:
            logger.warning("%s", failure)
        return None

    async def _decided(
        self, hello: Hello, verdict: ApprovalVerdict, request: PendingApproval | None = None
    ) -> Admitted | NotAdmitted:
        if verdict.status == "approved":
            return await self._fetched(hello)
        code = verdict.code or "busy"
        if code == "refused" and request is not None and self._now_ms() >= request.expires_ms:
            return NotAdmitted(
                code="device_pending", reason="nobody approved this machine in time"
            )
        return NotAdmitted(code=code, reason=REASONS[code])

    async def _fetched(self, hello: Hello) -> Admitted | NotAdmitted:
        """Fetch what was approved, so that the gate knows it."""
        try:
            await self._sync()
        except ConsoleFailure as failure:
            return _no_way(failure)
        verdict = self._gate.admit_terminal(hello)
        if isinstance(verdict, Relay):
            return NotAdmitted(code="busy", reason="the approval has not arrived yet")
        return verdict


REASONS = {
    "unknown": "no such token, or its proof is wrong",
    "revoked": "the token was revoked: create a new one",
    "expired": "the token has expired: create a new one",
    "account_disabled": "the account of this token is disabled",
    "device_revoked": "this machine may not be used any more: approve it again in the console",
    "busy": "the console has too much to do: try later",
    "refused": "its owner has refused this machine",
}


def _keep(kept: OrderedDict[str, T], name: str, value: T) -> None:
    kept[name] = value
    if len(kept) > MAX_OPEN:
        kept.popitem(last=False)


def _no_way(failure: ConsoleFailure) -> NotAdmitted:
    logger.warning("%s", failure)
    if isinstance(failure, ConsoleRefused) and failure.word == "device_revoked":
        return NotAdmitted(code="device_revoked", reason=REASONS["device_revoked"])
    return NotAdmitted(code="busy", reason=BUSY)


def _wrong(refused: ConsoleRefused) -> CodeRejected | NotAdmitted:
    if refused.word == "wrong_code":
        left = refused.body.get("tries_left")
        return CodeRejected(tries_left=left if isinstance(left, int) and left > 0 else 0)
    if refused.status in (404, 410):
        return NotAdmitted(code="device_pending", reason="the request is over: dial again")
    return _no_way(refused)
