"""A manager's peer that stands still with a command unread, while another takes its place."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from demo_process import clean_environment
from deposit_scene import balance, deposit, states
from manager_house import PASSWORD, PEER, ManagerHouse, linked, open_house
from product import until
from warm_process import COMMAND

from ea_bridge import host
from ea_bridge.commands import TOO_LATE
from ea_bridge.mt4_manager.emulator import Population, build_manager
from gateway.mt4_manager import changes

CHANGE_S = 2.0
"""For which a booking is worth making here; else twenty."""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is frozen so there")


@asynccontextmanager
async def machine(house: ManagerHouse, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another machine: a process with an emulated server and its peer, by the same token."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "manager-emulator", "--json", "--users", "9", "--folder", str(folder)),
        *("--bridge", house.product.ready.bridge),
        stdout=asyncio.subprocess.PIPE,
        env=clean_environment()
        | {"MT_GATEWAY_TOKEN": house.token, "MT4_MANAGER_PASSWORD": PASSWORD},
    )
    try:
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline())["event"] == "ready"
        yield process
    finally:
        process.kill()
        await process.wait()


def answers(folder: Path) -> list[dict[str, object]]:
    """What the machine has answered, as its table of results has it."""
    lines = (folder / "results").read_bytes().splitlines()
    return [note["res"] for line in lines if "res" in (note := json.loads(line))]


async def test_what_it_reads_too_late_it_does_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The booking was given up at the other machine and made there: once, and not here again."""
    monkeypatch.setattr(changes, "CHANGE_S", CHANGE_S)
    monkeypatch.setattr(changes, "SETTLE_S", 0.2)
    folder = tmp_path / "frozen"
    other = build_manager(password=PASSWORD, population=Population(users=9))
    async with open_house(tmp_path / "home", other, told=False) as house:
        first = house.manager.registry.get(PEER)
        async with machine(house, folder) as frozen:
            await until(lambda: house.manager.registry.get(PEER) not in (None, first))
            await house.connect()
            assert (await deposit(house, "before")).status == 200
            os.kill(frozen.pid, signal.SIGSTOP)
            unread = asyncio.create_task(deposit(house, "once"))
            await until(lambda: house.manager.journal.find("admin", "once") is not None)
            session = house.manager.registry.get(PEER)
            assert session is not None
            await until(lambda: session.trades_in_flight == 1)
            sent_ms, paid = host.boot_ms(), balance(house)
            async with linked(house.product, other, house.token):
                assert (await unread).status == 503
                assert states(house, "once") == "not_sent"
                assert (await deposit(house, "once")).status == 200
                assert balance(house) == paid + 10
                await until(lambda: host.boot_ms() - sent_ms > 1.5 * CHANGE_S * 1000)
                os.kill(frozen.pid, signal.SIGCONT)
                await until(lambda: len(answers(folder)) > 1)
    told = answers(folder)[-1]
    assert (told["ok"], told["err"]) == (False, TOO_LATE)
    books = build_manager(
        password=PASSWORD, population=Population(users=9), books_file=folder / "books.sqlite"
    )
    assert books.books.accounts[100_001].user.balance == paid + 10  # that of before, alone
    books.close()
