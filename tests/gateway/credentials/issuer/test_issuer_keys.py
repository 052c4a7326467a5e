"""The rules of the issuer's keys: renewed, never replaced unasked, and nowhere in clear."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from issuer_clock import Clock

from ea_bridge.token import derive_keys
from gateway.credentials.envelope import EnvelopeError, encode64, key_id
from gateway.credentials.issuer import IssuerError, published
from gateway.credentials.keyset import DAY_S, open_keyset
from gateway.credentials.record import Scope, open_record
from gateway.credentials.secrets import SecretsError
from gateway.home.home import MIGRATIONS, Home
from gateway.storage.store import DATABASE, Store

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


def test_tables_only_grow(tmp_path: Path) -> None:
    """A home of the first version opens in this one."""
    Store(tmp_path / "home", MIGRATIONS[:1]).close()
    Home(tmp_path / "home").close()
