"""Judge of streams: what one subscriber is told has to add up to what the broker did.

It keeps a copy of each channel as a careful client would, and finds the place of each update in
the truth. Lossless channels are followed change by change: the next update is the broker's next
change, unless a gap, a new epoch or an answer that says ``recovered: false`` was told in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .settled_ends import SettledEnds, ToldEnd
from .stream_truth import NOUNS, TICKS, TOLD, Key, TerminalTruth, key_of_told_tick

Json = Mapping[str, Any]

OUTLIVING = frozenset({"orders", "positions", "deals"})
"""Channels that may go on from one life of the daemon to the next."""
STATEFUL = frozenset({"orders", "positions", "account", "terminal", "pnl"})
"""Channels that begin with a snapshot."""
FIRST_EMULATED = 4_503_599_627_370_497
"""Tickets from here on are the gateway's own, of orders that the broker does not know."""
COMPARE_EVERY = 16
"""Updates, after which the copy is compared with the broker's books where they should be equal."""
REASONS = frozenset(
    {"ea_restarted", "events_lost", "account_changed", "paper_switched", "ticks_lost"}
)
CAME_BACK: Mapping[tuple[bool | None, str | None], str] = {
    (True, None): "stream: gone on",
    (False, "evicted"): "stream: missed some",
    (False, "epoch_changed"): "stream: new epoch",
}
"""What it is called when somebody comes back, by ``recovered`` and ``reason``."""


@dataclass
class StreamRecord:
    """What all subscribers of a run were told together: equal numbers mean equal events."""

    on_wrong: Callable[[str], None] = lambda _: None
    """Told of each."""
    count: Callable[[str], None] = lambda _: None
    """Told of each rare thing that was seen."""
    wrong: list[str] = field(default_factory=list)
    events: int = 0
    gaps: int = 0
    snapshots: int = 0
    compared: int = 0
    """How often a copy was compared with the broker's books."""
    settled: SettledEnds = field(default_factory=SettledEnds)
    """Of orders that were unknown."""
    may_keep: Callable[[int], bool] = lambda _: True
    """Whether a life of the daemon may leave to the next one what it has told: none that served
    and was killed without a word."""
    _topics: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Terminal, channel and life of the daemon of each epoch."""
    _told: dict[tuple[str, int], int] = field(default_factory=dict)
    """Checksum of the data of an event, by epoch and number."""

    def __str__(self) -> str:
        return (
            f"{self.events} events, {self.gaps} gaps, {self.snapshots} snapshots, "
            f"{self.compared} comparisons with the books, {len(self.settled)} settled"
        )

    def accuse(self, who: str, said: str) -> None:
        """Note something wrong."""
        self.wrong.append(f"{who}: {said}")
        self.on_wrong(self.wrong[-1])

    def check_epoch(self, who: str, epoch: str, terminal: str, channel: str, life: int) -> None:
        """Check that an epoch belongs to one channel of one life of the daemon."""
        topic = terminal, channel, life
        known = self._topics.setdefault(epoch, topic)
        if known != topic:
            self.accuse(who, f"epoch {epoch} of {known} came as one of {topic}")

    def life_of(self, epoch: str) -> int:
        """Return the life of the daemon that an epoch is of."""
        return self._topics[epoch][2]

    def goes_on(self, epoch: str, earlier: str) -> None:
        """Take that an epoch of one life goes on from one of a life before it."""
        self.count("stream: outlived")
        self.settled.goes_on(epoch, earlier, self.life_of(earlier))

    def check_same(self, who: str, epoch: str, seq: int, data: bytes) -> None:
        """Check that an event is the one that others were told under its number."""
        told = self._told
        checksum = zlib.crc32(data)
        if told.setdefault((epoch, seq), checksum) != checksum:
            self.accuse(who, f"event {seq} of epoch {epoch} is another one than before")
        if len(told) > 50_000:  # the oldest were heard by everybody long ago
            for old in list(told)[:25_000]:
                del told[old]

    def note_settled(self, who: str, epoch: str, seq: int, data: Json) -> None:
        """Take the end of an order that was unknown, as an event of a known epoch tells it."""
        terminal, _, life = self._topics[epoch]
        id_, outcome, is_by_hand = (
            data["client_order_id"],
            data["outcome"],
            bool(data["settlement"]),
        )
        end = ToldEnd(terminal, life, epoch, seq, outcome, is_by_hand)
        if (other := self.settled.add(id_, end)) is not None:
            self.accuse(who, f"{id_} cannot have ended so twice: {other} and {end}")
        self.count("stream: settled")


class ChannelCopy:
    """One channel, as one subscriber knows it.

    Args:
        record: of the run.
        who: the subscriber, for what is wrong.
        channel: its name.
        truth: of the terminal.

    """

    def __init__(self, record: StreamRecord, who: str, channel: str, truth: TerminalTruth) -> None:
        self.channel = channel
        self.epoch, self.seq = "", 0
        self.lossless = True
        self.is_over = False
        """It ended, or was never made."""
        self.items: dict[int, Key] | None = None
        """What is open, by ticket; ``None`` until a snapshot has come."""
        self.merged = 0
        """Events that are missing since they were merged into later ones."""
        self.data: Json = {}
        """Of the last event of a channel that tells its whole state each time."""
        self.is_live = False
        self._record, self._truth = record, truth
        self._who = f"{who} {channel}"
        self._log = truth.changes.get(channel)
        self._tell = TOLD.get(channel)
        self._noun = NOUNS.get(channel, "")
        self._least = 0
        """Before this place of the truth nothing may be told any more."""
        self._places: list[int] | None = None
        """Where in the truth the next update may be; ``None``: anywhere behind the least."""
        self._owed_snapshot = False
        self._replayed_to = 0
        """Events up to this number come before the snapshot that is owed."""
        self._compared = 0
        self._version = -1

    @property
    def since(self) -> dict[str, Any] | None:
        """Where to go on from; ``None`` where there was nothing yet."""
        return {"epoch": self.epoch, "seq": self.seq} if self.epoch else None

    def accuse(self, said: str) -> None:
        """Note something wrong."""
        self._record.accuse(self._who, said)

    def _check_kept(self, epoch: str, life: int) -> None:
        """Check that each life since that of an epoch has left what it told to the next one."""
        for between in range(self._record.life_of(epoch), life):
            if not self._record.may_keep(between):
                self.accuse(f"life {life} goes on from {epoch}, and life {between} was killed")

    # --- the answer to subscribe -----------------------------------------------------------------

    def subscribed(self, told: Json, *, since: Json | None, life: int, terminal: str) -> None:
        """Take the entry of the channel in the answer.

        Args:
            told: the entry.
            since: what was asked with.
            life: of the daemon that answered.
            terminal: that the token is for.

        """
        epoch, seq = told["epoch"], told["seq"]
        self._record.check_epoch(self._who, epoch, terminal, self.channel, life)
        self.lossless = told["delivery"] == "lossless"
        self.is_live, self.is_over = told["live"], False
        expected: tuple[bool | None, str | None] = (None, None)
        if since is not None:
            # a life that was begun anew may go on where one before it has ended in order
            is_later = self._record.life_of(since["epoch"]) < life
            goes_on = self.channel in OUTLIVING and is_later and told["recovered"]
            is_same = epoch == since["epoch"] or goes_on
            # what was not kept may be evicted; who has missed nothing misses nothing
            is_all_there = told["recovered"] or seq == since["seq"]
            expected = (True, None) if is_all_there else (False, "evicted")
            if not is_same:
                may_be_evicted = self.channel in OUTLIVING and is_later
                is_evicted = may_be_evicted and told["reason"] == "evicted"
                expected = (False, "evicted" if is_evicted else "epoch_changed")
            elif epoch != since["epoch"]:
                self._record.goes_on(epoch, since["epoch"])
            if told["replayed"] != (seq - since["seq"] if told["recovered"] else 0):
                self.accuse(f"asked with {since}, so many cannot be told again: {told}")
            if is_later and told["recovered"]:
                self._check_kept(since["epoch"], life)
        if (told["recovered"], told["reason"]) != expected:
            self.accuse(f"asked with {since}, answered {told}")
        if since is not None and is_same and seq < since["seq"]:
            self.accuse(f"asked with {since}, the gateway knows less: {told}")
        if expected in CAME_BACK:
            self._record.count(CAME_BACK[expected])
        if expected[0] is not True:
            self._break_off()
        if told["replayed"]:
            self._record.count("stream: replayed")
        self._owed_snapshot = self.is_live and self.channel in STATEFUL
        self._replayed_to = seq
        # what is told again follows what was heard, number by number
        self.epoch, self.seq = epoch, seq - told["replayed"]

    # --- events ----------------------------------------------------------------------------------

    def event(self, params: Json, payload: bytes) -> None:
        """Take an event of the channel."""
        self._record.events += 1
        match params["type"]:
            case "update":
                self._update(params, payload)
            case "snapshot":
                self._snapshot(params)
            case "gap":
                self._gap(params)
            case "end":
                self.is_over = True
                self.accuse_unless(self.channel == "deals" and not self._truth.has_deals, params)
            case _:
                self.accuse(f"unknown type of event: {params}")

    def accuse_unless(self, is_right: bool, params: Json) -> None:
        """Note an event that must not be, unless it may."""
        if not is_right:
            self.accuse(f"unexpected after {self.seq} of {self.epoch}: {params}")

    def _update(self, params: Json, payload: bytes) -> None:
        epoch, seq, data = params["epoch"], params["seq"], params["data"]
        if self._owed_snapshot and seq > self._replayed_to:
            self.accuse(f"an update came before the snapshot: {params}")
            self._owed_snapshot = False
        if self.lossless:
            if (epoch, seq) != (self.epoch, self.seq + 1):
                self.accuse_unless(False, params)
                self._break_off()
            self._record.check_same(self._who, epoch, seq, payload)
        elif epoch == self.epoch:
            self.accuse_unless(seq > self.seq, params)
        self.merged += max(seq - self.seq - 1, 0)
        self.epoch, self.seq = epoch, seq
        if self.channel == TICKS:
            self._follow(key_of_told_tick(data))
        elif self._log is None:
            if data.get("event") != "kill_switch":  # that is no state of the terminal
                self.data = data
        elif data["op"] == "settled":
            self._record.note_settled(self._who, epoch, seq, data)
        else:
            self._change(data)

    def _change(self, data: Json) -> None:
        op, one = data["op"], data[self._noun]
        assert self._tell is not None  # there is one for each channel that has a log
        key = self._tell(one)
        if self.items is not None:
            if op == "remove":
                self.items.pop(key[0], None)
            else:
                self.items[key[0]] = key
        if key[0] >= FIRST_EMULATED:
            return  # no change of the broker's books
        self._follow((op, *key))
        self._compared += 1
        if self._compared % COMPARE_EVERY == 0:
            self.compare()

    def _snapshot(self, params: Json) -> None:
        self._record.snapshots += 1
        epoch, seq, data = params["epoch"], params["seq"], params["data"]
        if self.lossless or epoch == self.epoch:
            is_next = epoch == self.epoch and seq == self.seq
            self.accuse_unless(is_next or (not self.lossless and seq >= self.seq), params)
        self.merged += max(seq - self.seq, 0)
        self.epoch, self.seq = epoch, seq
        self._owed_snapshot = False
        self.is_live = True
        if self._tell is None:
            self.data = data
            return
        keys = map(self._tell, data[self.channel])
        self.items = {key[0]: key for key in keys}

    def _gap(self, params: Json) -> None:
        self._record.gaps += 1
        self._record.count("stream: gap told")
        epoch, seq, data = params["epoch"], params["seq"], params["data"]
        last = data["from"] - 1 if data["to"] is None else data["to"]
        is_right = (
            self.lossless
            and epoch != self.epoch
            and data["from"] == self.seq + 1
            and seq == last + 1
            and data["reason"] in REASONS
        )
        self.accuse_unless(is_right, params)
        self.epoch, self.seq = epoch, seq
        self._break_off()

    # --- the truth -------------------------------------------------------------------------------

    def _break_off(self) -> None:
        """Begin anew: something may be missing, and it was said."""
        if self._places:
            self._least = self._places[0]
        self._places = None
        self.items = None

    def _follow(self, key: Key) -> None:
        log = self._log
        assert log is not None  # see event
        if self._places is None:
            places = log.places(key, self._least)
        else:
            places = [place for place in self._places if log.at(place) == key]
        if not places:
            expected = [log.at(place) for place in self._places or ()]
            self.accuse(f"told {key}, and the next change of the broker is {expected}")
            self._places = None
            return
        self._places = [place + 1 for place in places]

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that the broker did has been told, as far as the copy knows."""
        log = self._log
        return (
            log is not None
            and self._truth.is_told
            and self._places is not None
            and self._places == [log.end]
        )

    def compare(self, *, anyway: bool = False) -> None:
        """Compare the copy with the broker's books, if all has been told.

        Args:
            anyway: it must have been by now.

        """
        if self.items is None or (not anyway and not self.is_up_to_date):
            return
        if self.channel == "deals" or (not anyway and self._version == self._truth.version):
            return
        self._version = self._truth.version
        self._record.compared += 1
        self._record.count("stream: compared")
        told = {ticket: key for ticket, key in self.items.items() if ticket < FIRST_EMULATED}
        book = self._truth.book(self.channel)
        if told != book:
            more = {ticket: key for ticket, key in told.items() if book.get(ticket) != key}
            less = {ticket: key for ticket, key in book.items() if told.get(ticket) != key}
            self.accuse(f"told {more}, while the broker has {less}")

    def finish(self) -> None:
        """Compare at the end, when everything is at rest and all has been told."""
        log = self._log
        if log is None or self.is_over or self.channel == TICKS:
            return  # the market goes on
        if self._places is not None and log.end not in self._places:
            left = [log.at(place) for place in range(self._places[0], log.end)]
            self.accuse(f"never told: {left}")
        if self.channel != "deals":
            if self.items is None:
                self.accuse("no snapshot came to the last")
            self.compare(anyway=True)
