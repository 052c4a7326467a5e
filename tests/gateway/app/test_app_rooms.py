"""The composition root gives out its parts one by one."""

from __future__ import annotations

import subprocess
import sys

import pytest

import gateway.app

HEAVY = {"aiohttp", "pydantic", "sqlalchemy", "gateway.app.daemon", "gateway.config"}
"""What an emulated terminal has no use for."""


@pytest.mark.parametrize("name", gateway.app.__all__)
def test_what_is_promised_is_there(name: str) -> None:
    """Each name is a part of its own room."""
    assert getattr(gateway.app, name).__name__ == name


def test_what_is_not_promised_is_not_there() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'run_everything'"):
        getattr(gateway.app, "run_everything")  # noqa: B009 (a name that types do not know)


def test_a_terminal_does_not_wait_for_the_daemon() -> None:
    """The emulator starts without the code of the other side, which takes a second to load."""
    look = f"import sys, gateway.app.emulator; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


RARE = {
    "cryptography.x509",
    "gateway.rpc.remote_listening",
    "gateway.client",
    "gateway.mt4_manager.service",
    "gateway.notify.service",
}
"""What the daemon opens for those alone who have configured it."""


def test_the_daemon_does_not_wait_for_what_it_may_never_open() -> None:
    """Its start is imports above all."""
    look = f"import sys, gateway.app.serve; print(sorted({RARE!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
