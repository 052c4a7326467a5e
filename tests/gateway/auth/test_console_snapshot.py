"""The rules of what a console offers: nothing is believed because it came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from console_machine import LEASE, START, Machine
from scripted_console import Signer

from ea_bridge.token import parse_token
from gateway.auth.console_snapshot import UnknownRoot
from gateway.credentials.daemon_api import Synced
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.lease import Tier
from gateway.home.home import Home

# --- what is not believed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"did": "a" * 52},
        {"aud": "somebody"},
        {"iss": "somebody"},
        {"tid": "A1b2C3d4E5f6"},
        {"epoch": 0},
        {"dev_ver": 1},
        {"rec_ver": 99},
        {"exp": START + LEASE + 1},
        {"nbf": START + 61},
        {"v": 2},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_lease_that_is_not_meant_gives_nothing(
    machine: Machine, changes: dict[str, Any]
) -> None:
    """Of another device, audience, issuer or token, older, longer, or of the future."""
    token = machine.signer.create()
    tid = parse_token(token)
    machine.signer.tokens[tid].epoch = 1
    machine.signer.change_device(tid)
    machine.sync()
    assert machine.tier(token) is Tier.FULL
    machine.signer.tokens[tid].lease_changes = changes
    machine.sync()
    assert machine.reason(token) == "lease_expired"


@pytest.mark.parametrize("member", ["keys", "state"])
@pytest.mark.parametrize("other", ["keys", "state", "record", "lease", "event"])
def test_no_envelope_passes_for_another(machine: Machine, member: str, other: str) -> None:
    """The kind is signed."""
    token = machine.signer.create()
    tid = parse_token(token)
    envelopes = {
        "keys": machine.signer.key_set(),
        "state": machine.signer.state(),
        "record": machine.signer.offer(tid)["record"],
        "lease": machine.signer.lease(tid),
        "event": machine.signer.event("token.updated", tid),
    }
    if member == other:
        return
    with pytest.raises(EnvelopeError):
        machine.sync(**{member: envelopes[other]})
    assert machine.reason(token) == "unknown"


@pytest.mark.parametrize(
    "changes", [{"did": "a" * 52}, {"iss": "somebody"}, {"aud": "somebody"}, {"seq": 0}]
)
def test_a_state_that_is_not_meant_changes_nothing(
    machine: Machine, changes: dict[str, Any]
) -> None:
    """Of another device, issuer or audience, or older than one before."""
    token = machine.signer.create()
    machine.signer.event("token.updated", parse_token(token))
    machine.sync()
    machine.signer.revoke(parse_token(token))
    with pytest.raises(EnvelopeError):
        machine.sync(state=machine.signer.state(**changes))
    assert machine.reason(token) == ""


async def test_an_answer_counts_once_for_its_own_question(machine: Machine) -> None:
    """Also for a wall clock that was set back to when it was given: a lease ends all the same."""
    token = machine.signer.create()
    machine.sync()
    held = Synced.model_validate(machine.signer.synced(nonce="asked-then"))
    machine.signer.revoke(parse_token(token))  # which nobody tells us
    machine.pass_(LEASE + 10)
    machine.time.wall_off_s = -LEASE - 10.0
    with pytest.raises(EnvelopeError, match="another question"):
        machine.hear(held, "asked-now")
    assert machine.tier(token) is Tier.REDUCE
    machine.time.wall_off_s = 0.0
    machine.hear(Synced.model_validate(machine.signer.synced(nonce="asked-now")), "asked-now")
    assert machine.reason(token) == "revoked"


@pytest.mark.parametrize("changes", [{"did": "a" * 52}, {"iss": "x"}, {"aud": "x"}, {"seq": 0}])
def test_an_event_that_is_not_meant_is_refused(machine: Machine, changes: dict[str, Any]) -> None:
    """As a state is."""
    token = machine.signer.create()
    machine.sync()
    with pytest.raises(EnvelopeError):
        machine.tell(machine.signer.event("token.revoked", parse_token(token), **changes))


def test_another_console_is_refused(machine: Machine) -> None:
    """The root key of the first contact is kept; the message tells both and the remedy."""
    machine.sync()
    first, machine.signer = machine.signer, Signer(lambda: machine.time.true_s)
    machine.signer.know(first.did, first.pub)
    with pytest.raises(UnknownRoot, match="root in the section") as refused:
        machine.sync()
    assert first.root_text in str(refused.value)
    assert machine.signer.root_text in str(refused.value)


def test_a_root_key_of_the_configuration_counts(tmp_path: Path) -> None:
    """Also in the place of one that was kept: then all of the other console is forgotten."""
    machine = Machine(tmp_path)
    old = machine.signer.create()
    machine.sync()
    machine.signer = Signer(lambda: machine.time.true_s)
    machine.signer.know(machine.home.device.did, machine.home.device.public)
    machine.root = machine.signer.root_text
    machine.restart()
    assert machine.reason(old) != ""
    token = machine.signer.create()
    machine.sync()
    assert (machine.reason(token), machine.reason(old)) == ("", "unknown")
    machine.home.close()


def test_an_older_key_set_is_refused(machine: Machine) -> None:
    """A key that was withdrawn does not come back."""
    token = machine.signer.create()
    before = machine.signer.key_set()
    machine.signer.rotate()
    machine.sync()
    assert machine.reason(token) == ""
    with pytest.raises(EnvelopeError, match="older"):
        machine.sync(keys=before)


def test_an_older_record_is_not_taken(machine: Machine) -> None:
    """The newer one goes on."""
    token = machine.signer.create()
    tid = parse_token(token)
    before = machine.signer.offer(tid)["record"]
    machine.signer.change(tid, label="newer")
    machine.sync()
    machine.sync(tokens=[{**machine.signer.offer(tid), "record": before}])
    assert machine.gate.admit(token).terminal == "newer"


def test_a_server_key_that_is_not_the_records_is_refused(machine: Machine) -> None:
    """Nor is it kept in clear."""
    token = machine.signer.create()
    offer = machine.signer.offer(parse_token(token))
    machine.sync(tokens=[{**offer, "server_key": "A" * 43}])
    assert machine.reason(token) == "unknown"
    machine.sync()
    key = machine.signer.tokens[parse_token(token)].keys.server_key
    for file in machine.folder.iterdir():
        assert key not in file.read_bytes()
        assert offer["server_key"].encode() not in file.read_bytes()


def test_the_device_key_is_kept_sealed(tmp_path: Path) -> None:
    """Made once, and the same at each start."""
    with Home(tmp_path) as home:
        did, raw = home.device.did, home.device._key.private_bytes_raw()
        for file in tmp_path.iterdir():
            assert raw not in file.read_bytes()
    with Home(tmp_path) as home:
        assert home.device.did == did


@pytest.mark.parametrize(
    "changes",
    [{"did": "a" * 52}, {"iss": "somebody"}, {"tid": "A1b2C3d4E5f6"}, {"nbf": START + 61}],
    ids=lambda one: next(iter(one)),
)
def test_a_lease_that_was_put_into_the_tables_gives_nothing(
    machine: Machine, changes: dict[str, Any]
) -> None:
    """What is read is verified again: a row of another machine opens nothing here."""
    token = machine.signer.create()
    tid = parse_token(token)
    machine.sync()
    with machine.home.store.transaction() as db:
        lease = machine.signer.lease(tid, **changes)
        db.execute("UPDATE console_tokens SET lease = ? WHERE tid = ?", (lease, tid))
    assert machine.reason(token) == "lease_expired"
