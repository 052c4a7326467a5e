"""The judge of what is on paper finds what is there and at the market, and what was lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from .intents import Intent, Reply
from .paper_judge import PaperTruth, faults_on_paper


def faults(
    *,
    is_paper: bool = True,
    outcome: str = "done",
    on_paper: tuple[int, ...] = (7,),
    traded: tuple[int, ...] = (),
    tickets: tuple[int, ...] = (1,),
) -> list[str]:
    """Judge an order that was told to be done on paper, as order 1 by command 7."""
    paper = PaperTruth.__new__(PaperTruth)
    paper.done, paper.tickets = set(on_paper), set(tickets)
    market: Any = SimpleNamespace(commands={one: [one] for one in traded})
    reply = Reply("done", order=1, paper=True)
    intent = Intent(id="a", method="place_order", params={}, tag="", replies=[reply])
    record = {"outcome": outcome, "paper": is_paper, "sends": [{"command_id": 7}]}
    return list(faults_on_paper(intent, record, paper, market))


def test_what_was_done_on_paper_is_right():
    """Once, in its books, and nowhere else."""
    assert faults() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"traded": (7,)},
        {"on_paper": ()},
        {"tickets": ()},
        {"outcome": "rejected"},
        {"outcome": "unknown"},
        {"is_paper": False, "on_paper": (), "traded": (7,)},
    ],
)
def test_what_is_wrong_is_found(wrong: dict[str, Any]):
    """At the market as well, nowhere, in no books, with another end, without one, elsewhere."""
    assert faults(**wrong)
