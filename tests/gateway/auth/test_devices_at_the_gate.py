"""The rules of devices and terminals whose tokens are a console's."""

from __future__ import annotations

import pytest
from console_machine import Machine, hello
from scripted_console import Signer

from ea_bridge.server import Admitted, NotAdmitted, Relay
from ea_bridge.token import parse_token
from gateway.auth.caller import terminal_fp

# --- devices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"), [("pending", "device_pending"), ("revoked", "device_revoked")]
)
def test_a_device_that_is_not_approved_gets_nothing(
    machine: Machine, status: str, reason: str
) -> None:
    """Neither a caller nor a terminal; who holds the token is told why."""
    token = machine.signer.create()
    machine.sync()
    machine.signer.change_device(parse_token(token), status=status)
    machine.sync()
    assert machine.reason(token) == reason
    verdict = machine.gate.admit_terminal(hello(token))
    assert isinstance(verdict, Relay if status == "pending" else NotAdmitted)


def test_a_record_without_this_device_is_pending(machine: Machine) -> None:
    """The token may be used elsewhere."""
    token = machine.signer.create(devices=())
    machine.sync()
    assert machine.reason(token) == "device_pending"


def test_a_terminal_that_is_not_known_is_introduced(machine: Machine) -> None:
    """The console can judge it; an approved one is let in here."""
    token = machine.signer.create()
    assert machine.gate.admit_terminal(hello(token)) == Relay()
    machine.sync()
    assert isinstance(machine.gate.admit_terminal(hello(token)), Admitted)


@pytest.mark.parametrize(
    ("strict", "fp", "is_admitted"),
    [
        (True, "", True),
        (True, "same", True),
        (True, "0" * 64, False),
        (False, "0" * 64, True),
    ],
)
def test_another_terminal_needs_another_approval(
    machine: Machine, strict: bool, fp: str, is_admitted: bool
) -> None:
    """Where the token is strict and the fingerprint of the first one is known."""
    token = machine.signer.create(strict_terminal=strict)
    known = terminal_fp(hello(token)) if fp == "same" else fp
    machine.signer.change_device(parse_token(token), terminal_fp=known)
    machine.sync()
    verdict = machine.gate.admit_terminal(hello(token))
    assert isinstance(verdict, Admitted if is_admitted else Relay)


def test_the_fingerprint_is_the_terminals() -> None:
    """The EA's own word, else all that tells two accounts apart."""
    token = Signer().create()
    assert terminal_fp(hello(token, fp="a" * 64)) == "a" * 64
    made = {terminal_fp(hello(token, **one)) for one in ({}, {"login": 8}, {"server": "x"})}
    assert len(made) == 3
