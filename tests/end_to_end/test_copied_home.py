"""A home that somebody has copied: two daemons with one device key."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from console_site import Linked, Person, Site, linked, site
from fault_scene import BUY, no_traces, reason
from product import TIMEOUT_S, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal

pytestmark = pytest.mark.xdist_group("e2e-copied-home")


@dataclass
class Theft:
    """The daemon and its copy, both running."""

    site: Site
    ann: Person
    token: str
    own: Linked
    copy: Linked

    async def device(self) -> dict[str, Any]:
        """The machine, as its owner sees it."""
        [device] = (await self.ann.ask("GET", "/devices"))["devices"]
        return dict(device)

    async def noticed(self) -> dict[str, Any]:
        """Wait until the console says that the machine answers from two places."""
        async with asyncio.timeout(TIMEOUT_S):
            while not (device := await self.device())["copied_to"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return device


@asynccontextmanager
async def theft(folder: Path) -> AsyncIterator[Theft]:
    """Run a daemon once, copy its home, and run both."""
    async with site(folder / "console") as one:
        ann = await one.person()
        async with linked(folder / "home", one.url, root=one.root) as daemon:
            token = (await daemon.terminal(ann, "main", build_terminal())).token
            await until(lambda: daemon.uplink.status().connected)
        shutil.copytree(folder / "home", folder / "copy")
        with no_traces():
            async with (
                linked(folder / "home", one.url, root=one.root) as own,
                linked(folder / "copy", one.url, root=one.root) as copy,
            ):
                yield Theft(one, ann, token, own, copy)


async def test_both_lose_their_leases_until_the_owner_decides(tmp_path: Path) -> None:
    """The console sees two that answer for one key, warns by page, log and mail, and gives neither
    a lease. "Both are mine" ends it."""
    async with theft(tmp_path) as both:
        device = await both.noticed()
        assert device["status"] == "approved"
        said = (await both.ann.ask("GET", "/activity"))["activity"]
        assert "device.copied" in {line["event"] for line in said}
        outbox = both.site.console.home / "outbox"
        await until(lambda: any("copied" in mail.read_text() for mail in outbox.glob("*.eml")))
        for daemon in (both.own, both.copy):
            await daemon.uplink.sync()
            assert await reason(await daemon.http(both.token)) == "lease_expired"
        await both.ann.ask("POST", f"/devices/{device['did']}/resume")
        assert (await both.device())["copied_to"] == []
        for daemon in (both.own, both.copy):
            await daemon.uplink.sync()
            assert await reason(await daemon.http(both.token)) == "terminal_disconnected"


async def test_revoking_the_machine_ends_both(tmp_path: Path) -> None:
    """And its owner begins anew with a home of another key."""
    async with theft(tmp_path) as both:
        device = await both.noticed()
        await both.ann.ask("POST", f"/devices/{device['did']}/revoke")
        for daemon in (both.own, both.copy):
            client = await daemon.http(both.token)
            async with asyncio.timeout(TIMEOUT_S):
                while await reason(client) != "device_revoked":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        machine: EmulatedTerminal = build_terminal()
        async with linked(tmp_path / "new", both.site.url, root=both.site.root) as new:
            running = await new.terminal(both.ann, "main", machine, token=both.token)
            client = await new.http(running.token)
            assert (await client.call("place_order", **BUY))["order"]
            assert await reason(await both.copy.http(both.token)) == "device_revoked"
