"""Who is live, and who was."""

from __future__ import annotations

import pytest
from bridge_parts import Heard, LiveSession, make_hello

from ea_bridge import registry as registry_module
from ea_bridge.protocol import messages as m
from ea_bridge.registry import MAX_SUBSCRIBERS, TerminalRegistry
from ea_bridge.session import SessionCallbacks, SessionState


class House:
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
def house() -> House:
    return House()


def test_a_terminal_that_joins_can_be_found(house):
    """By its id, live and with its facts."""
    live = house.join()
    assert house.registry.get("demo") is live.session
    assert house.registry.sessions() == [live.session]
    facts = house.registry.facts("demo")
    assert (facts.state, facts.since_ms, facts.hello.login) == (SessionState.READY, 1000, 123)
    assert house.heard.kinds() == ["connected"]


def test_a_terminal_that_goes_leaves_its_facts(house):
    """Since when, why, and how far its events had come."""
    live = house.join()
    live.say(m.State(broker=True, q=1))
    house.now_ms = 5000
    live.session.end("the link was lost")
    facts = house.registry.facts("demo")
    assert house.registry.get("demo") is None
    assert (facts.state, facts.since_ms, facts.reason, facts.last_q, facts.broker) == (
        SessionState.DISCONNECTED,
        5000,
        "the link was lost",
        1,
        True,
    )
    assert house.registry.all_facts() == [facts]


def test_each_change_of_state_is_told(house):
    """Stale, ready again, flags, gone; with what it was before."""
    live = house.join()
    live.timers.advance(3)
    live.say(m.Hb(broker=False))
    live.timers.advance(15)
    assert house.heard.kinds() == [
        "connected",
        "stale",
        "ready",
        "flags",
        "stale",
        "disconnected",
    ]
    assert house.heard.changes[1].previous.state is SessionState.READY


def test_flags_do_not_move_the_time_of_the_state(house):
    """Ready since it joined, whatever the broker does."""
    live = house.join()
    house.now_ms = 2000
    live.say(m.Hb(broker=False))
    assert house.registry.facts("demo").since_ms == 1000


def test_the_newest_link_wins(house):
    """The older is told, and its end is not the terminal's."""
    older = house.join()
    newer = house.join()
    assert older.wire.take(m.Bye) == [m.Bye(code="replaced")]
    assert older.session.state is SessionState.DISCONNECTED
    assert house.registry.get("demo") is newer.session
    assert house.registry.facts("demo").state is SessionState.READY
    assert house.heard.kinds() == ["connected", "connected"]


@pytest.mark.parametrize("change", [{"login": 9}, {"server": "Broker-Live"}])
def test_another_account_under_the_same_token_is_told_first(house, change):
    """So that orders meant for the old one can be stopped before any reaches the new."""
    house.join().session.end("the link was lost")
    house.join(**change)
    assert house.heard.kinds()[2:] == ["account_changed", "connected"]
    changed = house.heard.changes[2]
    assert changed.previous.hello.login == 123
    assert changed.facts.hello != changed.previous.hello


def test_a_subscriber_may_send_the_changed_account_away(house):
    """Then it never counts as connected."""

    def refuse(change: registry_module.Change) -> None:
        if change.kind == "account_changed":
            house.registry.get("demo").close("account_changed")

    house.registry.subscribe(refuse)
    house.join().session.end("the link was lost")
    house.join(login=9)
    assert house.heard.kinds()[2:] == ["account_changed", "disconnected"]
    assert house.registry.get("demo") is None


def test_events_resume_where_the_same_run_of_the_ea_left_off(house):
    """Its ``boot`` is the same; it cannot claim that we have what it never made."""
    live = house.join(boot="b1", q=0)
    live.say(m.State(broker=True, q=1), m.State(broker=True, q=2))
    resume = house.registry.resume_point
    assert resume("demo", make_hello(boot="b1", q=7)) == 2
    live.session.end("the link was lost")
    assert resume("demo", make_hello(boot="b1", q=7)) == 2
    assert resume("demo", make_hello(boot="b1", q=1)) == 1


def test_a_new_run_of_the_ea_begins_with_the_present(house):
    """What it made before us is in the snapshot."""
    house.join(boot="b1")
    assert house.registry.resume_point("demo", make_hello(boot="b2", q=40)) == 40
    assert house.registry.resume_point("other", make_hello(boot="b1", q=40)) == 40


def test_terminals_that_are_gone_are_remembered_up_to_a_bound(house, monkeypatch):
    """The one that has been gone longest is forgotten; live ones never."""
    monkeypatch.setattr(registry_module, "MAX_TERMINALS", 3)
    house.join("live")
    for name in "abcd":
        house.now_ms += 1
        house.join(name).session.end("the link was lost")
    assert [facts.terminal for facts in house.registry.all_facts()] == ["live", "c", "d"]


def test_a_terminal_can_be_forgotten_once_it_is_gone(house):
    """Not before."""
    live = house.join()
    house.registry.forget("demo")
    assert house.registry.facts("demo") is not None
    live.session.end("the link was lost")
    house.registry.forget("demo")
    assert house.registry.facts("demo") is None


def test_a_subscriber_that_fails_does_not_keep_the_news_from_others(house, caplog):
    """Its fault is logged."""

    def fail(change: registry_module.Change) -> None:
        raise ZeroDivisionError

    told: list[registry_module.Change] = []
    house.registry.subscribe(fail)
    unsubscribe = house.registry.subscribe(told.append)
    house.join()
    unsubscribe()
    house.join("other")
    assert [change.facts.terminal for change in told] == ["demo"]
    assert "a subscriber failed" in caplog.text


def test_subscribers_are_bounded(house):
    """Whoever forgets to unsubscribe hears of it."""
    for _ in range(MAX_SUBSCRIBERS - 1):
        house.registry.subscribe(print)
    with pytest.raises(OverflowError):
        house.registry.subscribe(print)
