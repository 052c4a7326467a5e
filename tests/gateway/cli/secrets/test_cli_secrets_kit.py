"""``secrets recovery-kit`` and ``restore``: the key is printed and taken back."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from key_home import Run, kek, passphrase_file
from pseudo_terminal import run_in_terminal, shown_until

from gateway.cli.secrets import KIT_PASSPHRASE_FILE
from gateway.credentials import recovery_kit
from gateway.credentials.key_store.passphrase import PASSPHRASE_FILE
from gateway.credentials.secrets import encode_key
from gateway.home.home import KEY_FILE

REAL_KIT = recovery_kit.make_kit
WORDS = "paper horse battery staple"


@pytest.fixture
def kit(secrets: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What was printed."""
    passphrase_file(monkeypatch, folder, KIT_PASSPHRASE_FILE, WORDS)
    done = secrets("recovery-kit")
    assert (done.code, done.err) == (0, "")
    assert encode_key(kek(folder)) not in done.out
    assert WORDS not in done.out
    file = tmp_path / "kit.txt"
    file.write_text(done.out)
    return file


def test_a_lost_key_is_taken_from_the_kit(secrets: Run, folder: Path, kit: Path) -> None:
    """With a new key at once: the kit opens nothing after that."""
    assert "printed on" in secrets("status").out
    before = kek(folder)
    (folder / KEY_FILE).unlink()
    done = secrets("restore", str(kit))
    assert (done.code, done.err) == (0, "")
    assert "open nothing of this any more" in done.out
    assert kek(folder) != before
    assert "before the key was exchanged" in secrets("restore", str(kit)).complaint
    assert "prints one" in secrets("status").out


def test_a_kit_opens_into_another_store(
    secrets: Run, folder: Path, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a new machine, which has no such keyring."""
    passphrase_file(monkeypatch, folder, PASSPHRASE_FILE, "correct horse battery staple")
    assert secrets("move", "--to", "passphrase").code == 0
    kit.write_text(secrets("recovery-kit").out)
    monkeypatch.delenv(PASSPHRASE_FILE)
    assert secrets("restore", str(kit), "--to", "file").code == 0
    kek(folder)


def test_a_kit_with_a_mistake(secrets: Run, folder: Path, kit: Path) -> None:
    """The line is named; nothing is changed."""
    before = kek(folder)
    lines = [line for line in kit.read_text().splitlines() if line.startswith("  2.")]
    wrong = lines[0][:-1] + ("A" if lines[0][-1] != "A" else "B")
    kit.write_text(kit.read_text().replace(lines[0], wrong))
    assert "line 2 of the kit is mistyped" in secrets("restore", str(kit)).complaint
    kit.write_bytes(b"\xff\xfe")
    assert "not text" in secrets("restore", str(kit)).complaint
    assert kek(folder) == before


def test_a_kit_with_another_passphrase(
    secrets: Run, folder: Path, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not repeated."""
    passphrase_file(monkeypatch, folder, KIT_PASSPHRASE_FILE, "paper horse battery stable")
    complaint = secrets("restore", str(kit)).complaint
    assert "not the passphrase of the kit" in complaint
    assert "horse" not in complaint


def test_without_a_terminal_a_kit_is_not_typed(
    secrets: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a passphrase."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert "name a file" in secrets("restore").complaint
    assert KIT_PASSPHRASE_FILE in secrets("recovery-kit").complaint


@pytest.mark.skipif(os.name != "posix", reason="pseudo terminals")
def test_a_kit_is_typed_line_by_line(folder: Path) -> None:
    """A line with a mistake is asked for again; the passphrase is not shown."""
    lines = REAL_KIT(kek(folder), WORDS)
    (folder / KEY_FILE).unlink()
    program = (sys.executable, "-m", "gateway", "secrets", "restore", "--home", str(folder))
    environment = {k: v for k, v in os.environ.items() if k != KIT_PASSPHRASE_FILE}
    ours, process = run_in_terminal(*program, environment=environment)
    try:
        shown = shown_until(ours, "1.  ")
        os.write(ours, (lines[0].lower().replace(" ", "") + "\n").encode())
        shown += shown_until(ours, "2.  ")
        os.write(ours, (lines[2] + "\n").encode())
        shown += shown_until(ours, "2.  ")
        assert "line 2 of the kit is mistyped" in shown
        for number, line in enumerate(lines[1:], 2):
            os.write(ours, (line + "\n").encode())
            shown += shown_until(ours, "kit: " if number == 4 else f"{number + 1}.  ")
        os.write(ours, f"{WORDS}\n".encode())
        shown += shown_until(ours, None)
        assert process.wait() == 0, shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert WORDS not in shown
    kek(folder)
