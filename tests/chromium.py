"""Debian's Chromium, driven by Playwright, for tests of what real browsers do."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """Run Chromium without a window; ``arguments`` are those of its command line."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("these tests need chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", *arguments]
        )
        try:
            yield browser
        finally:
            await browser.close()
