"""Transport of calls by ``POST /rpc``."""

from __future__ import annotations

from typing import Any

import aiohttp

from gateway.client.address import Address
from gateway.client.errors import CallTimedOut, ConnectionLost, Unreachable
from gateway.client.message import encode_request, result_in
from gateway.errors import Outcome

CONNECT_S = 5.0
IDLE_S = 15.0
"""Half of what the gateway allows a connection without requests, so that it is never the one to
close while a request is on its way."""


class HttpTransport:
    """Transport of one JSON-RPC request a POST, over connections that are kept open."""

    def __init__(self, address: Address, auth_token: str) -> None:
        self._address = address
        self._headers = {
            "Authorization": f"Bearer {auth_token}",
            "Content-Type": "application/json",
        }
        self._session: aiohttp.ClientSession | None = None
        self._last_id = 0

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self, method: str, params: dict[str, Any], *, lost: Outcome | None, timeout_s: float
    ) -> Any:
        """Send one request and return its result.

        Args:
            lost: the outcome to report if the request left us and no answer came.

        Raises:
            GatewayError: the answer is an error.
            NoAnswer: none came.

        """
        self._last_id += 1
        request = encode_request(self._last_id, method, params)
        status, body = await self._post(request, lost, timeout_s)
        return result_in(body, self._address.rpc, status)

    async def _post(
        self, body: bytes, lost: Outcome | None, timeout_s: float
    ) -> tuple[int, bytes]:
        not_sent: Outcome | None = lost and "not_sent"
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=CONNECT_S)
        try:
            async with self._open().post(
                self._address.rpc, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        # never chained: aiohttp's exceptions carry the request's headers, with the token
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise Unreachable(
                f"Nobody answers at {self._address.base}: is the gateway running?", not_sent
            ) from None
        except TimeoutError:
            raise CallTimedOut(f"No answer within {timeout_s:g} s", lost) from None
        except aiohttp.ClientError as error:
            raise ConnectionLost(
                f"The connection broke before the answer came ({type(error).__name__})", lost
            ) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=IDLE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
            )
        return self._session
