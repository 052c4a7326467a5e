"""Link that keeps the daemon in step with its console, and the stream of events it hears.

Theory of operation
===================

Three tasks. One keeps the stream open, over which the console says at once what has changed. One
syncs: after each thing that was said, for each renewal of the leases, and every half minute while
there is no stream. One watches for a sleep of the machine, during which nobody could say anything.

What ends something is obeyed before anything else: the gate is closed in the same turn of the
loop, the revocation is on the disk, then connections end, and only then the console is told so.
Everything else is only a reason to sync: records and leases come by that way alone.

Nothing that the console does or fails to do ends the link. Without it the leases run out, and
the tiers with them (:mod:`gateway.auth.leases`).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from ea_bridge import host
from gateway.auth.caller import TokenEntry
from gateway.auth.console_clock import Clocks
from gateway.auth.console_snapshot import ConsoleBook
from gateway.auth.gate import Gate
from gateway.background import ceiling_s
from gateway.credentials.daemon_api import (
    HEARTBEAT_S,
    MAX_BODY_BYTES,
    MAX_EVENTS,
    MAX_SUMMARIES,
    Acknowledged,
    AlertOutcome,
    EventAck,
    Heartbeat,
    Pushed,
    PushedAlert,
    PushedCall,
    Report,
    Summary,
    Sync,
    Synced,
    TerminalReport,
)
from gateway.credentials.device import NONCE_BYTES
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.event import ENDING, ConsoleEvent
from gateway.credentials.lease import RENEW_S, Tier
from gateway.storage.store import StoreError

from .alerts import AlertExecutor, AlertRunner
from .calls import CallExecutor, CallRunner
from .http import (
    TIMEOUT_S,
    ConsoleFailure,
    ConsoleHttp,
    ConsoleRefused,
    ConsoleUnreachable,
    ConsoleUntrusted,
    InvalidResponse,
    explained,
)

logger = logging.getLogger(__name__)

STREAM_PATH = "/v1/daemon/stream"
OPEN_S = 10.0
CLOSE_S = 1.0
SEND_S = 5.0
MAX_WAITING = 64
"""Messages that came and were not taken yet; then the console has to wait."""

Said = Pushed | Heartbeat | PushedAlert | PushedCall
_SAID = TypeAdapter[Said](Annotated[Said, Field(discriminator="t")])


class _StreamConnect(connect):
    """Does not follow redirects: a signed request goes to the console or nowhere."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class ConsoleStream:
    """An open stream: a WebSocket over which the console tells at once what has changed."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def next(self, timeout_s: float) -> Said:
        """Return the next message.

        Raises:
            ConsoleUnreachable: the stream has ended, or nothing came in time.
            InvalidResponse: it is none.

        """
        try:
            async with asyncio.timeout(timeout_s):
                text = await self._socket.recv()
        except TimeoutError:
            raise ConsoleUnreachable(f"the console was silent for {timeout_s:.0f} s") from None
        except ConnectionClosed:
            raise ConsoleUnreachable("the console has closed the stream") from None
        try:
            return _SAID.validate_json(text)
        except ValidationError:
            raise InvalidResponse("the console said on the stream what no console says") from None

    async def say(self, message: BaseModel) -> None:
        """Send a message.

        Raises:
            ConsoleUnreachable: the stream has ended, or is stuck.

        """
        try:
            async with asyncio.timeout(SEND_S):
                await self._socket.send(message.model_dump_json())
        except (TimeoutError, ConnectionClosed):
            raise ConsoleUnreachable("the console has closed the stream") from None


@asynccontextmanager
async def open_stream(
    http: ConsoleHttp, *, takes_alerts: bool = False, line: str = ""
) -> AsyncIterator[ConsoleStream]:
    """Open the stream, signed as every request is.

    Args:
        http: entered.
        takes_alerts: have orders of alerts pushed as well.
        line: key of the line for calls; without one none is pushed.

    Raises:
        ConsoleFailure: it cannot be opened.

    """
    asked = [*(["alerts=1"] if takes_alerts else []), *([f"line={line}"] if line else [])]
    # signed with the request: nobody on the way can put another key in its place
    path = f"{STREAM_PATH}?{'&'.join(asked)}" if asked else STREAM_PATH
    url = "ws" + http.url.removeprefix("http") + path
    try:
        socket = await _StreamConnect(
            url,
            additional_headers=http.signed("GET", path),
            ssl=http.tls if url.startswith("wss:") else None,
            compression=None,
            proxy=None,
            user_agent_header=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=None,
            max_size=MAX_BODY_BYTES,
            max_queue=MAX_WAITING,
        )
    except (InvalidHandshake, InvalidMessage, OSError, TimeoutError, ssl.SSLError) as error:
        raise _failure(http.url, error) from error
    try:
        yield ConsoleStream(socket)
    finally:
        await socket.close()


def _failure(url: str, error: Exception) -> ConsoleFailure:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return ConsoleRefused(status, "", "the stream is not opened", {})
    if isinstance(error, InvalidHandshake):
        return InvalidResponse(
            f"{url} does not open a stream: see that it is the console's address"
        )
    return explained(url, error)


@dataclass(frozen=True)
class LinkTimings:
    """Intervals and time-outs of the link, in seconds."""

    renew_s: float = RENEW_S
    """Give or take a tenth."""
    poll_s: float = 30.0
    """While there is no stream."""
    retry_s: float = 5.0
    max_retry_s: float = 60.0
    gap_s: float = 0.25
    """At least, between two syncs."""
    reopen_s: float = 0.5
    max_reopen_s: float = 8.0
    answer_s: float = TIMEOUT_S
    history_s: float = 5.0
    """At least, between two reports of what has been."""
    summary_s: float = 15.0
    """Between two looks at the figures of the terminals; they are told if they have changed."""
    summary_again_s: float = 60.0
    """Until they are told though nothing has changed."""
    witness_s: float = 60.0
    """Between two times that the console is told how far the audit trail goes."""
    steady_s: float = 30.0
    """A stream that lived so long was a good one: the next is opened at once."""


@dataclass(frozen=True)
class StoppedCounts:
    """Connections and orders of some tokens at the moment when they were stopped."""

    ws: int = 0
    bridge: int = 0
    orders: int = 0


WATCH_S = 1.0
RETOLD = 64
"""Events that are told and acknowledged anew after a start: the last end may have come before."""
SLEPT_S = 3.0
"""So much more on the boot-time clock than on the timers' means that the machine slept."""


def _nothing(_: frozenset[str]) -> StoppedCounts:
    return StoppedCounts()


class ConsoleLink:
    """Keeps a home in step with its console; see the module's docstring.

    Args:
        http: entered.
        console: what is believed.
        gate: closes.
        clocks: of this machine.
        reports: the state of the terminals now.
        count: asked with the ids of tokens right before their connections end.
        on_synced: called after each sync.
        pace: of retries and polls.
        alerts: executes the orders of alerts; without it none is taken.
        calls: carries calls out and tells of terminals; without it neither is done.

    """

    def __init__(
        self,
        http: ConsoleHttp,
        console: ConsoleBook,
        gate: Gate,
        clocks: Clocks,
        *,
        reports: Callable[[], Sequence[TerminalReport]] = tuple,
        count: Callable[[frozenset[str]], StoppedCounts] = _nothing,
        on_synced: Callable[[], None] = lambda: None,
        pace: LinkTimings | None = None,
        alerts: AlertExecutor | None = None,
        calls: CallExecutor | None = None,
    ) -> None:
        self._http = http
        self._console = console
        self._gate = gate
        self._clocks = clocks
        self._reports = reports
        self._count = count
        self._on_synced = on_synced
        self._pace = pace or LinkTimings()
        self._seq = console.offers.seq
        self._since = max(0, self._seq - RETOLD)
        self._heartbeat_s: float = HEARTBEAT_S
        self._stream: ConsoleStream | None = None
        self._alerts = (
            None if alerts is None else AlertRunner(console, alerts, self.sync, self._say_alert)
        )
        self._calls = calls
        self._calling: CallRunner | None = None
        """Of the stream that is open."""
        self._knows_lines = False
        """The console at the other end of the stream takes summaries."""
        self._turned = asyncio.Event()
        """The figures of the terminals are to be told at once."""
        if calls is not None:
            calls.on_turn(self._turned.set)
        self._acks: dict[int, EventAck] = {}
        self._wake = asyncio.Event()
        self._met = asyncio.Event()
        """The console knows this device."""
        self._syncing = asyncio.Lock()
        self.last_sync_ms: int | None = None
        self.problem = ""

    @property
    def is_connected(self) -> bool:
        """Whether the stream is open."""
        return self._stream is not None

    async def run(self) -> None:
        """Keep in step until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_synced())
                tasks.create_task(self._keep_stream())
                tasks.create_task(self._notice_sleep())
                if self._calls is not None:
                    tasks.create_task(self._keep_summaries(self._calls))
        finally:
            if self._alerts is not None:
                await self._alerts.stop()

    async def met(self) -> None:
        """Wait until the console knows this device."""
        await self._met.wait()

    def wake(self) -> None:
        """Sync soon."""
        self._wake.set()

    async def report(self) -> None:
        """Tell the console how the terminals are over the stream; without it a sync does."""
        if self._stream is not None:
            with suppress(ConsoleFailure):
                await self._stream.say(Report(t="report", terminals=tuple(self._reports())))
        self._turned.set()

    async def _say_alert(self, end: AlertOutcome) -> None:
        if self._stream is not None:
            with suppress(ConsoleFailure):  # it asks again
                await self._stream.say(end)

    async def _say(self, message: BaseModel) -> None:
        if self._stream is not None:
            with suppress(ConsoleFailure):  # the person who waits is told that nothing came
                await self._stream.say(message)

    # --- figures of the terminals ------------------------------------------------------------

    async def _keep_summaries(self, calls: CallExecutor) -> None:
        """Tell of the terminals: a halt at once, the rest at a slow pace."""
        told: tuple[object, ...] = ()
        told_s = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.summary_s):
                    await self._turned.wait()
            self._turned.clear()
            stream = self._stream
            if stream is None or not self._knows_lines:
                continue
            try:
                found = await calls.summaries()
                # without the time of the look, which is another each time
                now = (stream, *(one.model_copy(update={"at": 0}) for one in found))
                now_s = self._clocks.monotonic_s()
                if now != told or now_s >= told_s + self._pace.summary_again_s:
                    for first in range(0, len(found) or 1, MAX_SUMMARIES):
                        part = tuple(found[first : first + MAX_SUMMARIES])
                        await self._say(
                            Summary(t="summary", manages=calls.manages, terminals=part)
                        )
                    told, told_s = now, now_s
            except Exception:  # the next look is soon
                logger.exception("the figures of the terminals are not told")
            # who halts and resumes in a tight loop cannot make us ask without a pause
            await asyncio.sleep(self._pace.gap_s)

    # --- sync --------------------------------------------------------------------------------

    async def sync(self) -> None:
        """Fetch all that holds now, and take it over.

        Raises:
            ConsoleFailure: it cannot be had; what is known goes on until its time is over.

        """
        async with self._syncing:
            # taken before the question: the lease counts from there, however long the answer took
            asked_at = self._clocks.boot_s()
            # an ending that is not on our disk yet may be undone by a crash: it is told later
            acks = dict(list(self._acks.items())[:MAX_EVENTS]) if self._is_saved() else {}
            body = Sync(
                since=self._since,
                nonce=host.token_urlsafe(NONCE_BYTES),
                after=self._console.offers.state,
                terminals=tuple(self._reports()),
                acks=tuple(acks.values()),
            )
            try:
                synced = await self._http.post("/v1/daemon/sync", body, Synced)
            except ConsoleRefused as refused:
                if refused.word == "unknown_device":
                    self._met.clear()
                raise
            for seq in acks:
                self._acks.pop(seq, None)
            self._apply(synced, asked_at, body.nonce)
            self._console.leases.is_unasked = False
            self._met.set()
        await self._acknowledge()
        self._on_synced()

    def _apply(self, synced: Synced, asked_at_s: float, nonce: str) -> None:
        before = self._open_tids()
        try:
            self._console.offers.accept(synced, asked_at_s, nonce)
        except EnvelopeError as error:
            raise ConsoleUntrusted(f"what the console offers is refused: {error}") from error
        except StoreError as error:
            raise ConsoleFailure(f"what the console offers cannot be kept: {error}") from error
        self._http.learn_time(self._console.clock.now_s())
        self._heartbeat_s = synced.heartbeat_s
        # first the gate, then the connections: what asks in between is refused already
        self._gate.refresh()
        ended = before - self._open_tids()
        done = self._ended(ended)
        since, self._since = self._since, self._console.offers.seq
        self._seq = self._since
        for envelope in synced.events:
            with suppress(EnvelopeError):  # what holds stands in the state and the records
                event = self._console.offers.event(envelope, synced.server_time)
                if event.seq > since and event.seq not in self._acks:
                    self._note_ack(
                        event, done if self._concerns(event, ended) else StoppedCounts()
                    )

    def _open_tids(self) -> frozenset[str]:
        """Return the tokens that may do anything now."""
        entries = self._console.book.entries()
        tids = (entry.record.tid for entry in entries)
        return frozenset(tid for tid in tids if self._gate.allowance(tid).tier > Tier.NONE)

    def _ended(self, tids: frozenset[str]) -> StoppedCounts:
        """End the connections of tokens that may do nothing any more."""
        counts = self._count(tids) if tids else StoppedCounts()
        self._gate.expire()
        return counts

    async def _keep_synced(self) -> None:
        failed = 0
        while True:
            try:
                await self.sync()
            except ConsoleFailure as failure:
                failed += 1
                self._complain(failure)
            except Exception:
                failed += 1
                logger.exception("a sync with the console failed")
            else:
                failed = 0
                self.last_sync_ms = host.wall_ms()
                self._recover()
            self._console.leases.is_unasked = False  # where it is silent the leases say how long
            # a console that says something in each answer cannot make us ask without a pause
            await asyncio.sleep(self._pace.gap_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._delay_s(failed)):
                    await self._wake.wait()
            self._wake.clear()

    def _delay_s(self, failed: int) -> float:
        if failed:
            longest = ceiling_s(self._pace.retry_s, self._pace.max_retry_s, failed - 1)
            # spread over the whole range: a thousand daemons whose console restarts must not come
            # at once
            return host.uniform(0, longest)
        if self._acks and self._is_saved():
            return 0
        renew_s = self._pace.renew_s * host.uniform(0.9, 1.1)
        return renew_s if self.is_connected else min(self._pace.poll_s, renew_s)

    def _complain(self, failure: ConsoleFailure) -> None:
        text = str(failure)
        if isinstance(failure, ConsoleRefused) and failure.word == "unknown_device":
            text = "the console has not met this machine yet: start a terminal with its token"
        elif self._seq > 0:
            self._met.set()  # it did once: by the stream its return is noticed within seconds
        if text != self.problem:
            logger.warning("%s", text)
        self.problem = text

    def _recover(self) -> None:
        if self.problem:
            logger.info("in step with the console again")
        self.problem = ""

    # --- the stream --------------------------------------------------------------------------

    async def _keep_stream(self) -> None:
        failed = 0
        while True:
            await self._met.wait()
            opened_s = self._clocks.monotonic_s()
            try:
                takes_alerts = self._alerts is not None
                runner, line = self._new_line()
                async with open_stream(self._http, takes_alerts=takes_alerts, line=line) as stream:
                    self._calling = runner
                    await self._listen(stream)
            except ConsoleFailure as failure:
                logger.info("no stream from the console: %s", failure)
            except Exception:
                logger.exception("the stream from the console failed")
            finally:
                was_open, self._stream = self._stream is not None, None
                calling, self._calling, self._knows_lines = self._calling, None, False
                if calling is not None:
                    await calling.stop()
            if was_open:
                self.wake()  # now only a poll shows what happens
            lived_s = self._clocks.monotonic_s() - opened_s
            # a stream that opens and dies at once counts as failed: else it is opened in a tight
            # loop
            failed = 0 if was_open and lived_s >= self._pace.steady_s else failed + 1
            longest = ceiling_s(self._pace.reopen_s, self._pace.max_reopen_s, failed)
            await asyncio.sleep(host.uniform(0, longest))

    def _new_line(self) -> tuple[CallRunner | None, str]:
        """Make a line of its own for each stream: no call outlives the stream it was made for."""
        if self._calls is None:
            return None, ""
        runner = CallRunner(self._console, self._calls, self.sync, self._say)
        return runner, runner.line.public

    async def _listen(self, stream: ConsoleStream) -> None:
        self._stream = stream
        self.wake()
        while True:
            message = await stream.next(2 * self._heartbeat_s + 1)
            if isinstance(message, Heartbeat):
                self._beat(message)
            elif isinstance(message, Pushed):
                await self._told(message)
            elif isinstance(message, PushedCall):
                if self._calling is not None:
                    self._calling.take(message)
            elif self._alerts is not None:
                self._alerts.take(message)
            else:
                logger.warning("the console tells an alert, and this gateway takes none")

    def _beat(self, heartbeat: Heartbeat) -> None:
        if heartbeat.line and not self._knows_lines:
            self._knows_lines = True
            self._turned.set()
        if heartbeat.seq > self._seq:
            self._missed()

    async def _told(self, pushed: Pushed) -> None:
        try:
            event = self._console.offers.event(pushed.e)
        except EnvelopeError as error:
            logger.warning("an event from the console is refused: %s", error)
            self.wake()  # its key may be new
            return
        if event.seq <= self._seq:
            return
        is_next = event.seq == self._seq + 1
        if event.type in ENDING:
            self._stop(event, applied=is_next)
        if is_next:
            self._since = event.seq if self._since == self._seq else self._since
            self._seq = event.seq
        else:
            self._missed()
        self.wake()
        await self._acknowledge()

    def _missed(self) -> None:
        """Something was said that we did not hear: it may be a revocation."""
        if not self._console.leases.has_missed:
            logger.warning("an event from the console was missed: trades wait for the next sync")
        self._console.leases.has_missed = True
        self.wake()

    def _stop(self, event: ConsoleEvent, *, applied: bool) -> None:
        before = self._open_tids()
        self._console.leases.stop(event, applied=applied)
        logger.warning("the console says %s (event %d)", event.type, event.seq)
        ended = before - self._open_tids()
        self._note_ack(event, self._ended(ended))

    # --- acknowledgements --------------------------------------------------------------------

    def _concerns(self, event: ConsoleEvent, tids: frozenset[str]) -> bool:
        entries = [entry for entry in self._console.book.entries() if entry.record.tid in tids]
        return event.type in ENDING and any(_is_of(event, entry) for entry in entries)

    def _note_ack(self, event: ConsoleEvent, counts: StoppedCounts) -> None:
        self._acks[event.seq] = EventAck(
            seq=event.seq,
            at_ms=host.wall_ms(),
            closed_ws=counts.ws,
            closed_bridge=counts.bridge,
            orders_in_flight=counts.orders,
        )
        while len(self._acks) > MAX_EVENTS:
            self._acks.pop(next(iter(self._acks)))

    async def _acknowledge(self) -> None:
        """Say what was done; nothing before it is on the disk. The next sync says it again."""
        if not self._acks or self._stream is None:
            return
        if not self._is_saved():
            return
        await asyncio.sleep(0)  # the connections are being ended in this turn
        for ack in tuple(self._acks.values()):
            if self._stream is not None:
                with suppress(ConsoleFailure):
                    await self._stream.say(Acknowledged(t="ack", **ack.model_dump()))

    def _is_saved(self) -> bool:
        """Whether all that was ended is on the disk; tries once more if it is not."""
        return self._console.leases.save_stops() and self._console.book.seen.save()

    # --- sleep -------------------------------------------------------------------------------

    async def _notice_sleep(self) -> None:
        ahead = self._clocks.boot_s() - self._clocks.monotonic_s()
        while True:
            await asyncio.sleep(WATCH_S)
            self._console.clock.tick()
            now = self._clocks.boot_s() - self._clocks.monotonic_s()
            if now - ahead > SLEPT_S:
                logger.warning("this machine slept for %d s", now - ahead)
                self._gate.expire()
                self.wake()
            ahead = now


def _is_of(event: ConsoleEvent, entry: TokenEntry) -> bool:
    record = entry.record
    if event.tid is not None:
        return event.tid == record.tid
    return event.uid_hash in ("", record.uid_hash)
