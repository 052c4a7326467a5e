"""Watch over a ledger: each of its transactions is judged before it is committed.

Temporary triggers on the connection of the ledger's writer tell of every row that moves, with the
state before and after, whatever code has moved it. Nothing of that is in the file. What was told
is judged when the work is done and the commit has not begun, so that the rows can be looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from sqlite3 import Connection
from typing import Any

import orjson

from gateway.storage.ledger import Ledger
from gateway.trading.journal.journal import decode_error

from .invariants import Invariants
from .journal_rules import (
    CONTINGENT,
    ENDS,
    MANAGER_CHANGE,
    ORDER,
    ORDER_ANEW,
    SEND,
    SETTLED_BY_HAND,
    fault_of_order,
    is_allowed,
)
from .ledger_truth import Command, LedgerTruth
from .loop import Killed
from .rare_points import AFTER_ROW, MOVES, move_of

_TRIGGERS = {
    "orders": """
CREATE TEMP TRIGGER seen_order_new AFTER INSERT ON main.orders BEGIN
    SELECT seen_order(NEW.id, '', NEW.stage, NEW.client_order_id, 1, NEW.reconciled, NULL,
        NEW.answer);
END;
CREATE TEMP TRIGGER seen_order_moved AFTER UPDATE ON main.orders BEGIN
    SELECT seen_order(NEW.id, OLD.stage, NEW.stage, NEW.client_order_id,
        OLD.answer IS NOT NEW.answer, NEW.reconciled,
        CASE WHEN OLD.stage IN ('done', 'rejected') THEN
            (SELECT watched_until_ms FROM settlements WHERE order_id = OLD.id) END,
        CASE WHEN NEW.stage = 'not_sent' THEN NEW.answer END);
END;
CREATE TEMP TRIGGER seen_order_anew AFTER UPDATE OF created_ms ON main.orders BEGIN
    SELECT seen_anew(NEW.id);
END;
""",
    "sends": """
CREATE TEMP TRIGGER seen_send_new AFTER INSERT ON main.sends BEGIN
    SELECT seen_send(NEW.command_id, NEW.order_id, '', NEW.stage, 1, NEW.ticket, NEW.fp = 'paper',
        (SELECT actor FROM orders WHERE id = NEW.order_id));
END;
CREATE TEMP TRIGGER seen_send_moved AFTER UPDATE ON main.sends BEGIN
    SELECT seen_send(NEW.command_id, NEW.order_id, OLD.stage, NEW.stage,
        OLD.result IS NOT NEW.result OR OLD.err <> NEW.err OR OLD.retcode <> NEW.retcode
            OR OLD.ticket IS NOT NEW.ticket OR OLD.ended_ms IS NOT NEW.ended_ms,
        NEW.ticket, NULL, NULL);
END;
""",
    "audit": """
CREATE TEMP TRIGGER seen_audit AFTER INSERT ON main.audit BEGIN
    SELECT seen_note(NEW.entry);
END;
""",
    "contingent": """
CREATE TEMP TRIGGER seen_contingent_new AFTER INSERT ON main.contingent BEGIN
    SELECT seen_contingent(NEW.kind, NEW.name, NULL, NEW.body, 0, NEW.is_open);
END;
CREATE TEMP TRIGGER seen_contingent_moved AFTER UPDATE ON main.contingent BEGIN
    SELECT seen_contingent(NEW.kind, NEW.name, OLD.body, NEW.body, OLD.is_open, NEW.is_open);
END;
""",
    "manager_changes": """
CREATE TEMP TRIGGER seen_change_new AFTER INSERT ON main.manager_changes BEGIN
    SELECT seen_change(NEW.id, '', NEW.state, NEW.command_id);
END;
CREATE TEMP TRIGGER seen_change_moved AFTER UPDATE ON main.manager_changes BEGIN
    SELECT seen_change(NEW.id, OLD.state, NEW.state, NEW.command_id);
END;
""",
}
"""By the table that they are on."""
_AFTER = """
SELECT orders.stage, login, server, client_order_id, command_id, sends.stage FROM orders
LEFT JOIN sends ON order_id = orders.id WHERE orders.id = ?
"""


class LedgerWatch:
    """Watcher of one open ledger.

    Args:
        ledger: of a life that begins; nothing was written by it yet.
        truth: of that home, over all lives.
        invariants: told what is wrong.
        sometimes: told of what happens seldom.
        is_durable: whether all that was written to the ledger's log would survive a power cut.
        is_dead: whether the life was killed: nothing that it still does counts.
        on_note: told of each entry of the audit trail that was committed.
        unfailing: lets nothing go wrong on the disk while this watch reads.

    """

    def __init__(
        self,
        ledger: Ledger,
        truth: LedgerTruth,
        invariants: Invariants,
        *,
        sometimes: Callable[[str], None] = lambda _: None,
        is_durable: Callable[[], bool] = lambda: True,
        is_dead: Callable[[], bool] = lambda: False,
        on_note: Callable[[dict[str, Any]], None] = lambda _: None,
        unfailing: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._unfailing = unfailing
        self._truth = truth
        self._invariants = invariants
        self._sometimes = sometimes
        self._is_durable = is_durable
        self._is_dead = is_dead
        self._on_note = on_note
        self._is_in_doubt = False
        """The last group was undone because a write of it failed, and each is done alone now."""
        self._orders: list[tuple[Any, ...]] = []
        self._anew: set[int] = set()
        self._sends: list[tuple[Any, ...]] = []
        self._notes: list[dict[str, Any]] = []
        self._others: list[tuple[str, str, str]] = []
        self._made: dict[int, Command] = {}
        self._stages: dict[int, str] = {}
        self._tickets: list[tuple[tuple[int, str, int], int]] = []
        self._ids: dict[int, str] = {}
        store = ledger._writer
        self._install(store._connection)
        self._begin = store.transaction
        store.transaction = self._transaction  # type: ignore[method-assign]  # to see each

    def _install(self, connection: Connection) -> None:
        def see(name: str, count: int, note: Callable[[tuple[Any, ...]], None]) -> None:
            connection.create_function(name, count, lambda *row: note(row))

        see("seen_order", 8, self._orders.append)
        see("seen_anew", 1, lambda row: self._anew.add(row[0]))
        see("seen_send", 8, self._sends.append)
        see("seen_note", 1, lambda row: self._notes.append(orjson.loads(row[0])))
        see("seen_contingent", 6, self._see_contingent)
        see("seen_change", 4, self._see_change)
        found = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")
        for table in sorted(row[0] for row in found):
            connection.executescript(_TRIGGERS.get(table, ""))

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        self._forget()
        try:
            with self._begin() as connection:
                yield connection
                self._judge_safely(connection)
            if self._is_dead():
                raise Killed
        except BaseException as error:
            self._is_in_doubt = type(error).__name__ == "_OneFailedError"
            self._truth.doubt(self._stages)
            raise
        self._note_committed()

    def _forget(self) -> None:
        for seen in (self._orders, self._sends, self._notes, self._others, self._tickets):
            seen.clear()
        self._anew.clear()
        self._made.clear()
        self._stages.clear()
        self._ids.clear()

    # --- judging -------------------------------------------------------------------------------

    def _judge_safely(self, connection: Connection) -> None:
        """Judge, and let no fault of this watch be taken for one of the ledger's."""
        try:
            with self._unfailing():
                self._judge(connection)
        except Exception as error:
            self._broken("journal edge", f"the judge has failed: {error!r}")

    def _judge(self, connection: Connection) -> None:
        by_hand = {row for row in map(self._judge_order, self._orders) if row is not None}
        for send in self._sends:
            self._judge_send(send, send[1] in by_hand)
        touched = dict.fromkeys((*(one[0] for one in self._orders), *(s[1] for s in self._sends)))
        for row in touched:
            if self._is_in_doubt or not self._is_plainly_begun(row):
                self._judge_whole(connection, row)
        if not self._is_in_doubt:
            self._judge_notes()

    def _judge_order(self, move: tuple[Any, ...]) -> int | None:
        """Judge how an order has moved; return it if a person had settled it."""
        row, before, after, id_, has_new_answer, is_reconciled, watched_ms, _ = move
        self._stages[row] = after
        is_anew, is_same = row in self._anew, before == after and not has_new_answer
        # an end that a disk did not take is written right before its id is taken anew
        tables = (ORDER, ORDER_ANEW) if is_anew else (ORDER,)
        if before in ("done", "rejected"):
            if is_same:
                return None  # a person's word was confirmed
            if watched_ms is not None and is_allowed(SETTLED_BY_HAND, before, after):
                self._sometimes("settled by hand, and contradicted")
                self._truth.disown(row)
                return int(row)
            self._broken("journal end", f"order {id_}, {before}, was written again as {after}")
        elif not any(is_allowed(edges, before, after) for edges in tables):
            how = ", taken anew" if is_anew else ""
            self._broken("journal edge", f"order {id_}{how}: {before or 'new'} -> {after}")
        elif before == "unknown" and not is_reconciled:
            self._broken("journal edge", f"order {id_}: {after} without having been found out")
        return None

    def _judge_send(self, move: tuple[Any, ...], is_by_hand: bool) -> None:
        command_id, row, before, after, is_changed, _, is_paper, actor = move
        if before == "":
            self._made[command_id] = Command(row, actor, bool(is_paper))
            if command_id in self._truth.commands or command_id in self._truth.reached:
                self._broken("command id", f"command {command_id} is journaled for the 2nd time")
        if before in ENDS:
            if (before != after or is_changed) and not is_by_hand:
                said = f"command {command_id}, {before}, was written again as {after}"
                self._broken("journal end", said)
        elif not is_allowed(SEND, before, after):
            said = f"command {command_id}: {before or 'new'} -> {after}"
            self._broken("journal edge", said)

    def _is_plainly_begun(self, row: int) -> bool:
        """Whether an order was only made now, with its first command: as most that is written."""
        moves = [one for one in self._orders if one[0] == row]
        sends = [one for one in self._sends if one[1] == row]
        if len(moves) != 1 or len(sends) != 1:
            return False
        (_, before, after, id_, *_), (_, _, sent_before, sent, *_) = moves[0], sends[0]
        self._ids[row] = id_
        return (before, after, sent_before, sent) == ("", "journaled", "", "journaled")

    def _judge_whole(self, connection: Connection, row: int) -> None:
        """Judge an order beside its commands, as the transaction leaves them."""
        found = connection.execute(_AFTER, (row,)).fetchall()
        if not found:
            self._stages.pop(row, None)
            return  # its write was undone alone
        stage, login, server, id_ = found[0][:4]
        self._stages[row] = stage
        self._ids[row] = id_
        stages = {one[4]: one[5] for one in found if one[4] is not None}
        fault = fault_of_order(stage, stages.values())
        if fault is not None:
            self._broken("journal end", f"order {id_}: {fault}")
        if self._is_in_doubt:
            lost = [one for one, made in self._made.items() if made.order == row]
            for command_id in lost:
                if command_id not in stages:
                    del self._made[command_id]
        for move in self._sends:
            if move[1] == row and move[3] == "done" and move[5]:
                self._judge_ticket((login, server, move[5]), row, id_)

    def _judge_ticket(self, ticket: tuple[int, str, int], row: int, id_: str) -> None:
        owner = self._truth.owners.get(ticket)
        if owner is not None and owner != row:
            self._broken("one order", f"order {ticket[2]} is that of {id_} and of row {owner}")
        self._tickets.append((ticket, row))

    def _judge_notes(self) -> None:
        if not self._truth.has_trail:
            return
        expected: Counter[tuple[Any, ...]] = Counter()
        for _, before, after, id_, has_new_answer, *_rest in self._orders:
            if after in (*ENDS, "unknown") and (before != after or has_new_answer):
                expected[id_, after, None] += 1
        for command_id, row, before, *_rest in self._sends:
            if before == "":
                expected[self._ids[row], "journaled", command_id] += 1
        noted = Counter(
            (one["object"], one["state"], one.get("command_id"))
            for one in self._notes
            if one["event"] == "order"
        )
        for (id_, state, command_id), count in expected.items():
            if noted[id_, state, command_id] < count:
                what = f"command {command_id}" if command_id else f"the end {state}"
                self._broken("audit order", f"{what} of order {id_} is not in the audit trail")

    # --- rows of other tables ------------------------------------------------------------------

    def _see_contingent(self, row: tuple[Any, ...]) -> None:
        kind, name, old, new, was_open, is_open = row
        before = "" if old is None else self._truth.state_of(kind, old)
        after = self._truth.state_of(kind, new)
        self._others.append((kind, before, after))
        if not is_allowed(CONTINGENT[kind], before, after):
            self._broken("journal edge", f"{kind} {name}: {before or 'new'} -> {after}")
        if before and not was_open:
            self._broken("journal end", f"{kind} {name}, which was over, was written again")
        if not is_open and after not in ("ended", "done", "unlinked"):
            self._broken("journal end", f"{kind} {name} is over as {after}")

    def _see_change(self, row: tuple[Any, ...]) -> None:
        change, before, after, command_id = row
        self._others.append(("change", before, after))
        if not is_allowed(MANAGER_CHANGE, before, after):
            self._broken("journal edge", f"change {change}: {before or 'new'} -> {after}")
        if after == "sending":
            self._made[command_id] = Command(0, "manager", False)

    # --- committed -----------------------------------------------------------------------------

    def _note_committed(self) -> None:
        truth = self._truth
        if self._made:
            truth.add(self._made, is_durable=self._is_durable())
        truth.move(self._stages)
        for ticket, row in self._tickets:
            truth.owners[ticket] = row
        self._count_moves()
        if self._is_in_doubt:
            self._is_in_doubt = False
            self._sometimes("group commit with a failed member")
        for entry in self._notes:
            self._on_note(entry)

    def _count_moves(self) -> None:
        for _, before, after, *_rest, answer in self._orders:
            self._count_move("order", before, after)
            if before == "journaled" and after == "not_sent" and answer is not None:
                name = decode_error(orjson.loads(answer)["error"]).name()
                if name in AFTER_ROW:
                    self._sometimes(AFTER_ROW[name])
        for _, _, before, after, *_rest in self._sends:
            self._count_move("command", before, after)
        for of, before, after in self._others:
            self._count_move(of, before, after)

    def _count_move(self, of: str, before: str, after: str) -> None:
        name = move_of(of, before, after)
        if name in MOVES:
            self._sometimes(name)

    def _broken(self, rule: str, text: str) -> None:
        self._invariants.broken(rule, text)
