"""The JSON-RPC front without a door, and requests to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from small_catalogue import Doings, small_catalogue
from web_server_fixture import Gate, Unasked

from gateway.auth.caller import Scope
from gateway.auth.tickets import Tickets
from gateway.config import Limits
from gateway.http.mount import LazyDocument
from gateway.rpc.catalogue import Call
from gateway.rpc.in_flight import InFlight
from gateway.rpc.jsonrpc import Answer, JsonRpc
from gateway.runtime import RuntimeInfo
from gateway.trading.kill_switch.service import Safeguards
from gateway.trading.state import TradingState

Ask = Callable[[bytes], Awaitable[Any]]


class Front:
    """A front without a door, and a caller."""

    def __init__(self, limits: Limits | None = None, scope: Scope = Scope.ADMIN) -> None:
        self.doings = Doings()
        self.limits = limits or Limits()
        document = LazyDocument(lambda: b'{"openrpc":"x"}')
        self.rpc = JsonRpc(small_catalogue(self.doings), self.limits, document=document)
        self.in_flight = InFlight()
        gate = Gate()
        self.caller = gate.admit(gate.new(scope))

    def call(self, transport: str = "ws") -> Call:
        daemon = RuntimeInfo(boot="b", limits=self.limits, rpc_url="", ws_url="")
        return Call(
            caller=self.caller,
            transport=transport,  # type: ignore[arg-type]
            terminal=Unasked(),  # type: ignore[arg-type]
            state=TradingState(),
            safeguards=Safeguards(),
            streams=None,  # type: ignore[arg-type]
            listener=None,
            daemon=daemon,
            tickets=Tickets(lambda caller: None),
        )

    async def raw(self, text: bytes) -> Answer:
        return await self.rpc.answer(text, self.call(), self.in_flight)

    async def ask(self, message: Any) -> Any:
        """Send a message; return the decoded answer, or None."""
        text = message if isinstance(message, bytes) else orjson.dumps(message)
        body = (await self.raw(text)).body
        return None if body is None else orjson.loads(body)


def request(method: str, /, *params: Any, id: Any = 1, **named: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": list(params) or named}
