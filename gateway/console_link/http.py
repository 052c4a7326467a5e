"""Signed requests to the console, over HTTPS, and their errors; each message says what to do.

* ConsoleFailure
    * ConsoleUnreachable: no connection, or no answer in time.
    * ConsoleUntrusted: the certificate, or what was signed, is not what this gateway believes.
    * InvalidResponse: an answer that no console gives.
    * ConsoleRefused: the console said no, with a word for programs.

:class:`ApprovalClient` runs in a process of its own, with the device's key of the home; the daemon
notices by itself.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from socket import AddressFamily
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import orjson
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from pydantic import BaseModel, ValidationError
from yarl import URL

from ea_bridge.host import new_socket
from ea_bridge.server import CodeRejected
from gateway.auth.console_clock import Clocks
from gateway.credentials.daemon_api import ApprovalVerdict, Confirm, OpenRequest, OpenRequests
from gateway.credentials.device import DeviceKey


class ConsoleFailure(Exception):
    """Base class; catch it, don't raise it."""


class ConsoleUnreachable(ConsoleFailure):
    """There is no way to the console now."""


class ConsoleUntrusted(ConsoleFailure):
    """Somebody answers who is not the console that this gateway believes."""


class InvalidResponse(ConsoleFailure):
    """The answer is none of a console of this version."""


class ConsoleRefused(ConsoleFailure):
    """The console's answer is an error.

    Args:
        status: of HTTP.
        word: the console's, for programs; ``""`` if it gave none.
        message: what to do.
        body: the members of the answer.

    """

    def __init__(self, status: int, word: str, message: str, body: dict[str, object]) -> None:
        super().__init__(f"the console answers {status} {word}: {message}")
        self.status = status
        self.word = word
        self.body = body


TIMEOUT_S = 10.0
"""For one request, answer included."""
CONNECT_S = 5.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Some hundred tokens with their records and leases."""
MAX_WORDS = 200
"""Characters of the console's text that are logged."""

A = TypeVar("A", bound=BaseModel)


@cache
def trusted_authorities() -> ssl.SSLContext:
    """Return what trusts the system's authorities; a process reads their certificates once."""
    return ssl.create_default_context()


class ConsoleHttp:
    """A client of the console's API; an async context manager, which closes it.

    Certificates are checked, proxies of the environment are not used, redirects are not followed.

    Args:
        url: of the console, without a path.
        device: signs.
        clocks: of this machine.
        tls: for tests with a certificate of their own; by default the system's authorities.
        timeout_s: for one request.

    """

    def __init__(
        self,
        url: str,
        device: DeviceKey,
        clocks: Clocks,
        *,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.url = url.rstrip("/")
        self.tls = trusted_authorities() if tls is None else tls
        self._device = device
        self._clocks = clocks
        self._timeout_s = timeout_s
        self._ahead_s = 0.0
        """Of the console's clock to ours, as far as signing has to know."""
        self._session: ClientSession | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closed = True
        if self._session is not None:
            await self._session.close()

    def signed(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """Return the headers of a request."""
        time_s = int(self._clocks.wall_s() + self._ahead_s)
        return self._device.sign_request(method, path, body, time_s=time_s)

    def learn_time(self, server_s: float) -> None:
        """Sign by the console's clock from now on: ours may be wrong."""
        self._ahead_s = server_s - self._clocks.wall_s()

    async def get(self, path: str, answer: type[A]) -> A:
        """Ask."""
        return await self._request("GET", path, b"", answer)

    async def post(self, path: str, body: BaseModel, answer: type[A]) -> A:
        """Ask with a body; see :class:`ConsoleFailure` for what may be raised."""
        return await self._request("POST", path, body.model_dump_json().encode(), answer)

    async def _request(self, method: str, path: str, body: bytes, answer: type[A]) -> A:
        try:
            return await self._once(method, path, body, answer)
        except ConsoleRefused as refused:
            server_s = refused.body.get("server_time")
            if refused.word != "clock_skewed" or not isinstance(server_s, int):
                raise
            self.learn_time(server_s)
        return await self._once(method, path, body, answer)

    async def _once(self, method: str, path: str, body: bytes, answer: type[A]) -> A:
        status, content = await self._send(method, path, body)
        if status != 200:
            raise _refused(status, content)
        try:
            return answer.model_validate_json(content)
        except ValidationError:
            raise InvalidResponse(
                f"{self.url}{path} gives an answer that no console gives: see that url in the "
                "section [console] is the console's, and that it is of this version"
            ) from None

    def _opened(self) -> ClientSession:
        if self._is_closed:
            raise ConsoleUnreachable("the gateway is ending")
        if self._session is None:  # it belongs to the loop, which runs by now
            self._session = ClientSession(
                connector=TCPConnector(
                    ssl=self.tls,
                    limit=8,
                    socket_factory=lambda address: new_socket(AddressFamily(address[0])),
                ),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_S),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session

    async def _send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        session = self._opened()
        headers = self.signed(method, path, body)
        if method == "POST":
            headers["Content-Type"] = "application/json"
        try:
            async with session.request(
                method,
                URL(self.url + path, encoded=True),
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                content = await response.content.read(MAX_ANSWER_BYTES + 1)
                while not response.content.at_eof() and len(content) <= MAX_ANSWER_BYTES:
                    content += await response.content.read(MAX_ANSWER_BYTES + 1 - len(content))
                if len(content) > MAX_ANSWER_BYTES:
                    raise InvalidResponse(f"{self.url}{path} gives an answer without end")
                return response.status, content
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            raise explained(self.url, error) from error


def explained(url: str, error: BaseException) -> ConsoleFailure:
    """Return what a failure of the connection means."""
    if isinstance(error, ssl.SSLCertVerificationError | aiohttp.ClientConnectorCertificateError):
        return ConsoleUntrusted(
            f"the certificate of {url} is not valid for this machine: see that the name is right "
            "and the certificate has not expired; it may be that somebody sits in between"
        )
    if isinstance(error, ssl.SSLError | aiohttp.ClientConnectorSSLError):
        return ConsoleUntrusted(
            f"{url} does not speak TLS as it should: see that the port is right"
        )
    if isinstance(error, asyncio.TimeoutError):
        return ConsoleUnreachable(f"{url} does not answer: see whether the console runs")
    return ConsoleUnreachable(
        f"{url} cannot be reached: see the network, and whether the console runs"
    )


def _refused(status: int, content: bytes) -> ConsoleFailure:
    try:
        body = orjson.loads(content)
    except ValueError:
        body = None
    body = body if isinstance(body, dict) else {}
    word, message = str(body.get("error", "")), str(body.get("message", ""))
    text = "".join(c if c.isprintable() else "?" for c in message[:MAX_WORDS])
    return ConsoleRefused(status, word[:32], text or "no reason given", body)


class RequestExpired(Exception):
    """The request was decided, or nobody typed the right code in time."""


class ApprovalClient:
    """Confirms requests of one device; an async context manager.

    Args:
        url: of the console.
        device: whose requests.

    Its methods raise :class:`ConsoleFailure` where the console cannot be asked.

    """

    def __init__(self, url: str, device: DeviceKey) -> None:
        self._http = ConsoleHttp(url, device, Clocks())

    async def __aenter__(self) -> ApprovalClient:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.__aexit__(None, None, None)

    async def requests(self) -> tuple[OpenRequest, ...]:
        """Return what waits for a person, the newest first."""
        try:
            return (await self._http.get("/v1/daemon/requests", OpenRequests)).requests
        except ConsoleRefused as refused:
            if refused.word == "unknown_device":
                return ()
            raise

    async def confirm(self, rid: str, code: str) -> CodeRejected | None:
        """Approve a request with the 8 digits of its mail.

        Raises:
            RequestExpired: it cannot be approved any more.

        """
        path = f"/v1/daemon/requests/{rid}/confirm"
        try:
            await self._http.post(path, Confirm(ecode=code), ApprovalVerdict)
        except ConsoleRefused as refused:
            if refused.word == "wrong_code":
                left = refused.body.get("tries_left")
                return CodeRejected(tries_left=left if isinstance(left, int) and left > 0 else 0)
            if refused.status in (404, 410):
                raise RequestExpired from refused
            raise
        return None
