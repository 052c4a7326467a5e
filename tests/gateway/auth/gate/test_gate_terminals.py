"""The gate for terminals."""

from __future__ import annotations

import pytest
from gate_house import House

from ea_bridge.protocol.messages import Hello
from ea_bridge.server import Admitted, NotAdmitted
from ea_bridge.token import derive_keys, new_token, parse_token
from gateway.auth.gate import TerminalDoor


def hello(token: str, platform: str = "mt5") -> Hello:
    return Hello(
        proto="1-1",
        tid=parse_token(token),
        cnonce=bytes(32),  # type: ignore[arg-type]
        boot="b",
        platform=platform,
        login=1,
        server="s",
    )


def test_a_terminal_is_admitted_with_the_keys_of_its_token(house: House) -> None:
    """With them the bridge proves and checks; the terminal has the token's name."""
    token, caller = house.admit()
    admitted = TerminalDoor(house.gate).admit(hello(token))
    assert isinstance(admitted, Admitted)
    assert admitted.keys == derive_keys(token)
    assert (admitted.terminal, admitted.generation) == ("demo", caller.generation)


def test_a_terminal_with_an_unknown_token_gets_no_keys(house: House) -> None:
    """The bridge then leads the handshake with keys that fit nothing."""
    refused = TerminalDoor(house.gate).admit(hello(new_token()))
    assert isinstance(refused, NotAdmitted)
    assert (refused.code, refused.keys) == ("unknown", None)


@pytest.mark.parametrize("end", ["expired", "revoked"])
async def test_a_terminal_learns_why_its_token_ended(house: House, end: str) -> None:
    """Once it has proved that it holds it: that is what the keys are for."""
    token, _ = house.admit(lifetime_s=60)
    if end == "revoked":
        house.home.issuer.revoke("demo")
    else:
        house.now += 60
    refused = TerminalDoor(house.gate).admit(hello(token))
    assert isinstance(refused, NotAdmitted)
    assert refused.code == end
    assert refused.keys == derive_keys(token)
    assert refused.terminal == "demo"


def test_a_token_for_one_platform_is_not_for_the_other(house: House) -> None:
    """An MT4 token in an MT5 terminal is a mix-up; the reason says so."""
    token, _ = house.admit(platform="mt4")
    door = TerminalDoor(house.gate)
    assert isinstance(door.admit(hello(token, "mt4")), Admitted)
    refused = door.admit(hello(token, "mt5"))
    assert isinstance(refused, NotAdmitted)
    assert "for mt4, not for mt5" in refused.reason


async def test_a_terminal_may_try_again_when_we_cannot_tell(house: House) -> None:
    """A record that cannot be verified now is no end: the EA comes back."""
    token, _ = house.admit()
    house.alter("DELETE FROM key_sets")
    refused = TerminalDoor(house.gate).admit(hello(token))
    assert isinstance(refused, NotAdmitted)
    assert refused.code == "busy"


async def test_the_terminal_of_a_token_is_known_after_its_end(house: House) -> None:
    """Whoever ends its connections has to find them."""
    _, caller = house.admit()
    house.home.issuer.revoke("demo")
    assert house.gate.label(caller.tid) == "demo"
    assert house.gate.label("A" * 12) is None
