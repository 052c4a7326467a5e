"""``drain``: the end of a gateway between two orders, and never a wrong word about it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from demo_process import Demo, running_demo
from shell import Done
from warm_process import WarmProcess

from ea_bridge import host
from gateway.cli.home import LOCK_FILE, RunLock, is_locked
from gateway.home import drain_file
from gateway.home.drain_file import FILE, DrainRequest
from gateway.home.home import Home

Run = Callable[..., Done]


class EndsByItself(WarmProcess):
    """A process that nobody has to signal: it is waited for instead."""

    def send_signal(self, sig: int) -> None:
        """Wait for its end."""
        self.wait(timeout=30)


BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


def ask(demo: Demo, method: str, **params: Any) -> dict[str, Any]:
    """Return a call's answer."""
    answer = requests.post(
        demo.rpc,
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        headers={"Authorization": f"Bearer {demo.auth_token}"},
        timeout=60,
    )
    body: dict[str, Any] = answer.json()
    return body


def events(run: Run, home: str) -> list[tuple[str, str]]:
    """Return the reasons of the trail's notes of drains, and who asked."""
    exported = run("audit", "export", "--home", home).out.splitlines()
    entries = [json.loads(line) for line in exported]
    notes = [entry.get("entry", entry) for entry in entries]
    return [(note["actor"], note["reason"]) for note in notes if note.get("event") == "drain"]


def test_a_request_means_one_process_and_ends(tmp_path: Path) -> None:
    """A later gateway, or one that comes to life too late, is not drained by it."""
    assert not drain_file.is_asked(tmp_path, 7, 0)
    for pid, until_ms in ((1, 50), (7, 100)):
        drain_file.ask(tmp_path, DrainRequest(pid=pid, until_ms=until_ms))
    assert drain_file.is_asked(tmp_path, 7, 99)
    assert not drain_file.is_asked(tmp_path, 7, 100)
    assert not drain_file.is_asked(tmp_path, 8, 99)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0 or os.name != "posix"


def test_a_request_that_is_read_is_replaced(tmp_path: Path) -> None:
    """The gateway looks four times a second; Windows refuses it as long as it does."""
    drain_file.ask(tmp_path, DrainRequest(pid=7, until_ms=100))
    reader = (tmp_path / FILE).open()

    class Pausing(host.Host):
        def sleep(self, seconds: float) -> None:
            reader.close()

    with reader, host.handed_in(Pausing()):
        drain_file.ask(tmp_path, DrainRequest(pid=8, until_ms=100))
    assert drain_file.is_asked(tmp_path, 8, 99)


def test_one_alone_can_take_it(tmp_path: Path) -> None:
    drain_file.ask(tmp_path, DrainRequest(pid=7, until_ms=100))
    assert [drain_file.take(tmp_path), drain_file.take(tmp_path)] == [True, False]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "7", '{"pid": 7}', '{"pid": 7, "until_ms": "soon"}', "\xff" * 4000]
)
def test_nonsense_is_no_request(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, "utf-8")
    assert not drain_file.is_asked(tmp_path, 7, 0)


def test_where_none_runs_there_is_nothing_to_drain(run: Run, tmp_path: Path) -> None:
    Home(tmp_path / "home").close()
    home = tmp_path / "home"
    assert run("drain", "--home", str(home)).complaint == (
        f"no gateway runs in {home}: there is nothing to drain"
    )
    assert not (home / FILE).exists()


def test_a_lock_that_is_left_hides_no_end(tmp_path: Path) -> None:
    """The command knows by the lock that the gateway has ended."""
    lock = RunLock(tmp_path)
    assert is_locked(tmp_path)
    lock.let_go()
    assert (tmp_path / LOCK_FILE).exists()
    assert not is_locked(tmp_path)


def test_an_order_under_way_comes_to_its_end(run: Run, tmp_path: Path) -> None:
    """What takes too long lifts the drain; then the gateway stops behind the order's answer."""
    answers: list[dict[str, Any]] = []
    with running_demo(tmp_path / "home", "--latency", "4000", kind=EndsByItself, ended=0) as demo:
        order = {**BUY, "client_order_id": "first"}
        trader = threading.Thread(target=lambda: answers.append(ask(demo, "place_order", **order)))
        trader.start()
        while "error" in ask(demo, "get_order", client_order_id="first"):
            assert trader.is_alive()
        late = run("drain", "--timeout", "0.5", "--home", demo.home)
        if late.code:  # else the machine is so slow that nothing was under way any more
            assert late.complaint.startswith("after 0.5 s an order is under way still")
            assert not (Path(demo.home) / FILE).exists()
            assert run("drain", "--timeout", "60", "--home", demo.home).code == 0
        trader.join()
    assert answers[0]["result"]["order"]["client_order_id"] == "first", answers
    told = events(run, demo.home)
    assert told[-1] == ("cli", "done")
    assert told[-2] == ("cli", "begun")
