"""Link to the peer of the MT4 server, and the connection that it keeps to that server.

:class:`Link` is the way to the peer's session, whichever lives now. :class:`Supervision` keeps the
peer connected to the server that an operator has named: ``connect`` is kept, and repeated by
itself when the peer links anew, or has lost the server; a ``disconnect`` stays until the next
``connect``. Both are kept in the home's database, the password sealed, so that the gateway
connects again by itself after a restart as well.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from ea_bridge.commands import Command, NoParams
from ea_bridge.errors import (
    BridgeError,
    CommandFailed,
    CommandTimeout,
    NotSent,
    ResultTooLarge,
    TerminalBusy,
    Unsupported,
)
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.commands import CONNECT, DISCONNECT, IS_CONNECTED
from ea_bridge.mt4_manager.model import ConnectParams, ReturnCode
from ea_bridge.mt4_manager.session import ManagerSession
from gateway.audit import Audit
from gateway.background import Backoff, background
from gateway.credentials.secrets import SecretBox, SecretsError
from gateway.storage.store import Store, StoreError

from .errors import ManagerError, PeerOffline, PeerRefused, PeerSilent
from .schema import CONNECTION_PASSWORD

QUESTION_S = 30.0
MAX_QUESTIONS = 64
MAX_CHANGES = 128
"""On the way at a time: so many wait for their turn at the peer, which takes one after the other,
and none so long that its time runs out there. Others wait here, as many as may be connected."""
BUSY = "The peer of the MT4 server has too much to do; try again in a moment"
TOO_LARGE = "The answer is too large; ask for less with limit"

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


class Link:
    """Link to the peer, which may come and go.

    Args:
        session: the live session, ``None`` while there is none.

    """

    def __init__(self, session: Callable[[], ManagerSession | None]) -> None:
        self._session = session
        self._questions = asyncio.Semaphore(MAX_QUESTIONS)
        self.changes = asyncio.Semaphore(MAX_CHANGES)
        """The turns of changes; long lists take none of them."""

    @property
    def live(self) -> ManagerSession | None:
        """The session, if the peer is linked."""
        return self._session()

    @property
    def is_linked(self) -> bool:
        """Whether a peer is there."""
        return self._session() is not None

    def session(self) -> ManagerSession:
        """Return the live session.

        Raises:
            PeerOffline: there is none.

        """
        session = self._session()
        if session is None:
            raise PeerOffline
        return session

    async def ask(self, command: Command[P, R], params: P, *, timeout_s: float = QUESTION_S) -> R:
        """Ask a question; what changes something goes through the journal.

        Raises:
            PeerOffline: no peer is there, or it is too busy.
            PeerSilent: it did not answer in time.
            PeerRefused: the server said no.

        """
        assert not command.trades  # it would bypass the journal
        try:
            # the session is looked up once it is our turn: the peer may have linked anew
            async with self._questions:
                return await self.session().request(command, params, timeout_s=timeout_s)
        except BridgeError as error:
            raise explained(command.op, error) from error


def explained(op: str, error: BridgeError) -> PeerOffline | PeerSilent | PeerRefused:
    """Return what an error of a question, or of a change that was not sent, is here."""
    match error:
        case CommandFailed():
            return PeerRefused(op, error.retcode, error.err)
        case CommandTimeout():
            return PeerSilent()
        case TerminalBusy():
            return PeerOffline(BUSY)
        case ResultTooLarge():
            return PeerOffline(TOO_LARGE)
        case Unsupported() | NotSent():
            return PeerOffline()
    return PeerOffline()


# --- the connection to the server ---------------------------------------------------------------


ROW = "server"
LOOK_S = 5.0
FRESH_S = 1.0
LAST_S = 60.0
"""Between two tries to connect: a server counts wrong logins."""
CONNECT_S = 30.0
FINAL = frozenset({ReturnCode.BAD_ACCOUNT_INFO, ReturnCode.ACCOUNT_DISABLED})
"""Refusals that time does not heal: they are tried again at the slowest pace."""

logger = logging.getLogger(__name__)


class KeptConnection:
    """Server that an operator has named, as a row in the home's database.

    Args:
        store: with the tables of :mod:`~.schema`.
        box: seals the password.

    """

    def __init__(self, store: Store, box: SecretBox) -> None:
        self._store = store
        self._box = box

    def wanted(self) -> ConnectParams | None:
        """Return what to connect to; ``None`` after a disconnect, and before the first connect.

        Raises:
            StoreError: the database cannot be used.
            SecretsError: the password does not open.

        """
        row = self._store.one("SELECT * FROM manager_connection WHERE name = ? AND wanted", ROW)
        if row is None or row["password"] is None:
            return None
        password = self._box.open(row["password"], CONNECTION_PASSWORD.place(ROW)).decode()
        return ConnectParams(server=row["server"], login=row["login"], password=password)

    def is_forgotten(self) -> bool:
        """Whether the last that was told was a disconnect."""
        row = self._store.one("SELECT wanted FROM manager_connection WHERE name = ?", ROW)
        return row is not None and not row["wanted"]

    def keep(self, params: ConnectParams) -> None:
        """Keep what was told, in place of what was told before."""
        sealed = self._box.seal(params.password.encode(), CONNECTION_PASSWORD.place(ROW))
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO manager_connection VALUES (?, ?, ?, ?, 1)",
                (ROW, params.server, params.login, sealed),
            )

    def forget(self) -> None:
        """Stay disconnected from now on; the password is gone as well."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO manager_connection VALUES (?, '', 0, NULL, 0)", (ROW,)
            )


class Supervision:
    """Supervisor that keeps the peer connected.

    Args:
        link: to the peer.
        kept: what an operator has told.
        audit: where connects and disconnects are noted.

    """

    def __init__(self, link: Link, kept: KeptConnection, audit: Audit) -> None:
        self._link = link
        self._kept = kept
        self._audit = audit
        self._woken = asyncio.Event()
        self._asked_s = -math.inf
        self._was_connected = False
        self._asking = False
        self._turn = asyncio.Lock()
        """One connect or disconnect at a time: the last that was told counts."""

    async def is_connected(self) -> bool:
        """Whether the peer is linked and logged in at the server. It is asked once a second at
        most, and not again before it has answered, however many want to know: anybody may.
        """
        if not self._link.is_linked:
            return False
        now_s = asyncio.get_running_loop().time()
        if now_s - self._asked_s >= FRESH_S and not self._asking:
            self._asked_s, self._asking = now_s, True
            try:
                self._was_connected = (await self._link.ask(IS_CONNECTED, NoParams())).connected
            except ManagerError:
                self._was_connected = False
            finally:
                self._asking = False
        return self._was_connected

    def wake(self) -> None:
        """Look at once: a peer has linked, or has lost the server."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Supervise while the context lasts."""
        async with background(self._watch()):
            yield

    async def connect(self, params: ConnectParams, operator: str) -> None:
        """Connect to a server, and stay connected to it from now on.

        Raises:
            PeerOffline, PeerSilent, PeerRefused: it could not be; what was told before holds.
            StoreError, SecretsError: it is connected, but not for longer than the link.

        """
        facts: dict[str, Any] = {"server": params.server, "login": params.login}
        async with self._turn:
            try:
                await self._link.ask(CONNECT, params, timeout_s=CONNECT_S)
            except ManagerError as error:
                self._note(
                    "manager_connect", operator, outcome="refused", reason=str(error), **facts
                )
                self.wake()  # the peer has left the server that it was connected to before
                raise
            finally:
                self._asked_s = -math.inf  # what was asked before says nothing any more
            # only what has worked is repeated by itself: a server counts wrong logins
            self._kept.keep(params)
            self._note("manager_connect", operator, outcome="done", **facts)

    async def disconnect(self, operator: str) -> None:
        """Disconnect, and stay so. Where no peer is linked, it is told when it links.

        Raises:
            PeerSilent, PeerRefused: it may be connected still, but nobody connects it again.

        """
        async with self._turn:
            # first, and where no peer is linked as well: nothing connects it again meanwhile
            self._kept.forget()
            self._asked_s = -math.inf
            self._note("manager_disconnect", operator)
            if self._link.is_linked:
                await self._link.ask(DISCONNECT, NoParams())

    def _note(self, event: str, operator: str, **facts: object) -> None:
        self._audit.record(event, actor=f"manager:{operator}", **facts)

    # --- by itself -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        backoff = Backoff(LOOK_S, LAST_S)
        while True:
            self._woken.clear()
            try:
                settled = await self.look()
            except (StoreError, SecretsError) as error:
                logger.error("the connection to the MT4 server is not kept up: %s", error)
                settled = False
            except Exception:  # the next look may go better
                logger.exception("the connection to the MT4 server is not kept up")
                settled = False
            if settled:
                backoff.reset()
            else:
                backoff.grow()
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.wait_s):
                    await self._woken.wait()

    async def look(self) -> bool:
        """Bring the peer to the wanted connection; return ``False`` if that failed."""
        if not self._link.is_linked:
            return True
        async with self._turn:
            wanted = self._kept.wanted()
            try:
                now = await self._link.ask(IS_CONNECTED, NoParams())
                # a peer that is connected while nobody has named a server yet is left alone
                if now.connected and wanted is None and self._kept.is_forgotten():
                    await self._link.ask(DISCONNECT, NoParams())
                elif wanted is not None and not _is_there(wanted, now.connected, now.server):
                    await self._link.ask(CONNECT, wanted, timeout_s=CONNECT_S)
                    logger.info("connected to the MT4 server again")
            except PeerRefused as error:
                level = logging.ERROR if error.retcode in FINAL else logging.WARNING
                logger.log(level, "the MT4 server is not connected: %s", error)
                return False
            except ManagerError as error:
                if not self._link.is_linked:
                    return True  # the peer has gone meanwhile; when it comes back, we look
                logger.warning("the MT4 server is not connected: %s", error)
                return False
        return True


def _is_there(wanted: ConnectParams, connected: bool, server: str) -> bool:
    # a peer need not say where it is connected to: then its word for it has to do
    return connected and server in ("", wanted.server)
