"""HTTP problems that errors of the manager become.

A return code of the Manager API becomes the status that tells a program what to do: 4xx where
the request has to change, 429 and 503 where it may come again later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from ea_bridge.mt4_manager.model import ReturnCode
from gateway.http.rest.problem import Problem
from gateway.mt4_manager import (
    ChangeUnknown,
    KeyReused,
    LoginRefused,
    ManagerError,
    PeerOffline,
    PeerRefused,
    PeerSilent,
    RateExceeded,
)

RETRY_S: Final = 5

_STATUS: Final[Mapping[int, tuple[int, str]]] = {
    ReturnCode.INVALID_DATA: (
        422,
        "the MT4 server knows no such group, symbol or trade, or refuses a value",
    ),
    ReturnCode.NO_CONNECT: (
        503,
        "not connected to the MT4 server; POST its server, login and password to "
        "/api/test/connect",
    ),
    ReturnCode.NOT_ENOUGH_RIGHTS: (403, "the manager's login lacks the right for this"),
    ReturnCode.TOO_FREQUENT: (429, "too many requests to the MT4 server; wait a moment"),
    ReturnCode.ACCOUNT_DISABLED: (403, "the account is disabled"),
    ReturnCode.BAD_ACCOUNT_INFO: (404, "there is no such account"),
    ReturnCode.TRADE_TIMEOUT: (504, "the MT4 server did not answer in time"),
    ReturnCode.TRADE_BAD_PRICES: (422, "the prices are wrong"),
    ReturnCode.TRADE_BAD_STOPS: (422, "the stops are wrong"),
    ReturnCode.TRADE_BAD_VOLUME: (422, "the volume is wrong"),
    ReturnCode.TRADE_MARKET_CLOSED: (409, "the market is closed"),
    ReturnCode.TRADE_DISABLE: (403, "trading is disabled"),
    ReturnCode.TRADE_NO_MONEY: (409, "there is not enough money in the account"),
    ReturnCode.TRADE_OFFQUOTES: (503, "there are no prices"),
    ReturnCode.TRADE_BROKER_BUSY: (503, "the MT4 server is busy"),
    ReturnCode.TRADE_REQUOTE: (503, "the price has changed"),
    ReturnCode.TRADE_ORDER_LOCKED: (409, "the trade is being worked on"),
    ReturnCode.TRADE_TOO_MANY_REQ: (429, "too many requests to the MT4 server; wait a moment"),
    ReturnCode.TRADE_MODIFY_DENIED: (409, "it may not be changed"),
    ReturnCode.TRADE_CONTEXT_BUSY: (503, "the MT4 server is busy"),
    ReturnCode.TRADE_HEDGE_PROHIBITED: (409, "hedging is prohibited"),
    ReturnCode.TRADE_PROHIBITED_BY_FIFO: (409, "only the oldest trade may be closed"),
}
"""Status and words of return codes; any other is a 502."""


def problem_of(error: ManagerError) -> Problem:
    """Return the answer that an error is."""
    match error:
        case PeerRefused():
            return _refused(error)
        case PeerOffline():
            return Problem(503, str(error), _retry(RETRY_S))
        case PeerSilent() | ChangeUnknown():
            return Problem(504, str(error))
        case KeyReused():
            return _unfit("header", "Idempotency-Key", "key_reused", str(error))
        case RateExceeded():
            return Problem(429, str(error), _retry(error.wait_s))
        case LoginRefused() if error.wait_s:
            return Problem(429, str(error), _retry(error.wait_s))
        case LoginRefused():
            return Problem(401, str(error), {"WWW-Authenticate": "Bearer"})
    return Problem(502, str(error))


def _refused(error: PeerRefused) -> Problem:
    status, words = _STATUS.get(error.retcode, (502, ""))
    message = f"{error}: {words}" if words else str(error)
    if status == 422:
        return _unfit("body", "", f"mt4_{error.retcode}", message)
    return Problem(status, message, _retry(RETRY_S) if status in (429, 503) else None)


def _unfit(where: str, name: str, kind: str, message: str) -> Problem:
    loc = [where, name] if name else [where]
    return Problem(422, [{"type": kind, "loc": loc, "msg": message}])


def _retry(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}
