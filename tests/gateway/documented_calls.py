"""The calls that the OpenRPC document shows, and what they are answered.

``gateway/rpc/openrpc/examples.json`` holds what the methods really answer in the scene below; a
test compares the two. After a change of a shape, write it anew::

    PYTHONPATH=tests/gateway python tests/gateway/documented_calls.py
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from msgspec.structs import replace
from scripted_answers import DEAL, DONE, NOW_MS, ORDER, minute_bar
from scripted_terminal import CATALOGUE, Scene

from ea_bridge.errors import CommandFailed
from ea_bridge.model import History, TradeRequest, TradeResult, Trail
from ea_bridge.registry import ChangeKind, TerminalChange
from gateway.auth.caller import Scope
from gateway.credentials.lease import Tier
from gateway.runtime import ConsoleView
from gateway.storage.ledger import Ledger
from gateway.streams import Streams
from gateway.trading.contingent import records
from gateway.trading.journal import (
    AccountKey,
    CallKey,
    CommandRecord,
    Intent,
    Journal,
    ManualSettlement,
    Stage,
)
from gateway.trading.requests import ReceiptContext

EXAMPLES = Path(__file__).parents[2] / "gateway/rpc/openrpc/examples.json"

CLOSING = replace(
    DEAL,
    ticket=DEAL.ticket + 1,
    order=DEAL.order + 1,
    time=DEAL.time + 1800,
    time_msc=DEAL.time_msc + 1_800_000,
    type=1,
    entry=1,
    price=1.08542,
    profit=12.4,
    commission=-0.35,
)
PAST = replace(
    ORDER,
    ticket=DEAL.order,
    type=0,
    state=4,
    time_setup=DEAL.time,
    time_setup_msc=DEAL.time_msc - 146,
    time_done=DEAL.time,
    time_done_msc=DEAL.time_msc,
    volume_initial=0.1,
    volume_current=0.0,
    price_open=1.08418,
    position_id=DEAL.position_id,
)
TRAIL = Trail(
    ticket=9123456789,
    symbol="EURUSD",
    distance=150,
    activation=200,
    break_even=100,
    sl=1.08418,
    moves=1,
)
OCO_ID = "oco-01KSYZ0Q80X5T4E1N0V3R7C9HD"
TARGET = replace(ORDER, ticket=9123456795, type=3, price_open=1.09, sl=1.0925, tp=1.085)
BUY = {"symbol": "EURUSD", "side": "buy", "type": "market", "volume": 0.1}
SPAN = {"from": NOW_MS - 86_400_000, "to": NOW_MS}
MINE = {"client_order_id": "grid-000042"}
UNKNOWN = "grid-000043"

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("get_account_info", "the account", {}),
    ("get_account_balance", "the money", {}),
    ("get_terminal_info", "the terminal", {}),
    ("get_server_time", "the broker's clock", {}),
    ("get_ea_status", "the link", {}),
    ("get_symbols", "the dollar's symbols", {"group": "*USD*"}),
    ("get_symbol_info", "a symbol", {"symbol": "EURUSD"}),
    ("get_sessions", "when a symbol trades", {"symbol": "EURUSD"}),
    ("symbol_select", "into Market Watch", {"symbol": "EURUSD"}),
    ("get_ohlc", "the last bars", {"symbol": "EURUSD", "timeframe": "M1", "count": 2}),
    (
        "get_history_prices",
        "a span of bars",
        {"symbol": "EURUSD", "timeframe": "M1", "from": NOW_MS - 180_000, "to": NOW_MS},
    ),
    ("get_history_ticks", "the last ticks", {"symbol": "EURUSD", "limit": 2}),
    ("get_market_book", "the order book", {"symbol": "EURUSD"}),
    ("get_positions", "open positions", {}),
    (
        "close_position",
        "a part of a position",
        {"ticket": 9123456789, "volume": 0.04, **MINE},
    ),
    ("close_by", "two against each other", {"position": 9123456789, "position_by": 9123456799}),
    ("get_orders", "pending orders", {"symbol": "EURUSD"}),
    ("get_order_info", "one order", {"ticket": 9123456790}),
    ("get_order", "one that was lost and found", MINE),
    (
        "settle_order",
        "one that nobody knew the end of",
        {"client_order_id": UNKNOWN, "executed": False},
    ),
    ("place_order", "at market", {**BUY, "sl": 1.08, "tp": 1.095, "ttl_ms": 3000, **MINE}),
    (
        "place_order",
        "a limit, in one word",
        {"symbol": "EURUSD", "type": "buy_limit", "volume": "0.10", "price": "1.08000", **MINE},
    ),
    ("place_order", "only checked", {**BUY, "validate_only": True, **MINE}),
    ("modify_order", "another price", {"ticket": 9123456790, "price": 1.081, **MINE}),
    ("modify_order", "no stop loss any more", {"ticket": 9123456789, "sl": None, **MINE}),
    ("cancel_order", "a pending order", {"ticket": 9123456790, **MINE}),
    (
        "set_trailing_stop",
        "break-even first, then 150 points behind the market",
        {"ticket": 9123456789, "distance": 150, "activation": 200, "break_even": 100},
    ),
    ("remove_trailing_stop", "the stop stays where it is", {"ticket": 9123456789}),
    ("get_trailing_stops", "of a symbol", {"symbol": "EURUSD"}),
    ("link_oco", "a target and a stop", {"tickets": [9123456790, 9123456795]}),
    ("get_oco_links", "what cancels what", {}),
    ("unlink_oco", "each for itself again", {"id": OCO_ID}),
    ("order_check", "would it pass", BUY),
    ("order_calc_margin", "what it needs", {"symbol": "EURUSD", "side": "buy", "volume": 0.1}),
    (
        "order_calc_profit",
        "what it brings",
        {
            "symbol": "EURUSD",
            "side": "buy",
            "volume": 0.1,
            "price_open": 1.08,
            "price_close": 1.085,
        },
    ),
    ("get_history_orders", "past orders", {"kind": "orders", **SPAN}),
    ("get_history_orders", "closed positions", {"kind": "positions", **SPAN}),
    ("get_history_orders", "orders with deals", {"kind": "orders_deals", **SPAN}),
    ("get_native", "the order book", {"kind": "book", "symbol": "EURUSD"}),
    (
        "copy_rates",
        "the last bars",
        {"symbol": "EURUSD", "timeframe": "M1", "start": 0, "count": 2},
    ),
    ("copy_ticks", "the last ticks", {"symbol": "EURUSD", "count": 2}),
    ("get_trading_enabled", "no halt", {}),
    ("cancel_all_orders", "of a symbol", {"symbol": "EURUSD", "client_order_id": "panic-7"}),
    ("close_all_positions", "all", {"client_order_id": "panic-8"}),
    ("set_trading_enabled", "halt", {"enabled": False, "reason": "spread out of hand"}),
    ("set_trading_enabled", "go on", {"enabled": True}),
    ("cancel_all_after", "a minute of silence", {"timeout_ms": 60_000}),
    ("cancel_all_after", "off", {"timeout_ms": 0}),
    ("set_cancel_on_disconnect", "of this connection", {"enabled": True, "grace_ms": 5000}),
    ("get_cancel_on_disconnect", "of this connection", {}),
    ("logout", "in order", {}),
    ("subscribe", "channels", {"channels": ["tick:EURUSD", "orders", "tick:NOPE"]}),
    ("subscribe", "the vendor's form", {"type": "tick", "symbol": "EURUSD"}),
    ("unsubscribe", "a channel", {"channels": ["tick:EURUSD"]}),
    ("get_subscriptions", "what is heard", {}),
    ("ping", "is it alive", {"t": 1}),
    (
        "hello",
        "a client that cannot set headers",
        {
            "auth_token": "mgt_...",
            "client": {"name": "grid-bot", "version": "2.3.0"},
            "api": {"min": 1, "max": 1},
        },
    ),
    ("get_server_info", "the gateway", {}),
    ("get_ws_ticket", "for one connection of a page", {}),
]


class OneOrder(Journal):
    """A journal that has one order in it, whatever is asked for; one of an id is unknown."""

    def find(self, client_order_id: str) -> Intent | None:
        """Return an order that was found after a lost answer."""
        account = AccountKey(12345678, "Broker-Demo")
        said = '{"side":"buy","symbol":"EURUSD","volume":"0.1"}'
        send = CommandRecord(
            command_id=1_780_000_000_000_731,
            request=TradeRequest(
                action=1, symbol="EURUSD", volume=0.1, type=0, comment="gNPXQZ4LKA"
            ),
            context=ReceiptContext(),
            stage=Stage.DONE,
            created_ms=NOW_MS - 4_000,
            written_ms=NOW_MS - 3_999,
            ended_ms=NOW_MS - 1_000,
            result=DONE,
            retcode=DONE.retcode,
        )
        if is_unknown := client_order_id == UNKNOWN:
            send.stage, send.result, send.retcode = Stage.UNKNOWN, None, 0
        return Intent(
            asked=CallKey(account, client_order_id, "place_order", said),
            terminal="mt5-a",
            created_ms=NOW_MS - 4_000,
            updated_ms=NOW_MS - 1_000,
            stage=Stage.UNKNOWN if is_unknown else Stage.DONE,
            reconciled=not is_unknown,
            sends=[send],
        )

    async def settle(
        self,
        intent: Intent,
        stage: Stage,
        answer: bytes | None,
        sends: list[CommandRecord],
        settlement: ManualSettlement,
    ) -> bool:
        """Take what a person says."""
        intent.stage, intent.answer, intent.updated_ms = stage, answer, NOW_MS
        intent.sends, intent.settlement, intent.reconciled = sends, settlement, True
        return True


class Connection:
    """The WebSocket of the calls that need one."""

    tid = "A1b2C3d4E5f6"
    is_gone = False

    def __init__(self) -> None:
        self.on_gone: list[Callable[[], None]] = []

    def end(self, code: int, reason: str) -> None:
        """Close it."""


def documented_scene() -> Scene:
    """The scene in which the calls are made."""
    scene = Scene()
    scene.guarded.journal = OneOrder()
    scene.console = ConsoleView(
        url="https://console.example.com",
        connected=True,
        last_sync_ms=NOW_MS - 42_000,
        problem="",
        clock_suspect=False,
        tier=Tier.FULL,
        reason="",
        tier_ends_ms=NOW_MS + 858_000,
        lease_ends_ms=NOW_MS + 858_000,
        device="k5m3" * 13,
    )
    opposite = {"ticket": 9123456799, "type": 1, "identifier": 9123456799}
    positions = scene.script.answers["positions_get"]

    def positions_get(params: Any) -> Any:
        if params.ticket != opposite["ticket"]:
            return positions(params)
        (one,) = positions(replace(params, ticket=9123456789))
        return [replace(one, **opposite)]

    def order_send(request: Any) -> TradeResult:
        if request.action == 1:
            return replace(DONE, volume=request.volume, price=request.price)
        if request.action == 5:
            return TradeResult(retcode=10009, order=9123456792, volume=request.volume)
        return TradeResult(retcode=10009, order=request.order, request_id=6)

    def watch(params: Any) -> Any:
        unknown = params.symbol != "EURUSD"
        return CommandFailed("watch", 4301) if unknown else default_watch(params)

    default_watch = scene.script.answers["watch"]
    bars = [minute_bar(i) for i in range(4)][::-1]
    scene.script.answers |= {
        "positions_get": positions_get,
        "order_send": order_send,
        "watch": watch,
        "rates_get": lambda p: History(
            rows=(
                bars[-p.count :] if p.count else [b for b in bars if p.from_s <= b.time <= p.to_s]
            )
        ),
        "history_orders_get": [PAST],
        "trails_get": [TRAIL],
        "orders_get": lambda p: [
            one
            for one in (ORDER, TARGET)
            if p.ticket in (None, one.ticket) and p.symbol in (None, one.symbol)
        ],
        "history_deals_get": lambda p: [DEAL, CLOSING],
    }
    return scene


async def answers() -> dict[str, list[dict[str, Any]]]:
    """Make the calls; return params and results by method, as the document has them."""
    scene = documented_scene()
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), (records.TABLE,))
        with contextlib.closing(ledger), contextlib.closing(scene.keep(ledger)):
            return await _answers(scene)


async def _answers(scene: Scene) -> dict[str, list[dict[str, Any]]]:
    async def ask(terminal: str, command: Any, params: Any) -> Any:
        return await scene.guarded.request(command, params)

    scene.streams = Streams(
        boot="k7Qd",
        clock=asyncio.get_running_loop(),
        now_ms=lambda: NOW_MS,
        ask=ask,
        clock_of=lambda name: scene.clock,
        max_channels=1024,
    )
    facts = scene.facts()
    assert facts is not None
    scene.streams.change(TerminalChange(ChangeKind.CONNECTED, facts, None))
    connection = Connection()
    told: dict[str, list[dict[str, Any]]] = {}
    try:
        for method, name, params in CALLS:
            given = orjson.loads(orjson.dumps(params))
            ws_only = CATALOGUE[method].transports == ("ws",) and method != "hello"
            scope = CATALOGUE[method].scope or Scope.TRADE
            wide = Scope.ADMIN if scope is Scope.ADMIN else Scope.TRADE
            call = scene.call(listener=connection if ws_only else None, scope=wide)
            if given.get("id") == OCO_ID:
                given["id"] = (await scene.ask("get_oco_links"))[0]["id"]
            result = await scene.ask_with(call, method, given)
            for after in call.after_answer:
                after()
            told.setdefault(method, []).append(
                {"name": name, "params": params, "result": steady(result)}
            )
    finally:
        scene.streams.close()
    return told


def steady(result: Any) -> Any:
    """Replace what differs from run to run: how long it took, and made-up ids."""
    if isinstance(result, dict) and "timing_ms" in result:
        result["timing_ms"] = {"queue": 0.4, "terminal": 61.2}
        order = result["order"]
        if order["client_order_id"].startswith("gw-"):
            order["client_order_id"] = "gw-01KSYZ0Q80X5T4E1N0V3R7C9HD"
            order["comment"] = "gNPXQZ4LKA"
    for link in result if isinstance(result, list) else [result]:
        if isinstance(link, dict) and str(link.get("id")).startswith("oco-"):
            link["id"] = OCO_ID
    if isinstance(result, dict) and "ticket" in result and "subprotocol" in result:
        result["ticket"] = "Zk3nQ0vX1uJ8rT5yWc2L9g"
        result["subprotocol"] = "mtg.ticket.Zk3nQ0vX1uJ8rT5yWc2L9g"
    return result


if __name__ == "__main__":
    written = orjson.dumps(asyncio.run(answers()), option=orjson.OPT_INDENT_2)
    EXAMPLES.write_bytes(written + b"\n")
