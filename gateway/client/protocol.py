"""Protocol of the client, without I/O: addresses, requests, answers and events.

:class:`Progress` keeps the position of each channel and notices what is missing.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from ea_bridge.host import wall_ms
from gateway.client.errors import NotTheGateway, error_from
from gateway.client.pin import pinned_context
from gateway.errors import Outcome

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_PATHS = ("/v1/rpc", "/v1/ws", "/rpc", "/ws")


@dataclass(frozen=True, slots=True)
class Address:
    """URLs of one gateway: its base, ``/rpc`` and ``/ws``."""

    base: str
    rpc: str
    ws: str
    tls: ssl.SSLContext | None = None
    """Of a pinned gateway; without it the authorities that the machine trusts have to vouch."""


def parse_address(url: str, pin: str | None = None) -> Address:
    """Read ``http://127.0.0.1:7400``; ``.../rpc`` and ``.../ws`` will do as well.

    Args:
        url: of the gateway.
        pin: of the key that it has; see :mod:`gateway.client.pin`.

    Raises:
        ValueError: it is none, or carries anything secret; or the pin is none.

    """
    parts = urlsplit(url)
    if parts.scheme not in _SECURE or not parts.hostname:
        raise ValueError("the gateway's URL looks like http://127.0.0.1:7400")
    # URLs end up in logs, histories and process lists
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the gateway's URL carries no user, password, query or fragment")
    path = parts.path.rstrip("/")
    for ending in _PATHS:
        if path.endswith(ending):
            path = path.removesuffix(ending)
            break
    rest, s = f"://{parts.netloc}{path}", "s" if _SECURE[parts.scheme] else ""
    if pin is not None and not s:
        raise ValueError("a pin is for TLS: write https:// in the gateway's URL")
    base = f"http{s}{rest}"
    tls = None if pin is None else pinned_context(pin)
    return Address(base, f"{base}/rpc", f"ws{s}{rest}/ws", tls)


def encode_request(number: int | str, method: str, params: Mapping[str, Any]) -> bytes:
    """Return a JSON-RPC request.

    Decimals become strings, which the gateway reads exactly; datetimes ISO 8601.

    Raises:
        ValueError: a number is NaN or infinite.
        TypeError: a value cannot be JSON.

    """
    # orjson writes NaN as null, which means something: no stop loss, for example
    for name, value in params.items():
        _check_finite(name, value)
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return orjson.dumps(message, default=_as_text)


def result_in(body: bytes, url: str, status: int, lost: Outcome | None = None) -> Any:
    """Return the result in the answer to a request.

    Args:
        body: as it came.
        url: whose answer it is.
        status: of HTTP.

    Raises:
        GatewayError: the answer is an error.
        NotTheGateway: it is no JSON-RPC.

    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and answer.get("jsonrpc") == "2.0":
        error = answer.get("error")
        if isinstance(error, dict) and type(error.get("code")) is int:
            raise error_from(error)
        if error is None and "result" in answer:
            return answer["result"]
    # a proxy's page, or its JSON, may stand in the place of an answer: the request may have got
    # through
    raise NotTheGateway(f"{url} answered {status}, and no JSON-RPC", lost)


def _check_finite(name: str, value: Any) -> None:
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}: give a finite number")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check_finite(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_finite(name, inner)


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        # never "1E-5": the exponent is no digit of a price
        return format(value, "f")
    raise TypeError


EventType = Literal["snapshot", "update", "gap", "end", "reconnected"]


@dataclass(frozen=True, slots=True)
class Event:
    """Event on a channel."""

    channel: str
    terminal: str
    epoch: str
    seq: int
    """Counts the events of the channel, within one epoch."""
    type: EventType
    """``snapshot``: the whole state, replace yours; ``update``: what changed; ``gap``: events are
    missing, ``data`` says which; ``reconnected``: the connection was lost and is back, ``data``
    says whether anything was missed meanwhile; ``end``: the channel ended, ``data`` says why."""
    ts: int
    """When it was published, UTC milliseconds."""
    data: Any
    """A shape of :mod:`gateway.schemas`, by channel."""
    merged: int = 0
    """So many updates before this one were merged into it."""


@dataclass(slots=True)
class _Position:
    """Position of the last event of a channel."""

    terminal: str
    lossless: bool
    epoch: str
    seq: int


class Progress:
    """Positions of all channels, ``(epoch, seq)``, that notice what is missing."""

    def __init__(self) -> None:
        self._places: dict[str, _Position] = {}

    @property
    def positions(self) -> dict[str, tuple[str, int]]:
        """``(epoch, seq)`` of the last event, by channel."""
        return {name: (place.epoch, place.seq) for name, place in self._places.items()}

    def subscribed(self, entry: Mapping[str, Any], *, again: bool) -> Iterator[Event]:
        """Take one entry of ``subscribed`` of the answer to ``subscribe``.

        Args:
            again: it goes on from an earlier connection.

        """
        name, recovered = entry["channel"], entry["recovered"]
        if again:
            facts = {key: entry[key] for key in ("recovered", "reason", "replayed")}
            place = entry["epoch"], entry["seq"]
            yield Event(name, entry["terminal"], *place, "reconnected", wall_ms(), facts)
        # a recovered channel replays from where we are: its position must not jump ahead; only the
        # epoch is another one where the gateway was started anew
        if recovered and (known := self._places.get(name)) is not None:
            known.epoch = entry["epoch"]
        else:
            self._places[name] = _Position(
                entry["terminal"], entry["delivery"] == "lossless", entry["epoch"], entry["seq"]
            )

    def failed(self, entry: Mapping[str, Any]) -> Iterator[Event]:
        """Take one entry of ``failed``, of a channel that was there before."""
        place = self._places.pop(entry["channel"], None)
        if place is not None:
            at = place.epoch, place.seq
            yield Event(entry["channel"], place.terminal, *at, "end", wall_ms(), dict(entry))

    def event(self, params: Mapping[str, Any]) -> Iterator[Event]:
        """Take the params of an ``event``; a ``gap`` comes first where something is missing."""
        name, epoch, seq = params["channel"], params["epoch"], params["seq"]
        place = self._places.get(name)
        if place is None:
            # subscribed to over /rpc: such events go to every connection of the token
            return
        missing = 0
        # only an update builds on what came before; a snapshot or gap stands for itself
        if params["type"] == "update":
            if epoch != place.epoch:
                yield _gap(params, {"from": None, "to": None, "reason": "epoch_changed"})
            elif (missing := max(0, seq - place.seq - 1)) and place.lossless:
                which = {"from": place.seq + 1, "to": seq - 1, "reason": "missing"}
                yield _gap(params, which)
                missing = 0  # told already; on a ``latest`` channel it counts merged updates
        place.epoch, place.seq = epoch, seq
        terminal, ts = params["terminal"], params["ts"]
        yield Event(name, terminal, epoch, seq, params["type"], ts, params["data"], missing)


def _gap(params: Mapping[str, Any], which: dict[str, Any]) -> Event:
    at = params["epoch"], params["seq"]
    return Event(params["channel"], params["terminal"], *at, "gap", params["ts"], which)
