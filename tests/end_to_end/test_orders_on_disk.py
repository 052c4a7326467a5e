"""An order is on the disk before its bytes go to the terminal: seen by the system calls."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from exactly_once_lives import lives, make_home
from simulation.run import Life

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from gateway.trading.requests import tag

Record = Callable[[str, object], None]
ALONE, TOGETHER = 5, 20
CALLS = "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg"
_LINE = re.compile(
    r"(?P<thread>\d+) +(?:<\.\.\. )?(?P<call>\w+)(?: resumed>|\((?P<file>\d+<[^>]*>))"
)
_SYNCS = frozenset({"fsync", "fdatasync"})
WAL = "ledger.db-wal"


@pytest.fixture
def strace() -> tuple[str, ...]:
    """The command, where it is there and a process may be traced."""
    command = ("strace", "-f", "-qq", "-y", "-s", "8192", "--seccomp-bpf", "-e", CALLS)
    if shutil.which(command[0]) is None:
        pytest.skip("strace is not installed")
    if subprocess.run((*command, "-o", os.devnull, "true"), check=False).returncode:
        pytest.skip("this machine lets no process be traced")
    return command


class Trace:
    """The system calls of a daemon, in order."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.syncs: list[tuple[int, int]] = []
        """Where each sync of the ledger began, and where it was done."""
        begun: dict[str, int] = {}
        for at, line in enumerate(self.lines):
            found = _LINE.match(line)
            if found is None or found["call"] not in _SYNCS:
                continue
            if found["file"] is not None and WAL in found["file"]:
                begun[found["thread"]] = at
            if found["thread"] in begun and line.endswith("= 0"):
                self.syncs.append((begun.pop(found["thread"]), at))

    def first(self, *parts: str) -> int:
        """Return where a line first has all these parts."""
        return next(
            at for at, line in enumerate(self.lines) if all(part in line for part in parts)
        )

    def syncs_between(self, start: int, end: int) -> int:
        """Count the syncs that began after one line and were done before another."""
        return sum(start < begun and done < end for begun, done in self.syncs)


async def test_an_order_is_on_the_disk_before_it_is_sent(
    tmp_path: Path, strace: tuple[str, ...], record_testsuite_property: Record
) -> None:
    """Its row is written to the ledger and synced, and only then do its bytes leave; orders that
    come at the same time share a sync."""
    token, trace = make_home(tmp_path, "main")["main"], tmp_path / "trace"
    machine = build_terminal(watch=["EURUSD"])
    async with lives(tmp_path, *strace, "-o", str(trace)) as daemon:
        ready = await daemon.begin(Life())
        assert ready is not None
        link = EmulatedLink(machine, "127.0.0.1", int(ready["bridge"].rpartition(":")[2]), token)
        linking = asyncio.create_task(link.run())
        await link.ready.wait()
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            alone = [f"alone-{n}" for n in range(ALONE)]
            for id_ in alone:
                await _place(http, ready["rpc"], id_)
            together = [f"together-{n:02}" for n in range(TOGETHER)]
            await asyncio.gather(*(_place(http, ready["rpc"], id_) for id_ in together))
        await daemon.end()
        linking.cancel()
        await asyncio.wait([linking])
    account = machine.handler.account()
    seen = Trace(trace.read_text(errors="replace"))
    for id_ in (*alone, *together):
        written = seen.first("pwrite64(", WAL, id_)
        sent = seen.first("order_send", tag(account.login, account.server, id_))
        assert written < sent, id_
        assert seen.syncs_between(written, sent) >= 1, id_
    start = seen.first("pwrite64(", WAL, together[0])
    shared = seen.syncs_between(start, len(seen.lines))
    record_testsuite_property(f"syncs of {TOGETHER} orders at once", shared)


async def _place(http: aiohttp.ClientSession, url: str, id_: str) -> None:
    params: dict[str, Any] = {
        "symbol": "EURUSD",
        "type": "buy_limit",
        "volume": 0.01,
        "price": 0.5,
        "client_order_id": id_,
    }
    request = {"jsonrpc": "2.0", "id": 1, "method": "place_order", "params": params}
    async with http.post(url, json=request) as response:
        answer = await response.json()
    assert "result" in answer, answer
