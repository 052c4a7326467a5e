"""Who is live, and who was."""

from __future__ import annotations

import pytest
from bridge_parts import Heard, LiveSession, make_hello

from ea_bridge import registry as registry_module
from ea_bridge.protocol import messages as m
from ea_bridge.registry import MAX_SUBSCRIBERS, TerminalRegistry
from ea_bridge.session import SessionCallbacks, SessionState


class RegistryFixture:
    """A registry with a clock to turn, and sessions that tell it of their changes."""

    def __init__(self) -> None:
        self.now_ms, self.heard = 1000, Heard()
        self.registry = TerminalRegistry(now_ms=lambda: self.now_ms)
        self.registry.subscribe(self.heard.on_registry_change)

    def join(self, terminal: str = "demo", ack: int = 0, **hello: object) -> LiveSession:
        callbacks = SessionCallbacks(on_change=self.registry.note_change)
        live = LiveSession(
            terminal=terminal, hello=make_hello(**hello), ack=ack, callbacks=callbacks
        )
        self.registry.join(live.session)
        live.session.start()
        return live


@pytest.fixture
def fixture() -> RegistryFixture:
    return RegistryFixture()


def test_a_terminal_that_joins_can_be_found(fixture):
    """By its id, live and with its facts."""
    live = fixture.join()
    assert fixture.registry.get("demo") is live.session
    assert fixture.registry.sessions() == [live.session]
    facts = fixture.registry.facts("demo")
    assert (facts.state, facts.since_ms, facts.hello.login) == (SessionState.READY, 1000, 123)
    assert fixture.heard.kinds() == ["connected"]


def test_a_terminal_that_goes_leaves_its_facts(fixture):
    """Since when, why, and how far its events had come."""
    live = fixture.join()
    live.say(m.StateEvent(broker=True, q=1))
    fixture.now_ms = 5000
    live.session.end("the link was lost")
    facts = fixture.registry.facts("demo")
    assert fixture.registry.get("demo") is None
    assert (facts.state, facts.since_ms, facts.reason, facts.last_q, facts.broker) == (
        SessionState.DISCONNECTED,
        5000,
        "the link was lost",
        1,
        True,
    )
    assert fixture.registry.all_facts() == [facts]


def test_each_change_of_state_is_told(fixture):
    """Stale, ready again, flags, gone; with what it was before."""
    live = fixture.join()
    live.timers.advance(3)
    live.say(m.Hb(broker=False))
    live.timers.advance(15)
    assert fixture.heard.kinds() == [
        "connected",
        "stale",
        "ready",
        "flags",
        "stale",
        "disconnected",
    ]
    assert fixture.heard.changes[1].previous.state is SessionState.READY


def test_flags_do_not_move_the_time_of_the_state(fixture):
    """Ready since it joined, whatever the broker does."""
    live = fixture.join()
    fixture.now_ms = 2000
    live.say(m.Hb(broker=False))
    assert fixture.registry.facts("demo").since_ms == 1000


def test_the_newest_link_wins(fixture):
    """The older is told, and its end is not the terminal's."""
    older = fixture.join()
    newer = fixture.join()
    assert older.wire.take(m.Bye) == [m.Bye(code="replaced")]
    assert older.session.state is SessionState.DISCONNECTED
    assert fixture.registry.get("demo") is newer.session
    assert fixture.registry.facts("demo").state is SessionState.READY
    assert fixture.heard.kinds() == ["connected", "connected"]


@pytest.mark.parametrize("change", [{"login": 9}, {"server": "Broker-Live"}])
def test_another_account_under_the_same_token_is_told_first(fixture, change):
    """So that orders meant for the old one can be stopped before any reaches the new."""
    fixture.join().session.end("the link was lost")
    fixture.join(**change)
    assert fixture.heard.kinds()[2:] == ["account_changed", "connected"]
    changed = fixture.heard.changes[2]
    assert changed.previous.hello.login == 123
    assert changed.facts.hello != changed.previous.hello


def test_a_subscriber_may_send_the_changed_account_away(fixture):
    """Then it never counts as connected."""

    def refuse(change: registry_module.TerminalChange) -> None:
        if change.kind == "account_changed":
            fixture.registry.get("demo").close("account_changed")

    fixture.registry.subscribe(refuse)
    fixture.join().session.end("the link was lost")
    fixture.join(login=9)
    assert fixture.heard.kinds()[2:] == ["account_changed", "disconnected"]
    assert fixture.registry.get("demo") is None


def test_events_resume_where_the_same_run_of_the_ea_left_off(fixture):
    """Its ``boot`` is the same; it cannot claim that we have what it never made."""
    live = fixture.join(boot="b1", q=0)
    live.say(m.StateEvent(broker=True, q=1), m.StateEvent(broker=True, q=2))
    resume = fixture.registry.resume_point
    assert resume("demo", make_hello(boot="b1", q=7)) == 2
    live.session.end("the link was lost")
    assert resume("demo", make_hello(boot="b1", q=7)) == 2
    assert resume("demo", make_hello(boot="b1", q=1)) == 1


def test_what_the_program_before_has_heard_is_not_told_again(fixture):
    """Its word counts at the first link, for the run of the EA that it was about."""
    resume = fixture.registry.resume_point
    fixture.registry.go_on_from("demo", "b1", 5)
    assert resume("demo", make_hello(boot="b1", q=7)) == 5
    assert resume("demo", make_hello(boot="b1", q=3)) == 3
    assert resume("demo", make_hello(boot="b2", q=7)) == 7
    assert resume("other", make_hello(boot="b1", q=7)) == 7
    fixture.join(boot="b1", q=7).session.end("the link was lost")
    fixture.registry.discard("demo")
    assert resume("demo", make_hello(boot="b1", q=9)) == 9


def test_a_new_run_of_the_ea_begins_with_the_present(fixture):
    """What it made before us is in the snapshot."""
    fixture.join(boot="b1")
    assert fixture.registry.resume_point("demo", make_hello(boot="b2", q=40)) == 40
    assert fixture.registry.resume_point("other", make_hello(boot="b1", q=40)) == 40


def test_terminals_that_are_gone_are_remembered_up_to_a_bound(fixture, monkeypatch):
    """The one that has been gone longest is forgotten; live ones never."""
    monkeypatch.setattr(registry_module, "MAX_TERMINALS", 3)
    fixture.join("live")
    for name in "abcd":
        fixture.now_ms += 1
        fixture.join(name).session.end("the link was lost")
    assert [facts.terminal for facts in fixture.registry.all_facts()] == ["live", "c", "d"]


def test_a_terminal_can_be_forgotten_once_it_is_gone(fixture):
    """Not before."""
    live = fixture.join()
    fixture.registry.discard("demo")
    assert fixture.registry.facts("demo") is not None
    live.session.end("the link was lost")
    fixture.registry.discard("demo")
    assert fixture.registry.facts("demo") is None


def test_an_entry_follows_its_terminal(fixture):
    """From before it was here until after it was forgotten and came again."""
    entry = fixture.registry.terminal("demo")
    assert (entry.session, entry.facts) == (None, None)
    for _ in range(2):  # the second replaces the first
        live = fixture.join()
        assert entry.session is live.session
        assert entry.facts is fixture.registry.facts("demo")
    live.say(m.StateEvent(broker=True, q=1))
    assert entry.facts.broker is True
    live.session.end("the link was lost")
    assert (entry.session, entry.facts.state) == (None, SessionState.DISCONNECTED)
    fixture.registry.discard("demo")
    assert entry.facts is None
    assert fixture.join().session is entry.session is not None
    assert fixture.registry.terminal("demo") is entry


def test_a_subscriber_that_fails_does_not_keep_the_news_from_others(fixture, caplog):
    """Its fault is logged."""

    def fail(change: registry_module.TerminalChange) -> None:
        raise ZeroDivisionError

    told: list[registry_module.TerminalChange] = []
    fixture.registry.subscribe(fail)
    unsubscribe = fixture.registry.subscribe(told.append)
    fixture.join()
    unsubscribe()
    fixture.join("other")
    assert [change.facts.terminal for change in told] == ["demo"]
    assert "a subscriber failed" in caplog.text


def test_subscribers_are_bounded(fixture):
    """Whoever forgets to unsubscribe hears of it."""
    for _ in range(MAX_SUBSCRIBERS - 1):
        fixture.registry.subscribe(print)
    with pytest.raises(OverflowError):
        fixture.registry.subscribe(print)
