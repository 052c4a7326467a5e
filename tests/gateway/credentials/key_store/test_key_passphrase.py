"""The rules of the key that a passphrase gives."""

from __future__ import annotations

import getpass
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from argon2.low_level import Type, hash_secret_raw
from pseudo_terminal import run_in_terminal, shown_until

from gateway.credentials.key_store.passphrase import (
    MAX_BYTES,
    PASSPHRASE_FILE,
    Passphrase,
    read_passphrase,
)
from gateway.credentials.secrets import SecretsError
from gateway.home.home import Home

WORDS = "correct horse battery staple"
CHEAP_KIB = 64


def said(words: str) -> Passphrase:
    return Passphrase(read=lambda new: words, memory_kib=CHEAP_KIB)


@pytest.fixture
def passphrase_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Path]:
    """Write a file, and name it in the environment."""

    def write(content: bytes) -> Path:
        path = tmp_path / "passphrase"
        path.write_bytes(content)
        path.chmod(0o600)
        monkeypatch.setenv(PASSPHRASE_FILE, str(path))
        return path

    return write


def test_the_key_is_argon2id_of_256_mib() -> None:
    """Three passes, four lanes: the same figures for ever, or no home would open."""
    salt = bytes(range(16))
    key = Passphrase(read=lambda new: WORDS).find(salt, new=True)
    assert key == hash_secret_raw(WORDS.encode(), salt, 3, 262_144, 4, 32, Type.ID)


def test_the_right_passphrase_opens_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    """Nothing that could stand for it is stored, but the check value."""
    folder = tmp_path / "home"
    with Home(folder, said(WORDS)) as home:
        home.issuer.create("A")
        kek = home.box.kek
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SecretsError, match=r"is not the key .* start again with the right one"):
        Home(folder, said("correct horse battery stable"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with Home(folder, said(WORDS)) as home:
        assert home.box.kek == kek
    assert not [path for path in folder.iterdir() if kek in path.read_bytes()]


def test_two_homes_with_one_passphrase_have_two_keys(tmp_path: Path) -> None:
    """Each has a salt of its own."""
    with Home(tmp_path / "a", said(WORDS)) as a, Home(tmp_path / "b", said(WORDS)) as b:
        assert a.box.kek != b.box.kek


def test_the_same_letters_are_the_same_passphrase() -> None:
    """However the keyboard composes them."""
    composed, decomposed = said("l\u00f6sung" * 3), said("lo\u0308sung" * 3)
    assert composed.find(bytes(16), new=True) == decomposed.find(bytes(16), new=True)


def test_a_new_passphrase_is_not_short() -> None:
    """An old one may be: it is checked by opening."""
    with pytest.raises(SecretsError, match="at least 12"):
        said("eleven char").find(bytes(16), new=True)
    assert said("eleven char").find(bytes(16), new=False)
    with pytest.raises(SecretsError, match="empty"):
        said("").find(bytes(16), new=False)


def test_a_home_of_before_is_not_asked_for_a_passphrase() -> None:
    """It has no salt, so none was ever given."""

    def never(new: bool) -> str:
        raise AssertionError

    assert Passphrase(read=never).find(b"", new=False) is None


# --- where it is read ----------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_may_hold_it(passphrase_file: Callable[[bytes], Path], end: str) -> None:
    """The end of its line does not count; blanks do."""
    passphrase_file(f" {WORDS} {end}".encode())
    assert read_passphrase(new=True) == f" {WORDS} "


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors have no names there")
def test_a_descriptor_may_bring_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it lies in no file at all."""
    reader, writer = os.pipe()
    os.write(writer, WORDS.encode() + b"\n")
    os.close(writer)
    monkeypatch.setenv(PASSPHRASE_FILE, f"/dev/fd/{reader}")
    assert read_passphrase(new=True) == WORDS
    os.close(reader)


def test_windows_has_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look for one would end in words of the system, which help nobody."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv(PASSPHRASE_FILE, "/dev/fd/3")
    with pytest.raises(SecretsError, match="not on Windows"):
        read_passphrase(new=True)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"x" * (MAX_BYTES + 1), "more than 1024 bytes"), (b"\xff", "not UTF-8")],
)
def test_a_file_of_something_else_is_refused(
    passphrase_file: Callable[[bytes], Path], content: bytes, complaint: str
) -> None:
    """Without a word of what it holds."""
    passphrase_file(content)
    with pytest.raises(SecretsError, match=complaint):
        read_passphrase(new=False)


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_a_file_that_others_can_read_is_refused(
    passphrase_file: Callable[[bytes], Path],
) -> None:
    """The message names the command that closes it."""
    passphrase_file(WORDS.encode()).chmod(0o640)
    with pytest.raises(SecretsError, match="chmod 600"):
        read_passphrase(new=False)


def test_a_file_that_is_not_there_is_named(passphrase_file: Callable[[bytes], Path]) -> None:
    """A typing error is seen at once."""
    path = passphrase_file(b"")
    path.unlink()
    with pytest.raises(SecretsError, match=f"{re.escape(str(path))} cannot be read"):
        read_passphrase(new=False)


def test_without_file_and_terminal_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service must not wait for ever; stdin may be something else's."""
    monkeypatch.delenv(PASSPHRASE_FILE, raising=False)
    done = subprocess.run(
        (sys.executable, "-c", _ASK), input=WORDS, capture_output=True, text=True, check=False
    )
    assert f"name its file in {PASSPHRASE_FILE}" in done.stderr


_ASK = """
from gateway.credentials.key_store.passphrase import read_passphrase
print("got", len(read_passphrase(new=True)))
"""


def _warn(prompt: str) -> str:
    warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, 1)
    return WORDS


def _end(prompt: str) -> str:
    raise EOFError


@pytest.mark.filterwarnings("ignore::getpass.GetPassWarning")  # as outside of tests
@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (_warn, "shows what is typed"),
        (_end, "no passphrase was given"),
    ],
)
def test_a_terminal_that_cannot_hide_it_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[str], str], complaint: str
) -> None:
    """Nor is the end of its input taken for a passphrase."""
    monkeypatch.delenv(PASSPHRASE_FILE, raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", ask)
    with pytest.raises(SecretsError, match=complaint):
        read_passphrase(new=False)


@pytest.mark.skipif(os.name != "posix", reason="pseudo terminals")
@pytest.mark.parametrize(
    ("second", "told"), [(WORDS, f"got {len(WORDS)}"), ("another", "the passphrases differ")]
)
def test_the_terminal_is_asked_twice_and_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, second: str, told: str
) -> None:
    """A new passphrase that was mistyped would lock its home for ever."""
    monkeypatch.delenv(PASSPHRASE_FILE, raising=False)
    terminal, process = run_in_terminal(sys.executable, "-c", _ASK)
    shown = shown_until(terminal, "secrets: ")
    os.write(terminal, f"{WORDS}\n".encode())
    shown += shown_until(terminal, "new one: ")
    os.write(terminal, f"{second}\n".encode())
    shown += shown_until(terminal, None)
    process.wait()
    os.close(terminal)
    assert told in shown
    assert WORDS not in shown


@pytest.mark.skipif(os.name != "posix", reason="pseudo terminals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_asked_may_stop_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    """``serve`` asks before its loop runs: a signal ends it at once and quietly."""
    monkeypatch.delenv(PASSPHRASE_FILE, raising=False)
    config = tmp_path / "config.toml"
    config.write_text('[secrets]\nstore = "passphrase"\n')
    arguments = ["serve", "--home", str(tmp_path / "home"), "--config", str(config)]
    terminal, process = run_in_terminal(
        sys.executable,
        "-c",
        f"import sys; sys.argv[1:] = {arguments!r}; from gateway.cli import main; main()",
    )
    shown_until(terminal, "secrets: ")
    process.send_signal(number)
    rest = shown_until(terminal, None)
    assert process.wait() == 0
    assert rest.strip() == ""
    os.close(terminal)
