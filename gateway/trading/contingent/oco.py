"""One cancels the other: orders of which the first that ends takes the others with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from ea_bridge import commands, host
from ea_bridge.model import Order, OrderState
from gateway.background import RetryingTasks
from gateway.credentials.lease import Tier
from gateway.errors import GatewayError, InvalidParams, OrderNotFound
from gateway.storage.store import StoreError
from gateway.trading.journal import AccountKey
from gateway.trading.orders import cancel
from gateway.trading.requests import Deadline, ExecutionOptions, new_client_order_id
from gateway.trading.state import NullContingentOrders, StateOf
from gateway.trading.terminal import GuardedTerminal

from .records import ContingentBook, LinkedOrder, OcoLink, OrderEnd

MAX_ORDERS = 20
"""In one link."""
MAX_LINKS = 1000
"""Of one terminal, active at a time."""
TTL_MS = 5000
TRIES = 5
"""Cancels of each order of a link that a drain waits for."""
GONE_S = 3.0
"""How long an order is in no list before it is taken for ended."""
UNTOLD_S = 30.0
"""The same where the terminal does not tell what is in its history."""
ENDS: dict[int, OrderEnd] = {
    OrderState.FILLED: "filled",
    OrderState.PARTIAL: "filled",
    OrderState.CANCELED: "canceled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "rejected",
}

ActAs = Callable[[str], GuardedTerminal]
"""Return the terminal as the token of an id may use it now."""

_log = logging.getLogger(__name__)


class OcoLinks:
    """The links of one terminal.

    Args:
        book: their rows.
        tasks: runs what is to be done by and by.
        kept: the orders that are held here.
        act_as: see :data:`ActAs`.
        state_of: returns the shared state of a terminal.
        now_ms: UTC milliseconds.

    """

    def __init__(
        self,
        book: ContingentBook[OcoLink],
        tasks: RetryingTasks,
        kept: NullContingentOrders,
        act_as: ActAs,
        state_of: StateOf,
        now_ms: Callable[[], int],
    ) -> None:
        self._book = book
        self._tasks = tasks
        self._kept = kept
        self._act_as = act_as
        self._state_of = state_of
        self._now_ms = now_ms
        self._links = book.open()
        self._adding = 0
        """New ones that are being written."""
        self._ending: dict[int, OcoLink] = {}
        """Those that are over, until that is on the disk."""
        self._missed: dict[tuple[AccountKey, int], float] = {}
        """Orders that are in no list, and since when; seconds that only grow."""
        self._row_of = {
            (link.account, ticket): row
            for row, link in self._links.items()
            for ticket in link.waiting
        }

    def __len__(self) -> int:
        """Number of those that are not over."""
        return len(self._links)

    @property
    def cancelling(self) -> int:
        """Number of links whose orders are being cancelled, where the terminal is there.

        Those that were refused again and again do not count: nobody can wait for them.
        """
        return sum(
            link.state == "cancelling"
            and link.attempt < TRIES * len(link.orders)
            and self._is_there(link)
            for link in self._links.values()
        )

    def _is_there(self, link: OcoLink) -> bool:
        terminal = self._act_as(link.tid)
        session = terminal.session
        return (
            session is not None
            and session.broker is not False
            and account_of(terminal) == link.account
        )

    # --- what callers ask --------------------------------------------------------------------

    async def link(self, terminal: GuardedTerminal, tid: str, tickets: Sequence[int]) -> OcoLink:
        """Link pending orders; those that are linked with each other already stay so.

        Raises:
            InvalidParams: one of them is linked with others.
            OrderNotFound: one of them does not wait (any more); nothing was linked.
            StoreError: it cannot be written; nothing was linked.

        """
        wanted = frozenset(tickets)
        account = account_of(terminal)
        # linking sends nothing yet: what it leads to are cancels, which only reduce
        terminal.require(Tier.REDUCE)
        present = self._linked(account, wanted)
        if present is not None:
            return present
        await self._check_waiting(terminal, wanted)
        link = OcoLink(
            id="oco-" + new_client_order_id(self._now_ms())[3:],
            account=account,
            tid=tid,
            created_ms=self._now_ms(),
            orders=tuple(LinkedOrder(ticket=ticket) for ticket in sorted(wanted)),
        )
        present = self._linked(account, wanted)
        if present is not None:  # the same call came twice, and this one was slower
            return present
        # counted before the write: calls that cross must not pass the limit together
        self._adding += 1
        try:
            # the check is made once more in the transaction: another call may have passed it
            # meanwhile
            row = await self._book.add_apart(
                link.id, link, lambda other: bool(other.waiting & wanted)
            )
        finally:
            self._adding -= 1
        if row is None:
            raise RuntimeError("a new link has the id of another")
        if isinstance(row, OcoLink):  # of a call that crossed this one
            _check_same(row, wanted)
            return row
        # no await between the row and the maps: an event in between would find no link
        self._links[row] = link
        self._row_of |= {(account, ticket): row for ticket in wanted}
        self.watch(tid)
        # one that ended while the row was written was not ours yet
        with suppress(GatewayError):  # it is linked all the same, and the watch looks again
            await self.look(terminal)
        return self._links.get(row) or self._book.get(row) or link

    async def unlink(self, account: AccountKey | None, link_id: str) -> OcoLink:
        """Let the orders of a link live apart.

        Raises:
            OrderNotFound: there is no such link of this account.
            StoreError: it cannot be written; they stay linked.

        """
        for row, link in self._links.items():
            if (link.id, link.account) == (link_id, account) and link.state == "active":
                ended = replace(link, state="unlinked", ended_ms=self._now_ms())
                try:
                    await self._put(row, ended, is_open=False)
                except StoreError:
                    self._take_back(row, link)
                    raise
                return ended
        found = None if account is None else self._book.find(account, link_id)
        if found is None:
            raise OrderNotFound("There is no such link", link=link_id, outcome="not_sent")
        return found[1]

    def _take_back(self, row: int, link: OcoLink) -> None:
        """A link that was to end has not: see what became of its orders meanwhile."""
        self._links[row] = link
        self._row_of |= {(link.account, ticket): row for ticket in link.waiting}
        self._tasks.begin(("oco back", row), partial(self._look_once, link.tid))

    async def _look_once(self, tid: str) -> bool:
        terminal = self._act_as(tid)
        if terminal.session is not None:
            await self.look(terminal)
        return True

    def list(self, account: AccountKey | None, *, past: int = 0) -> list[OcoLink]:
        """Return the links that are not over, oldest first, then the newest that are."""
        links = [link for link in self._links.values() if link.account == account]
        ended = {
            link.id: link for link in self._book.newest(past) if link.state in ("done", "unlinked")
        }
        if past:
            ended = {link.id: link for link in self._ending.values()} | ended
        return links + [link for link in ended.values() if link.account == account][:past]

    def _linked(self, account: AccountKey, wanted: frozenset[int]) -> OcoLink | None:
        rows = {
            row for ticket in wanted if (row := self._row_of.get((account, ticket))) is not None
        }
        for row in rows:
            _check_same(self._links[row], wanted)
            return self._links[row]
        if len(self._links) + self._adding >= MAX_LINKS:
            reason = f"there are {MAX_LINKS} links already"
            raise InvalidParams(errors=[{"field": "tickets", "reason": reason}])
        return None

    async def _check_waiting(self, terminal: GuardedTerminal, wanted: frozenset[int]) -> None:
        missing = wanted - {order.ticket for order in await _waiting(terminal, self._kept)}
        if missing:
            raise OrderNotFound(ticket=min(missing), tickets=sorted(missing))

    # --- what happens ------------------------------------------------------------------------

    def on_order(self, account: AccountKey, op: str, order: Order) -> None:
        """Take a change of an order, as the terminal or the gateway tells it."""
        row = self._row_of.get((account, order.ticket))
        if row is None:
            return
        # a held order that was triggered goes on as the limit order of the terminal
        if order.became:
            self._rename(row, order.ticket, order.became)
        # a part of a fill is exposure already: the other order must go at once
        elif op == "remove" or order.state == OrderState.PARTIAL:
            self._ended(row, order.ticket, ENDS.get(order.state, "gone"))

    def watch(self, tid: str) -> None:
        """Look every few seconds while anything is linked: the event that tells of a fill may be
        lost, and the other order would be filled as well.
        """
        self._tasks.begin("oco watch", partial(self._watch, tid))

    async def _watch(self, tid: str) -> bool:
        terminal = self._act_as(tid)
        session = terminal.session
        if not self._links or session is None:
            return True  # the next link, of orders or of the terminal, begins anew
        # without its broker a terminal shows empty lists, and every order would seem gone
        if session.broker is True:
            try:
                await self.look(terminal)
            except GatewayError as error:
                _log.info("%s: linked orders are not looked at: %s", terminal.name, error.name())
        return False

    async def look(self, terminal: GuardedTerminal) -> None:
        """Find out what ended while nobody listened.

        Raises:
            GatewayError: the terminal did not tell.

        """
        account = account_of(terminal)
        expected = {ticket for of, ticket in self._row_of if of == account}
        if not expected:
            return
        there = {order.ticket: order for order in await _waiting(terminal, self._kept)}
        for ticket in there:
            self._missed.pop((account, ticket), None)
        for ticket in sorted(expected):
            # asked anew for each ticket: while the terminal told of one, another link may end
            row = self._row_of.get((account, ticket))
            order = there.get(ticket)
            if row is not None and (order is None or order.state == OrderState.PARTIAL):
                end = await _end_of(terminal, self._kept, ticket) if order is None else "filled"
                if account_of(terminal) != account:
                    return  # logged in elsewhere while it told: it is looked again at the return
                missed_s = self._missed_s((account, ticket))
                # a terminal that does not tell its history must not keep the other order for ever
                if end is None and missed_s >= UNTOLD_S:
                    end = "gone"
                # history lags a moment behind the lists: "gone" now may be "filled" in a second
                if end is not None and (end != "gone" or missed_s >= GONE_S):
                    self._ended(row, ticket, end)
        for row, link in list(self._links.items()):
            if link.account == account and link.state == "cancelling":
                self._tasks.begin(("oco", row), partial(self._settle, row))

    def _missed_s(self, order: tuple[AccountKey, int]) -> float:
        """Return for how long an order is in no list: those of a terminal that has just come back
        are empty for a moment.
        """
        now_s = host.monotonic_s()
        return now_s - self._missed.setdefault(order, now_s)

    def _ended(self, row: int, ticket: int, end: OrderEnd) -> None:
        link = self._links.get(row)
        if link is None:
            return
        # from here on the order is nobody's: what is told of it twice ends the link once
        self._missed.pop((link.account, ticket), None)
        self._row_of.pop((link.account, ticket), None)
        orders = tuple(
            replace(order, end=end) if order.ticket == ticket and not order.end else order
            for order in link.orders
        )
        self._links[row] = replace(link, orders=orders, state="cancelling")
        self._tasks.begin(("oco", row), partial(self._settle, row))

    def _rename(self, row: int, ticket: int, became: int) -> None:
        link = self._links[row]
        orders = tuple(
            replace(order, ticket=became) if order.ticket == ticket else order
            for order in link.orders
        )
        self._row_of.pop((link.account, ticket), None)
        self._row_of[link.account, became] = row
        self._links[row] = replace(link, orders=orders)
        self._tasks.begin(("oco rename", row), partial(self._keep, row))

    async def _keep(self, row: int) -> bool:
        link = self._links.get(row)
        if link is not None:
            await self._put(row, link, is_open=True)
            terminal = self._act_as(link.tid)
            if terminal.session is not None:
                await self.look(terminal)  # what it became may have ended by now
        return True

    # --- cancelling the others ---------------------------------------------------------------

    async def _settle(self, row: int) -> bool:
        """Cancel what is left of a link; whether nothing is."""
        link = self._links.get(row)
        if link is None:
            return True
        terminal = self._act_as(link.tid)
        if terminal.session is None or account_of(terminal) != link.account:
            await self._put(row, link, is_open=True)
            return True  # :meth:`look` takes it up when the terminal is back
        # one after the other, each with an attempt of its own on the disk before it is sent
        for ticket in sorted(link.waiting):
            await self._cancel(terminal, row, ticket)
        link = self._links[row]
        # some were not cancelled: RetryingTasks comes back to them
        if link.waiting:
            return False
        await self._put(row, replace(link, state="done", ended_ms=self._now_ms()), is_open=False)
        return True

    async def _cancel(self, terminal: GuardedTerminal, row: int, ticket: int) -> None:
        link = self._links[row]
        link = replace(link, attempt=link.attempt + 1)
        await self._put(row, link, is_open=True)  # the attempt's id is used once, whatever comes
        if account_of(terminal) != link.account:
            return  # logged in elsewhere by now
        options = ExecutionOptions(
            client_order_id=f"{link.id}.{link.attempt}",
            deadline=Deadline.of(self._now_ms, TTL_MS, None),
        )
        try:
            await cancel(terminal, self._state_of(terminal), ticket, options)
            end: OrderEnd | None = "canceled"
        except OrderNotFound:
            end = await _end_of(terminal, self._kept, ticket)
        except GatewayError as error:
            _log.warning("%s: order %d is not cancelled: %s", link.id, ticket, error.name())
            self._links[row] = replace(self._links[row], problem=error.name())
            return
        if end != "canceled" and account_of(terminal) != link.account:
            return  # what is not there is not there in another account
        if end is None:
            return  # it is looked again
        self._links[row] = replace(self._links[row], problem="")
        self._ended(row, ticket, end)

    async def _put(self, row: int, link: OcoLink, *, is_open: bool) -> None:
        if is_open:
            self._links[row] = link
        else:
            self._links.pop(row, None)
            # told by list() until the row says so: otherwise it were in neither for a moment
            self._ending[row] = link
            for order in link.orders:
                self._row_of.pop((link.account, order.ticket), None)
        try:
            await self._book.save(row, link, is_open=is_open)
        finally:
            self._ending.pop(row, None)


def _check_same(link: OcoLink, wanted: frozenset[int]) -> None:
    """Refuse to link orders of which some are linked with others."""
    linked = [order.ticket for order in link.orders]
    if set(linked) != wanted:
        reason = f"{min(wanted.intersection(linked))} is linked already, in {link.id}"
        raise InvalidParams(errors=[{"field": "tickets", "reason": reason}], linked=linked)


def account_of(terminal: GuardedTerminal) -> AccountKey:
    """Return the account whose orders those of a terminal are now.

    What the daemon keeps for orders on paper belongs to an account of its own, so that switching
    paper trading on or off lets it rest like the login to another account.

    Raises:
        TerminalDisconnected: nobody knows.

    """
    account = terminal.trading_account
    if account is None:
        raise terminal.offline()
    return account


async def _waiting(terminal: GuardedTerminal, kept: NullContingentOrders) -> list[Order]:
    """Return all pending orders: the terminal's, and those that are held here."""
    orders = await terminal.request(commands.ORDERS_GET, commands.FilterParams())
    return orders + kept.orders()


async def _end_of(
    terminal: GuardedTerminal, kept: NullContingentOrders, ticket: int
) -> OrderEnd | None:
    """Return how an order ended that does not wait any more, as far as the history tells.

    ``None``: the terminal does not answer. ``gone``: it is nowhere.
    """
    held = kept.past(ticket)
    if held is not None:
        return ENDS.get(held.state, "gone")
    params = commands.HistoryParams(ticket=ticket)
    try:
        past = await terminal.request(commands.HISTORY_ORDERS_GET, params)
    except GatewayError:
        return None
    if not past:
        # MetaTrader 4 turns a filled order into a position under the same ticket
        by_ticket = commands.FilterParams(ticket=ticket)
        try:
            positions = await terminal.request(commands.POSITIONS_GET, by_ticket)
        except GatewayError:
            return None
        return "filled" if positions else "gone"
    return ENDS.get(past[0].state, "gone")
