"""The rules of the local issuer."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ea_bridge.token import derive_keys, parse_token
from gateway.auth.home import MIGRATIONS, Home
from gateway.credentials import issuer as module
from gateway.credentials.envelope import EnvelopeError, encode64, key_id
from gateway.credentials.issuer import (
    IssuerError,
    parse_duration,
    published,
    server_key_place,
)
from gateway.credentials.keyset import DAY_S, open_keyset
from gateway.credentials.limits import LimitsError
from gateway.credentials.record import TradeLimits, open_record
from gateway.credentials.scope import Scope
from gateway.credentials.secrets import SecretsError
from gateway.store import DATABASE, Store

START = 1_800_000_000


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    with Home(tmp_path / "home", now_s=clock) as opened:
        yield opened


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
        "import sys; from pathlib import Path; from gateway.auth.home import Home\n"
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


# --- revoking and replacing ----------------------------------------------------------------


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
def test_limits_that_no_record_can_carry_are_refused(
    home: Home, changes: dict[str, object]
) -> None:
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
            "import os, sys; from pathlib import Path; from gateway.auth.home import Home\n"
            "Home(Path(sys.argv[1])).issuer.revoke('demo')\n"
            "os.kill(os.getpid(), 9)",
            str(home.folder),
        ],
        timeout=60,
    )
    assert done.returncode == -9
    with Home(home.folder) as again:
        assert [record.status for record in again.issuer.list()] == ["revoked"]


# --- keys ----------------------------------------------------------------------------------


def test_keys_are_made_once(home: Home) -> None:
    """Who opens the home again finds the same root, and signs with the same key."""
    before = published(home.store).key_set
    with Home(home.folder, now_s=Clock()) as again:
        assert again.issuer.root.public_bytes_raw() == home.issuer.root.public_bytes_raw()
    assert published(home.store).key_set == before


def test_operational_keys_are_renewed_before_they_end(home: Home, clock: Clock) -> None:
    """14 days before; the records are signed anew, and say the same."""
    home.issuer.create("demo")
    records, before = home.issuer.list(), published(home.store)
    clock.now += 76 * DAY_S
    home.issuer.renew()
    assert published(home.store) == before
    clock.now += 1
    home.issuer.renew()
    after = published(home.store)
    assert key_id(after.records[0].envelope) != key_id(before.records[0].envelope)
    assert home.issuer.list() == records
    keyset = open_keyset(after.key_set, home.issuer.root)
    assert keyset.ver == 2
    assert open_record(after.records[0].envelope, keyset.keys_for("rec", clock.now)) == records[0]
    assert len(keyset.keys_for("rec", clock.now)) == 2


def test_a_home_that_slept_for_a_year_wakes_up(home: Home, clock: Clock) -> None:
    """All keys have ended; new ones are made, and the tokens go on."""
    _, record = home.issuer.create("demo")
    clock.now += 365 * DAY_S
    with Home(home.folder, now_s=clock) as again:
        offer = published(again.store)
        keys = open_keyset(offer.key_set, again.issuer.root).keys_for("rec", clock.now)
        assert open_record(offer.records[0].envelope, keys) == record


def test_keys_from_the_future_are_replaced(home: Home, clock: Clock) -> None:
    """The clock was years ahead when they were made; nobody has to wait for them."""
    home.issuer.create("demo")
    clock.now -= 3000 * DAY_S
    with Home(home.folder, now_s=clock) as again:
        keyset = open_keyset(published(again.store).key_set, again.issuer.root)
        assert keyset.ver == 2
        assert keyset.keys_for("rec", clock.now)


def test_nobody_can_have_a_record_signed_that_he_wrote_himself(home: Home, clock: Clock) -> None:
    """Renewal signs only what our own sealed keys have signed before."""
    token, record = home.issuer.create("demo", scopes=["read"])
    forged = sqlite3.connect(home.folder / DATABASE)
    (envelope,) = forged.execute("SELECT envelope FROM records").fetchone()
    parts = envelope.split(".")
    parts[3] = encode64(
        record.model_copy(update={"scopes": (Scope.ADMIN,)}).model_dump_json().encode()
    )
    with forged:
        forged.execute("UPDATE records SET envelope = ?", (".".join(parts),))
    forged.close()
    clock.now += 80 * DAY_S
    home.issuer.renew()
    keys = open_keyset(published(home.store).key_set, home.issuer.root).keys_for("rec", clock.now)
    with pytest.raises(EnvelopeError):
        open_record(published(home.store).records[0].envelope, keys)
    with pytest.raises(IssuerError):
        home.issuer.revoke(token)


def test_an_altered_record_does_not_hinder_the_others(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, with a line in the log; the rest can be revoked."""
    home.issuer.create("a")
    home.issuer.create("b")
    home.issuer.create("c")
    rows = published(home.store).records
    with home.store.transaction() as db:
        db.execute("UPDATE records SET envelope = 'x' WHERE tid = ?", (rows[0].tid,))
        db.execute(
            "UPDATE records SET envelope = ? WHERE tid = ?", (rows[2].envelope, rows[1].tid)
        )
    assert [record.label for record in home.issuer.list()] == ["c"]
    assert rows[0].tid in caplog.text
    assert "speaks of another token" in caplog.text
    home.issuer.revoke("c")


def _drop_key_file(folder: Path) -> None:
    (folder / "secrets.key").unlink()


def _exchange_key_file(folder: Path) -> None:
    (folder / "secrets.key").write_text(encode64(os.urandom(32)))


def _drop_root(folder: Path) -> None:
    with sqlite3.connect(folder / DATABASE) as db:
        db.execute("DELETE FROM signing_keys WHERE kid = 'root'")
    db.close()


def _exchange_private_keys(folder: Path) -> None:
    with sqlite3.connect(folder / DATABASE) as db:
        db.execute(
            "UPDATE signing_keys SET private_key ="
            " (SELECT private_key FROM signing_keys WHERE kid = 'op1') WHERE kid = 'root'"
        )
    db.close()


@pytest.mark.parametrize(
    "damage", [_drop_key_file, _exchange_key_file, _drop_root, _exchange_private_keys]
)
def test_what_does_not_fit_stops_everything(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """A missing or wrong key is never replaced by a new one; nothing is changed."""
    folder = tmp_path / "home"
    Home(folder).close()
    damage(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SecretsError):
        Home(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_key_file_may_lie_elsewhere(tmp_path: Path) -> None:
    """So that a copy of the home folder opens nothing."""
    key_file = tmp_path / "elsewhere.key"
    with Home(tmp_path / "home", key_file) as home:
        home.issuer.create("demo")
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    assert not list((tmp_path / "home").glob("*.key"))
    with pytest.raises(SecretsError, match="missing"):
        Home(tmp_path / "copy")


# --- secrets -------------------------------------------------------------------------------


def test_no_secret_lies_in_the_home(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Neither token nor keys, in no file, no form and no log."""
    caplog.set_level(logging.DEBUG)
    token, _ = home.issuer.create("demo")
    server_key = derive_keys(token).server_key
    home.issuer.replace("demo")
    home.issuer.revoke(token)
    needles = [
        token.encode(),
        token[16:48].encode(),
        server_key,
        server_key.hex().encode(),
        encode64(server_key).encode(),
        home.box.kek,
    ]
    for path in home.folder.iterdir():
        content = path.read_bytes()
        assert not [needle for needle in needles if needle in content], path
    assert token[16:48] not in caplog.text


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


def test_tables_only_grow(tmp_path: Path) -> None:
    """A home of the first version opens in this one."""
    Store(tmp_path / "home", MIGRATIONS[:1]).close()
    Home(tmp_path / "home").close()
