"""Who is let in, and what a refusal tells."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from gate_house import House, reason

from ea_bridge import token as format_
from ea_bridge.token import TokenKeys, derive_keys, new_token, parse_token
from gateway.auth import gate as module
from gateway.auth.gate import MESSAGES
from gateway.credentials.record import Scope
from gateway.errors import Unauthorized


def with_other_secret(token: str) -> str:
    """Return a well-formed token with the same public id."""
    body = token[:16] + new_token()[16:48]
    return body + format_._checksum(body)


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
    token, _ = house.admit()
    forged = with_other_secret(token)
    assert parse_token(forged) == parse_token(token)
    assert reason(lambda: house.gate.admit(forged)) == "unknown"


async def test_an_unknown_token_takes_the_same_steps(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parse, derive, compare: nobody can time which tokens exist.

    Who is known by a digest has shown the whole token before; a part of it, as whoever guesses
    has, saves no step.
    """
    token, _ = house.admit()
    house.home.issuer.revoke("demo")
    guessed = with_other_secret(token)
    fresh = house.new_gate()
    steps: list[str] = []

    def count(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            steps.append(name)
            return work(*arguments)

        return counted

    monkeypatch.setattr(module, "derive_keys", count("derive", derive_keys))
    monkeypatch.setattr(hmac, "compare_digest", count("compare", hmac.compare_digest))
    for at, text, why in (
        (house.gate, new_token(), "unknown"),
        (house.gate, guessed, "unknown"),
        (fresh, token, "revoked"),
    ):
        steps.clear()
        assert reason(lambda at=at, text=text: at.admit(text)) == why  # type: ignore[misc]
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


async def test_the_keys_of_a_right_token_are_derived_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it opens is looked up each time all the same."""
    derived: list[str] = []

    def derive(token: str) -> TokenKeys:
        derived.append(token)
        return derive_keys(token)

    monkeypatch.setattr(module, "derive_keys", derive)
    token, caller = house.admit()
    assert house.gate.admit(token) is caller
    assert derived == [token]
    house.home.issuer.revoke("demo")
    assert reason(lambda: house.gate.admit(token)) == "revoked"


def test_a_token_proves_nothing_once_other_keys_are_stored(house: House) -> None:
    """However often it was right before."""
    token, caller = house.admit()
    entries = house.gate._book._entries
    other = replace(entries[caller.tid], keys=derive_keys(new_token()))
    entries[caller.tid] = other
    assert reason(lambda: house.gate.admit(token)) == "unknown"


def test_no_more_tokens_are_kept_than_are_right_and_few(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger fills no memory, and whoever is dropped is proved anew."""
    monkeypatch.setattr(module, "MAX_PROVEN", 2)
    for _ in range(10):
        assert reason(lambda: house.gate.admit(new_token())) == "unknown"
    assert house.gate._proven == {}
    tokens = [house.admit(f"t{number}")[0] for number in range(3)]
    assert len(house.gate._proven) <= 2
    for token in tokens:
        assert house.gate.admit(token).tid == parse_token(token)


@pytest.mark.parametrize("token", ["\udcff" * 54, "mgt_\ud800", "ü" * 54])
def test_what_is_no_text_is_malformed(house: House, token: str) -> None:
    """Header values that are no UTF-8 come as lone surrogates."""
    assert reason(lambda: house.gate.admit(token)) == "malformed"
