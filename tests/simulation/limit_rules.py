"""Rules of the limits of a token: no order beyond them comes to the terminal, and none within
them is refused for them.

They are judged at a terminal of whose account nobody but the rules knows, so that all that counts
has been asked for by bots that they hear. What a daemon counts lies between two figures that can
be told from outside: an order counts from some moment after it was asked for first until some
moment before its last answer. Neither rule is ever broken by what lies between. So do closes on a
netting account, where an order the other way must not count on the position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ea_bridge.model import OrderType, PositionType, TradeAction, TradeRequest
from ea_bridge.simulation.broker import Broker
from gateway.credentials.record import TradeLimits
from gateway.trading.requests import TAG_LENGTH

from .intents import Json

NEW, CLOSE = "place_order", "close_position"
MINUTE_S = 60.0
CLOCK_S = 1.0
"""By which clocks may differ about a minute."""
LATE_S = 30.0
"""After nobody has heard an answer for so long, none is given any more."""
SETTLE_S = 2.0
"""So long an order may count beside what has come of it."""
TINY = 1e-9
BUYS = frozenset(
    {OrderType.BUY, OrderType.BUY_LIMIT, OrderType.BUY_STOP, OrderType.BUY_STOP_LIMIT}
)


@dataclass(slots=True)
class AskedOrder:
    """A new order, or a close, that a bot has asked for, once or more often."""

    volume: float
    last_s: float = 0.0
    """When it was asked for last, or answered last."""
    under_way: int = 0
    """How many calls have no answer."""
    is_open: bool = True
    """Nobody was told its end."""

    def may_count(self, since_s: float) -> bool:
        """Whether it may have been counted at a moment since then."""
        late_s = LATE_S if self.under_way else 0.0
        return self.is_open or self.last_s + late_s >= since_s


class Moment(NamedTuple):
    """A moment by the clocks of the daemon's machine: a daemon goes by one of them, and the next
    one, which finds in the journal when orders went, by the other.
    """

    loop_s: float
    wall_s: float
    steps: int
    """How often the wall clock had been set."""

    def is_within_a_minute_of(self, end: Moment) -> bool:
        """Whether it is no minute before another moment, by all clocks."""
        most_s = MINUTE_S - CLOCK_S
        return (
            end.loop_s - self.loop_s < most_s
            and end.wall_s - self.wall_s < most_s
            and self.steps == end.steps
        )


class LimitRules:
    """The orders of one account, and the limits of the token that they are asked for with.

    Args:
        limits: as the token's record has them.
        broker: of the account.
        tag_of: returns the tag of an id, which stands in the comment of its order.
        accuse: takes what is wrong.
        sometimes: told of what happens seldom.

    """

    def __init__(
        self,
        limits: TradeLimits,
        broker: Broker,
        tag_of: Callable[[str], str],
        accuse: Callable[[str], None],
        sometimes: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._limits, self._broker, self._tag_of = limits, broker, tag_of
        self._accuse, self._sometimes = accuse, sometimes
        self._max_lot = float(limits.max_lot or "inf")
        self._max_open = float(limits.max_open_lots or "inf")
        self._most = limits.max_orders_per_min
        self._asked: dict[str, AskedOrder] = {}
        self._closes: dict[str, AskedOrder] = {}
        """Those of a netting account, by their ids."""
        self._lots: dict[str, float] = {}
        """That were at risk when an order was asked for, by its id."""
        self._arrived: dict[str, Moment] = {}
        """When an order came to the terminal last, by its tag."""
        self._commands: set[int] = set()
        self._firsts: dict[str, Moment] = {}
        """When an order was asked for first, by its tag."""

    # --- what bots hear --------------------------------------------------------------------------

    def asks(self, message: Json, now: Moment) -> None:
        """A bot is about to ask for something."""
        params = message["params"]
        order = self._asked_order(message)
        if order is None:
            return
        order.under_way += 1
        order.last_s, order.is_open = now.loop_s, True
        if message["method"] == NEW:
            id_ = params["client_order_id"]
            self._firsts.setdefault(self._tag_of(id_), now)
            self._lots[id_] = self._at_risk()

    def _asked_order(self, message: Json) -> AskedOrder | None:
        """Return what is asked for, if it counts."""
        method, params = message["method"], message["params"]
        if method not in (NEW, CLOSE) or params.get("validate_only"):
            return None
        id_ = params["client_order_id"]
        if method == NEW:
            return self._asked.setdefault(id_, AskedOrder(params["volume"]))
        if self._broker.terms.hedging:
            return None
        lots = params.get("volume") or self._held(params["ticket"])
        return self._closes.setdefault(id_, AskedOrder(lots))

    def _held(self, ticket: int) -> float:
        positions = self._broker.positions()
        return sum(one.volume for one in positions if ticket in (one.ticket, one.identifier))

    def answered(self, message: Json, answer: Json, asked_s: float, now_s: float) -> None:
        """A bot has its answer."""
        order = self._asked_order(message)
        if order is None:
            return
        data = (answer.get("error") or {}).get("data") or {}
        order.under_way -= 1
        order.last_s = now_s
        order.is_open = data.get("outcome") == "unknown"
        if data.get("name") == "risk_limit":
            params = message["params"]
            self._judge_refusal(params["client_order_id"], params, data, asked_s)

    def _judge_refusal(self, id_: str, params: Json, data: Json, asked_s: float) -> None:
        rule = data["rule"]
        match rule:
            case "max_lot":
                is_right = params["volume"] > self._max_lot
            case "allowed_symbols":
                allowed = self._limits.allowed_symbols
                is_right = allowed is not None and params["symbol"] not in allowed
            case "max_orders_per_minute":
                is_right = self._most is not None and self._counted(id_, asked_s) >= self._most
            case "max_open_lots":
                others = self._beside(id_, asked_s)
                is_right = self._lots[id_] + others + params["volume"] > self._max_open + TINY
            case _:
                is_right = rule == "unsettled"  # nobody can tell, and it says so
        if is_right:
            self._sometimes(f"limit: {rule}")
        else:
            self._accuse(f"{id_} {params} is within {self._limits}, and was refused: {data}")

    def _counted(self, id_: str, asked_s: float) -> int:
        """Return how many others may have been counted in the minute before an answer, at most."""
        since_s = asked_s - MINUTE_S
        return sum(one.may_count(since_s) for other, one in self._asked.items() if other != id_)

    def _beside(self, id_: str, asked_s: float) -> float:
        """Return the lots that may have counted beside what was at risk when it was asked for."""
        since_s = asked_s - SETTLE_S
        others = [one for other, one in self._asked.items() if other != id_]
        others += self._closes.values()
        return sum(one.volume for one in others if one.may_count(since_s))

    # --- what comes to the terminal --------------------------------------------------------------

    def arrives(self, command_id: int, request: TradeRequest, now: Moment) -> None:
        """Judge a trade that the terminal is about to carry out."""
        is_new = request.action == TradeAction.PENDING or (
            request.action == TradeAction.DEAL and not request.position
        )
        if not is_new or command_id in self._commands:
            return  # a second time it is only answered again
        self._commands.add(command_id)
        limits = self._limits
        if limits.allowed_symbols is not None and request.symbol not in limits.allowed_symbols:
            self._accuse(f"{request} came to the terminal, whose symbol may not be traded")
        if request.volume > self._max_lot + TINY:
            self._accuse(f"{request} came to the terminal, and is above {limits.max_lot} lots")
        lots = self._at_risk((request.symbol, request.type in BUYS, request.volume))
        if lots > self._max_open + TINY and lots > self._at_risk() + TINY:
            self._accuse(f"with {request} there are {lots} lots, above {limits.max_open_lots}")
        self._arrived[request.comment[:TAG_LENGTH]] = now

    def _at_risk(self, *added: tuple[str, bool, float]) -> float:
        """Return the lots of all positions and orders together, as the limit counts them."""
        ups: dict[str, float] = {}
        downs: dict[str, float] = {}
        net: dict[str, float] = {}
        if not self._limits.max_open_lots:
            return 0.0
        broker, total = self._broker, 0.0
        for one in broker.positions():
            lots = one.volume if one.type == PositionType.BUY else -one.volume
            net[one.symbol] = net.get(one.symbol, 0.0) + lots
            total += one.volume
        orders = ((one.symbol, one.type in BUYS, one.volume_current) for one in broker.orders())
        for symbol, buys, lots in (*orders, *added):
            total += lots
            side = ups if buys else downs
            side[symbol] = side.get(symbol, 0.0) + lots
        if broker.terms.hedging:
            return total
        symbols = {*net, *ups, *downs}
        return sum(
            max(net.get(one, 0.0) + ups.get(one, 0.0), downs.get(one, 0.0) - net.get(one, 0.0))
            for one in symbols
        )

    def at_end(self, was_executed: Callable[[str], bool]) -> None:
        """Judge how many orders have come within a minute.

        Args:
            was_executed: whether the broker has carried out what has a tag.

        """
        if self._most is None:
            return
        done = [(self._firsts[tag], at) for tag, at in self._arrived.items() if was_executed(tag)]
        for _, end in done:
            # all of them were let through within the minute before the last of them arrived
            count = sum(
                first.is_within_a_minute_of(end) and at.loop_s <= end.loop_s for first, at in done
            )
            if count > self._most:
                self._accuse(f"{count} orders until {end}, and {self._most} a minute may be")
                return
