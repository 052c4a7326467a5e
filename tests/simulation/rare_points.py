"""Rare branches of the product, by what shows them: a text in the log, an entry of the trail,
the name of an error, a move of the journal. The product itself says nothing for the simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .journal_rules import CONTINGENT, MANAGER_CHANGE, NEW, ORDER, ORDER_ANEW, SEND, Edges

IN_LOG: Mapping[str, str] = {
    "terminal %s: command %d (%s) has ended after all: %s": "late answer to a trade",
    "order %s was found out: %s": "order found out later",
    "terminal %s: not reconciled yet: %s": "reconciler put off by its terminal",
    "past orders of a terminal are not seen yet: %s": "past of a terminal not seen at once",
    "terminal %s was not swept: %s": "sweep tried again",
    "terminal %s: its lease ran out, the EA has acted by itself": "lease of an EA ran out",
    "terminal %s: what was armed waits for another account": "armed for another account",
    "%s: order %d is not cancelled: %s": "partner of a link not cancelled at once",
    "held order %d: nobody knows yet whether it was placed": "held order unknown",
    "held order %d is looked at again: %s": "held order tried again",
    "held order %d was triggered and refused: %s": "held order refused",
    "a link of terminal %r broke the protocol: %.256s": "link broke the protocol",
    "a terminal was denied: %s": "terminal denied",
    "tokens can be checked again": "tokens checked again after a fault",
    "the disk has room again: orders are sent as before": "disk has room again",
    "a stream is not back yet: %s": "stream not back at once",
    "terminal %s: paper trading is %s": "paper trading switched",
    "token %s of terminal %s: %s": "token lost its rights",
    "order %s is not in the journal, so it is not sent: %s": "order refused by the disk",
    "a write to the ledger failed": "write failed that nobody waits for",
    "the end of order %s is not written": "end of an order not written",
    "terminal %s: what was found is not written": "what was found not written",
    "connected to the MT4 server again": "manager connected to its server again",
    "change %d stays open: %s": "manager's change not found out at once",
}
"""By the text of a record before anything is filled in."""
SESSION_ENDED, WEBSOCKET_CLOSED = (
    "session %s of terminal %s ended: %s",
    "closed /ws of token %s: %d %s",
)
SESSION_ENDS: Mapping[str, str] = {
    "silent for too long": "terminal silent for too long",
    "replaced": "session replaced by a newer one",
    "the link was lost": "link lost",
}
"""By the reason of a session's end."""
WEBSOCKET_ENDS: Mapping[int, str] = {
    4000: "slow consumer dropped",
    4004: "listener missed events",
    4505: "session taken over by a new connection",
}
"""By the code with which a connection is closed."""

IN_TRAIL: Mapping[tuple[str, str], str] = {
    ("kill_switch", "halt"): "halted",
    ("kill_switch", "resume"): "resumed",
    ("kill_switch", "timer"): "dead man's switch fired",
    ("kill_switch", "disconnect"): "orders of a lost connection cancelled",
    ("kill_switch", "lease"): "EA swept by itself",
    ("token_ended", "revoked"): "token revoked",
    ("token_ended", "expired"): "token expired",
    ("audit_checkpoint", ""): "trail signed within",
    ("account_changed", ""): "terminal logged in to another account",
    ("paper_trading", "on"): "paper trading switched on",
    ("paper_trading", "off"): "paper trading switched off",
    ("manager_linked", ""): "manager linked",
    ("daemon_stopped", ""): "daemon ended in order",
}
"""By event, and its reason or state."""
PRESUMED: Mapping[str, str] = {
    "traceless": "order given up: it left no trace",
    "superseded": "change given up: it does not show",
    "assigned": "equal orders given to the oldest",
    "by_hand": "order settled by hand",
}
"""Why an end is believed that nothing shows for sure."""

ANSWERED: Mapping[str, str] = {
    name: f"answered {name}"
    for name in (
        *("order_unresolved", "client_order_id_conflict", "deadline_exceeded", "order_rejected"),
        *("terminal_disconnected", "kill_switch_active", "unauthorized", "order_not_found"),
        *("position_not_found", "broker_disconnected", "forbidden", "invalid_params", "timeout"),
        *("terminal_busy", "market_closed", "insufficient_margin", "internal_error"),
        *("autotrading_disabled", "unsupported_filling", "risk_limit", "price_changed"),
    )
}
"""By the name of an error."""
AFTER_ROW: Mapping[str, str] = {
    "kill_switch_active": "halted while it waited for the disk",
    "unauthorized": "revoked while it waited for the disk",
    "deadline_exceeded": "too late once it was on the disk",
    "terminal_disconnected": "link lost once it was on the disk",
}
"""By the name of the error with which a command ended that was journaled, and not sent."""

ON_DISK: Mapping[str, str] = {
    "the disk was full": "a write found no room",
    "the reserve was given up": "to go on closing on a full disk",
    "a read failed on the disk": "with an I/O error",
    "a write failed on the disk": "with an I/O error",
    "a sync failed on the disk": "and what it was to write may never be written",
    "the power was cut": "with the end of a daemon",
    "a power cut lost bytes": "that had been written, and not synced",
}
"""What the simulated disk counts."""

OTHERS: Mapping[str, str] = {
    "group of several writes": "one commit for more than one",
    "group commit with a failed member": "the others of the group are there",
    "checkpoint": "the log was put back into the file",
    "checkpoint while somebody writes": "and writes waited meanwhile",
    "restart with open orders": "a life began with orders without an end",
    "restart with orders under way": "of them some that were journaled and not unknown",
    "replay answered from the journal": "an id came again, and got its answer again",
    "retry refused as unknown": "an id came again, and nobody knows yet",
    "refused for want of room": "the disk is full, and new risk is refused",
    "unknown again after a crash": "what was told had not been written down yet",
    "found out by the table of results": "the EA remembered it",
    "found out by a late answer": "its answer came after its caller had left",
    "found out by what is open": "an order or position of the account",
    "found out in history": "what it had made was over",
    "found out by its tag": "its comment was still the gateway's",
    "found out without a tag": "its broker had rewritten the comment",
    "wall clock went back": "between two entries of the trail",
    "wall clock leapt": "further than time passed",
    "wall clock went back under an order": "while orders were under way",
    "books compared": "they stood still while the daemon was asked",
    "stream: compared": "what a subscriber had heard was the broker's book",
    "stream: gap told": "changes were lost with a terminal, and that was said",
    "stream: gone on": "a subscriber came back, and had missed nothing",
    "stream: joined": "several events came to a subscriber in one frame",
    "stream: outlived": "a subscriber came back to a life that went on with the streams",
    "stream: replayed": "a subscriber came back, and was told what it had missed",
    "stream: missed some": "a subscriber came back, and was told that it had missed something",
    "stream: new epoch": "a subscriber came back to another life of the daemon",
    "stream: merged ones counted": "a slow subscriber was told how many events were merged",
    "stream: revoked": "a subscriber's token was ended while it listened",
    "stream: expired": "a subscriber's token ran out while it listened",
    "stream: settled": "a subscriber heard how an order had ended that was unknown",
    "booking: refused": "there was not money enough",
    "booking: unknown": "an operator was told to ask again with the same key",
    "booking: answered again": "who asked again got the same answer, and nothing was done twice",
    "booking: not sent": "an operator gave up, and nothing was done",
    "booking: looked up": "nothing told any more whether a user was changed",
    "silence: all was ended": "the dead man's switch has done its work",
    "disconnect: all was cancelled": "nothing is left of what a lost program had placed",
    "disconnect: an order came later": "one was under way when its program was lost",
    "disconnect: back in time": "a program came back to its rule, and its orders were there",
    "disconnect: back to a new life": "and to a daemon that was started anew meanwhile",
    "disconnect: back too late": "a program came back when its rule was carried out",
    "settled by hand, and contradicted": "the terminal's word counted more than a person's",
    "by hand: told to streams": "a subscriber that was there has heard of it",
    "by hand: word has stayed": "nothing has contradicted a person, to the end",
    "by hand: refused": "an order was not unknown, or its ticket could not be",
    "paper: order on paper": "it was carried out, or refused, there alone",
    "limit: max_lot": "an order was refused for its lots",
    "limit: allowed_symbols": "an order was refused for its symbol",
    "limit: max_orders_per_minute": "an order was refused for those before it",
    "limit: max_open_lots": "an order was refused for what is open and under way",
    "contingent: held order became a limit": "its price was reached",
    "contingent: link took its other order": "one of two has ended, and so has the other",
    "contingent: race over in time": "one of two had ended for a while, and then so had the other",
    "contingent: both orders filled": "before the second could be cancelled",
}
MAY_BE_MISSED: Mapping[str, str] = {
    "limit: unsettled": "too many orders came and went to tell what is left",
    "tickets of equal orders exchanged": "nobody could tell whose tags were gone",
    "end lost with a disk that failed": "told, not written, and no command stands for it",
    # nothing simulated leads to these yet, except by chance
    "terminal logged in to another account": "each keeps its account for the whole run",
    "armed for another account": "as above",
    "terminal denied": "each has a token that opens its terminal",
    "tokens checked again after a fault": "what the gate reads is in memory already",
    "listener missed events": "no subscriber wants its end rather than a gap",
    "manager's change not found out at once": "the server refuses no question of its peer",
    "order: new -> rejected": "a broker rejects what was sent, which has a row",
    "order: not_sent -> rejected": "as above",
}
"""What is counted, and need not happen."""


def _moves(of: str, edges: Edges) -> dict[str, str]:
    return {
        move_of(of, before, after): f"a row of {of} moved along that edge"
        for before, afters in edges.items()
        for after in sorted(afters - {before})
    }


def move_of(of: str, before: str, after: str) -> str:
    """Return the name of a move of a row."""
    return f"{of}: {before or 'new'} -> {after}"


MOVES: Mapping[str, str] = {
    **_moves("order", ORDER),
    **_moves("order", ORDER_ANEW),
    **_moves("command", SEND),
    **{
        name: said
        for kind, edges in CONTINGENT.items()
        for name, said in _moves(kind, edges).items()
    },
    **_moves("change", MANAGER_CHANGE),
}
"""Every edge of every table of the journal, but those that stay where they are."""


def said_in(entry: Mapping[str, Any]) -> str | None:
    """Return the point that an entry of the audit trail shows."""
    event = entry["event"]
    reason = entry.get("reason") or entry.get("state") or ""
    return IN_TRAIL.get((event, reason)) or IN_TRAIL.get((event, ""))


def presumed_in(entry: Mapping[str, Any]) -> list[str]:
    """Return the points that the commands of an order's entry show."""
    if entry["event"] != "order":
        return []
    whys = (send.get("presumed") for send in entry.get("sends") or [])
    return [PRESUMED[one] for one in whys if one]


assert NEW == "", "moves of new rows are named so"
