"""Faults of the EA and of the link to it, and of the streams."""

from __future__ import annotations

from .mutation import Change, Mutant

EA = (
    Mutant(
        "forgotten-is-absent",
        "An EA that has lost its table says of what it forgot that it never came.",
        (
            Change(
                "ea_bridge.endpoint.results",
                '        return "absent" if is_covered else "forgotten"\n',
                '        return "absent" if is_covered or True else "forgotten"\n',
            ),
        ),
    ),
    Mutant(
        "late-command-begun",
        "An EA begins with a command after the time within which it had to.",
        (
            Change(
                "ea_bridge.endpoint.results",
                "    answer = _late(cmd) if 0 < cmd.ttl < waited_ms else carry_out(cmd)\n",
                "    answer = carry_out(cmd)\n",
            ),
        ),
        led_by=("held_up",),
    ),
)
STREAMS = (
    Mutant(
        "events-doubled-at-return",
        "What an EA has told last is asked for again when its link comes back, and told twice.",
        (
            Change(
                "ea_bridge.registry",
                "        return min(known.last_q if live is None else live.last_q, hello.q)\n",
                "        last = known.last_q if live is None else live.last_q\n"
                "        return max(min(last, hello.q) - 1, 0)\n",
            ),
        ),
    ),
    Mutant(
        "snapshot-misses-changes",
        "A snapshot lacks what changed while the terminal was asked for it.",
        (
            Change(
                "gateway.streams.account",
                "            for ticket, kept in self._changes:\n"
                "                _apply(items, ticket, kept)\n",
                "",
            ),
        ),
        led_by=("lists_read_late",),
    ),
    Mutant(
        "listens-too-late",
        "What happens while the answer to subscribe is on its way is told to nobody.",
        (
            Change(
                "gateway.streams.subscriptions",
                "            self.events += events\n",
                "            pass\n",
            ),
        ),
        led_by=("lists_read_late",),
    ),
    Mutant(
        "joined-once",
        "Who takes several events in one frame gets those of an earlier turn again.",
        (
            Change(
                "gateway.streams.outbox",
                "        if joined is not self._of:\n",
                "        if not self._of:\n",
            ),
        ),
    ),
    Mutant(
        "outbox-unbounded",
        "What waits for a slow reader has no bound.",
        (
            Change(
                "gateway.streams.outbox",
                "        return within and not self.overdue(now)\n",
                "        return within or True\n",
            ),
        ),
    ),
)
BRIDGE_FAULTS = (*EA, *STREAMS)
