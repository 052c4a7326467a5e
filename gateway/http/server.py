"""HTTP server on aiohttp: deadlines of its connections, and answers to what is no HTTP.

The daemon and the console stand on it. aiohttp bounds neither how many connections there are nor
how long they are silent. Here a connection has five seconds for its first whole request header;
after that an idle one ends after ``KEEP_ALIVE_S``. Bodies have a deadline of their own where they
are read. Which connection makes room for another one is for the subclasses to say.

aiohttp's parser is also more lenient than we want to be: it takes ``HTTP/2.0``, ``HTTP/0.9`` and
no version at all, reads ``Transfer-Encoding: gzip, chunked`` as if nothing were packed, and fails
at an ``Expect`` that is no text. :func:`head_fault` refuses all that.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict

from ea_bridge import host

log = logging.getLogger(__name__)

VERSIONS: Final = frozenset({(1, 0), (1, 1)})


class HeadFault(NamedTuple):
    """Refusal of a request by its head alone."""

    status: int
    reason: str
    """A stable name."""
    remedy: str


BAD_VERSION: Final = HeadFault(505, "http_version", "Speak HTTP/1.1 or HTTP/1.0")
BAD_CODING: Final = HeadFault(
    501, "transfer_encoding", "Send the body with Content-Length, or chunked and nothing else"
)
BAD_EXPECTATION: Final = HeadFault(417, "expect", "Expect 100-continue or nothing")


def head_fault(version: tuple[int, int], headers: Mapping[str, str]) -> HeadFault | None:
    """Return what is wrong with the head of a request; ``None`` if it may be looked at further.

    Args:
        version: major and minor, as the request line says.
        headers: found by their names in whatever case.

    """
    if version not in VERSIONS:
        return BAD_VERSION
    # a proxy and we must not differ on where a body ends: that is how requests are smuggled
    coding = headers.get("Transfer-Encoding")
    if coding is not None and coding.strip().lower() != "chunked":
        return BAD_CODING
    expectation = headers.get("Expect")
    if expectation is not None and expectation.strip().lower() != "100-continue":
        return BAD_EXPECTATION
    return None


FIRST_REQUEST_S = 5.0
KEEP_ALIVE_S = 30.0
LINGER_S = 1.0
"""A refused body is read on for so long, that its sender gets to see the refusal."""
PIECE_BYTES = 65_536
"""Of an answer by TLS: it is written piece by piece, each when the one before is on its way."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
OnHeaders = Callable[[CIMultiDict[str]], Awaitable[None]]
MakeRequest = Callable[
    [
        RawRequestMessage,
        StreamReader,
        web.RequestHandler,
        AbstractStreamWriter,
        "asyncio.Task[None]",
    ],
    web.BaseRequest,
]


class HttpConnection(web.RequestHandler, ABC):
    """One connection, as asyncio's transport sees it."""

    def __init__(self, server: HttpServer) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None is how it is switched off
            auto_decompress=False,
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
        )
        self._wire: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.is_tls = False
        """It is encrypted."""
        self.unwritten = 0
        """Bytes of an answer by TLS that wait for those before them to be read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._wire = cast(asyncio.Transport, transport)
        self.is_tls = transport.get_extra_info("ssl_object") is not None
        if not self.admitted(self._wire):
            # aiohttp never hears of it: its task would wait for a request that nobody may send
            self.force_close()
            self.turn_away(self._wire)
            return
        self._deadline = asyncio.get_running_loop().call_later(FIRST_REQUEST_S, self.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._end_wait()
        super().connection_lost(exc)

    @abstractmethod
    def admitted(self, wire: asyncio.Transport) -> bool:
        """Count the new connection; ``False`` if there is no room for it."""

    def turn_away(self, wire: asyncio.Transport) -> None:
        """End a connection for which there is no room."""
        wire.abort()

    def request_came(self, body: StreamReader) -> None:
        """Note a request that is answered now."""
        self._end_wait()

    def _end_wait(self) -> None:
        """End the wait for the first request."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def abort(self) -> None:
        """End the connection at once; what was not sent yet is lost."""
        if self._wire is not None:
            self._wire.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what a handler failed at.

        aiohttp would quote the request, and write a traceback into the log for each port scan.
        """
        if isinstance(exc, ConnectionError):
            raise exc  # the client hung up before its body had come; aiohttp takes it from here
        if status < 500:
            # port scans and TLS handshakes come all the time: nothing of them is worth a warning
            log.debug("a request that is no HTTP: %s", type(exc).__name__)
            return self.bad_request()
        trace_id = host.token_hex(4)
        log.error("a request failed (trace_id %s)", trace_id, exc_info=exc)
        # a second head in the middle of a body would be read as part of it
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        return self.failure(trace_id)

    @abstractmethod
    def bad_request(self) -> web.Response:
        """Return the answer to what is no HTTP; it ends the connection."""

    @abstractmethod
    def failure(self, trace_id: str) -> web.Response:
        """Return the answer where a handler failed; it ends the connection."""


class HttpServer(web.Server):
    """Maker of connections; the loop calls it for each.

    Args:
        handler: answers the requests.
        make_request: of aiohttp's parts.
        on_headers: puts the last headers on each answer, past which nothing goes.

    """

    def __init__(self, handler: Handler, make_request: MakeRequest, on_headers: OnHeaders) -> None:
        super().__init__(handler, request_factory=self._request)
        self._make_request_of = make_request
        self._on_headers = on_headers

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        connection = cast(HttpConnection, protocol)
        # aiohttp's own writer would tell which server and version this is
        plain = (PieceWriter if connection.is_tls else StreamWriter)(
            protocol, asyncio.get_running_loop(), on_headers_sent=self._on_headers
        )
        connection.request_came(payload)
        return self._make_request_of(message, payload, protocol, plain, task)


class PieceWriter(StreamWriter):
    """Writer of answers by TLS, in pieces of :data:`PIECE_BYTES`.

    TLS of asyncio hands a whole write on to the socket's transport and counts none of it as
    unsent: it would look as if a slow reader had taken a long answer, and the end of the
    connection would cut off what is left.
    """

    async def write_eof(self, chunk: bytes = b"") -> None:
        """See :class:`aiohttp.http.StreamWriter`."""
        connection, rest = cast(HttpConnection, self._protocol), memoryview(chunk)
        try:
            while len(rest) > PIECE_BYTES:
                piece, rest = rest[:PIECE_BYTES], rest[PIECE_BYTES:]
                connection.unwritten = len(rest)
                await self.write(piece, LIMIT=0)
        finally:
            connection.unwritten = 0
        await super().write_eof(bytes(rest))
