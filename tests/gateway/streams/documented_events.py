"""The messages that the AsyncAPI document shows beside calls: events and notifications.

``gateway/rpc/asyncapi/examples.json`` holds what is really told in the play below; a test compares
the two. After a change of a shape, write it anew::

    PYTHONPATH=tests/gateway:tests/gateway/streams python \
        tests/gateway/streams/documented_events.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
from documented_calls import documented_scene
from msgspec.structs import replace
from scripted_answers import DEAL, ORDER, POSITION
from stage import NOW_MS, T0, Stage, turns, until

from ea_bridge import model
from ea_bridge.protocol import messages as m
from gateway.errors import GatewayError
from gateway.rpc.methods.service import welcome
from gateway.schemas import KillSwitchEvent, OrderSettled
from gateway.streams.channels import FORMS
from gateway.streams.outbox import notification

EXAMPLES = Path(__file__).parents[3] / "gateway/rpc/asyncapi/examples.json"
MAX_OF_MESSAGE = 3
BAR_MS = T0 // 60_000 * 60_000

HALTED: KillSwitchEvent = {
    "event": "kill_switch",
    "cause": "halt",
    "trading_enabled": False,
    "armed_by": "cli",
    "since": NOW_MS,
    "everywhere": False,
    "cancelled": [],
    "closed": [],
    "failed": [],
    "paper": False,
    "time": NOW_MS,
}
SETTLED: OrderSettled = {
    "op": "settled",
    "client_order_id": "grid-000043",
    "outcome": "not_sent",
    "result": None,
    "error": None,
    "settlement": None,
    "paper": False,
}


async def messages() -> dict[str, list[dict[str, Any]]]:
    """Play; return what was told, by the names of the messages."""
    stage = Stage()
    try:
        events = await _events(stage)
    finally:
        stage.streams.close()
        await turns()
    return events | await _others()


async def _events(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    terminal = stage.terminal
    terminal.orders[ORDER.ticket] = ORDER
    terminal.positions[POSITION.ticket] = POSITION
    terminal.symbols["EURUSD"].bars[1] = [_bar(0)]
    terminal.tick("EURUSD", 1)
    terminal.connect()
    await turns()
    ear = stage.ear()
    # nothing is silence: the first heartbeat is due at once
    ear.heartbeat_s = 0.0
    await until(lambda: ear.notices)
    await stage.subscribe(ear, *(form.example for form in FORMS))
    await until(lambda: ear.of("heartbeat"))
    ear.heartbeat_s = 15.0
    _trade(terminal)
    stage.streams.announce("mt5-a", HALTED)
    stage.streams.settled("mt5-a", SETTLED)
    await until(lambda: ear.of("pnl", "update"))
    terminal.disconnect()
    terminal.connect(server="Real")
    await until(lambda: len(ear.of("bar.M1:EURUSD", "snapshot")) == 2)
    await turns()
    terminal.disconnect()
    del terminal.symbols["EURUSD"]
    terminal.connect(server="Real", platform="mt4", caps="")
    await until(lambda: ear.of("bar.M1:EURUSD", "end"))
    told = [orjson.loads(frame[_head(frame) :]) for frame in ear.frames]
    named: dict[str, list[dict[str, Any]]] = {"HeartbeatNotification": ear.notices[:1]}
    for message in told:
        params = message["params"]
        topic = params["channel"].partition(":")[0].partition(".")[0]
        of_name = named.setdefault(f"{topic.title()}{params['type'].title()}Event", [])
        if not any(_kind(one) == _kind(message) for one in of_name):
            of_name.append(message)
    return {name: of_name[:MAX_OF_MESSAGE] for name, of_name in sorted(named.items())}


def _head(frame: bytes) -> int:
    return {126: 4, 127: 10}.get(frame[1], 2)


def _kind(message: dict[str, Any]) -> tuple[Any, ...]:
    """Return what makes it worth another example."""
    data = message["params"]["data"]
    return message["params"]["channel"], data.get("op"), data.get("event"), data.get("closed")


def _bar(minute: int, close: float = 1.0842) -> model.Bar:
    return model.Bar(BAR_MS // 1000 + 60 * minute, 1.0840, 1.0843, 1.0839, close, 57)


def _trade(terminal: Any) -> None:
    """A tick, a bar that closes, a book, an order that is filled, and the money after it."""
    terminal.tick("EURUSD", 150)
    terminal.pump()
    index = terminal.index("EURUSD")
    filled = replace(ORDER, state=4, volume_current=0.0, time_done=ORDER.time_setup + 9)
    best = [model.BookEntry(1, 1.0843, 2.0), model.BookEntry(2, 1.0842, 1.5)]
    terminal.say(
        m.BarEvent(sym=index, timeframe=1, d=_bar(0, 1.0841), closed=True),
        m.BarEvent(sym=index, timeframe=1, d=_bar(1)),
        m.Book(sym=index, time_msc=T0 + 160, d=best),
        terminal.count(m.Trade(op="change", q=0, order=replace(ORDER, price_open=1.0795))),
        terminal.count(m.Trade(op="remove", q=0, order=filled)),
        terminal.count(m.Trade(op="add", q=0, position=POSITION, deal=DEAL)),
        m.AccountEvent(d=model.Account(login=1, balance=10_012.4, equity=10_020.1)),
        m.Pnl(d=[(POSITION.ticket, 1.0842, -0.35, 7.7)]),
    )


async def _others() -> dict[str, list[dict[str, Any]]]:
    scene = documented_scene()
    call = scene.call(transport="ws")
    try:
        await scene.ask("get_symbol_info", symbol="NOPE")
    except GatewayError as error:
        refused = {"jsonrpc": "2.0", "id": 1, "error": error.as_dict()}
    shutdown = {"reason": "restart", "restart_in_ms": 2000}
    return {
        "ErrorResponse": [refused],
        "WelcomeNotification": [orjson.loads(notification("welcome", welcome(call)))],
        "ServerShutdownNotification": [orjson.loads(notification("server_shutdown", shutdown))],
    }


if __name__ == "__main__":
    written = orjson.dumps(asyncio.run(messages()), option=orjson.OPT_INDENT_2)
    EXAMPLES.write_bytes(written + b"\n")
