"""Route of the alerts: ``POST /hook/<secret>``, for TradingView.

TradingView sends no header of ours, so that the address itself holds the secret. It gives up after
three seconds: an alert is written down and answered, and no machine is waited for. Errors are
``{"error": word, "message": what to do}``; the message reaches nobody but who holds the secret.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from gateway.console.errors import ConsoleProblem, NotFound
from gateway.console.web.request_context import read_body
from gateway.http.rate_limit import RateLimiter

from .service import AlertRefused, Hooks

MAX_ALERT_BYTES: Final = 16_384
BURST_OF_STRANGERS: Final = 30
STRANGERS_PER_S: Final = 0.5
"""Posts of one address that name no hook."""


def hook_routes(hooks: Hooks, address: Callable[[web.BaseRequest], str]) -> list[web.RouteDef]:
    """Return the route.

    Args:
        hooks: that take alerts.
        address: of who posts; empty where nobody trustworthy says it.

    """
    strangers = RateLimiter(BURST_OF_STRANGERS, STRANGERS_PER_S)

    async def post(request: web.Request) -> web.Response:
        sender, body = address(request), await read_body(request, MAX_ALERT_BYTES)
        try:
            aid, is_new = await hooks.receive(request.match_info["secret"], body, sender)
        except NotFound:
            # counted after the look-up: who guesses must not shut out the hooks behind his proxy
            if not strangers.allows(sender):
                raise ConsoleProblem(
                    429, "too_many", "Wait a moment.", headers={"Retry-After": "2"}
                ) from None
            raise
        except AlertRefused as refused:
            raise ConsoleProblem(refused.status, refused.word, refused.message) from None
        said = {"status": "accepted" if is_new else "repeated", "id": aid}
        return web.json_response(said, status=202 if is_new else 200)

    return [web.post("/hook/{secret:[A-Za-z0-9_-]{43}}", post)]
