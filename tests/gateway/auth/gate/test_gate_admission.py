"""Who is let in, and what a refusal tells."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable

import pytest
from gate_house import House, reason

from ea_bridge.token import derive_keys, new_token, parse_token
from gateway.auth import gate as module
from gateway.auth.gate import MESSAGES
from gateway.credentials.record import Scope
from gateway.errors import Unauthorized

# --- letting in ----------------------------------------------------------------------------


def test_the_holder_of_a_token_is_let_in(house: House) -> None:
    """For the one terminal of the token, with all that its scopes imply."""
    token, caller = house.admit("demo", scopes=["trade"])
    assert caller.tid == parse_token(token)
    assert caller.terminal == "demo"
    assert caller.scopes == {Scope.READ, Scope.TRADE}
    assert caller.device == "device"
    house.gate.recheck(caller)


@pytest.mark.parametrize(
    ("scopes", "held"),
    [
        (["read"], {Scope.READ}),
        (["trade"], {Scope.READ, Scope.TRADE}),
        (["admin"], {Scope.READ, Scope.TRADE, Scope.ADMIN}),
        (["admin", "remote"], set(Scope)),
    ],
)
def test_scopes_include_lesser_ones(house: House, scopes: list[str], held: set[Scope]) -> None:
    """``read`` alone does not trade."""
    assert house.admit("demo", scopes=scopes)[1].scopes == held


def test_each_refusal_has_its_reason(house: House) -> None:
    """A mistyped token is told from an unknown one without a lookup."""
    token, _ = house.admit()
    assert reason(lambda: house.gate.admit("")) == "missing"
    assert reason(lambda: house.gate.admit("hunter2")) == "malformed"
    assert reason(lambda: house.gate.admit(token[:-1])) == "malformed"
    assert reason(lambda: house.gate.admit(new_token())) == "unknown"
    mistyped = token[:20] + ("x" if token[20] != "x" else "y") + token[21:]
    with pytest.raises(Unauthorized, match="checksum does not match"):
        house.gate.admit(mistyped)


def test_a_wrong_secret_is_unknown(house: House) -> None:
    """The right public id with another secret and a right checksum opens nothing."""
    from ea_bridge import token as format_

    token, _ = house.admit()
    body = token[:16] + new_token()[16:48]
    forged = body + format_._checksum(body)
    assert parse_token(forged) == parse_token(token)
    assert reason(lambda: house.gate.admit(forged)) == "unknown"


async def test_an_unknown_token_takes_the_same_steps(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parse, derive, compare: nobody can time which tokens exist."""
    token, _ = house.admit()
    house.home.issuer.revoke("demo")
    steps: list[str] = []

    def count(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            steps.append(name)
            return work(*arguments)

        return counted

    monkeypatch.setattr(module, "derive_keys", count("derive", derive_keys))
    monkeypatch.setattr(hmac, "compare_digest", count("compare", hmac.compare_digest))
    for text, why in ((new_token(), "unknown"), (token, "revoked")):
        steps.clear()
        assert reason(lambda text=text: house.gate.admit(text)) == why  # type: ignore[misc]
        # the first comparison is the checksum's
        assert steps == ["compare", "derive", "compare"]


async def test_what_became_of_a_token_is_told_to_its_holder_alone(house: House) -> None:
    """Who merely knows the public id learns nothing."""
    from ea_bridge import token as format_

    token, _ = house.admit()
    house.home.issuer.revoke("demo")
    body = token[:16] + new_token()[16:48]
    assert reason(lambda: house.gate.admit(token)) == "revoked"
    assert reason(lambda: house.gate.admit(body + format_._checksum(body))) == "unknown"


# --- what is told --------------------------------------------------------------------------


async def test_a_token_shows_up_nowhere(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs, not in errors with all their causes, not in what is printed of a caller."""
    caplog.set_level(logging.DEBUG)
    token, caller = house.admit()
    canary = token[16:48]
    shown = [repr(caller), repr(house.gate._book.entries())]
    house.home.issuer.revoke("demo")
    for text in (token, token[:-1], token[:30] + "!" + token[31:]):
        try:
            house.gate.admit(text)
        except Unauthorized as error:
            shown += [repr(error), str(error), repr(error.as_dict())]
            shown += [repr(error.__cause__), repr(error.__suppress_context__ or error.__context__)]
    assert not [text for text in shown if canary in text]
    assert canary not in caplog.text


def test_every_reason_has_a_sentence() -> None:
    """Also for whoever reads the message alone."""
    assert all(text and text[0].isupper() for text in MESSAGES.values())


def test_a_token_has_one_caller_until_its_rights_change(house: House) -> None:
    """So that whoever keeps something for a caller finds it again."""
    token, caller = house.admit("demo", scopes=["read"])
    assert house.gate.admit(token) is caller
