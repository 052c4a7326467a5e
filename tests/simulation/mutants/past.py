"""The project's own mistakes, made again: each in today's code, by the commit that mended it."""

from __future__ import annotations

from .mutation import Change, Mutant

JOURNAL = "gateway.trading.journal"
RECONCILE = "gateway.trading.reconcile"
RECONCILER = f"{RECONCILE}.service"
OCO = "gateway.trading.contingent.oco"

BEFORE = (
    Mutant(
        "past-settled-during-look",
        "An order is given to a command that a person has settled during the look.",
        (
            Change(
                RECONCILER,
                "        is_open = set(map(id, open_sends(intents)))\n"
                "        due, later = ([send for send in some if id(send) in is_open] for some in "
                "(due, later))\n",
                "",
            ),
        ),
        "7c917fe Give no order to a request that a person settles during the look",
    ),
    Mutant(
        "past-shared-whatever-price",
        "An order is given to a command of other prices, where another one of its own is.",
        (
            Change(
                f"{RECONCILE}.matching",
                "            found |= _shared_out(alike, some, fits)\n",
                "            found |= _in_order(alike, some, fits)\n",
            ),
        ),
        "cfbbd5e Give an order to no command of other prices; believe no list that is empty for "
        "a moment",
    ),
    Mutant(
        "past-empty-list-believed",
        "A linked order that is in no list for a moment is taken for ended.",
        (
            Change(
                OCO,
                '                if end is not None and (end != "gone" or missed_s >= GONE_S):\n'
                "                    self._ended(row, ticket, end)\n",
                '                self._ended(row, ticket, end or "gone")\n',
            ),
        ),
        "cfbbd5e Give an order to no command of other prices; believe no list that is empty for "
        "a moment",
    ),
    Mutant(
        "past-ticket-given-twice",
        "An order whose end is just being written is given to another command as well.",
        (
            Change(
                f"{JOURNAL}.log",
                "            for intent in (*self._in_memory(account), *self.doubtful(account))\n"
                "            for send in intent.sends\n"
                "            if send.ticket is not None\n",
                "            for intent in self._in_memory(account)\n"
                "            for send in intent.sends\n"
                "            if send.ticket is not None\n",
            ),
        ),
        "fa1a8f8 Give no ticket away whose order's end is being written",
    ),
    Mutant(
        "past-end-told-before-disk",
        "The end that was found of an order is told before it is on the disk.",
        (
            Change(
                f"{JOURNAL}.log",
                "        self._settling.add(intent.key)\n"
                "        try:\n"
                "            intent.row = await self._ledger.write(self._ending(found))\n",
                "        self._settling.add(intent.key)\n"
                "        intent.stage, intent.answer, intent.updated_ms = stage, answer, "
                "found.updated_ms\n"
                "        intent.sends, intent.reconciled = found.sends, True\n"
                "        try:\n"
                "            intent.row = await self._ledger.write(self._ending(found))\n",
            ),
        ),
        "df96698 Tell of an order's end when it is on the disk, and not before; split long test "
        "files",
        led_by=("crowds_fail", "disk_slow"),
    ),
    Mutant(
        "past-began-during-look",
        "A command that was begun during the look is not thought of when its order is seen.",
        (
            Change(
                RECONCILER,
                "        view = await take_snapshot(\n"
                "            terminal, due, [*later, *self._others(account, sends)], "
                "is_far=is_far\n"
                "        )\n",
                "        others = self._others(account, sends)\n"
                "        view = await take_snapshot(terminal, due, [*later, *others], "
                "is_far=is_far)\n",
            ),
            Change(
                RECONCILER,
                "        others = self._others(account, sends)\n        seen = ",
                "        seen = ",
            ),
        ),
        "223b81e Widen the exactly-once run; see what began during a look",
    ),
    Mutant(
        "past-part-is-another-order",
        "The part of a trade on MetaTrader 4 that goes on under another ticket is nobody's.",
        (
            Change(
                RECONCILER,
                "        claimed = descendants(seen, partial(self._log.claimed, account))\n",
                "        claimed = self._log.claimed(account, {one.ticket for one in seen})\n",
            ),
        ),
        "223b81e Widen the exactly-once run; see what began during a look",
    ),
    Mutant(
        "past-ea-failure-is-a-refusal",
        "An EA that failed for reasons of its own, after it had sent the order, has refused it.",
        (
            Change(
                "gateway.trading.terminal",
                "        return is_final(retcode)\n    return err in NOT_EXECUTED\n",
                "        return is_final(retcode)\n    return True\n",
            ),
        ),
        "2056e23 Take a trade for unknown when the EA failed for reasons of its own",
    ),
    Mutant(
        "past-unclear-is-a-refusal",
        "Any answer of the broker that is no success and no time-out is a refusal.",
        (
            Change(
                "gateway.trading.results",
                "    return retcode in RULINGS\n",
                "    return retcode != TradeRetcode.TIMEOUT\n",
            ),
        ),
        "11018aa Give every unknown order an end; only clear refusals are final",
    ),
    Mutant(
        "past-open-answer-without-order",
        "The order that an open answer names is not kept, so it is found by its looks alone.",
        (
            Change(
                f"{RECONCILE}.reported_results",
                "        elif send.result is None:\n"
                "            send.result, send.retcode = result, result.retcode"
                "  # it may name the order\n",
                "",
            ),
        ),
        "56e15a1 End what an open answer left open by the order that it names, or as a refusal",
    ),
    Mutant(
        "past-closed-twice",
        "A ticket of MetaTrader 4 that one command has closed counts as closed by another too.",
        (
            Change(
                RECONCILER,
                "            if Stage.DONE in self._log.exits(account, send.exited).values():\n"
                "                self._reported.take_result(send, _GONE)\n"
                "                return\n"
                "            if self._open_exits(account, send.exited) - {send.command_id}:\n"
                "                return\n",
                "            pass\n",
            ),
        ),
        "4e09162 Believe a closed ticket to have been closed once",
    ),
    Mutant(
        "past-restored-journal",
        "An id that a restored journal does not know is used again, though the terminal shows it.",
        (
            Change(
                f"{JOURNAL}.journal",
                "        if not asked.is_new:\n            self._check_forgotten(asked)\n",
                "",
            ),
        ),
        "8277034 Send no order again that the terminal remembers and a restored journal does not",
    ),
    Mutant(
        "past-link-before-broker",
        "The tags of forgotten orders are looked for while the terminal knows of none.",
        (
            Change(
                f"{RECONCILE}.used_ids",
                "        if await _has_broker(terminal) is False:\n",
                "        session = terminal.session\n"
                "        if session is None:\n"
                "            raise terminal.offline()\n"
                "        if session.broker is False:\n",
            ),
        ),
        "166144c Look for forgotten orders once the terminal says that its broker is there",
    ),
    Mutant(
        "past-paper-disturbs-market",
        "What is unknown on paper keeps what is unknown at the market from its end.",
        (
            Change(
                RECONCILER,
                "        linked = self._guarded().session\n"
                "        scene = () if linked is None else (linked.id, linked.broker)\n",
                "        scene = () if session is None else (session.id, session.broker)\n",
            ),
        ),
        "7d2257c Let what is unknown on paper not keep the market's from its end",
    ),
    Mutant(
        "past-held-at-another-account",
        "A held order is sent to the account that the terminal was logged in to meanwhile.",
        (
            Change(
                "gateway.trading.contingent.emulated",
                "        if account_of(terminal) != held.account:\n"
                "            # logged in elsewhere by now; the attempt stays as it is, for it may "
                "have been sent\n"
                "            return True\n",
                "",
            ),
        ),
        "a2b1678 Send no held order to the account that the terminal was logged in to meanwhile",
    ),
    Mutant(
        "past-begun-while-under-way",
        "What changes while a link or a held order is looked at is not looked at again.",
        (
            Change(
                "gateway.background",
                "                    if about not in self._again:\n"
                "                        return\n"
                "                    continue\n",
                "                    return\n",
            ),
        ),
        "65c9ad3 Test held orders and links; look again at what changed meanwhile",
    ),
    Mutant(
        "past-changes-cross",
        "A change of a position is worked out from what it was before another one.",
        (
            Change(
                "gateway.trading.orders",
                "    async with state.locks.of(options, change.ticket):\n"
                "        with options.before_sending():\n"
                "            prepared = await _prepare_change(",
                "    if True:\n"
                "        with options.before_sending():\n"
                "            prepared = await _prepare_change(",
            ),
        ),
        "3768ec9 Change one thing at a time, so that no close opens a position and no stop is "
        "undone",
    ),
)
