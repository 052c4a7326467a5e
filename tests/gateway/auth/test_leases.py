"""The rules of leases and tiers: what is allowed while the console is silent."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from console_machine import LEASE, START, Machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ea_bridge.host import Host
from ea_bridge.token import parse_token
from gateway.auth.gate import Gate
from gateway.credentials.lease import Tier
from gateway.credentials.record import Offline
from gateway.errors import Forbidden, Unauthorized
from gateway.home.home import Home

# --- tiers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_s", "offline", "tier"),
    [
        (0, Offline(), Tier.FULL),
        (LEASE - 1, Offline(), Tier.FULL),
        (LEASE, Offline(), Tier.REDUCE),
        (LEASE + 3599, Offline(), Tier.REDUCE),
        (LEASE + 3600, Offline(), Tier.READ),
        (LEASE + 14399, Offline(), Tier.READ),
        (LEASE + 14400, Offline(), Tier.NONE),
        (LEASE, Offline(reduce_s=0, readonly_s=60), Tier.READ),
        (LEASE + 59, Offline(reduce_s=0, readonly_s=60), Tier.READ),
        (LEASE + 60, Offline(reduce_s=0, readonly_s=60), Tier.NONE),
        (LEASE + 59, Offline(reduce_s=60, readonly_s=0), Tier.REDUCE),
        (LEASE + 60, Offline(reduce_s=60, readonly_s=0), Tier.NONE),
        (LEASE, Offline(reduce_s=0, readonly_s=0), Tier.NONE),
        (LEASE + 86_399, Offline(reduce_s=10**9, readonly_s=10**9), Tier.REDUCE),
        (LEASE + 86_400, Offline(reduce_s=10**9, readonly_s=10**9), Tier.NONE),
    ],
)
def test_tiers_follow_one_another_to_the_second(
    machine: Machine, after_s: int, offline: Offline, tier: Tier
) -> None:
    """As security says, and never for longer than a day."""
    token = machine.signer.create(offline=offline)
    machine.sync()
    machine.pass_(after_s)
    assert machine.tier(token) is tier
    assert machine.reason(token) == ("" if tier else "lease_expired")


@pytest.mark.parametrize(("after_s", "tier"), [(LEASE - 1, Tier.FULL), (LEASE, Tier.NONE)])
def test_strict_leaves_nothing_after_the_lease(tmp_path: Path, after_s: int, tier: Tier) -> None:
    """Whatever the record allows: who runs the daemon may only tighten."""
    machine = Machine(tmp_path, strict=True)
    token = machine.signer.create()
    machine.sync()
    machine.pass_(after_s)
    assert machine.tier(token) is tier
    machine.home.close()


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("suspect", ["", "missed_event", "clock_suspect"])
@given(
    reduce_s=st.sampled_from([0, 60, 3600, 10**9]),
    readonly_s=st.sampled_from([0, 60, 14_400, 10**9]),
    after_s=st.sampled_from([0, LEASE, LEASE + 60, LEASE + 3600]),
)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_end_of_a_tier_is_known_before(
    tmp_path_factory: pytest.TempPathFactory,
    strict: bool,
    suspect: str,
    reduce_s: int,
    readonly_s: int,
    after_s: int,
) -> None:
    """Until then it holds, and from then on there is less."""
    machine = Machine(tmp_path_factory.mktemp("home"), strict=strict)
    offline = Offline(reduce_s=reduce_s, readonly_s=readonly_s)
    token = machine.signer.create(offline=offline)
    machine.sync()
    machine.console.leases.has_missed = suspect == "missed_event"
    machine.console.clock.is_suspect = suspect == "clock_suspect"
    machine.pass_(after_s)
    tier, entry = machine.tier(token), machine.console.book.get(parse_token(token))
    assert entry is not None
    ends_s = machine.console.leases.tier_ends_s(entry, tier)
    assert (ends_s is None) == (tier is Tier.NONE)
    if ends_s is not None:
        machine.time.true_s = ends_s - 1
        assert machine.tier(token) is tier
        machine.time.true_s = ends_s
        assert machine.tier(token) < tier
    machine.home.close()


def test_who_wants_more_than_the_tier_is_told_why(machine: Machine) -> None:
    """With the tier, since when, and when to try again."""
    token = machine.signer.create()
    machine.sync()
    caller = machine.gate.admit(token)
    machine.pass_(LEASE)
    machine.gate.recheck(caller, Tier.REDUCE)
    with pytest.raises(Forbidden) as refused:
        machine.gate.recheck(caller, Tier.FULL)
    assert refused.value.as_dict()["data"] == {
        "name": "forbidden",
        "retryable": True,
        "reason": "lease_expired",
        "tier": "reduce",
        "since": (START + LEASE) * 1000,
        "retry_after_ms": 5000,
    }
    machine.pass_(4 * 3600)
    with pytest.raises(Unauthorized) as gone:
        machine.gate.recheck(caller)
    assert gone.value.data["reason"] == "lease_expired"


async def test_connections_end_when_the_last_tier_does(machine: Machine) -> None:
    """By the clock alone; and the token works again once the console is back."""
    token = machine.signer.create()
    machine.sync()
    machine.gate.on_change(lambda tid, reason: machine.changes.append((tid, reason)))
    machine.pass_(LEASE + 14399)
    machine.gate.expire()
    machine.pass_(1)
    machine.gate.expire()
    await asyncio.sleep(0)
    assert machine.changes == [(parse_token(token), "lease_expired")]
    machine.sync()
    assert machine.reason(token) == ""


def test_a_renewal_begins_anew(machine: Machine) -> None:
    """From each contact a quarter of an hour."""
    token = machine.signer.create()
    machine.sync()
    machine.pass_(800)
    machine.sync()
    machine.pass_(LEASE - 1)
    assert machine.tier(token) is Tier.FULL


def test_a_local_home_has_no_tiers(tmp_path: Path) -> None:
    """Its tokens may always do what their scopes say."""
    with Home(tmp_path) as home:
        token, _ = home.issuer.create("demo")
        gate = Gate(home.book(), home.device.did)
        gate.recheck(gate.admit(token), Tier.FULL)


# --- what ends everything ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        ("token.revoked", "revoked"),
        ("device.revoked", "device_revoked"),
        ("user.disabled", "account_disabled"),
    ],
)
@pytest.mark.parametrize("after_s", [0, LEASE, LEASE + 3600])
def test_an_ending_ends_every_tier_at_once(
    machine: Machine, type_: str, reason: str, after_s: int
) -> None:
    """Before any sync, also over a restart, until a newer state says what holds."""
    token = machine.signer.create()
    machine.sync()
    caller = machine.gate.admit(token)
    machine.pass_(after_s)
    tid = parse_token(token) if type_ == "token.revoked" else None
    assert machine.tell(machine.signer.event(type_, tid))
    with pytest.raises(Unauthorized) as refused:
        machine.gate.recheck(caller, Tier.READ)
    assert refused.value.data["reason"] == reason
    machine.restart()
    assert machine.tier(token) is Tier.NONE
    machine.sync()
    # for good where the token was revoked: what is offered still calls it active
    assert (machine.tier(token) is Tier.NONE) == (type_ == "token.revoked")


def test_others_go_on(machine: Machine) -> None:
    """The end of a token or of a user is that of no other."""
    mine, other = machine.signer.create("a"), machine.signer.create("b", uid_hash="u2")
    machine.sync()
    machine.tell(machine.signer.event("user.disabled"))
    assert (machine.reason(mine), machine.reason(other)) == ("account_disabled", "")
    machine.tell(machine.signer.event("token.revoked", parse_token(other)))
    assert machine.reason(other) == "revoked"


async def test_a_token_that_is_not_in_the_state_is_gone(machine: Machine) -> None:
    """Silence opens no door."""
    token = machine.signer.create()
    machine.sync()
    caller = machine.gate.admit(token)
    del machine.signer.tokens[parse_token(token)]
    machine.sync()
    with pytest.raises(Unauthorized):
        machine.gate.recheck(caller)
    machine.restart()
    assert machine.reason(token) == "unknown"


def test_a_missed_event_holds_trades_until_the_next_sync(machine: Machine) -> None:
    """It may have been a revocation."""
    token = machine.signer.create()
    machine.sync()
    machine.console.leases.has_missed = True
    assert machine.tier(token) is Tier.READ
    machine.sync()
    assert machine.tier(token) is Tier.FULL


KILLED = """
import os, sys
from pathlib import Path
from gateway.auth.gate import Gate
from gateway.home.home import Home
home = Home(Path(sys.argv[1]))
console = home.console()
Gate(console.book, home.device.did, console.now_s, leases=console.leases)
event = console.offers.event(sys.argv[2])
assert console.leases.stop(event, applied=True)
os.kill(os.getpid(), 9)
"""


def test_a_revocation_survives_a_kill_right_after_it_came(tmp_path: Path) -> None:
    """It is on the disk before anybody could be told that it is in force."""
    machine = Machine(tmp_path / "home")
    machine.time.true_s = time.time()
    machine.time.booted_s = time.time() - Host().boot_ns() / 1e9
    machine.signer.born_s = int(machine.time.true_s) - 100
    token = machine.signer.create()
    machine.sync()
    envelope = machine.signer.event("token.revoked", parse_token(token))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(machine.folder), envelope], check=False, timeout=60
    )
    assert killed.returncode == (-9 if os.name == "posix" else 9)
    machine.restart()
    assert machine.reason(token) == "revoked"
    machine.sync()  # the console still says that it is active, as one restored from a backup
    assert machine.reason(token) == "revoked"
    machine.home.close()
