"""The commands that need the key, and the stores where it may lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Done

from gateway.credentials.key_store.file import CREDENTIAL
from gateway.credentials.key_store.passphrase import PASSPHRASE_FILE
from gateway.credentials.secrets import encode_key


@pytest.fixture
def options(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """Name a home, and a configuration with a store."""

    def named(store: str) -> tuple[str, ...]:
        config = tmp_path / f"{store}.toml"
        config.write_text(f'[secrets]\nstore = "{store}"\n')
        return ("--home", str(tmp_path / "home"), "--config", str(config))

    return named


def test_the_store_of_the_configuration_is_used(
    run: Callable[..., Done],
    options: Callable[[str], tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here a credential: without it the tokens cannot be seen, and no file takes its place."""
    (tmp_path / CREDENTIAL).write_text(encode_key(bytes(range(32))))
    (tmp_path / CREDENTIAL).chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert run("token", "create", "--name", "A", *options("systemd")).code == 0
    assert not list((tmp_path / "home").glob("*.key"))
    assert "A" in run("token", "list", *options("systemd")).out
    assert 'it was made with store = "systemd"' in run("token", "list", *options("file")).complaint
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    for command in (("token", "list"), ("serve",)):
        assert (
            f"the credential {CREDENTIAL} is missing"
            in run(*command, *options("systemd")).complaint
        )


def test_a_wrong_passphrase_is_one_line(
    run: Callable[..., Done],
    options: Callable[[str], tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says what to do, and does not repeat the passphrase."""
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple\n")
    file.chmod(0o600)
    monkeypatch.setenv(PASSPHRASE_FILE, str(file))
    assert run("token", "create", "--name", "A", *options("passphrase")).code == 0
    assert "A" in run("token", "list", *options("passphrase")).out
    file.write_text("correct horse battery stable\n")
    for command in (("token", "list"), ("serve",)):
        complaint = run(*command, *options("passphrase")).complaint
        assert complaint.endswith("start again with the right one")
        assert "horse" not in complaint
