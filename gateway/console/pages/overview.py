"""Start page: terminals, and the small JSON by which open pages follow them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.console.approvals import RequestView
from gateway.console.sessions import SessionInfo
from gateway.console.terminals import TerminalStatus, unused_key
from gateway.console.user_info import UserInfo
from gateway.console.web.problem import ConsoleProblem
from gateway.console.web.request_context import session_of

from .context import PageContext
from .labels import Chip, Moment, Sentence
from .render import iso
from .views import View, device_view, summary, terminal_view, version_of


class Overview:
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
        values = {
            "terminals": [
                _line(terminal, requests) for terminal in sorted(terminals, key=_is_over)
            ],
            "requests": requests,
            "version": version_of(terminals, requests),
        }
        return await self._context.page(request, "overview", values, here="/")

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Tell an open page what it should show now; see ``console.js``.

        ``facts`` has a chip ``{tone, text}`` or a sentence, a list of ``{text}`` and ``{at,
        exact}``, for each name in an attribute ``data-live``.
        """
        user = session_of(request).user
        if user.must_change_password:
            raise ConsoleProblem(403, "password_change_needed", "Change your password first.")
        return web.json_response(await self._live(user))

    async def _live(self, user: UserInfo) -> Mapping[str, Any]:
        terminals = await self._context.terminals.list(user.id)
        requests = await self._context.approvals.open_requests(user.id)
        facts: dict[str, Any] = {}
        for terminal in terminals:
            _put(facts, terminal.key, terminal_view(terminal))
        for tid in {terminal.tid for terminal in terminals}:
            same = [terminal for terminal in terminals if terminal.tid == tid]
            now = summary(same, requests)
            _put(facts, tid, now)
            _put(facts, unused_key(tid), now)  # a page of before the first contact has this line
        for device in await self._context.console.devices.list(user.id):
            _put(facts, device.did, device_view(device, {}, terminals))
        version = version_of(terminals, requests)
        return {"facts": facts, "version": version, "waiting": len(requests)}


def _line(terminal: TerminalStatus, requests: Sequence[RequestView]) -> View:
    view = terminal_view(terminal)
    return {**view, **summary([terminal], requests)} if terminal.state == "unused" else view


def _is_over(terminal: TerminalStatus) -> bool:
    """Sort key: what has stopped is listed last."""
    return terminal.state == "stopped"


def _put(facts: dict[str, Any], name: str, view: View) -> None:
    chip: Chip = view["chip"]
    facts[f"{name}.chip"] = {"tone": chip.tone, "text": chip.text}
    facts[f"{name}.facts"] = _parts(view["facts"])


def _parts(sentence: Sentence) -> list[dict[str, Any]]:
    return [
        {"at": iso(part.at), "exact": part.exact} if isinstance(part, Moment) else {"text": part}
        for part in sentence
    ]
