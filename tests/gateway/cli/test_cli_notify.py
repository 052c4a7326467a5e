"""``notify``: secrets that no list of processes shows, and a test that tells what came of it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Done

from gateway.home.home import Home
from gateway.notify.secrets import NotifySecrets, SecretName

CLOSED = "http://127.0.0.1:9"
"""Nobody listens there: the port is reserved."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Home(tmp_path / "home").close()
    return tmp_path / "home"


def configure(home: Path, text: str) -> None:
    (home / "config.toml").write_text(f'[secrets]\nstore = "file"\n[notify]\n{text}\n')


def kept(home: Path, name: SecretName) -> str | None:
    with Home(home) as opened:
        return NotifySecrets(opened.store, opened.box).get(name)


def test_a_secret_is_sealed_and_forgotten(
    run: Callable[..., Done], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from standard input, never from an argument; the trail says that, not what."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("123:abc\n"))
    done = run("notify", "secret", "telegram", "--stdin", "--home", str(home))
    assert (done.code, done.out, done.err) == (0, "telegram: sealed\n", "")
    assert kept(home, "telegram") == "123:abc"
    assert b"123:abc" not in b"".join(path.read_bytes() for path in home.iterdir())
    assert run("notify", "secret", "telegram", "--forget", "--home", str(home)).code == 0
    assert kept(home, "telegram") is None
    trail = run("audit", "export", "--home", str(home)).out
    assert "notify_secret_set" in trail
    assert "notify_secret_removed" in trail


def test_the_key_of_a_webhook_is_made(
    run: Callable[..., Done], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is given; it is shown once. Others are given by their services."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    done = run("notify", "secret", "webhook", "--stdin", "--home", str(home))
    assert done.out.split()[-1] == kept(home, "webhook")
    done = run("notify", "secret", "ntfy", "--stdin", "--home", str(home))
    assert "nothing was given" in done.complaint


@pytest.mark.parametrize("text", ["two words", "line\nline", "Zoë", "x\x1b", "x" * 20_000])
def test_what_would_break_a_header_is_refused(
    run: Callable[..., Done], home: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Before it is sealed."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    done = run("notify", "secret", "ntfy", "--stdin", "--home", str(home))
    assert done.complaint == "this is no secret of ntfy; nothing was changed"
    assert kept(home, "ntfy") is None


def test_a_test_tells_what_came_of_it(run: Callable[..., Done], home: Path) -> None:
    """One line a place; exit code 1 if one did not take it."""
    configure(home, f'ntfy_url = "{CLOSED}"\nntfy_topic = "t"\nmail_to = ["owner@example.com"]')
    done = run("notify", "test", "--home", str(home))
    assert done.code == 1
    assert done.err.startswith("mt-gateway: ntfy: cannot be reached (")
    assert done.out.splitlines() == [
        "mail: sent",
        'mail: written to the outbox only: set mode = "smtp" in [smtp]',
        "[notify] events is empty: of nothing else you will be told",
    ]
    assert len(list((home / "outbox").iterdir())) == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", "nothing is configured"),
        (f'webhook_url = "{CLOSED}"', "mt-gateway notify secret webhook"),
        ('events = ["earthquake"]', "[notify] events.0"),
    ],
)
def test_what_is_missing_is_named(
    run: Callable[..., Done], home: Path, settings: str, told: str
) -> None:
    """In one line, with the command to type."""
    configure(home, settings)
    done = run("notify", "test", "--home", str(home))
    assert told in done.complaint
