"""The rules of the daemon's book of records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.auth.records import LocalSource, RecordBook
from gateway.credentials import issuer as issuer_module
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.issuer import published, server_key_place
from gateway.credentials.keyset import sign_keyset
from gateway.credentials.record import Record, Scope
from gateway.credentials.secrets import Place
from gateway.home.home import Home
from gateway.storage.store import DATABASE, StoreError

NOW = 1_800_000_000


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path / "home", now_s=lambda: NOW) as opened:
        yield opened


def put(home: Home, record: Record, **changes: Any) -> None:
    """Have the issuer say something of a token that its methods do not say."""
    changed = record.model_copy(update=changes)
    with home.store.transaction() as db:
        home.issuer._write(db, changed)


def refusal(book: RecordBook, record: Record) -> str | None:
    """Return why the book refuses a token now; ``absent`` if it does not know it."""
    book.refresh(NOW)
    entry = book.get(record.tid)
    return "absent" if entry is None else entry.refusal(NOW)


def test_what_verifies_is_believed(home: Home) -> None:
    """A record with the keys of its token."""
    _, record = home.issuer.create("demo")
    book = home.book()
    assert refusal(book, record) is None
    (entry,) = book.entries()
    assert entry.record == record
    assert (entry.generation, entry.withdrawn) == (1, False)


def test_nothing_is_believed_under_another_root(home: Home) -> None:
    """The root key is pinned: a home that was made anew is another issuer."""
    _, record = home.issuer.create("demo")
    stranger = Ed25519PrivateKey.generate().public_key()
    assert (
        refusal(RecordBook(home.store, home.box, LocalSource(home.store, stranger)), record)
        == "absent"
    )


def test_a_record_of_another_issuer_is_refused(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """Key set and record name the same one."""
    _, record = home.issuer.create("demo")
    put(home, record, iss="somebody")
    assert refusal(home.book(), record) == "absent"
    assert "another issuer" in caplog.text


def test_a_server_key_that_is_not_the_records_is_refused(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it was sealed by ourselves: the record says which one it is."""
    _, record = home.issuer.create("demo")
    sealed = home.box.seal(b"\0" * 32, server_key_place(record.tid))
    with home.store.transaction() as db:
        db.execute("UPDATE records SET server_key = ?", (sealed,))
    assert refusal(home.book(), record) == "absent"
    assert "not the record's" in caplog.text


def test_a_record_in_the_row_of_another_is_refused(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """A token is not given the rights of another one."""
    _, reader = home.issuer.create("reader", scopes=["read"])
    _, trader = home.issuer.create("trader")
    with home.store.transaction() as db:
        db.execute(
            "UPDATE records SET envelope = (SELECT envelope FROM records WHERE tid = ?)",
            (trader.tid,),
        )
    book = home.book()
    assert refusal(book, reader) == "absent"
    assert refusal(book, trader) is None
    assert "it speaks of another token" in caplog.text


def test_a_key_that_left_the_set_counts_no_more(home: Home) -> None:
    """That is how a stolen signing key is made worthless, before its time is over."""
    _, record = home.issuer.create("demo")
    book = home.book()
    assert refusal(book, record) is None
    with home.store.transaction() as db:
        root = home.issuer._keys._root(db, NOW)
        empty = sign_keyset(root, [], iss="local", version=2, now_s=NOW)
        db.execute("INSERT INTO key_sets VALUES (2, ?)", (empty,))
    assert refusal(book, record) == "revoked"
    assert refusal(home.book(), record) == "absent"


def test_a_secret_of_another_row_is_refused(home: Home) -> None:
    """Ciphertexts do not travel between tokens."""
    one, two = home.issuer.create("one")[1], home.issuer.create("two")[1]
    with home.store.transaction() as db:
        db.execute(
            "UPDATE records SET server_key = (SELECT server_key FROM records WHERE tid = ?)",
            (one.tid,),
        )
    book = home.book()
    assert refusal(book, one) is None
    assert refusal(book, two) == "absent"


def test_a_disabled_account_opens_nothing(home: Home) -> None:
    """The console says so in the record; here the local issuer is made to."""
    _, record = home.issuer.create("demo")
    book = home.book()
    assert refusal(book, record) is None
    put(home, record, status="disabled", rec_ver=2)
    assert refusal(book, record) == "account_disabled"


@pytest.mark.parametrize(
    ("changes", "is_another"),
    [
        ({}, False),
        ({"exp": NOW + 5}, False),
        ({"status": "superseded"}, False),
        ({"uid_hash": "x"}, False),
        ({"scopes": (Scope.READ,)}, True),
        ({"label": "other"}, True),
        ({"platform": "mt4"}, True),
        ({"stored_key": "00" * 32}, True),
        ({"status": "revoked"}, True),
    ],
)
def test_the_generation_grows_with_the_rights(
    home: Home, changes: dict[str, Any], is_another: bool
) -> None:
    """And only with them: who merely got an end, which the clock watches, is not cut off."""
    _, record = home.issuer.create("demo")
    book = home.book()
    book.refresh(NOW)
    put(home, record, rec_ver=2, **changes)
    changed = book.refresh(NOW)
    assert [entry.record.rec_ver for entry in changed] == ([2] if is_another else [])
    (entry,) = book.entries()
    assert entry.generation == 1 + is_another


def test_a_revocation_is_for_good(home: Home) -> None:
    """A later record that says otherwise changes nothing, for this book and the next."""
    _, record = home.issuer.create("demo")
    book = home.book()
    book.refresh(NOW)
    put(home, record, status="revoked", rec_ver=2)
    assert refusal(book, record) == "revoked"
    put(home, record, status="active", rec_ver=3)
    assert refusal(book, record) == "revoked"
    assert refusal(home.book(), record) == "revoked"


def test_an_older_record_than_one_seen_opens_nothing(home: Home) -> None:
    """Not even a newer right is taken back by showing what was said before."""
    _, record = home.issuer.create("demo")
    book = home.book()
    put(home, record, rec_ver=5)
    assert refusal(book, record) is None
    put(home, record, rec_ver=4)
    assert refusal(book, record) == "revoked"
    put(home, record, rec_ver=6)
    assert refusal(book, record) is None


def test_a_backup_restored_under_a_running_daemon_undoes_nothing(home: Home) -> None:
    """Also not after the next start: what we have seen is written once more."""
    _, record = home.issuer.create("demo")
    book = home.book()
    book.refresh(NOW)
    live = sqlite3.connect(home.folder / DATABASE)
    backup = sqlite3.connect(":memory:")
    live.backup(backup)
    home.issuer.revoke("demo")
    assert refusal(book, record) == "revoked"
    backup.backup(live)
    live.close()
    backup.close()
    assert [one.status for one in home.issuer.list()] == ["active"]
    assert refusal(book, record) == "revoked"
    assert refusal(home.book(), record) == "revoked"


def test_what_is_unchanged_is_not_verified_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit of somebody else's costs a look, not a signature for each token."""
    _, record = home.issuer.create("demo")
    book = home.book()
    book.refresh(NOW)

    def fail(*_: object) -> None:
        raise EnvelopeError("verified again")

    monkeypatch.setattr("gateway.auth.records.open_record", fail)
    with home.store.transaction() as db:
        db.execute("INSERT INTO signing_keys VALUES ('other', '', 0, 0)")
    assert refusal(book, record) is None


def test_what_cannot_be_written_is_remembered_and_written_later(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk does not bring a revoked token back."""
    _, record = home.issuer.create("demo")
    book = home.book()
    book.refresh(NOW)
    home.issuer.on_change = lambda _: None  # who revoked died before he wrote it down himself
    home.issuer.revoke("demo")
    with monkeypatch.context() as patch:

        def full() -> None:
            raise StoreError("the disk is full")

        patch.setattr(home.store, "transaction", full)
        assert refusal(book, record) == "revoked"
        assert "the disk is full" in caplog.text
        assert home.store.one("SELECT * FROM seen WHERE revoked") is None
    book.check()
    (row,) = home.store.all("SELECT id, ver FROM seen WHERE revoked")
    assert (row["id"], row["ver"]) == (record.tid, 2)


def test_the_book_reads_what_is_published_and_nothing_else(home: Home) -> None:
    """The daemon and the issuer of one home meet in this one function."""
    assert issuer_module.published is published
    _, record = home.issuer.create("demo")
    offer = published(home.store)
    assert [row.tid for row in offer.records] == [record.tid]
    key = offer.records[0].server_key
    assert key is not None
    assert key not in repr(offer)
    place = Place("records", record.tid, "server_key")
    assert server_key_place(record.tid) == place
