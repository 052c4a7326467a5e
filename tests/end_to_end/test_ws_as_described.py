"""Whatever goes over a real ``/ws`` is a message of the AsyncAPI document of that gateway."""

from __future__ import annotations

import asyncio
import itertools
import json
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import websockets
from jsonschema import Draft7Validator
from product import product, sawtooth

from gateway.streams.channels import FORMS, parse_channel

Json = dict[str, Any]
SILENT = {"heartbeat", "book", "book_depth"}
"""Forms of which nothing need come: there is no silence, and no news of the book."""
CALLS: list[tuple[str, Json]] = [
    ("subscribe", {"channels": [form.example for form in FORMS]}),
    ("place_order", {"symbol": "EURUSD", "side": "buy", "volume": 0.1}),
    ("place_order", {"symbol": "EURUSD", "type": "buy_limit", "volume": "0.10", "price": 1.0}),
    ("get_symbol_info", {"symbol": "NOPE"}),
    ("get_subscriptions", {}),
    ("unsubscribe", {"channels": ["pnl"]}),
    ("ping", {"t": "a1"}),
    ("set_trading_enabled", {"enabled": False, "reason": "spread out of hand"}),
]


class Described:
    """The document of a running gateway."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self._components = document["components"]
        self._validators = {name: self._validator(name) for name in self._components["messages"]}
        self.seen: Counter[str] = Counter()

    def _validator(self, name: str) -> Draft7Validator:
        payload = self._components["messages"][name]["payload"]
        return Draft7Validator({"allOf": [payload], "components": self._components})

    def is_(self, name: str, message: Json) -> None:
        """Fail unless it is such a message."""
        assert [error.message for error in self._validators[name].iter_errors(message)] == []
        self.seen[name] += 1

    def known(self, message: Json) -> str:
        """Return the one notification of the document that it is."""
        kind = "Event" if message["method"] == "event" else "Notification"
        names = [
            name
            for name, validator in self._validators.items()
            if name.endswith(kind) and validator.is_valid(message)
        ]
        assert len(names) == 1, (names, message)
        self.seen[names[0]] += 1
        return names[0]

    def answers(self, method: str) -> tuple[str, list[str]]:
        """Return the request of a method, and what may follow."""
        operation = self.document["operations"][method]
        (request,) = _names(operation["messages"])
        return request, _names(operation["reply"]["messages"])


def _names(refs: list[Json]) -> list[str]:
    return [ref["$ref"].rpartition("/")[2] for ref in refs]


async def test_all_that_is_told_is_described(tmp_path: Path) -> None:
    """Requests, answers and errors; every channel; the welcome, and the goodbye when the gateway
    ends, with a close code that is listed."""
    async with product(tmp_path, speed=4.0, tick_files=sawtooth(tmp_path)) as running:
        base = (running.ready.rpc or "").removesuffix("/rpc")
        described = Described(await asyncio.to_thread(_read, f"{base}/asyncapi.json"))
        socket = await websockets.connect(running.ready.ws or "", proxy=None, max_size=2**24)
        ids = itertools.count(1)

        async def call(method: str, params: Json) -> None:
            request = {"jsonrpc": "2.0", "id": next(ids), "method": method, "params": params}
            request["timing"] = True
            name, replies = described.answers(method)
            described.is_(name, request)
            await socket.send(json.dumps(request))
            while "method" in (message := json.loads(await socket.recv())):
                described.known(message)
            described.is_(replies["error" in message], message)
            assert message["timing_ms"]["whole"] > 0
            assert message["id"] == request["id"]

        async with asyncio.timeout(60):
            await call("hello", {"auth_token": running.main.token, "heartbeat_ms": 1000})
            for method, params in CALLS:
                await call(method, params)
            wanted = {
                f"{parse_channel(form.example).topic.title()}UpdateEvent"
                for form in FORMS
                if form.id not in SILENT
            }
            while not wanted <= described.seen.keys():
                described.known(json.loads(await socket.recv()))
    async with asyncio.timeout(60):
        async for text in socket:
            described.known(json.loads(text))
    assert (
        described.seen["WelcomeNotification"] == described.seen["ServerShutdownNotification"] == 1
    )
    assert described.seen["ErrorResponse"] == 1
    codes = described.document["channels"]["connection"]["x-close-codes"]
    assert socket.close_code in {code["code"] for code in codes}


def _read(url: str) -> Json:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        document: Json = json.loads(response.read())
    return document
