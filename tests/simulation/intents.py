"""What bots want, each thing under an id of its own, and what they were told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

ENDS = frozenset({"done", "rejected", "not_sent"})
DISK_FULL = "disk_full"
PASSING = frozenset(
    {"terminal_disconnected", "terminal_busy", "timeout", "deadline_exceeded", DISK_FULL}
)
"""Names of errors after which it is worth trying again, where nothing was sent."""
CONFLICT = "client_order_id_conflict"
SWEEPS = frozenset({"cancel_all_orders", "close_all_positions"})


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to an intent: its outcome, the name of its error, and what a receipt says.

    Two answers that tell the same end are equal, however often they were given.
    """

    outcome: str | None
    name: str = ""
    order: int | None = None
    position: int | None = None
    deal: int | None = None
    state: str | None = None
    filled: float | None = None
    price: float | None = None
    """At which it was filled."""
    asked: tuple[object, ...] = ()
    """Symbol, side, type, lots, stop loss, take profit and magic, as the receipt has them."""
    paper: bool = False
    emulated: bool = False
    swept: tuple[object, ...] = ()
    """Of a sweep: what it cancelled, what it closed, and what is left with which outcome."""
    duplicate: bool = field(default=False, compare=False)
    quote: tuple[float, float] | None = field(default=None, compare=False)


@dataclass(eq=False, slots=True, kw_only=True)
class Intent:
    """What a bot wants, under one id."""

    id: str
    method: str
    params: Json
    tag: str
    """Stands in the comment of what opens, waits or closes."""
    replies: list[Reply] = field(default_factory=list)
    conflicts: list[Reply] = field(default_factory=list)
    """Answers to its id with other params."""
    silences: int = 0
    """Tries that were never answered."""
    open_at: set[str] = field(default_factory=set)
    """Where tries went that were never answered, and that may have been carried out after the last
    answer: the address of a life of the daemon each, the one that answered last or a later one."""
    _last_at: tuple[str, float] = ("", 0.0)
    """Where the last answer came from, and when that was asked."""
    begun_at_s: float = 0.0
    unknown_at_s: float | None = None
    """When it was first told that the outcome is unknown."""
    resolved_at_s: float | None = None
    """When it was told how it had ended after all."""
    terminal_died: bool = False
    """A terminal was started anew while it had no end: then it takes longer to find out."""

    def hear(self, reply: Reply, address: str, asked_s: float) -> None:
        """Take an answer of the life of the daemon that has an address: tries that went to other
        lives have ended with these.
        """
        self.replies.append(reply)
        self.open_at &= {address}
        self._last_at = (address, asked_s)

    def hear_nothing(self, address: str, asked_s: float) -> None:
        """Take that a try was not answered."""
        self.silences += 1
        last, last_asked_s = self._last_at
        if last in ("", address) or asked_s >= last_asked_s:
            self.open_at.add(address)

    @property
    def end(self) -> str | None:
        """What it was told last, if that was an end."""
        outcome = self.replies[-1].outcome if self.replies else None
        return outcome if outcome in ENDS else None

    @property
    def receipt(self) -> Reply | None:
        """Where it was told that it is done."""
        return next((one for one in self.replies if one.outcome == "done"), None)


def reply_of(response: Json) -> Reply:
    """Read a response to something that trades."""
    if "error" in response:
        data = response["error"]["data"]
        name = DISK_FULL if data.get("reason") == DISK_FULL else data["name"]
        return Reply(data.get("outcome"), name, duplicate=data.get("duplicate", False))
    result = response["result"]
    if "order" not in result:
        return _reply_of_sweep(result)
    order = result["order"]
    has_quote = order["bid"] and order["ask"]
    return Reply(
        "done",
        order=order["order"],
        position=order["position"],
        deal=order["deal"],
        state=order["state"],
        filled=order["filled_volume"],
        price=order["avg_price"],
        asked=tuple(order[name] for name in ASKED),
        paper=result["paper"],
        emulated=order["emulated"],
        duplicate=result["duplicate"],
        quote=(order["bid"], order["ask"]) if has_quote else None,
    )


ASKED = ("symbol", "side", "type", "volume", "sl", "tp", "magic")


def _reply_of_sweep(result: Json) -> Reply:
    failed = [(one["kind"], one["ticket"], one["outcome"]) for one in result["failed"]]
    swept = (tuple(result["cancelled"]), tuple(result["closed"]), tuple(failed))
    return Reply("done", swept=swept, paper=result["paper"], duplicate=result["duplicate"])


def outcome_of(response: Json) -> str | None:
    """Read a response of ``get_order``; ``None`` where the id is not known."""
    if "error" in response:
        return None
    outcome: str = response["result"]["outcome"]
    return outcome
