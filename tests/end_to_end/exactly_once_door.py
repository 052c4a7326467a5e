"""Bots' way to a real daemon that comes and goes."""

from __future__ import annotations

from typing import Any

import aiohttp
from simulation.bots import Address
from simulation.rpc_client import RpcClient


class AiohttpDoor(RpcClient):
    """Way to a real daemon, over a session of aiohttp."""

    def __init__(self, http: aiohttp.ClientSession, address: Address, token: str) -> None:
        super().__init__(address)
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    async def _send(self, message: Any, timeout_s: float) -> Any:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._http.post(
                self.address.url, json=message, timeout=timeout, headers=self._headers
            ) as response:
                return await response.json()
        except (aiohttp.ClientError, TimeoutError):
            return None
