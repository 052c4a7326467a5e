"""First contact of a token on a machine, and the approval of that machine by a person.

For the pages (``console.approvals``; all are coroutines and take no session of the caller)::

    open_requests(user_id) -> list[RequestView]        newest first
    by_rid(user_id, rid) -> RequestView | None         the user's own, in any state
    by_link(secret) -> RequestView | None              of the mail's link; changes nothing
    approve(user_id, rid, user_code) -> RequestView    raises WrongCode(tries_left), Gone,
                                                       TooBusy
    refuse(user_id, rid) -> RequestView                raises Gone
    not_me(secret) -> RequestView                      of the mail's link, without login; Gone

Errors are :class:`gateway.console.errors.ConsoleError`. ``approve`` needs a session stepped up
within a quarter of an hour: that is the pages' part. Who refuses while logged in says no to one
request; who follows "This was not me" also suspends the token and must choose a new password.

The links of the mails, relative to the console's public URL: :data:`PAGE_REVIEW` and
:data:`PAGE_NOT_ME` with the link's secret, :data:`PAGE_REQUEST` with the request's id (shown by
the terminal, opens nothing by itself), :data:`PAGE_DEVICES`.

For daemons: ``contact``, ``prove``, ``verdict`` and ``confirm``; see :mod:`.admission`.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from gateway.console.database.model import ApprovalRequest, Token
from gateway.credentials.daemon_api import (
    ApprovalVerdict,
    Contact,
    ContactAnswer,
    OpenRequest,
    OpenRequests,
    TerminalDescription,
)

from .admission import ContactAdmission, FirstContacts, pending
from .decisions import Decisions
from .requests import (
    PAGE_DEVICES,
    PAGE_NOT_ME,
    PAGE_REQUEST,
    PAGE_REVIEW,
    ApprovalServices,
    Codes,
    RequestGone,
    RequestView,
    WrongCode,
    has_link,
    is_open,
    requests,
    views,
)


class Approvals:
    """First contacts and what becomes of them."""

    def __init__(self, services: ApprovalServices) -> None:
        self._services = services
        self._decisions = Decisions(services)
        self._contacts = FirstContacts(services, ContactAdmission(services))

    # --- for people ---------------------------------------------------------------------------

    async def open_requests(self, user_id: str) -> list[RequestView]:
        """Return the requests that wait for a user, the newest first."""
        rows = await self._views(
            ApprovalRequest.user_id == user_id, ApprovalRequest.status == "open"
        )
        return [row for row in rows if row.status == "pending"]

    async def by_rid(self, user_id: str, rid: str) -> RequestView | None:
        """Return a user's own request, in whatever state."""
        rows = await self._views(ApprovalRequest.user_id == user_id, ApprovalRequest.rid == rid)
        return rows[0] if rows else None

    async def by_link(self, secret: str) -> RequestView | None:
        """Return the request of a mail's link, in whatever state; changes nothing."""
        rows = await self._views(has_link(secret))
        return rows[0] if rows else None

    async def approve(self, user_id: str, rid: str, user_code: str) -> RequestView:
        """Approve with the code that the terminal shows; see :meth:`Decisions.approve`."""
        return await self._decisions.approve(user_id, rid, user_code)

    async def refuse(self, user_id: str, rid: str) -> RequestView:
        """Say no; see :meth:`Decisions.refuse`."""
        return await self._decisions.refuse(user_id, rid)

    async def not_me(self, secret: str) -> RequestView:
        """Follow "This was not me" of a mail; see :meth:`Decisions.not_me`."""
        return await self._decisions.not_me(secret)

    async def not_mine(self, user_id: str, rid: str) -> RequestView:
        """Take "This was not me" of the page; see :meth:`Decisions.not_mine`."""
        return await self._decisions.not_mine(user_id, rid)

    # --- for daemons --------------------------------------------------------------------------

    async def contact(self, did: str, body: Contact, ip: str) -> ContactAnswer:
        """Answer the first half of a first contact; see :meth:`FirstContacts.contact`."""
        return await self._contacts.contact(did, body, ip)

    async def contact_key(self, eid: str) -> str | None:
        """Return the public key of a contact's device; see :meth:`FirstContacts.key`."""
        return await self._contacts.key(eid)

    async def prove(self, did: str, eid: str, client_proof: str) -> ApprovalVerdict:
        """Take the second half; see :meth:`FirstContacts.prove`."""
        return await self._contacts.prove(did, eid, client_proof)

    async def open_of_device(self, did: str) -> OpenRequests:
        """Return a device's own requests that wait for a person, the newest first."""
        wanted = (
            select(ApprovalRequest)
            .join(Token, Token.tid == ApprovalRequest.tid)
            # nothing comes of one whose token has ended meanwhile
            .where(
                ApprovalRequest.did == did,
                Token.status.in_(("active", "superseded")),
                *is_open(self._services.now_s()),
            )
            .order_by(ApprovalRequest.created_at.desc())
        )
        async with self._services.db.session() as session:
            rows = (await session.scalars(wanted)).all()
        return OpenRequests(
            requests=tuple(
                OpenRequest(
                    rid=row.rid,
                    tid=row.tid,
                    terminal=TerminalDescription.model_validate_json(row.terminal),
                    expires_s=row.exp - self._services.now_s(),
                )
                for row in rows
            )
        )

    async def verdict(self, did: str, rid: str) -> ApprovalVerdict:
        """Return what has become of a device's own request.

        Raises:
            RequestGone: the device has made no such request.

        """
        rows = await self._views(ApprovalRequest.did == did, ApprovalRequest.rid == rid)
        if not rows:
            raise RequestGone
        match rows[0].status:
            case "approved":
                return ApprovalVerdict(status="approved", rid=rid)
            case "pending":
                # without the code: it was told once, and only its hash is kept
                left_s = rows[0].expires_at - self._services.now_s()
                return pending(rid, None, self._services.url(), left_s)
            case _:
                return ApprovalVerdict(status="denied", code="refused", rid=rid)

    async def confirm(self, did: str, rid: str, ecode: str) -> ApprovalVerdict:
        """Approve at the device with the mail's code; see :meth:`Decisions.confirm`."""
        await self._decisions.confirm(did, rid, ecode)
        return ApprovalVerdict(status="approved", rid=rid)

    async def _views(self, *which: ColumnElement[bool]) -> list[RequestView]:
        wanted = requests().where(*which).order_by(ApprovalRequest.created_at.desc())
        async with self._services.db.session() as session:
            return await views(session, wanted, self._services.now_s())


__all__ = [
    "PAGE_DEVICES",
    "PAGE_NOT_ME",
    "PAGE_REQUEST",
    "PAGE_REVIEW",
    "ApprovalServices",
    "Approvals",
    "Codes",
    "RequestGone",
    "RequestView",
    "WrongCode",
]
