"""Hooks and their alerts: the service, and the route ``POST /hook/<secret>``, for TradingView.

An alert is on disk, signed and with an id of its own, before any machine hears of it: posted
again it finds its row, and does nothing. It is marked as told before it is sent, so that one whose
deadline is over without that mark was certainly never carried out.

TradingView sends no header of ours, so that the address itself holds the secret. It gives up after
three seconds: an alert is written down and answered, and no machine is waited for. Errors are
``{"error": word, "message": what to do}``; the message reaches nobody but who holds the secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console.activity import ActivityLog
from gateway.console.database import Database, after_commit
from gateway.console.database.model import (
    Hook,
    HookAlert,
    Run,
    Token,
    TokenDevice,
    User,
    UserDevice,
)
from gateway.console.errors import ConsoleProblem, Invalid, NotFound, TooMany
from gateway.console.events import EventNotifier
from gateway.console.ids import new_id, new_secret, secret_hash
from gateway.console.records import is_live
from gateway.console.signing import ISSUER, Signing
from gateway.console.tokens import checked_name
from gateway.console.user_info import locked_user
from gateway.console.web.request_context import read_body
from gateway.credentials.alert import AlertOrder
from gateway.credentials.daemon_api import AlertOutcome
from gateway.credentials.record import AUDIENCE, IMPLIED, Scope
from gateway.http.rate_limit import RateLimiter

from .hook_template import AlertDraft, BadAlert, HookTemplate, read_alert

TRADINGVIEW: Final = frozenset({"52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7"})
"""Addresses from which TradingView says that it posts (support article 43000529348)."""
MAX_HOOKS: Final = 50
"""Of a user."""
LISTED: Final = 100
BURST: Final = 15
PER_S: Final = 15 / 180
"""Alerts of one hook: as many as TradingView itself lets through, 15 in three minutes."""
KEEP_S: Final = 90 * 86_400
"""Longer than an alert's bar may be old: what is forgotten cannot be told again."""
MAX_PUSHED: Final = 500
_UNKNOWN: Final = "There is no such hook."


@dataclass(frozen=True)
class HookInfo:
    """A hook, as its owner may see it."""

    id: str
    name: str
    tid: str
    token: str
    """The token's name."""
    is_token_live: bool
    is_on: bool
    template: HookTemplate
    created_at: int


@dataclass(frozen=True)
class AlertInfo:
    """An alert and what became of it."""

    hook_id: str
    hook: str
    """The hook's name."""
    at: int
    exp: int | None
    status: str
    words: str
    error: str
    message: str
    ticket: int
    volume: str
    price: str
    repeats: int
    ended_at: int | None


class AlertRefused(Exception):
    """Refusal of a post.

    Args:
        status: of HTTP.
        word: stable, for programs.
        message: what to do.

    """

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word
        self.message = message


@dataclass(frozen=True)
class _Target:
    """A hook with what its alerts are for."""

    hook: Hook
    token: Token
    user: User

    @property
    def template(self) -> HookTemplate:
        return HookTemplate.model_validate_json(self.hook.template)


@dataclass(frozen=True)
class PendingAlert:
    """An alert that a machine is to be told."""

    envelope: str
    again: bool


def may_trade(token: Token) -> bool:
    """Whether a token has the scope that alerts need."""
    return any(Scope.TRADE in IMPLIED[Scope(name)] for name in json.loads(token.scopes))


class Hooks:
    """Hooks of users, the alerts that come in by them, and what becomes of those.

    Args:
        db: keeps them.
        signing: signs what machines are told.
        waking: wakes the streams of machines.
        activity: the log.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        signing: Signing,
        waking: EventNotifier,
        activity: ActivityLog,
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._signing = signing
        self._waking = waking
        self._activity = activity
        self._now_s = now_s
        self._pace = RateLimiter(BURST, PER_S)

    # --- hooks -------------------------------------------------------------------------------

    async def create(
        self, user_id: str, name: str, tid: str, template: HookTemplate
    ) -> tuple[str, HookInfo]:
        """Make a hook.

        Returns:
            The secret of its address, which nobody can find out again, and what is known of it.

        Raises:
            Invalid: the token may not trade, or not any more.
            NotFound: the user has no such token.
            TooMany: the user has :data:`MAX_HOOKS`.

        """
        secret = new_secret()
        async with self._db.begin() as session:
            user = await locked_user(session, user_id)
            token = await self._token(session, user, tid)
            mine = select(func.count()).select_from(Hook).where(Hook.user_id == user_id)
            if (await session.scalar(mine) or 0) >= MAX_HOOKS:
                raise TooMany(f"You have {MAX_HOOKS} hooks: delete one first.")
            hook = Hook(
                id=new_id(),
                user_id=user_id,
                tid=tid,
                name=checked_name(name),
                secret_hash=secret_hash(secret),
                is_on=True,
                template=template.model_dump_json(),
                created_at=self._now_s(),
            )
            session.add(hook)
            self._note(session, "hook.created", hook)
            await session.flush()
            return secret, self._info(hook, token, user)

    async def change(
        self, user_id: str, hook_id: str, name: str, tid: str, template: HookTemplate
    ) -> HookInfo:
        """Change a hook; its address stays. Alerts that came in before keep what they were told.

        Raises:
            NotFound: the user has no such hook or token.
            Invalid: the token may not trade, or not any more.

        """
        async with self._db.begin() as session:
            user = await locked_user(session, user_id)
            hook = await self._mine(session, user_id, hook_id)
            token = await self._token(session, user, tid)
            hook.name, hook.tid = checked_name(name), tid
            hook.template = template.model_dump_json()
            self._note(session, "hook.changed", hook)
            return self._info(hook, token, user)

    async def switch(self, user_id: str, hook_id: str, *, on: bool) -> None:
        """Switch a hook on or off; off it refuses its alerts, and those that wait are dropped.

        Raises:
            NotFound: the user has no such hook.

        """
        async with self._db.begin() as session:
            await locked_user(session, user_id)
            hook = await self._mine(session, user_id, hook_id)
            if hook.is_on != on:
                hook.is_on = on
                self._note(session, "hook.on" if on else "hook.off", hook)
            if not on:
                waiting = (HookAlert.hook_id == hook_id, HookAlert.status == "waiting")
                await session.execute(
                    update(HookAlert)
                    .where(*waiting)
                    .values(status="refused", error="hook_off", ended_at=self._now_s())
                )

    async def delete(self, user_id: str, hook_id: str) -> None:
        """Delete a hook and its alerts.

        Raises:
            NotFound: the user has no such hook.

        """
        async with self._db.begin() as session:
            await locked_user(session, user_id)
            hook = await self._mine(session, user_id, hook_id)
            self._note(session, "hook.deleted", hook)
            await session.execute(delete(HookAlert).where(HookAlert.hook_id == hook_id))
            await session.delete(hook)

    async def list(self, user_id: str) -> Sequence[HookInfo]:
        """Return a user's hooks, by name."""
        wanted = (
            select(Hook, Token, User)
            .join(Token, Token.tid == Hook.tid)
            .join(User, User.id == Hook.user_id)
            .where(Hook.user_id == user_id)
            .order_by(Hook.name, Hook.id)
        )
        async with self._db.session() as session:
            return [self._info(*row) for row in (await session.execute(wanted))]

    async def get(self, user_id: str, hook_id: str) -> HookInfo:
        """Return a hook.

        Raises:
            NotFound: the user has no such hook.

        """
        found = [hook for hook in await self.list(user_id) if hook.id == hook_id]
        if not found:
            raise NotFound(_UNKNOWN)
        return found[0]

    async def alerts(self, user_id: str, hook_id: str | None = None) -> Sequence[AlertInfo]:
        """Return the newest alerts of a user, of one hook or of all."""
        wanted = (
            select(HookAlert, Hook.name)
            .join(Hook, Hook.id == HookAlert.hook_id)
            .where(Hook.user_id == user_id)
            .order_by(HookAlert.id.desc())
            .limit(LISTED)
        )
        if hook_id is not None:
            wanted = wanted.where(HookAlert.hook_id == hook_id)
        async with self._db.session() as session:
            rows = (await session.execute(wanted)).all()
        return [self._alert(row, name) for row, name in rows]

    # --- alerts that come in -----------------------------------------------------------------

    async def receive(self, secret: str, body: bytes, address: str) -> tuple[str, bool]:
        """Take an alert in; nothing waits for a machine here.

        Args:
            secret: of the hook's address.
            body: the message.
            address: of who posts it; empty where nobody trustworthy says it.

        Returns:
            The alert's id, and whether it is new.

        Raises:
            NotFound: there is no such hook.
            TooMany: it gets more than it may.
            AlertRefused: nothing will come of this post.

        """
        target = await self._target(secret)
        if target is None:
            raise NotFound(_UNKNOWN)
        hook = target.hook
        if not self._pace.allows(hook.id):
            raise TooMany("This hook takes 15 alerts in three minutes.", wait_s=12)
        words = ""
        try:
            self._admit(target, address)
            draft = self._read(target, body)
            words = draft.words
            return draft.aid(hook.id), await self._hand_on(target, draft)
        except AlertRefused as refused:
            await self._note_refused(hook, words, refused)
            raise

    def _admit(self, target: _Target, address: str) -> None:
        if not target.hook.is_on:
            raise AlertRefused(403, "hook_off", "This hook is switched off.")
        if target.template.tradingview_only and address not in TRADINGVIEW:
            seen = address or "an address that the console cannot see"
            raise AlertRefused(403, "wrong_address", f"It came from {seen}, not TradingView.")
        if not is_live(target.token, target.user, self._now_s()):
            raise AlertRefused(403, "token_ended", "The hook's token does not work any more.")

    def _read(self, target: _Target, body: bytes) -> AlertDraft:
        try:
            return read_alert(target.template, body, self._now_s())
        except BadAlert as bad:
            raise AlertRefused(422, "bad_alert", str(bad)) from None

    async def _hand_on(self, target: _Target, draft: AlertDraft) -> bool:
        """Write an alert down and wake its machine; ``False`` if it came before."""
        aid = draft.aid(target.hook.id)
        try:
            async with self._db.begin() as session:
                if await session.scalar(select(HookAlert.id).where(HookAlert.aid == aid)):
                    await self._repeat(session, aid)
                    return False
                # once more, and locked: who has switched it off meanwhile wants no alert after it
                hook = await session.get(Hook, target.hook.id, with_for_update=True)
                if hook is None or not hook.is_on:
                    raise AlertRefused(403, "hook_off", "This hook is switched off.")
                run = await self._run(session, target)
                session.add(await self._row(session, target, draft, run))
                # the table's key decides: of two posts at once one is written
                await session.flush()
                await self._waking.announce(session, [run.did])
                after_commit(session, lambda: self._waking.wake([run.did]))
                return True
        except IntegrityError:
            async with self._db.begin() as session:
                await self._repeat(session, aid)
            return False

    async def _repeat(self, session: AsyncSession, aid: str) -> None:
        counted = update(HookAlert).where(HookAlert.aid == aid)
        await session.execute(counted.values(repeats=HookAlert.repeats + 1))

    async def _run(self, session: AsyncSession, target: _Target) -> Run:
        """Return the newest session of the token's terminal, on a machine that may use it."""
        wanted = (
            select(Run)
            .join(TokenDevice, (TokenDevice.tid == Run.tid) & (TokenDevice.did == Run.did))
            .join(
                UserDevice,
                (UserDevice.did == Run.did) & (UserDevice.user_id == target.token.user_id),
            )
            .where(
                Run.tid == target.token.tid,
                Run.state != "pending",
                TokenDevice.status == "approved",
                UserDevice.status == "approved",
            )
            # one that is online goes before one that was: the token may have moved
            .order_by((Run.state == "online").desc(), Run.reported_at.desc(), Run.id.desc())
            .limit(1)
        )
        run = (await session.scalars(wanted)).first()
        if run is None:
            raise AlertRefused(
                409, "no_terminal", "No terminal works with the hook's token on any machine."
            )
        return run

    async def _row(
        self, session: AsyncSession, target: _Target, draft: AlertDraft, run: Run
    ) -> HookAlert:
        now_s, template, aid = self._now_s(), target.template, draft.aid(target.hook.id)
        order = AlertOrder(
            v=1,
            iss=ISSUER,
            aud=AUDIENCE,
            did=run.did,
            tid=target.token.tid,
            aid=aid,
            login=run.login,
            server=run.server,
            symbol=draft.symbol,
            side=draft.side,
            volume=draft.volume,
            risk_pct=draft.risk_pct,
            sl=draft.sl,
            sl_pct=draft.sl_pct,
            tp=draft.tp,
            tp_pct=draft.tp_pct,
            dry_run=template.dry_run,
            iat=now_s,
            exp=now_s + template.deadline_s,
        )
        signer = await self._signing.signer(session)
        return HookAlert(
            hook_id=target.hook.id,
            aid=aid,
            at=now_s,
            exp=order.exp,
            did=run.did,
            status="waiting",
            words=draft.words,
            envelope=signer.sign("alert", order.model_dump(mode="json")),
        )

    async def _note_refused(self, hook: Hook, words: str, refused: AlertRefused) -> None:
        now_s = self._now_s()
        async with self._db.begin() as session:
            # it may have been deleted since it was looked up
            if await session.get(Hook, hook.id) is None:
                return
            session.add(
                HookAlert(
                    hook_id=hook.id,
                    at=now_s,
                    status="refused",
                    words=words,
                    error=refused.word,
                    message=refused.message[:200],
                    envelope="",
                    ended_at=now_s,
                )
            )

    # --- machines ----------------------------------------------------------------------------

    async def pending(self, did: str, *, retell_s: int = 0) -> Sequence[PendingAlert]:
        """Return the alerts that a machine is to be told, and mark them as told.

        Args:
            did: of the machine.
            retell_s: tell those of so many seconds again of which it has not said what became.

        """
        now_s = self._now_s()
        retold = HookAlert.status.in_(("told", "unknown")) & (HookAlert.at > now_s - retell_s)
        wanted = (
            select(HookAlert)
            .where(HookAlert.did == did, (HookAlert.status == "waiting") | retold)
            .order_by(HookAlert.id)
            .limit(MAX_PUSHED)
        )
        async with self._db.session() as session:
            # looked at first without a lock: streams ask often, and mostly there is nothing
            if (await session.scalars(wanted.limit(1))).first() is None:
                return []
        async with self._db.begin() as session:
            rows = (await session.scalars(wanted.with_for_update())).all()
            return [told for row in rows if (told := self._told(row, now_s)) is not None]

    def _told(self, row: HookAlert, now_s: int) -> PendingAlert | None:
        is_new = row.status == "waiting"
        if is_new and now_s >= (row.exp or 0):
            row.status, row.ended_at = "late", now_s
            return None
        if is_new:
            # before it is sent: without this mark it was certainly carried out nowhere
            row.status = "told"
        return PendingAlert(row.envelope, not is_new)

    async def settle(self, did: str, outcome: AlertOutcome) -> None:
        """Note what a machine says that became of an alert."""
        async with self._db.begin() as session:
            await session.execute(
                update(HookAlert)
                .where(
                    HookAlert.aid == outcome.aid,
                    HookAlert.did == did,
                    # the first word counts, but that nobody knows
                    HookAlert.status.in_(("told", "unknown")),
                )
                .values(
                    status=outcome.outcome,
                    error=outcome.error,
                    message=outcome.message,
                    ticket=outcome.ticket,
                    volume=outcome.volume,
                    price=outcome.price,
                    ended_at=self._now_s(),
                )
            )

    async def cleanup(self, session: AsyncSession) -> None:
        """Forget alerts of long ago."""
        await session.execute(delete(HookAlert).where(HookAlert.at < self._now_s() - KEEP_S))

    # --- within a transaction ----------------------------------------------------------------

    async def _target(self, secret: str) -> _Target | None:
        wanted = (
            select(Hook, Token, User)
            .join(Token, Token.tid == Hook.tid)
            .join(User, User.id == Hook.user_id)
            # by its hash alone: the time that a look-up takes tells nothing of the secret
            .where(Hook.secret_hash == secret_hash(secret))
        )
        async with self._db.session() as session:
            row = (await session.execute(wanted)).first()
        return None if row is None else _Target(*row)

    async def _mine(self, session: AsyncSession, user_id: str, hook_id: str) -> Hook:
        wanted = select(Hook).where(Hook.id == hook_id, Hook.user_id == user_id)
        hook = (await session.scalars(wanted.with_for_update())).one_or_none()
        if hook is None:
            raise NotFound(_UNKNOWN)
        return hook

    async def _token(self, session: AsyncSession, user: User, tid: str) -> Token:
        token = await session.get(Token, tid)
        if token is None or token.user_id != user.id:
            raise NotFound("There is no such token.")
        if not may_trade(token) or not is_live(token, user, self._now_s()):
            raise Invalid("Choose a token that works and may trade.")
        return token

    def _note(self, session: AsyncSession, event: str, hook: Hook) -> None:
        self._activity.note(session, event, user_id=hook.user_id, tid=hook.tid, detail=hook.name)

    def _info(self, hook: Hook, token: Token, user: User) -> HookInfo:
        return HookInfo(
            id=hook.id,
            name=hook.name,
            tid=hook.tid,
            token=token.label,
            is_token_live=is_live(token, user, self._now_s()),
            is_on=hook.is_on,
            template=HookTemplate.model_validate_json(hook.template),
            created_at=hook.created_at,
        )

    def _alert(self, row: HookAlert, name: str) -> AlertInfo:
        status, ended_at = row.status, row.ended_at
        # told, not stored: no job has to run at the second in which a deadline is over
        if status == "waiting" and row.exp is not None and self._now_s() >= row.exp:
            status, ended_at = "late", row.exp
        return AlertInfo(
            hook_id=row.hook_id,
            hook=name,
            at=row.at,
            exp=row.exp,
            status=status,
            words=row.words,
            error=row.error,
            message=row.message,
            ticket=row.ticket,
            volume=row.volume,
            price=row.price,
            repeats=row.repeats,
            ended_at=ended_at,
        )


MAX_ALERT_BYTES: Final = 16_384
BURST_OF_STRANGERS: Final = 30
STRANGERS_PER_S: Final = 0.5
"""Posts of one address that name no hook."""


def hook_routes(hooks: Hooks, address: Callable[[web.BaseRequest], str]) -> list[web.RouteDef]:
    """Return the route.

    Args:
        hooks: that take alerts.
        address: of who posts; empty where nobody trustworthy says it.

    """
    strangers = RateLimiter(BURST_OF_STRANGERS, STRANGERS_PER_S)

    async def post(request: web.Request) -> web.Response:
        sender, body = address(request), await read_body(request, MAX_ALERT_BYTES)
        try:
            aid, is_new = await hooks.receive(request.match_info["secret"], body, sender)
        except NotFound:
            # counted after the look-up: who guesses must not shut out the hooks behind his proxy
            if not strangers.allows(sender):
                raise ConsoleProblem(
                    429, "too_many", "Wait a moment.", headers={"Retry-After": "2"}
                ) from None
            raise
        except AlertRefused as refused:
            raise ConsoleProblem(refused.status, refused.word, refused.message) from None
        said = {"status": "accepted" if is_new else "repeated", "id": aid}
        return web.json_response(said, status=202 if is_new else 200)

    return [web.post("/hook/{secret:[A-Za-z0-9_-]{43}}", post)]
