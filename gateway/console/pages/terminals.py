"""Pages of terminals: what they do now, and the history of their sessions and tokens.

The start page has a small JSON beside it, by which open pages follow the terminals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.console.approvals import RequestView
from gateway.console.errors import ConsoleProblem
from gateway.console.reports import LoginInfo, RunInfo
from gateway.console.sessions import SessionInfo
from gateway.console.terminals import TerminalStatus, unused_key
from gateway.console.user_info import UserInfo
from gateway.console.web.request_context import session_of

from .context import PageContext, iso
from .views import (
    Chip,
    Moment,
    Sentence,
    View,
    device_view,
    followed_view,
    login_view,
    run_view,
    summary,
    version_of,
)

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


class OverviewPages:
    """Terminals and what they are doing."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/", self._context.signed_in(self.show)), web.get("/live", self.live)]

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the terminals."""
        terminals = await self._context.terminals.list(me.user.id)
        requests = await self._context.approvals.open_requests(me.user.id)
        used = await self._context.console.logins.last_used(me.user.id)
        values = {
            "terminals": [
                {**self._line(terminal, requests), "used_at": used.get(terminal.tid)}
                for terminal in sorted(terminals, key=_is_over)
            ],
            "requests": requests,
            "version": version_of(terminals, requests),
        }
        return await self._context.page(request, "overview", values, here="/")

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Tell an open page what it should show now; see ``console.js``.

        ``facts`` has a chip ``{tone, text}`` or a sentence, a list of ``{text}`` and ``{at,
        exact}``, for each name in an attribute ``data-live``; figures are a sentence with
        whether it is ``stale``, ``{stale, parts}``.
        """
        user = session_of(request).user
        # as the pages do: what an open page asks by itself must not tell more than they
        if user.must_change_password:
            raise ConsoleProblem(403, "password_change_needed", "Change your password first.")
        return web.json_response(await self._live(user))

    async def _live(self, user: UserInfo) -> Mapping[str, Any]:
        terminals = await self._context.terminals.list(user.id)
        requests = await self._context.approvals.open_requests(user.id)
        now_s = self._context.console.now_s()
        facts: dict[str, Any] = {}
        for terminal in terminals:
            view = followed_view(terminal, self._context.console.calls, now_s)
            _put(facts, terminal.key, view)
            _put_figures(facts, terminal.key, view)
        for tid in {terminal.tid for terminal in terminals}:
            same = [terminal for terminal in terminals if terminal.tid == tid]
            now = summary(same, requests)
            _put(facts, tid, now)
            _put(facts, unused_key(tid), now)  # a page of before the first contact has this line
        for device in await self._context.console.devices.list(user.id):
            _put(facts, device.did, device_view(device, {}, terminals))
        version = version_of(terminals, requests)
        return {"facts": facts, "version": version, "waiting": len(requests)}

    def _line(self, terminal: TerminalStatus, requests: Sequence[RequestView]) -> View:
        console = self._context.console
        view = followed_view(terminal, console.calls, console.now_s())
        return {**view, **summary([terminal], requests)} if terminal.state == "unused" else view


def _is_over(terminal: TerminalStatus) -> bool:
    """Sort key: what has stopped is listed last."""
    return terminal.state == "stopped"


def _put(facts: dict[str, Any], name: str, view: View) -> None:
    chip: Chip = view["chip"]
    facts[f"{name}.chip"] = {"tone": chip.tone, "text": chip.text}
    facts[f"{name}.facts"] = _parts(view["facts"])


def _put_figures(facts: dict[str, Any], name: str, view: View) -> None:
    halt: Chip = view["halt_chip"]
    facts[f"{name}.halt.chip"] = {"tone": halt.tone, "text": halt.text}
    facts[f"{name}.money"] = {"stale": view["stale"], "parts": _parts(view["money"])}


def _parts(sentence: Sentence) -> list[dict[str, Any]]:
    return [
        {"at": iso(part.at), "exact": part.exact} if isinstance(part, Moment) else {"text": part}
        for part in sentence
    ]
