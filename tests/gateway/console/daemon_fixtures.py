"""A daemon as the console's routes meet it: signed calls over real HTTP, a real WebSocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from approval_fixtures import Terminal
from console_fixtures import Clock, Machine
from pydantic import BaseModel

from gateway.credentials.daemon_api import ApprovalVerdict, ContactProof, Sync, Synced
from gateway.credentials.device import sign_request


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: dict[str, Any]
    headers: Any = field(repr=False, default=None)


@dataclass(frozen=True)
class Daemon:
    """Speaks for a machine."""

    url: str
    http: aiohttp.ClientSession
    clock: Clock
    machine: Machine = field(default_factory=Machine)

    def signed(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """Return the headers of a call."""
        return sign_request(self.machine.key, method, path, body, time_s=self.clock())

    async def call(
        self,
        method: str,
        path: str,
        body: BaseModel | bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Call, and return the answer."""
        data = body if isinstance(body, bytes) else body.model_dump_json().encode()
        headers = self.signed(method, path, data) if headers is None else headers
        async with self.http.request(method, self.url + path, data=data, headers=headers) as got:
            return Answer(got.status, json.loads(await got.read()), got.headers)

    async def dial(self, terminal: Terminal) -> ApprovalVerdict:
        """Relay a first contact."""
        hello = terminal.hello()
        first = await self.call("POST", "/v1/daemon/contact", hello)
        assert first.status == 200, first
        assert terminal.is_console(hello, first.body["proof"])
        proof = ContactProof(client_proof=terminal.proof(hello))
        path = f"/v1/daemon/contact/{first.body['eid']}"
        second = await self.call("POST", path, proof)
        assert second.status == 200, second
        return ApprovalVerdict.model_validate(second.body)

    async def sync(self, **asked: Any) -> Synced:
        """Ask for all that holds."""
        answer = await self.call("POST", "/v1/daemon/sync", Sync(**{"since": 0, **asked}))
        assert answer.status == 200, answer
        return Synced.model_validate(answer.body)

    @asynccontextmanager
    async def stream(self, query: str = "") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a stream; its first message, a heartbeat, is left to be read."""
        path = f"/v1/daemon/stream{query}"
        headers = self.signed("GET", path)
        async with self.http.ws_connect(self.url + path, headers=headers) as socket:
            yield socket
