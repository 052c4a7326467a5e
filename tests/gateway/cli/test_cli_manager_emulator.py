"""``manager-emulator`` as a process: it links, is connected to by the API, and keeps its books."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from demo_process import ENDED, ENDS_WITHIN_S, clean_environment
from shell import Done
from warm_process import COMMAND, WarmProcess

from ea_bridge.token import new_token

Run = Callable[..., Done]
CONFIG = (
    '[api]\nport = 0\n[bridge]\nport = 0\n[secrets]\nstore = "file"\n[manager]\npeer = "mt4"\n'
)
OPERATOR_PASSWORD = "seven purple lanterns sing"
PASSWORD = "Manager-224"


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[dict[str, Any]]:
    """Run a command until it is ready, and end it in order; yield its ready line."""
    process = WarmProcess(
        (*COMMAND, *arguments, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment() | environment,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield json.loads(line)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
        assert (process.returncode, err) == (ENDED, "")
    finally:
        process.kill()
        process.communicate()


class Api:
    """The manager API, as an operator sees it."""

    def __init__(self, rpc: str) -> None:
        self._url = f"{rpc.removesuffix('/rpc')}/api/"
        form = urllib.parse.urlencode({"username": "ann", "password": OPERATOR_PASSWORD}).encode()
        self._headers: dict[str, str] = {}
        token = self._send("auth/login", form)["access_token"]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        return self._send(path, None)

    def post(self, path: str, body: Any) -> Any:
        return self._send(path, json.dumps(body).encode())

    def _send(self, path: str, data: bytes | None) -> Any:
        request = urllib.request.Request(self._url + path, data, self._headers)  # noqa: S310 - http
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own daemon
            return json.loads(answer.read())


@pytest.fixture
def place(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A home with an operator and the peer's token; the options that name it."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    options = ("--home", str(tmp_path / "home"), "--config", str(config))
    with monkeypatch.context() as typed:
        typed.setattr(sys, "stdin", io.StringIO(OPERATOR_PASSWORD + "\n"))
        add = ("manager-user", "add", "ann", "--role", "admin", "--password-stdin")
        assert run(*add, *options).code == 0
    return options


def test_it_keeps_its_books_between_runs(run: Run, place: tuple[str, ...], tmp_path: Path) -> None:
    """Connected to by its ready line; what was paid in is there after both were started anew."""
    token = run("token", "create", "--name", "mt4", *place).out.strip()
    folder = ("--folder", str(tmp_path / "mt4"), "--users", "5")
    secrets = {"MT_GATEWAY_TOKEN": token, "MT4_MANAGER_PASSWORD": PASSWORD}
    with running("serve", *place) as serving:
        command = ("manager-emulator", "--bridge", serving["bridge"], *folder)
        with running(*command, **secrets) as ready:
            assert ready["mt4"]["password"] == PASSWORD
            api = Api(serving["rpc"])
            api.post("test/connect", ready["mt4"])
            before = api.get("users/100001")["user"]["balance"]
            api.post("accounts/100001/deposit", {"amount": 12.5, "comment": "kept"})
            second = run(*command[:3], "--auth-token", token, *folder)
            assert "another peer runs with" in second.complaint
        with running(*command, **secrets):
            api.post("test/connect", ready["mt4"])
            assert api.get("users/100001")["user"]["balance"] == before + 12.5
            assert api.get("users/?limit=1")["total"] == 5


def test_what_cannot_be_is_one_line(run: Run, tmp_path: Path) -> None:
    """A fault that there is not; books that are none; a mistyped token."""
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "books.sqlite").write_text("no database, but long enough to be taken for one" * 9)
    token = new_token()
    command = ("manager-emulator", "--bridge", "127.0.0.1:1", "--auth-token", token)

    assert "'rain=1': write NAME=COUNT" in run(*command, "--fault", "rain=1").complaint
    assert "cannot be read" in run(*command, "--folder", str(damaged)).complaint
    assert "token" in run(*command[:-1], token[:-1]).complaint
