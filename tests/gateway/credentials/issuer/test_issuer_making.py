"""The rules of making tokens, and of how long they last."""

from __future__ import annotations

import subprocess
import sys

import pytest
from issuer_clock import START, Clock

from ea_bridge.token import derive_keys, parse_token
from gateway.credentials import issuer as module
from gateway.credentials.issuer import IssuerError, parse_duration, published, server_key_place
from gateway.credentials.keyset import DAY_S
from gateway.credentials.record import Scope
from gateway.home.home import Home

# --- making --------------------------------------------------------------------------------


def test_a_token_is_made_with_a_record_that_knows_its_holder(home: Home) -> None:
    """The record holds what checks the token, and nothing that makes it."""
    token, record = home.issuer.create("demo", scopes=["trade", "read"], lifetime_s=60)
    keys = derive_keys(token)
    assert record.tid == parse_token(token)
    assert record.stored_key == keys.stored_key.hex()
    assert record.scopes == (Scope.READ, Scope.TRADE)
    assert (record.status, record.rec_ver) == ("active", 1)
    assert (record.created_at, record.exp) == (START, START + 60)
    assert home.issuer.list() == (record,)
    (row,) = published(home.store).records
    assert row.server_key is not None
    assert home.box.open(row.server_key, server_key_place(record.tid)) == keys.server_key


def test_a_token_trades_and_lasts_unless_told_otherwise(home: Home) -> None:
    """The defaults of the command line."""
    _, record = home.issuer.create("demo")
    assert record.scopes == (Scope.TRADE,)
    assert record.exp is None
    assert record.platform is None


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 65, "demo\n", "a:b", "<b>"])
def test_a_name_is_one_word(home: Home, name: str) -> None:
    """It is part of channels, logs and file names."""
    with pytest.raises(IssuerError, match="letters, digits"):
        home.issuer.create(name)


@pytest.mark.parametrize(
    "arguments",
    [
        {"scopes": ["everything"]},
        {"platform": "mt6"},
        {"lifetime_s": 0},
        {"lifetime_s": -1},
        {"lifetime_s": 10**12},
    ],
)
def test_arguments_out_of_range_make_no_token(home: Home, arguments: dict[str, object]) -> None:
    """And leave nothing behind."""
    with pytest.raises(IssuerError):
        home.issuer.create("demo", **arguments)  # type: ignore[arg-type]
    assert home.issuer.list() == ()


def test_one_live_token_has_a_name(home: Home, clock: Clock) -> None:
    """A second is refused with what to do; a revoked or expired one is no hindrance."""
    home.issuer.create("demo", lifetime_s=10)
    with pytest.raises(IssuerError, match="has a token already; replace it, revoke it"):
        home.issuer.create("demo")
    home.issuer.create("Demo")
    clock.now += 10
    home.issuer.create("demo")
    home.issuer.revoke("demo")
    home.issuer.create("demo")
    states = [record.state(clock.now) for record in home.issuer.list()]
    assert states == ["expired", "active", "revoked", "active"]


def test_two_processes_cannot_give_one_name_away(home: Home) -> None:
    """The check and the write are one transaction."""
    code = (
        "import sys; from pathlib import Path; from gateway.home.home import Home\n"
        "from gateway.credentials.issuer import IssuerError\n"
        "try: Home(Path(sys.argv[1])).issuer.create('demo')\n"
        "except IssuerError: sys.exit(7)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(home.folder)]) for _ in range(4)]
    assert sorted(process.wait(60) for process in started) == [0, 7, 7, 7]


def test_the_oldest_ended_tokens_are_forgotten(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo that is started every day does not grow its home for ever; live ones stay."""
    monkeypatch.setattr(module, "MAX_ENDED", 2)
    home.issuer.create("stays")
    for _ in range(4):
        home.issuer.create("demo")
        last = home.issuer.revoke("demo")[0]
    home.issuer.create("demo")
    labels = [record.label for record in home.issuer.list()]
    assert labels == ["stays", "demo", "demo", "demo"]
    assert last in home.issuer.list()


# --- durations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("45m", 2700), ("12h", 43_200), ("30d", 30 * DAY_S), ("8w", 56 * DAY_S)],
)
def test_durations(text: str, seconds: int) -> None:
    """A number and a unit."""
    assert parse_duration(text) == seconds
    assert parse_duration(f" {text} ") == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "d", "0d", "-1d", "1.5h", "1y", "30 d", "٣d", "1e3s", "9" * 7 + "s"]
)
def test_other_text_is_no_duration(text: str) -> None:
    """The message shows how it is written."""
    with pytest.raises(IssuerError, match="12h, 30d or 8w"):
        parse_duration(text)
