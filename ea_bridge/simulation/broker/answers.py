"""Answers of the trade server in the words of MetaTrader 5."""

from __future__ import annotations

from ea_bridge.model import Tick, TradeResult, TradeRetcode

COMMENTS = {
    TradeRetcode.REQUOTE: "Requote",
    TradeRetcode.REJECT: "Request rejected",
    TradeRetcode.CANCEL: "Request canceled",
    TradeRetcode.PLACED: "Order placed",
    TradeRetcode.DONE: "Request executed",
    TradeRetcode.DONE_PARTIAL: "Request executed partially",
    TradeRetcode.ERROR: "Common error",
    TradeRetcode.TIMEOUT: "Request timed out",
    TradeRetcode.INVALID: "Invalid request",
    TradeRetcode.INVALID_VOLUME: "Invalid volume",
    TradeRetcode.INVALID_PRICE: "Invalid price",
    TradeRetcode.INVALID_STOPS: "Invalid stops",
    TradeRetcode.TRADE_DISABLED: "Trade disabled",
    TradeRetcode.MARKET_CLOSED: "Market closed",
    TradeRetcode.NO_MONEY: "No money",
    TradeRetcode.PRICE_CHANGED: "Price changed",
    TradeRetcode.PRICE_OFF: "No prices",
    TradeRetcode.INVALID_EXPIRATION: "Invalid expiration",
    TradeRetcode.ORDER_CHANGED: "Order changed",
    TradeRetcode.TOO_MANY_REQUESTS: "Too many requests",
    TradeRetcode.NO_CHANGES: "No changes",
    TradeRetcode.SERVER_DISABLES_AT: "AutoTrading disabled by server",
    TradeRetcode.CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    TradeRetcode.LOCKED: "Request locked",
    TradeRetcode.FROZEN: "Order or position frozen",
    TradeRetcode.INVALID_FILL: "Unsupported filling mode",
    TradeRetcode.CONNECTION: "No connection",
    TradeRetcode.ONLY_REAL: "Only real accounts allowed",
    TradeRetcode.LIMIT_ORDERS: "Orders limit reached",
    TradeRetcode.LIMIT_VOLUME: "Volume limit reached",
    TradeRetcode.INVALID_ORDER: "Invalid order",
    TradeRetcode.POSITION_CLOSED: "Position doesn't exist",
    TradeRetcode.INVALID_CLOSE_VOLUME: "Invalid close volume",
    TradeRetcode.CLOSE_ORDER_EXIST: "Close order already exists",
    TradeRetcode.LIMIT_POSITIONS: "Positions limit reached",
    TradeRetcode.REJECT_CANCEL: "Activation rejected, order canceled",
    TradeRetcode.LONG_ONLY: "Only long positions allowed",
    TradeRetcode.SHORT_ONLY: "Only short positions allowed",
    TradeRetcode.CLOSE_ONLY: "Only position closing allowed",
    TradeRetcode.FIFO_CLOSE: "Position closing by FIFO rule only",
    TradeRetcode.HEDGE_PROHIBITED: "Hedging prohibited",
}
"""Texts that the terminal shows beside the number, one for every retcode."""


class RequestRefused(Exception):
    """The server says no. The only way in which a request fails."""

    def __init__(self, retcode: TradeRetcode) -> None:
        super().__init__(COMMENTS[retcode])
        self.retcode = retcode


def answer(
    retcode: TradeRetcode,
    tick: Tick | None = None,
    *,
    order: int = 0,
    deal: int = 0,
    position: int = 0,
    volume: float = 0.0,
    price: float = 0.0,
) -> TradeResult:
    """Return the result of a request; ``tick`` gives the bid and ask that it met."""
    return TradeResult(
        retcode=retcode,
        order=order,
        deal=deal,
        position=position,
        volume=volume,
        price=price,
        bid=tick.bid if tick else 0.0,
        ask=tick.ask if tick else 0.0,
        comment=COMMENTS[retcode],
    )
