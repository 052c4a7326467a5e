"""Tour of somebody new, by the documents alone: from the first command to an alert's order."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium
from demo_process import Demo, clean_environment
from playwright.async_api import Page
from test_readme import DOCS, README, ROOT, RUN, snippets_of

from ea_bridge.token import parse_token

WITHIN_S = 60
FREE_PORTS = "--json --port 0 --bridge-port 0 --console-port 0"
"""Another gateway may run on the machine of the tests."""


class Tour:
    """Commands of a person, and how long each step takes."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.steps: list[tuple[str, float]] = []
        self._at_s = time.monotonic()

    def done(self, step: str) -> None:
        """Note how long a step took, from the end of the one before."""
        now_s = time.monotonic()
        self.steps.append((step, now_s - self._at_s))
        self._at_s = now_s

    def type(self, command: str) -> str:
        """Type a command into a shell; return what it prints."""
        done = subprocess.run(
            ("sh", "-c", command),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def positions(self) -> list[dict[str, Any]]:
        """Ask for them as the page says."""
        found: list[dict[str, Any]] = json.loads(self.type("mt-gateway call get_positions"))
        return found


def snippet(page: Path, word: str) -> str:
    """Return the block of a page that has a word in it."""
    (found,) = (one.code for one in snippets_of(page) if word in one.code)
    return found


@asynccontextmanager
async def installed(folder: Path, tour: Tour) -> AsyncIterator[Demo]:
    """Install it anew as the README says, and run the demo; stdout is one line of JSON."""
    await asyncio.to_thread(tour.type, f"git clone -q {shlex.quote(str(ROOT))} clone")
    tour.folder = folder / "clone"
    tour.environment["PATH"] = f"{folder / 'clone/.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    tour.done("clone")
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        f"{RUN.rstrip()} {FREE_PORTS}",
        cwd=tour.folder,
        env=tour.environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        ready.pop("event")
        tour.done("install, and start the demo")
        yield Demo(**ready)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def make_hook(page: Page, demo: Demo) -> str:
    """Sign in at the console and make a hook as the page about TradingView says."""
    await page.goto(demo.console)
    await page.get_by_label("Email").fill(demo.console_email)
    await page.get_by_label("Password").fill(demo.console_password)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name="Tokens", exact=True).click()
    await page.get_by_role("link", name="Hooks").click()
    await page.get_by_role("link", name="Create a hook").click()
    await page.get_by_label("Name").fill("first")
    await page.get_by_label("Token").select_option(parse_token(demo.auth_token))
    await page.get_by_label("Lots, or percent").fill("0.1")
    await page.get_by_label("Dry run").uncheck()
    await page.get_by_role("button", name="Create the hook").click()
    await page.get_by_label("Password").fill(demo.console_password)
    await page.keyboard.press("Enter")
    return await page.locator("#address").inner_text()


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_from_the_first_command_to_an_alerts_order(
    tmp_path: Path, chromium_cache: Path
) -> None:
    """Each command is a document's own, in a folder that was empty."""
    home = tmp_path / "person"
    home.mkdir()
    tour = Tour(tmp_path, {**clean_environment(), "HOME": str(home), "BROWSER": "true"})
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        tour.environment.pop(name, None)
    async with installed(tmp_path, tour) as demo:
        await _walk(tour, demo, chromium_cache)
    print("; ".join(f"{step}: {took_s:.1f} s" for step, took_s in tour.steps))


async def _walk(tour: Tour, demo: Demo, chromium_cache: Path) -> None:
    first = snippet(README, "mt-gateway ui\n")
    for line in first.splitlines():
        await asyncio.to_thread(tour.type, line)
    tour.done("the README's first commands, an order among them")
    before = len(await asyncio.to_thread(tour.positions))
    assert before == 1
    async with chromium(chromium_cache) as browser:
        page = await browser.new_page()
        tour.environment["HOOK"] = shlex.quote(await make_hook(page, demo))
        tour.done("sign in at the console, and make a hook")
        said = await asyncio.to_thread(tour.type, snippet(DOCS / "tradingview.md", "$HOOK"))
        assert json.loads(said)["status"] == "accepted", said
        async with asyncio.timeout(WITHIN_S):
            while len(await asyncio.to_thread(tour.positions)) == before:
                pass
        tour.done("post an alert, and see its position")
        await page.goto(f"{demo.console}/hooks")
        assert "Done" in await page.locator("table").inner_text()
