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
)
from .service import Approvals

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
