"""``doctor`` looks at the machine, the configuration and the home."""

from __future__ import annotations

import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from findings import Examine, names, write_config

from gateway.cli.doctor import folder, machine
from gateway.home.home import MIGRATIONS, Home

# --- the machine ---------------------------------------------------------------------------


def test_packages_that_do_not_fit() -> None:
    """Each is named with what is needed; what another system needs does not count."""
    found = machine.packages(
        ["aiohttp>=99", "no-such-package-at-all", "uvloop>99; sys_platform == 'none'", "rich>=14"]
    )
    assert found.verdict == "problem"
    assert ">=99 is needed" in found.found
    assert "no-such-package-at-all is missing" in found.found
    assert "uvloop" not in found.found
    assert "rich" not in found.found


def test_an_old_python() -> None:
    """Which one is needed is told."""
    found = machine.python("3.9.1", ">=3.11")
    assert (found.verdict, ">=3.11" in found.found) == ("problem", True)
    assert machine.python("3.14.0rc1", ">=3.11").verdict == "ok"


def test_loopback_without_ipv6() -> None:
    """A machine with IPv4 alone will do; one without it will not."""
    v4 = (socket.AF_INET, "127.0.0.1")
    assert machine.loopback([v4]).verdict == "ok"
    # TEST-NET-1: no machine has it
    assert machine.loopback([(socket.AF_INET, "192.0.2.1")]).verdict == "problem"


def test_a_clock_that_was_never_set() -> None:
    """A machine without a battery wakes up in 1970."""
    assert machine.system_clock(lambda: 3600.0).verdict == "problem"
    assert machine.system_clock().verdict == "ok"


@pytest.mark.parametrize(
    ("version", "verdict"), [("8.0", "warning"), ("9.22", "warning"), ("10.0", "ok"), ("11", "ok")]
)
def test_a_wine_that_metatrader_calls_unsupported(version: str, verdict: str) -> None:
    """It is told of with its version; what MetaTrader supports is named."""
    found = machine.wine(version)
    assert (found.verdict, f"Wine {version}" in found.found) == (verdict, True)
    assert ("MetaTrader supports 10 and later" in found.found) is (verdict == "warning")


@pytest.mark.skipif(sys.platform == "win32", reason="a program of Windows asks its own Wine")
def test_the_wine_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program is asked; without one, and of one that says something else, nothing is known."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.wine().verdict == "skipped"
    program = tmp_path / "wine"
    for said, verdict in (("wine-9.0 (Debian 9.0)", "warning"), ("a stranger", "skipped")):
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
        assert machine.wine().verdict == verdict


# --- config and home -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"), [("[api]\nprt = 1\n", "did you mean port"), ("nonsense", "is not TOML")]
)
def test_a_configuration_that_cannot_be_used(
    examine: Examine, home: Path, tmp_path: Path, text: str, says: str
) -> None:
    """Told in the words of ``serve``; what depends on it is not judged."""
    found = examine("--home", home, "--config", write_config(tmp_path, text))
    assert found["config"].verdict == "problem"
    assert says in found["config"].found
    assert names(found, "skipped") >= {"key", "api_port", "bridge_port"}
    assert found["database"].verdict == "ok"


def test_a_configuration_that_is_missing(examine: Examine, home: Path) -> None:
    """A finding like any other."""
    found = examine("--home", home, "--config", home / "config.toml")
    assert (found["config"].verdict, found["config"].found.count("cannot be read")) == (
        "problem",
        1,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0o700, "ok"), (0o750, "warning"), (0o770, "problem"), (0o702, "problem")],
)
def test_a_home_that_is_open_to_others(home: Path, mode: int, verdict: str) -> None:
    """Reading is a warning, writing a problem: who may write can exchange the key."""
    home.chmod(mode)
    found = folder.home_folder(home)
    assert found.verdict == verdict
    assert (found.remedy == f"run: chmod 700 {home}") == (verdict != "ok")


def test_a_home_that_is_a_file(examine: Examine, tmp_path: Path) -> None:
    """Nothing in it can be looked at."""
    (tmp_path / "file").touch()
    found = examine("--home", tmp_path / "file")
    assert found["home"].verdict == "problem"
    assert names(found, "skipped") >= {"disk", "database", "key"}


def test_a_full_disk(home: Path) -> None:
    """Found before SQLite does."""
    assert folder.disk(home, 2**62).verdict == "problem"
    assert folder.disk(home, 1).verdict == "ok"


def test_an_empty_home_stays_empty(examine: Examine, tmp_path: Path) -> None:
    """The doctor makes neither database nor key."""
    place = tmp_path / "empty"
    place.mkdir(mode=0o700)
    found = examine("--home", place)
    assert found["database"].verdict == "skipped"
    assert found["key"].verdict in ("skipped", "warning")  # a machine without a keyring
    assert list(place.iterdir()) == []


def test_a_damaged_database(examine: Examine, home: Path) -> None:
    """The remedy is the store's."""
    (home / "gateway.db").write_bytes(b"no database at all" * 1000)
    found = examine("--home", home)
    assert found["database"].verdict == "problem"
    assert "backup" in (found["database"].remedy or "")


@pytest.mark.parametrize(("schema", "verdict"), [(-1, "warning"), (1, "problem")])
def test_a_database_of_another_version(
    examine: Examine, home: Path, schema: int, verdict: str
) -> None:
    """An older one is left as it is, a newer one is not understood."""
    version = len(MIGRATIONS) + schema
    with closing(sqlite3.connect(home / "gateway.db")) as database:
        database.execute(f"PRAGMA user_version={version}")
    assert examine("--home", home)["database"].verdict == verdict
    with closing(sqlite3.connect(home / "gateway.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (version,)


def test_keys_that_do_not_fit(examine: Examine, home: Path, tmp_path: Path) -> None:
    """Readable by others, another database's, missing: each with its remedy; none is made anew."""
    key, other = home / "secrets.key", tmp_path / "other"
    if sys.platform != "win32":
        key.chmod(0o644)
        assert "chmod 600" in (examine("--home", home)["key"].remedy or "")
    with Home(other):
        key.write_bytes((other / "secrets.key").read_bytes())
    key.chmod(0o600)
    found = examine("--home", home)
    assert (found["database"].verdict, found["key"].verdict) == ("ok", "problem")
    assert "not the key" in found["key"].found
    key.unlink()
    assert "missing" in examine("--home", home)["key"].found
    assert not key.exists()
