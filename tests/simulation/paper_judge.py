"""Whether orders on paper were told as they are, and are on paper alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ea_bridge.model import SUCCESSES
from gateway.storage.store import Store

from .intents import Intent, Json
from .truth import Truth

OPEN = frozenset({"unknown", "pending"})


class PaperTruth:
    """The books on paper, as the ledger keeps them.

    Args:
        reader: of the ledger.

    """

    def __init__(self, reader: Store) -> None:
        results = reader.all("SELECT command_id, result FROM paper_results")
        self.done = {
            row["command_id"]
            for row in results
            if orjson.loads(row["result"])["retcode"] in SUCCESSES
        }
        """Commands that were carried out."""
        self.tickets = {row["ticket"] for row in reader.all("SELECT ticket FROM paper_rows")}


def faults_on_paper(
    intent: Intent, record: Mapping[str, Any] | None, paper: PaperTruth, market: Truth
) -> Iterator[str]:
    """Yield what is wrong with an order of an account that is on paper now and then.

    Args:
        intent: what a bot wanted, and was told.
        record: what ``get_order`` says of it at the end; ``None``: it is not known.
        paper: the books on paper.
        market: what the broker has executed.

    """
    told = [one for one in intent.replies if one.outcome == "done"]
    commands = [] if record is None else [one["command_id"] for one in record["sends"]]
    on_paper = [one for one in commands if one in paper.done]
    traded = [one for each in commands for one in market.commands.get(each, ())]
    said = f"{intent.id} {intent.method} {intent.params}, told {intent.replies}, is {record}"
    if len(on_paper) + len(traded) > 1:
        yield f"done {len(on_paper)} times on paper and {len(traded)} times at the market: {said}"
    outcome = None if record is None else record["outcome"]
    if outcome in OPEN:
        yield f"open to the end: {said}"
    if record is not None and record["paper"]:
        if traded:
            yield f"on paper, and executed at the market: {said}"
        if bool(on_paper) != (outcome == "done"):
            yield f"done {len(on_paper)} times on paper: {said}"
    elif on_paper:
        yield f"not on paper, and done there: {said}"
    if any(record is None or one.paper != record["paper"] for one in told):
        yield f"told to be on paper, or not: {said}"
    made = {one.order for one in told if one.paper and intent.method == "place_order"}
    if lost := made - {None} - paper.tickets:
        yield f"orders {lost} are in no books on paper: {said}"


def is_on_paper(record: Json | None) -> bool:
    """Whether ``get_order`` says of an order that it is on paper."""
    return record is not None and bool(record["paper"])
