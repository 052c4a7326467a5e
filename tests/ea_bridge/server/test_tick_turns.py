"""How links share the turns of the loop when terminals send more ticks than it should take."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ea_bridge.protocol import messages as m
from ea_bridge.server.link import MAX_TICKS, PIECE_TICKS, MessagePacer, TickTurns


class Turns:
    """Timers that come due when the test says that a turn is over."""

    def __init__(self) -> None:
        self.due: list[Callable[..., object]] = []

    def time(self) -> float:
        return 0.0

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Turns:
        assert not delay
        self.due.append(callback)
        return self

    def cancel(self) -> None:
        raise AssertionError("nobody cancels a turn")

    def end(self) -> bool:
        """End this turn; return whether another one is wanted."""
        due, self.due = self.due, []
        for callback in due:
            callback()
        return bool(self.due)


class Links:
    """Pacers of links, with what they handed on in this turn."""

    def __init__(self, count: int) -> None:
        self.timers = Turns()
        self.turns = TickTurns(self.timers)
        self.heard: list[list[m.Message]] = [[] for _ in range(count)]
        self.held = [False] * count
        self.pacers = [self._pacer(number) for number in range(count)]

    def _pacer(self, number: int) -> MessagePacer:
        def hold(held: bool) -> None:
            assert self.held[number] != held
            self.held[number] = held

        return MessagePacer(self.turns, self.heard[number].extend, hold)

    def stamps(self, number: int) -> list[int]:
        """Stamps of the ticks that a link has handed on."""
        told = [event for event in self.heard[number] if isinstance(event, m.Ticks)]
        return [row[1] for event in told for row in event.d]


def ticks(count: int, start: int = 0) -> m.Ticks:
    return m.Ticks(d=[(1, start + n, "1.1", "1.2", 0.0, 0, 6) for n in range(count)])


def test_links_with_floods_take_turns() -> None:
    """None gets ahead of another, and no turn has more than its ticks and a piece."""
    links = Links(3)
    for pacer in links.pacers:
        pacer.feed([ticks(1000)])
    assert links.held == [True] * 3
    before = 0
    while links.timers.end():
        counts = [len(links.stamps(number)) for number in range(3)]
        assert max(counts) - min(counts) <= PIECE_TICKS
        assert sum(counts) - before < MAX_TICKS + PIECE_TICKS
        before = sum(counts)
    assert [links.stamps(number) for number in range(3)] == [[*range(1000)]] * 3
    assert links.held == [False] * 3


def test_a_few_ticks_beside_a_flood_wait_for_one_turn() -> None:
    """And what is no tick does not wait at all."""
    links = Links(2)
    links.pacers[0].feed([ticks(20_000)])
    links.timers.end()
    links.pacers[1].feed([m.Ack(id=1)])
    assert links.heard[1] == [m.Ack(id=1)]
    links.pacers[1].feed([ticks(3)])
    links.timers.end()
    assert links.stamps(1) == [0, 1, 2]
    assert not links.held[1]


def test_what_comes_behind_waiting_ticks_stays_behind_them() -> None:
    """Answers, too: the messages of one link keep their order."""
    links = Links(1)
    links.pacers[0].feed([ticks(500)])
    links.pacers[0].feed([m.Ack(id=7), ticks(2, 500)])
    while links.timers.end():
        pass
    assert links.stamps(0) == [*range(502)]
    assert links.heard[0].index(m.Ack(id=7)) == len(links.heard[0]) - 2


def test_a_link_that_ends_hands_on_all_and_gets_no_more_turns() -> None:
    """Its turns go to the others."""
    links = Links(2)
    for pacer in links.pacers:
        pacer.feed([ticks(1000)])
    links.pacers[0].flush()
    assert links.stamps(0) == [*range(1000)]
    while links.timers.end():
        pass
    assert links.stamps(1) == [*range(1000)]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 300), max_size=3), st.booleans()),
        max_size=20,
    )
)
def test_nothing_is_lost_doubled_or_turned_round(steps: list[tuple[int, list[int], bool]]) -> None:
    """However reads and turns alternate."""
    links, sent = Links(3), [0, 0, 0]
    for number, counts, ends in steps:
        messages: list[m.Message] = []
        for count in counts:
            messages.append(ticks(count, sent[number]))
            sent[number] += count
        links.pacers[number].feed(messages)
        if ends:
            links.timers.end()
    while links.timers.end():
        pass
    assert [links.stamps(number) for number in range(3)] == [[*range(count)] for count in sent]
    assert links.held == [False] * 3
