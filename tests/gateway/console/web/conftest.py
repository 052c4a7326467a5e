"""A console that serves, people who visit it, and a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from console_fixtures import person
from page_client import PageClient, new_client

from gateway.config import ConsoleServer as ServerSettings
from gateway.config import Secrets
from gateway.console.database import home_url
from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.settings import ConsoleSettings
from gateway.console.user_info import UserInfo

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """SQLite alone: pages do not know databases."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, home / sqlite_template.name)
    return home_url(home)


@pytest.fixture
def console_settings(database_url: str) -> ConsoleSettings:
    """On a free port."""
    return ConsoleSettings(
        console_server=ServerSettings(database=database_url, port=0), secrets=Secrets(store="file")
    )


@pytest.fixture
async def server(console: Console) -> AsyncIterator[PageServer]:
    """The console, serving."""
    async with PageServer(console) as serving:
        yield serving


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that adds nothing of its own."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
def stranger(server: PageServer, http: aiohttp.ClientSession) -> PageClient:
    """A browser that has not been anywhere."""
    return new_client(server, http)


@pytest.fixture
async def ann_user(console: Console) -> UserInfo:
    """Ann, who administers the console."""
    return await person(console, "ann", admin=True)


@pytest.fixture
async def ann(server: PageServer, http: aiohttp.ClientSession, ann_user: UserInfo) -> PageClient:
    """Ann's browser, signed in just now."""
    browser = new_client(server, http)
    await browser.sign_in()
    return browser


@pytest.fixture
async def bob(server: PageServer, http: aiohttp.ClientSession, console: Console) -> PageClient:
    """The browser of Bob, who administers nothing."""
    await person(console, "bob")
    browser = new_client(server, http)
    await browser.sign_in("bob@example.com")
    return browser


@pytest.fixture
async def browser(chromium_cache: Path) -> AsyncIterator[Browser]:
    """A real browser."""
    # not at the top: the other tests of the pages need no browser, and under Wine there is none
    from chromium import chromium

    async with chromium(chromium_cache) as running:
        yield running


@pytest.fixture
async def browser_page(browser: Browser) -> AsyncIterator[Page]:
    """A tab of its own, 1200 pixels wide."""
    context = await browser.new_context(
        viewport={"width": 1200, "height": 900}, reduced_motion="reduce"
    )
    yield await context.new_page()
    await context.close()
