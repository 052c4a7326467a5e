"""Execution of TradingView alerts that the console has handed down.

An alert becomes ``place_order`` as a call of its hook's token: the same scope, tier, limits, halt
and journal as for a program with that token. It differs in one point: it does not show that the
token's program lives, so that it holds up no dead man's switch.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

import orjson

from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.credentials.alert import AlertOrder
from gateway.credentials.daemon_api import AlertEnd, AlertOutcome
from gateway.errors import Unauthorized
from gateway.rpc.catalogue import Call
from gateway.rpc.requests import RpcContext

MAX_LEFT_S: Final = 300
"""The longest deadline that a hook has; a clock that is wrong prolongs none."""
COMMENT: Final = "TradingView"
_ENDS: Final[dict[str, AlertEnd]] = {
    "done": "done",
    "not_sent": "not_sent",
    "rejected": "rejected",
    "unknown": "unknown",
}
_WORDS: Final = 200


class OrderImpossible(Exception):
    """Refusal of an alert before its order was sent.

    Args:
        error: stable name.
        message: for its owner.

    """

    def __init__(self, error: str, message: str) -> None:
        super().__init__(error)
        self.error = error
        self.message = message


class MethodFailed(Exception):
    """Error that a method answered; ``args[0]`` is its error object."""


class AlertCalls:
    """Executor of alerts; see :class:`gateway.console_link.AlertExecutor`.

    Args:
        context: returns what makes calls.
        gate: knows what the tokens may do.

    """

    def __init__(self, context: Callable[[], RpcContext], gate: Gate) -> None:
        self._context = context
        self._gate = gate

    async def execute(
        self, alert: AlertOrder, left_s: float, *, again: bool
    ) -> AlertOutcome | None:
        """Carry an alert out, or find out what became of it."""
        try:
            call = self._call(self._gate.admit_signed(alert.tid))
            _check_account(alert, call)
        except Unauthorized as refused:
            # what was told before may be carried out: that is not to be known here any more
            return None if again else _not_sent(alert, refused.name(), str(refused))
        except OrderImpossible as refused:
            return None if again else _not_sent(alert, refused.error, refused.message)
        try:
            record = await self._ask(call, "get_order", client_order_id=alert.aid)
        except MethodFailed as failed:
            if again and _name(failed) != "order_not_found":
                return None
        else:
            if record["outcome"] != "not_sent":
                return _recorded(alert, record)
        if left_s <= 0:
            return AlertOutcome(aid=alert.aid, outcome="late")
        return await self._place(alert, call, left_s)

    def _call(self, caller: Caller) -> Call:
        return self._context().call(caller, "http", by_program=False)

    async def _place(self, alert: AlertOrder, call: Call, left_s: float) -> AlertOutcome | None:
        try:
            params = await self._params(alert, call)
        except OrderImpossible as refused:
            return _not_sent(alert, refused.error, refused.message)
        except MethodFailed as failed:
            return _not_sent(alert, _name(failed), failed.args[0]["message"])
        try:
            receipt = await self._ask(
                call,
                "place_order",
                **params,
                client_order_id=alert.aid,
                # it counts from before the look at prices: what that took is not given again
                ttl_ms=max(1, int(min(left_s, MAX_LEFT_S) * 1000)),
                normalize=True,
                validate_only=alert.dry_run,
            )
        except MethodFailed as failed:
            return _failed(alert, failed.args[0])
        return _placed(alert, receipt)

    # --- the order ---------------------------------------------------------------------------

    async def _params(self, alert: AlertOrder, call: Call) -> dict[str, Any]:
        """Return the params of ``place_order``.

        Raises:
            OrderImpossible: there is no such order.
            MethodFailed: what it needs to know is not told.

        """
        sl, tp, volume = alert.sl, alert.tp, alert.volume
        if alert.sl_pct or alert.tp_pct or alert.risk_pct:
            info = await self._ask(call, "get_symbol_info", symbol=alert.symbol)
            price = _decimal(info["ask"] if alert.side == "buy" else info["bid"])
            if not price:
                raise OrderImpossible("no_price", "The symbol has no price now.")
            up = 1 if alert.side == "buy" else -1
            if alert.sl_pct:
                sl = _away(price, -up, alert.sl_pct, info["digits"])
            if alert.tp_pct:
                tp = _away(price, up, alert.tp_pct, info["digits"])
            if volume is None:
                volume = await self._volume(alert, call, info, price, sl or "0")
        return {
            "symbol": alert.symbol,
            "side": alert.side,
            "volume": volume,
            "sl": sl,
            "tp": tp,
            "comment": COMMENT,
        }

    async def _volume(
        self, alert: AlertOrder, call: Call, info: dict[str, Any], price: Decimal, sl: str
    ) -> str:
        """Return the lots that lose the alert's share of the equity at the stop loss."""
        least, most, step = (_decimal(info[f"volume_{name}"]) for name in ("min", "max", "step"))
        most = most or Decimal("Infinity")  # a maximum of 0 is none
        step = step or least or Decimal("0.01")
        lots = min(max(Decimal(1), least), most)
        lost = await self._ask(
            call,
            "order_calc_profit",
            symbol=alert.symbol,
            side=alert.side,
            volume=format(lots, "f"),
            price_open=format(price, "f"),
            price_close=sl,
        )
        loss = -_decimal(lost["profit"]) / lots
        if loss <= 0:
            raise OrderImpossible(
                "invalid_stops", "The stop loss is on the wrong side of the price."
            )
        equity = _decimal((await self._ask(call, "get_account_info"))["equity"])
        wanted = equity * Decimal(alert.risk_pct or 0) / 100 / loss
        # down, never up: the risk is a bound
        volume = (wanted / step).to_integral_value(ROUND_DOWN) * step
        if volume < least or volume <= 0:
            text = f"The risk allows {wanted:.4f} lots, and the least is {least}."
            raise OrderImpossible("invalid_volume", text)
        return format(min(volume, most), "f")

    async def _ask(self, call: Call, method: str, **params: Any) -> Any:
        """Call a method as the token's program would.

        Raises:
            MethodFailed: it answers an error.

        """
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = await self._context().front.answer(orjson.dumps(request), call)
        if answer.error is not None or answer.body is None:
            raise MethodFailed(answer.error)
        return orjson.loads(answer.body)["result"]


def _check_account(alert: AlertOrder, call: Call) -> None:
    hello = call.terminal.hello
    if hello is None:
        raise OrderImpossible("terminal_disconnected", "The terminal has not come in yet.")
    # ids of orders are an account's own: on another one the same alert would be another order
    if (hello.login, hello.server) != (alert.login, alert.server):
        raise OrderImpossible("another_account", "The terminal is logged in to another account.")


def _decimal(number: float | None) -> Decimal:
    return Decimal(0) if number is None else Decimal(format(number, ".15g"))


def _away(price: Decimal, direction: int, percent: str, digits: int) -> str:
    at = price * (1 + direction * Decimal(percent) / 100)
    if at <= 0:
        raise OrderImpossible("invalid_stops", "The distance is longer than the price.")
    return format(round(at, digits), "f")


def _name(failed: MethodFailed) -> str:
    name: str = failed.args[0]["data"]["name"]
    return name


# --- outcomes --------------------------------------------------------------------------------


def _not_sent(alert: AlertOrder, error: str, message: str) -> AlertOutcome:
    text = message[:_WORDS]
    return AlertOutcome(aid=alert.aid, outcome="not_sent", error=error, message=text)


def _failed(alert: AlertOrder, error: dict[str, Any]) -> AlertOutcome | None:
    """Return the outcome that an error tells; ``None`` where the next gateway may place it yet."""
    name, text = error["data"]["name"], error["message"][:_WORDS]
    # what does not say that nothing was sent may have been sent
    outcome = _ENDS.get(error["data"].get("outcome", ""), "unknown")
    # a drain is over in a moment: told nothing, the console hands the alert down again in its time
    if name == "shutting_down" and outcome == "not_sent":
        return None
    if name == "deadline_exceeded" and outcome == "not_sent":
        outcome = "late"
    return AlertOutcome(aid=alert.aid, outcome=outcome, error=name, message=text)


def _recorded(alert: AlertOrder, record: dict[str, Any]) -> AlertOutcome | None:
    """Return the outcome that the journal has; ``None`` while the order is being carried out."""
    outcome = _ENDS.get(record["outcome"])
    if outcome is None:
        return None
    if outcome == "done" and record["result"] is not None:
        return _placed(alert, record["result"])
    error = record["error"]
    return AlertOutcome(
        aid=alert.aid,
        outcome=outcome,
        error="" if error is None else error["data"]["name"],
        message="" if error is None else error["message"][:_WORDS],
    )


def _placed(alert: AlertOrder, receipt: dict[str, Any]) -> AlertOutcome:
    check, order = receipt["check"], receipt["order"]
    if alert.dry_run:
        error = None if check is None else check["error"]
        if error is not None:
            return _not_sent(alert, error["data"]["name"], error["message"])
    filled = order["filled_volume"] or order["volume"]
    return AlertOutcome(
        aid=alert.aid,
        outcome="checked" if alert.dry_run else "done",
        ticket=order["order"] or 0,
        volume="" if filled is None else f"{filled:.15g}"[:24],
        price="" if order["avg_price"] is None else f"{order['avg_price']:.15g}"[:24],
    )
