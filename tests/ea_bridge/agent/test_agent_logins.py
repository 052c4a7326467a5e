"""Logins to other accounts: in a process and a terminal of their own, not in that which trades."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ea_bridge.agent import terminal
from ea_bridge.agent.terminal import LoginChecker, LoginTask, PackageLoginRefused, try_login
from ea_bridge.model.account import AUTH_FAILED, BAD_PATH, NO_CONNECTION, LoginParams

PROGRAM = r"C:\Spare\terminal64.exe"
ASKED = LoginParams(login=7, password="right", server="Broker-Demo")
TASK = LoginTask(path=PROGRAM, portable=False, login=7, password="right", server="Broker-Demo")
PACKAGE = """
import json, os, sys
from collections import namedtuple
if os.environ["PLAN"] == "hang":
    sys.stdin.close()
    import threading
    threading.Event().wait()
assert "right" not in sys.argv and "right" not in os.environ.values()
print("what a library says")  # before the answer: it is not the answer
def initialize(**options):
    return True
def account_info():
    return namedtuple("AccountInfo", "login server")(7, "Broker-Demo")
def shutdown():
    return True
"""


class AccountInfo(NamedTuple):
    """Some of what the package tells of an account."""

    login: int
    server: str
    balance: float
    currency: str


class SparePackage:
    """Package whose terminal knows one account, and stays with another where it is told to."""

    def __init__(self, stays_with: int | None = None) -> None:
        self.given: dict[str, Any] = {}
        self._stays_with = stays_with

    def initialize(self, **options: Any) -> bool:
        self.given = options
        return bool(options["password"] == "right")

    def last_error(self) -> tuple[int, str]:
        return AUTH_FAILED, "Terminal: Authorization failed"

    def account_info(self) -> Any:
        login = self._stays_with or self.given["login"]
        return AccountInfo(login, "broker-demo", 12.5, "EUR")

    def shutdown(self) -> bool:
        return True


def test_a_login_is_right_if_its_account_was_opened() -> None:
    """And wrong where the server says so, or the terminal stays with the account it had."""
    package = SparePackage()
    opened = try_login(package, TASK).account
    assert opened is not None
    assert (opened.login, opened.balance, opened.currency) == (7, 12.5, "EUR")
    assert package.given["path"] == PROGRAM
    wrong = LoginTask(path=PROGRAM, portable=False, login=7, password="no", server="Broker-Demo")
    assert try_login(package, wrong).err == AUTH_FAILED
    assert try_login(SparePackage(stays_with=8), TASK).err == AUTH_FAILED
    assert "right" not in repr(TASK)


@pytest.mark.parametrize(
    ("path", "trading"), [(r"C:\Other\terminal64.exe", ""), (None, r"c:\spare"), ("", "")]
)
async def test_only_programs_that_are_listed_are_started(path: str | None, trading: str) -> None:
    """And of these none that trades, however its path is written."""
    checker = LoginChecker([PROGRAM], lambda: trading)
    asked = LoginParams(login=7, password="right", server="Broker-Demo", path=path)
    with pytest.raises(PackageLoginRefused) as refused:
        await checker.check(asked)
    assert refused.value.err == BAD_PATH


@pytest.mark.parametrize("plan", ["answer", "hang"])
async def test_the_process_that_logs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: str
) -> None:
    """It gets the password where nobody sees it; one that hangs is ended."""
    (tmp_path / "MetaTrader5.py").write_text(PACKAGE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PLAN", plan)
    if plan == "hang":
        monkeypatch.setattr(terminal, "PROCESS_S", 0.5)
        with pytest.raises(PackageLoginRefused) as refused:
            await LoginChecker([PROGRAM], lambda: "").check(ASKED)
        assert refused.value.err == NO_CONNECTION
        return
    assert (await LoginChecker([PROGRAM], lambda: "").check(ASKED)).login == 7
