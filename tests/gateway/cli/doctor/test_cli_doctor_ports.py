"""``doctor`` looks at the ports, and at who answers there."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from findings import Examine, write_config

from ea_bridge.sockets import bind_loopback
from ea_bridge.token import new_token
from gateway.cli.doctor import machine
from gateway.cli.doctor.machine import Port

ADDRESSES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@contextmanager
def squatter(host: str) -> Iterator[int]:
    """Listen on one loopback address, on a port that is free on the other one; yield it."""
    sockets = {one.getsockname()[0]: one for one in bind_loopback(0)}
    mine = sockets.pop(host)
    # first: Windows lets nobody bind what is bound, though nobody listens
    for other in sockets.values():
        other.close()
    with mine:
        mine.listen()
        yield mine.getsockname()[1]


@pytest.mark.parametrize("host", ADDRESSES)
@pytest.mark.parametrize("section", ["api", "bridge"])
def test_a_squatter(examine: Examine, tmp_path: Path, host: str, section: str) -> None:
    """On either address alone it is a problem, and named where the system tells."""
    other = {"api": "bridge", "bridge": "api"}[section]
    with squatter(host) as port:
        text = f"[{section}]\nport = {port}\n[{other}]\nport = 0\n"
        found = examine("--config", write_config(tmp_path, text))
    squatted = found[f"{section}_port"]
    assert squatted.verdict == "problem"
    assert f"{host}]:{port}" in squatted.found or f"{host}:{port}" in squatted.found
    if sys.platform == "linux":
        assert f"(process {os.getpid()})" in squatted.found
    assert f"[{section}]" in (squatted.remedy or "")
    assert found[f"{other}_port"].verdict == "skipped"


def test_a_port_that_is_free(examine: Examine, tmp_path: Path) -> None:
    """On both addresses; to look does not take it."""
    sockets = bind_loopback(0)
    port = sockets[0].getsockname()[1]
    for one in sockets:
        one.close()
    config = write_config(tmp_path, f"[api]\nport = {port}\n[bridge]\nport = 0\n")
    for _ in range(2):
        assert examine("--config", config)["api_port"].verdict == "ok"


def test_a_port_that_the_gateway_holds_in_half() -> None:
    """A gateway that began without IPv6 leaves [::1] to anybody."""
    with squatter("127.0.0.1") as port:
        found = machine.examine_port(Port("api_port", "api", port), os.getpid())
    assert (found.verdict, "::1" in found.found) == ("warning", True)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells whose a port is")
def test_a_port_of_the_gateway_that_another_process_holds() -> None:
    """``run.json`` names one process, the system another: the gateway was replaced."""
    with squatter("::1") as port:
        found = machine.examine_port(Port("api_port", "api", port), os.getpid() + 1)
    assert (found.verdict, "taken by" in found.found) == ("problem", True)


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no gateway."""

    def do_GET(self) -> None:
        """Answer, unless a token came along."""
        assert self.headers["Authorization"] is None
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>welcome</html>")

    def log_message(self, *_: object) -> None:
        """Keep stderr clean."""


def test_what_answers_is_no_gateway(examine: Examine) -> None:
    """It is told apart from nobody, and no token is shown to it."""
    token = new_token()
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        place = ("--url", f"http://127.0.0.1:{stranger.server_port}", "--auth-token", token)
        serving = threading.Thread(target=stranger.serve_forever, args=(0.01,))
        serving.start()
        found = examine(*place)
        stranger.shutdown()
        serving.join()
    assert (found["gateway"].verdict, found["token"].verdict) == ("problem", "skipped")
    assert "is no gateway" in found["gateway"].found
    assert "nobody answers" in examine(*place)["gateway"].found
