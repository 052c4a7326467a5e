"""The front alone, and behind either door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
import pytest
from jsonrpc_front import Ask, Front
from web_server_fixture import Server, raw_ws


@pytest.fixture
async def front() -> Front:
    return Front()


@pytest.fixture(params=["http", "ws"])
async def ask(request: pytest.FixtureRequest, house: Server) -> AsyncIterator[Ask]:
    """Send a text over a transport; return the decoded answer, None when there is none."""
    if request.param == "http":

        async def over_http(text: bytes) -> Any:
            status, _, body = await house.post(text)
            assert (status == 204) == (body == b"")
            return orjson.loads(body) if body else None

        yield over_http
        return
    async with raw_ws(house) as ws:

        async def over_ws(text: bytes) -> Any:
            ws.send(text)
            ws.send(b'{"jsonrpc":"2.0","id":"end","method":"get_data"}')
            answers = [await ws.json()]
            with suppress(TimeoutError):  # answers may come in any order, or not at all
                answers.append(await asyncio.wait_for(ws.json(), 0.1))
            ends = [a for a in answers if isinstance(a, dict) and a["id"] == "end"]
            assert len(ends) == 1
            answers.remove(ends[0])
            return answers[0] if answers else None

        yield over_ws
