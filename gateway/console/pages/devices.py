"""Pages of machines: the list, and the end of one."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gateway.console.sessions import SessionInfo

from .context import PageContext, go, said
from .views import View, device_view, version_of

_SAID: Final = {
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
        one = "/devices/{did:[a-z2-7]{52}}"
        return [
            web.get("/devices", signed_in(self.show_all)),
            web.get(one + "/revoke", signed_in(self.ask_revoke)),
            web.post(one + "/revoke", signed_in(self.revoke)),
            web.post(one + "/forget", signed_in(stepped_up("approve", self.forget))),
            web.post(one + "/resume", signed_in(stepped_up("approve", self.resume))),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the machines."""
        terminals = await self._context.terminals.list(me.user.id)
        requests = await self._context.approvals.open_requests(me.user.id)
        values = {
            "devices": await self._views(me),
            "version": version_of(terminals, requests),
            "copied": await self._context.console.clones.suspended(me.user.id),
            "said": said(request, _SAID),
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
