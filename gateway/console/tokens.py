"""Tokens: made, listed, replaced, suspended, revoked; a token's text is shown once, never kept.

Its rights, and the number of tokens of a user, are checked before a record is written. Each change
is one transaction: the token's new version, and an event for every device concerned. It is on disk
before anybody hears of it. A new token that replaces others takes over the machines on which those
are approved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host
from ea_bridge.token import derive_keys, new_token, parse_token
from gateway.console.activity import ActivityLog
from gateway.console.database import Database
from gateway.console.database.model import (
    ApprovalRequest,
    Hook,
    Login,
    Run,
    Token,
    TokenDevice,
    User,
)
from gateway.console.errors import Invalid, NotFound, Taken, TooMany
from gateway.console.events import Events, PendingEvent
from gateway.console.records import is_live, server_key_place
from gateway.console.user_info import locked_user
from gateway.credentials.event import EventType
from gateway.credentials.keyset import DAY_S
from gateway.credentials.record import NAME, REMOTE_ALONE, LimitsError, Offline, Scope, TradeLimits
from gateway.credentials.record import checked_limits as carried
from gateway.credentials.secrets import SecretBox

MIN_LIFETIME_S = 60
"""Long enough to paste the token somewhere."""
MAX_LIFETIME_S = 3650 * DAY_S
"""Ten years; for longer, one that never ends says so plainly."""


def checked_name(name: str) -> str:
    """Return a name that a record can carry; raises ``Invalid``."""
    # the same as the daemon's own: the name becomes that of the terminal in every call
    if not NAME.fullmatch(name):
        raise Invalid(
            "A name has 1 to 64 letters, digits, dots, dashes or underscores, and begins with a "
            "letter or digit."
        )
    return name


def checked_platform(text: str | None) -> str | None:
    """Return ``mt4``, ``mt5`` or ``None``; raises ``Invalid``."""
    if text not in ("mt4", "mt5", None):
        raise Invalid("A platform is mt4 or mt5.")
    return text


def checked_scopes(names: Collection[str]) -> list[str]:
    """Return scopes in one order, each once; raises ``Invalid``."""
    try:
        # in one order: the record is signed, and must be the same whenever it is made
        scopes = sorted({Scope(name).value for name in names})
    except ValueError:
        raise Invalid(f"A scope is one of {', '.join(Scope)}.") from None
    if not scopes:
        raise Invalid("Choose a scope.")
    if scopes == [Scope.REMOTE]:
        raise Invalid(REMOTE_ALONE)
    return scopes


def expiry(now_s: int, lifetime_s: int | None) -> int | None:
    """Return the end of a life that begins now; raises ``Invalid``."""
    if lifetime_s is None:
        return None
    if not MIN_LIFETIME_S <= lifetime_s <= MAX_LIFETIME_S:
        raise Invalid("A token lives for a minute at least and ten years at most, or for ever.")
    return now_s + lifetime_s


def lifetime_of(created_at: int, exp: int | None) -> int | None:
    """Return for how long a token was made, as one in its place may live."""
    if exp is None:
        return None
    # an end that was cut by a replacement may lie sooner than any that can be asked for
    return min(max(exp - created_at, MIN_LIFETIME_S), MAX_LIFETIME_S)


def checked_limits(limits: TradeLimits) -> TradeLimits:
    """Return limits that a record can carry; raises ``Invalid``, which says what is wrong."""
    try:
        return carried(limits)
    except LimitsError as error:
        raise Invalid(sentence(error)) from None


def sentence(error: LimitsError) -> str:
    """Return what is wrong with limits as pages and answers tell it."""
    words = str(error)
    return f"{words[0].upper()}{words[1:]}."


def checked_offline(offline: Offline) -> Offline:
    """Refuse more than 24 hours without the console; raises ``Invalid``."""
    if not 0 <= offline.reduce_s <= DAY_S or not 0 <= offline.readonly_s <= DAY_S:
        raise Invalid("What is allowed without the console ends after 24 hours at most.")
    return offline


MAX_LIVE = 200
"""Live tokens of one user."""
MAX_KEPT = 1000
"""Tokens of one user in all; then revoked ones that were used nowhere are forgotten."""


async def demand_room(
    session: AsyncSession, user: User, name: str, now_s: int, *, tid: str = ""
) -> None:
    """Refuse a token that cannot live beside the others.

    Args:
        session: of a transaction that has locked the user.
        user: whose.
        name: of the token that is to live.
        now_s: seconds since 1970.
        tid: its id, if it was there before; those that it has replaced go on beside it.

    Raises:
        Taken: another live token has the name.
        TooMany: there are :data:`MAX_LIVE` live ones, or :data:`MAX_KEPT` in all.

    """
    wanted = select(Token).where(Token.user_id == user.id, Token.status != "revoked")
    # judged here, not in the query: an end by time alone is in no column
    live = [row for row in await session.scalars(wanted) if is_live(row, user, now_s)]
    # one that was resumed may stand beside those that it has replaced: they end by themselves
    rivals = [row for row in live if row.label == name and (not tid or row.replaced_by != tid)]
    if rivals:
        raise Taken(f"A token named {name} exists already. Replace or revoke it, or rename this.")
    if len(live) >= MAX_LIVE:
        raise TooMany(f"{MAX_LIVE} tokens at a time are the most; revoke one first.")
    if await _count(session, user.id) >= MAX_KEPT:
        # only when it is full: revoked tokens explain the history for as long as there is room
        await _forget(session, user.id)
        if await _count(session, user.id) >= MAX_KEPT:
            raise TooMany(f"{MAX_KEPT} tokens were made; that is the most.")


async def _count(session: AsyncSession, user_id: str) -> int:
    count = select(func.count()).select_from(Token).where(Token.user_id == user_id)
    return await session.scalar(count) or 0


async def _forget(session: AsyncSession, user_id: str) -> None:
    used = (
        select(table.tid).where(table.tid == Token.tid).exists()
        for table in (TokenDevice, ApprovalRequest, Run, Login, Hook)
    )
    await session.execute(
        delete(Token)
        .where(
            Token.user_id == user_id,
            Token.status == "revoked",
            # history, reports, requests and hooks point at their token: what they speak of stays
            *(~condition for condition in used),
        )
        .execution_options(synchronize_session=False)
    )


REPLACED = "replaced"
"""By whom a machine was approved for a token that took over another's machines."""


async def same_name(session: AsyncSession, row: Token) -> Sequence[Token]:
    """Return a user's tokens for the terminal that one is for, that are not revoked; locked."""
    same = select(Token).where(
        Token.user_id == row.user_id, Token.label == row.label, Token.status != "revoked"
    )
    # in the order in which all lock tokens, or two replacements would wait for each other
    return (await session.scalars(same.order_by(Token.tid).with_for_update())).all()


async def before(session: AsyncSession, row: Token) -> Sequence[Token]:
    """Return the tokens that one replaces, and that work beside it, or may again."""
    return [token for token in await same_name(session, row) if token.replaced_by == row.tid]


async def inherit(
    session: AsyncSession, fresh: Token, olds: Sequence[Token], now_s: int
) -> tuple[PendingEvent, ...]:
    """Approve for a new token the machines on which those that it replaces are approved.

    The owner has just said so: a machine that he has approved stays approved. So programs there
    may use the new token at once, and not only when the terminal has come with it.

    Args:
        session: of a transaction that has locked the user and the old tokens.
        fresh: the new token, complete.
        olds: what it replaces, as it was before that.
        now_s: seconds since 1970.

    Returns:
        What the machines are to be told.

    """
    session.add(fresh)
    await session.flush()
    approved = select(TokenDevice).where(
        TokenDevice.tid.in_([old.tid for old in olds]), TokenDevice.status == "approved"
    )
    newest: dict[str, TokenDevice] = {}
    # ascending: of two old tokens on one machine the terminal that was seen last is kept
    for link in await session.scalars(approved.order_by(TokenDevice.last_seen_at)):
        newest[link.did] = link
    for link in newest.values():
        session.add(
            TokenDevice(
                tid=fresh.tid,
                did=link.did,
                status="approved",
                dev_ver=1,
                terminal_fp=link.terminal_fp,
                approved_at=now_s,
                approved_by=REPLACED,
                first_seen_at=now_s,
                last_seen_at=now_s,
                lease_exp=0,
            )
        )
    await session.flush()
    return tuple(
        PendingEvent(did, "token.updated", fresh.user_id, fresh.tid, fresh.rec_ver, fresh.epoch)
        for did in newest
    )


@dataclass(frozen=True)
class TokenInfo:
    """A token, as its owner may see it."""

    tid: str
    user_id: str
    name: str
    platform: str | None
    status: str
    """``active``, ``superseded``, ``disabled`` (suspended), ``revoked``, or ``expired``."""
    is_live: bool
    rec_ver: int
    created_at: int
    exp: int | None
    ended_at: int | None
    scopes: tuple[Scope, ...]
    limits: TradeLimits
    offline: Offline
    strict_terminal: bool
    replaced_by: str | None
    linked_at: int | None
    """When a terminal was first linked with it."""


def token_info(row: Token, user: User, now_s: int) -> TokenInfo:
    """Return what may be told of a row."""
    # told, not stored: no job has to run at the second in which a token ends
    over = row.exp is not None and now_s >= row.exp and row.status in ("active", "superseded")
    return TokenInfo(
        tid=row.tid,
        user_id=row.user_id,
        name=row.label,
        platform=row.platform,
        status="expired" if over else row.status,
        is_live=is_live(row, user, now_s),
        rec_ver=row.rec_ver,
        created_at=row.created_at,
        exp=row.exp,
        ended_at=row.ended_at,
        scopes=tuple(Scope(name) for name in json.loads(row.scopes)),
        limits=TradeLimits.model_validate_json(row.limits),
        offline=Offline.model_validate_json(row.offline),
        strict_terminal=row.strict_terminal,
        replaced_by=row.replaced_by,
        linked_at=row.linked_at,
    )


MAX_OVERLAP_S = DAY_S
"""How long a replaced token may go on beside the new one."""
AS_BEFORE = 0
"""A lifetime as long as that of the token before."""
_UNKNOWN = "There is no such token."


class Tokens:
    """Tokens of users, made and changed. What belongs to another user is not there.

    Args:
        db: with the tables.
        box: seals server keys.
        events: tell devices.
        activity: the log.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        box: SecretBox,
        events: Events,
        activity: ActivityLog,
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._box = box
        self._events = events
        self._activity = activity
        self._now_s = now_s

    async def create(
        self,
        user_id: str,
        name: str,
        *,
        platform: str | None = None,
        scopes: Collection[str] = (Scope.TRADE,),
        lifetime_s: int | None = None,
        limits: TradeLimits | None = None,
        offline: Offline | None = None,
        strict_terminal: bool = True,
    ) -> tuple[str, TokenInfo]:
        """Make a token for the terminal ``name``.

        Args:
            user_id: whose.
            name: 1 to 64 of ``A-Z a-z 0-9 . _ -``; one live token of the user has it.
            platform: ``mt4`` or ``mt5`` for a terminal of that platform alone.
            scopes: of :class:`~gateway.credentials.record.Scope`.
            lifetime_s: seconds until it expires; ``None`` for never.
            limits: of trading.
            offline: how long what is allowed without the console.
            strict_terminal: whether another terminal on an approved device is asked for again.

        Returns:
            The token, which nobody can find out again, and what is known of it.

        Raises:
            Invalid: an argument is out of range.
            Taken: a live token has the name.
            TooMany: the user has :data:`MAX_LIVE` live ones.

        """
        # checked before the transaction: what cannot be made waits in no line
        row = Token(
            label=checked_name(name),
            platform=checked_platform(platform),
            scopes=json.dumps(checked_scopes(scopes)),
            exp=expiry(self._now_s(), lifetime_s),
            limits=checked_limits(limits or TradeLimits()).model_dump_json(),
            offline=checked_offline(offline or Offline()).model_dump_json(),
            strict_terminal=strict_terminal,
        )
        async with self._db.begin() as session:
            user = await locked_user(session, user_id)
            # the session may be from before the account was disabled
            if user.status != "active":
                raise Invalid("The account is disabled.")
            await demand_room(session, user, row.label, self._now_s())
            # the text is returned and never stored: only keys that are derived from it are
            text = self._complete(row, user)
            session.add(row)
            self._note_created(session, row, is_limited=limits not in (None, TradeLimits()))
            await session.flush()
            return text, token_info(row, user, self._now_s())

    async def list(self, user_id: str) -> Sequence[TokenInfo]:
        """Return all tokens of a user, the newest first."""
        wanted = select(Token, User).join(User).where(Token.user_id == user_id)
        newest = wanted.order_by(Token.created_at.desc(), Token.tid)
        async with self._db.session() as session:
            return [token_info(*row, self._now_s()) for row in (await session.execute(newest))]

    async def get(self, user_id: str, tid: str) -> TokenInfo:
        """Return a token of a user.

        Raises:
            NotFound: the user has no such token.

        """
        wanted = select(Token, User).join(User).where(Token.user_id == user_id, Token.tid == tid)
        async with self._db.session() as session:
            row = (await session.execute(wanted)).first()
        if row is None:
            raise NotFound(_UNKNOWN)
        return token_info(*row, self._now_s())

    async def find(self, session: AsyncSession, tid: str) -> Token | None:
        """Return a token's row, whoever owns it: for the console's own reasoning."""
        return await session.get(Token, tid)

    def server_key(self, row: Token) -> bytes:
        """Open the key by which the console proves to an EA that it knows the token."""
        return self._box.open(row.server_key, server_key_place(row.tid))

    async def replace(
        self,
        user_id: str,
        tid: str,
        *,
        overlap_s: int = MAX_OVERLAP_S,
        lifetime_s: int | None = AS_BEFORE,
    ) -> tuple[str, TokenInfo]:
        """Make a new token with the rights of an old one, which goes on for a while.

        On the machines that are approved for the old one the new one works at once; see
        :func:`inherit`.

        Args:
            user_id: whose.
            tid: a live token.
            overlap_s: for which the old one still works; 0 revokes it at once.
            lifetime_s: seconds until the new one expires; ``None`` for never,
                :data:`AS_BEFORE` for as long as the old one was made for.

        Returns:
            The new token and what is known of it.

        Raises:
            NotFound: the user has no such live token.
            Invalid: the overlap is longer than :data:`MAX_OVERLAP_S`, or the lifetime out of
                range.

        """
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise Invalid(f"Two tokens may overlap for {MAX_OVERLAP_S // 3600} hours at most.")
        async with self._db.begin() as session:
            user, old = await self._mine(session, user_id, tid)
            # rights are inherited from a token that has them: an ended one has none to give
            if not is_live(old, user, self._now_s()):
                raise NotFound("This token does not work any more; make a new one.")
            fresh = self._successor(old, lifetime_s)
            text = self._complete(fresh, user)
            others = await same_name(session, old)
            news = await inherit(session, fresh, others, self._now_s())
            for other in others:
                other.replaced_by = fresh.tid
                # no second overlap for one that is on its way out: replacing twice ends it
                at_once = overlap_s == 0 or other.status == "superseded"
                news += await self._supersede(session, other, 0 if at_once else overlap_s)
            await self._append(session, news)
            self._activity.note(
                session, "token.replaced", user_id=user_id, tid=fresh.tid, detail=old.label
            )
            await session.flush()
            return text, token_info(fresh, user, self._now_s())

    async def revoke(self, user_id: str, tid: str) -> TokenInfo:
        """End a token for good; no change if it has ended.

        Raises:
            NotFound: the user has no such token.

        """
        async with self._db.begin() as session:
            user, row = await self._mine(session, user_id, tid)
            # revoked twice is no error, and tells the machines nothing a second time
            if row.status != "revoked":
                await self._append(session, await self._end(session, row))
                self._activity.note(
                    session, "token.revoked", user_id=user_id, tid=tid, detail=row.label
                )
            return token_info(row, user, self._now_s())

    async def suspend(self, user_id: str, tid: str) -> TokenInfo:
        """Let a token open nothing until :meth:`resume`.

        Raises:
            NotFound: the user has no such token.

        """
        async with self._db.begin() as session:
            user, row = await self._mine(session, user_id, tid)
            await self.suspend_in(session, row)
            return token_info(row, user, self._now_s())

    async def suspend_in(self, session: AsyncSession, row: Token) -> None:
        """Suspend a token within a transaction that has locked its user."""
        if row.status in ("active", "superseded"):
            # one that was superseded must not come back as active: its end would be gone with it
            row.suspended_from, row.status = row.status, "disabled"
            await self._append(session, await self.changed(session, row, takes_away=True))
            self._activity.note(
                session, "token.suspended", user_id=row.user_id, tid=row.tid, detail=row.label
            )

    async def resume(self, user_id: str, tid: str) -> TokenInfo:
        """Undo :meth:`suspend`.

        Raises:
            NotFound: the user has no such token.
            Taken: another live token has the name by now.

        """
        async with self._db.begin() as session:
            user, row = await self._mine(session, user_id, tid)
            if row.status == "disabled":
                # one that is on its way out may share the name with the token in its place
                if row.suspended_from != "superseded":
                    await demand_room(session, user, row.label, self._now_s(), tid=tid)
                row.status, row.suspended_from = row.suspended_from or "active", None
                await self._append(session, await self.changed(session, row))
                self._activity.note(
                    session, "token.resumed", user_id=user_id, tid=tid, detail=row.label
                )
            return token_info(row, user, self._now_s())

    async def update_limits(
        self,
        user_id: str,
        tid: str,
        limits: TradeLimits,
        *,
        offline: Offline | None = None,
        strict_terminal: bool | None = None,
    ) -> TokenInfo:
        """Change the bounds of a token, and of the one before it as long as that works beside it:
        else its holder could go on within the bounds of before.

        Args:
            user_id: whose.
            tid: a token that is not revoked.
            limits: all of them; what is ``None`` has no bound.
            offline: unchanged by default, and always that of the one before it.
            strict_terminal: the same.

        Raises:
            NotFound: the user has no such token, or it is revoked.
            Invalid: a limit is out of range.

        """
        text = checked_limits(limits).model_dump_json()
        async with self._db.begin() as session:
            user, row = await self._mine(session, user_id, tid)
            if row.status == "revoked":
                raise NotFound("This token is revoked.")
            if offline is not None:
                row.offline = checked_offline(offline).model_dump_json()
            if strict_terminal is not None:
                row.strict_terminal = strict_terminal
            news: tuple[PendingEvent, ...] = ()
            # the one before it, too: its holder could else go on within the bounds of before
            for related in (row, *await before(session, row)):
                related.limits = text
                news += await self.changed(session, related)
                self._activity.note(
                    session, "token.limits", user_id=user_id, tid=related.tid, detail=text
                )
            await self._append(session, news)
            return token_info(row, user, self._now_s())

    # --- within a transaction --------------------------------------------------------------

    def _note_created(self, session: AsyncSession, row: Token, *, is_limited: bool) -> None:
        user_id, tid = row.user_id, row.tid
        self._activity.note(session, "token.created", user_id=user_id, tid=tid, detail=row.label)
        if is_limited:
            self._activity.note(
                session, "token.limits", user_id=user_id, tid=tid, detail=row.limits
            )

    async def changed(
        self,
        session: AsyncSession,
        row: Token,
        type_: EventType = "token.updated",
        *,
        takes_away: bool = False,
    ) -> tuple[PendingEvent, ...]:
        """Count a token's version on, and return what its devices are to be told.

        All that one transaction tells goes to :meth:`.events.Events.append` at once.

        Args:
            session: of a transaction that has locked the token's user.
            row: with its changes.
            type_: of the events.
            takes_away: leases that were given are worth nothing any more.

        """
        # daemons take only a record of a greater version: an old one cannot bring rights back
        row.rec_ver += 1
        row.epoch += takes_away
        await session.flush()
        # all machines that know it, revoked ones too: they must hear of its end as well
        dids = await session.scalars(select(TokenDevice.did).where(TokenDevice.tid == row.tid))
        return tuple(
            PendingEvent(did, type_, row.user_id, row.tid, row.rec_ver, row.epoch) for did in dids
        )

    async def _mine(self, session: AsyncSession, user_id: str, tid: str) -> tuple[User, Token]:
        user = await locked_user(session, user_id)
        wanted = select(Token).where(Token.user_id == user_id, Token.tid == tid).with_for_update()
        row = (await session.scalars(wanted)).one_or_none()
        if row is None:
            raise NotFound(_UNKNOWN)
        return user, row

    async def _append(self, session: AsyncSession, news: tuple[PendingEvent, ...]) -> None:
        await self._events.append(session, news)

    async def _end(self, session: AsyncSession, row: Token) -> tuple[PendingEvent, ...]:
        row.status, row.ended_at, row.suspended_from = "revoked", self._now_s(), None
        return await self.changed(session, row, "token.revoked", takes_away=True)

    async def _supersede(
        self, session: AsyncSession, row: Token, overlap_s: int
    ) -> tuple[PendingEvent, ...]:
        if overlap_s == 0:
            return await self._end(session, row)
        end = self._now_s() + overlap_s
        # never later than its own end: an overlap takes rights away, and gives none
        row.status, row.exp = "superseded", end if row.exp is None else min(end, row.exp)
        return await self.changed(session, row)

    def _complete(self, row: Token, user: User) -> str:
        text = new_token(host.choice)
        keys = derive_keys(text)
        row.tid, row.user_id, row.status = parse_token(text), user.id, "active"
        row.rec_ver, row.epoch, row.created_at = 1, 1, self._now_s()
        row.stored_key = keys.stored_key.hex()
        row.server_key = self._box.seal(keys.server_key, server_key_place(row.tid))
        # in the record: a daemon sees that the key it is given belongs to it
        row.server_key_sha256 = hashlib.sha256(keys.server_key).hexdigest()
        return text

    def _successor(self, old: Token, lifetime_s: int | None) -> Token:
        if lifetime_s == AS_BEFORE:
            lifetime_s = lifetime_of(old.created_at, old.exp)
        return Token(
            label=old.label,
            platform=old.platform,
            scopes=old.scopes,
            exp=expiry(self._now_s(), lifetime_s),
            limits=old.limits,
            offline=old.offline,
            strict_terminal=old.strict_terminal,
        )
