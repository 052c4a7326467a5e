"""Peer beside the library: the daemon's link in the event loop, the library in its own thread."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ea_bridge import host
from ea_bridge.endpoint.idempotency import ResultStore
from ea_bridge.mt4_manager.commands import MAX_RESULTS
from ea_bridge.mt4_manager.conversation import ManagerConversation
from ea_bridge.mt4_manager.executor import ManagerExecutor, is_change
from ea_bridge.protocol.messages import Ack, Cmd, Res

from .connection import ServerConnection
from .dispatcher import CommandDispatcher
from .library import Library
from .text_codec import TextCodec

NAME = "mtmanapi peer 1"
SUPERVISION_S = 1.0
LONGEST = 256
"""Bytes of an address or a password, with its end."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class ManagerPeer:
    """Peer beside ``mtmanapi.dll``.

    Everything that touches the library, the table of results too, happens in one thread, one
    command after the other: neither is safe for threads.

    Args:
        library: where it is.
        home: keeps the table of results; of this peer alone.
        codec: of the texts of the server's records.
        pumps: whether there is to be an interface that pumps.

    Raises:
        LibraryError: the library cannot be used.
        OSError: the table is there and cannot be read.

    """

    def __init__(self, library: Path, home: Path, codec: TextCodec, *, pumps: bool = True) -> None:
        self.boot = host.token_hex(16)
        self.name = NAME
        label = f"mt4-manager|{socket.gethostname()}|{home.resolve()}"
        self.fingerprint = hashlib.sha256(label.encode()).hexdigest()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mtmanapi")
        self._connection = ServerConnection(
            Library(library),
            encode=lambda text: codec.write(text, LONGEST, "connect"),
            pumps=pumps,
        )
        table = ResultStore(home / "results.jsonl", room=MAX_RESULTS, durable=True)
        self._dispatcher = CommandDispatcher(self._connection, codec)
        self._executor = ManagerExecutor(self._dispatcher, table)

    @property
    def connected(self) -> bool:
        """Whether we are logged in at the trade server."""
        return self._connection.connected

    def obey(self, cmd: Cmd, conversation: ManagerConversation, waited_ms: float) -> None:
        """Have a command carried out in its turn, and answer if the link is still there."""
        if is_change(cmd):
            conversation.say(Ack(id=cmd.id))
        sent_ms = host.boot_ms() - waited_ms

        def work() -> list[Res]:
            return self._executor.execute(cmd, waited_ms=host.boot_ms() - sent_ms)

        def answer(done: asyncio.Future[list[Res]]) -> None:
            if not done.cancelled():
                conversation.say(*done.result())

        self._in_turn(work).add_done_callback(answer)

    async def supervise(self) -> None:
        """Keep the connection to the trade server, until cancelled."""
        while True:
            await asyncio.sleep(SUPERVISION_S)
            try:
                await self._in_turn(self._poll)
            except Exception:
                _log.exception("the connection to the trade server cannot be looked after")

    def _poll(self) -> None:
        self._connection.supervise()
        self._dispatcher.cleanup()

    async def close(self) -> None:
        """Finish what was taken, and log out."""
        await self._in_turn(self._connection.disconnect)
        self._pool.shutdown()

    def _in_turn(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work)
