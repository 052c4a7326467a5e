"""A console's routes for daemons behind a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from console_fixtures import Clock
from daemon_fixtures import Daemon

from gateway.console.daemon_api import daemon_routes
from gateway.console.service import Console


@pytest.fixture
async def address(console: Console) -> AsyncIterator[str]:
    """The URL of the routes."""
    app = web.Application(client_max_size=65_536)
    app.add_routes(daemon_routes(console))
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def daemon(address: str, http: aiohttp.ClientSession, clock: Clock) -> Daemon:
    """The daemon of a machine."""
    return Daemon(address, http, clock)
