"""Bots' way to a real daemon that comes and goes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import aiohttp
from simulation.bots import Address
from simulation.intents import Json


class Door:
    """The way to a daemon that comes and goes, for the holder of a token."""

    def __init__(self, http: aiohttp.ClientSession, address: Address, token: str) -> None:
        self.address = address
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ids = itertools.count(1)

    async def ask(self, method: str, params: Json, timeout_s: float) -> Json | None:
        """Return the response; ``None`` if none came in time, or the connection broke."""
        answer: Json | None = await self._send(self._request(method, params), timeout_s)
        return answer

    async def ask_all(self, method: str, params: Sequence[Json], timeout_s: float) -> list[Json]:
        """Return the responses to a batch, in the order of the requests."""
        requests = [self._request(method, one) for one in params]
        answers = await self._send(requests, timeout_s)
        assert answers is not None, "nothing was to go wrong here"
        by_id = {one["id"]: one for one in answers}
        return [by_id[one["id"]] for one in requests]

    def _request(self, method: str, params: Json) -> Json:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    async def _send(self, message: Any, timeout_s: float) -> Any:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._http.post(
                self.address.url, json=message, timeout=timeout, headers=self._headers
            ) as response:
                return await response.json()
        except (aiohttp.ClientError, TimeoutError):
            return None
