"""Service of an MT4 server's manager: its peer, its operators, its journal and its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from ea_bridge import host
from ea_bridge.host import wall_ms
from ea_bridge.mt4_manager.session import ManagerCallbacks, ManagerRegistry, ManagerSession
from gateway.audit import Audit
from gateway.config import Manager as ManagerSettings
from gateway.credentials.passwords import HashingPool, Passwords
from gateway.credentials.secrets import SecretBox
from gateway.mt4_manager.access import FailedLogins, OperatorLogin, Rate, TokenBook
from gateway.mt4_manager.api import ManagerApi, ManagerServices
from gateway.mt4_manager.changes import Changes
from gateway.mt4_manager.journal import ManagerJournal
from gateway.mt4_manager.link import KeptConnection, Link, Supervision
from gateway.mt4_manager.operators import OperatorBook
from gateway.storage.ledger import Ledger
from gateway.storage.store import Store

from .schema import OWN_SECRETS

PEPPER, TOKENS, REQUESTS = "pepper", "tokens", "requests"
"""Names of the manager's own secrets."""
SECRET_BYTES = 32


class ManagerService:
    """Service of the manager of an MT4 server while the gateway runs.

    Args:
        ledger: open for as long.
        audit: where it is noted.
        settings: name the peer.
        store: the home's database.
        box: of its secrets.
        max_body: bytes of a request to the API.

    Raises:
        StoreError, SecretsError: the home's database or its key cannot be used.

    """

    def __init__(
        self,
        ledger: Ledger,
        audit: Audit,
        settings: ManagerSettings,
        *,
        store: Store,
        box: SecretBox,
        max_body: int,
    ) -> None:
        self.registry = ManagerRegistry({settings.peer})
        self.link = Link(lambda: self.registry.get(settings.peer))
        self._audit = audit
        self.journal = ManagerJournal(ledger, audit, wall_ms)
        self._pool = HashingPool()
        self.passwords = Passwords(self._pool, own_secret(store, box, PEPPER))
        self.operators = OperatorBook(store, self.passwords)
        tokens = self.tokens = TokenBook(store, own_secret(store, box, TOKENS))
        self.kept = KeptConnection(store, box)
        self.supervision = Supervision(self.link, self.kept, audit)
        self.changes = Changes(
            self.link,
            self.journal,
            key=own_secret(store, box, REQUESTS),
            run=audit.boot,
            now_ms=wall_ms,
        )
        self.callbacks = ManagerCallbacks(on_late_result=self.changes.late)
        services = ManagerServices(
            link=self.link,
            supervision=self.supervision,
            changes=self.changes,
            login=OperatorLogin(self.operators, tokens, FailedLogins(host.monotonic_s), audit),
            tokens=tokens,
            rate=Rate(settings.requests_per_second, settings.request_burst, host.monotonic_s),
            audit=audit,
            max_amount=settings.max_amount,
        )
        self.api = ManagerApi(services, max_body)
        self._linked: set[str] = set()

    @property
    def last_command_id(self) -> int:
        """The highest id that a change ever had."""
        return self.journal.last_command_id

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Supervise the link, and find out what is unknown, while the context lasts."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, self._pool.close)
            await stack.enter_async_context(self.changes.running())
            await stack.enter_async_context(self.supervision.running())
            stack.callback(self.registry.subscribe(self._changed))
            yield

    def _changed(self, session: ManagerSession) -> None:
        """A peer has linked, has gone, or has gained or lost its server."""
        is_live = self.registry.get(session.terminal) is session
        if is_live and session.id not in self._linked:
            self._linked = {session.id}
            self._audit.record("manager_linked", terminal=session.terminal)
        elif not is_live and session.id in self._linked:
            self._linked.discard(session.id)
            self._audit.record("manager_lost", terminal=session.terminal)
        # only woken: this runs within the registry's own change, where nothing may wait
        self.supervision.wake()
        self.changes.finder.wake()


@contextmanager
def operators(store: Store, box: SecretBox) -> Iterator[OperatorBook]:
    """Yield the operators of a home, for a command that changes them."""
    pool = HashingPool()
    try:
        pepper = own_secret(store, box, PEPPER)
        yield OperatorBook(store, Passwords(pool, pepper))
    finally:
        pool.close()


def own_secret(store: Store, box: SecretBox, name: str) -> bytes:
    """Return a random secret of the manager's own, which is sealed in the home's database; it is
    made when it is first asked for.

    Raises:
        StoreError: the database cannot be used.
        SecretsError: it does not open.

    """
    place = OWN_SECRETS.place(name)
    query = "SELECT sealed FROM manager_secrets WHERE name = ?"
    row = store.one(query, name)
    if row is None:
        made = box.seal(host.random_bytes(SECRET_BYTES), place)
        with store.transaction() as connection:
            # OR IGNORE: a command and the gateway may both be the first, and one secret counts
            connection.execute("INSERT OR IGNORE INTO manager_secrets VALUES (?, ?)", (name, made))
        row = store.one(query, name)
    assert row is not None  # made a moment ago, here or by another process
    return box.open(row["sealed"], place)
