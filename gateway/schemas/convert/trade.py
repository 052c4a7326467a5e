"""Orders, positions, deals, checks."""

from __future__ import annotations

from ea_bridge import model
from gateway import schemas as shapes
from gateway.broker_time.clock import BrokerClock
from gateway.errors import GatewayError

from . import enums

BALANCE_TYPES = frozenset(model.DealType) - {
    model.DealType.BUY,
    model.DealType.SELL,
    model.DealType.BUY_CANCELED,
    model.DealType.SELL_CANCELED,
}
"""Deals that are no trades: deposits, credit, charges."""


def _utc(clock: BrokerClock, broker_ms: int) -> int | None:
    return clock.to_utc_ms(broker_ms) if broker_ms else None


def position(one: model.Position, clock: BrokerClock) -> shapes.Position:
    """An open position. Prices and times of 0 mean that there is none."""
    opened = one.time_msc or one.time * 1000
    updated = one.time_update_msc or one.time_update * 1000
    return {
        "ticket": one.ticket,
        "time": _utc(clock, opened),
        "broker_time": opened or None,
        "time_update": _utc(clock, updated),
        "broker_time_update": updated or None,
        "type": enums.POSITION_TYPE[one.type],
        "magic": one.magic,
        "identifier": one.identifier or one.ticket,
        "reason": enums.POSITION_REASON[one.reason],
        "volume": one.volume,
        "price_open": one.price_open,
        "sl": one.sl or None,
        "tp": one.tp or None,
        "price_current": one.price_current or None,
        "swap": one.swap,
        "profit": one.profit,
        "symbol": one.symbol,
        "comment": one.comment,
        "external_id": one.external_id,
        "paper": one.paper,
    }


def order(one: model.Order, clock: BrokerClock) -> shapes.Order:
    """A pending or a past order. Prices, ids and times of 0 mean that there is none."""
    setup = one.time_setup_msc or one.time_setup * 1000
    done = one.time_done_msc or one.time_done * 1000
    expiration = one.time_expiration * 1000
    return {
        "ticket": one.ticket,
        "time_setup": _utc(clock, setup),
        "broker_time_setup": setup or None,
        "time_done": _utc(clock, done),
        "broker_time_done": done or None,
        "time_expiration": _utc(clock, expiration),
        "broker_time_expiration": expiration or None,
        "type": enums.ORDER_TYPE[one.type],
        "type_time": enums.ORDER_TIME[one.type_time],
        "type_filling": enums.ORDER_FILLING[one.type_filling],
        "state": enums.ORDER_STATE[one.state],
        "magic": one.magic,
        "position_id": one.position_id or None,
        "position_by_id": one.position_by_id or None,
        "reason": enums.ORDER_REASON[one.reason],
        "volume_initial": one.volume_initial,
        "volume_current": one.volume_current,
        "price_open": one.price_open or None,
        "sl": one.sl or None,
        "tp": one.tp or None,
        "price_current": one.price_current or None,
        "price_stoplimit": one.price_stoplimit or None,
        "symbol": one.symbol,
        "comment": one.comment,
        "external_id": one.external_id,
        "emulated": one.emulated,
        "became": one.became or None,
        "paper": one.paper,
    }


def deal(one: model.Deal, clock: BrokerClock) -> shapes.Deal:
    """An execution, or a balance operation, which has no symbol, order, entry and price."""
    at = one.time_msc or one.time * 1000
    trades = one.type not in BALANCE_TYPES
    return {
        "ticket": one.ticket,
        "order": one.order or None,
        "time": _utc(clock, at),
        "broker_time": at or None,
        "type": enums.DEAL_TYPE[one.type],
        "entry": enums.DEAL_ENTRY[one.entry] if trades else None,
        "magic": one.magic,
        "position_id": one.position_id or None,
        "reason": enums.DEAL_REASON[one.reason],
        "volume": one.volume,
        "price": one.price or None,
        "commission": one.commission,
        "swap": one.swap,
        "profit": one.profit,
        "fee": one.fee,
        "symbol": one.symbol or None,
        "comment": one.comment,
        "external_id": one.external_id,
        "paper": one.paper,
    }


def check_result(one: model.CheckResult, error: GatewayError | None = None) -> shapes.CheckResult:
    """``OrderCheck``'s answer. The sums of a refusal are 0 where they were not computed."""
    computed = one.retcode == 0 or bool(one.equity or one.margin)
    return {
        "passes": one.retcode == 0,
        "retcode": one.retcode,
        "retcode_name": retcode_name(one.retcode) if one.retcode else None,
        "balance": one.balance if computed else None,
        "equity": one.equity if computed else None,
        "profit": one.profit if computed else None,
        "margin": one.margin if computed else None,
        "margin_free": one.margin_free if computed else None,
        "margin_level": (round(one.margin_level, 2) or None) if computed else None,
        "comment": one.comment,
        "error": None if error is None else _error(error),
    }


def refused_check(error: GatewayError) -> shapes.CheckResult:
    """Return the check of an order that the gateway itself refuses.

    The broker has no retcode for what it was never asked, so it is 10006
    ``TRADE_RETCODE_REJECT`` where the error has none.
    """
    retcode = error.data.get("retcode") or model.TradeRetcode.REJECT
    refused = model.CheckResult(retcode=int(retcode), comment=error.message)
    return check_result(refused, error)


def _error(error: GatewayError) -> shapes.OrderError:
    told = error.as_dict()
    return {"code": told["code"], "message": told["message"], "data": told["data"]}


def retcode_name(retcode: int) -> str:
    """Return ``TRADE_RETCODE_...``; ``other_<number>`` if we don't know it."""
    try:
        return f"TRADE_RETCODE_{model.TradeRetcode(retcode).name}"
    except ValueError:
        return f"other_{retcode}"
