"""The rules of revoking and replacing tokens, and of changing their limits."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from typing import Any

import pytest
from issuer_clock import Clock

from gateway.credentials.issuer import IssuerError
from gateway.credentials.keyset import DAY_S
from gateway.credentials.record import LimitsError, Scope, TradeLimits
from gateway.home.home import Home


@pytest.mark.parametrize("by", ["name", "tid", "token"])
def test_a_token_is_revoked_by_whatever_is_at_hand(home: Home, by: str) -> None:
    """Its record says so, in a newer version."""
    token, record = home.issuer.create("demo")
    other = home.issuer.create("other")[1]
    which = {"name": "demo", "tid": record.tid, "token": token}[by]
    (revoked,) = home.issuer.revoke(which)
    assert (revoked.tid, revoked.status, revoked.rec_ver) == (record.tid, "revoked", 2)
    assert home.issuer.list() == (revoked, other)


def test_what_is_not_live_cannot_be_revoked(home: Home) -> None:
    """Who mistypes a name is told the nearest, and never reads his token in an error."""
    token, _ = home.issuer.create("eurusd-bot")
    with pytest.raises(IssuerError, match="did you mean eurusd-bot"):
        home.issuer.revoke("eurusd-bott")
    home.issuer.revoke(token)
    with pytest.raises(IssuerError, match="token list") as caught:
        home.issuer.revoke(token)
    assert token not in str(caught.value)


def test_a_replaced_token_goes_on_for_a_while(home: Home, clock: Clock) -> None:
    """Time to change it in the EA; the new one has the same rights and the same life."""
    old_token, old = home.issuer.create(
        "demo", scopes=["read"], lifetime_s=30 * DAY_S, platform="mt5"
    )
    clock.now += DAY_S
    token, new = home.issuer.replace("demo", overlap_s=3600)
    assert token != old_token
    assert (new.label, new.scopes, new.platform) == ("demo", (Scope.READ,), "mt5")
    assert new.exp == clock.now + 30 * DAY_S
    superseded = home.issuer.list()[0]
    assert (superseded.tid, superseded.status) == (old.tid, "superseded")
    assert superseded.exp == clock.now + 3600
    assert superseded.is_live(clock.now)


def test_a_replacement_takes_the_limits_over(home: Home) -> None:
    """All of them but those that are named; the old token keeps its own."""
    limits = TradeLimits(max_lot="0.5", collar_bps=50, allowed_symbols=("EURUSD",))
    home.issuer.create("demo", limits=limits)
    assert home.issuer.replace("demo")[1].limits == limits
    _, new = home.issuer.replace("demo", limits={"max_lot": "0.2", "collar_bps": None})
    assert new.limits == TradeLimits(max_lot="0.2", allowed_symbols=("EURUSD",))
    assert [one.limits for one in home.issuer.list()] == [limits, limits, new.limits]


def test_limits_are_changed_in_a_newer_record(home: Home) -> None:
    """Of the live tokens of that name; the id names one. What is not named stays."""
    _, first = home.issuer.create("demo", limits=TradeLimits(collar_bps=50))
    _, second = home.issuer.replace("demo")
    changed = home.issuer.change_limits("demo", {"max_lot": "0.5"})
    assert [(one.tid, one.rec_ver) for one in changed] == [(first.tid, 3), (second.tid, 2)]
    assert {one.limits for one in changed} == {TradeLimits(max_lot="0.5", collar_bps=50)}
    home.issuer.change_limits(second.tid, {"max_lot": None})
    assert [one.limits.max_lot for one in home.issuer.list()] == ["0.5", None]
    with pytest.raises(IssuerError, match="no live token"):
        home.issuer.change_limits("nobody", {"max_lot": "1"})


@pytest.mark.parametrize(
    "changes",
    [
        {"max_lot": "-1"},
        {"max_lot": 0.5},
        {"collar_bps": "5"},
        {"allowed_symbols": ()},
        {"allowed_symbols": tuple(f"S{n}" for n in range(201))},
        {"allowed_symbols": ("x" * 33,)},
    ],
)
def test_limits_that_no_record_can_carry_are_refused(home: Home, changes: dict[str, Any]) -> None:
    """And nothing is made or changed."""
    home.issuer.create("demo")
    for act in (home.issuer.change_limits, partial(_replaced, home)):
        with pytest.raises(LimitsError):
            act("demo", changes)
    with pytest.raises(LimitsError):
        home.issuer.create("other", limits=TradeLimits.model_construct(**changes))
    assert [one.limits for one in home.issuer.list()] == [TradeLimits()]


def _replaced(home: Home, which: str, changes: dict[str, object]) -> None:
    home.issuer.replace(which, limits=changes)


def test_a_replacement_never_prolongs_the_old_token(home: Home, clock: Clock) -> None:
    """An overlap beyond its end ends at its end."""
    _, old = home.issuer.create("demo", lifetime_s=60)
    home.issuer.replace("demo", overlap_s=3600)
    assert home.issuer.list()[0].exp == old.exp


def test_a_replacement_without_overlap_revokes(home: Home) -> None:
    """As for a token that leaked."""
    home.issuer.create("demo")
    home.issuer.replace("demo", overlap_s=0)
    assert [record.status for record in home.issuer.list()] == ["revoked", "active"]


def test_two_tokens_at_most_go_for_one_name(home: Home) -> None:
    """A second replacement ends the first one's overlap; revoking the name ends both."""
    for _ in range(3):
        (home.issuer.replace if home.issuer.list() else home.issuer.create)("demo")
    assert [one.status for one in home.issuer.list()] == ["revoked", "superseded", "active"]
    assert len(home.issuer.revoke("demo")) == 2
    assert {record.status for record in home.issuer.list()} == {"revoked"}


@pytest.mark.parametrize("overlap_s", [-1, DAY_S + 1])
def test_an_overlap_lasts_a_day_at_most(home: Home, overlap_s: int) -> None:
    """Longer is refused, and nothing happens."""
    home.issuer.create("demo")
    with pytest.raises(IssuerError, match="24 hours"):
        home.issuer.replace("demo", overlap_s=overlap_s)
    assert len(home.issuer.list()) == 1


def test_a_revocation_survives_kill_9(home: Home) -> None:
    """Once it was said to be done, it is done."""
    home.issuer.create("demo")
    done = subprocess.run(  # our own code
        [
            sys.executable,
            "-c",
            "import os, sys; from pathlib import Path; from gateway.home.home import Home\n"
            "Home(Path(sys.argv[1])).issuer.revoke('demo')\n"
            "os.kill(os.getpid(), 9)",
            str(home.folder),
        ],
        timeout=60,
    )
    assert done.returncode == (-9 if os.name == "posix" else 9)
    with Home(home.folder) as again:
        assert [record.status for record in again.issuer.list()] == ["revoked"]
