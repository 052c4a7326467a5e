"""A daemon's home, gate and link, before a scripted console."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from scripted_console import ScriptedConsole

from ea_bridge.registry import TerminalRegistry
from gateway.auth.gate import Gate
from gateway.console_link import (
    AlertExecutor,
    CallExecutor,
    LinkTimings,
    StoppedCounts,
    Uplink,
)
from gateway.errors import Unauthorized
from gateway.home.home import Home

FAST = LinkTimings(
    renew_s=60,
    poll_s=0.3,
    retry_s=0.1,
    max_retry_s=0.3,
    gap_s=0.01,
    reopen_s=0.02,
    max_reopen_s=0.1,
)


class House:
    """All of it, wired as the daemon does."""

    def __init__(self, folder: Path, console: ScriptedConsole, root: str = "") -> None:
        self.home = Home(folder)
        self.script = console
        console.know(self.home.device.did, self.home.device.public)
        self.console = self.home.console(root)
        self.gate = Gate(
            self.console.book,
            self.home.device.did,
            self.console.now_s,
            leases=self.console.leases,
        )
        self.counted: list[frozenset[str]] = []
        self.changes: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.gate.on_change(lambda tid, reason: self.changes.put_nowait((tid, reason)))

    def uplink(
        self,
        url: str | None = None,
        pace: LinkTimings = FAST,
        tls: ssl.SSLContext | None = None,
        alerts: AlertExecutor | None = None,
        calls: CallExecutor | None = None,
    ) -> Uplink:
        return Uplink(
            url or self.script.url,
            device=self.home.device,
            console=self.console,
            gate=self.gate,
            registry=TerminalRegistry(lambda: 0),
            version="1.0",
            count=self._count,
            pace=pace,
            tls=tls,
            alerts=alerts,
            calls=calls,
        )

    def _count(self, tids: frozenset[str]) -> StoppedCounts:
        self.counted.append(tids)
        return StoppedCounts(ws=3, bridge=1, orders=2)

    @asynccontextmanager
    async def running(
        self,
        url: str | None = None,
        pace: LinkTimings = FAST,
        tls: ssl.SSLContext | None = None,
        alerts: AlertExecutor | None = None,
        calls: CallExecutor | None = None,
    ) -> AsyncIterator[Uplink]:
        uplink = self.uplink(url, pace, tls, alerts, calls)
        task = asyncio.create_task(uplink.run())
        try:
            yield uplink
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait([task])

    def reason(self, token: str) -> str:
        try:
            self.gate.admit(token)
        except Unauthorized as refused:
            return str(refused.data["reason"])
        return ""


async def until(check: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(timeout_s):
        while not check():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.005)
