"""Lists that may be long come in pieces, and never as half a list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ea_bridge.mt4_manager.model import MarginLevel, Page
from gateway.mt4_manager import PeerOffline
from gateway.mt4_manager.api import answers
from gateway.mt4_manager.api.answers import Listing


class Server:
    """Has so many rows, and notes what it is asked for."""

    def __init__(self, total: int) -> None:
        self.rows = [MarginLevel(login=number) for number in range(total)]
        self.asked: list[tuple[int, int]] = []
        self.fails_at = -1

    async def page(self, offset: int, limit: int) -> Page[MarginLevel]:
        self.asked.append((offset, limit))
        if len(self.asked) == self.fails_at:
            raise PeerOffline
        return Page(total=len(self.rows), rows=self.rows[offset : offset + limit])


async def whole(server: Server, offset: int, limit: int) -> tuple[bool, dict[str, Any]]:
    """Return whether the list was whole at once, and what it says."""
    pieces = await Listing("margins", server.page, offset, limit).begin()
    if pieces.is_whole:
        return True, json.loads(pieces.body)
    return False, json.loads(b"".join([piece async for piece in pieces]))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PIECE", 3)


@pytest.mark.parametrize("total", [0, 1, 3, 4, 6, 7])
@pytest.mark.parametrize(("offset", "limit"), [(0, 100), (0, 3), (0, 4), (2, 2), (1, 100), (9, 5)])
async def test_the_rows_that_were_asked_for(total: int, offset: int, limit: int) -> None:
    """Each once, in their order, with the number of all; and no more is asked for."""
    server = Server(total)
    at_once, answer = await whole(server, offset, limit)
    wanted = list(range(total))[offset : offset + limit]
    assert [one["login"] for one in answer.pop("margins")] == wanted
    assert answer == {"status": "ok", "total": total, "offset": offset, "limit": limit}
    assert at_once == (len(wanted) <= 3)
    assert sum(one for _, one in server.asked) <= max(len(wanted), min(3, limit))


async def test_rows_that_go_meanwhile() -> None:
    """The list ends where the server has no more, however many there were at first."""
    server = Server(10)
    pieces = await Listing("margins", server.page, 0, 100).begin()
    del server.rows[4:]
    answer = json.loads(b"".join([piece async for piece in pieces]))
    assert [one["login"] for one in answer["margins"]] == [0, 1, 2, 3]
    assert answer["total"] == 10


async def test_a_server_that_is_lost_on_the_way() -> None:
    """It raises, so that the connection is cut; a list that has not begun is an error."""
    server = Server(10)
    server.fails_at = 3
    pieces = await Listing("margins", server.page, 0, 100).begin()
    got: list[bytes] = []

    async def read() -> None:
        async for piece in pieces:
            got.append(piece)  # noqa: PERF401  # what came before the error is looked at

    with pytest.raises(PeerOffline):
        await read()
    assert got
    with pytest.raises(json.JSONDecodeError):
        json.loads(b"".join(got))
    server.fails_at = len(server.asked) + 1
    with pytest.raises(PeerOffline):
        await Listing("margins", server.page, 0, 100).begin()


async def test_who_stops_reading_leaves_nothing_behind() -> None:
    """The question that was asked ahead is cancelled."""
    server = Server(100)
    pieces = aiter(await Listing("margins", server.page, 0, 100).begin())
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert len(server.asked) <= 2
