"""Handlers of the routes for daemons."""

from __future__ import annotations

import re
from collections.abc import Callable

from aiohttp import web
from pydantic import BaseModel

from gateway.console.service import Console
from gateway.console.trails import BadTrail
from gateway.console.web.request_context import read_body
from gateway.credentials.console_call import is_line_key
from gateway.credentials.daemon_api import (
    Confirm,
    Contact,
    ContactProof,
    History,
    Keys,
    Noted,
    Sync,
    Synced,
    Witness,
)
from gateway.credentials.keyset import root_text
from gateway.http.rate_limit import RateLimiter

from .authentication import CallRefused, DeviceAuthenticator, answering, parse
from .streams import DaemonStreams

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
        if not self._contacts.allows(ip):
            message = "Too many first contacts: wait a few seconds."
            raise CallRefused(429, "too_many", message, wait_s=5)
        body = await read_body(request)
        contact = parse(Contact, body)
        caller = await self._devices.introduced(request, contact.pub, body)
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
