"""What the gate of a home with a console tells callers that it does not let in."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from console_machine import Machine

from ea_bridge.token import ALPHABET, new_token, parse_token
from gateway.auth.gate import CONSOLE_MESSAGES, MESSAGES, Gate
from gateway.errors import Unauthorized


def refusal(gate: Gate, token: str) -> Unauthorized:
    with pytest.raises(Unauthorized) as refused:
        gate.admit(token)
    return refused.value


def with_id_of(token: str) -> str:
    """Return another well-formed token of the same id: its secret is another's."""
    body = token[:16] + new_token()[16:48]
    number, checksum = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, len(ALPHABET))
        checksum = ALPHABET[digit] + checksum
    return body + checksum.rjust(6, "0")


def test_every_reason_has_a_sentence() -> None:
    """With a console as well as without one."""
    assert set(CONSOLE_MESSAGES) == set(MESSAGES)
    assert all(text and text[0].isupper() for text in CONSOLE_MESSAGES.values())


def test_who_is_not_known_is_told_the_way_in(machine: Machine) -> None:
    """The token is made elsewhere, and comes here by its terminal."""
    error = refusal(machine.gate, new_token())
    assert error.data["reason"] == "unknown"
    assert "start the terminal with it on this machine first" in error.message


def test_a_revoked_token_is_replaced_on_the_page(machine: Machine) -> None:
    """This machine makes none."""
    token = machine.signer.create()
    machine.signer.revoke(parse_token(token))
    machine.sync()
    error = refusal(machine.gate, token)
    assert (error.data["reason"], "console's page" in error.message) == ("revoked", True)


def test_a_bot_is_told_that_its_terminal_waits(tmp_path: Path) -> None:
    """By its token's id, which is no secret: the token itself cannot be checked before the
    approval. Other ids are as unknown as ever, and so is this one once nobody waits."""
    machine = Machine(tmp_path / "home")
    token, waiting = new_token(), set[str]()
    gate = Gate(
        machine.console.book,
        machine.home.device.did,
        machine.console.now_s,
        leases=machine.console.leases,
        is_waiting=waiting.__contains__,
    )
    assert refusal(gate, token).data["reason"] == "unknown"
    waiting.add(parse_token(token))
    error = refusal(gate, token)
    assert error.data["reason"] == "device_pending"
    assert "waits for approval" in error.message
    assert refusal(gate, new_token()).data["reason"] == "unknown"
    waiting.clear()
    assert refusal(gate, token).data["reason"] == "unknown"
    machine.home.close()


def test_a_known_token_is_not_told_of_by_its_id(machine: Machine) -> None:
    """Where the token can be checked, only who holds it hears what became of it."""
    token = machine.signer.create()
    machine.sync()
    gate = Gate(
        machine.console.book,
        machine.home.device.did,
        machine.console.now_s,
        leases=machine.console.leases,
        is_waiting=lambda tid: True,
    )
    assert gate.admit(token).tid == parse_token(token)
    forged = with_id_of(token)
    assert parse_token(forged) == parse_token(token)
    assert refusal(gate, forged).data["reason"] == "unknown"
