"""A console that does what a test says: real signatures, real sockets, any fault."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ea_bridge.token import TokenKeys, derive_keys, new_token, parse_token
from gateway.console.clone_detector import Chain, Step, StoredAnswer
from gateway.credentials.daemon_api import Sync
from gateway.credentials.device import check_request
from gateway.credentials.envelope import Kind, decode64, encode64, seal
from gateway.credentials.event import ConsoleEvent, DeviceState
from gateway.credentials.keyset import (
    DAY_S,
    OPERATIONAL,
    KeyEntry,
    public_key,
    public_text,
    root_text,
    sign_keyset,
)
from gateway.credentials.lease import LEASE_S, Lease
from gateway.credentials.record import AUDIENCE, Device, Record, Scope

ISSUER = "console"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Issued:
    """A token of the console."""

    record: Record
    keys: TokenKeys
    epoch: int = 0
    lease_changes: dict[str, Any] = field(default_factory=dict)


class Signer:
    """The console's keys, and what it has to say of its tokens."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self.now_s = lambda: int(now_s())
        self.root = Ed25519PrivateKey.generate()
        self.key = Ed25519PrivateKey.generate()
        self.kid = "op1"
        self.version = 1
        self.born_s = self.now_s() - 100
        self.tokens: dict[str, Issued] = {}
        self.events: list[str] = []
        self.did = ""
        self.pub = ""
        self.keys_changes: dict[str, Any] = {}

    @property
    def root_text(self) -> str:
        return root_text(self.root.public_key())

    def know(self, did: str, pub: str) -> None:
        self.did, self.pub = did, pub

    def sign(self, kind: Kind, payload: dict[str, Any]) -> str:
        return seal(kind, self.kid, payload, self.key)

    def key_set(self) -> str:
        entry = KeyEntry(
            kid=self.kid,
            pub=public_text(self.key.public_key()),
            use=OPERATIONAL,
            nbf=self.born_s,
            exp=self.born_s + 90 * DAY_S,
        )
        return sign_keyset(self.root, [entry], iss=ISSUER, version=self.version, now_s=self.born_s)

    def rotate(self) -> None:
        self.key, self.kid = Ed25519PrivateKey.generate(), f"op{self.version + 1}"
        self.version += 1

    def create(self, name: str = "demo", **changes: Any) -> str:
        token = new_token()
        keys = derive_keys(token)
        record = Record(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            tid=parse_token(token),
            uid_hash="u1",
            label=name,
            platform=None,
            rec_ver=1,
            status="active",
            created_at=self.now_s(),
            exp=None,
            scopes=(Scope.TRADE,),
            stored_key=keys.stored_key.hex(),
            server_key_sha256=hashlib.sha256(keys.server_key).hexdigest(),
            devices=(Device(did=self.did, pub=self.pub, dev_ver=1, status="approved"),),
        )
        self.tokens[record.tid] = Issued(record.model_copy(update=changes), keys)
        return token

    def change(self, tid: str, **changes: Any) -> Record:
        issued = self.tokens[tid]
        changes = {"rec_ver": issued.record.rec_ver + 1, **changes}
        issued.record = issued.record.model_copy(update=changes)
        return issued.record

    def change_device(self, tid: str, **changes: Any) -> Record:
        (device,) = self.tokens[tid].record.devices
        changes = {"dev_ver": device.dev_ver + 1, **changes}
        return self.change(tid, devices=(device.model_copy(update=changes),))

    def lease(self, tid: str, /, **changes: Any) -> str:
        issued, now = self.tokens[tid], self.now_s()
        exp = now + LEASE_S
        lease = Lease(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            lid="l1",
            tid=tid,
            did=self.did,
            rec_ver=issued.record.rec_ver,
            dev_ver=issued.record.devices[0].dev_ver if issued.record.devices else 1,
            epoch=issued.epoch,
            iat=now,
            nbf=now,
            exp=exp,
            renew_after=now + 300,
            server_time=now,
        )
        payload = lease.model_dump(mode="json") | issued.lease_changes | changes
        return self.sign("lease", payload)

    def event(self, type_: str, tid: str | None = None, /, **changes: Any) -> str:
        issued = self.tokens.get(tid or "")
        event = ConsoleEvent(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            did=self.did,
            seq=len(self.events) + 1,
            type=type_,  # type: ignore[arg-type]  # the tests' own
            tid=tid,
            uid_hash="u1",
            rec_ver=issued.record.rec_ver if issued else 0,
            epoch=issued.epoch if issued else 0,
            iat=self.now_s(),
        )
        self.events.append(self.sign("evt", event.model_dump(mode="json") | changes))
        return self.events[-1]

    def revoke(self, tid: str) -> str:
        self.tokens[tid].epoch += 1
        self.change(tid, status="revoked")
        return self.event("token.revoked", tid)

    def state(self, **changes: Any) -> str:
        state = DeviceState(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            did=self.did,
            seq=len(self.events),
            iat=self.now_s(),
            tids=tuple(self.tokens),
        )
        return self.sign("state", state.model_dump(mode="json") | changes)

    def offer(self, tid: str) -> dict[str, Any]:
        issued = self.tokens[tid]
        record, device = issued.record, next(iter(issued.record.devices), None)
        approved = device is not None and device.status == "approved"
        live = approved and record.is_live(self.now_s())
        return {
            "tid": tid,
            "record": self.sign("rec", record.payload()),
            "server_key": encode64(issued.keys.server_key) if approved else None,
            "lease": self.lease(tid) if live else None,
        }

    def synced(self, since: int = 0, nonce: str = "", **changes: Any) -> dict[str, Any]:
        return {
            "server_time": self.now_s(),
            "root": self.root_text,
            "keys": self.key_set(),
            "state": self.state(nonce=nonce),
            "tokens": [self.offer(tid) for tid in self.tokens],
            "events": self.events[since:],
            "heartbeat_s": 1,
        } | changes


class ScriptedConsole(Signer):
    """The same behind a port; :attr:`fault` answers in its place, if set."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        super().__init__(now_s)
        self.fault: Handler | None = None
        self.stream_fault: Handler | None = None
        self.extra: dict[tuple[str, str], Handler] = {}
        self.syncs: list[Sync] = []
        self.states: list[str] = []
        """Those of the answers, which may not have arrived."""
        self.chain = Chain()
        self.steps: list[Step] = []
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sockets: set[web.WebSocketResponse] = set()
        self.answered = asyncio.Condition()
        self.beats = True
        self.knows_lines = True
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def served(self, port: int = 0, tls: Any = None) -> AsyncIterator[ScriptedConsole]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await self.cut()
            await runner.cleanup()

    async def push(self, envelope: str) -> None:
        for socket in tuple(self.sockets):
            await socket.send_json({"t": "evt", "e": envelope})

    async def cut(self) -> None:
        """End all streams without a word."""
        for socket in tuple(self.sockets):
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()

    async def synced_times(self, times: int) -> None:
        """Return when so many syncs were asked for."""
        async with self.answered:
            await self.answered.wait_for(lambda: len(self.syncs) >= times)

    async def streaming(self) -> None:
        """Return when there is a stream."""
        async with self.answered:
            await self.answered.wait_for(lambda: bool(self.sockets))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        is_stream = request.path == "/v1/daemon/stream"
        fault = self.stream_fault if is_stream else self.fault
        if fault is not None:
            return await fault(request)
        check_request(
            request.headers,
            public_key(self.pub),
            request.method,
            request.raw_path,
            body,
            self.now_s(),
        )
        other = self.extra.get((request.method, request.path))
        if other is not None:
            return await other(request)
        if is_stream:
            return await self._stream(request)
        assert request.path == "/v1/daemon/sync", request.path
        sync = Sync.model_validate_json(body)
        async with self.answered:
            self.syncs.append(sync)
            self.answered.notify_all()
        self.steps.append(self._follow(sync))
        answer = self.synced(sync.since, sync.nonce)
        self.states.append(answer["state"])
        return web.json_response(answer)

    def _follow(self, sync: Sync) -> Step:
        kept = StoredAnswer("", 0)
        if sync.after:
            payload = json.loads(decode64(sync.after.split(".")[3]))
            kept = StoredAnswer(payload["nonce"], payload["iat"])
        return self.chain.follow(kept, sync.nonce, "", self.now_s())

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async with self.answered:
            self.sockets.add(socket)
            self.answered.notify_all()
        beating = asyncio.create_task(self._beat(socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.said.put_nowait(message.json())
        finally:
            beating.cancel()
            self.sockets.discard(socket)
        return socket

    async def _beat(self, socket: web.WebSocketResponse) -> None:
        while self.beats:
            heartbeat = {"t": "hb", "seq": len(self.events), "time": self.now_s()}
            heartbeat["line"] = self.knows_lines
            await socket.send_json(heartbeat)
            await asyncio.sleep(1)
