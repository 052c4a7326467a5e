"""Accounts of people: made, invited, logged in, disabled; their passwords."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from gateway.credentials.event import EventType
from gateway.credentials.passwords import (
    HashingPool,
    Passwords,
    UnacceptablePassword,
    check_strength,
)

from .activity import BY_ADMINISTRATOR, ActivityLog
from .database import Database, insert_missing
from .database.model import Token, User, UserDevice
from .errors import (
    Gone,
    Invalid,
    NotFound,
    PasswordRefused,
    SignInRefused,
    Taken,
    TooBusy,
    WeakPassword,
)
from .events import Events, PendingEvent
from .ids import new_id
from .links import INVITATION, RESET, SETUP, Links
from .mail import MailQueue, templates
from .second_factor import CODE, PENDING
from .sessions import end_sessions
from .sign_ins import OF_BROWSER, PAGE_FORGOT, Browsers, SignIns, SignInThrottle
from .user_info import (
    NEVER,
    UserInfo,
    checked_email,
    checked_name,
    email_key,
    has_second_factor,
    locked_user,
    other_admin,
    tries_name,
    user_by_email,
    user_info,
)

LOGIN = "login"
AGAIN = "password.given"
HALFWAY = "login.password"
"""The password was right, and the second factor's code is asked for."""


def _tokens_of(user_id: str) -> Select[str]:
    return select(Token.tid).where(Token.user_id == user_id).limit(1)


def hashing_pool(threads: Executor | None = None) -> HashingPool:
    """Return the threads that hash; where too many wait they raise :class:`~.errors.TooBusy`."""
    return HashingPool(TooBusy, threads)


def check_password(password: str, *about: str) -> None:
    """Refuse passwords that are guessed first.

    Args:
        password: as typed.
        about: the person's email and name.

    Raises:
        WeakPassword: says why.

    """
    try:
        check_strength(password, *about)
    except UnacceptablePassword as error:
        raise WeakPassword(str(error)) from None


class Users:
    """Accounts of users: made, signed in, disabled.

    Args:
        db: with the tables.
        passwords: hashes them.
        throttle: counts tries.
        links: one-time links.
        events: tell devices.
        activity: the log.
        sign_ins: tell people of those from elsewhere, and of new passwords.
        browsers: in which people have signed in.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        throttle: SignInThrottle,
        links: Links,
        events: Events,
        activity: ActivityLog,
        sign_ins: SignIns,
        browsers: Browsers,
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._passwords = passwords
        self._throttle = throttle
        self._links = links
        self._events = events
        self._activity = activity
        self._sign_ins = sign_ins
        self._browsers = browsers
        self._now_s = now_s

    async def create(
        self, email: str, name: str, password: str, *, admin: bool = False, chosen: bool = True
    ) -> UserInfo:
        """Make an account.

        Args:
            email: where mails go.
            name: of the person.
            password: of the account.
            admin: whether the person administers the console.
            chosen: whether the person has chosen the password, and knows it.

        Raises:
            Invalid: address, name or password cannot be had.
            Taken: there is an account with the address.
            TooBusy: too many passwords are being hashed.

        """
        # hashed before the transaction: on SQLite nobody else writes while one is open
        row = await self._new(email, name, password, admin)
        if not chosen:
            # nobody knows this password: no mail warns when the first is chosen
            row.password_changed_at = NEVER
        async with self._db.begin() as session:
            await self._insert(session, row)
        return user_info(row)

    async def set_up(self, secret: str, email: str, name: str, password: str) -> UserInfo:
        """Make the first administrator, with the link that the console showed at its start.

        Raises:
            Gone: the link was used, or there is an account already.
            Invalid: address, name or password cannot be had; the link stays good.

        """
        # looked at before hashing, taken after it: a bad password costs no link
        await self._links.peek(secret, SETUP)
        row = await self._new(email, name, password, True)
        row.last_login_at = self._now_s()  # whoever makes it is signed in with it
        async with self._db.begin() as session:
            await self._links.take_in(session, secret, SETUP)
            # two set-up links may be open at once, of two starts: the first account ends the
            # other
            if await session.scalar(select(func.count()).select_from(User)):
                raise Gone("This console has an account already. Log in.")
            await self._insert(session, row)
        return user_info(row)

    async def by_email(self, email: str) -> UserInfo | None:
        """Return the account of an address."""
        async with self._db.session() as session:
            row = await user_by_email(session, email)
        return None if row is None else user_info(row)

    async def get(self, user_id: str) -> UserInfo:
        """Return an account.

        Raises:
            NotFound: there is none.

        """
        async with self._db.session() as session:
            row = await session.get(User, user_id)
        if row is None:
            raise NotFound("There is no such user.")
        return user_info(row)

    async def list(self) -> Sequence[UserInfo]:
        """Return all accounts, by their address; for administrators."""
        async with self._db.session() as session:
            rows = await session.scalars(select(User).order_by(User.email_key))
            return [user_info(row) for row in rows]

    async def is_empty(self) -> bool:
        """Whether nobody has an account yet."""
        async with self._db.session() as session:
            return (await session.scalar(select(User.id).limit(1))) is None

    async def authenticate(
        self,
        email: str,
        password: str,
        ip: str,
        *,
        agent: str = "",
        event: str = LOGIN,
        browser: str = "",
    ) -> UserInfo:
        """Check who logs in, or who gives the password again.

        It takes the same time and says the same for a wrong password, a wrong address and a
        disabled account.

        Who gives the password again has a session: his tries are counted apart from those of
        strangers, who could else keep him from approving or changing anything. So are those of a
        browser (``browser`` is what it keeps) or an address in which he has signed in.

        Raises:
            SignInRefused: whatever was wrong; :class:`~.errors.PasswordRefused` where the password
                alone was asked for.
            TooBusy: too many passwords are being checked; this try does not count.

        """
        try:
            return await self._authenticate(email, password, ip, agent, event, browser)
        except SignInRefused as refused:
            if event == LOGIN:
                raise
            raise PasswordRefused(refused.wait_s) from None

    async def _authenticate(
        self, email: str, password: str, ip: str, agent: str, event: str, browser: str
    ) -> UserInfo:
        # by what was typed, not by the account: addresses without one are throttled alike
        counted = tries_name(email, event)
        async with self._db.session() as session:
            row = await user_by_email(session, email)
            user_id = row.id if row is not None and event == LOGIN else None
            # found before the try is counted: a failure of strangers must not close the owner's
            # lane
            lane = await self._browsers.lane(session, user_id, ip, browser)
        # an address is shared with strangers, such a browser is not
        by_address = event == LOGIN and not lane.startswith(OF_BROWSER)
        # on disk before the password is looked at: a hundred tries at once are a hundred tries
        await self._throttle.count(counted, ip if by_address else None, lane)
        try:
            # without an account a password is verified all the same: no time tells who has one
            verified = await self._passwords.verify(row.password_hash if row else None, password)
            # a disabled account is refused like a wrong password, and after the same work
            ok = verified.ok and row is not None and row.status == "active"
            # costs grow over the years, and only now the password is at hand
            fresh = await self._passwords.hash(password) if ok and verified.is_outdated else None
        except TooBusy:
            # nobody looked at the password, so the try was none
            await self._throttle.take_back(counted, lane)
            raise
        if row is None or not ok:
            await self._note_refusal(row, event, ip, agent)
            raise SignInRefused
        return await self._logged_in(row, fresh, event, ip, agent, lane)

    async def change_password(
        self, user_id: str, old: str, new: str, ip: str, *, keep_sid: str = ""
    ) -> None:
        """Change a password; all sessions end but one.

        Raises:
            SignInRefused: the old one is wrong.
            WeakPassword: the new one is.

        """
        user = await self.get(user_id)
        check_password(new, user.email, user.name)
        # a lane of its own: strangers who fail at the sign-in form keep nobody from this
        await self.authenticate(user.email, old, ip, event=AGAIN)
        await self._store_password(user, new, keep_sid)

    async def has_password(self, user_id: str, password: str) -> bool:
        """Whether this is a user's password; for a program that has set it, not for a sign-in."""
        async with self._db.session() as session:
            row = await session.get(User, user_id)
        return row is not None and (await self._passwords.verify(row.password_hash, password)).ok

    async def set_password(self, user_id: str, new: str) -> None:
        """Set a password, for whoever has proved to be the user otherwise; all sessions end.

        Raises:
            NotFound: there is no such user.
            WeakPassword: it is.

        """
        user = await self.get(user_id)
        check_password(new, user.email, user.name)
        await self._store_password(user, new, "")

    async def reset_password(self, secret: str, new: str, purpose: str = RESET) -> UserInfo:
        """Set a password with the link of a mail; all sessions end, failures are forgotten.

        Args:
            secret: of the link.
            new: the password.
            purpose: of the link, :data:`~.links.RESET` or :data:`~.links.INVITATION`.

        Raises:
            Gone: the link was used, or is over.
            WeakPassword: it is; the link stays good.

        """
        link = await self._links.peek(secret, purpose)
        if link.user_id is None:
            raise Gone("This link is for nobody.")
        user = await self.get(link.user_id)
        check_password(new, user.email, user.name)
        await self._store_password(user, new, "", link=(secret, purpose))
        return user

    async def demand_password_change(self, user_id: str) -> None:
        """Somebody else may know the password: nothing goes on before it is changed."""
        async with self._db.begin() as session:
            await self.demand_password_change_in(session, user_id)

    async def demand_password_change_in(self, session: AsyncSession, user_id: str) -> None:
        """Demand it within a transaction; all sessions end."""
        row = await locked_user(session, user_id)
        row.must_change_password = True
        await end_sessions(session, user_id)
        self._activity.note(session, "password.doubted", user_id=user_id)

    async def disable(self, user_id: str, *, by: str = "") -> None:
        """Stop an account: its sessions end, its tokens open nothing, its devices are told.

        Args:
            user_id: whose.
            by: id of the administrator who does it, for whose log it is as well.

        Raises:
            NotFound: there is no such user.
            Invalid: it is the last administrator.

        """
        async with self._db.begin() as session:
            await self._db.take_turns(session, "disable")  # two may mean each other
            row = await locked_user(session, user_id)
            if row.status == "disabled":
                return
            # or nobody could ever enable an account again
            if row.is_admin and not await other_admin(session, user_id):
                raise Invalid("The last administrator cannot be disabled.")
            row.status = "disabled"
            await end_sessions(session, user_id)
            await self._drop_links(session, user_id)
            await self._turn(session, user_id, takes_away=True)
            self._note(session, "user.disabled", row, by)

    async def enable(self, user_id: str, *, by: str = "") -> None:
        """Undo :meth:`disable`; ``by`` as there.

        Raises:
            NotFound: there is no such user.

        """
        async with self._db.begin() as session:
            row = await locked_user(session, user_id)
            if row.status != "active":
                row.status = "active"
                await self._turn(session, user_id, takes_away=False)
                self._note(session, "user.enabled", row, by)

    async def set_admin(self, user_id: str, *, admin: bool, by: str = "") -> None:
        """Let a person administer the console, or not any more; ``by`` as in :meth:`disable`.

        Raises:
            NotFound: there is no such user.
            Invalid: it is the last administrator.

        """
        async with self._db.begin() as session:
            await self._db.take_turns(session, "disable")  # two may mean each other
            row = await locked_user(session, user_id)
            if row.is_admin == admin:
                return
            if not admin and not await other_admin(session, user_id):
                raise Invalid("The last administrator stays one.")
            row.is_admin = admin
            what = "user.admin" if admin else "user.no_admin"
            self._note(session, what, row, by)

    async def has_tokens(self, user_id: str) -> bool:
        """Whether an account has ever had a token: then it is not deleted."""
        async with self._db.session() as session:
            return await session.scalar(_tokens_of(user_id)) is not None

    async def delete(self, user_id: str, *, by: str = "") -> None:
        """Delete an account that has never had a token; its sessions and mails go with it.

        ``by`` as in :meth:`disable`: the log of the account itself nobody can open any more.

        Raises:
            NotFound: there is no such user.
            Invalid: it is the last administrator, or has tokens, whose history is kept.

        """
        async with self._db.begin() as session:
            await self._db.take_turns(session, "disable")
            row = await locked_user(session, user_id)
            if row.is_admin and not await other_admin(session, user_id):
                raise Invalid("The last administrator cannot be deleted.")
            # its machines have to hear that they end, and the log speaks of them
            if await session.scalar(_tokens_of(user_id)) is not None:
                raise Invalid("This account has made tokens: disable it, and everything stops.")
            self._note(session, "user.deleted", row, by)
            await session.delete(row)

    # --- within ----------------------------------------------------------------------------

    def _note(self, session: AsyncSession, event: str, row: User, by: str) -> None:
        """Note an act in the log of the person whom it concerns, and in that of who did it."""
        detail = BY_ADMINISTRATOR if by else ""
        self._activity.note(session, event, user_id=row.id, detail=detail)
        if by:
            self._activity.note(session, event, user_id=by, detail=row.email)

    async def _new(self, email: str, name: str, password: str, admin: bool) -> User:
        email, name = checked_email(email), checked_name(name)
        check_password(password, email, name)
        now_s = self._now_s()
        return User(
            id=new_id(),
            email=email,
            email_key=email_key(email),
            name=name,
            password_hash=await self._passwords.hash(password),
            is_admin=admin,
            status="active",
            must_change_password=False,
            created_at=now_s,
            password_changed_at=now_s,
            last_login_at=None,
        )

    async def _insert(self, session: AsyncSession, row: User) -> None:
        # no plain insert: of two with one address one would fail with the driver's error
        values = {column.key: getattr(row, column.key) for column in User.__table__.columns}
        await insert_missing(session, User, **values)
        found = await user_by_email(session, row.email)
        # somebody else's row stands there: the address is unique, however it is written
        if found is None or found.id != row.id:
            raise Taken("There is an account with this address already.")
        self._activity.note(session, "user.created", user_id=row.id)

    async def _note_refusal(self, row: User | None, event: str, ip: str, agent: str) -> None:
        user_id = None if row is None else row.id
        async with self._db.begin() as session:
            self._activity.note(
                session, event, user_id=user_id, outcome="refused", ip=ip, agent=agent
            )

    async def _logged_in(
        self, seen: User, fresh: str | None, event: str, ip: str, agent: str, lane: str
    ) -> UserInfo:
        async with self._db.begin() as session:
            row = await locked_user(session, seen.id)
            # it may have been disabled, or the password changed, while the hash was computed
            if row.status != "active" or row.password_hash != seen.password_hash:
                raise SignInRefused
            # only this lane: a stranger's failures go on counting against strangers
            await self._throttle.discard(session, tries_name(row.email, event), lane)
            if fresh is not None:
                row.password_hash = fresh
            # with a second factor the sign-in is complete when its code is there
            if event == LOGIN and await has_second_factor(session, row.id):
                event = HALFWAY
            if event == LOGIN:
                await self._sign_ins.note(session, row, ip, agent)
            else:
                self._activity.note(session, event, user_id=row.id, ip=ip, agent=agent)
        return user_info(row)

    async def _store_password(
        self, user: UserInfo, new: str, keep_sid: str, *, link: tuple[str, str] | None = None
    ) -> None:
        # before the transaction, as hashing is slow
        hashed = await self._passwords.hash(new)
        async with self._db.begin() as session:
            if link is not None:
                # within it: a link that was taken has set the password, or it is unused again
                await self._links.take_in(session, *link)
            row = await locked_user(session, user.id)
            is_first = row.password_changed_at == NEVER
            row.password_hash = hashed
            # never the same twice: by it a sign-in knows whether it was overtaken
            row.password_changed_at = max(self._now_s(), row.password_changed_at + 1)
            row.must_change_password = False
            await end_sessions(session, user.id, keep=keep_sid)
            await self._drop_links(session, user.id)
            # who has proved to be the owner by mail or password starts with a clean count in both
            for event in (LOGIN, AGAIN, CODE):
                await self._throttle.discard_all(session, tries_name(row.email, event))
            what = "password.chosen" if is_first else "password.changed"
            self._activity.note(session, what, user_id=user.id)
            if not is_first:  # nobody is surprised by the password that he has just begun with
                await self._sign_ins.notify_of_password(session, row)

    async def _drop_links(self, session: AsyncSession, user_id: str) -> None:
        for purpose in (RESET, INVITATION, PENDING):
            await self._links.drop(session, purpose, user_id)

    async def _turn(self, session: AsyncSession, user_id: str, *, takes_away: bool) -> None:
        """Count all records of a user on, and tell the devices."""
        tokens = select(Token).where(Token.user_id == user_id, Token.status != "revoked")
        # in the order in which all lock tokens, or two transactions would wait for each other
        for token in await session.scalars(tokens.order_by(Token.tid).with_for_update()):
            token.rec_ver += 1
            # leases carry the epoch: those that were handed out are worth nothing from now on
            token.epoch += takes_away
        await session.flush()
        dids = await session.scalars(select(UserDevice.did).where(UserDevice.user_id == user_id))
        type_: EventType = "user.disabled" if takes_away else "user.enabled"
        await self._events.append(session, [PendingEvent(did, type_, user_id) for did in dids])


INVITATION_S = 3 * 86_400
PAGE_INVITATION = "/invitation/{secret}"


class Invitations:
    """Invitations of people to the console.

    Args:
        db: mails are queued in its transactions.
        users: makes the accounts.
        links: that work once.
        mail: the queue.
        activity: the log.
        url: of the console.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        users: Users,
        links: Links,
        mail: MailQueue,
        activity: ActivityLog,
        url: Callable[[], str],
        now_s: Callable[[], int],
    ) -> None:
        self._now_s = now_s
        self._db = db
        self._users = users
        self._links = links
        self._mail = mail
        self._activity = activity
        self._url = url

    async def invite(
        self, email: str, name: str, *, by: UserInfo, admin: bool = False
    ) -> UserInfo:
        """Make an account with a password that nobody knows, and send a link to choose one.

        Args:
            email: where the link goes.
            name: of the person.
            by: who invites; the mail names him.
            admin: whether the person is to administer the console.

        Raises:
            Invalid: address or name cannot be had.
            Taken: there is an account with the address.

        """
        # a real password, not an empty hash: every way in works as for all others, and fails
        unknown = host.token_urlsafe(32)
        user = await self._users.create(email, name, unknown, admin=admin, chosen=False)
        await self._send(user, by, f"invitation:{user.id}", user.created_at)
        return user

    async def resend(self, user_id: str, *, by: UserInfo) -> None:
        """Send a fresh link to somebody who has not chosen a password; the old one is worthless.

        Raises:
            NotFound: there is no such user.
            Invalid: the person has chosen one, or the account is disabled.

        """
        user, now_s = await self._invited(user_id), self._now_s()
        await self._send(user, by, f"invitation:{user.id}:{now_s}", now_s)

    async def link(self, user_id: str, *, by: UserInfo) -> str:
        """Return a fresh link, to be handed over by other ways than a mail; ``by`` asks for it.

        Raises:
            NotFound: there is no such user.
            Invalid: the person has chosen a password, or the account is disabled.

        """
        user = await self._invited(user_id)
        secret = await self._links.make(INVITATION, user.id, INVITATION_S)
        async with self._db.begin() as session:
            self._activity.note(session, "user.link", user_id=by.id, detail=user.email)
        return self._url() + PAGE_INVITATION.format(secret=secret)

    async def _invited(self, user_id: str) -> UserInfo:
        user = await self._users.get(user_id)
        if not user.is_invited or user.status != "active":
            raise Invalid("This account does not wait for its first password.")
        return user

    async def _send(self, user: UserInfo, by: UserInfo, dedupe: str, at_s: int) -> None:
        secret = await self._links.make(INVITATION, user.id, INVITATION_S)
        url = self._url()
        letter = templates.invitation(
            url + PAGE_INVITATION.format(secret=secret),
            by=(by.name, by.email),
            address=user.email,
            console=url,
            forgot=url + PAGE_FORGOT,
            at_s=at_s,
            minutes=INVITATION_S // 60,
        )
        async with self._db.begin() as session:
            self._activity.note(session, "user.invited", user_id=by.id, detail=user.email)
            await self._mail.put(
                session,
                letter,
                address=user.email,
                dedupe=dedupe,
                # the mail ends with the link in it
                exp=at_s + INVITATION_S,
                user_id=user.id,
            )
