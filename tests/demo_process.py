"""A demo in a process of its own, for tests of what runs against the real thing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warm_process import COMMAND, WarmProcess

ENDED = 0 if os.name == "posix" else 1
"""Exit code of a program that SIGTERM has ended: Windows asks none, and ends it at once."""
ENDS_WITHIN_S = 60
"""Beyond it hangs, on a machine however busy: a command cuts itself long before."""


@dataclass(frozen=True)
class Demo:
    """A running ``mt-gateway demo``, as its ready line tells."""

    rpc: str
    ws: str
    bridge: str
    auth_token: str
    terminal: str
    live_page: str
    """Address that signs in once."""
    home: str
    console: str
    device: str
    console_email: str
    console_password: str
    account: dict[str, Any]
    """Of its terminal: login, password, server."""
    manager: dict[str, str]
    """Of the MT4 server's REST API: url, username, password."""

    @property
    def url(self) -> str:
        """What clients are given."""
        return self.rpc.removesuffix("/rpc")

    @property
    def environment(self) -> dict[str, str]:
        """What programs are told by."""
        return clean_environment() | {
            "MT_GATEWAY_URL": self.url,
            "MT_GATEWAY_TOKEN": self.auth_token,
        }


def clean_environment() -> dict[str, str]:
    """This process's environment, without what would tell a program of another gateway."""
    return {k: v for k, v in os.environ.items() if not k.startswith("MT_GATEWAY_")}


@contextmanager
def running_serve(folder: Path, settings: str = "") -> Iterator[dict[str, str]]:
    """Run a gateway that makes its own tokens until the block is left; yields its ready line.

    Its home is ``folder / "home"``, and its key lies in a file; ``settings`` are further ones.
    """
    config = folder / "config.toml"
    config.write_text(
        '[api]\nport = 0\n[bridge]\nport = 0\n[secrets]\nstore = "file"\n' + settings
    )
    places = ("--home", str(folder / "home"), "--config", str(config))
    process = WarmProcess(
        (*COMMAND, "serve", "--json", *places),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=ENDS_WITHIN_S)
        assert process.returncode == ENDED
    finally:
        process.kill()
        process.communicate()


@contextmanager
def running_demo(
    home: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    kind: type[subprocess.Popen[Any]] = WarmProcess,
    ended: int = ENDED,
) -> Iterator[Demo]:
    """Run a demo on free ports until the block is left; it must end as it should.

    Its log goes to ``log.txt`` beside the home. The ``kind`` of process ``subprocess.Popen``
    starts as a person's command does; ``ended`` is its exit code.
    """
    log = home.with_name(f"{home.name}.log.txt")
    arguments = (
        "demo",
        "--json",
        "--port",
        "0",
        "--bridge-port",
        "0",
        "--console-port",
        "0",
        "--home",
        str(home),
    )
    with log.open("w") as stderr:
        process = kind(
            (*COMMAND, *arguments, *options),
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environment or clean_environment()),
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"the demo did not start:\n{log.read_text()}"
            ready = json.loads(line)
            assert ready.pop("event") == "ready"
            yield Demo(**ready)
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=ENDS_WITHIN_S)
            assert rest == "", "stdout carries one line only"
            assert process.returncode == ended, log.read_text()
        finally:
            process.kill()
            process.communicate()
