"""Rule of what callers are told: two answers for one id never contradict each other.

Done stays done, with the same tickets; rejected stays rejected. What was not sent may be sent
later, and what is unknown may turn out to be anything. This holds over all lives of the daemon:
but one that has just begun may have to find out again what an earlier one knew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from gateway.trading.requests import FIRST_HELD

from .invariants import Invariants
from .ledger_truth import LedgerTruth

Json = Mapping[str, Any]
Account = tuple[int, str]
Kind = tuple[str, bytes]
"""Method and params of a request, without its id."""

FINAL = frozenset({"done", "rejected"})
ABOUT_THE_CALL = frozenset(
    {
        *("unauthorized", "forbidden", "invalid_params", "terminal_not_found", "internal_error"),
        *("client_order_id_conflict", "terminal_disconnected", "overloaded", "limit_exceeded"),
        *("cancelled", "too_large", "shutting_down", "not_ready"),
    }
)
"""Errors that may speak of one call alone: it was not looked up what its id stands for."""
OPEN = frozenset({"unknown", "pending"})
PASSING = OPEN | {"not_sent"}
"""Another call under the same id may end otherwise."""
NOT_FOUND = "not found"
ASKS = "get_order"
SETTLES = "settle_order"
RECORDS = frozenset({ASKS, SETTLES})
"""Methods whose results are records of orders."""
FOUND = b'"reconciled":true'
"""Stands in what is said of an order that was found out."""


class Told(NamedTuple):
    """What somebody was told of an id."""

    outcome: str
    order: int | None = None
    position: int | None = None
    deal: int | None = None
    name: str = ""
    """Of the error."""
    life: int = 0
    """Of the daemon that told it."""
    heard_s: float = 0.0
    """When, by the loop's clock."""


class ToldRules:
    """What all callers were told, by account and id.

    Args:
        invariants: told of contradictions.
        sometimes: told of what happens seldom.
        has_disk_failed: whether the daemon may have been unable to write an end that it told.

    """

    def __init__(
        self,
        invariants: Invariants,
        sometimes: Callable[[str], None] = lambda _: None,
        has_disk_failed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._has_disk_failed = has_disk_failed
        self._invariants = invariants
        self._sometimes = sometimes
        self._ends: dict[tuple[Account, str], Told] = {}
        self._kinds: dict[tuple[Account, str], Kind] = {}
        self._alike: Counter[tuple[Account, Kind]] = Counter()
        """How many ids have requests that are equal otherwise."""
        self._contradicted: dict[tuple[Account, str], Told] = {}
        """What persons had said of orders of which the terminal has said otherwise since."""

    def answered(
        self,
        account: Account,
        message: Any,
        answer: Any,
        life: int,
        asked_s: float = 0.0,
        heard_s: float = 0.0,
    ) -> None:
        """Take the answer to a message, or to a batch of them.

        Args:
            account: that the terminal was logged in to.
            message: as it was sent.
            answer: what came.
            life: of the daemon that was asked.
            asked_s: when the message was sent, by the loop's clock.
            heard_s: when the answer came.

        """
        if isinstance(message, list):
            by_id = {one["id"]: one for one in answer} if isinstance(answer, list) else {}
            for one in message:
                if one["id"] in by_id:
                    self.answered(account, one, by_id[one["id"]], life, asked_s, heard_s)
            return
        params = message["params"]
        id_ = params.get("client_order_id") if isinstance(params, dict) else None
        if id_ is None or params.get("validate_only"):
            return
        if "error" in answer and answer["id"] is None:
            return  # it was refused as a whole: nobody has looked into it
        told = told_of(message["method"], answer)
        if told is None:
            return
        before = self._ends.get((account, id_))
        if before is not None and told.outcome in PASSING and asked_s < before.heard_s:
            return  # two answers have crossed: this one may have been made first
        if self._is_outdated(account, id_, told, asked_s):
            return
        told = told._replace(life=life, heard_s=heard_s)
        if message["method"] not in RECORDS and (account, id_) not in self._kinds:
            kind = _kind_of(message["method"], params)
            self._kinds[account, id_] = kind
            self._alike[account, kind] += 1
        self._take(account, id_, told)

    def contradict(
        self, account: Account, client_order_id: str, outcome: str, ticket: int | None
    ) -> None:
        """The terminal has said otherwise of an order than a person who had settled it.

        Args:
            account: of the order.
            client_order_id: of the order.
            outcome: what the person has said; what is found out counts more.
            ticket: that the person has named.

        """
        self._ends.pop((account, client_order_id), None)
        self._contradicted[account, client_order_id] = Told(outcome, ticket)

    def _is_outdated(self, account: Account, id_: str, told: Told, asked_s: float) -> bool:
        """Whether an answer tells what a person has said, and may have been made before it was
        found out that it was otherwise.
        """
        said = self._contradicted.get((account, id_))
        if said is None or told.outcome != said.outcome:
            return False
        if None not in (said.order, told.order) and said.order != told.order:
            return False
        now = self._ends.get((account, id_))
        return now is None or asked_s < now.heard_s

    def _take(self, account: Account, id_: str, told: Told) -> None:
        before = self._ends.get((account, id_))
        if before is None:
            if told.outcome in FINAL:
                self._ends[account, id_] = told
            return
        if told.outcome == before.outcome:
            self._compare(account, id_, before, told)
            self._ends[account, id_] = self._ends[account, id_]._replace(life=told.life)
        elif told.outcome in OPEN and told.life > before.life:
            self._sometimes("unknown again after a crash")
        elif told.outcome == NOT_FOUND and self._may_be_lost(before, told):
            self._sometimes("end lost with a disk that failed")
            del self._ends[account, id_]
        elif told.outcome in FINAL or told.name not in ABOUT_THE_CALL:
            self._broken(id_, before, told)

    def _may_be_lost(self, before: Told, told: Told) -> bool:
        """Whether no command stands for an end, and it could not be written before a crash."""
        has_command = before.order is not None and before.order < FIRST_HELD
        return self._has_disk_failed() and told.life > before.life and not has_command

    def _compare(self, account: Account, id_: str, before: Told, told: Told) -> None:
        fields = ("order", "position", "deal")
        pairs = [(getattr(before, one), getattr(told, one)) for one in fields]
        if all(old == new or None in (old, new) for old, new in pairs):
            return
        kind = self._kinds.get((account, id_))
        if kind is not None and self._alike[account, kind] > 1:
            # nobody can tell equal orders apart whose tags and results are lost
            self._sometimes("tickets of equal orders exchanged")
            self._ends[account, id_] = told
        else:
            self._broken(id_, before, told)

    def _broken(self, id_: str, before: Told, told: Told) -> None:
        self._invariants.broken("told", f"{id_} was told {before}, and then {told}")


def _kind_of(method: str, params: Json) -> Kind:
    """Return what a request asks for, under whatever id."""
    asked = {name: one for name, one in params.items() if name != "client_order_id"}
    return method, orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)


def check_found(data: bytes, truth: LedgerTruth, invariants: Invariants) -> None:
    """See that what a daemon says was found out is on the disk when it says so.

    Args:
        data: that it hands to the socket of a caller, with or without a head.
        truth: what its ledger has committed.
        invariants: told of what is not.

    """
    if FOUND not in data:
        return
    begin = data.find(b"\r\n\r\n") + 4 if data.startswith(b"HTTP") else 0
    try:
        answer = orjson.loads(data[begin:])
    except orjson.JSONDecodeError:
        return  # a part of it
    for one in answer if isinstance(answer, list) else [answer]:
        record = one.get("result")
        if isinstance(record, dict) and record.get("reconciled") and record.get("sends"):
            command_id = record["sends"][-1]["command_id"]
            command = truth.commands.get(command_id)
            if command is None or truth.newest[command.order] != command_id:
                continue  # it was not sent, and has been taken anew since it was read
            stage = truth.stages.get(command.order)
            if record.get("settlement") and stage in FINAL:
                continue  # a person's word, which may be contradicted while it is told
            if stage is not None and stage != record["state"]:
                id_, end = record["client_order_id"], record["state"]
                said = f"{id_} is told to be {end}, and its row is {stage}"
                invariants.broken("told", said)


def told_of(method: str, answer: Json) -> Told | None:
    """Read an answer; ``None`` where it says nothing of an order."""
    error = answer.get("error")
    if error is not None:
        data = error.get("data") or {}
        outcome, name = data.get("outcome"), data.get("name", "")
        if method == SETTLES:
            return None  # it says why the order was not settled, and not how it ended
        if method == ASKS:
            return Told(NOT_FOUND, name=name) if name == "order_not_found" else None
        if outcome is None:
            return None
        return Told(outcome, name=name)
    result = answer.get("result")
    if not isinstance(result, dict):
        return None
    if method not in RECORDS:
        return _done(result)
    if result["outcome"] == "done" and isinstance(result.get("result"), dict):
        return _done(result["result"])
    name = ((result.get("error") or {}).get("data") or {}).get("name", "")
    return Told(result["outcome"], name=name)


def _done(result: Json) -> Told:
    order = result.get("order")
    if not isinstance(order, dict):
        return Told("done")
    return Told("done", order.get("order"), order.get("position"), order.get("deal"))
