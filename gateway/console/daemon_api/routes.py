"""Handlers of the routes for daemons, and the stream of each daemon.

On the stream what happens is pushed, and what was done comes back.

``GET /v1/daemon/stream`` begins with a heartbeat, which names the device's last event: a daemon
that has an older one calls ``sync``. From then on events are sent as soon as they are on disk.
With ``?since=<seq>`` those after that number come first. With ``?alerts=1`` orders of alerts are
pushed as well, those that the daemon has not answered with each heartbeat anew. With ``?line=``
and the key of a line calls are pushed that people make; see :mod:`gateway.console.daemon_calls`.

One task writes. It keeps no queue: it knows the last event that it sent, and reads the next ones
from the database. A daemon that takes nothing for :data:`SEND_S`, or says nothing for
:data:`SILENT` heartbeats, is cut off; it connects anew and misses nothing.

A daemon has one stream. If a second one is opened and the first still answers, two machines hold
the device's key.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Annotated

from aiohttp import WSMsgType, web
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from ea_bridge import host
from gateway.console.audit_trails import BadTrail
from gateway.console.daemon_calls import CallLine
from gateway.console.database.model import DeviceEvent
from gateway.console.service import Console
from gateway.console.web.request_context import read_body
from gateway.credentials.console_call import is_line_key
from gateway.credentials.daemon_api import (
    MAX_BODY_BYTES,
    MAX_EVENTS,
    Acknowledged,
    AlertOutcome,
    CallAnswer,
    Confirm,
    Contact,
    ContactProof,
    Heartbeat,
    History,
    Keys,
    Noted,
    Pushed,
    PushedAlert,
    PushedCall,
    Report,
    Summary,
    Sync,
    Synced,
    Witness,
)
from gateway.credentials.keyset import root_text
from gateway.http.rate_limit import RateLimiter

from .authentication import AuthenticatedDevice, CallRefused, DeviceAuthenticator, answering, parse

SEND_S = 5.0
SILENT = 2.5
PROOF_S = 3.0
"""For the first stream to show that it lives, when a second one is opened."""
MAX_OF_DEVICE = 4
MAX_STREAMS = 5_000
BURST = 200
PER_S = 20
MAX_PONGS = 16
HEARD_S = 30
"""So often it is noted that a device is there."""
POLICY, TRY_AGAIN = 1008, 1013

RETELL_S = 900
"""So long an alert is told anew that the daemon has not answered, or does not know the end of."""
RETELL_AT_START_S = 86_400
"""The same, when a stream begins."""

_Words = Acknowledged | Report | AlertOutcome | CallAnswer | Summary
Said = TypeAdapter[_Words](Annotated[_Words, Field(discriminator="t")])
log = logging.getLogger(__name__)


class DaemonStreams:
    """All streams of this process.

    Args:
        console: whose events are told.

    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: dict[str, list[Stream]] = {}
        self._count = 0
        self._checks: set[asyncio.Task[None]] = set()

    async def serve(
        self,
        request: web.Request,
        caller: AuthenticatedDevice,
        since: int | None,
        *,
        takes_alerts: bool = False,
        line: str = "",
    ) -> web.WebSocketResponse:
        """Serve a stream until it ends.

        Raises:
            CallRefused: there are too many.

        """
        others = self._live.get(caller.did, [])
        # more than one of a device: a connection that died unseen holds its place for a while
        if len(others) >= MAX_OF_DEVICE or self._count >= MAX_STREAMS:
            raise CallRefused(
                503, "too_many_streams", "Close a stream before you open another one."
            )
        stream = Stream(self._console, caller, takes_alerts=takes_alerts, line=line)
        # a daemon that has lost its stream opens a new one before we notice: only who answers on
        # both is copied
        for other in others:
            self._check(other, stream)
        others = self._live.setdefault(caller.did, others)
        others.append(stream)
        self._count += 1
        try:
            return await stream.serve(request, since)
        finally:
            self._count -= 1
            others.remove(stream)
            if not others:
                self._live.pop(caller.did, None)

    def _check(self, old: Stream, new: Stream) -> None:
        task = asyncio.create_task(self._compare(old, new))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _compare(self, old: Stream, new: Stream) -> None:
        """Ask both for a sign of life; two that give one are two programs."""
        try:
            signs = await asyncio.gather(old.is_alive(), new.is_alive())
            if all(signs):
                log.warning("device %.8s answers from two places", old.caller.did)
                await self._console.clones.alarm(old.caller.did, old.caller.ip, new.caller.ip)
            # the old one is a connection that died unseen; it would count until its silence is
            # over
            elif not signs[0]:
                old.cut()
        except SQLAlchemyError:
            log.exception("that device %.8s was copied could not be noted", old.caller.did)


class Stream:
    """One stream; see the module's docstring."""

    def __init__(
        self,
        console: Console,
        caller: AuthenticatedDevice,
        *,
        takes_alerts: bool = False,
        line: str = "",
    ) -> None:
        self.caller = caller
        self._line_key = line
        self._line: CallLine | None = None
        self._takes_alerts = takes_alerts
        self._console = console
        self._beat_s = console.settings.heartbeat_s
        # pings are answered by the one task that writes; a compressed bomb is not unpacked
        self._socket = web.WebSocketResponse(
            compress=False, autoping=False, max_msg_size=MAX_BODY_BYTES, timeout=1
        )
        self._news = asyncio.Event()
        # bounded: who pings and reads nothing fills no memory; the oldest goes unanswered
        self._pongs: deque[bytes] = deque(maxlen=MAX_PONGS)
        self._asked: dict[bytes, asyncio.Future[None]] = {}
        self._request: web.Request | None = None
        self._pace = RateLimiter(BURST, PER_S)
        self._opened = asyncio.Event()

    async def serve(self, request: web.Request, since: int | None) -> web.WebSocketResponse:
        """Serve until either side ends it."""
        await self._socket.prepare(request)
        self._request = request
        self._opened.set()
        # before the first look into the table: what comes in between sets the event
        end = self._console.events.subscribe(self.caller.did, self._news.set)
        lines = ExitStack()
        if self._line_key:
            opened = self._console.calls.line(self.caller.did, self._line_key, self._news.set)
            self._line = lines.enter_context(opened)
        writer = asyncio.create_task(self._write(since))
        try:
            await self._read(writer)
        finally:
            end()
            lines.close()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            # no closing handshake here: a daemon that is gone would let us wait for it
            if not self._socket.closed:
                self.cut()
        return self._socket

    async def is_alive(self) -> bool:
        """Ask for a sign of life that only who reads this stream now can give."""
        # eight random bytes: a pong that was sent without a ping proves nothing
        asked, sign = host.random_bytes(8), asyncio.get_running_loop().create_future()
        self._asked[asked] = sign
        try:
            async with asyncio.timeout(PROOF_S):
                await self._opened.wait()
                await self._socket.ping(asked)
                await sign
        except (TimeoutError, ConnectionError, RuntimeError):
            return False
        finally:
            self._asked.pop(asked, None)
        return True

    def cut(self) -> None:
        """End the connection at once."""
        if self._request is not None and self._request.transport is not None:
            self._request.transport.abort()

    # --- what we say --------------------------------------------------------------------------

    async def _write(self, since: int | None) -> None:
        try:
            sent = await self._begin(since)
            loop = asyncio.get_running_loop()
            beat_at = heard_at = loop.time()
            sent = await self._push(sent)
            await self._push_alerts(RETELL_AT_START_S)
            while True:
                await self._wait(beat_at + self._beat_s - loop.time())
                await self._answer_pings()
                sent = await self._push(sent)
                await self._push_calls()
                await self._push_alerts()
                if loop.time() >= beat_at + self._beat_s:
                    beat_at = loop.time()
                    await self._beat(sent)
                    await self._push_alerts(RETELL_S)
                if loop.time() >= heard_at + HEARD_S:
                    heard_at = loop.time()
                    await self._console.devices.heard(self.caller.did, self.caller.ip)
        except (TimeoutError, ConnectionError, RuntimeError):
            self.cut()  # it reads too slowly, or is gone
        except SQLAlchemyError:
            log.exception("a stream cannot read its events")
            self.cut()

    async def _begin(self, since: int | None) -> int:
        last = await self._console.events.last(self.caller.did)
        # the first heartbeat tells the newest number: a daemon that missed more syncs at once
        await self._beat(last)
        return last if since is None else min(since, last)

    async def _wait(self, wait_s: float) -> None:
        if not self._pongs:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0, wait_s)):
                    await self._news.wait()
        # cleared before the table is read: news of the meantime set it again
        self._news.clear()

    async def _push(self, sent: int) -> int:
        later = (
            select(DeviceEvent.seq, DeviceEvent.envelope)
            .where(DeviceEvent.did == self.caller.did, DeviceEvent.seq > sent)
            .order_by(DeviceEvent.seq)
            .limit(MAX_EVENTS)
        )
        # closed before anything is sent: a slow reader must not hold one of ten connections
        async with self._console.db.session() as session:
            events = (await session.execute(later)).all()
        for seq, envelope in events:
            await self._send(Pushed(t="evt", e=envelope))
            # after each: cut off in between, none is left out and none counts as sent
            sent = seq
        # there may be more than one page of them: come again without a wait
        if len(events) == MAX_EVENTS:
            self._news.set()
        return sent

    async def _push_alerts(self, retell_s: int = 0) -> None:
        if self._takes_alerts:
            for alert in await self._console.hooks.pending(self.caller.did, retell_s=retell_s):
                await self._send(PushedAlert(t="alert", e=alert.envelope, again=alert.again))

    async def _push_calls(self) -> None:
        while self._line is not None and self._line.waiting:
            await self._send(PushedCall(t="call", e=self._line.waiting.popleft()))

    async def _beat(self, seq: int) -> None:
        now_s, has_line = self._console.now_s(), self._line is not None
        await self._send(Heartbeat(t="hb", seq=seq, time=now_s, line=has_line))
        async with asyncio.timeout(SEND_S):
            # a pong is a sign of life too: a daemon with nothing to say need not speak
            await self._socket.ping()

    async def _send(self, message: BaseModel) -> None:
        async with asyncio.timeout(SEND_S):
            await self._socket.send_str(message.model_dump_json())

    async def _answer_pings(self) -> None:
        while self._pongs:
            async with asyncio.timeout(SEND_S):
                await self._socket.pong(self._pongs.popleft())

    # --- what it says -------------------------------------------------------------------------

    async def _read(self, writer: asyncio.Task[None]) -> None:
        while not writer.done():
            try:
                # two heartbeats and a half: one may be late on a bad network
                async with asyncio.timeout(self._beat_s * SILENT):
                    message = await self._socket.receive()
            except TimeoutError:
                return
            # also pings count: each makes us answer
            if not self._pace.allows(self.caller.did):
                await self._close(TRY_AGAIN, b"too_many")
                return
            match message.type:
                case WSMsgType.TEXT:
                    if not await self._take(message.data):
                        return
                case WSMsgType.PING:
                    self._pongs.append(bytes(message.data))
                    self._news.set()
                case WSMsgType.PONG:
                    sign = self._asked.get(bytes(message.data))
                    # it may have been given up, or a pong may come twice
                    if sign is not None and not sign.done():
                        sign.set_result(None)
                case WSMsgType.BINARY:
                    await self._close(POLICY, b"text_only")
                    return
                case _:
                    return

    async def _take(self, text: str) -> bool:
        try:
            said = Said.validate_json(text)
        except ValidationError:
            await self._close(POLICY, b"bad_message")
            return False
        did = self.caller.did
        if isinstance(said, Acknowledged):
            await self._console.events.acknowledge(did, [said])
        elif isinstance(said, AlertOutcome):
            await self._console.hooks.settle(did, said)
        elif isinstance(said, CallAnswer):
            if self._line is not None:
                self._console.calls.answered(self._line, said)
        elif isinstance(said, Summary):
            self._console.calls.told(did, said)
        else:
            await self._console.devices.heard(did, self.caller.ip)
            await self._console.reports.report(did, said.terminals)
        return True

    async def _close(self, code: int, reason: bytes) -> None:
        with suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(SEND_S):
                await self._socket.close(code=code, message=reason)


BURST_OF_CONTACTS = 60
CONTACTS_PER_S = 1
"""Of one address: each writes a row before anybody has proved anything."""

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_SEQ = re.compile(r"[0-9]{1,15}", re.ASCII)


def peer(request: web.BaseRequest) -> str:
    """Return the address at the other end of the connection."""
    return request.remote or ""


def daemon_routes(
    console: Console, address: Callable[[web.BaseRequest], str] = peer
) -> list[web.RouteDef]:
    """Return the routes for daemons.

    Args:
        console: that answers.
        address: of who sends a request; a proxy in front is no daemon.

    """
    routes = _Routes(console, address)
    return [
        web.get("/v1/keys", answering(routes.keys), allow_head=False),
        web.post("/v1/daemon/contact", answering(routes.contact)),
        web.post("/v1/daemon/contact/{eid}", answering(routes.prove)),
        web.get("/v1/daemon/requests", answering(routes.requests), allow_head=False),
        web.get("/v1/daemon/requests/{rid}", answering(routes.verdict), allow_head=False),
        web.post("/v1/daemon/requests/{rid}/confirm", answering(routes.confirm)),
        web.post("/v1/daemon/sync", answering(routes.sync)),
        web.post("/v1/daemon/history", answering(routes.history)),
        web.get("/v1/daemon/trail", answering(routes.trail), allow_head=False),
        web.post("/v1/daemon/trail", answering(routes.witness)),
        web.get("/v1/daemon/stream", answering(routes.stream), allow_head=False),
    ]


class _Routes:
    def __init__(self, console: Console, address: Callable[[web.BaseRequest], str]) -> None:
        self._console = console
        self._devices = DeviceAuthenticator(console, address)
        self._contacts = RateLimiter(BURST_OF_CONTACTS, CONTACTS_PER_S)
        self._streams = DaemonStreams(console)

    async def keys(self, request: web.Request) -> web.Response:
        self._devices.count_unsigned(request)
        root, keys = await self._root(), await self._console.signing.key_set()
        return _json(Keys(root=root, keys=keys, server_time=self._console.now_s()))

    async def contact(self, request: web.Request) -> web.Response:
        ip = self._devices.count_unsigned(request)
        body = await read_body(request)
        contact = parse(Contact, body)
        caller = await self._devices.introduced(request, contact.pub, body)
        # last: what is not signed must not use up the contacts of all who share the address
        if not self._contacts.allows(ip):
            message = "Too many first contacts: wait a few seconds."
            raise CallRefused(429, "too_many", message, wait_s=5)
        return _json(await self._console.approvals.contact(caller.did, contact, ip))

    async def prove(self, request: web.Request) -> web.Response:
        eid, body = _id(request, "eid"), await read_body(request)
        proof = parse(ContactProof, body)
        pub = await self._console.approvals.contact_key(eid)
        if pub is None:
            self._devices.count_unsigned(request)
            raise CallRefused(
                410, "gone", "This contact took too long: let the terminal dial anew."
            )
        caller = await self._devices.introduced(request, pub, body)
        verdict = await self._console.approvals.prove(caller.did, eid, proof.client_proof)
        return _json(verdict)

    async def requests(self, request: web.Request) -> web.Response:
        caller = await self._devices.authenticated(request)
        return _json(await self._console.approvals.open_of_device(caller.did))

    async def verdict(self, request: web.Request) -> web.Response:
        caller = await self._devices.authenticated(request)
        return _json(await self._console.approvals.verdict(caller.did, _id(request, "rid")))

    async def confirm(self, request: web.Request) -> web.Response:
        caller = await self._devices.authenticated(request)
        ecode = parse(Confirm, caller.body).ecode
        rid = _id(request, "rid")
        return _json(await self._console.approvals.confirm(caller.did, rid, ecode))

    async def sync(self, request: web.Request) -> web.Response:
        caller = await self._devices.authenticated(request)
        console, did = self._console, caller.did
        asked = parse(Sync, caller.body)
        # before the answer is made: the pages show at once that the machine is there
        await console.devices.heard(did, caller.ip)
        await console.reports.report(did, asked.terminals)
        await console.events.acknowledge(did, asked.acks)
        # judged before leases are made: a copy must not get one with the question that betrays it
        is_late = not await console.clones.follow(did, asked.after, asked.nonce, caller.ip)
        # with the nonce of the question: the daemon knows that the answer is not an older one
        offer = await console.offers.make(did, asked.nonce)
        # read after the offer: an alarm that comes in between still takes the leases away
        held, bare = await console.clones.held(did), {"lease": None, "server_key": None}
        return _json(
            Synced(
                server_time=console.now_s(),
                root=await self._root(),
                keys=offer.keys,
                state=offer.state,
                tokens=tuple(
                    offered.model_copy(update=bare) if is_late or offered.tid in held else offered
                    for offered in offer.tokens
                ),
                # read last: what was revoked while the answer was made is in it
                events=tuple(await console.events.since(did, asked.since)),
                heartbeat_s=console.settings.heartbeat_s,
            )
        )

    async def history(self, request: web.Request) -> web.Response:
        caller = await self._devices.authenticated(request)
        told = parse(History, caller.body)
        await self._console.devices.heard(caller.did, caller.ip)
        await self._console.reports.history(caller.did, told.boot, told.runs)
        await self._console.logins.note(caller.did, told.logins)
        return _json(Noted())

    async def trail(self, request: web.Request) -> web.Response:
        caller = await self._devices.authenticated(request)
        return _json(await self._console.trails.of(caller.did))

    async def witness(self, request: web.Request) -> web.Response:
        caller = await self._devices.authenticated(request)
        told = parse(Witness, caller.body)
        try:
            return _json(await self._console.trails.witness(caller.did, told))
        except BadTrail:
            raise CallRefused(
                400, "bad_trail", "The trail's head is not signed by this machine."
            ) from None

    async def stream(self, request: web.Request) -> web.StreamResponse:
        caller = await self._devices.authenticated(request)
        # aiohttp's own refusal would be no body that a daemon understands
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise CallRefused(400, "no_upgrade", "Ask for a WebSocket here.")
        since = request.query.get("since")
        if since is not None and not _SEQ.fullmatch(since):
            raise CallRefused(400, "bad_since", "Give the number of the last event that you have.")
        line = request.query.get("line", "")
        if line and not is_line_key(line):
            raise CallRefused(400, "bad_line", "Give the public key of a line, X25519, base64url.")
        return await self._streams.serve(
            request,
            caller,
            None if since is None else int(since),
            takes_alerts=request.query.get("alerts") == "1",
            line=line,
        )

    async def _root(self) -> str:
        return root_text(await self._console.signing.root())


def _id(request: web.Request, name: str) -> str:
    text = request.match_info[name]
    if not _ID.fullmatch(text):
        raise CallRefused(404, "not_found", "There is no such request.")
    return text


def _json(body: BaseModel) -> web.Response:
    return web.json_response(text=body.model_dump_json())
