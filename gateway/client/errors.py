"""Errors of calls that end without a result.

* :class:`gateway.errors.GatewayError`: the gateway answered with an error; one class a code
* NoAnswer
    * Unreachable: nobody listens at the address; nothing was sent
    * NotTheGateway: something else listens there
    * ConnectionLost: the connection broke before the answer came
    * CallTimedOut: no answer within the time given
    * StreamEnded: the gateway closed a stream for good
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gateway.errors import GatewayError, Outcome

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class NoAnswer(Exception):
    """Base class; catch it, don't raise it.

    Args:
        message: one sentence for people.
        outcome: of a trade: ``not_sent``, or ``unknown`` when it may have been executed.

    """

    client_order_id: str | None = None
    """Of the trade: what to look for before it is sent again."""

    retryable: ClassVar[bool] = True
    """Whether asking again may help; for a trade ``outcome`` has the last word."""

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome


class Unreachable(NoAnswer):
    """Address at which nobody listens: the gateway does not run, or it is a wrong one."""


class NotTheGateway(NoAnswer):
    """Answer of something that does not speak our protocol."""

    retryable = False


class ConnectionLost(NoAnswer):
    """Connection that broke before the answer came."""


class CallTimedOut(NoAnswer):
    """Call without an answer in time."""


class StreamEnded(NoAnswer):
    """The gateway closed the stream and does not want it back; ``code`` is its close code."""

    retryable = False

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The gateway closed the stream: {code} {reason}")
        self.code = code


def error_from(error: Mapping[str, Any]) -> GatewayError:
    """Return the exception for a JSON-RPC error object.

    A code that this version does not know, from a newer gateway, becomes a subclass of
    :class:`GatewayError` made on the spot, with that code and name.
    """
    given = error.get("data")
    data = dict(given) if isinstance(given, dict) else {}
    name, retryable = data.pop("name", None), bool(data.pop("retryable", False))
    code = error.get("code")
    for known in _descendants(GatewayError):
        if "code" in vars(known) and known.code == code:
            return known(str(error.get("message", "")), **data)
    name = name if isinstance(name, str) and _NAME.fullmatch(name) else "unlisted_error"
    title = "".join(word.capitalize() for word in name.split("_"))
    facts = {"code": code, "retryable": retryable, "__doc__": "Not known to this client."}
    unlisted: type[GatewayError] = type(title, (GatewayError,), facts)
    return unlisted(str(error.get("message", "")), **data)


def _descendants(cls: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)
