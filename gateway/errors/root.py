"""The root of the tree, and what any call can meet. All are in :mod:`gateway.errors`, too."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

Outcome = Literal["not_sent", "rejected", "unknown"]


class GatewayError(Exception):
    """Base class; catch it, don't raise it.

    Args:
        message: one sentence for people, telling what to do; by default the docstring's first,
            without its markup.
        data: numbers and names for programs; never a secret, never the text of an exception.

    """

    code: ClassVar[int] = -32603
    retryable: ClassVar[bool] = False
    """The same call may work later, unchanged."""
    http_status: ClassVar[int] = 200
    """Of the answer when this error is the whole answer to a ``POST /rpc``."""

    def __init__(self, message: str = "", **data: Any) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0].replace("`", "")
        self.data = data
        super().__init__(self.message)

    @classmethod
    def name(cls) -> str:
        """The stable name: the class's, in lower case with underscores."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def outcome(self) -> Outcome | None:
        """Of a trade: ``not_sent`` is safe to send again, ``rejected`` is final, ``unknown`` may
        have been executed. ``None`` where nothing was to be traded."""
        return self.data.get("outcome")

    def as_dict(self) -> dict[str, Any]:
        """The JSON-RPC error object."""
        data = {"name": self.name(), "retryable": self.retryable, **self.data}
        return {"code": self.code, "message": self.message, "data": data}


class ProtocolFault(GatewayError):
    """The request is not JSON-RPC as we speak it."""


class ParseError(ProtocolFault):
    """The body is not JSON."""

    code = -32700


class InvalidRequest(ProtocolFault):
    """The JSON is not a JSON-RPC 2.0 request."""

    code = -32600


class MethodNotFound(ProtocolFault):
    """There is no such method."""

    code = -32601


class InvalidParams(ProtocolFault):
    """The params don't match the method's schema."""

    code = -32602


class InternalError(ProtocolFault):
    """The gateway failed; its log has the details under this trace_id."""

    code = -32603


class AccessDenied(GatewayError):
    """The caller may not do that."""


class Unauthorized(AccessDenied):
    """The auth_token does not open this gateway; ``data.reason`` says why."""

    code = -32001
    http_status = 401


class NotReady(AccessDenied):
    """Say hello with your auth_token first."""

    code = -32002
    retryable = True


class Forbidden(AccessDenied):
    """The auth_token lacks the scope for this method, or the request came from a web page."""

    code = -32003


class MethodNotSupported(GatewayError):
    """This transport or this terminal cannot do that."""

    code = -32004


class Refused(GatewayError):
    """The gateway will not do it now."""


class LimitExceeded(Refused):
    """Too many calls; wait retry_after_ms."""

    code = -32005
    retryable = True
    http_status = 429


class Overloaded(Refused):
    """A queue is full; wait retry_after_ms."""

    code = -32006
    retryable = True
    http_status = 503


class ShuttingDown(Refused):
    """The gateway is going down."""

    code = -32007
    retryable = True
    http_status = 503


class TooLarge(Refused):
    """The request or the answer is over the limit."""

    code = -32008


class Timeout(Refused):
    """The terminal did not answer in time; reading again is safe."""

    code = -32009
    retryable = True


class Cancelled(Refused):
    """The call was cancelled before it was answered."""

    code = -32010


class TerminalError(GatewayError):
    """The terminal could not answer."""


class TerminalNotFound(TerminalError):
    """The token does not belong to a terminal of that name."""

    code = 1001


class TerminalDisconnected(TerminalError):
    """The terminal is offline: start MetaTrader and see that the EA runs."""

    code = 1002
    retryable = True


class BrokerDisconnected(TerminalError):
    """The terminal has no connection to the broker."""

    code = 1003
    retryable = True


class TerminalBusy(TerminalError):
    """The terminal is busy; try again after retry_after_ms."""

    code = 1004
    retryable = True


class AutotradingDisabled(TerminalError):
    """Trading by programs is switched off; ``data.where`` names the switch."""

    code = 1005
