"""Decisions about requests: on the page, at the terminal, or by "This was not me".

A try is counted, and that is on disk, before the code is looked at: a hundred tries at once are
five. Of several decisions at once one counts; the others find the request gone.

A machine is approved for all of a user's terminals: those that wait on it too are let in with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console.database.model import ApprovalRequest, Token, TokenDevice, User
from gateway.console.ids import new_secret
from gateway.console.mail import templates
from gateway.console.sessions import end_sessions
from gateway.console.user_info import locked_user
from gateway.credentials.daemon_api import TerminalDescription

from .requests import (
    PAGE_DEVICES,
    PAGE_NOT_ME,
    ApprovalServices,
    RequestGone,
    RequestView,
    WrongCode,
    has_link,
    hint,
    is_open,
    letter_facts,
    link_hash,
    other_devices,
    requests,
    token_refusal,
    views,
)

NOT_ME_S = 86_400
"""For so long after a request "This was not me" works, whatever became of the request."""
PAGE_RESET = "/forgot"

Way = Literal["link", "code"]


class Decisions:
    """Decisions of people about requests, carried out."""

    def __init__(self, services: ApprovalServices) -> None:
        self._services = services

    async def approve(self, user_id: str, rid: str, user_code: str) -> RequestView:
        """Approve on the page, with the code that the terminal shows.

        Raises:
            WrongCode: it is another one; the try is counted.
            RequestGone: there is no such request of this user, or not any more.
            TooBusy: too much is being hashed; the try is counted.

        """
        mine = (ApprovalRequest.rid == rid) & (ApprovalRequest.user_id == user_id)
        row = await self._count_try(mine)
        return await self._try(row, row.user_code_hash, user_code, "link")

    async def confirm(self, did: str, rid: str, ecode: str) -> RequestView:
        """Approve at the device, with the code of the mail; errors as of :meth:`approve`."""
        mine = (ApprovalRequest.rid == rid) & (ApprovalRequest.did == did)
        row = await self._count_try(mine)
        return await self._try(row, row.ecode_hash, ecode, "code")

    async def refuse(self, user_id: str, rid: str) -> RequestView:
        """Refuse on the page.

        Raises:
            RequestGone: there is no such open request of this user.

        """
        async with self._services.db.begin() as session:
            await locked_user(session, user_id)
            mine = (ApprovalRequest.rid == rid) & (ApprovalRequest.user_id == user_id)
            row = await self._decide(session, mine, "refused", "page")
            self._note(session, "device.refused", row)
            return await self._view(session, row.rid)

    async def not_me(self, secret: str) -> RequestView:
        """Say "This was not me" with the link of the mail, without login; works once.

        Whoever asked has the token: it is suspended, the machine revoked if it was approved
        through this request or a newer one, and the user has to choose a new password.

        Raises:
            RequestGone: there is no such link, or it was used, or a day has passed.

        """
        return await self._not_me(has_link(secret))

    async def not_mine(self, user_id: str, rid: str) -> RequestView:
        """Say "This was not me" on the page, as the request's user.

        Raises:
            RequestGone: there is no such request of this user, or that was said of it already,
                or a day has passed.

        """
        return await self._not_me(
            (ApprovalRequest.rid == rid) & (ApprovalRequest.user_id == user_id)
        )

    async def _not_me(self, which: ColumnElement[bool]) -> RequestView:
        services, is_revoked = self._services, False
        async with services.db.session() as session:
            row = await self._find(session, which)
        # revoking is a transaction of its own, and an approval may come in between: look again
        while (view := await self._take_back(which, row.user_id, is_revoked)) is None:
            await services.devices.revoke(row.user_id, row.did)
            is_revoked = True
        return view

    async def _take_back(
        self, which: ColumnElement[bool], user_id: str, is_revoked: bool
    ) -> RequestView | None:
        """Refuse for good; ``None`` if the machine was approved and has to be revoked before."""
        services = self._services
        async with services.db.begin() as session:
            user = await locked_user(session, user_id)
            row = await self._find(session, which, lock=True)
            if not is_revoked and await self._led_to_approval(session, row):
                return None
            row.status, row.decided_at, row.decided_by = "refused", services.now_s(), "not_me"
            # who has the token may have made it here, and so know the password, or be signed in
            user.must_change_password = True
            await end_sessions(session, user_id)
            await self._suspend(session, user, row)
            self._note(session, "device.not_me", row)
            return await self._view(session, row.rid)

    async def _led_to_approval(self, session: AsyncSession, row: ApprovalRequest) -> bool:
        """Whether this question was answered with yes, or a newer one of the same machine."""
        same = (ApprovalRequest.user_id == row.user_id) & (ApprovalRequest.did == row.did)
        approved = select(ApprovalRequest.rid).where(
            same,
            ApprovalRequest.status == "approved",
            # a newer one too: the thief may have asked again, and been let in, after this question
            ApprovalRequest.created_at >= row.created_at,
        )
        return await session.scalar(approved.limit(1)) is not None

    # --- one try -----------------------------------------------------------------------------

    async def _count_try(self, mine: ColumnElement[bool]) -> ApprovalRequest:
        counted = (
            update(ApprovalRequest)
            .where(mine, *is_open(self._services.now_s()))
            .values(tries_left=ApprovalRequest.tries_left - 1)
        )
        # on disk before the code is looked at: a hundred tries at once are five, not a hundred
        async with self._services.db.begin() as session:
            row = (await session.scalars(counted.returning(ApprovalRequest))).one_or_none()
        if row is None:
            raise RequestGone
        return row

    async def _try(self, row: ApprovalRequest, stored: str, code: str, way: Way) -> RequestView:
        # outside of any transaction: hashing is slow, and SQLite has one writer
        if not await self._services.codes.fits(stored, row.rid, code):
            await self._miss(row, way)
            raise WrongCode(row.tries_left)
        async with self._services.db.begin() as session:
            return await self._approve(session, row, way)

    async def _miss(self, row: ApprovalRequest, way: Way) -> None:
        async with self._services.db.begin() as session:
            self._note(session, "device.wrong_code", row, detail=way)
            # another decision may have come first: only an open request dies of its tries
            if row.tries_left == 0:
                this = ApprovalRequest.rid == row.rid
                await session.execute(
                    update(ApprovalRequest)
                    .where(this, ApprovalRequest.status == "open")
                    .values(status="dead", decided_at=self._services.now_s(), decided_by="tries")
                )

    async def _approve(
        self, session: AsyncSession, asked: ApprovalRequest, way: Way
    ) -> RequestView:
        services = self._services
        # the user before requests, requests before tokens: all who lock several keep to this
        # order
        user = await locked_user(session, asked.user_id)
        row = await self._decide(session, ApprovalRequest.rid == asked.rid, "approved", way)
        # a person approves a machine, not a terminal: the others on it need no code of their own
        waiting = await self._waiting(session, row)
        tokens = await self._tokens(session, [row, *waiting])
        token = tokens[row.tid]
        # while the code was hashed the token may have been revoked, or the device
        await self._check_still(session, user, token, row)
        terminal = TerminalDescription.model_validate_json(row.terminal)
        await services.devices.approve(session, token, row.did, terminal_fp=terminal.fp, by=way)
        # the mail of the approval has a link of its own: only hashes of links are kept
        revoke = new_secret()
        row.revoke_hash = link_hash(revoke)
        view = await self._view(session, row.rid)
        # told even so: who has stolen mail and code is found by the owner who did not approve
        await self._notify_approved(session, user, view, revoke)
        for other in waiting:
            await self._let_in(session, user, tokens[other.tid], other)
        return view

    async def _waiting(
        self, session: AsyncSession, row: ApprovalRequest
    ) -> Sequence[ApprovalRequest]:
        """Return the user's other open requests of the same machine, locked."""
        same = (ApprovalRequest.user_id == row.user_id) & (ApprovalRequest.did == row.did)
        wanted = select(ApprovalRequest).where(same, *is_open(self._services.now_s()))
        wanted = wanted.order_by(ApprovalRequest.tid).with_for_update()
        found = await session.scalars(wanted.execution_options(populate_existing=True))
        return found.all()

    async def _tokens(
        self, session: AsyncSession, rows: Sequence[ApprovalRequest]
    ) -> dict[str, Token]:
        """Return the tokens of requests, locked in the order that all keep to."""
        wanted = select(Token).where(Token.tid.in_([row.tid for row in rows]))
        wanted = wanted.order_by(Token.tid).with_for_update()
        found = await session.scalars(wanted.execution_options(populate_existing=True))
        return {token.tid: token for token in found}

    async def _let_in(
        self, session: AsyncSession, user: User, token: Token, row: ApprovalRequest
    ) -> None:
        """Answer a request as its terminal would be if it dialled in on a known machine.

        It goes on waiting if its user has to be asked in any case; see :mod:`.admission`.
        """
        services, now_s = self._services, self._services.now_s()
        bound = await session.get(TokenDevice, (row.tid, row.did))
        if (
            token_refusal(user, token, now_s) is not None
            or (bound is not None and bound.status == "approved")
            or await other_devices(session, row.tid, row.did)
        ):
            return
        row.status, row.decided_at, row.decided_by = "approved", now_s, "known"
        terminal = TerminalDescription.model_validate_json(row.terminal)
        await services.devices.approve(
            session, token, row.did, terminal_fp=terminal.fp, by="known"
        )
        facts = letter_facts(await self._view(session, row.rid))
        letter = templates.terminal_moved(facts, at_s=now_s, devices=services.url() + PAGE_DEVICES)
        await services.send(session, letter, user, row.tid, about=row.eid)

    async def _check_still(
        self, session: AsyncSession, user: User, token: Token, row: ApprovalRequest
    ) -> None:
        status = await self._services.devices.status(session, user.id, row.did)
        # the exception rolls back the decision, too: the request stays open
        if status == "revoked" or token_refusal(user, token, self._services.now_s()) is not None:
            raise RequestGone

    async def _decide(
        self, session: AsyncSession, which: ColumnElement[bool], status: str, by: str
    ) -> ApprovalRequest:
        """Decide an open request; the last of its tries may be the right one."""
        open_ = (ApprovalRequest.status == "open") & (ApprovalRequest.exp > self._services.now_s())
        decided = (
            update(ApprovalRequest)
            .where(which, open_)
            .values(status=status, decided_at=self._services.now_s(), decided_by=by)
        )
        row = (
            await session.scalars(
                decided.returning(ApprovalRequest),
                execution_options={"populate_existing": True},
            )
        ).one_or_none()
        if row is None:
            raise RequestGone
        return row

    # --- what follows ------------------------------------------------------------------------

    async def _notify_approved(
        self, session: AsyncSession, user: User, view: RequestView, revoke: str
    ) -> None:
        services, url = self._services, self._services.url()
        letter = templates.device_approved(
            letter_facts(view),
            at_s=services.now_s(),
            devices=url + PAGE_DEVICES,
            not_me=url + PAGE_NOT_ME.format(secret=revoke),
        )
        await services.send(session, letter, user, view.tid, about=view.rid)

    async def _find(
        self, session: AsyncSession, which: ColumnElement[bool], *, lock: bool = False
    ) -> ApprovalRequest:
        found = select(ApprovalRequest).where(
            which,
            ApprovalRequest.created_at > self._services.now_s() - NOT_ME_S,
            # said once it is said: a second click must not suspend a token that was resumed since
            ApprovalRequest.decided_by != "not_me",
        )
        if lock:
            found = found.with_for_update()
        found = found.execution_options(populate_existing=True)
        row = (await session.scalars(found)).one_or_none()
        if row is None:
            raise RequestGone
        return row

    async def _suspend(self, session: AsyncSession, user: User, row: ApprovalRequest) -> None:
        services = self._services
        token = await session.get_one(Token, row.tid, with_for_update=True)
        await services.tokens.suspend_in(session, token)
        letter = templates.token_suspended(
            token.label, hint(row.tid), reset=services.url() + PAGE_RESET
        )
        await services.send(session, letter, user, row.tid, about=row.rid)

    async def _view(self, session: AsyncSession, rid: str) -> RequestView:
        await session.flush()
        wanted = requests().where(ApprovalRequest.rid == rid)
        [view] = await views(session, wanted, self._services.now_s())
        return view

    def _note(
        self, session: AsyncSession, event: str, row: ApprovalRequest, *, detail: str = ""
    ) -> None:
        self._services.activity.note(
            session,
            event,
            user_id=row.user_id,
            outcome="failed" if event == "device.wrong_code" else "ok",
            tid=row.tid,
            did=row.did,
            ip=row.ip,
            detail=detail,
        )
