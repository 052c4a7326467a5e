"""Listener on loopback, which keeps count of the links."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ea_bridge import host, sockets
from ea_bridge.mt4_manager.session import ManagerCallbacks, ManagerRegistry, ManagerSession
from ea_bridge.registry import TerminalRegistry
from ea_bridge.session import LoopTimers, SessionCallbacks, TerminalSession, Timers
from ea_bridge.token import TokenKeys

from .authorizer import Authorizer, Enroller
from .enrollment import Enrollments
from .link import READ_BYTES, BridgeLink, LinkContext, TickTurns

MAX_CONNECTIONS = 256
MAX_UNAUTHENTICATED = 64
"""Connections that have not proved yet who they are. When there are too many the oldest makes
room: whoever floods the port pushes out its own, and cannot keep a terminal from coming in."""
DEFAULT_PORT = 7401

logger = logging.getLogger(__name__)


def _ignore(_tid: str, _code: str) -> None:
    """Do nothing: nobody listens."""


class BridgeServer:
    """Listener that terminals dial; an async context manager.

    Args:
        authorizer: whom to admit.
        registry: learns of every session and of every change of its state.
        device_id: of this daemon, part of both proofs.
        callbacks: what the gateway wants to hear of every session; its ``on_change`` comes after
            the registry's subscribers.
        port: 0 takes a free one.
        now_ms: UTC milliseconds.
        timers: by default the running event loop.
        enroller: the way to the console, for those about whom the authorizer says ``Relay``.
        first_command_id: no smaller id is given to a command: one that is larger than every id
            ever used guards against a clock that went back.
        managers: learns of manager peers, and knows which tokens are theirs; without it there
            are none.
        manager_callbacks: what the gateway wants to hear of them.
        on_denied: called with the id of the token that was named (empty before that; nobody has
            checked it) and the code, for each terminal that is not let in.

    """

    def __init__(
        self,
        authorizer: Authorizer,
        registry: TerminalRegistry,
        *,
        device_id: str,
        callbacks: SessionCallbacks | None = None,
        port: int = DEFAULT_PORT,
        now_ms: Callable[[], int] = host.wall_ms,
        timers: Timers | None = None,
        enroller: Enroller | None = None,
        first_command_id: int = 0,
        on_denied: Callable[[str, str], None] = _ignore,
        managers: ManagerRegistry | None = None,
        manager_callbacks: ManagerCallbacks | None = None,
    ) -> None:
        self.port = port
        """The port; once started, the one that was taken."""
        self._authorizer = authorizer
        self._registry = registry
        self._device_id = device_id
        self._callbacks = _after_registry(registry, callbacks or SessionCallbacks())
        self._managers = managers
        self._manager_callbacks = _after_managers(
            managers, manager_callbacks or ManagerCallbacks()
        )
        self._now_ms = now_ms
        self._timers = timers
        self._enroller = enroller
        self._first_command_id = first_command_id
        self._on_denied = on_denied
        self._enrollments: Enrollments | None = None
        self._servers: list[asyncio.Server] = []
        self._links: dict[BridgeLink, None] = {}
        """In the order of their arrival, in which they are told of an end."""
        self._unauthenticated: dict[BridgeLink, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._stopping = False

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken, on one of the two addresses at least.

        """
        loop = asyncio.get_running_loop()
        timers = self._timers or LoopTimers(loop)
        if self._enroller is not None:
            self._enrollments = Enrollments(self._enroller, self._registry, timers, self._now_ms)
        context = LinkContext(
            authorizer=self._authorizer,
            enrollments=self._enrollments,
            registry=self._registry,
            device_id=self._device_id,
            callbacks=self._callbacks,
            managers=self._managers,
            manager_callbacks=self._manager_callbacks,
            now_ms=self._now_ms,
            timers=timers,
            turns=TickTurns(timers),
            read_buffer=memoryview(bytearray(READ_BYTES)),
            dummy_keys=TokenKeys(host.random_bytes(32), host.random_bytes(32)),
            session_ids=itertools.count(1),
            # an EA answers an id that it knows with the stored result, so no restart repeats one
            command_ids=itertools.count(max(self._now_ms() * 1000, self._first_command_id)),
            hello_numbers=itertools.count(1),
            on_denied=self._on_denied,
        )
        listeners = sockets.listen(self.port)
        self.port = listeners[0].getsockname()[1]
        for listener in listeners:
            server = await loop.create_server(
                lambda: BridgeLink(context, self), sock=listener, backlog=sockets.BACKLOG
            )
            self._servers.append(server)
        logger.info("listening for terminals on port %d", self.port)

    async def stop(self) -> None:
        """Tell every terminal ``bye: shutdown``, and return when all links are gone."""
        self._stopping = True  # a connection that is being accepted now is refused
        for server in self._servers:
            server.close()
        for link in tuple(self._links):
            # before the wait: each terminal hears it and dials again when we are back
            link.say_bye("shutdown")
        await self._empty.wait()
        if self._enrollments is not None:
            await self._enrollments.stop()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def close_terminal(self, terminal: str, code: str) -> int:
        """Say ``bye`` to a terminal and end its links, the unproved ones too.

        Its session ends at once, with all that is in flight; the connection is cut off after
        :data:`~.link.CLOSE_S` if the terminal does not read.

        Returns:
            How many links that were.

        """
        return self._close(code, lambda link: link.terminal == terminal)

    def close_token(self, tid: str, code: str) -> int:
        """Say ``bye`` to whoever has named this token, though nobody knows its terminal yet."""
        return self._close(code, lambda link: link.tid == tid)

    def _close(self, code: str, is_meant: Callable[[BridgeLink], bool]) -> int:
        meant = [link for link in self._links if is_meant(link)]
        for link in meant:
            link.say_bye(code)
        return len(meant)

    # --- ConnectionLimiter ---------------------------------------------------------------

    def enter(self, link: BridgeLink) -> bool:
        """Note a new connection; false if there is no room for it."""
        crowded = len(self._links) >= MAX_CONNECTIONS
        if self._unauthenticated and (
            crowded or len(self._unauthenticated) >= MAX_UNAUTHENTICATED
        ):
            oldest = next(iter(self._unauthenticated))
            # by hand: its ``connection_lost`` comes in a later turn of the loop
            self.leave(oldest)
            oldest.cut_off()
            crowded = False
        self._links[link] = None
        # a dict keeps the order of arrival: the first one is the oldest
        self._unauthenticated[link] = None
        self._empty.clear()
        return not (crowded or self._stopping)

    def keep(self, link: BridgeLink) -> None:
        """Never close it to make room: it has proved who it is, or is being enrolled."""
        self._unauthenticated.pop(link, None)

    def leave(self, link: BridgeLink) -> None:
        """Note that it is gone."""
        self._links.pop(link, None)
        self._unauthenticated.pop(link, None)
        if not self._links:
            self._empty.set()


def _after_registry(registry: TerminalRegistry, callbacks: SessionCallbacks) -> SessionCallbacks:
    def on_change(session: TerminalSession) -> None:
        registry.note_change(session)
        callbacks.on_change(session)

    return dataclasses.replace(callbacks, on_change=on_change)


def _after_managers(
    managers: ManagerRegistry | None, callbacks: ManagerCallbacks
) -> ManagerCallbacks:
    def on_change(session: ManagerSession) -> None:
        if managers is not None:
            managers.note_change(session)
        callbacks.on_change(session)

    return dataclasses.replace(callbacks, on_change=on_change)
