"""History for the console: sessions of terminals, and uses of tokens.

Nothing here waits for the console, and nothing waits for what is here: notes go into bounded
memory, and one task tells them when it can. It tells a line again until the console has answered,
under the same name, so that nothing counts twice. What is too much is left out, the oldest first,
and the log says how much that was; strangers, who can only be refused, push nobody out who was
let in.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from ea_bridge import host
from ea_bridge.mt4_manager.session import ManagerRegistry, ManagerSession
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalRegistry
from ea_bridge.session import SessionState
from gateway.credentials.daemon_api import (
    MAX_LINES,
    History,
    LoginReport,
    Noted,
    RunReport,
    Way,
)

from .http import ConsoleFailure, ConsoleHttp
from .status import facts_of

logger = logging.getLogger(__name__)

PATH = "/v1/daemon/history"
MAX_RUNS = 256
"""Sessions that have ended and are not told yet."""
MAX_LATEST = 1024
"""Tokens whose newest session is remembered."""
MAX_LOGINS = 256
"""Lines of those who were let in; as many again of those who were not."""
SPAN_S = 3600
"""What one program does with a token in so long is one line."""
AGAIN_S = 60
"""So long after a line was told it is told again, if it has grown."""
RUNS_BYTES, LOGINS_BYTES = 40_000, 20_000
"""Of one report: both together stay within what the console takes at a time."""
RETRY_GAPS = 12
"""So many times the usual gap after a report that was not taken."""
LAST_WORDS_S = 1.0
"""To tell the rest when the daemon ends."""
REPLACED = "replaced"

R = TypeVar("R", RunReport, LoginReport)


class RunLog:
    """The sessions of terminals and manager peers, each from its begin to its end.

    Args:
        boot: names this start of the daemon.
        now_s: seconds since 1970.
        on_change: called with each that begins or ends.

    """

    def __init__(
        self, boot: str, now_s: Callable[[], int], on_change: Callable[[RunReport], None]
    ) -> None:
        self._boot = boot
        self._now_s = now_s
        self._on_change = on_change
        self._live: dict[tuple[str, str], RunReport] = {}
        """By role and name of the terminal."""
        self._latest: OrderedDict[str, RunReport] = OrderedDict()
        """By token."""
        self._untold: deque[RunReport] = deque()
        self.left_out = 0

    def latest(self, tid: str) -> RunReport | None:
        """Return the newest session with a token, live or ended."""
        return self._latest.get(tid)

    def terminal_changed(self, registry: TerminalRegistry, change: TerminalChange) -> None:
        """Hear of a terminal, as its registry tells."""
        terminal = change.facts.terminal
        session = registry.get(terminal)
        if change.kind is ChangeKind.CONNECTED and session is not None:
            self._begin(("terminal", terminal), session.id, session.hello)
        elif change.kind is ChangeKind.DISCONNECTED:
            self._end(("terminal", terminal), change.facts.reason)

    def manager_changed(self, session: ManagerSession) -> None:
        """Hear of a manager peer, as its registry tells."""
        where, run = ("manager", session.terminal), f"{self._boot}.{session.id}"
        live = self._live.get(where)
        if session.state is SessionState.DISCONNECTED:
            if live is not None and live.run == run:
                self._end(where, session.end_reason)
        elif live is None or live.run != run:
            self._begin(where, session.id, session.hello)

    def due(self) -> Sequence[RunReport]:
        """Return what is to be told, the oldest first."""
        return list(self._untold)[:MAX_LINES]

    def told(self, runs: Sequence[RunReport]) -> None:
        """Remove the session reports that the console has received."""
        arrived = {id(run) for run in runs}
        self._untold = deque(run for run in self._untold if id(run) not in arrived)

    def _begin(self, where: tuple[str, str], session: str, hello: Hello) -> None:
        if where in self._live:
            self._end(where, REPLACED)
        facts = facts_of(hello)
        run = RunReport(
            run=f"{self._boot}.{session}", tid=hello.tid, began=self._now_s(), terminal=facts
        )
        self._live[where] = run
        self._note(run)

    def _end(self, where: tuple[str, str], reason: str) -> None:
        run = self._live.pop(where, None)
        if run is not None:
            ended = max(run.began, self._now_s())
            self._note(run.model_copy(update={"ended": ended, "reason": reason[:128]}))

    def _note(self, run: RunReport) -> None:
        self._untold = deque(old for old in self._untold if old.run != run.run)
        self._untold.append(run)
        while len(self._untold) > MAX_RUNS:
            self._untold.popleft()
            self.left_out += 1
        self._latest[run.tid] = run
        self._latest.move_to_end(run.tid)
        while len(self._latest) > MAX_LATEST:
            self._latest.popitem(last=False)
        self._on_change(run)


@dataclass
class _Line:
    name: str
    tid: str
    way: Way
    reason: str
    agent: str
    first: int
    last: int
    count: int = 1
    told_count: int = 0
    told_at: int = 0

    def report(self) -> LoginReport:
        return LoginReport(
            line=self.name,
            tid=self.tid,
            way=self.way,
            reason=self.reason,
            agent=self.agent,
            first=self.first,
            last=max(self.first, self.last),
            count=self.count,
        )


Key = tuple[str, Way, str, str, int]


@dataclass
class LoginLog:
    """Log of uses of tokens, let in or refused: a line for each way, program and hour.

    Args:
        boot: names this start of the daemon.
        now_s: seconds since 1970.
        on_change: called when there is a new line.

    """

    boot: str
    now_s: Callable[[], int]
    on_change: Callable[[], None]
    left_out: int = 0
    _made: int = 0
    _lines: tuple[OrderedDict[Key, _Line], OrderedDict[Key, _Line]] = field(
        default_factory=lambda: (OrderedDict(), OrderedDict())
    )
    """Of those let in, and of those refused."""

    def note(self, tid: str, way: Way, reason: str = "", agent: str = "") -> None:
        """Note that somebody came; ``reason`` is why he was refused."""
        now_s, agent = self.now_s(), agent[:64]
        key = (tid, way, reason, agent, now_s // SPAN_S)
        lines = self._lines[1 if reason else 0]
        known = lines.get(key)
        if known is not None:
            known.count += 1
            known.last = now_s
            return
        self._made += 1
        shown = "".join(character if character.isprintable() else "?" for character in agent)
        lines[key] = _Line(f"{self.boot}.l{self._made}", tid, way, reason, shown, now_s, now_s)
        while len(lines) > MAX_LOGINS:
            _, oldest = lines.popitem(last=False)
            self.left_out += oldest.told_count < oldest.count
        self.on_change()

    def due(self) -> Sequence[LoginReport]:
        """Return what is to be told: new lines, and after a while those that have grown."""
        now_s = self.now_s()
        found = []
        for lines in self._lines:
            for key, line in list(lines.items()):
                is_over = key[-1] != now_s // SPAN_S
                if line.told_count == line.count:
                    if is_over:
                        del lines[key]
                elif not line.told_count or is_over or now_s - line.told_at >= AGAIN_S:
                    found.append(line.report())
        return found[:MAX_LINES]

    def told(self, reports: Sequence[LoginReport]) -> None:
        """Note the use counts that the console has received."""
        counts = {report.line: report.count for report in reports}
        for lines in self._lines:
            for line in lines.values():
                if line.name in counts:
                    line.told_count, line.told_at = counts[line.name], self.now_s()


class HistoryLink:
    """Notes what happens, and tells the console.

    Args:
        http: asks.
        now_s: seconds since 1970.
        gap_s: between two reports.
        met: waits until the console knows this device.
        on_run: called when a session begins or ends.

    """

    def __init__(
        self,
        http: ConsoleHttp,
        now_s: Callable[[], int],
        *,
        gap_s: float,
        met: Callable[[], Awaitable[object]],
        on_run: Callable[[], None] = lambda: None,
    ) -> None:
        self._http = http
        self._gap_s = gap_s
        self._met = met
        self._on_run = on_run
        self._news = asyncio.Event()
        self._has_begun = False
        self.boot = host.token_hex(8)
        self.runs = RunLog(self.boot, now_s, self._run_changed)
        self.logins = LoginLog(self.boot, now_s, self._news.set)

    def listen(
        self, registry: TerminalRegistry, managers: ManagerRegistry | None
    ) -> Callable[[], None]:
        """Hear of sessions from now on; returns what ends that."""
        ends = [registry.subscribe(lambda change: self.runs.terminal_changed(registry, change))]
        if managers is not None:
            ends.append(managers.subscribe(self.runs.manager_changed))

        def forget() -> None:
            for end in ends:
                end()

        return forget

    async def run(self) -> None:
        """Tell what there is to tell, until cancelled; then once more, within a second."""
        try:
            while True:
                await self._met()
                # the first report says that what an earlier start has left open is over
                while not self._has_begun:
                    self._has_begun = await self._tell_once()
                    await asyncio.sleep(self._gap_s * (1 if self._has_begun else RETRY_GAPS))
                if await self._tell(self._gap_s):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(AGAIN_S):
                            await self._news.wait()
                    self._news.clear()
                else:
                    await asyncio.sleep(self._gap_s * RETRY_GAPS)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._tell()

    async def _tell(self, gap_s: float = 0.0) -> bool:
        """Tell all that is due; returns whether the console has taken it.

        A stranger can see to it that something always is. The console hears this device at a
        pace, and what it has to say of revocations comes first.
        """
        while self.runs.due() or self.logins.due():
            if not await self._tell_once():
                return False
            await asyncio.sleep(gap_s)
        return True

    async def _tell_once(self) -> bool:
        runs = _fitting(self.runs.due(), RUNS_BYTES)
        logins = _fitting(self.logins.due(), LOGINS_BYTES)
        body = History(boot=self.boot, runs=tuple(runs), logins=tuple(logins))
        try:
            await self._http.post(PATH, body, Noted)
        except ConsoleFailure as failure:
            logger.info("the console does not take the history: %s", failure)
            return False
        except Exception:  # one line that cannot be told must not end the task
            logger.exception("the history could not be told")
            return False
        self.runs.told(runs)
        self.logins.told(logins)
        self._complain()
        return True

    def _complain(self) -> None:
        left_out = self.runs.left_out + self.logins.left_out
        if left_out:
            logger.warning("%d lines were too many for the console's history", left_out)
            self.runs.left_out = self.logins.left_out = 0

    def _run_changed(self, run: RunReport) -> None:
        if run.ended is None:
            self.logins.note(run.tid, "terminal", agent=run.terminal.version)
        self._news.set()
        self._on_run()


def _fitting(reports: Sequence[R], room: int) -> Sequence[R]:
    """Return the first of some reports, as many as fit into so many bytes, and one at least."""
    taken: list[R] = []
    for report in reports:
        room -= len(report.model_dump_json().encode()) + 1
        if taken and room < 0:
            break
        taken.append(report)
    return taken
