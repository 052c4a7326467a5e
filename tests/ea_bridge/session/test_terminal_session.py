"""Events, symbols and the end of a session."""

from __future__ import annotations

import pytest
from bridge_parts import LiveSession, raw

from ea_bridge import commands
from ea_bridge.errors import CommandFailed, NotSent
from ea_bridge.model import Account, Bar, Order
from ea_bridge.protocol import messages as m
from ea_bridge.session import SessionCallbacks, SessionState, terminal

STAMP = 1_764_000_000_000


def tick(sym: int, bid: str = "1.1") -> tuple[int, int, str, str, float, int, int]:
    return (sym, STAMP, bid, "1.2", 0.0, 0, 6)


async def watch(live: LiveSession, symbol: str, sym: int) -> commands.Watched:
    params = commands.WatchParams(symbol=symbol, ticks=True)
    asked, cmd = await live.ask(commands.WATCH, params)
    watched = commands.Watched(sym=sym, symbol=symbol, digits=5)
    live.say(m.Res(id=cmd.id, ok=True, d=raw(watched)))
    return await asked


async def test_ticks_are_handed_on_as_they_came(live):
    """The whole frame, at once, with the text of its prices."""
    await watch(live, "EURUSD", 3)
    frame = m.Ticks(d=[tick(3, "1.10000"), tick(3, "1.10010")])
    live.say(frame)
    assert live.heard.events == [frame]
    assert live.session.symbol_of(3) == "EURUSD"


async def test_the_first_ticks_may_follow_the_watch_answer_at_once(live):
    """In the same data, before whoever asked has woken up."""
    params = commands.WatchParams(symbol="XAUUSD", ticks=True)
    asked, cmd = await live.ask(commands.WATCH, params)
    watched = commands.Watched(sym=0, symbol="XAUUSD", digits=2)
    live.say(m.Res(id=cmd.id, ok=True, d=raw(watched)), m.Ticks(d=[tick(0)]))
    assert live.heard.events == [m.Ticks(d=[tick(0)])]
    assert await asked == watched


async def test_ticks_of_a_symbol_that_was_never_watched_are_dropped(live):
    """One by one: the rest of the frame is good."""
    await watch(live, "EURUSD", 3)
    live.say(m.Ticks(d=[tick(9), tick(3), tick(8)]), m.Ticks(d=[tick(9)]))
    assert live.heard.events == [m.Ticks(d=[tick(3)])]
    assert live.session.counters.unknown_symbol == 3


async def test_books_and_bars_of_unknown_symbols_are_dropped(live):
    """As ticks are."""
    await watch(live, "EURUSD", 3)
    bar = Bar(0, 1.0, 1.0, 1.0, 1.0, 1)
    good = [m.Book(sym=3, time_msc=0, d=[]), m.BarEvent(sym=3, timeframe=1, d=bar)]
    bad = [m.Book(sym=4, time_msc=0, d=[]), m.BarEvent(sym=4, timeframe=1, d=bar)]
    live.say(*bad, *good)
    assert live.heard.events == good
    assert live.session.counters.unknown_symbol == 2


async def test_a_watch_answer_about_another_symbol_is_refused(live):
    """Or prices of one would be taken for the other's."""
    asked, cmd = await live.ask(commands.WATCH, commands.WatchParams(symbol="EURUSD"))
    watched = commands.Watched(sym=3, symbol="XAUUSD", digits=2)
    live.say(m.Res(id=cmd.id, ok=True, d=raw(watched)))
    with pytest.raises(CommandFailed):
        await asked
    with pytest.raises(KeyError):
        live.session.symbol_of(3)


async def test_the_table_of_symbols_is_bounded(live, monkeypatch):
    """An EA may not make up a new index for each answer; one that is known may be used again."""
    monkeypatch.setattr(terminal, "MAX_SYMBOLS", 2)
    await watch(live, "EURUSD", 1)
    await watch(live, "XAUUSD", 2)
    await watch(live, "XAUUSD", 2)
    with pytest.raises(CommandFailed):
        await watch(live, "EURUSD", 3)


def test_trade_and_account_events_are_handed_on(live):
    """With their numbers."""
    events = [
        m.Trade(op="add", q=1, order=Order(ticket=5, type=2, symbol="EURUSD")),
        m.AccountEvent(d=Account(login=123, balance=10.0), q=2),
        m.Pnl(d=[(5, 1.1, 0.0, 2.5)]),
        m.Lost(start=3),
    ]
    live.say(*events)
    assert live.heard.events == events
    assert live.session.last_q == 2


def test_a_gap_in_the_events_is_told_in_its_place(live):
    """Whoever listens takes a snapshot."""
    live.say(m.StateEvent(broker=True, q=1), m.StateEvent(broker=True, q=5))
    assert live.heard.events[1] == m.Lost(start=2, until=5)


def test_a_listener_that_fails_does_not_end_the_link(caplog):
    """Its fault is logged, and the next event is told all the same."""
    told = []

    def listen(session: object, event: m.Event) -> None:
        told.append(event)
        raise ZeroDivisionError

    live = LiveSession(callbacks=SessionCallbacks(on_event=listen))
    live.say(m.Pnl(d=[]), m.Pnl(d=[]))
    assert len(told) == 2
    assert "a listener of terminal demo failed" in caplog.text
    assert live.session.state is SessionState.READY


@pytest.mark.parametrize(
    "other",
    [Account(login=999), Account(login=123, server="Broker-Live")],
    ids=["login", "server"],
)
def test_another_account_in_the_same_terminal_ends_the_session(live, other):
    """It was admitted for one login at one server, and has to come in again."""
    live.say(m.AccountEvent(d=other, q=1))
    assert live.heard.events == []
    assert live.wire.take(m.Bye) == [m.Bye(code="account_changed")]
    assert (live.session.state, live.session.end_reason) == (
        SessionState.DISCONNECTED,
        "account_changed",
    )


async def test_an_answer_that_shows_another_account_ends_the_session(live):
    """And is not taken for the account that was asked for."""
    asked, cmd = await live.ask(commands.ACCOUNT_GET, commands.NoParams())
    live.say(m.Res(id=cmd.id, ok=True, d=raw(Account(login=999))), m.Pnl(d=[]))
    with pytest.raises(NotSent, match="account_changed"):
        await asked
    assert live.heard.events == []


def test_closing_says_bye_once(live):
    """With its reason, and only once."""
    live.session.close("revoked")
    live.session.close("shutdown")
    live.session.end("the link was lost")
    assert live.wire.take(m.Bye) == [m.Bye(code="revoked")]
    assert live.session.end_reason == "revoked"
    assert live.heard.states == ["disconnected"]


def test_a_terminal_may_say_bye(live):
    """Nothing is said in return."""
    live.say(m.Pnl(d=[]), m.Bye(code="account_changed"))
    assert live.session.state is SessionState.DISCONNECTED
    assert live.wire.closed
    assert live.wire.inbox == []


def test_nothing_is_taken_from_a_session_that_has_ended(live):
    """Though it may have been read already."""
    live.session.end("the link was lost")
    live.session.handle([m.Pnl(d=[])])
    live.session.start()
    assert (live.heard.events, live.timers.pending) == ([], 0)
