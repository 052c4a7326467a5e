"""``kill -9`` in the middle of a revocation, on either side: it holds, and is confirmed then."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from console_site import Person, linked, site
from demo_process import clean_environment
from dying_parts import OWNER
from fault_proxy import fault_proxy
from fault_scene import reason
from product import TIMEOUT_S, until
from revocation_rig import Part
from warm_process import start_warm

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.protocol.messages import Pending

HERE = Path(__file__).parent
pytestmark = pytest.mark.xdist_group("e2e-kills")


class Mortal(Part):
    """A process of ``dying_parts.py``."""

    def kill(self) -> None:
        """Have it end as a power cut does."""
        self._process.kill()

    async def dead(self) -> int:
        """Wait until it is, and return by which signal."""
        return -await asyncio.wait_for(self._process.wait(), TIMEOUT_S)


@asynccontextmanager
async def mortal(role: str, moment: str, *arguments: str) -> AsyncIterator[Mortal]:
    """Run a part that is killed at a moment."""
    process = await start_warm(
        sys.executable,
        str(HERE / "dying_parts.py"),
        role,
        moment,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=clean_environment() | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])},
    )
    try:
        yield Mortal(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def plug_in(bridge: str, ann: Person, token: str) -> None:
    """Have a terminal let in once, with the approval that it takes."""
    asked: asyncio.Queue[Pending] = asyncio.Queue()
    host, _, port = bridge.rpartition(":")
    link = EmulatedLink(build_terminal(), host, int(port), token, on_pending=asked.put_nowait)
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await ann.approve(token, (await asked.get()).user_code)
            await link.ready.wait()
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize("moment", ["before the disk", "before the ack", "after the ack"])
async def test_a_daemon_that_is_killed_when_it_hears_of_a_revocation(
    tmp_path: Path, moment: str
) -> None:
    """Once it is on the disk the token is closed after the restart, even without the console.
    What was not confirmed is confirmed when the console is reached again, and not before."""
    home = tmp_path / "home"
    async with fault_proxy() as proxy, site(tmp_path / "console", public_url=proxy.url) as one:
        proxy.target = one.server.port
        ann = await one.person()
        token = await ann.make_token("main")
        async with mortal("daemon", moment, str(home), proxy.url, one.root) as part:
            ready = await part.answer()
            await plug_in(ready["bridge"], ann, token)
            await ann.revoke(token)
            if moment == "after the ack":
                await ann.stopped(token)
                part.kill()
            assert await part.dead() == signal.SIGKILL
        if moment != "after the ack":
            [line] = await ann.terminals_of(token)
            assert line["state"] == "stopping"
        proxy.paths["call"].refuse = proxy.paths["stream"].refuse = moment != "before the disk"
        async with linked(home, proxy.url, root=one.root) as daemon:
            client = await daemon.http(token)
            if moment == "before the disk":  # nobody was told that it is closed
                await until(lambda: daemon.uplink.status().tokens[0].tier == "none")
            assert await reason(client) == "revoked"
            proxy.heal()
            await ann.stopped(token)
            assert await reason(client) == "revoked"


async def test_a_console_that_is_killed_after_the_commit(tmp_path: Path) -> None:
    """Nobody was told, not even who clicked; the restarted console tells the daemon."""
    folder = tmp_path / "console"
    async with (
        aiohttp.ClientSession() as http,
        mortal("console", "after the commit", str(folder)) as part,
    ):
        ready = await part.answer()
        url, port = ready["url"], int(ready["url"].rpartition(":")[2])
        ann = await Person(url, http, OWNER).sign_in()
        async with linked(tmp_path / "home", url, root=ready["root"]) as daemon:
            running = await daemon.terminal(ann, "main")
            listener = await daemon.ws(running.token)
            await until(lambda: daemon.uplink.status().connected)
            await part.ask("")
            with pytest.raises(aiohttp.ClientError):
                await ann.revoke(running.token)
            assert await part.dead() == signal.SIGKILL
            await listener.call("get_account_info")
            async with site(folder, port=port):
                assert (await listener.closed())[0] == 4506
                assert (await ann.stopped(running.token))["stopped_at_ms"]
