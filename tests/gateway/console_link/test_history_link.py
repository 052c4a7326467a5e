"""How a daemon tells of the past: by itself, again until it is taken, and without waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from idle_clock import idle_clock

from gateway.auth.console_clock import Clocks
from gateway.console_link import history
from gateway.console_link.history import MAX_LOGINS, PATH, HistoryLink
from gateway.console_link.http import ConsoleHttp
from gateway.credentials.daemon_api import MAX_BODY_BYTES, MAX_LINES, History
from gateway.home.home import Home

TID = "0123456789Ab"
GAP_S = 0.01


class Console:
    """Takes histories, or does not."""

    def __init__(self) -> None:
        self.told: list[History] = []
        self.sizes: list[int] = []
        self.status = 200
        self.hangs = False
        self.asked = asyncio.Event()
        """Somebody has begun to tell."""
        self.came = asyncio.Condition()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a report."""
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        body = await request.read()
        async with self.came:
            self.sizes.append(len(body))
            self.told.append(History.model_validate_json(body))
            self.came.notify_all()
        return web.json_response({"noted": True}, status=self.status)

    async def until(self, count: int) -> None:
        """Wait for so many reports."""
        async with asyncio.timeout(60), self.came:
            await self.came.wait_for(lambda: len(self.told) >= count)


@pytest.fixture
async def console() -> Console:
    """A console that takes what it is told."""
    return Console()


async def _at_once() -> None:
    """The console knows this device."""


@asynccontextmanager
async def telling(
    console: Console, folder: Path, gap_s: float = GAP_S
) -> AsyncIterator[HistoryLink]:
    """Run a link to a console."""
    app = web.Application(client_max_size=2**20)
    app.router.add_post(PATH, console.answer)
    async with TestServer(app) as server:
        with Home(folder) as home:
            url = str(server.make_url("")).rstrip("/")
            async with ConsoleHttp(url, home.device, Clocks()) as http:
                link = HistoryLink(http, lambda: int(time.time()), gap_s=gap_s, met=_at_once)
                running = asyncio.create_task(link.run())
                try:
                    yield link
                finally:
                    running.cancel()
                    await asyncio.wait((running,))


async def test_a_start_is_told_even_if_nothing_happens(console: Console, tmp_path: Path) -> None:
    """What an earlier one has left open is over; a console that was away hears it, too."""
    console.status = 500
    async with telling(console, tmp_path / "home") as link:
        await console.until(2)
        console.status = 200
        count = len(console.told)
        await console.until(count + 1)
    assert set(console.told) == {History(boot=link.boot)}


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_what_is_not_taken_is_told_again(
    console: Console, tmp_path: Path, status: int
) -> None:
    """Under the same name."""
    console.status = status
    async with telling(console, tmp_path / "home") as link:
        await console.until(1)
        link.logins.note(TID, "http", agent="bot")
        await console.until(3)
        console.status = 200
        count = len(console.told)
        await console.until(count + 1)
    lines = [one.logins[0].line for one in console.told if one.logins]
    assert len(lines) >= 2
    assert set(lines) == {f"{link.boot}.l1"}


async def test_much_is_told_in_reports_that_a_console_takes(
    console: Console, tmp_path: Path
) -> None:
    """However long the programs' names are."""
    async with telling(console, tmp_path / "home") as link:
        for number in range(MAX_LOGINS):
            link.logins.note(
                TID, "http", "unknown", f"{number} " + "\N{GREEK SMALL LETTER XI}" * 99
            )
        link.logins.note(TID, "ws", agent="\udcff half a letter")
        async with asyncio.timeout(60):
            while link.logins.due():  # noqa: ASYNC110 (it tells nobody of what was taken)
                await asyncio.sleep(GAP_S)
    assert sum(len(one.logins) for one in console.told) == MAX_LOGINS + 1
    assert all(len(one.logins) <= MAX_LINES for one in console.told)
    assert max(console.sizes) <= MAX_BODY_BYTES


async def test_a_console_that_hangs_keeps_nobody(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noting goes on, and the daemon ends after its last words' time though nobody answers."""
    monkeypatch.setattr(history, "LAST_WORDS_S", 0.05)
    console.hangs = True
    async with telling(console, tmp_path / "home") as link:
        await console.asked.wait()
        for number in range(10_000):
            link.logins.note(TID, "http", agent=f"bot {number}")
    assert link.logins.left_out == 10_000 - MAX_LOGINS


async def test_the_last_words_arrive(console: Console, tmp_path: Path) -> None:
    """What happens right before the end is told all the same."""
    async with telling(console, tmp_path / "home") as link:
        await console.until(1)
        link.logins.note(TID, "terminal", "busy")
    assert [one.reason for told in console.told for one in told.logins] == ["busy"]


async def test_strangers_do_not_set_the_pace(console: Console, tmp_path: Path) -> None:
    """Whoever comes with ever new wrong tokens makes the daemon ask the console no more often: it
    would have no room left for what is asked of revocations."""
    async with telling(console, tmp_path / "home", gap_s=0.1) as link:
        await console.until(1)
        before, loop = len(console.told), asyncio.get_running_loop()
        with idle_clock():
            begun_s = loop.time()
            for number in range(1000):
                link.logins.note(TID, "http", "unknown", f"{number}")
                await asyncio.sleep(0.005)
            took_s = loop.time() - begun_s
        told = len(console.told) - before
    # five seconds; where no clock stands still it took longer, and a timer may be as much too
    # early as that clock does not tell
    assert 45 <= told <= took_s / (0.1 - time.get_clock_info("monotonic").resolution) + 1
