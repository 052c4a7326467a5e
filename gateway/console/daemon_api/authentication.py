"""Authentication of daemons' calls: each is signed by a device's key, now, and counts once.

What a device has signed passes whatever others do: of an address only what nobody has signed is
counted, since many share one behind a proxy, and all on one machine. A refused call is answered
with ``{"error": word, "message": what to do}``.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from pydantic import ValidationError
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from gateway.console.approvals import WrongCode
from gateway.console.database.model import RequestNonce
from gateway.console.errors import ConsoleError, ConsoleProblem, TooMany
from gateway.console.service import Console
from gateway.console.web.request_context import read_body
from gateway.credentials.daemon_api import Body
from gateway.credentials.device import (
    DEVICE_ID,
    HEADER_DEVICE,
    BadRequestSignature,
    ClockSkewed,
    RequestProof,
    check_request,
)
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.keyset import public_key
from gateway.http.rate_limit import RateLimiter

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


class CallRefused(Exception):
    """Refusal of a daemon's call, with what it can do.

    Args:
        status: of HTTP.
        word: stable, for programs.
        message: what to do.
        wait_s: until it may be tried again.
        more: further members.

    """

    def __init__(
        self, status: int, word: str, message: str, *, wait_s: int = 0, **more: int
    ) -> None:
        super().__init__(word)
        self.status = status
        self.wait_s = wait_s
        self.body: dict[str, str | int] = {"error": word, "message": message, **more}


def answering(handler: Handler) -> Handler:
    """Make answers of what a handler raises; no exception's text gets out."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except CallRefused as error:
            return _answer(error.status, error.body, error.wait_s)
        except ConsoleProblem as error:
            return _answer(error.status, {"error": error.error, "message": error.message})
        except WrongCode as error:
            body = _error_body(error)
            return _answer(error.status, {**body, "tries_left": error.tries_left})
        except ConsoleError as error:
            wait_s = error.wait_s if isinstance(error, TooMany) else 0
            return _answer(error.status, _error_body(error), wait_s)
        except (web.HTTPException, ConnectionError):
            raise  # the latter: the daemon is gone, and nobody waits for an answer
        except Exception:
            log.exception("a daemon's call to %s failed", request.match_info.route.resource)
            message = "The console could not do this. Try again in a moment."
            return _answer(503, {"error": "unavailable", "message": message}, 5)

    return handle


def _error_body(error: ConsoleError) -> dict[str, str | int]:
    return {"error": error.word, "message": str(error)}


def _answer(status: int, body: dict[str, str | int], wait_s: int = 0) -> web.Response:
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    return web.json_response(body, status=status, headers=headers)


NONCE_S = 300
BURST_OF_ADDRESS = 300
PER_S_OF_ADDRESS = 50
BURST_OF_DEVICE = 60
PER_S_OF_DEVICE = 2

B = TypeVar("B", bound=Body)


@dataclass(frozen=True)
class AuthenticatedDevice:
    """A device that has signed a call."""

    did: str
    ip: str
    body: bytes


class DeviceAuthenticator:
    """Authenticator of calls that devices have signed.

    Args:
        console: knows the devices' keys.
        address: of who sends a request.

    """

    def __init__(self, console: Console, address: Callable[[web.BaseRequest], str]) -> None:
        self._console = console
        self._address = address
        # bounded by address only for what is not signed: many daemons share one behind a proxy
        self._addresses = RateLimiter(BURST_OF_ADDRESS, PER_S_OF_ADDRESS)
        self._cleaned_at = 0
        self._devices = RateLimiter(BURST_OF_DEVICE, PER_S_OF_DEVICE)

    def count_unsigned(self, request: web.Request) -> str:
        """Count a call that nobody has signed, by its address, and return that.

        Raises:
            CallRefused: there are too many.

        """
        ip = self._address(request)
        if not self._addresses.allows(ip):
            raise _too_many()
        return ip

    async def authenticated(self, request: web.Request) -> AuthenticatedDevice:
        """Return the device that asks; one that the console has met.

        Raises:
            CallRefused: it is not known, or has not signed this, now and for the first time.

        """
        did = request.headers.get(HEADER_DEVICE, "")
        # the form first: a text of a header must not reach the database unchecked
        key = await self._console.devices.public_key(did) if DEVICE_ID.fullmatch(did) else None
        if key is None:
            self.count_unsigned(request)
            raise CallRefused(
                404,
                "unknown_device",
                "This console has never met this machine: plug in a terminal with a token first.",
            )
        return await self._checked(request, key, await read_body(request))

    async def introduced(self, request: web.Request, pub: str, body: bytes) -> AuthenticatedDevice:
        """Return the device that asks; it brings its key along.

        Raises:
            CallRefused: it has not signed this, now and for the first time.

        """
        return await self._checked(request, pub, body)

    async def _checked(self, request: web.Request, pub: str, body: bytes) -> AuthenticatedDevice:
        now_s = self._console.now_s()
        try:
            key = public_key(pub)
            proof = check_request(
                # raw: aiohttp decodes the path, and the signature is over what was sent
                request.headers,
                key,
                request.method,
                request.raw_path,
                body,
                now_s,
            )
        # told apart from a bad signature: a person can set the clock
        except ClockSkewed:
            self.count_unsigned(request)  # whoever recorded it once could send it for ever
            raise CallRefused(
                401,
                "clock_skewed",
                "The clocks of this machine and of the console differ by more than a minute: "
                "set the clock.",
                server_time=now_s,
            ) from None
        except (BadRequestSignature, EnvelopeError):
            self.count_unsigned(request)
            raise CallRefused(
                401, "bad_signature", "The request is not signed by this machine's key."
            ) from None
        # counted after the signature: nobody else can use up what a device may ask
        if not self._devices.allows(proof.did):
            raise _too_many()
        await self._once(proof, now_s)
        return AuthenticatedDevice(proof.did, self._address(request), body)

    async def _once(self, proof: RequestProof, now_s: int) -> None:
        # kept for longer than a request may be old, on both sides of a clock that differs
        nonce = RequestNonce(did=proof.did, nonce=proof.nonce, exp=now_s + NONCE_S)
        try:
            async with self._console.db.begin() as session:
                session.add(nonce)
                # a set-back clock gives a negative age, and would keep old nonces for ever
                if not 0 <= now_s - self._cleaned_at < NONCE_S:
                    self._cleaned_at = now_s
                    await session.execute(delete(RequestNonce).where(RequestNonce.exp <= now_s))
        # the key of the table decides, so that two processes on one database let one in
        except IntegrityError:
            raise CallRefused(
                401, "replayed", "This request came in before: sign each with a fresh nonce."
            ) from None


def parse(model: type[B], body: bytes) -> B:
    """Read a body.

    Raises:
        CallRefused: it is not what the model says.

    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # the place and not the value: a body may hold proofs and codes
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        raise CallRefused(
            400,
            "bad_body",
            f"The body does not fit the API{f' at {where[:80]}' if where else ''}.",
        ) from None


def _too_many() -> CallRefused:
    message = "Too many requests: wait a moment before the next one."
    return CallRefused(429, "too_many", message, wait_s=1)
