"""The rules by which terminals are called where several users share a daemon."""

from __future__ import annotations

import secrets

from ea_bridge.token import TokenKeys
from gateway.auth.caller import TokenEntry, assign_terminal_names
from gateway.credentials.record import NAME, Record, Scope

ANN, BOB = "a" * 16, "b" * 16


def entry(user: str, label: str, created_at: int = 0, terminal: str = "") -> TokenEntry:
    record = Record(
        v=1,
        iss="console",
        aud="mtgw-daemon",
        tid=secrets.token_hex(6),
        uid_hash=user,
        label=label,
        platform=None,
        rec_ver=1,
        status="active",
        created_at=created_at,
        exp=None,
        scopes=(Scope.TRADE,),
        stored_key="00" * 32,
        server_key_sha256="00" * 32,
    )
    return TokenEntry(record, TokenKeys(b"", b""), 1, 2**40, terminal=terminal)


def names(*entries: TokenEntry) -> list[str]:
    found = assign_terminal_names(entries)
    return [found[one.record.tid].terminal for one in entries]


def test_a_terminal_is_called_by_its_label() -> None:
    """As long as no other user calls one so."""
    assert names(entry(ANN, "live"), entry(BOB, "demo")) == ["live", "demo"]


def test_two_users_never_share_a_name() -> None:
    """The one with the oldest token has the bare name; no label can look like another's name."""
    assert names(entry(ANN, "demo", 2), entry(BOB, "demo", 1)) == [f"demo~{ANN}", "demo"]
    assert not NAME.fullmatch(f"demo~{ANN}")


def test_the_tokens_of_one_user_share_it() -> None:
    """While one replaces the other, both are for the same terminal."""
    assert names(entry(ANN, "demo", 1), entry(ANN, "demo", 2)) == ["demo", "demo"]
    assert (
        len(set(names(entry(ANN, "demo", 9), entry(ANN, "demo", 8), entry(BOB, "demo", 1)))) == 2
    )


def test_who_has_a_name_keeps_it() -> None:
    """A newcomer with an older token takes nothing away from those who are linked."""
    assert names(entry(ANN, "demo", 5, "demo"), entry(BOB, "demo", 1)) == ["demo", f"demo~{BOB}"]
    # also when the bare name has become free: links are known by the other one
    assert names(entry(BOB, "demo", 1, f"demo~{BOB}")) == [f"demo~{BOB}"]
    assert names(entry(BOB, "demo", 1, f"demo~{BOB}"), entry(BOB, "demo", 2)) == [
        f"demo~{BOB}",
        f"demo~{BOB}",
    ]
