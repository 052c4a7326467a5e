"""The rules of the key in the system's keyring."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from gateway.credentials.key_store.keyring import WAIT_S, Keyring, allowed_backends
from gateway.credentials.secrets import KnownKey, SecretsError
from gateway.home.home import Home

SALT = bytes(range(16))


class Machine:
    """A machine with one keyring, whose backend is a class of its own."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.most_entries = 0
        entries, machine = self.entries, self

        class Kept(KeyringBackend):
            priority = 5
            persist = "enterprise"
            keychain: str | None = "/of/the/environment"

            def get_password(self, service: str, username: str) -> str | None:
                return entries.get((service, username))

            def set_password(self, service: str, username: str, password: str) -> None:
                machine.built = self
                entries[service, username] = password
                machine.most_entries = max(machine.most_entries, len(entries))

            def delete_password(self, service: str, username: str) -> None:
                del entries[service, username]

        self.built: Kept | None = None
        self.kind: type[Kept] = Kept

    def keyring(self, wait_s: float = WAIT_S) -> Keyring:
        return Keyring(lambda: iter((self.kind,)), wait_s)


@pytest.fixture
def machine() -> Machine:
    return Machine()


# --- the entry -----------------------------------------------------------------------------


def test_a_key_is_kept_in_43_characters_and_found_again(machine: Machine) -> None:
    """The limit of Windows is far away; the canary is gone."""
    keys = machine.keyring()
    assert keys.find(SALT, new=True) is None
    assert machine.most_entries == 1
    key = keys.make(SALT)
    assert machine.keyring().find(SALT, new=False) == key
    assert list(machine.entries) == [(f"mt-gateway/{SALT.hex()}", "kek")]
    assert [len(text) for text in machine.entries.values()] == [43]


def test_an_entry_is_deleted_with_its_key(machine: Machine) -> None:
    """No other, and a second time nothing happens; one that stays is told."""
    keys, other = machine.keyring(), bytes(16)
    keys.make(SALT)
    keys.make(other)
    for _ in range(2):
        keys.forget(KnownKey(b"", "keyring", SALT))
        assert keys.find(SALT, new=True) is None
    assert keys.find(other, new=False) is not None
    machine.kind = type("Sticky", (machine.kind,), {"delete_password": lambda self, *_: None})
    with pytest.raises(SecretsError, match="did not delete the old key"):
        machine.keyring().forget(KnownKey(b"", "keyring", other))


def test_who_only_looks_writes_nothing(machine: Machine) -> None:
    """No canary."""
    keys = Keyring(lambda: iter((machine.kind,)), probe=False)
    assert keys.find(SALT, new=False) is None
    assert machine.most_entries == 0


def test_two_homes_do_not_share_an_entry(machine: Machine, tmp_path: Path) -> None:
    """A home that goes does not take the other's key along."""
    with (
        Home(tmp_path / "a", machine.keyring()) as a,
        Home(tmp_path / "b", machine.keyring()) as b,
    ):
        assert a.box.kek != b.box.kek
    assert len(machine.entries) == 2
    with Home(tmp_path / "a", machine.keyring()) as again:
        assert again.box.kek == a.box.kek


def test_a_copied_home_opens_nothing_on_another_machine(machine: Machine, tmp_path: Path) -> None:
    """Its key stayed in the keyring; none is made in its place, and nothing is changed."""
    Home(tmp_path / "home", machine.keyring()).close()
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    other = Machine()
    before = {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()}
    with pytest.raises(SecretsError, match=r"missing.*log in as the user who made this home"):
        Home(tmp_path / "copy", other.keyring())
    assert {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()} == before
    assert other.entries == {}


@pytest.mark.parametrize(
    ("text", "complaint"), [("A" * 43, "is not the key"), ("short", "is damaged")]
)
def test_another_entry_stops_everything(
    machine: Machine, tmp_path: Path, text: str, complaint: str
) -> None:
    """It is left as it is."""
    Home(tmp_path / "home", machine.keyring()).close()
    place = next(iter(machine.entries))
    machine.entries[place] = text
    with pytest.raises(SecretsError, match=complaint):
        Home(tmp_path / "home", machine.keyring())
    assert machine.entries == {place: text}


def test_a_home_with_a_key_file_does_not_turn_to_the_keyring(
    machine: Machine, tmp_path: Path
) -> None:
    """Who edits the configuration of an old home is told what it was."""
    Home(tmp_path / "home").close()
    with pytest.raises(SecretsError, match='it was made with store = "file"'):
        Home(tmp_path / "home", machine.keyring())
    assert machine.entries == {}


# --- a keyring that does not do its work ---------------------------------------------------


def test_a_locked_keyring_is_named_so(machine: Machine) -> None:
    """With what to do, and with the ways around it."""

    def refuse(self: KeyringBackend, *_: str) -> None:
        raise KeyringLocked("Failed to unlock the collection!")

    machine.kind = type("Locked", (machine.kind,), {"set_password": refuse})
    keys = machine.keyring()
    with pytest.raises(SecretsError, match=r"--to file\nthe keyring is locked; .* Or unlock it"):
        keys.find(SALT, new=True)
    with pytest.raises(
        SecretsError, match=r"^unlock it, and .*\n.* locked; .*secrets restore --to file"
    ):
        keys.find(SALT, new=False)


def test_a_slow_keyring_is_not_waited_for(machine: Machine) -> None:
    """It may be showing a dialog on a screen that nobody looks at."""
    release = threading.Event()

    def wait(self: KeyringBackend, *_: str) -> None:
        release.wait()

    machine.kind = type("Slow", (machine.kind,), {"set_password": wait})
    try:
        with pytest.raises(SecretsError, match=r"does not answer within 0.05 s.*unlock it"):
            machine.keyring(wait_s=0.05).find(SALT, new=True)
    finally:
        release.set()
    assert WAIT_S == 10


def test_a_denying_keyring_is_quoted(machine: Machine) -> None:
    """Whatever it raises; no other keyring is tried."""

    def deny(self: KeyringBackend, *_: str) -> str:
        raise PermissionError("denied by policy")

    machine.kind = type("Denying", (machine.kind,), {"get_password": deny})
    with pytest.raises(SecretsError, match=r"refuses .PermissionError: denied by policy"):
        machine.keyring().find(SALT, new=True)
    assert machine.entries == {}, "the canary stays behind"


@pytest.mark.parametrize("kept", [None, "", "something else"])
def test_a_keyring_that_forgets_is_found_out(machine: Machine, kept: str | None) -> None:
    """Before a key is entrusted to it."""
    forgetful = {"get_password": lambda self, *_: kept}
    machine.kind = type("Forgetful", (machine.kind,), forgetful)
    with pytest.raises(SecretsError, match="does not keep what it is given"):
        machine.keyring().find(SALT, new=True)


def test_a_key_that_was_not_kept_is_not_used(machine: Machine) -> None:
    """Nothing is sealed with what is gone at the next start."""
    machine.kind = type("Forgetful", (machine.kind,), {"get_password": lambda self, *_: None})
    with pytest.raises(SecretsError, match="did not keep the key"):
        machine.keyring().make(SALT)


def test_the_first_keyring_that_works_is_taken(machine: Machine) -> None:
    """One that is not installed is passed over."""

    class Unavailable(type(KeyringBackend)):  # type: ignore[misc]  # the package's metaclass
        @property
        def priority(cls) -> float:
            raise RuntimeError("no D-Bus")

    absent = Unavailable("Absent", (KeyringBackend,), {})
    kinds = (absent, machine.kind)
    assert Keyring(lambda: iter(kinds)).find(SALT, new=True) is None
    with pytest.raises(SecretsError, match=r"\nthere is no keyring \(no D-Bus\); "):
        Keyring(lambda: iter((absent,))).find(SALT, new=True)


# --- which backend -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("win32", ["keyring.backends.Windows.WinVaultKeyring"]),
        ("darwin", ["keyring.backends.macOS.Keyring"]),
        (
            "linux",
            ["keyring.backends.SecretService.Keyring", "keyring.backends.kwallet.DBusKeyring"],
        ),
    ],
)
def test_the_backends_that_encrypt_are_named(platform: str, names: list[str]) -> None:
    """Neither plain text nor null, fail or chainer is ever asked, nor what a package registers."""
    kinds = allowed_backends(platform)
    assert [f"{kind.__module__}.{kind.__name__}" for kind in kinds] == names


def test_on_windows_the_key_stays_on_the_machine(machine: Machine) -> None:
    """The package's default follows the user to every computer of the domain."""
    machine.keyring().find(SALT, new=True)
    assert machine.built is not None
    assert machine.built.persist == "local machine"


def test_the_environment_sets_no_property(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``KEYRING_PROPERTY_*`` and ``KEYCHAIN_PATH`` would lead the key elsewhere."""
    monkeypatch.setenv("KEYRING_PROPERTY_PREFERRED_COLLECTION", "/hostile")
    machine.keyring().find(SALT, new=True)
    assert machine.built is not None
    assert not hasattr(machine.built, "preferred_collection")
    assert machine.built.keychain is None


HOSTILE = """
import os, pathlib
from keyring.backend import KeyringBackend
pathlib.Path(os.environ["EVIDENCE"]).touch()

class Keyring(KeyringBackend):
    priority = 99
    def get_password(self, service, username): return "A" * 43
    def set_password(self, service, username, password): pass
    def delete_password(self, service, username): pass
"""


@pytest.fixture
def hostile(tmp_path: Path) -> dict[str, str]:
    """An environment, a ``keyringrc.cfg`` and a package that name a hostile backend."""
    code, rc = tmp_path / "code", tmp_path / "rc" / "python_keyring"
    info = code / "hostile-1.dist-info"
    for folder in (info, rc):
        folder.mkdir(parents=True)
    (code / "hostile.py").write_text(HOSTILE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[keyring.backends]\nhostile = hostile\n")
    rc_text = f"[backend]\ndefault-keyring=hostile.Keyring\nkeyring-path={code}\n"
    (rc / "keyringrc.cfg").write_text(rc_text)
    environment = {k: v for k, v in os.environ.items() if k != "DBUS_SESSION_BUS_ADDRESS"}
    return environment | {
        "PYTHONPATH": os.pathsep.join((str(code), os.getcwd())),
        "XDG_CONFIG_HOME": str(tmp_path / "rc"),
        "PYTHON_KEYRING_BACKEND": "hostile.Keyring",
        "EVIDENCE": str(tmp_path / "evidence"),
    }


def run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-c", program),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="needs a machine without a keyring")
@pytest.mark.parametrize("variable", [True, False])
def test_a_hostile_backend_is_not_even_imported(
    hostile: dict[str, str], tmp_path: Path, variable: bool
) -> None:
    """Named by variable, by file or by a package, it never runs; without a keyring of ours the
    gateway refuses."""
    if not variable:
        del hostile["PYTHON_KEYRING_BACKEND"]
    ours = "from gateway.cli import main; main()"
    config, evidence = tmp_path / "config.toml", tmp_path / "evidence"
    config.write_text('[secrets]\nstore = "keyring"\n')
    arguments = ["token", "list", "--home", str(tmp_path / "home"), "--config", str(config)]
    done = run(f"import sys; sys.argv[1:] = {arguments!r}; {ours}", hostile)
    assert done.returncode == 1
    do, why = done.stderr.splitlines()
    assert do.startswith("mt-gateway: run once: mt-gateway secrets move --to file --home ")
    assert why.startswith("there is no keyring (")
    assert not evidence.exists()
    # the trap is real: the package's own choice walks into it
    assert run("import keyring; keyring.get_keyring()", hostile).returncode == 0
    assert evidence.exists()
