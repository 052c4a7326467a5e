"""The library of the tests, and what is connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from manager_library import CREDENTIALS, Clock, Fake, compile_library

from ea_bridge.mt4_manager.peer.connection import ServerConnection
from ea_bridge.mt4_manager.peer.library import Library
from ea_bridge.mt4_manager.peer.manager_peer import CommandDispatcher
from ea_bridge.mt4_manager.peer.records import TextCodec


@pytest.fixture(scope="session")
def library_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(tmp_path_factory.mktemp("mtmanapi"))


@pytest.fixture
def fake(library_path: Path) -> Iterator[Fake]:
    """The library with a server that has just been started."""
    fake = Fake(library_path)
    fake.do("clear")
    yield fake
    fake.check()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connection(fake: Fake, clock: Clock) -> Iterator[ServerConnection]:
    """Not connected yet; released at the end."""
    codec = TextCodec()
    connection = ServerConnection(
        Library(fake.path), encode=lambda text: codec.write(text, 64, "it"), clock=clock
    )
    yield connection
    connection.disconnect()
    assert fake.do("live") == 0, "an interface was not released"


@pytest.fixture
def dispatcher(connection: ServerConnection, clock: Clock) -> CommandDispatcher:
    """Connected."""
    connection.connect(CREDENTIALS)
    return CommandDispatcher(connection, TextCodec(), clock)
