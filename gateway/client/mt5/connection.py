"""Connection of the drop-in to the gateway: blocking calls over one kept HTTP connection.

There is no event loop and no thread in it, so that it works in every thread, inside a running
loop, and in a child after ``fork``.
"""

from __future__ import annotations

import http.client
import select
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from gateway.client.errors import CallTimedOut, ConnectionLost, Unreachable
from gateway.client.protocol import encode_request, parse_address, result_in
from gateway.client.reads import READS
from gateway.errors import LimitExceeded, Outcome, Overloaded, TerminalBusy, Timeout

CONNECT_S = 5.0
CALL_S = 60.0
"""For one call. The gateway's own deadlines are shorter, so that it answers first."""
IDLE_S = 15.0
"""Half of what the gateway allows a connection without requests."""
BUSY_S = 30.0
"""How long a call that the gateway has no room for is tried again."""
LEAST_PAUSE_S = 0.01
"""Between two tries, whatever the gateway says."""
_BUSY = (LimitExceeded, Overloaded, TerminalBusy)


class Connection:
    """Connection with one token. Not for two threads at a time.

    Args:
        url: of the gateway.
        auth_token: opens one terminal.

    Raises:
        ValueError: the URL is none, or holds a secret.

    """

    def __init__(self, url: str, auth_token: str) -> None:
        self._address = parse_address(url)
        parts = urlsplit(self._address.rpc)
        self._path = parts.path
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._http = kind(parts.hostname or "", parts.port, timeout=CONNECT_S)
        self._headers = {
            "Authorization": f"Bearer {auth_token}",
            "Content-Type": "application/json",
        }
        self._used_s = 0.0
        self._last_id = 0

    def __repr__(self) -> str:
        return f"<Connection {self._address.base}>"

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._http.close()

    def call(self, method: str, **params: Any) -> Any:
        """Call a method and return its result.

        A call that the gateway has no room for is tried again for a while. A read is asked again
        when the connection broke or the terminal was late; a call that may trade never is.

        Raises:
            GatewayError: the answer is an error.
            NoAnswer: none came; of a trade ``outcome`` tells whether it may have been executed.

        """
        until_s = time.monotonic() + BUSY_S
        while True:
            try:
                return self._call(method, params)
            except _BUSY as busy:
                pause_s = max(LEAST_PAUSE_S, busy.data.get("retry_after_ms", 0) / 1000)
                was_sent = busy.data.get("outcome", "not_sent") != "not_sent"
                if was_sent or time.monotonic() + pause_s > until_s:
                    raise
                time.sleep(pause_s)

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        if method not in READS:
            return self._exchange(method, params, "unknown")
        try:
            return self._exchange(method, params, None)
        except (ConnectionLost, Timeout):
            # a connection that was closed while it was idle shows it only to the next call
            return self._exchange(method, params, None)

    def _exchange(self, method: str, params: dict[str, Any], lost: Outcome | None) -> Any:
        self._last_id += 1
        request = encode_request(self._last_id, method, params)
        self._connect(lost and "not_sent")
        try:
            self._http.request("POST", self._path, request, self._headers)
            response = self._http.getresponse()
            body, status = response.read(), response.status
        # without cause or context: http.client's exceptions may quote what was sent
        except TimeoutError:
            self._http.close()
            raise CallTimedOut(f"No answer within {CALL_S:g} s", lost) from None
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise ConnectionLost(
                f"The connection broke before the answer came ({type(error).__name__})", lost
            ) from None
        except BaseException:
            self._http.close()  # half an answer would be taken for the next one's
            raise
        self._used_s = time.monotonic()
        return result_in(body, self._address.rpc, status, lost)

    def _connect(self, lost: Outcome | None) -> None:
        connection = self._http
        if connection.sock is not None and (
            time.monotonic() - self._used_s > IDLE_S or _is_over(connection.sock)
        ):
            connection.close()
        if connection.sock is None:
            try:
                connection.timeout = CONNECT_S
                connection.connect()
            except OSError:
                connection.close()
                raise Unreachable(
                    f"Nobody answers at {self._address.base}: is the gateway running?", lost
                ) from None
            if connection.sock is not None:
                connection.sock.settimeout(CALL_S)


def _is_over(sock: socket.socket) -> bool:
    """Whether the other side has closed: between calls there is nothing else to be read."""
    try:
        readable, _, _ = select.select([sock], [], [], 0)
    except (OSError, ValueError):  # the descriptor is gone, or too high for select
        return True
    return bool(readable)
