"""The rules of the token record."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.credentials.envelope import EnvelopeError, seal
from gateway.credentials.record import IMPLIED, Record, Scope, open_record

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PAYLOAD: dict[str, Any] = {
    "v": 1,
    "iss": "local",
    "aud": "mtgw-daemon",
    "tid": "A1b2C3d4E5f6",
    "label": "demo",
    "platform": None,
    "rec_ver": 1,
    "status": "active",
    "created_at": 1_800_000_000,
    "exp": 1_800_000_100,
    "scopes": ["read", "trade"],
    "stored_key": "e5" * 32,
    "server_key_sha256": "4e" * 32,
}


def opened(**changes: Any) -> Record:
    payload = {name: value for name, value in (PAYLOAD | changes).items() if value is not ...}
    return open_record(seal("rec", "op1", payload, KEY), {"op1": KEY.public_key()})


def test_what_was_signed_comes_back() -> None:
    """A record read is the record written, with all that later issues put into it."""
    record = opened(
        uid_hash="ab",
        limits={"max_lot": "0.10", "allowed_symbols": ["EURUSD"]},
        devices=[{"did": "d", "pub": "p", "dev_ver": 1, "status": "approved"}],
    )
    assert record.scopes == (Scope.READ, Scope.TRADE)
    assert record.limits.max_lot == "0.10"
    assert record.devices[0].status == "approved"
    assert opened(**record.payload()) == record


@pytest.mark.parametrize("name", sorted(PAYLOAD))
def test_no_member_may_be_missing(name: str) -> None:
    """Nothing about who may what is ever assumed."""
    with pytest.raises(EnvelopeError, match="lacks a member"):
        opened(**{name: ...})


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True},
        {"aud": "somebody-else"},
        {"tid": "A1b2C3d4E5f"},
        {"tid": "A1b2C3d4E5f6\n"},
        {"label": ""},
        {"label": "a b"},
        {"label": "x" * 65},
        {"label": "é"},
        {"platform": "mt6"},
        {"rec_ver": 0},
        {"rec_ver": "1"},
        {"status": "fine"},
        {"created_at": -1},
        {"exp": "never"},
        {"exp": 10**15},
        {"scopes": []},
        {"scopes": "trade"},
        {"scopes": ["everything"]},
        {"scopes": [None]},
        {"stored_key": "e5"},
        {"stored_key": "E5" * 32},
        {"server_key_sha256": None},
        {"limits": {"max_lot": "much"}},
        {"limits": None},
        {"devices": [{}]},
    ],
)
def test_a_malformed_record_is_refused(changes: dict[str, Any]) -> None:
    """Also where the right key signed it."""
    with pytest.raises(EnvelopeError):
        opened(**changes)


def test_members_of_the_future_are_ignored() -> None:
    """They are signed, and an older daemon goes on."""
    assert opened(something_new={"a": 1}) == opened()


def test_a_token_expires_exactly_at_its_end() -> None:
    """The second named in ``exp`` is the first in which it opens nothing."""
    record = opened()
    assert record.exp is not None
    assert record.state(record.exp - 1) == "active"
    assert record.is_live(record.exp - 1)
    assert record.state(record.exp) == "expired"
    assert not record.is_live(record.exp)
    assert opened(exp=None).is_live(10**11)


@pytest.mark.parametrize("status", ["revoked", "disabled"])
def test_an_ended_token_stays_ended(status: str) -> None:
    """Its end is what is told, before and after it would have expired."""
    for now_s in (0, 1_800_000_200):
        assert opened(status=status).state(now_s) == status
        assert not opened(status=status).is_live(now_s)


def test_a_replaced_token_works_until_its_end() -> None:
    """``superseded`` is still live."""
    assert opened(status="superseded").is_live(1_800_000_099)
    assert not opened(status="superseded").is_live(1_800_000_100)


def test_scopes_imply_lesser_ones() -> None:
    """``trade`` includes ``read``; ``admin`` includes both; ``read`` and ``remote`` nothing
    else, and nothing includes ``remote``."""
    assert IMPLIED[Scope.READ] == {Scope.READ}
    assert IMPLIED[Scope.TRADE] == {Scope.READ, Scope.TRADE}
    assert IMPLIED[Scope.ADMIN] == {Scope.READ, Scope.TRADE, Scope.ADMIN}
    assert IMPLIED[Scope.REMOTE] == {Scope.REMOTE}


def test_a_record_does_not_show_its_keys() -> None:
    """What lands in logs is who it is, not how it is checked."""
    shown = repr(opened())
    assert "demo" in shown
    assert "e5e5" not in shown
    assert "4e4e" not in shown
