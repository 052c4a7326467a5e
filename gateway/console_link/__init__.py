"""Link of the daemon to its console.

:class:`Uplink` puts the parts together; see :mod:`.link` for how they work, :mod:`.enrollment` for
terminals that are not known yet.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import socket
import ssl
from collections.abc import Callable

from ea_bridge import host
from ea_bridge.mt4_manager.session import ManagerRegistry
from ea_bridge.registry import TerminalRegistry
from gateway.auth.console_clock import Clocks
from gateway.auth.console_snapshot import ConsoleBook
from gateway.auth.gate import Gate
from gateway.credentials.device import DeviceKey
from gateway.runtime import ConsoleView

from .alerts import AlertExecutor
from .calls import CallExecutor
from .enrollment import ConsoleEnroller, Machine
from .history import HistoryLink, LoginLog
from .http import ConsoleHttp
from .link import ConsoleLink, LinkTimings, StoppedCounts
from .status import LinkStatus, PendingApproval, TokenLease, reports
from .witness import AuditTrailSource, NoTrail, WitnessLink

__all__ = [
    "AlertExecutor",
    "AuditTrailSource",
    "CallExecutor",
    "ConsoleEnroller",
    "LinkStatus",
    "LinkTimings",
    "PendingApproval",
    "StoppedCounts",
    "TokenLease",
    "Uplink",
]

logger = logging.getLogger(__name__)


class Uplink:
    """All that a daemon has to do with its console.

    Args:
        url: of the console.
        device: of this home.
        console: what is believed; of :meth:`gateway.home.home.Home.console`.
        gate: made with ``console.leases``.
        registry: whose terminals are reported.
        managers: whose peers are reported as well.
        version: of this program.
        count: asked with ids of tokens right before their connections are ended: what is open.
        tls: for tests with a certificate of their own.
        clocks: of this machine; the same as the console book's.
        pace: of retries and polls.
        trail: of which the console is told.
        alerts: executes the orders of alerts; without it none is taken.
        calls: carries out what people ask for on the console, and tells of the terminals.

    """

    def __init__(
        self,
        url: str,
        *,
        device: DeviceKey,
        console: ConsoleBook,
        gate: Gate,
        registry: TerminalRegistry,
        managers: ManagerRegistry | None = None,
        version: str,
        count: Callable[[frozenset[str]], StoppedCounts] = lambda _: StoppedCounts(),
        tls: ssl.SSLContext | None = None,
        clocks: Clocks | None = None,
        pace: LinkTimings | None = None,
        trail: AuditTrailSource | None = None,
        alerts: AlertExecutor | None = None,
        calls: CallExecutor | None = None,
    ) -> None:
        clocks, pace = clocks or Clocks(), pace or LinkTimings()
        self._console = console
        self._device = device
        self._gate = gate
        self._registry = registry
        self._managers = managers
        self._http = ConsoleHttp(url, device, clocks, tls=tls, timeout_s=pace.answer_s)
        self._clocks = clocks
        self._reporting: set[asyncio.Task[None]] = set()
        machine = Machine(
            public=device.public,
            os=f"{platform.system()} {platform.release()}".strip(),
            hostname=socket.gethostname(),
            version=version,
        )
        self.enroller = ConsoleEnroller(
            self._http, machine, gate, self.sync, host.wall_ms, lambda: self._link.wake()
        )
        """For :class:`ea_bridge.server.BridgeServer`."""
        self._link = ConsoleLink(
            self._http,
            console,
            gate,
            clocks,
            reports=lambda: reports(registry, console.book, self._history.runs.latest),
            count=count,
            on_synced=self.enroller.look,
            pace=pace,
            alerts=alerts,
            calls=calls,
        )
        self._history = HistoryLink(
            self._http,
            lambda: int(console.now_s()),
            gap_s=pace.history_s,
            met=self._link.met,
            on_run=self._report,
        )

        self._witness = WitnessLink(
            self._http, device, trail or NoTrail(), self._link.met, pace.witness_s
        )

    @property
    def logins(self) -> LoginLog:
        """Log of uses of tokens; bounded, and never waits."""
        return self._history.logins

    async def run(self) -> None:
        """Keep in step with the console until cancelled."""
        self._console.leases.is_unasked = True
        async with self._http:
            forget = self._history.listen(self._registry, self._managers)
            telling = asyncio.create_task(self._history.run())
            witnessing = asyncio.create_task(self._witness.run())
            try:
                await self._link.run()
            finally:
                forget()
                witnessing.cancel()
                telling.cancel()
                await asyncio.wait((telling,))  # it tells how the sessions ended
                for task in tuple(self._reporting):
                    task.cancel()

    async def sync(self) -> None:
        """Fetch all that holds now; see :meth:`.link.ConsoleLink.sync`."""
        await self._link.sync()

    def status(self) -> LinkStatus:
        """Return how the link stands."""
        console, clock = self._console, self._console.clock
        return LinkStatus(
            url=self._http.url,
            root=console.offers.root,
            device=self._device.did,
            connected=self._link.is_connected,
            last_sync_ms=self._link.last_sync_ms,
            problem=self._link.problem,
            clock_suspect=clock.is_suspect,
            clock_ahead_s=clock.now_s() - self._clocks.wall_s() if clock.is_known else None,
            tokens=tuple(self._tokens()),
            pending=self.enroller.pending,
        )

    def view(self, tid: str) -> ConsoleView:
        """Return how the console is, for the holder of a token."""
        link, allowance, leases = self.status(), self._gate.allowance(tid), self._console.leases
        entry, lease_ends_s = self._console.book.get(tid), leases.ends_s(tid)
        tier_ends_s = None if entry is None else leases.tier_ends_s(entry, allowance.tier)
        return ConsoleView(
            url=link.url,
            connected=link.connected,
            last_sync_ms=link.last_sync_ms,
            problem=link.problem,
            clock_suspect=link.clock_suspect,
            tier=allowance.tier,
            reason=allowance.reason,
            tier_ends_ms=None if tier_ends_s is None else tier_ends_s * 1000,
            lease_ends_ms=None if lease_ends_s is None else lease_ends_s * 1000,
            device=link.device,
        )

    def _tokens(self) -> list[TokenLease]:
        found = []
        for entry in self._console.book.entries():
            tid = entry.record.tid
            allowance, ends_s = self._gate.allowance(tid), self._console.leases.ends_s(tid)
            found.append(
                TokenLease(
                    tid=tid,
                    terminal=entry.terminal,
                    tier=allowance.tier.name.lower(),
                    reason=allowance.reason,
                    lease_ends_ms=None if ends_s is None else ends_s * 1000,
                )
            )
        return found

    def _report(self) -> None:
        """Tell the console soon; changes of the same moment are told together."""
        if not self._reporting:
            task = asyncio.create_task(self._report_soon())
            self._reporting.add(task)
            task.add_done_callback(self._reporting.discard)

    async def _report_soon(self) -> None:
        await asyncio.sleep(0.2)
        await self._link.report()
