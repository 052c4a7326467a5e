"""Requests of a bot: drawn, from all that trades, by what it believes to have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ea_bridge.host import wall_ms

from .believed_holdings import BelievedHoldings, Held
from .intents import Json

SYMBOLS = ("EURUSD", "EURUSD", "EURUSD", "GBPUSD")
MAGICS = (7, 7, 8)
"""Few of them, so that many orders are alike in all that a broker keeps when it rewrites their
comments."""
LOTS = 0.02
ODD_LOTS = (0.01, 0.03, 0.05)
TOO_MANY_LOTS = 90.0
"""For the money of these accounts."""
POINT = 1e-5
FAR_BELOW, FAR_ABOVE = 0.5, 5.0
"""Where no market ever comes."""
MOST = 4
"""Positions, and orders: who has more ends some."""
SHORT_MS, LONG_MS = 2_000, 60_000
"""Of a life that ends by itself."""


@dataclass(frozen=True, slots=True)
class BotRequest:
    """A call: its method, its params without an id."""

    method: str
    params: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a bot's account can do, and how the bot trades there."""

    is_mt4: bool = False
    hedges: bool = True
    """Each order makes a position of its own."""
    symbols: tuple[str, ...] = SYMBOLS
    thinks_s: float = 0.0
    """Between two intents, on average."""


class RequestGenerator:
    """Draws requests.

    Args:
        holdings: what there is.
        dice: of the bot.
        habits: what the account can do.

    """

    def __init__(self, holdings: BelievedHoldings, dice: Random, habits: Habits) -> None:
        self._holdings, self._dice, self._habits = holdings, dice, habits

    def draw(self) -> BotRequest:
        """Return the next request."""
        holdings, dice = self._holdings, self._dice.random()
        if dice < 0.005:
            return self._sweep()
        if holdings.positions and (dice < 0.34 or len(holdings.positions) > MOST):
            return self._of_position(self._dice.choice(holdings.positions))
        if holdings.orders and (dice < 0.6 or len(holdings.orders) > MOST):
            return self._of_order(self._dice.choice(holdings.orders))
        return self._draw_new(dice)

    # --- new orders --------------------------------------------------------------------------

    def _draw_new(self, dice: float) -> BotRequest:
        symbol = self._dice.choice(self._habits.symbols)
        lots = LOTS if self._dice.random() < 0.8 else self._dice.choice(ODD_LOTS)
        if self._dice.random() < 0.005:
            lots = TOO_MANY_LOTS
        common: Json = {"symbol": symbol, "volume": lots, "magic": self._dice.choice(MAGICS)}
        quote = self._holdings.quotes.get(symbol)
        if dice < 0.82 or quote is None:
            return BotRequest("place_order", common | self._at_market(quote))
        kinds: tuple[Callable[[tuple[float, float]], Json], ...]
        kinds = (self._far, self._far, self._near, self._near, self._stop_limit)
        if self._habits.is_mt4:  # where the gateway keeps them itself
            kinds = (*kinds, self._stop_limit)
        return BotRequest("place_order", common | self._dice.choice(kinds)(quote))

    def _at_market(self, quote: tuple[float, float] | None) -> Json:
        dice = self._dice
        side = dice.choice(("buy", "sell"))
        order: Json = {"side": side}
        if quote is not None and dice.random() < 0.35:
            order |= self._stops(side, quote[side == "buy"])
        if dice.random() < 0.1:
            order["deviation"] = dice.choice((0, 5, 100))
        if dice.random() < 0.1 and not self._habits.is_mt4:
            order["type_filling"] = dice.choice(("fok", "ioc"))
        return order

    def _stops(self, side: str, price: float) -> Json:
        towards = 1 if side == "buy" else -1
        stops: Json = {"sl": _at(price, -towards * self._dice.randint(15, 250))}
        if self._dice.random() < 0.6:
            stops["tp"] = _at(price, towards * self._dice.randint(15, 250))
        return stops

    def _far(self, _: tuple[float, float]) -> Json:
        # few prices, so that many orders are alike in these as well
        kind = self._dice.choice(("buy_limit", "sell_stop", "sell_limit", "buy_stop"))
        base = FAR_BELOW if kind in ("buy_limit", "sell_stop") else FAR_ABOVE
        return {"type": kind, "price": _at(base, self._dice.randrange(8))}

    def _near(self, quote: tuple[float, float]) -> Json:
        dice = self._dice
        kind = dice.choice(("buy_limit", "sell_stop", "sell_limit", "buy_stop"))
        side = kind.partition("_")[0]
        below = kind in ("buy_limit", "sell_stop")
        points = dice.randint(5, 90)
        price = _at(quote[side == "buy"], -points if below else points)
        order: Json = {"type": kind, "price": price}
        if dice.random() < 0.4:
            order |= self._stops(side, price)
        return order | self._lifetime()

    def _stop_limit(self, quote: tuple[float, float]) -> Json:
        dice = self._dice
        side = dice.choice(("buy", "sell"))
        towards = 1 if side == "buy" else -1
        price = _at(quote[side == "buy"], towards * dice.randint(5, 40))
        limit = _at(price, -towards * dice.randint(5, 40))
        return {"type": f"{side}_stop_limit", "price": price, "stoplimit": limit}

    def _lifetime(self) -> Json:
        if self._habits.is_mt4 or self._dice.random() < 0.75:
            return {}
        return {"expiration": wall_ms() + self._dice.randint(SHORT_MS, LONG_MS)}

    # --- what is there -----------------------------------------------------------------------

    def _of_position(self, position: Held) -> BotRequest:
        dice = self._dice.random()
        quote = self._holdings.quotes.get(position.symbol)
        if dice < 0.2 and quote is not None:
            price = quote[position.side == "sell"]
            stops = self._stops(position.side, price)
            if self._dice.random() < 0.15:
                stops["sl"] = None
            return BotRequest(
                "modify_order", {"ticket": position.ticket, "target": "position"} | stops
            )
        opposite = self._opposite(position) if self._habits.hedges and dice < 0.3 else None
        if opposite is not None:
            both = {"position": position.ticket, "position_by": opposite.ticket}
            return BotRequest("close_by", both)
        params: Json = {"ticket": position.ticket}
        if position.lots > 0.01 and dice < 0.8:
            params["volume"] = 0.01
        return BotRequest("close_position", params)

    def _opposite(self, position: Held) -> Held | None:
        others = (
            one
            for one in self._holdings.positions
            if one.symbol == position.symbol and one.side != position.side
        )
        return next(others, None)

    def _of_order(self, order: Held) -> BotRequest:
        if self._dice.random() < 0.45 or order.kind.endswith("stop_limit"):
            return BotRequest("cancel_order", {"ticket": order.ticket})
        return BotRequest("modify_order", {"ticket": order.ticket, "price": self._moved(order)})

    def _moved(self, order: Held) -> float:
        quote = self._holdings.quotes.get(order.symbol)
        below = order.kind in ("buy_limit", "sell_stop")
        towards = -1 if below else 1
        if quote is None or self._dice.random() < 0.5:
            base = FAR_BELOW - 0.1 if below else FAR_ABOVE + 0.1
            return _at(base, self._dice.randrange(1000))
        return _at(quote[order.side == "buy"], towards * self._dice.randint(5, 90))

    def _sweep(self) -> BotRequest:
        dice = self._dice
        chosen: Json = {}
        if dice.random() < 0.6:
            chosen["symbol"] = dice.choice(self._habits.symbols)
        if dice.random() < 0.5:
            chosen["magic"] = dice.choice(MAGICS)
        if dice.random() < 0.3:
            chosen["side"] = dice.choice(("buy", "sell"))
        return BotRequest(dice.choice(("cancel_all_orders", "close_all_positions")), chosen)


def straddle(quote: tuple[float, float], points: int, symbol: str) -> list[BotRequest]:
    """Return two orders, one on each side of the market, of which the first that is filled is to
    cancel the other.
    """
    common: Json = {"symbol": symbol, "volume": 0.01, "magic": MAGICS[0]}
    bid, ask = quote
    kinds = {"buy_stop": _at(ask, points), "sell_stop": _at(bid, -points)}
    return [
        BotRequest("place_order", common | {"type": kind, "price": price})
        for kind, price in kinds.items()
    ]


def _at(price: float, points: int) -> float:
    return round(price + points * POINT, 5)
