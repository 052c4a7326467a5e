"""What a daemon's call is refused with: ``{"error": word, "message": what to do}``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.console.approvals import WrongCode
from gateway.console.errors import ConsoleError, TooMany
from gateway.console.web.problem import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


class Refused(Exception):
    """The call ends here.

    Args:
        status: of HTTP.
        word: stable, for programs.
        message: what to do.
        wait_s: until it may be tried again.
        more: further members.

    """

    def __init__(
        self, status: int, word: str, message: str, *, wait_s: int = 0, **more: int
    ) -> None:
        super().__init__(word)
        self.status = status
        self.wait_s = wait_s
        self.body: dict[str, str | int] = {"error": word, "message": message, **more}


def answering(handler: Handler) -> Handler:
    """Make answers of what a handler raises; no exception's text gets out."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            return _answer(error.status, error.body, error.wait_s)
        except Problem as error:
            return _answer(error.status, {"error": error.error, "message": error.message})
        except WrongCode as error:
            body = _body(error)
            return _answer(error.status, {**body, "tries_left": error.tries_left})
        except ConsoleError as error:
            wait_s = error.wait_s if isinstance(error, TooMany) else 0
            return _answer(error.status, _body(error), wait_s)
        except (web.HTTPException, ConnectionError):
            raise  # the latter: the daemon is gone, and nobody waits for an answer
        except Exception:
            log.exception("a daemon's call to %s failed", request.match_info.route.resource)
            message = "The console could not do this. Try again in a moment."
            return _answer(503, {"error": "unavailable", "message": message}, 5)

    return handle


def _body(error: ConsoleError) -> dict[str, str | int]:
    return {"error": error.word, "message": str(error)}


def _answer(status: int, body: dict[str, str | int], wait_s: int = 0) -> web.Response:
    headers = {"Retry-After": str(wait_s)} if wait_s else {}
    return web.json_response(body, status=status, headers=headers)
