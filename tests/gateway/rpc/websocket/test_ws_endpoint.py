"""Connections of a token are closed in the order in which they came, in every run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from gateway.rpc.websocket.endpoint import WebSocketEndpoint


class FakeConnection:
    """A connection that notes when it is closed."""

    tid = "a"

    def __init__(self, number: int, ended: list[int]) -> None:
        self._number, self._ended = number, ended

    def end(self, *_: object) -> None:
        self._ended.append(self._number)


def test_connections_are_closed_in_the_order_in_which_they_came() -> None:
    """Not in that of their addresses, as from a set: a simulated run is to be repeated exactly."""
    limits = SimpleNamespace(max_websockets=100)
    context = cast(Any, SimpleNamespace(daemon=SimpleNamespace(limits=limits)))
    endpoint = WebSocketEndpoint(context, cast(Any, None))
    ended: list[int] = []
    connections = [FakeConnection(number, ended) for number in range(100)]
    for connection in reversed(connections):
        assert endpoint.enter(cast(Any, connection))
    endpoint.end_token("a", "revoked")
    assert ended == list(reversed(range(100)))
