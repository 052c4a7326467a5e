"""Pages of history: sessions of terminals, and uses of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from gateway.console.reports import LoginInfo, RunInfo
from gateway.console.sessions import SessionInfo

from .context import PageContext
from .labels import login_view, run_view

LINES: Final = 50
_TID = re.compile(r"[0-9A-Za-z]{12}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{8,32}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


class HistoryPages:
    """The pages of what has been. Somebody else's is not there."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._console = context.console

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in = self._context.signed_in
        return [
            web.get("/history", signed_in(self.runs)),
            web.get("/history/logins", signed_in(self.logins)),
        ]

    async def runs(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the sessions of terminals."""
        tid, before = _asked(request, "tid", _TID), _asked(request, "before", _ID)
        found = await self._console.reports.list(me.user.id, limit=LINES, before=before, tid=tid)
        values = {
            "runs": [run_view(run) for run in found],
            "token": await self._name(me, tid),
            "older": _older(found, tid=tid),
        }
        return await self._context.page(request, "runs", values, here="/history")

    async def logins(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show who came with a token."""
        tid, before = _asked(request, "tid", _TID), _asked(request, "before", _NUMBER)
        is_refused = request.query.get("only") == "refused"
        found = await self._console.logins.list(
            me.user.id,
            limit=LINES,
            before=None if before is None else int(before),
            tid=tid,
            outcome="refused" if is_refused else None,
        )
        values = {
            "logins": [login_view(login) for login in found],
            "token": await self._name(me, tid),
            "only_refused": is_refused,
            "older": _older(found, tid=tid, only="refused" if is_refused else None),
        }
        return await self._context.page(request, "logins", values, here="/history")

    async def _name(self, me: SessionInfo, tid: str | None) -> Mapping[str, str] | None:
        if tid is None:
            return None
        token = await self._console.tokens.get(me.user.id, tid)
        return {"tid": token.tid, "name": token.name}


def _asked(request: web.Request, name: str, form: re.Pattern[str]) -> str | None:
    text = request.query.get(name, "")
    return text if form.fullmatch(text) else None


def _older(
    found: Sequence[RunInfo] | Sequence[LoginInfo], **kept: str | None
) -> Mapping[str, str] | None:
    """Return the query of the next page; ``None`` where there is none."""
    if len(found) < LINES:
        return None
    return {name: text for name, text in kept.items() if text} | {"before": str(found[-1].id)}
