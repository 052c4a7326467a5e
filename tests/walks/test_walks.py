"""Bounds of the walks through the product: how much of it one order, tick, token or revocation
has to cross."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path

import pytest

from ea_bridge.registry import TerminalRegistry

from .product_walks import ORDER, REVOCATION, TICK, TOKEN, WALKS, measure
from .tracer import ROOT, Tracer, Walk, outside

pytestmark = pytest.mark.xdist_group("walks")


@dataclass(frozen=True)
class Bound:
    """Bound of a figure; lower it when the figure becomes smaller, and never raise it."""

    most: int
    aim: int | None = None
    """Where the redesign has to bring it, if it says so."""


BOUNDS = {
    (ORDER, "files"): Bound(70, aim=55),
    (ORDER, "rooms"): Bound(21, aim=14),
    (ORDER, "climbs"): Bound(0, aim=0),
    (ORDER, "registry look-ups"): Bound(5, aim=5),
    (ORDER, "version look-ups"): Bound(0, aim=5),
    (TICK, "files"): Bound(19),
    (TICK, "rooms"): Bound(9),
    (TICK, "climbs"): Bound(0, aim=0),
    (TICK, "registry look-ups"): Bound(0, aim=0),
    (TICK, "version look-ups"): Bound(0, aim=0),
    (TOKEN, "files"): Bound(106),
    # reconciler, paper and the REST kit of daemon and console are rooms of their own
    (TOKEN, "rooms"): Bound(31),
    (TOKEN, "climbs"): Bound(2, aim=0),
    # heartbeats run into these long walks: one or two look-ups more or less
    (TOKEN, "registry look-ups"): Bound(20),
    (TOKEN, "version look-ups"): Bound(0),
    (REVOCATION, "files"): Bound(47),
    (REVOCATION, "rooms"): Bound(19),
    (REVOCATION, "climbs"): Bound(1, aim=0),
    (REVOCATION, "registry look-ups"): Bound(1),
    (REVOCATION, "version look-ups"): Bound(0),
}


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walk]:
    """All walks, measured once."""
    return measure(tmp_path_factory.mktemp("walks"))


@pytest.mark.parametrize(("name", "figure"), BOUNDS)
def test_a_walk_does_not_become_longer(walks: dict[str, Walk], name: str, figure: str) -> None:
    """``python -m tests.walks NAME`` shows the walk, and every call that climbs."""
    measured = walks[name].figures()[figure]
    assert measured <= BOUNDS[name, figure].most, walks[name]


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_is_seen_from_end_to_end(walks: dict[str, Walk], name: str) -> None:
    """It crosses rooms of both packages."""
    walk = walks[name]
    assert {file.partition("/")[0] for file in walk.files} == {"gateway", "ea_bridge"}
    assert len(walk.rooms) > 3
    assert set(walk.figures()) == {figure for of, figure in BOUNDS if of == name}


@pytest.mark.parametrize("name", WALKS)
def test_the_architecture_page_names_files_of_the_walk(walks: dict[str, Walk], name: str) -> None:
    """Each station that it tells is crossed."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition(f"### {name}\n")[2].partition("\n#")[0]
    stations = re.findall(r"`([\w/]+\.py)`", section)
    assert len(stations) > 4
    assert [file for file in stations if file not in walks[name].ever] == []


def test_the_tracer_counts_what_a_request_causes(tmp_path: Path) -> None:
    """It counts what happens from the bytes of a request to those of its answer, and neither what
    a timer does that was set before, nor what the client does, nor what comes afterwards."""
    tracer = Tracer(polled=tmp_path / "polled")
    names: dict[str, Callable[[], None]] = {}
    exec(compile("def climb(): pass", ROOT / "gateway/app/made_up.py", "exec"), names)  # noqa: S102 (a file of the product that stays where it is)
    registry = TerminalRegistry(lambda: 0)

    async def request() -> Walk:
        own, polled = (sqlite3.connect(tmp_path / name) for name in ("own", "polled"))
        with closing(own), closing(polled):

            def act() -> None:
                names["climb"]()
                registry.get("main")
                for database in (own, polled):
                    database.execute("PRAGMA data_version")

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                while await reader.readline():
                    act()
                    await asyncio.sleep(0.02)
                    act()
                    writer.write(b"done\n")
                    act()
                writer.close()
                await writer.wait_closed()
                served.set()

            served = asyncio.Event()
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            outside()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(2):
                tracer.start(port, port)
                act()
                context = Context()  # not of the client
                asyncio.get_running_loop().call_later(0.01, act, context=context)
                writer.write(b"do\n")
                await reader.readline()
                walk = tracer.stop()
            writer.close()
            await writer.wait_closed()
            await served.wait()
            server.close()
            await server.wait_closed()
            return walk

    walk = tracer.run(request)
    assert walk.files == ["gateway/app/made_up.py", "ea_bridge/registry.py"]
    assert walk.climbs == {"event loop -> gateway/app/made_up.py: climb": 2}
    assert (walk.registry_lookups, walk.version_lookups) == (2, 2)
