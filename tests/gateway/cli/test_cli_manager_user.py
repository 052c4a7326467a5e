"""``manager-user``: operators of the manager API, made and ended."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Done

from gateway.cli import manager_user
from gateway.credentials import passwords
from gateway.credentials.passwords import Cost, Passwords
from gateway.home.home import Home
from gateway.mt4_manager import service as manager_service

Run = Callable[..., Done]
GOOD = "seven purple lanterns sing"


@pytest.fixture(autouse=True)
def _made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home whose key lies in a file; hashes that cost little; memory that a test may look at."""
    Home(tmp_path).close()

    def cheap(pool: passwords.HashingPool, pepper: bytes) -> Passwords:
        return Passwords(pool, pepper, Cost(8, 1, 1))

    monkeypatch.setattr(manager_service, "Passwords", cheap)
    monkeypatch.setattr(manager_user, "keep_memory_private", lambda: None)


@pytest.fixture
def do(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command of the group, with a line on standard input."""

    def command(*words: str, typed: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n" if typed else ""))
        return run("manager-user", *words, "--home", str(tmp_path))

    return command


def trail(home: Path) -> list[tuple[str, str]]:
    """Return events and objects of the audit trail."""
    from gateway.home.ledger import open_ledger_store

    store = open_ledger_store(home)
    rows = [json.loads(row["entry"]) for row in store.all("SELECT entry FROM audit ORDER BY n")]
    store.close()
    return [(row["event"], row["object"]) for row in rows]


def listed(do: Run) -> dict[str, str]:
    """Return the roles by name."""
    return {one["name"]: one["role"] for one in json.loads(do("list", "--json").out)}


def test_an_operator_s_life(do: Run, tmp_path: Path) -> None:
    """Each step is in the audit trail, and no password anywhere."""
    assert listed(do) == {}
    done = do("add", "Ann", "--role", "operator", "--password-stdin", typed=GOOD)
    assert (done.code, done.out) == (0, "made: ann (operator)\n")
    assert do("add", "bob", "--password-stdin", typed=GOOD).code == 0
    assert listed(do) == {"ann": "operator", "bob": "read"}
    assert do("role", "ann", "admin").code == 0
    assert do("password", "ann", "--password-stdin", typed=GOOD + " again").code == 0
    assert do("sign-out", "Bob").out == "signed out: Bob (0 tokens)\n"
    assert do("remove", "bob").code == 0
    assert listed(do) == {"ann": "admin"}
    table = do("list").out.splitlines()
    assert table[0].split() == ["NAME", "ROLE", "CREATED"]
    assert table[1].split()[:2] == ["ann", "admin"]
    assert trail(tmp_path) == [
        ("manager_user_added", "ann"),
        ("manager_user_added", "bob"),
        ("manager_user_role", "ann"),
        ("manager_user_password", "ann"),
        ("manager_user_signed_out", "bob"),
        ("manager_user_removed", "bob"),
    ]
    files = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert GOOD.encode() not in files


@pytest.mark.parametrize(
    ("words", "typed", "why"),
    [
        (("add", "ann", "--password-stdin"), "short", "at least 12"),
        (("add", "ann", "--password-stdin"), "", "at least 12"),
        (("add", "a n n", "--password-stdin"), GOOD, "a name has"),
        (("add", "ann"), GOOD, "--password-stdin"),
        (("remove", "zoe"), "", "there is no operator zoe"),
        (("role", "zoe", "admin"), "", "there is no operator zoe"),
        (("sign-out", "zoe"), "", "there is no operator zoe"),
        (("password", "zoe", "--password-stdin"), GOOD, "there is no operator zoe"),
    ],
)
def test_what_cannot_be_done(
    do: Run, tmp_path: Path, words: tuple[str, ...], typed: str, why: str
) -> None:
    """One line says why, and nothing was changed or noted."""
    assert why in do(*words, typed=typed).complaint
    assert listed(do) == {}
    assert trail(tmp_path) == []
