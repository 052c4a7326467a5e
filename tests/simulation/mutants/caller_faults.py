"""Faults of what callers may do: how long their tokens last, and how much they may trade."""

from __future__ import annotations

from .mutation import Change, Mutant

CALLER_FAULTS = (
    Mutant(
        "expired-token-served",
        "A token that was replaced goes on after its end.",
        (
            Change(
                "gateway.auth.caller",
                "        state = self.record.state(now_s)\n",
                "        state = self.record.state(now_s - 86_400)\n",
            ),
        ),
    ),
    Mutant(
        "lot-limit-doubled",
        "An order may have twice the lots that its token allows.",
        (
            Change(
                "gateway.trading.risk.rules",
                "    if most is not None and context.volume > most:\n",
                "    if most is not None and context.volume > 2 * most:\n",
            ),
        ),
        lone="limited",
    ),
    Mutant(
        "symbol-limit-off",
        "A token that is for some symbols may trade all.",
        (
            Change(
                "gateway.trading.risk.rules",
                "    if allowed is None or name in context.facts.allowed:\n",
                "    if allowed is None or name:\n",
            ),
        ),
        lone="limited",
    ),
    Mutant(
        "minute-forgotten",
        "The orders of the last minute do not count for a daemon that was started since.",
        (
            Change(
                "gateway.trading.risk.counters",
                "        self._entries = deque((*before, *self._entries), maxlen=MAX_COUNTED)\n",
                "",
            ),
        ),
        lone="limited",
    ),
    Mutant(
        "timer-not-renewed",
        "The dead man's switch runs out for a program that goes on talking.",
        (
            Change(
                "gateway.trading.kill_switch.dead_man",
                "                found[1].arm()\n",
                "                pass\n",
            ),
        ),
        lone="silent",
    ),
    Mutant(
        "paper-switch-seen-late",
        "Whether an account is on paper is not looked at again right before an order is sent.",
        (
            Change(
                "gateway.paper.service",
                "            self.is_on_at(terminal)\n            allowed(tier)\n",
                "            allowed(tier)\n",
            ),
        ),
        lone="paper",
    ),
    Mutant(
        "known-end-settled",
        "A person may settle an order whose end is known.",
        (
            Change(
                "gateway.trading.reconcile.settlement",
                "    if intent.stage in ENDS:\n",
                "    if False:\n",
            ),
            Change(
                "gateway.trading.reconcile.settlement",
                "    left = [send for send in intent.sends if send.stage not in ENDS]\n",
                "    left = list(intent.sends)\n",
            ),
        ),
        lone="by-hand",
    ),
    Mutant(
        "person-never-contradicted",
        "What a person has said of an order is not compared with what the terminal says later.",
        (
            Change(
                "gateway.trading.reconcile.settlement",
                "        settled = [intent for intent in self._log.watched(account) "
                "if not intent.is_paper]\n",
                "        settled: list[Intent] = []\n",
            ),
        ),
        led_by=("open_after",),
        lone="by-hand",
    ),
    Mutant(
        "settled-by-hand-not-told",
        "Streams do not tell that a person has settled an order.",
        (
            Change(
                "gateway.trading.journal.log",
                "        self.on_settled(intent)\n        return True\n",
                "        if intent.settlement is None:\n            self.on_settled(intent)\n"
                "        return True\n",
            ),
        ),
        lone="by-hand",
    ),
    Mutant(
        "linked-order-left",
        "What is left of linked orders when the first has ended is not cancelled.",
        (
            Change(
                "gateway.trading.contingent.oco",
                "        for ticket in sorted(link.waiting):\n"
                "            await self._cancel(terminal, row, ticket)\n",
                "",
            ),
        ),
    ),
)
