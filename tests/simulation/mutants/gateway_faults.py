"""Faults of the gateway: its disk, its journal, what finds out, and what stops trading."""

from __future__ import annotations

from .mutation import Change, Mutant

DISK = (
    Mutant(
        "no-fsync",
        "A commit is not synced, so that a power cut takes rows that were told to be there.",
        (Change("gateway.storage.store", "PRAGMA synchronous=FULL", "PRAGMA synchronous=OFF"),),
    ),
    Mutant(
        "failed-group-told-done",
        "A group of writes whose commit failed is told to be on the disk.",
        (
            Change(
                "gateway.storage.ledger",
                "write.error = write.error or error\n",
                "write.error = write.error\n",
            ),
        ),
    ),
    Mutant(
        "sent-before-row",
        "A command's bytes are written while its row is still on its way to the disk.",
        (
            Change(
                "gateway.trading.journal.log",
                "        intent.row = await self._ledger.write(work, is_small=True, "
                "adds_risk=send.adds_risk)\n",
                "        writing = asyncio.ensure_future(\n"
                "            self._ledger.write(work, is_small=True, adds_risk=send.adds_risk)\n"
                "        )\n"
                '        writing.add_done_callback(lambda done: setattr(intent, "row", '
                "done.result()))\n"
                "        await asyncio.sleep(0)\n",
            ),
            Change(  # only how it ends waits for the row, since it is a change of it
                "gateway.trading.journal.log",
                "        intent.stage, intent.answer, intent.updated_ms = stage, answer, "
                "self.now_ms()\n        if intent.row",
                "        while intent.sends and intent.row is None:\n"
                "            await asyncio.sleep(0.001)\n"
                "        intent.stage, intent.answer, intent.updated_ms = stage, answer, "
                "self.now_ms()\n        if intent.row",
            ),
        ),
    ),
    Mutant(
        "paper-not-kept",
        "What was traded on paper is in memory alone, and ends with the process.",
        (
            Change(
                "gateway.paper.account",
                "            await self._ledger.write(work)\n",
                "            pass\n",
            ),
        ),
        lone="paper",
    ),
)
JOURNAL = (
    Mutant(
        "lost-answer-is-not-sent",
        "A trade whose answer was lost is told as not sent, and its id is free again.",
        (
            Change(
                "gateway.trading.terminal",
                "            journal.ended(send, Stage.UNKNOWN)\n"
                "            raise _unresolved(client_order_id, acked=lost.acked) from lost\n",
                "            journal.ended(send, Stage.NOT_SENT)\n"
                "            error = self.offline()\n"
                '            raise with_outcome(error, client_order_id, "not_sent") from lost\n',
            ),
        ),
    ),
    Mutant(
        "unknown-id-is-free",
        "An id whose outcome is unknown may be used again.",
        (
            Change(
                "gateway.trading.journal.journal",
                "return known is None or (known.stage is Stage.NOT_SENT and not",
                "return known is None or (known.stage in (Stage.NOT_SENT, Stage.UNKNOWN) and not",
            ),
        ),
    ),
    Mutant(
        "id-not-kept",
        "A client_order_id is only looked up in memory, so that a restart forgets it.",
        (
            Change(
                "gateway.trading.journal.log",
                "        found = rows.find(self._ledger.reader, account, client_order_id)\n",
                "        found = None\n",
            ),
        ),
    ),
    Mutant(
        "command-ids-begin-anew",
        "Each run of the gateway numbers its commands from 1 again.",
        (
            Change(
                "ea_bridge.server.listener",
                "itertools.count(max(self._now_ms() * 1000, self._first_command_id))",
                "itertools.count(1)",
            ),
        ),
    ),
    Mutant(
        "command-ids-by-the-clock",
        "Commands are numbered by the wall clock alone, which may have been put back.",
        (
            Change(
                "ea_bridge.server.listener",
                "itertools.count(max(self._now_ms() * 1000, self._first_command_id))",
                "itertools.count(self._now_ms() * 1000)",
            ),
        ),
    ),
    Mutant(
        "copies-run-both",
        "A call that is under way is not thought of when a copy of it comes.",
        (
            Change(
                "gateway.trading.journal.log",
                "        known = self._running.get(key) or self._unresolved.get(key) or ",
                "        known = self._unresolved.get(key) or ",
            ),
        ),
    ),
    Mutant(
        "looked-up-before-wait",
        "An id is looked up before the wait for a restored journal, and not once more after it.",
        (
            Change(
                "gateway.trading.journal.journal",
                "            known = self._known(asked)"
                "  # the same call may have come meanwhile\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "order-not-noted",
        "The command of an order is not in the audit trail.",
        (
            Change(
                "gateway.trading.journal.log",
                '            self._audit.record_with(connection, "order", **noted)\n',
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "no-turns",
        "Two callers change one position at the same time, each by what it looked like before.",
        (
            Change(
                "gateway.trading.state",
                "        key = (self._account(), ticket)\n",
                "        key = (object(), ticket)\n",
            ),
        ),
    ),
)
FINDING_OUT = (
    Mutant(
        "matched-too-early",
        "Orders that may be of several commands are given to the oldest of them at once.",
        (
            Change(
                "gateway.trading.reconcile.matching",
                "    if len(tickets) != len(ids) or not all(tickets <= fits[command_id] for "
                "command_id in ids):\n        return {}\n"
                "    return dict(zip(sorted(ids), sorted(orders, key=lambda order: order.ticket), "
                "strict=True))\n",
                "    ids = {one for one in ids if tickets & fits[one]}\n"
                "    return dict(zip(sorted(ids), sorted(orders, key=lambda one: one.ticket)))\n",
            ),
        ),
        led_by=("crowds_fail",),
    ),
    Mutant(
        "open-answer-is-a-refusal",
        "An answer of the broker that leaves the outcome open (10012) is told as a refusal.",
        (
            Change(
                "gateway.trading.results",
                "    return retcode in RULINGS\n",
                "    return retcode in RULINGS or retcode == TradeRetcode.TIMEOUT\n",
            ),
        ),
    ),
    Mutant(
        "open-word-is-a-refusal",
        "What a terminal's table has of an outcome that is open is found out to be a refusal.",
        (
            Change(
                "gateway.trading.reconcile.reported_results",
                "        elif is_final(result.retcode):\n",
                "        elif is_final(result.retcode) or result.retcode == 10012:\n",
            ),
        ),
    ),
)
STOPS = (
    Mutant(
        "halt-looked-up-early",
        "The kill switch is looked at before the row is written, and not before the bytes.",
        (
            Change(
                "gateway.trading.terminal",
                "            self.check_last(order.tier)\n",
                "            self.require(order.tier)\n",
            ),
        ),
        led_by=("halted_by_hand",),
    ),
    Mutant(
        "revocation-looked-up-early",
        "The caller's rights are looked at before the row is written, and not before the bytes.",
        (
            Change(
                "gateway.trading.terminal",
                "            self.check_last(order.tier)\n",
                "            self.switch.check(order.tier)\n",
            ),
        ),
        led_by=("token_revoked",),
    ),
    Mutant(
        "halt-not-kept",
        "A halt holds in memory alone, and ends with the process.",
        (
            Change(
                "gateway.trading.kill_switch.switch",
                "        if self._ledger is None:\n"
                '            self._note("halt", now)\n'
                "            return\n",
                '        self._note("halt", now)\n        return\n',
            ),
        ),
    ),
    Mutant(
        "revocation-read-once",
        "A caller is judged by what the gate read when it polled last.",
        (
            Change(
                "gateway.auth.gate",
                "        self._refresh(now_s)\n        entry = self._book.get(caller.tid)\n",
                "        entry = self._book.get(caller.tid)\n",
            ),
        ),
        led_by=("token_revoked",),
    ),
)
DISCONNECTS = (
    Mutant(
        "lost-connection-not-noticed",
        "The end of a connection is that of none which has asked for anything.",
        (
            Change(
                "gateway.trading.kill_switch.disconnects",
                "        self._lost[connection] = session\n        if session.armed",
                "        return\n        if session.armed",
            ),
        ),
        lone="leaving",
    ),
    Mutant(
        "fires-though-back",
        "The grace of a lost connection runs on though its program has come back.",
        (
            Change(
                "gateway.trading.kill_switch.disconnects",
                "            before.timer.cancel()\n            before.timer = None\n",
                "            pass\n",
            ),
        ),
        lone="leaving",
    ),
    Mutant(
        "order-under-way-not-swept",
        "A sweep for a lost connection waits for none of the orders that are under way.",
        (
            Change(
                "gateway.trading.kill_switch.service",
                "            may_grow = firing.may_grow()\n",
                "            may_grow = False\n",
            ),
        ),
        lone="leaving",
    ),
    Mutant(
        "orders-of-others-too",
        "A lost connection takes the orders of others with its own.",
        (
            Change(
                "gateway.trading.kill_switch.disconnects",
                "OrderFilter(tags=session.tags, tickets=own, other_tags=others)",
                "OrderFilter(tags=(), other_tags=())",
            ),
        ),
        lone="leaving",
    ),
    Mutant(
        "armed-not-kept",
        "What is to be done when a connection is lost ends with the process.",
        (
            Change(
                "gateway.trading.kill_switch.dead_man",
                "            await self._ledger.write(work)\n",
                "            pass\n",
            ),
        ),
        lone="leaving",
    ),
)
CONTINGENT = (
    Mutant(
        "absent-of-earlier-ea",
        "An EA that does not know what a power cut took from it is believed that it never took a "
        "command.",
        (
            Change(
                "gateway.trading.reconcile.reported_results",
                "        return is_sure and self._patience",
                "        return self._patience",
            ),
        ),
    ),
    Mutant(
        "oco-partner-stays",
        "A partner of an order that was filled stays where its first cancel failed.",
        (
            Change(
                "gateway.trading.contingent.oco",
                "        if link.waiting:\n            return False\n",
                "",
            ),
        ),
        led_by=("next_cancel_fails",),
    ),
    Mutant(
        "held-unknown-is-refused",
        "A held order is told as refused where nobody knows whether its limit order was placed.",
        (
            Change(
                "gateway.trading.contingent.emulated",
                '        if error.outcome == "unknown":\n',
                '        if error.outcome == "never":\n',
            ),
        ),
        led_by=("next_held_fails",),
    ),
    Mutant(
        "part-counts-as-whole",
        "A sweep counts a position as closed of which only a part was.",
        (
            Change(
                "gateway.trading.flatten",
                '        return receipt["order"]["state"] == "filled"\n',
                "        return True\n",
            ),
        ),
        led_by=("thin_at_sweep",),
    ),
)
MANAGER = (
    Mutant(
        "booking-sent-again",
        "A booking whose outcome is open is sent anew when its key is used again.",
        (
            Change(
                "gateway.mt4_manager.journal",
                '            if known.is_open or known.state in ("done", "lost"):\n',
                '            if known.state in ("done", "lost"):\n',
            ),
            Change(
                "gateway.mt4_manager.changes",
                '        if known is not None and (known.is_open or known.state in ("done", '
                '"lost")):\n',
                '        if known is not None and known.state in ("done", "lost"):\n',
            ),
        ),
    ),
    Mutant(
        "booking-not-looked-for",
        "A booking that the server's peer has forgotten is told not to be made, unseen.",
        (
            Change(
                "gateway.mt4_manager.changes",
                "        if not is_last:\n            return None\n",
                "",
            ),
            Change(
                "gateway.mt4_manager.changes",
                '                if trade.comment.endswith(f"#{entry.tag}"):\n',
                "                if False:\n",
            ),
        ),
    ),
)
GATEWAY_FAULTS = (*DISK, *JOURNAL, *FINDING_OUT, *STOPS, *DISCONNECTS, *CONTINGENT, *MANAGER)
