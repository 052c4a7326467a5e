"""Calls of people to their machines, and what the machines tell of their terminals.

Everything here lies in memory and nowhere else. A call is signed, put on the stream of its
machine, and answered within a minute or not at all: whoever asked waits for it. A broker's
password is sealed for the machine's end of that stream in the moment in which the form is read;
the console keeps it neither before nor after. Figures are those of machines whose stream ends in
this process: a console of several processes shows each machine where its stream is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from ea_bridge import host
from gateway.credentials.console_call import (
    HALT,
    MAX_BODY,
    MAX_CALL_S,
    MAX_HALTS,
    CallName,
    SignedCall,
    seal_for,
)
from gateway.credentials.daemon_api import CallAnswer, Summary, TerminalSummary
from gateway.credentials.record import AUDIENCE, MAX_SECONDS

from .errors import ConsoleError, Invalid
from .signing import ISSUER, Signing

MAX_WAITING: Final = 32
"""Calls to one machine that it has not answered; one more is refused, but for a halt."""
MAX_MACHINES: Final = 10_000
"""Whose figures are kept; beyond that those told longest ago are forgotten."""
MAX_TOLD: Final = 512
"""Terminals of one machine."""
MAX_FIGURES: Final = 50_000
"""Terminals of all machines together: a few hundred megabytes at most."""
FRESH_S: Final = 150
"""Figures that are older are no longer shown as what is: two and a half times the pace at which a
daemon tells them though nothing has changed."""

logger = logging.getLogger(__name__)


class MachineAway(ConsoleError):
    """Refusal of a call to a machine that has no stream, or gives no answer."""

    status = 503
    word = "machine_away"


@dataclass(frozen=True)
class MachineAnswer:
    """Answer of a machine: a status of HTTP, and what its JSON says."""

    status: int
    content: Any

    @property
    def problem(self) -> str:
        """What is wrong, in words; empty if nothing is."""
        if self.status < 400:
            return ""
        detail = self.content.get("detail") if isinstance(self.content, Mapping) else None
        if isinstance(detail, str) and detail:
            return _plain(detail)
        return "The machine refuses this: look at the fields."


class HaltAnswer(BaseModel):
    """A halt, as the answer to a call has it."""

    by: Annotated[str, Field(max_length=128)]
    since_ms: Annotated[int, Field(ge=0, le=MAX_SECONDS * 1000)]
    reason: Annotated[str, Field(max_length=200)]


_HALTS: Final = TypeAdapter(list[HaltAnswer])


@dataclass(frozen=True)
class Figures:
    """Figures of a terminal, and when they were heard, by the console's clock."""

    told: TerminalSummary
    heard_at: int
    money: TerminalSummary | None
    """The newest that has balance and equity; the terminal may have gone since."""
    money_at: int


@dataclass(eq=False)
class CallLine:
    """Way to a machine over its open stream."""

    key: str
    wake: Callable[[], None]
    waiting: deque[str] = field(default_factory=deque, repr=False)
    """Envelopes that the stream has not sent yet."""
    asked: dict[str, asyncio.Future[CallAnswer]] = field(default_factory=dict, repr=False)


class DaemonCalls:
    """Calls to machines by their streams, and their figures.

    Args:
        signing: signs what machines are asked.
        now_s: seconds since 1970.

    """

    def __init__(self, signing: Signing, now_s: Callable[[], int]) -> None:
        self._signing = signing
        self._now_s = now_s
        self._lines: dict[str, list[CallLine]] = {}
        self._figures: OrderedDict[str, dict[str, Figures]] = OrderedDict()
        self._kept = 0
        """Terminals in all of these."""
        self._manages: dict[str, bool] = {}

    # --- streams -----------------------------------------------------------------------------

    @contextmanager
    def line(self, did: str, key: str, wake: Callable[[], None]) -> Iterator[CallLine]:
        """Open the way to a machine while its stream lasts; of several the newest is used."""
        line = CallLine(key, wake)
        self._lines.setdefault(did, []).append(line)
        try:
            yield line
        finally:
            lines = self._lines[did]
            lines.remove(line)
            if not lines:
                del self._lines[did]
            for answer in line.asked.values():
                answer.cancel()

    def answered(self, line: CallLine, answer: CallAnswer) -> None:
        """Take the answer to a call; one that nobody waits for is dropped."""
        waiting = line.asked.get(answer.cid)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def told(self, did: str, summary: Summary) -> None:
        """Keep what a machine tells of its terminals."""
        now_s = self._now_s()
        kept = self._figures.setdefault(did, {})
        self._figures.move_to_end(did)
        self._kept -= len(kept)
        for one in summary.terminals:
            before = kept.pop(one.tid, None)
            money, money_at = (before.money, before.money_at) if before else (None, 0)
            if one.balance is not None and one.equity is not None:
                money, money_at = one, now_s
            kept[one.tid] = Figures(one, now_s, money, money_at)
        while len(kept) > MAX_TOLD:
            kept.pop(next(iter(kept)))
        self._kept += len(kept)
        self._manages[did] = summary.manages
        while len(self._figures) > MAX_MACHINES or self._kept > MAX_FIGURES:
            forgotten, figures = self._figures.popitem(last=False)
            self._kept -= len(figures)
            self._manages.pop(forgotten, None)

    def turned(self, did: str, tid: str, content: Any) -> None:
        """Keep what a machine answers of a terminal's halts, until it tells its figures anew."""
        figures = self._figures.get(did, {}).get(tid)
        halts = content.get("halts") if isinstance(content, Mapping) else None
        if figures is None or not isinstance(halts, list):
            return
        try:
            first = _HALTS.validate_python(halts[:1])
        except ValidationError:
            return
        halt = {
            "halted_by": first[0].by if first else "",
            "halted_at": first[0].since_ms // 1000 if first else None,
            "halt_reason": first[0].reason if first else "",
        }
        told = figures.told.model_copy(update=halt)
        self._figures[did][tid] = replace(figures, told=told, heard_at=self._now_s())

    # --- what is known -----------------------------------------------------------------------

    def figures(self, did: str, tid: str) -> Figures | None:
        """Return the newest figures of a terminal; whose it is the caller has checked."""
        return self._figures.get(did, {}).get(tid)

    def manages(self, did: str) -> bool | None:
        """Whether accounts may be managed on a machine; ``None`` where it has not said."""
        return self._manages.get(did)

    def is_there(self, did: str) -> bool:
        """Whether a machine has a stream that takes calls."""
        return did in self._lines

    # --- calls -------------------------------------------------------------------------------

    async def ask(
        self,
        did: str,
        tid: str,
        name: CallName,
        *,
        account_id: int | None = None,
        body: Mapping[str, Any] | None = None,
        password: str = "",
        wait_s: int = 10,
    ) -> MachineAnswer:
        """Ask a machine in the name of a token, and wait for its answer.

        Args:
            did: of the machine.
            tid: of the token; that both are the person's the caller has checked.
            name: of the call.
            account_id: that it is about.
            body: without any password.
            password: of the broker, sealed before anything else is done with it.
            wait_s: until then the machine must have begun, and answered.

        Raises:
            MachineAway: it has no stream, or did not answer; it may have done what was asked.
            Invalid: there is more in it than a call can carry.

        """
        line = self._line(did, MAX_WAITING + (MAX_HALTS if name == HALT else 0))
        cid = f"cc-{host.token_urlsafe(16)}"
        try:
            sealed = seal_for(line.key, cid, password) if password else ""
        except ValueError:  # a key that no daemon makes
            raise MachineAway("The machine's connection cannot carry a password.") from None
        text = "" if body is None else orjson.dumps(body).decode()
        now_s = self._now_s()
        # in bytes: an envelope's bound counts those
        if len(text.encode()) > MAX_BODY:
            raise Invalid("That is more than can be sent at once: name fewer symbols.")
        call = SignedCall(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            did=did,
            tid=tid,
            line=line.key,
            cid=cid,
            name=name,
            account_id=account_id,
            body=text,
            sealed=sealed,
            iat=now_s,
            exp=now_s + min(wait_s, MAX_CALL_S),
        )
        envelope = await self._signing.sign("call", call.model_dump(mode="json"))
        answer = await self._carry(did, line, cid, envelope, wait_s)
        content = None
        if answer.body:
            try:
                content = orjson.loads(answer.body)
            except ValueError:
                raise MachineAway("The machine's answer cannot be read.") from None
        return MachineAnswer(answer.status, content)

    def _line(self, did: str, most: int) -> CallLine:
        lines = self._lines.get(did)
        if not lines:
            raise MachineAway(
                "The machine is not connected, or its version is too old for this: see that "
                "its gateway runs, then try again."
            )
        line = lines[-1]
        if len(line.asked) >= most:
            raise MachineAway("The machine has too much to answer: try again in a moment.")
        return line

    async def _carry(
        self, did: str, line: CallLine, cid: str, envelope: str, wait_s: int
    ) -> CallAnswer:
        # it may have ended while the call was signed
        if line not in self._lines.get(did, ()):
            raise MachineAway("The machine's connection has just ended: try again.")
        answer: asyncio.Future[CallAnswer] = asyncio.get_running_loop().create_future()
        line.asked[cid] = answer
        line.waiting.append(envelope)
        line.wake()
        try:
            await asyncio.wait((answer,), timeout=wait_s)
            if answer.cancelled() or not answer.done():
                raise MachineAway(
                    "The machine has not answered. It may have done it all the same: look before "
                    "you try again."
                )
            return answer.result()
        finally:
            line.asked.pop(cid, None)
            with suppress(ValueError):  # if it was not sent yet, nobody waits for it any more
                line.waiting.remove(envelope)


def _plain(text: str) -> str:
    """Return what a program on somebody's machine says, as one short line."""
    return "".join(c if c.isprintable() else " " for c in text[:300])
