"""Client that approves a request with the code of the mail, typed on this machine.

It runs in a process of its own, with the device's key of the home; the daemon notices by itself.
"""

from __future__ import annotations

from ea_bridge.server import WrongCode
from gateway.auth.console_clock import Clocks
from gateway.auth.device import DeviceKey
from gateway.credentials.daemon_api import Confirm, OpenRequest, OpenRequests, Verdict

from .errors import ConsoleRefused
from .http import ConsoleHttp


class RequestExpired(Exception):
    """The request was decided, or nobody typed the right code in time."""


class ApprovalClient:
    """Confirms requests of one device; an async context manager.

    Args:
        url: of the console.
        device: whose requests.

    Its methods raise :class:`.errors.ConsoleFailure` where the console cannot be asked.

    """

    def __init__(self, url: str, device: DeviceKey) -> None:
        self._http = ConsoleHttp(url, device, Clocks())

    async def __aenter__(self) -> ApprovalClient:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.__aexit__(None, None, None)

    async def requests(self) -> tuple[OpenRequest, ...]:
        """Return what waits for a person, the newest first."""
        try:
            return (await self._http.get("/v1/daemon/requests", OpenRequests)).requests
        except ConsoleRefused as refused:
            if refused.word == "unknown_device":
                return ()
            raise

    async def confirm(self, rid: str, code: str) -> WrongCode | None:
        """Approve a request with the 8 digits of its mail.

        Raises:
            RequestExpired: it cannot be approved any more.

        """
        path = f"/v1/daemon/requests/{rid}/confirm"
        try:
            await self._http.post(path, Confirm(ecode=code), Verdict)
        except ConsoleRefused as refused:
            if refused.word == "wrong_code":
                left = refused.body.get("tries_left")
                return WrongCode(tries_left=left if isinstance(left, int) and left > 0 else 0)
            if refused.status in (404, 410):
                raise RequestExpired from refused
            raise
        return None
