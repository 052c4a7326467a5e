"""The connection to the trade server: made, lost, mended, given up."""

from __future__ import annotations

import pytest
from manager_library import CREDENTIALS, Clock, Fake
from msgspec.structs import replace

from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.peer.connection import FIRST_RETRY_S, LAST_RETRY_S, ServerConnection


def test_connecting_logs_in_and_begins_to_pump(fake: Fake, connection: ServerConnection):
    """Two interfaces: one asks, one is kept up to date."""
    state = connection.connect(CREDENTIALS)

    assert (state.connected, state.server, state.login) == (True, "203.0.113.10:443", 224)
    assert connection.pump() is not None
    assert fake.do("live") == 2


def test_without_a_connection_everything_is_refused(connection: ServerConnection):
    """Nothing was sent."""
    for ask in (connection.direct, connection.pump):
        with pytest.raises(CommandRefused) as refused:
            ask()
        assert refused.value.retcode == 6


@pytest.mark.parametrize(
    ("change", "code"), [({"password": "wrong"}, 65), ({"server": "203.0.113.11:443"}, 6)]
)
def test_a_refused_login_leaves_no_connection(
    fake: Fake, connection: ServerConnection, change: dict[str, str], code: int
):
    """With the server's code; what was connected before is gone, and nothing tries by itself."""
    connection.connect(CREDENTIALS)

    with pytest.raises(CommandRefused) as refused:
        connection.connect(replace(CREDENTIALS, **change))
    connection.supervise()

    assert refused.value.retcode == code
    assert not connection.state().connected
    assert fake.do("live") == 0


def test_a_disconnect_stays(fake: Fake, connection: ServerConnection):
    """Until somebody connects."""
    connection.connect(CREDENTIALS)

    assert not connection.disconnect().connected
    connection.supervise()

    assert not connection.state().connected
    assert fake.do("live") == 0


def test_a_lost_server_is_connected_again(fake: Fake, connection: ServerConnection, clock: Clock):
    """With what ``connect`` was told; while it is away every call is refused."""
    connection.connect(CREDENTIALS)
    fake.do("server", 0)

    with pytest.raises(CommandRefused):
        connection.direct()
    connection.supervise()
    assert not connection.connected
    fake.do("server", 1)
    clock.now += FIRST_RETRY_S
    connection.supervise()

    assert connection.state().connected
    assert connection.pump() is not None
    assert fake.do("live") == 2


def test_a_server_that_stays_away_is_tried_ever_less_often(
    fake: Fake, connection: ServerConnection, clock: Clock
):
    """Up to a bound, and from the beginning once it was there."""
    connection.connect(CREDENTIALS)
    fake.do("server", 0)
    for _ in range(200):
        connection.supervise()
        clock.now += 1.0
    fake.do("server", 1)

    waited = 0
    while not connection.connected:
        connection.supervise()
        clock.now += 1.0
        waited += 1

    assert waited <= LAST_RETRY_S + 1


def test_a_login_that_is_wrong_by_now_is_tried_once(
    fake: Fake, connection: ServerConnection, clock: Clock
):
    """A server counts wrong ones, and may shut everybody out who comes from here."""
    connection.connect(CREDENTIALS)
    fake.do("server", 0)
    fake.do("change_password")
    connection.supervise()
    fake.do("server", 1)
    for _ in range(100):
        clock.now += 1.0
        connection.supervise()

    assert fake.do("wrong_logins") == 1
    assert not connection.state().connected


def test_pumping_that_stopped_begins_again(fake: Fake, connection: ServerConnection):
    """Its interface is replaced; questions that need it wait, others do not."""
    connection.connect(CREDENTIALS)
    fake.do("stop_pumping")

    assert connection.pump() is None
    assert connection.direct().call("Ping") == 0
    connection.supervise()

    assert connection.pump() is not None
    assert fake.do("live") == 2


def test_a_late_word_of_an_old_pump_changes_nothing(fake: Fake, connection: ServerConnection):
    """Only of the interface that pumps now it is believed that it stopped."""
    connection.connect(CREDENTIALS)
    connection._notified(14, 0, None, 0)

    assert connection.pump() is not None


def test_records_of_another_layout_are_not_used(fake: Fake, connection: ServerConnection):
    """One deep record is looked at right after the login."""
    fake.do("break_layout")

    with pytest.raises(CommandRefused, match="not laid out") as refused:
        connection.connect(CREDENTIALS)

    assert refused.value.retcode == 5
    assert fake.do("live") == 0
