"""Services of the console on its database and the box of its secrets, without pages and API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select

from ea_bridge import host
from gateway.background import background
from gateway.credentials.key_store import key_store
from gateway.credentials.passwords import CODE_COST, PASSWORD_COST, Cost, Passwords
from gateway.credentials.secrets import KeyStore, SecretBox

from .activity import ActivityLog
from .approvals import Approvals
from .approvals.requests import ApprovalServices, Codes
from .audit_trails import AuditTrails
from .clone_detector import CloneDetector
from .daemon_calls import DaemonCalls
from .database import Database, database_url, open_database
from .database.engine import holding
from .database.model import Contact, Device, RequestNonce
from .devices import Devices
from .events import EventNotifier, Events, PendingEvent
from .hooks import Hooks
from .links import SETUP, SETUP_S, Links, Resets
from .mail import MailQueue, transport_for
from .notices import Notices
from .records import DeviceOffers, LeaseIssuer, TokenRecords
from .reports import LoginHistory, TerminalReports
from .second_factor import SecondFactors
from .secret_keys import open_box, sealed_value
from .sessions import Sessions
from .settings import ConsoleSettings, sender
from .sign_ins import Browsers, SignIns, SignInThrottle
from .signing import Signing
from .terminals import TerminalOverview
from .tokens import Tokens
from .users import Invitations, Users, hashing_pool

logger = logging.getLogger(__name__)

CLEANUP_S = 3600
KEY_CHECK_S = 60
"""How soon new keys are made once a clock that was wrong has been put right: those of tomorrow do
not count today, and without them no lease is given."""


@dataclass(frozen=True)
class Costs:
    """Costs of guessing a password or code; the defaults are what a console may run with."""

    passwords: Cost = PASSWORD_COST
    codes: Cost = CODE_COST


@dataclass
class OwnUrl:
    """URL of the console: scheme, host and port. Whoever binds the port sets it."""

    url: str

    def __call__(self) -> str:
        """Return it as it is now."""
        return self.url


class Console:
    """Services of an open console; see :func:`open_console`.

    Args:
        home: of the console.
        settings: of the configuration.
        now_s: seconds since 1970.
        db: open and up to date.
        box: opens and seals what lies in it.
        passwords: hashes passwords.
        codes: hashes codes, at less cost.
        browser_key: by which browsers are known again.

    """

    def __init__(
        self,
        home: Path,
        settings: ConsoleSettings,
        now_s: Callable[[], int],
        db: Database,
        box: SecretBox,
        *,
        passwords: Passwords,
        codes: Passwords,
        browser_key: bytes,
    ) -> None:
        self.home, self.settings, self.now_s = home, settings, now_s
        self.db, self.box = db, box
        server, smtp = settings.console_server, settings.smtp
        self.url = OwnUrl(server.public_url or f"http://127.0.0.1:{server.port}")
        self.mail = MailQueue(db, box, transport_for(smtp, home), now_s, sender=sender(smtp))
        """Whoever serves runs it: ``console.mail.run()``."""
        self.activity = ActivityLog(db, now_s)
        self._add_tokens()
        self._add_people(passwords, browser_key)
        self.terminals = TerminalOverview(db, self.tokens, self.events, now_s)
        self.approvals = Approvals(
            ApprovalServices(
                db,
                box,
                now_s,
                Codes(codes),
                self.tokens,
                self.devices,
                self.activity,
                self.mail,
                self.url,
            )
        )
        self.clones = CloneDetector(db, self.signing, self.activity, self.mail, self.url, now_s)
        self.notices = Notices(
            db,
            self.mail,
            self.terminals,
            self.calls,
            self.hooks,
            self.activity,
            self.url,
            now_s,
        )

    def _add_tokens(self) -> None:
        """Make what tokens and machines stand on, and what daemons are told and tell."""
        db, box, now_s, activity = self.db, self.box, self.now_s, self.activity
        self.signing, self.notifier = Signing(db, box, now_s), EventNotifier(db)
        self.events = Events(db, self.signing, self.notifier, now_s)
        self.tokens = Tokens(db, box, self.events, activity, now_s)
        self.records = TokenRecords(db, self.signing, now_s)
        self.leases = LeaseIssuer(self.records, self.signing, now_s)
        self.offers = DeviceOffers(db, box, self.records, self.leases, self.signing)
        self.devices = Devices(db, self.tokens, self.events, activity, now_s)
        self.reports, self.logins = TerminalReports(db, now_s), LoginHistory(db, now_s)
        self.trails = AuditTrails(db, now_s)
        self.hooks = Hooks(db, self.signing, self.notifier, activity, now_s)
        self.calls = DaemonCalls(self.signing, now_s)

    def _add_people(self, passwords: Passwords, browser_key: bytes) -> None:
        """Make what accounts, sign-ins and sessions stand on."""
        db, now_s, activity, mail, url = self.db, self.now_s, self.activity, self.mail, self.url
        self.throttle, self.links = SignInThrottle(db, now_s), Links(db, now_s)
        self.sessions = Sessions(db, now_s)
        sign_ins = SignIns(mail, activity, url, now_s)
        self.second_factors = SecondFactors(
            db, self.box, self.throttle, self.links, sign_ins, activity, now_s
        )
        self.browsers = Browsers(browser_key, sign_ins)
        self.users = Users(
            db,
            passwords,
            self.throttle,
            self.links,
            self.events,
            activity,
            sign_ins,
            self.browsers,
            now_s,
        )
        self.resets = Resets(db, self.links, mail, activity, url, now_s)
        self.invitations = Invitations(db, self.users, self.links, mail, activity, url, now_s)

    async def setup_link(self) -> str | None:
        """Return a new secret to make the first administrator; ``None`` if there is an account."""
        if not await self.users.is_empty():
            return None
        return await self.links.make(SETUP, None, SETUP_S)

    async def request_reset(self, email: str) -> None:
        """Have a link mailed with which a password is reset, if there is such an account."""
        self.resets.ask(email)

    async def rotate_keys(self, *, remove_old: bool = False) -> str:
        """Make a new operational key now, and tell all devices; see :meth:`.Signing.rotate_in`.

        The news of it is signed with the old key, which the devices still know.

        Returns:
            The new key id.

        """
        async with self.db.begin() as session:
            # events first: they are signed with the key that devices still know
            dids = await session.scalars(select(Device.did))
            await self.events.append(session, [PendingEvent(did, "keys.rotated") for did in dids])
            return await self.signing.rotate_in(session, remove_old=remove_old)

    async def cleanup(self) -> None:
        """Renew keys that run out and forget what is over; done once an hour."""
        # by `rotate_keys`, which tells the devices: none believes a key unheard of
        if await self.signing.needs_renewal():
            await self.rotate_keys()
        async with self.db.begin() as session:
            for part in (self.throttle, self.links, self.sessions, self.activity, self.events):
                await part.cleanup(session)
            await self.reports.cleanup(session)
            await self.logins.cleanup(session)
            await self.hooks.cleanup(session)
            now_s = self.now_s()
            # past their end the clock refuses the request, so that its nonce need not be known
            await session.execute(delete(RequestNonce).where(RequestNonce.exp < now_s))
            await session.execute(delete(Contact).where(Contact.exp < now_s - 86_400))


@asynccontextmanager
async def open_console(
    home: Path,
    settings: ConsoleSettings | None = None,
    now_s: Callable[[], int] = lambda: int(host.wall_s()),
    *,
    keys: KeyStore | None = None,
    costs: Costs = Costs(),
    threads: Executor | None = None,
) -> AsyncIterator[Console]:
    """Open the console of a home folder, or make it.

    Args:
        home: made with mode 0700 if it is not there.
        settings: of the configuration.
        now_s: seconds since 1970.
        keys: where the key lies that seals the secrets; by default where the settings say.
        costs: of hashing.
        threads: in which it is hashed, if not in its own.

    Raises:
        DatabaseError: the database cannot be reached.
        NewerDatabase: a newer version made it.
        SecretsError: the key cannot be had, or does not fit the database.

    """
    settings = settings or ConsoleSettings()
    async with (
        open_database(database_url(home, settings.console_server.database)) as db,
        holding(db),
    ):
        box = await open_box(
            db, lambda noted: keys or key_store(settings.secrets, home, noted, console=True)
        )
        # sealed: who steals the database alone cannot even try passwords against its hashes
        pepper = await sealed_value(db, box, "pepper")
        pool = hashing_pool(threads)
        try:
            # codes cost less than passwords: they live for minutes and have five tries
            console = Console(
                home,
                settings,
                now_s,
                db,
                box,
                passwords=Passwords(pool, pepper, costs.passwords),
                codes=Passwords(pool, pepper, costs.codes),
                browser_key=await sealed_value(db, box, "browsers"),
            )
            # before anybody is served: a daemon pins the root that it is told first
            await console.signing.prepare()
            async with console.notifier.listening(), console.resets.working(), _cleaning(console):
                yield console
        finally:
            # in a thread: it waits for the hash that is being computed
            await asyncio.to_thread(pool.close)


@asynccontextmanager
async def _cleaning(console: Console) -> AsyncIterator[None]:
    async def hourly() -> None:
        while True:
            await asyncio.sleep(CLEANUP_S)
            try:
                await console.cleanup()
            except Exception:  # the next hour is another try
                logger.exception("what is over could not be forgotten")

    async def renewing() -> None:
        while True:
            await asyncio.sleep(KEY_CHECK_S)
            try:
                if await console.signing.needs_renewal():
                    await console.rotate_keys()
            except Exception:  # so is the next minute
                logger.exception("the signing keys could not be renewed")

    # awaited at the end: a transaction that is cut off must end before the database is closed
    async with background(hourly()), background(renewing()), background(console.notices.run()):
        yield
