"""``doctor`` looks at the key in every store: nothing is made, asked for or waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from gateway.cli.doctor import folder, key
from gateway.cli.doctor.finding import Finding
from gateway.config import Secrets
from gateway.credentials.key_store.file import CREDENTIAL, SystemdCredential
from gateway.credentials.key_store.keyring import Keyring
from gateway.credentials.key_store.passphrase import PASSPHRASE_FILE, Passphrase
from gateway.credentials.secrets import KeyStore, encode_key
from gateway.home.home import Home
from gateway.home.home_key import HomeKey

WORDS = "correct horse battery staple"
NOTHING = Secrets()


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSPHRASE_FILE, "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def home(place: Path, keys: KeyStore) -> Path:
    with Home(place, keys) as opened:
        opened.issuer.create("A")
    return place


def look(place: Path, settings: Secrets = NOTHING) -> Finding:
    """As doctor does; the home is the same afterwards."""
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    stored = folder.examine(place, settings)
    after = {path.name: path.read_bytes() for path in place.iterdir()}
    assert {k: v for k, v in after.items() if not k.endswith(("-wal", "-shm"))} == before
    (found,) = [one for one in stored.findings if one.name == "key"]
    assert (stored.records is not None) == (found.verdict == "ok")
    return found


# --- passphrase ----------------------------------------------------------------------------


def passphrase(tmp_path: Path, words: str) -> str:
    file = tmp_path / "passphrase"
    file.write_text(words)
    file.chmod(0o600)
    return str(file)


def test_a_passphrase_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cheap_kib: int
) -> None:
    """It is tried where a file has it, and wrong or right is told."""
    place = home(tmp_path / "home", Passphrase(lambda new: WORDS, cheap_kib))
    found = look(place)
    assert (found.verdict, PASSPHRASE_FILE in (found.remedy or "")) == ("skipped", True)
    monkeypatch.setenv(PASSPHRASE_FILE, passphrase(tmp_path, WORDS))
    assert look(place).verdict == "ok"
    passphrase(tmp_path, "correct horse battery stable")
    wrong = look(place)
    assert (wrong.verdict, wrong.remedy) == ("problem", "start again with the right one")
    (tmp_path / "passphrase").unlink()
    assert look(place).verdict == "problem"


def test_a_passphrase_from_a_pipe_is_left_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cheap_kib: int
) -> None:
    """It can be read once only, and whoever writes it may not be there yet."""
    place = home(tmp_path / "home", Passphrase(lambda new: WORDS, cheap_kib))
    monkeypatch.setenv(PASSPHRASE_FILE, "/dev/null")
    assert look(place).verdict == "skipped"


# --- systemd -------------------------------------------------------------------------------


def test_a_credential_is_seen_in_the_unit_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere nobody can tell; in it, missing and wrong ones are problems."""
    credential = tmp_path / CREDENTIAL
    credential.write_text(encode_key(bytes(range(32))))
    credential.chmod(0o400)
    place = home(tmp_path / "home", SystemdCredential(tmp_path))
    found = look(place)
    assert (found.verdict, "doctor in the unit" in (found.remedy or "")) == ("skipped", True)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert look(place).verdict == "ok"
    credential.chmod(0o644)
    assert "open to other users" in look(place).found
    credential.unlink()
    missing = look(place)
    assert (missing.verdict, CREDENTIAL in (missing.remedy or "")) == ("problem", True)


# --- the keyring ---------------------------------------------------------------------------


class Backend(KeyringBackend):
    """A keyring of the test's own."""

    priority = 5
    entries: dict[tuple[str, str], str] = {}  # noqa: RUF012 (shared, as a keyring is)
    fails: Callable[[], None] = staticmethod(lambda: None)
    written: list[str] = []  # noqa: RUF012

    def get_password(self, service: str, username: str) -> str | None:
        type(self).fails()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.written.append(service)
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Make it the machine's keyring; returns what makes it fail."""
    backend = type("Kept", (Backend,), {"entries": {}, "written": []})
    monkeypatch.setattr(
        "gateway.credentials.key_store.keyring.allowed_backends", lambda: iter((backend,))
    )
    monkeypatch.setattr(Keyring.__init__, "__defaults__", (lambda: iter((backend,)), 10.0))

    def fail(how: Callable[[], None]) -> None:
        monkeypatch.setattr(backend, "fails", staticmethod(how))

    return fail


Fail = Callable[[Callable[[], None]], None]


def test_a_key_in_the_keyring(keyring: Fail, tmp_path: Path) -> None:
    """Right, locked, gone: each with what to do; nothing is written, not even a canary."""
    place = home(tmp_path / "home", Keyring())
    backend = next(Keyring()._backends())
    assert issubclass(backend, Backend)
    backend.written.clear()
    assert look(place).verdict == "ok"

    def locked() -> None:
        raise KeyringLocked("locked")

    keyring(locked)
    found = look(place)
    assert (found.verdict, found.found) == ("problem", "the keyring is locked")
    assert "unlock it" in (found.remedy or "")
    assert "secrets restore" in (found.remedy or "")
    keyring(lambda: None)
    backend.entries.clear()
    gone = look(place)
    assert "is missing" in gone.found
    assert "log in as the user who made this home" in (gone.remedy or "")
    assert backend.written == []


def test_a_keyring_that_hangs_is_given_up(
    keyring: Fail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it hangs still."""
    assert key.WAIT_S <= 5
    place = home(tmp_path / "home", Keyring())
    release = threading.Event()
    monkeypatch.setattr(key, "WAIT_S", 0.05)

    def hang() -> None:
        release.wait()

    keyring(hang)
    try:
        found = look(place)
    finally:
        release.set()
    assert "does not answer" in found.found


def test_a_new_home_will_want_a_keyring(keyring: Fail, tmp_path: Path) -> None:
    """Where there is none, the way out is told before the first start fails."""
    (tmp_path / "home").mkdir(mode=0o700)
    assert look(tmp_path / "home").verdict == "skipped"

    def absent() -> None:
        raise RuntimeError("no D-Bus")

    keyring(absent)
    found = look(tmp_path / "home")
    assert found.verdict == "warning"
    assert "mt-gateway secrets move --to file" in (found.remedy or "")
    assert look(tmp_path / "home", Secrets(store="file")).verdict == "skipped"
    assert list((tmp_path / "home").iterdir()) == []


def test_a_setting_that_contradicts_the_home(tmp_path: Path) -> None:
    """What was made with a file is not in a credential; and it is told what it was."""
    with Home(tmp_path / "home"):
        pass
    with HomeKey(tmp_path / "home", NOTHING) as opened:
        assert opened.keys.name == "file"
    (tmp_path / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "empty"))
        found = look(tmp_path / "home", Secrets(store="systemd"))
    assert 'it was made with store = "file"' in found.found
