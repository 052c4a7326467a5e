"""A library with the exports and the class of mtmanapi, compiled for this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from library_parts import COMPILER, CREDENTIALS, SOURCES, Clock, Compile, Fake

from ea_bridge.manager.connection import Connection
from ea_bridge.manager.desk import Desk
from ea_bridge.manager.library import Library
from ea_bridge.manager.text import TextCodec


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compile a file of ours with the flags given, once for all that ask."""
    if COMPILER is None:
        pytest.skip("there is no g++")
    folder = tmp_path_factory.mktemp("mtmanapi")

    def compile_(source: Path, name: str, *flags: str) -> Path:
        out = folder / name
        if not out.exists():
            words = [COMPILER, "-O0", "-Wall", "-Werror", "-Wno-delete-non-virtual-dtor"]
            subprocess.run([*words, *flags, "-I", SOURCES, "-o", out, source], check=True)
        return out

    return compile_


@pytest.fixture
def fake(compiled: Compile) -> Iterator[Fake]:
    """The library with a server that has just been started."""
    fake = Fake(compiled(SOURCES / "mtmanapi.cpp", "mtmanapi.so", "-shared", "-fPIC"))
    fake.do("clear")
    yield fake
    assert fake.do("gaps") == 0, "a slot was called that is not ours"
    assert fake.do("unfreed") == 0, "a list was not given back"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connection(fake: Fake, clock: Clock) -> Iterator[Connection]:
    """Not connected yet; released at the end."""
    codec = TextCodec()
    connection = Connection(
        Library(fake.path), encode=lambda text: codec.write(text, 64, "it"), clock=clock
    )
    yield connection
    connection.disconnect()
    assert fake.do("live") == 0, "an interface was not released"


@pytest.fixture
def desk(connection: Connection) -> Desk:
    """Connected."""
    connection.connect(CREDENTIALS)
    return Desk(connection, TextCodec())
