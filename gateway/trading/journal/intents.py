"""Intents: requests to the market under one id each, and the commands that are sent for them."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ea_bridge.model import TradeAction, TradeRequest, TradeResult
from ea_bridge.model.struct import Struct
from gateway.trading.requests import ReceiptContext

_ON_PAPER = "paper/"


class AccountKey(NamedTuple):
    """Account of a broker, by its login and its server. An id is unique within it, for good."""

    login: int
    server: str

    @property
    def on_paper(self) -> AccountKey:
        """The same account on paper, for what must tell its orders from those of the market."""
        return AccountKey(self.login, f"{_ON_PAPER}{self.server}")

    @property
    def is_paper(self) -> bool:
        """Whether it stands for an account on paper."""
        return self.server.startswith(_ON_PAPER)


class Stage(enum.StrEnum):
    """Stage of an intent, or of a command."""

    RECEIVED = "received"
    """Nothing is on the disk, and nothing was sent."""
    JOURNALED = "journaled"
    SENT = "sent"
    ACKED = "acked"
    DONE = "done"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


class Presumed(enum.StrEnum):
    """Reason for an assumed end that the terminal did not confirm directly."""

    TRACELESS = "traceless"
    """Nothing showed it for long: taken for not executed."""
    SUPERSEDED = "superseded"
    """What it was to change is not as it asked, or gone: it was not executed, or does not last."""
    ASSIGNED = "assigned"
    """It is equal to others; what was executed of them was given to the oldest."""
    BY_HAND = "by_hand"
    """A person has said so."""


ENDS = frozenset({Stage.DONE, Stage.REJECTED, Stage.NOT_SENT})
"""What nothing comes after."""
PAPER_FP = "paper"
"""What stands for the fingerprint of the terminal where a command went to a paper broker; a
terminal's own has 64 characters, or none."""
WATCHED_MS = 86_400_000
"""For so long the terminal is looked at whether it says something else."""
Outcome = Literal["done", "rejected"]
_EXITS = frozenset({TradeAction.DEAL, TradeAction.CLOSE_BY})
_EXPOSING = frozenset({TradeAction.DEAL, TradeAction.PENDING, TradeAction.CLOSE_BY})


@dataclass(frozen=True, slots=True)
class CallKey:
    """One call of a method that can change the account."""

    account: AccountKey
    client_order_id: str
    method: str
    params: str
    """Canonical: see :func:`.journal.canonical`."""
    actor: str = "daemon"
    """Id of the token that asks; no part of what is compared."""
    is_new: bool = False
    """The id was made a moment ago, so that it cannot have been used."""
    reduces: bool = False
    """It only takes risk away, so that nothing holds it up which is not sure."""


@dataclass(eq=False, slots=True, kw_only=True)
class CommandRecord:
    """One command to a terminal. Times are UTC milliseconds, ``None`` for not yet or not known."""

    command_id: int
    request: TradeRequest
    context: ReceiptContext
    fp: str = ""
    """Fingerprint of the terminal that it was sent to."""
    session: str = ""
    """Link that it was written to, as far as this run of the daemon knows."""
    ttl_ms: int = 0
    """How long after its arrival the terminal may still begin with it."""
    adds_risk: bool = True
    """Something may be at risk by it that was not before."""
    stage: Stage = Stage.JOURNALED
    created_ms: int = 0
    written_ms: int | None = None
    acked_ms: int | None = None
    ended_ms: int | None = None
    result: TradeResult | None = None
    err: int = 0
    """MQL's run-time error of a refusal."""
    retcode: int = 0
    presumed: Presumed | None = None
    """Of an end: why it is believed."""
    intent: Intent | None = None
    """What it is for; ``None`` where no journal is kept."""

    @property
    def is_answered(self) -> bool:
        """Whether the terminal has said something of it, so that it is not on its way any more."""
        return self.result is not None or bool(self.err or self.retcode)

    @property
    def ticket(self) -> int | None:
        """Of the order that it made, as far as the broker has told; ``None``: it made none."""
        result = self.result
        if result is None or not self.is_exposing:
            return None
        made = result.order or result.deal
        return made if made and made != self.request.position else None

    def lateness_ms(self, time_ms: int, stamp_ms: int) -> list[int]:
        """Return how much later than the command something was, as each clock has it: ours, which
        may have been set since, and the broker's, of which we may not know what it showed.

        Args:
            time_ms: when it was by our clock as it goes now, UTC.
            stamp_ms: when it was by the broker's clock as it went then.

        """
        ours_ms = time_ms - self.created_ms
        known_ms = self.context.broker_ms
        # a stamp of 0 is none, and two of them are not at the same time
        return [stamp_ms - known_ms, ours_ms] if stamp_ms and known_ms else [ours_ms]

    @property
    def is_paper(self) -> bool:
        """Whether it went to a paper broker, and not to the market."""
        return self.fp == PAPER_FP

    @property
    def exited(self) -> int | None:
        """The position that it is to close; ``None`` where there is none."""
        request = self.request
        return request.position or None if request.action in _EXITS else None

    @property
    def is_exposing(self) -> bool:
        """Whether positions or orders may have come or gone with it."""
        return self.request.action in _EXPOSING


class ManualSettlement(Struct, frozen=True, kw_only=True):
    """One order that was settled by hand."""

    by: str
    """``token`` and its public id."""
    outcome: Outcome
    ticket: int | None = None
    """Of the order that is said to be this one."""
    checked: bool = False
    """The terminal has shown that order."""
    note: str = ""
    """What was looked at, for people."""
    time_ms: int
    confirmed: bool = False
    """The terminal has said the same since."""
    contradicted_ms: int | None = None
    """When it was found out that it was otherwise: the order has the end that was found."""

    @property
    def is_watched(self) -> bool:
        """Whether the truth may still come."""
        return not self.confirmed and self.contradicted_ms is None


@dataclass(eq=False, slots=True, kw_only=True)
class Intent:
    """Request of a caller under one id, with its commands and its answer."""

    asked: CallKey
    terminal: str
    created_ms: int
    updated_ms: int
    stage: Stage = Stage.RECEIVED
    reconciled: bool = False
    """Its end was found in the terminal, later."""
    sends: list[CommandRecord] = field(default_factory=list)
    answer: bytes | None = None
    """See :mod:`.journal`; ``None`` while there is none."""
    settlement: ManualSettlement | None = None
    """What a person has said of it."""
    row: int | None = None
    """In the table ``orders``; ``None`` where nothing was written yet."""
    is_own: bool = False
    """Made by the gateway itself for a trade that no call stands behind."""
    over: asyncio.Future[None] | None = None
    """Done when its caller has his answer; only while the daemon that took it runs."""

    @property
    def key(self) -> tuple[AccountKey, str]:
        """Account and id: no other intent has both."""
        return (self.asked.account, self.asked.client_order_id)

    @property
    def is_under_way(self) -> bool:
        """Its caller waits for his answer."""
        return self.over is not None and not self.over.done()

    @property
    def is_paper(self) -> bool:
        """Whether its last command went to a paper broker."""
        return bool(self.sends) and self.sends[-1].is_paper

    @property
    def stage_now(self) -> Stage:
        """The stage, with that of a command that is under way."""
        if self.stage is Stage.JOURNALED and self.sends:
            last = self.sends[-1].stage
            return last if last in (Stage.SENT, Stage.ACKED) else self.stage
        return self.stage
