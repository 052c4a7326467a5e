"""``GET /metrics``, behind the guard and the gate of all that the web server serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from gateway.auth.caller import Caller, Scope
from gateway.errors import Forbidden
from gateway.http.guard import Refusal, Route
from gateway.http.messages import json_response
from gateway.http.mount import DOCUMENT_HEADERS, Credentials, LazyDocument

from .readings import Reading

PATH = "/metrics"


class MetricsApi:
    """Metrics for whoever holds a token that may read; see :class:`gateway.http.mount.MountedApi`.

    Args:
        read: returns what a caller may see, at this moment.

    """

    def __init__(self, read: Callable[[Caller], Sequence[Reading]]) -> None:
        self._read = read
        self._making = asyncio.Lock()

    def documents(self, url: str) -> Mapping[str, LazyDocument]:
        """Return nothing: the page describes itself."""
        return {}

    def routes(self, path: str) -> Sequence[Route]:
        """Return what a path takes; nothing if it is not ours."""
        return (Route("GET", "required"),) if path == PATH else ()

    async def answer(
        self,
        request: web.BaseRequest,
        credentials: Credentials[Caller],
        headers: Mapping[str, str],
    ) -> web.Response:
        """Answer one request.

        Raises:
            Refusal: 403, the token may not read.
            Unauthorized: there is no token, or it opens nothing.
            ThrottleExceeded: so many fail that this one gets no answer.

        """
        caller = await credentials.caller()
        if Scope.READ not in caller.scopes:
            error = Forbidden("This needs a token with the scope read", scope=Scope.READ.value)
            raise Refusal(403, error)
        # one at a time: threads that make long texts would share the processor with all calls
        async with self._making:
            content_type, text = await asyncio.to_thread(_written, self._read(caller))
        return json_response(text, {**DOCUMENT_HEADERS, **headers, "Content-Type": content_type})


def _written(readings: Sequence[Reading]) -> tuple[str, bytes]:
    # here and not above: it imports the library, for which neither the start nor the loop waits
    from .exposition import CONTENT_TYPE, exposition

    return CONTENT_TYPE, exposition(readings)
