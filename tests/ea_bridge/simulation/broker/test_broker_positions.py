"""Netting, hedging and MetaTrader 4: what fills make of positions and deals."""

from __future__ import annotations

import pytest
from broker_bench import Bench, close_by, pending

from ea_bridge.model import DealEntry, OrderState, OrderType, TradeRetcode

T = OrderType


class TestNetting:
    """One position a symbol."""

    def test_fills_in_one_direction_average(self) -> None:
        """Volumes add, the price is weighted with them, the ticket stays the first order's."""
        bench = Bench(mode=0)
        first = bench.buy(0.1).order
        bench.move(1.1049, 1.105)
        bench.buy(0.3)
        [one] = bench.broker.positions()
        assert (one.ticket, one.volume) == (first, 0.4)
        assert one.price_open == pytest.approx((1.1001 + 3 * 1.105) / 4)
        entries = [deal.entry for deal in bench.broker.history_deals(position=first)]
        assert entries == [DealEntry.IN, DealEntry.IN]

    def test_an_opposite_fill_reduces_and_books_profit(self) -> None:
        """The opening price stays."""
        bench = Bench(mode=0)
        ticket = bench.buy(0.3).position
        bench.move(1.1011, 1.1012)
        bench.sell(0.1)
        [one] = bench.broker.positions()
        assert (one.volume, one.price_open) == (0.2, 1.1001)
        deal = bench.broker.history_deals(position=ticket)[-1]
        assert (deal.entry, deal.profit) == (DealEntry.OUT, 10.0)

    def test_an_equal_fill_closes(self) -> None:
        """Nothing is left."""
        bench = Bench(mode=0)
        bench.buy(0.3)
        bench.sell(0.3)
        assert bench.broker.positions() == []
        assert bench.broker.account().margin == 0

    def test_a_larger_fill_reverses_through_zero(self) -> None:
        """One INOUT deal; a new ticket, the identifier stays; profit on the closed part only."""
        bench = Bench(mode=0)
        ticket = bench.buy(0.1).position
        bench.move(1.1011, 1.1012)
        result = bench.sell(0.3)
        [one] = bench.broker.positions()
        assert (one.type, one.volume, one.price_open) == (1, 0.2, 1.1011)
        assert (one.ticket, one.identifier) == (result.order, ticket)
        deal = bench.broker.history_deals(position=ticket)[-1]
        assert (deal.entry, deal.volume, deal.profit) == (DealEntry.INOUT, 0.3, 10.0)

    def test_new_stops_replace_old_ones_when_a_position_grows(self) -> None:
        """Without stops in the order the position keeps its own."""
        bench = Bench(mode=0)
        bench.buy(0.1, sl=1.05)
        bench.buy(0.1, tp=1.2)
        [one] = bench.broker.positions()
        assert (one.sl, one.tp) == (1.05, 1.2)


class TestHedging:
    """Many positions a symbol."""

    def test_opposite_deals_do_not_net(self) -> None:
        """Two positions with the tickets of their orders."""
        bench = Bench()
        tickets = [bench.buy(0.1).order, bench.sell(0.1).order]
        assert [one.ticket for one in bench.broker.positions()] == tickets

    def test_partial_close_keeps_the_ticket(self) -> None:
        """MetaTrader 5 keeps it, unlike MetaTrader 4."""
        bench = Bench()
        ticket = bench.buy(0.3).position
        bench.move(1.1011, 1.1012)
        result = bench.sell(0.1, position=ticket)
        [one] = bench.broker.positions()
        assert (one.ticket, one.volume, result.position) == (ticket, 0.2, ticket)
        deal = bench.broker.history_deals()[-1]
        assert (deal.entry, deal.profit, deal.position_id) == (DealEntry.OUT, 10.0, ticket)

    def test_close_by_books_two_out_by_deals(self) -> None:
        """The smaller one goes, the larger keeps the rest; the spread is paid once, not twice."""
        bench = Bench()
        long = bench.buy(0.3).position
        bench.move(1.1011, 1.1012)
        short = bench.sell(0.1).position
        result = bench.send(close_by(long, short))
        assert (result.retcode, result.volume) == (TradeRetcode.DONE, 0.1)
        [left] = bench.broker.positions()
        assert (left.ticket, left.volume) == (long, 0.2)
        first, second = bench.broker.history_deals()[-2:]
        assert {first.entry, second.entry} == {DealEntry.OUT_BY}
        assert [first.position_id, second.position_id] == [long, short]
        assert [first.price, second.price] == [1.1011, 1.1001]
        assert [first.profit, second.profit] == [10.0, 0.0]
        [order] = bench.broker.history_orders(ticket=result.order)
        assert (order.type, order.state) == (T.CLOSE_BY, OrderState.FILLED)
        assert (order.position_id, order.position_by_id) == (long, short)

    def test_close_by_names_the_first_position(self) -> None:
        """As the EA does: the one that the request names, whichever is left."""
        bench = Bench()
        long, short = bench.buy(0.1).position, bench.sell(0.3).position
        assert bench.send(close_by(long, short)).position == long

    def test_orders_and_deals_count_by_themselves(self) -> None:
        """Two ticket spaces: each counts up by one."""
        bench = Bench()
        results = [bench.buy() for _ in range(3)]
        orders, deals = [r.order for r in results], [r.deal for r in results]
        assert orders == list(range(orders[0], orders[0] + 3))
        assert deals == list(range(deals[0], deals[0] + 3))

    def test_commission_is_charged_by_each_side(self) -> None:
        """3.50 a lot and side, booked with the deal."""
        bench = Bench(commission_per_lot=3.5)
        ticket = bench.buy(0.3).position
        bench.sell(0.3, position=ticket)
        assert [deal.commission for deal in bench.broker.history_deals()[1:]] == [-1.05, -1.05]
        assert bench.broker.account().balance == 10_000 - 3.0 - 2.1

    def test_history_is_found_by_time_order_and_position(self) -> None:
        """Both ends of a time span count."""
        bench = Bench()
        opened = bench.buy()
        bench.now += 5000
        closed = bench.sell(position=opened.position)
        broker, at = bench.broker, bench.now // 1000
        assert [d.ticket for d in broker.history_deals(from_s=at, to_s=at)] == [closed.deal]
        assert [d.ticket for d in broker.history_deals(ticket=opened.order)] == [opened.deal]
        both = [opened.order, closed.order]
        assert [o.ticket for o in broker.history_orders(position=opened.position)] == both
        assert broker.history_orders(to_s=at - 6) == []


class TestMt4:
    """One ticket from the order to the history; no deals."""

    def test_a_trade_keeps_one_ticket_into_the_history(self) -> None:
        """The closed trade shows opening and closing price and time."""
        bench = Bench(platform="mt4")
        ticket = bench.buy(0.1, comment="mine", sl=1.05).order
        opened = bench.now
        bench.move(1.1011, 1.1012)
        result = bench.sell(0.1, position=ticket)
        assert (result.order, result.deal) == (ticket, 0)
        [one] = bench.broker.history_orders()
        assert (one.ticket, one.type, one.comment, one.sl) == (ticket, T.BUY, "mine", 1.05)
        assert (one.price_open, one.price_current) == (1.1001, 1.1011)
        assert (one.time_setup_msc, one.time_done_msc) == (opened, bench.now)
        assert bench.broker.history_deals() == []
        assert [trade.profit for trade in bench.broker.closed_trades()] == [10.0]
        assert bench.broker.account().balance == 10_010.0

    def test_partial_close_gives_the_rest_a_new_ticket(self) -> None:
        """``from #<old>`` on the rest, ``to #<new>`` on what was closed."""
        bench = Bench(platform="mt4")
        old = bench.buy(0.3).order
        result = bench.sell(0.1, position=old)
        [rest] = bench.broker.positions()
        assert (rest.volume, rest.comment) == (0.2, f"from #{old}")
        assert rest.ticket == result.position == old + 1
        [closed] = bench.broker.history_orders()
        assert (closed.ticket, closed.volume_initial) == (old, 0.1)
        assert closed.comment == f"to #{rest.ticket}"
        assert rest.price_open == closed.price_open

    @pytest.mark.parametrize(("long", "short"), [(0.1, 0.1), (0.3, 0.1), (0.1, 0.3)])
    def test_close_by_leaves_the_rest_under_a_new_ticket(self, long: float, short: float) -> None:
        """All profit on the first, the second with volume 0 and a note."""
        bench = Bench(platform="mt4")
        first = bench.buy(long).order
        bench.move(1.1011, 1.1012)
        second = bench.sell(short).order
        assert bench.send(close_by(first, second)).retcode == TradeRetcode.DONE
        assert [round(p.volume, 2) for p in bench.broker.positions()] == (
            [] if long == short else [0.2]
        )
        assert {first, second}.isdisjoint(p.ticket for p in bench.broker.positions())
        trades = {one.order.ticket: one for one in bench.broker.closed_trades()}
        assert (trades[first].profit, trades[second].profit) == (10.0, 0.0)
        assert trades[second].order.volume_initial == 0
        assert trades[second].order.comment == f"close hedge by #{first}"

    def test_a_pending_order_keeps_its_ticket_as_a_trade(self) -> None:
        """It leaves the book and is in no history until the trade closes."""
        bench = Bench(platform="mt4")
        ticket = bench.send(pending(T.BUY_LIMIT, 1.09)).order
        bench.move(1.0899, 1.09)
        assert bench.broker.orders() == []
        assert bench.broker.history_orders() == []
        assert [one.ticket for one in bench.broker.positions()] == [ticket]

    def test_there_are_no_stop_limit_orders(self) -> None:
        """10035."""
        bench = Bench(platform="mt4")
        request = pending(T.BUY_STOP_LIMIT, 1.11, stoplimit=1.105)
        assert bench.send(request).retcode == TradeRetcode.INVALID_ORDER

    def test_filling_modes_do_not_matter(self) -> None:
        """There is no choice of them."""
        assert Bench(platform="mt4").buy(type_filling=2).retcode == TradeRetcode.DONE

    def test_stops_append_their_word_to_the_comment(self) -> None:
        """``mine[sl]``."""
        bench = Bench(platform="mt4")
        bench.buy(sl=1.09, comment="mine")
        bench.move(1.08)
        assert [one.comment for one in bench.broker.history_orders()] == ["mine[sl]"]

    def test_commission_is_shown_at_once_and_charged_at_the_end(self) -> None:
        """Both sides together; equity knows it from the start."""
        bench = Bench(platform="mt4", commission_per_lot=3.5)
        ticket = bench.buy(0.2).order
        account = bench.broker.account()
        assert (account.balance, account.equity) == (10_000.0, 10_000 - 2.0 - 1.4)
        bench.sell(0.2, position=ticket)
        assert bench.broker.account().balance == 10_000 - 2.0 - 1.4
        assert [one.commission for one in bench.broker.closed_trades()] == [-1.4]

    def test_events_tell_of_no_deals(self) -> None:
        """An EA of MetaTrader 4 sees its pools of orders alone."""
        bench = Bench(platform="mt4")
        ticket = bench.buy(0.2).order
        bench.sell(0.1, position=ticket)
        told = bench.broker.take_events()
        assert [(e.op, e.position.ticket) for e in told if e.position] == [
            ("add", ticket),
            ("remove", ticket),
            ("add", ticket + 1),
        ]
        assert all(event.deal is None for event in told)
