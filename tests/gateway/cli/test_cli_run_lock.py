"""The lock of a gateway that runs, and commands that look at it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.home import LOCK_FILE, RunLock, is_locked


def test_who_looks_at_that_moment_does_not_keep_a_gateway_from_starting(tmp_path: Path) -> None:
    """``halt`` and ``status`` hold a share of the lock for as long as it takes to look."""
    RunLock(tmp_path).let_go()
    looking = sqlite3.connect(tmp_path / LOCK_FILE, isolation_level=None, check_same_thread=False)
    with closing(looking):
        looking.execute("BEGIN")
        looking.execute("SELECT 1 FROM sqlite_schema").fetchall()
        threading.Timer(0.1, looking.rollback).start()
        held = RunLock(tmp_path)
    assert is_locked(tmp_path)
    with pytest.raises(sqlite3.OperationalError):
        RunLock(tmp_path)
    held.let_go()
    assert not is_locked(tmp_path)
