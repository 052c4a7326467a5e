"""Broker: a trade server with one account, and the rows that its books are stored as."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ea_bridge.model import (
    Account,
    CheckResult,
    Deal,
    DealType,
    Order,
    OrderType,
    Position,
    StopoutMode,
    SymbolInfo,
    Tick,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)

from .checks import refusal, terminal_refusal
from .execution import Execution
from .ledger import (
    BrokerLedger,
    ClosedTrade,
    Holding,
    TradeEvent,
    find_closed_trade,
    select_deals,
    select_orders,
)
from .matching import Matching, Rollover
from .positions import Accounting, Hedging, Mt4, Netting
from .prices import Prices, QuoteSource, exact, rounded
from .requests import COMMENTS, CheckContext, RequestRefused, ResolvedRequest, answer, look_up
from .terms import Script, Switches, Terms, terms_of
from .valuation import Valuation, margin_after

_SECOND_MS = 1000


class Broker:
    """Orders, fills, positions, margin and history of one account.

    Sans-I/O and deterministic: it reads prices from ``quotes`` and time from its arguments
    (milliseconds of the broker's wall clock); the seed decides where tickets begin. Feed it
    with :meth:`on_tick` after each tick and with :meth:`on_time` at least at every midnight.

    ``account`` is a template: who the account belongs to, leverage, currency, stop-out levels,
    margin mode. Its sums are ignored; money comes in by :meth:`deposit` or :meth:`load`.
    ``first_ticket``, where given, is where the tickets of orders and of deals begin instead.
    """

    def __init__(
        self,
        quotes: QuoteSource,
        account: Account,
        terms: Terms | None = None,
        *,
        seed: int = 0,
        first_ticket: int = 0,
    ) -> None:
        self.terms = terms_of(account) if terms is None else terms
        self.switches = Switches()
        self.script = Script()
        self._template = account
        first = random.Random(seed)  # noqa: S311 - tickets are no secrets
        drawn = first.randrange(10**8, 2 * 10**8), first.randrange(10**8, 2 * 10**8)
        self._ledger = BrokerLedger(first_ticket or drawn[0], first_ticket or drawn[1])
        self._prices = Prices(quotes)
        self._valuation = Valuation(self._prices, self._ledger, self.terms)
        accounting = self._accounting()
        self._execution = Execution(accounting, self.script)
        self._matching = Matching(self._valuation, self._execution)
        self._rollover = Rollover(self._valuation)
        self._context = CheckContext(self._valuation, self.switches)
        self._requests = 0
        self._recent: deque[int] = deque(maxlen=max(1, self.terms.requests_per_second))
        self._carry_out = {
            TradeAction.DEAL: self._execution.deal,
            TradeAction.PENDING: self._execution.place,
            TradeAction.SLTP: self._execution.change_stops,
            TradeAction.MODIFY: self._execution.modify,
            TradeAction.REMOVE: self._execution.remove,
            TradeAction.CLOSE_BY: self._execution.close_by,
        }

    def _accounting(self) -> Accounting:
        if self.terms.platform == "mt4":
            return Mt4(self._valuation)
        return (Hedging if self.terms.hedging else Netting)(self._valuation)

    # --- requests --------------------------------------------------------------------------

    def send(self, request: TradeRequest, now_msc: int) -> TradeResult:
        """Carry out a request (``OrderSend``). Refusals are results too, never exceptions."""
        # what has expired or fallen due since the last tick comes first
        self.on_time(now_msc)
        self._requests += 1
        tick = self._prices.tick(request.symbol)
        try:
            resolved = self._checked(request, now_msc)
            tick = resolved.tick
            self._refuse_by_server(now_msc)  # after the checks: OrderCheck knows nothing of it
            result = self._carry_out[TradeAction(request.action)](resolved)
        except RequestRefused as refused:
            result = self._refusal(refused.retcode, tick)
        return replace(result, request_id=self._requests)

    def check(self, request: TradeRequest, now_msc: int) -> CheckResult:
        """Say whether a request would pass, and the account after it (``OrderCheck``).

        ``retcode`` 0 means it would; a refusal leaves the sums 0, but for 10019, which shows the
        margin that was too much.
        """
        try:
            resolved = self._checked(request, now_msc)
        except RequestRefused as refused:
            if refused.retcode != TradeRetcode.NO_MONEY:
                return CheckResult(retcode=refused.retcode, comment=COMMENTS[refused.retcode])
            resolved = look_up(request, self._valuation, now_msc)
            return self._foreseen(resolved, refused.retcode, COMMENTS[refused.retcode])
        return self._foreseen(resolved, 0, "Done")

    def _checked(self, request: TradeRequest, now_msc: int) -> ResolvedRequest:
        refused = terminal_refusal(self._context)
        if refused is not None:
            raise RequestRefused(refused)
        resolved = look_up(request, self._valuation, now_msc)
        refused = refusal(self._context, resolved)
        if refused is not None:
            raise RequestRefused(refused)
        return resolved

    def _refuse_by_server(self, now_msc: int) -> None:
        """Refuse for reasons that lie not in the request: too many of them, or the script."""
        if self.terms.requests_per_second:
            full = len(self._recent) == self._recent.maxlen
            if full and now_msc - self._recent[0] < _SECOND_MS:
                raise RequestRefused(TradeRetcode.TOO_MANY_REQUESTS)
            self._recent.append(now_msc)
        if self.script.refusals:
            raise RequestRefused(self.script.refusals.popleft())

    def _refusal(self, retcode: TradeRetcode, tick: Tick | None) -> TradeResult:
        """Return a refusal; it shows the market only where the price was the reason."""
        priced = {TradeRetcode.REQUOTE, TradeRetcode.PRICE_CHANGED}
        return answer(retcode, tick if retcode in priced else None)

    def _foreseen(self, resolved: ResolvedRequest, retcode: int, comment: str) -> CheckResult:
        used = self._valuation.used_margin()
        if resolved.request.action == TradeAction.DEAL:
            after = margin_after(self._valuation, resolved.trade)
            used = used if after is None else after  # 0 where the last position closes
        equity, balance = self._valuation.equity(), self._ledger.balance
        return CheckResult(
            retcode=retcode,
            balance=float(balance),
            equity=float(equity),
            profit=float(self._valuation.result()),
            margin=float(used),
            margin_free=float(equity - used),
            margin_level=float(equity) / float(used) * 100 if used > 0 else 0.0,
            comment=comment,
        )

    # --- time and prices -------------------------------------------------------------------

    def on_tick(self, symbol: str, tick: Tick, now_msc: int) -> None:
        """Match orders and stops against a new tick. One without prices does nothing."""
        with self._prices.during(symbol, tick):
            self.on_time(now_msc)
            spec = self._prices.symbol(symbol)
            if spec is not None and tick.bid > 0 and tick.ask > 0:
                self._matching.on_tick(spec, tick, now_msc)

    def quoting(self, symbol: str, tick: Tick) -> AbstractContextManager[None]:
        """Let this tick be the symbol's newest, for requests that answer it."""
        return self._prices.during(symbol, tick)

    def on_time(self, now_msc: int) -> None:
        """Expire orders, fill delayed ones, charge swaps when a day has ended."""
        self._rollover.on_time(now_msc)
        self._matching.run_due(now_msc)

    # --- calculations ----------------------------------------------------------------------

    def calc_margin(self, type_: int, symbol: str, volume: float, price: float) -> float | None:
        """``OrderCalcMargin``: by itself, without the positions there are; ``None`` if the
        symbol is unknown or its currency cannot be converted.
        """
        spec = self._calculable(type_, symbol, volume, price)
        if spec is None:
            return None
        amount = self._valuation.margin(
            spec, exact(volume), exact(price), buying=type_ == OrderType.BUY
        )
        return None if amount is None else float(amount)

    def calc_profit(
        self, type_: int, symbol: str, volume: float, price_open: float, price_close: float
    ) -> float | None:
        """``OrderCalcProfit``; ``None`` as for :meth:`calc_margin`."""
        spec = self._calculable(type_, symbol, volume, price_open, price_close)
        if spec is None:
            return None
        amount = self._valuation.profit(
            spec,
            exact(volume),
            exact(price_open),
            exact(price_close),
            long=type_ == OrderType.BUY,
        )
        return None if amount is None else float(amount)

    def with_tick_value(self, symbol: SymbolInfo) -> SymbolInfo:
        """Return a specification with what a tick is worth on this account, now."""
        return self._valuation.with_tick_value(symbol)

    def _calculable(self, type_: int, symbol: str, *numbers: float) -> SymbolInfo | None:
        sane = all(math.isfinite(number) and number > 0 for number in numbers)
        sided = type_ in (OrderType.BUY, OrderType.SELL)
        return self._prices.symbol(symbol) if sane and sided else None

    # --- the account -----------------------------------------------------------------------

    def account(self) -> Account:
        """Return the account as of the newest quotes."""
        return self._valuation.account(self._template, self.switches)

    @property
    def identity(self) -> tuple[int, str]:
        """Login and server of the account."""
        return self._template.login, self._template.server

    def margin_call(self) -> bool:
        """Whether the account is at or below its margin call level."""
        level = self._valuation.margin_level()
        if self.terms.stopout_mode == StopoutMode.MONEY:
            free = self._valuation.equity() - self._valuation.used_margin()
            return level is not None and free <= self.terms.margin_call
        return level is not None and level <= self.terms.margin_call

    def positions(self, symbol: str | None = None, ticket: int | None = None) -> list[Position]:
        """Return open positions, oldest first, with present price and profit."""
        return [
            self._valuation.shown(holding.position)
            for holding in self._ledger.holdings.values()
            if symbol in (None, holding.position.symbol)
            and ticket in (None, holding.position.ticket)
        ]

    def orders(self, symbol: str | None = None, ticket: int | None = None) -> list[Order]:
        """Return open orders with the present price of their side."""
        return [
            self._with_price(order)
            for order in self._ledger.orders.values()
            if symbol in (None, order.symbol) and ticket in (None, order.ticket)
        ]

    def _with_price(self, order: Order) -> Order:
        spec = self._prices.symbol(order.symbol)
        # in ENUM_ORDER_TYPE even numbers buy and odd ones sell
        buying = order.type % 2 == OrderType.BUY
        price = None if spec is None else self._prices.price(spec, buying)
        return order if price is None else replace(order, price_current=float(price))

    def history_orders(
        self,
        from_s: int | None = None,
        to_s: int | None = None,
        ticket: int | None = None,
        position: int | None = None,
    ) -> list[Order]:
        """Return past orders by the time they ended, both ends included.

        On MetaTrader 4: deleted orders and closed trades.
        """
        return select_orders(self._ledger, from_s, to_s, ticket, position)

    def history_deals(
        self,
        from_s: int | None = None,
        to_s: int | None = None,
        ticket: int | None = None,
        position: int | None = None,
    ) -> list[Deal]:
        """Return deals by their time, both ends included; ``ticket`` is the order's, as in
        ``HistoryParams``. Empty on MetaTrader 4, which has no deals.
        """
        if self.terms.platform == "mt4":
            return []
        return select_deals(self._ledger, from_s, to_s, ticket, position)

    def closed_trades(self) -> list[ClosedTrade]:
        """Return MetaTrader 4's closed trades with their profit, swap and commission."""
        closed = (self.closed_trade(order) for order in self._ledger.past_orders.values())
        return [trade for trade in closed if trade is not None]

    def closed_trade(self, order: Order) -> ClosedTrade | None:
        """Return what a past order of MetaTrader 4 brought; ``None`` if it was no trade."""
        if self.terms.platform != "mt4":
            return None
        return find_closed_trade(self._ledger, order)

    def take_events(self) -> list[TradeEvent]:
        """Return what changed since last asked, in MetaTrader 5's order: order, deal, position,
        order gone. Positions carry their present profit. MetaTrader 4 tells of no deals.
        """
        events = self._ledger.take_events()
        if self.terms.platform == "mt4":
            events = [event for event in events if event.deal is None]
        return [self._with_profit(event) for event in events]

    def _with_profit(self, event: TradeEvent) -> TradeEvent:
        # a position that is gone has nothing floating any more
        if event.position is None or event.op == "remove":
            return event
        position = self._valuation.shown(event.position)
        return TradeEvent(op=event.op, time_msc=event.time_msc, position=position)

    @property
    def events_lost(self) -> int:
        """Number of events that were dropped, since nobody took them in time."""
        return self._ledger.events_lost

    # --- money and seeding -----------------------------------------------------------------

    def deposit(self, amount: float, now_msc: int, comment: str = "Deposit") -> Deal:
        """Book money that comes in."""
        return self._balance(DealType.BALANCE, amount, now_msc, comment)

    def withdraw(self, amount: float, now_msc: int, comment: str = "Withdrawal") -> Deal:
        """Book money that goes out; ``amount`` is positive."""
        return self._balance(DealType.BALANCE, -amount, now_msc, comment)

    def grant_credit(self, amount: float, now_msc: int, comment: str = "Credit") -> Deal:
        """Book credit: it counts for equity, not for balance; negative takes it away."""
        return self._balance(DealType.CREDIT, amount, now_msc, comment)

    def _balance(self, kind: DealType, amount: float, now_msc: int, comment: str) -> Deal:
        self.on_time(now_msc)
        deal = Deal(
            ticket=self._ledger.new_deal_ticket(),
            time=now_msc // 1000,
            time_msc=now_msc,
            type=kind,
            profit=float(rounded(exact(amount), self.terms.currency_digits)),
            comment=comment,
        )
        self._ledger.add_deal(deal)
        return deal

    def set_swap(self, position: int, swap: float, now_msc: int) -> None:
        """Set the swap of a position, as a broker's correction does.

        Raises:
            LookupError: there is no such position.

        """
        self._ledger.set_swap(position, rounded(exact(swap), self.terms.currency_digits), now_msc)

    def load(self, orders: Iterable[Order] = (), deals: Iterable[Deal] = ()) -> None:
        """Enter past deals and orders, and pending orders, as if they had always been there:
        the balance follows, no events are told, new tickets continue above.
        """
        self._ledger.load(orders, deals)

    @property
    def books(self) -> BrokerLedger:
        """The books themselves, for one who keeps them between runs."""
        return self._ledger

    @property
    def balance(self) -> Decimal:
        """The balance, exactly."""
        return self._ledger.balance


def closes_nothing(broker: Broker, request: TradeRequest) -> TradeRetcode | None:
    """Return why a deal that names a position would not close it on a netting account.

    See :class:`~ea_bridge.model.TradeRequest`. Deals on their way count as done.
    """
    if broker.terms.hedging or request.action != TradeAction.DEAL or not request.position:
        return None
    found = broker.positions(request.symbol, request.position)
    if not found:
        return TradeRetcode.POSITION_CLOSED
    if request.type == found[0].type:
        return TradeRetcode.INVALID
    waiting = [order for order in broker.orders(request.symbol) if order.type == request.type]
    volume = sum(exact(order.volume_current) for order in waiting) + exact(request.volume)
    too_much = volume > exact(found[0].volume)
    return TradeRetcode.INVALID_CLOSE_VOLUME if too_much else None


def past_orders(
    broker: Broker,
    from_s: int | None = None,
    to_s: int | None = None,
    ticket: int | None = None,
    position: int | None = None,
) -> list[Order]:
    """Return past orders; on MetaTrader 4 closed trades too, with the money that they brought."""
    orders = broker.history_orders(from_s, to_s, ticket, position)
    if broker.terms.platform == "mt5":
        return orders
    return [
        replace(order, profit=trade.profit, swap=trade.swap, commission=trade.commission)
        if (trade := broker.closed_trade(order)) is not None
        else order
        for order in orders
    ]


KINDS: Mapping[str, Any] = {"order": Order, "past": Order, "holding": Holding, "deal": Deal}
"""Kinds of rows."""
_decoders = {kind: msgspec.json.Decoder(type_) for kind, type_ in KINDS.items()}


class RowChanges(NamedTuple):
    """Rows that are to be written."""

    gone: list[tuple[str, int]]
    """Kind and ticket of rows to delete."""
    fresh: list[tuple[str, int, str]]
    """Kind, ticket and text of rows to write, over those that are there."""


class BookRows:
    """The rows of one broker's books, as they were written last.

    What is open is compared with what was written last; what is past is only ever added to, so
    that its newest are what there is to write.
    """

    def __init__(self) -> None:
        self._open: dict[str, dict[int, Any]] = {"order": {}, "holding": {}}
        self._past = {"past": 0, "deal": 0}

    def load(self, broker: Broker, rows: Iterable[tuple[str, str]], time_msc: int) -> bool:
        """Put rows of kind and text into a new broker; return whether there were any.

        Args:
            time_msc: when they were written last; days that have ended since are charged for.

        """
        found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        for kind, text in rows:
            found[kind].append(_decoders[kind].decode(text))
        if not any(found.values()):
            return False
        broker.books.restore(
            orders=found["order"],
            past_orders=found["past"],
            holdings=found["holding"],
            deals=found["deal"],
        )
        self._note(broker)
        broker.on_time(time_msc)
        return True

    def changes(self, broker: Broker) -> RowChanges:
        """Return what has changed since the last time; that counts as written from now on."""
        changes = RowChanges(self._gone(broker), self._fresh(broker))
        self._note(broker)
        return changes

    def _gone(self, broker: Broker) -> list[tuple[str, int]]:
        now = _open(broker)
        return [
            (kind, ticket)
            for kind, before in self._open.items()
            for ticket in before
            if ticket not in now[kind]
        ]

    def _fresh(self, broker: Broker) -> list[tuple[str, int, str]]:
        books = broker.books
        changed = [
            (kind, ticket, _text(row))
            for kind, open_ in _open(broker).items()
            for ticket, row in open_.items()
            # records are frozen, so what has changed is another object: no member is compared
            if self._open[kind].get(ticket) is not row
        ]
        past = _newest(books.past_orders.values(), self._past["past"], len(books.past_orders))
        deals = _newest(books.deals.values(), self._past["deal"], len(books.deals))
        changed += [("past", order.ticket, _text(order)) for order in past]
        changed += [("deal", deal.ticket, _text(deal)) for deal in deals]
        return changed

    def _note(self, broker: Broker) -> None:
        self._open = {kind: dict(open_) for kind, open_ in _open(broker).items()}
        books = broker.books
        self._past = {"past": len(books.past_orders), "deal": len(books.deals)}


def _open(broker: Broker) -> dict[str, dict[int, Any]]:
    return {"order": broker.books.orders, "holding": broker.books.holdings}


def _newest(values: Iterable[Any], known: int, count: int) -> list[Any]:
    """Return the last of a dict's values, without a look at those before."""
    return list(islice(reversed(values), count - known))  # type: ignore[call-overload]  # values of a dict can be reversed


def _text(body: Any) -> str:
    return msgspec.json.encode(body).decode()
