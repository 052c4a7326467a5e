"""Pages for administrators: people with an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from gateway.console.errors import Invalid, Taken
from gateway.console.sessions import SessionInfo
from gateway.console.web.problem import ConsoleProblem
from gateway.console.web.request_context import VISITOR

from .context import PageContext, go, said

_SAID: Final = {
    "invited": "The invitation is on its way.",
    "disabled": "The account is disabled, and everything of it stops.",
    "enabled": "The account is enabled.",
}


class UserPages:
    """The pages of users. Not even an administrator sees another's terminals."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._users = context.console.users

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        admin, stepped_up = self._context.administrator, self._context.stepped_up
        one = "/users/{id:[A-Za-z0-9_-]{8,32}}"
        return [
            web.get("/users", admin(self.show_all)),
            web.post("/users", admin(stepped_up("users", self.invite))),
            web.get(one + "/disable", admin(self.ask_disable)),
            web.post(one + "/disable", admin(stepped_up("users", self.disable))),
            web.post(one + "/enable", admin(stepped_up("users", self.enable))),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show who there is."""
        return await self._show(request)

    async def invite(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make an account and send its owner a link to choose a password."""
        form = request[VISITOR].form
        try:
            await self._context.console.invitations.invite(
                form.get("email", ""),
                form.get("name", ""),
                by=me.user,
                admin=form.get("admin") == "yes",
            )
        except (Invalid, Taken) as error:
            return await self._show(request, {"email": str(error)})
        return go("/users", done="invited")

    async def ask_disable(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will stop."""
        user = await self._users.get(request.match_info["id"])
        return await self._context.page(request, "user_disable", {"user": user}, here="/users")

    async def disable(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Disable an account, not one's own."""
        if request.match_info["id"] == me.user.id:
            raise ConsoleProblem(400, "invalid", "You cannot disable your own account.")
        await self._users.disable(request.match_info["id"])
        return go("/users", done="disabled")

    async def enable(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Enable it again."""
        await self._users.enable(request.match_info["id"])
        return go("/users", done="enabled")

    async def _show(
        self, request: web.Request, problems: Mapping[str, str] | None = None
    ) -> web.Response:
        values = {
            "users": await self._users.list(),
            "form": request[VISITOR].form,
            "problems": problems or {},
            "said": said(request, _SAID),
        }
        status = 422 if problems else 200
        return await self._context.page(request, "users", values, status=status, here="/users")
