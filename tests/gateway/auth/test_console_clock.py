"""The rules of the console's time: no clock makes access longer."""

from __future__ import annotations

import pytest
from console_machine import LEASE, Machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ea_bridge.token import parse_token
from gateway.auth.caller import Caller
from gateway.auth.console_clock import SAVE_S
from gateway.credentials.daemon_api import Synced
from gateway.credentials.lease import Tier

# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wall_off_s", [-365 * 86400, -3600, 3600, 10 * 365 * 86400])
def test_the_wall_clock_does_not_matter_while_the_daemon_runs(
    machine: Machine, wall_off_s: int
) -> None:
    """Steps of it neither lengthen nor shorten anything."""
    token = machine.signer.create()
    machine.sync()
    machine.pass_(LEASE - 1)
    machine.time.wall_off_s = wall_off_s
    assert machine.tier(token) is Tier.FULL
    machine.pass_(1)
    assert machine.tier(token) is Tier.REDUCE


@pytest.mark.parametrize(
    ("off_s", "tier"),
    [(LEASE, Tier.REDUCE), (LEASE + 3600, Tier.READ), (LEASE + 14_400, Tier.NONE)],
)
def test_a_lease_runs_on_while_the_daemon_is_off(machine: Machine, off_s: int, tier: Tier) -> None:
    """In the same boot to the second, whatever the wall clock says."""
    token = machine.signer.create()
    machine.sync()
    machine.time.wall_off_s = -86_400
    machine.restart(off_s)
    assert machine.tier(token) is tier


def test_after_a_reboot_the_time_since_boot_has_passed_at_least(machine: Machine) -> None:
    """Also where the wall clock says nothing."""
    token = machine.signer.create()
    machine.time.booted_s -= 10_000_000
    machine.restart()
    machine.sync()
    machine.time.wall_off_s = -86_400
    machine.restart(reboot=True)
    machine.pass_(LEASE + 3600)
    machine.restart()
    assert machine.tier(token) is Tier.READ


def test_a_clock_that_went_back_opens_nothing_new(machine: Machine) -> None:
    """Until the console is heard: then all is well at once."""
    token = machine.signer.create()
    machine.sync()
    machine.time.wall_off_s = -7200
    machine.restart(600, reboot=True)
    assert machine.gate.allowance(parse_token(token)).reason == "clock_suspect"
    assert machine.tier(token) is Tier.REDUCE
    machine.sync()
    assert machine.tier(token) is Tier.FULL


def test_a_time_that_was_seen_is_not_forgotten(machine: Machine) -> None:
    """A later start, without the console, has seen a later time: it cannot be taken back."""
    token = machine.signer.create()
    machine.sync()
    machine.restart(36_000, reboot=True)
    machine.pass_(SAVE_S + 1)
    assert machine.tier(token) is Tier.NONE
    machine.time.wall_off_s = -36_000
    machine.restart(reboot=True)
    assert machine.tier(token) is Tier.NONE


def test_a_clock_that_was_ahead_locks_nobody_out(machine: Machine) -> None:
    """One renewal after its repair all is well."""
    token = machine.signer.create()
    machine.sync()
    machine.time.wall_off_s = 365 * 86_400
    machine.restart(10, reboot=True)
    assert machine.tier(token) is Tier.NONE
    machine.time.wall_off_s = 0
    machine.sync()
    assert machine.tier(token) is Tier.FULL
    machine.restart(10, reboot=True)
    assert machine.tier(token) is Tier.FULL


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(1, 2000)),
        st.tuples(st.just("sleep"), st.integers(1, 7 * 86_400)),
        st.tuples(st.just("wall"), st.integers(-365 * 86_400, 10 * 365 * 86_400)),
        st.tuples(st.just("restart"), st.integers(0, 5000)),
        st.tuples(st.just("sync"), st.just(0)),
    ),
    max_size=12,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_no_clock_makes_access_longer(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Whatever the wall clock does, with sleeps and restarts of the daemon: every tier ends on
    time, within the second; and one renewal repairs everything.
    """
    machine = Machine(tmp_path_factory.mktemp("home"))
    token = machine.signer.create()
    machine.sync()
    heard_s = machine.time.true_s
    for what, number in steps:
        if what in ("pass", "sleep"):
            machine.pass_(number)
        elif what == "wall":
            machine.time.wall_off_s = number
        elif what == "restart":
            machine.restart(number)
        else:
            machine.sync()
            heard_s = machine.time.true_s
            assert machine.tier(token) is Tier.FULL
        late = machine.time.true_s - heard_s - LEASE
        tier = machine.tier(token)
        assert tier < Tier.FULL or late < 1
        assert tier < Tier.REDUCE or late < 3601
        assert tier < Tier.READ or late < 14401
    machine.home.close()


@settings(max_examples=40, deadline=None)
@given(
    off_s=st.integers(0, 20_000),
    wall_off_s=st.integers(-365 * 86_400, -61),
)
def test_after_a_reboot_with_a_clock_set_back_nothing_new_is_opened(
    tmp_path_factory: pytest.TempPathFactory, off_s: int, wall_off_s: int
) -> None:
    """If the clock shows less than it has shown before."""
    machine = Machine(tmp_path_factory.mktemp("home"))
    token = machine.signer.create()
    machine.sync()
    machine.time.wall_off_s = wall_off_s - off_s
    machine.restart(off_s, reboot=True)
    assert machine.tier(token) < Tier.FULL
    machine.home.close()


def test_a_held_back_lease_is_worth_what_is_left_of_it(machine: Machine) -> None:
    """Who delays the console's answers gains nothing."""
    token = machine.signer.create()
    machine.sync()
    held = machine.signer.synced()
    machine.pass_(LEASE - 10)
    machine.hear(Synced.model_validate(held))
    machine.pass_(10)
    assert machine.tier(token) is Tier.REDUCE


def test_a_console_whose_clock_was_wrong_is_followed_where_ours_agrees(machine: Machine) -> None:
    """A console that was a day ahead does not lock us out for a day."""
    token = machine.signer.create()
    machine.time.true_s += 86_400
    machine.sync()
    boot = machine.time.true_s - machine.time.booted_s
    machine.time.booted_s -= 86_400  # our own clocks were right all the time
    machine.time.true_s -= 86_400
    assert boot == machine.time.true_s - machine.time.booted_s
    machine.sync()
    assert machine.tier(token) is Tier.FULL


def test_caller_is_what_it_was(machine: Machine) -> None:
    """Nothing of the tier is carried along."""
    token = machine.signer.create()
    machine.sync()
    caller = machine.gate.admit(token)
    machine.pass_(LEASE)
    assert machine.gate.admit(token) == caller
    assert isinstance(caller, Caller)
