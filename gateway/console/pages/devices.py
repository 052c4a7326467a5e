"""Pages of machines: their requests for approval, the list of those approved, the end of one."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from aiohttp import web

from gateway.console.approvals import RequestGone, RequestView, WrongCode
from gateway.console.errors import not_found
from gateway.console.sessions import SessionInfo
from gateway.console.web.request_context import VISITOR

from .context import PageContext, go, said
from .views import View, device_view, version_of

_DEVICES_SAID: Final = {
    "revoked": "The machine is revoked. Beside it you see when it has stopped.",
    "forgotten": "The machine may ask for your approval again. Its terminals do within two "
    "minutes, or at once when the EA is started anew.",
    "resumed": "The machine may be used again, in both places.",
}


class DevicePages:
    """The pages of machines."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._devices = context.console.devices

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in, stepped_up = self._context.signed_in, self._context.stepped_up
        device_path = "/devices/{did:[a-z2-7]{52}}"
        return [
            web.get("/devices", signed_in(self.show_all)),
            web.get(device_path + "/revoke", signed_in(self.ask_revoke)),
            web.post(device_path + "/revoke", signed_in(self.revoke)),
            web.post(device_path + "/forget", signed_in(stepped_up("approve", self.forget))),
            web.post(device_path + "/resume", signed_in(stepped_up("approve", self.resume))),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the machines."""
        terminals = await self._context.terminals.list(me.user.id)
        requests = await self._context.approvals.open_requests(me.user.id)
        values = {
            "devices": await self._views(me),
            "version": version_of(terminals, requests),
            "copied": await self._context.console.clones.suspended(me.user.id),
            "said": said(request, _DEVICES_SAID),
        }
        return await self._context.page(request, "devices", values, here="/devices")

    async def ask_revoke(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will stop."""
        device = await self._devices.get(me.user.id, request.match_info["did"])
        view = next(view for view in await self._views(me) if view["did"] == device.did)
        return await self._context.page(
            request, "device_revoke", {"device": view}, here="/devices"
        )

    async def revoke(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Stop the machine. No password is asked for: ending must be quick."""
        await self._devices.revoke(me.user.id, request.match_info["did"])
        return go("/devices", done="revoked")

    async def forget(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Let a revoked machine ask again."""
        await self._devices.forget(me.user.id, request.match_info["did"])
        return go("/devices", done="forgotten")

    async def resume(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Believe that a machine which answers from two places is the user's in both."""
        await self._context.console.clones.resume(me.user.id, request.match_info["did"])
        return go("/devices", done="resumed")

    async def _views(self, me: SessionInfo) -> list[View]:
        tokens = await self._context.console.tokens.list(me.user.id)
        names = {
            token.tid: token.name for token in tokens if token.is_live and not token.replaced_by
        }
        terminals = await self._context.terminals.list(me.user.id)
        devices = await self._devices.list(me.user.id)
        return [
            device_view(device, names, terminals)
            for device in devices
            if device.status in ("approved", "revoked")
        ]


_DECIDED: Final = {
    "approved": (
        "Approved",
        "{device} may use your token for {token}. The terminal connects by itself in a moment.",
    ),
    "refused": (
        "Refused",
        "{device} gets nothing. If you did not start this, somebody else has the token for "
        "{token}: revoke it.",
    ),
    "expired": (
        "Too late",
        "The request of {device} was open for ten minutes. Start again at the terminal: attach "
        "the EA anew, and a new request comes.",
    ),
    "dead": (
        "This request is closed",
        "There were too many wrong codes for {device}, or a newer request has taken its place. "
        "Look under Approvals, or start again at the terminal.",
    ),
}
_GONE: Final = (
    "This link is over",
    "The request was answered already, or its ten minutes have passed. Look under Approvals.",
)
_FOREIGN: Final = (
    "Another account",
    "This link came to another account's mail. Sign out, and sign in as its owner.",
)


class ApprovalPages:
    """The pages of approvals. To open a link changes nothing; only a form does."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._approvals = context.approvals

    def routes(self) -> list[web.RouteDef]:
        """Return the routes; those of mails are named by :mod:`gateway.console.approvals`."""
        signed_in, stepped_up = self._context.signed_in, self._context.stepped_up
        link, request_path = (
            "{secret:[A-Za-z0-9_-]{16,128}}",
            "/requests/{rid:[A-Za-z0-9_-]{16,64}}",
        )
        return [
            web.get("/approve", signed_in(self.show_all)),
            web.get("/approve/" + link, signed_in(self.follow)),
            web.get(request_path, signed_in(self.show)),
            web.post(
                request_path,
                signed_in(stepped_up("approve", self.approve, self._check_code)),
            ),
            web.post(request_path + "/refuse", signed_in(self.refuse)),
            web.get(request_path + "/not-me", signed_in(self.ask_not_mine)),
            web.post(request_path + "/not-me", signed_in(self.not_mine)),
            web.get("/not-me/" + link, self.ask_not_me),
            web.post("/not-me/" + link, self.not_me),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show who asks."""
        requests = await self._approvals.open_requests(me.user.id)
        terminals = await self._context.terminals.list(me.user.id)
        values = {"requests": requests, "version": version_of(terminals, requests)}
        return await self._context.page(request, "approvals", values, here="/approve")

    async def follow(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Go on from the mail's link to the request, whose address is no secret."""
        found = await self._approvals.by_link(request.match_info["secret"])
        if found is None:
            return await self._closed(request, None, _GONE, 410)
        if found.user_id != me.user.id:
            return await self._closed(request, None, _FOREIGN, 403)
        return go(f"/requests/{found.rid}")

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show who asks, and the two answers."""
        return await self._show(request, await self._mine(request, me))

    async def approve(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say yes, with the code that the terminal shows."""
        found = await self._mine(request, me)
        code = request[VISITOR].form.get("user_code", "")
        try:
            await self._approvals.approve(me.user.id, found.rid, code)
        except WrongCode as error:
            return await self._show(request, await self._mine(request, me), str(error))
        except RequestGone:
            pass  # the page of the request says what has become of it
        return go(f"/requests/{found.rid}")

    async def _check_code(
        self, request: web.Request, me: SessionInfo
    ) -> web.StreamResponse | None:
        if request[VISITOR].form.get("user_code", "").strip():
            return None
        found = await self._mine(request, me)
        return await self._show(request, found, "Type the code that the terminal shows.")

    async def refuse(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say no."""
        found = await self._mine(request, me)
        # decided meanwhile, perhaps in another tab: its page says what has become of it
        with suppress(RequestGone):
            await self._approvals.refuse(me.user.id, found.rid)
        return go(f"/requests/{found.rid}")

    async def ask_not_mine(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show what "This was not me" will do; the same as the mail's link does."""
        values = {"request": await self._mine(request, me), "done": False, "path": request.path}
        return await self._context.page(request, "not_me", values, here="/approve")

    async def not_mine(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Stop the machine and the token, and have a new password chosen."""
        found = await self._mine(request, me)
        found = await self._approvals.not_mine(me.user.id, found.rid)
        return await self._context.page(request, "not_me", {"request": found, "done": True})

    async def ask_not_me(self, request: web.Request) -> web.StreamResponse:
        """Show what "This was not me" will do; the mail's link is enough for that."""
        found = await self._approvals.by_link(request.match_info["secret"])
        if found is None:
            return await self._closed(request, None, _GONE, 410)
        values = {"request": found, "done": False, "path": request.path}
        return await self._context.page(request, "not_me", values)

    async def not_me(self, request: web.Request) -> web.StreamResponse:
        """Stop the machine and the token."""
        found = await self._approvals.not_me(request.match_info["secret"])
        # its owner signs in anew, and has to choose a new password then
        request[VISITOR].end()
        return await self._context.page(request, "not_me", {"request": found, "done": True})

    async def _mine(self, request: web.Request, me: SessionInfo) -> RequestView:
        found = await self._approvals.by_rid(me.user.id, request.match_info["rid"])
        if found is None:
            raise not_found()
        return found

    async def _show(
        self, request: web.Request, found: RequestView, problem: str = ""
    ) -> web.Response:
        if found.status != "pending":
            return await self._closed(request, found, _DECIDED[found.status], 200)
        values = {
            "request": found,
            "problems": {"user_code": problem} if problem else {},
            "refused": "",
        }
        status = 422 if problem else 200
        return await self._context.page(
            request, "approval", values, status=status, here="/approve"
        )

    async def _closed(
        self, request: web.Request, found: RequestView | None, texts: tuple[str, str], status: int
    ) -> web.Response:
        heading, text = texts
        if found is not None:
            text = text.format(device=found.device_name, token=found.token_name)
        values = {"heading": heading, "text": text, "request": found}
        return await self._context.page(
            request, "approval_done", values, status=status, here="/approve"
        )
