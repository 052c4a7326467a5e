"""Fixtures of the command line's tests."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from shell import Done

from gateway.cli import main
from gateway.cli.doctor import key as doctor_key
from gateway.credentials import recovery_kit
from gateway.credentials.key_store import passphrase

CHEAP_KIB = 64


@pytest.fixture(autouse=True)
def cheap_kib(monkeypatch: pytest.MonkeyPatch) -> int:
    """Argon2id of little memory in this process; its figures have tests of their own."""
    assert doctor_key.Passphrase  # imported before it is replaced
    cheap = partial(passphrase.Passphrase, memory_kib=CHEAP_KIB)
    monkeypatch.setattr(passphrase, "Passphrase", cheap)
    for name in ("make_kit", "open_kit"):
        function = partial(getattr(recovery_kit, name), memory_kib=CHEAP_KIB)
        monkeypatch.setattr(recovery_kit, name, function)
    return CHEAP_KIB


@contextmanager
def own_signals() -> Iterator[None]:
    """Give this process its handlers back: of a command that ends they would end the tests."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Done]:
    """Run ``mt-gateway`` in this process, as on a machine where no gateway runs."""
    for name in ("MT_GATEWAY_URL", "MT_GATEWAY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MT_GATEWAY_HOME", str(tmp_path / "default"))
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["mt-gateway", *arguments])
        code = 0
        with own_signals():
            try:
                main()
            except SystemExit as leaving:
                code = int(leaving.code or 0)
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return command
