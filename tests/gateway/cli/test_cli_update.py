"""``update``: what pip finds in its index, and an honest word where that is away."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from shell import Done

from gateway import __version__
from gateway.cli import update

Run = Callable[..., Done]


@contextmanager
def index(*versions: str) -> Iterator[str]:
    """Serve an index of packages that has these versions of ours; yields its address."""
    links = "".join(
        f'<a href="mt_gateway-{version}-py3-none-any.whl">it</a>' for version in versions
    )

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer with the page, or 404 where there is nothing."""
            body = f"<!DOCTYPE html><body>{links}</body>".encode()
            self.send_response(200 if versions else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(name="asks")
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Configure pip for one index, and nothing else."""
    for name in list(os.environ):
        if name.upper().startswith("PIP_") or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    return lambda address: monkeypatch.setenv("PIP_INDEX_URL", address)


def test_without_check_nobody_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update, "newest_version", None)
    done = run("update")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"mt-gateway {__version__}. To update:\n")
    assert "mt-gateway drain\n" in done.out


def test_a_newer_version_is_told(run: Run, asks: Callable[[str], None]) -> None:
    with index("0.0.1", "99.1", "100.0rc1") as address:
        asks(address)
        done = run("update", "--check", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"installed": __version__, "newest": "99.1", "is_newer": True}


def test_the_newest_version_is_told(run: Run, asks: Callable[[str], None]) -> None:
    with index("0.0.1") as address:
        asks(address)
        done = run("update", "--check")
    assert done.out == f"{__version__} is the newest; the index of pip has 0.0.1\n"


def test_an_index_that_has_none_says_so(run: Run, asks: Callable[[str], None]) -> None:
    with index() as address:
        asks(address)
        assert "the index of pip has no mt-gateway" in run("update", "--check").complaint


def test_without_pip_the_installer_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the installer for Windows has put a Python of its own."""
    monkeypatch.setattr(update, "find_spec", lambda _: None)
    told = run("update").out
    assert "run the new installer" in told
    assert "-m pip" not in told


def test_offline_nobody_knows(run: Run, asks: Callable[[str], None]) -> None:
    """And the address, which may hold a secret, is not repeated."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # not listening: nobody answers, and nobody else takes it
        asks(f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}/simple")
        done = run("update", "--check")
    assert done.complaint == (
        "the package index was not reached: see to the network and try again"
    )
