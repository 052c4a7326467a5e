"""Pages of accounts: one's own, and those of others for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from gateway.console.errors import Invalid, SignInRefused, Taken, WeakPassword
from gateway.console.sessions import SessionInfo
from gateway.console.web.problem import ConsoleProblem
from gateway.console.web.request_context import VISITOR

from .context import PageContext, go, said
from .views import entry_view, session_view

_USERS_SAID: Final = {
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
        user_path = "/users/{id:[A-Za-z0-9_-]{8,32}}"
        return [
            web.get("/users", admin(self.show_all)),
            web.post("/users", admin(stepped_up("users", self.invite))),
            web.get(user_path + "/disable", admin(self.ask_disable)),
            web.post(user_path + "/disable", admin(stepped_up("users", self.disable))),
            web.post(user_path + "/enable", admin(stepped_up("users", self.enable))),
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
            "said": said(request, _USERS_SAID),
        }
        status = 422 if problems else 200
        return await self._context.page(request, "users", values, status=status, here="/users")


LOG_LINES: Final = 50
_SAID: Final = {
    "password": "Your password is changed. You are signed out everywhere else.",
    "ended": "That browser is signed out.",
}
_MUST: Final = "Please choose a new password now: somebody else may know the old one."


class AccountPages:
    """The pages of one's own account."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._console = context.console

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in = self._context.signed_in
        return [
            web.get("/account", signed_in(self.show)),
            web.post("/account/password", signed_in(self.change_password)),
            web.post(
                "/account/sessions/{sid:[A-Za-z0-9_-]{8,32}}/end", signed_in(self.end_session)
            ),
        ]

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the account."""
        return await self._show(request, me)

    async def change_password(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Change the password: the old one is asked for, so there is no further question."""
        visitor, form = request[VISITOR], request[VISITOR].form
        if form.get("password", "") != form.get("again"):
            return await self._show(request, me, {"again": "The two are not the same."})
        try:
            await self._console.users.change_password(
                me.user.id,
                form.get("current", ""),
                form.get("password", ""),
                visitor.address,
                keep_sid=me.sid,
            )
        except SignInRefused as error:
            return await self._show(request, me, {"current": str(error)})
        except WeakPassword as error:
            return await self._show(request, me, {"password": str(error)})
        secret = await self._console.sessions.rotate(visitor.secret)
        visitor.begin(secret, await self._console.sessions.get(secret))
        return go("/account", done="password")

    async def end_session(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Sign another browser out."""
        await self._console.sessions.end_one(me.user.id, request.match_info["sid"])
        return go("/account", done="ended")

    async def _show(
        self, request: web.Request, me: SessionInfo, problems: Mapping[str, str] | None = None
    ) -> web.Response:
        sessions = await self._console.sessions.list(me.user.id)
        log = await self._console.activity.list(me.user.id, limit=LOG_LINES)
        values = {
            "problems": problems or {},
            "refused": _MUST if me.user.must_change_password and not problems else "",
            "sessions": [session_view(session, me.sid) for session in sessions],
            "activity": [entry_view(entry) for entry in log],
            "said": said(request, _SAID),
        }
        status = 422 if problems else 200
        return await self._context.page(request, "account", values, status=status, here="/account")
