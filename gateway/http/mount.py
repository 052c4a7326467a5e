"""Parts that are mounted in the web server: REST APIs and documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar

from aiohttp import web

from gateway.http.guard import Route
from gateway.http.messages import json_response

CallerT_co = TypeVar("CallerT_co", covariant=True)
"""Holder of a token of a terminal, as the program that mounts has it."""
CallerT_contra = TypeVar("CallerT_contra", contravariant=True)

DOCUMENT_HEADERS = {"Cross-Origin-Resource-Policy": "same-origin"}


class LazyDocument:
    """Document that is made once, when it is first read.

    It is made in a thread: neither the start of the daemon nor any other caller waits the tenths
    of a second that it takes.

    Args:
        make: returns the text.
        headers: to send beside those of every document; the content type of a page, say.

    """

    def __init__(
        self, make: Callable[[], bytes], headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._make = make
        self._headers = {**DOCUMENT_HEADERS, **headers}
        self._text: bytes | None = None
        self._making = asyncio.Lock()

    async def read(self) -> bytes:
        """Return the text."""
        # under a lock: of many readers at once only the first has it made
        async with self._making:
            if self._text is None:
                self._text = await asyncio.to_thread(self._make)
            return self._text

    async def response(self, headers: Mapping[str, str]) -> web.Response:
        """Return the text as a response, with further headers."""
        return json_response(await self.read(), {**self._headers, **headers})


class Credentials(Protocol[CallerT_co]):
    """Bearer token of one request, and the ways to have it checked."""

    token: str | None

    async def caller(self) -> CallerT_co:
        """Return the caller that holds the token of a terminal.

        Raises:
            Unauthorized: there is no token, or it opens nothing.
            ThrottleExceeded: so many fail that this one gets no answer.

        """

    def accept(self) -> None:
        """Note that the connection has shown a valid token, of whatever kind."""

    async def slow_down(self) -> None:
        """Wait for the turn of a token or password that was wrong.

        Raises:
            ThrottleExceeded: so many fail that this one gets no answer.

        """


class MountedApi(Protocol[CallerT_contra]):
    """REST API that the web server serves beside JSON-RPC, behind the same guard."""

    def documents(self, url: str) -> Mapping[str, LazyDocument]:
        """Return what everybody may read, by path, for the gateway at a URL."""

    def routes(self, path: str) -> Sequence[Route]:
        """Return what a path takes; nothing if it is none of this API."""

    async def answer(
        self,
        request: web.BaseRequest,
        credentials: Credentials[CallerT_contra],
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        """Answer one request that the guard let through.

        Args:
            headers: to send beside those of every answer.

        Raises:
            Refusal: the request ends here, with the status of HTTP that it holds.
            Unauthorized: the token is missing or opens nothing.
            ThrottleExceeded: so many fail that this one gets no answer.

        """
