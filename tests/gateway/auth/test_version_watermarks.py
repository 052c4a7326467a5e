"""The rules of the daemon's memory of versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.auth.version_watermarks import NEVER, TABLES, VersionWatermarks, Watermark
from gateway.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home", [TABLES])
    yield opened
    opened.close()


def test_a_version_only_grows(store: Store) -> None:
    """A lower one changes nothing."""
    seen = VersionWatermarks(store)
    assert seen.of("rec", "t") == NEVER
    for version in (3, 2, 5, 4):
        seen.note("rec", "t", version, revoked=False)
    assert seen.of("rec", "t") == Watermark(5, False)


def test_a_revocation_is_for_good(store: Store) -> None:
    """Whatever is seen later."""
    seen = VersionWatermarks(store)
    seen.note("rec", "t", 1, revoked=True)
    seen.note("rec", "t", 2, revoked=False)
    assert seen.of("rec", "t") == Watermark(2, True)


def test_what_was_saved_is_known_after_a_restart(store: Store) -> None:
    """What was not is not."""
    seen = VersionWatermarks(store)
    seen.note("keys", "local", 7, revoked=False)
    seen.note("rec", "local", 2, revoked=True)
    seen.save()
    seen.note("rec", "late", 1, revoked=True)
    again = VersionWatermarks(store)
    assert again.of("keys", "local") == Watermark(7, False)
    assert again.of("rec", "local") == Watermark(2, True)
    assert again.of("rec", "late") == NEVER


def test_nothing_new_writes_nothing(store: Store) -> None:
    """A daemon that runs for months does not wear out the disk."""
    seen = VersionWatermarks(store)
    seen.note("rec", "t", 1, revoked=False)
    seen.save()
    before = store.data_version()
    seen.note("rec", "t", 1, revoked=False)
    seen.save()
    assert store.data_version() == before
