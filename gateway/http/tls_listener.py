"""Listener for TLS that looks at the peer's address first, and bounds handshakes.

asyncio would begin a handshake with everybody, wait a minute for each, and call us when it is
done. Here a peer that is not allowed is closed before a byte is exchanged, and the others have
``HANDSHAKE_S``; where too many handshakes are under way the oldest makes room.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from ea_bridge.sockets import BACKLOG

log = logging.getLogger(__name__)

HANDSHAKE_S = 5.0
SHUTDOWN_S = 30.0
"""At the end of a connection: for the peer to read the rest of its answer, which asyncio and the
kernel hold for it, and to end the encryption."""
MAX_HANDSHAKES = 32
AGAIN_S = 0.1
"""Where nothing can be accepted, as without file descriptors: until the next try."""


class TlsListener:
    """Listener on one socket.

    Args:
        sock: bound, not listening.
        context: of the server.
        allows: whether a peer's address may connect.
        new_protocol: makes what a connection goes to, once it is encrypted.

    """

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        allows: Callable[[str], bool],
        new_protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self._sock = sock
        self._context = context
        self._allows = allows
        self._new_protocol = new_protocol
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: dict[asyncio.Task[None], None] = {}
        self.turned_away = 0
        """Connections whose address was not allowed."""
        self.failed = 0
        """Handshakes that came to nothing."""

    @property
    def handshakes(self) -> int:
        """Handshakes that are under way."""
        return len(self._handshakes)

    def start(self) -> None:
        """Begin to listen."""
        self._sock.listen(BACKLOG)
        self._sock.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def stop(self) -> None:
        """Listen no more, and cut the handshakes that are under way."""
        tasks = [*self._handshakes, *([] if self._accepting is None else [self._accepting])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._sock.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._sock)
            except OSError as error:
                log.warning("no connection can be accepted: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_S)
                continue
            if self._allows(peer[0]):
                self._begin(connection)
            else:
                # at once, without a word: whoever looks around learns nothing
                self.turned_away += 1
                log.info("turned a connection from %s away: not in [api.remote] allow", peer[0])
                connection.close()
            # sock_accept does not yield where somebody waits: a flood would hold the loop up, and
            # a handshake that is cancelled before its first step would leave its socket behind
            await asyncio.sleep(0)

    def _begin(self, connection: socket.socket) -> None:
        """Begin a handshake; where too many are under way the oldest makes room."""
        if len(self._handshakes) >= MAX_HANDSHAKES:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]  # its end comes in a later turn of the loop
            oldest.cancel()
        with suppress(OSError):  # where the peer has reset it already, on some systems
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.get_running_loop().create_task(self._shake_hands(connection))
        self._handshakes[task] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._handshakes.pop(task, None)

    async def _shake_hands(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._new_protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except OSError as error:  # all errors of TLS, and those of time
            self.failed += 1
            log.debug("a TLS handshake failed: %s", type(error).__name__)
