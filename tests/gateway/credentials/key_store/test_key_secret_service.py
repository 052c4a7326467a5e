"""The key in a real keyring: the Secret Service of GNOME."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_REAL = """
import sys
from pathlib import Path
from gateway.home.home import Home
from gateway.credentials.key_store.keyring import Keyring
keys = []
for folder in ("a", "a", "b"):
    with Home(Path(sys.argv[1]) / folder, Keyring()) as home:
        keys.append(home.box.kek)
assert keys[0] == keys[1] != keys[2]
print("kept")
"""

_EXCHANGED = """
import sys
from pathlib import Path
import secretstorage
from gateway.home.home import Home
from gateway.home.home_key import HomeKey
from gateway.cli.doctor import key as doctor
from gateway.config import Secrets
from gateway.credentials.secrets import KnownKey, SecretsError

folder = Path(sys.argv[1]) / "home"
collection = secretstorage.get_default_collection(secretstorage.dbus_init())

def entries():
    return [item.get_attributes()["service"] for item in collection.get_all_items()]

Home(folder, Secrets()).close()
for to, count in ((None, 1), ("file", 0), ("keyring", 1)):
    before = entries()
    with HomeKey(folder, Secrets(), alone=True) as key:
        assert key.exchange(key.open(), to).left == ()
    assert len(entries()) == count
    assert not set(before) & set(entries())
with HomeKey(folder, Secrets()) as key:
    known = key.noted.known
assert doctor.examine(known, Secrets(), folder)[0].verdict == "ok"
assert doctor.foresee(Secrets(), folder).verdict == "skipped"
assert len(entries()) == 1
collection.lock()
found, box = doctor.examine(known, Secrets(), folder)
assert (found.verdict, found.found, box) == ("problem", "the keyring is locked", None)
assert found.remedy.startswith("unlock it")
for open_it in (lambda: Home(folder, Secrets()), lambda: HomeKey(folder, Secrets()).open()):
    try:
        open_it()
    except SecretsError as error:
        assert "locked" in str(error), error
    else:
        raise AssertionError("it opened")
print("kept")
"""


@pytest.fixture
def desktop(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A command line that runs a program in a session with an unlocked GNOME keyring."""
    if shutil.which("gnome-keyring-daemon") is None or shutil.which("dbus-run-session") is None:
        pytest.skip("there is no GNOME keyring")
    places = {name: str(tmp_path / name) for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "HOME")}
    for folder in places.values():
        Path(folder).mkdir(mode=0o700)
    unlock = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null"
    return unlock, os.environ | places


@pytest.mark.parametrize("program", [_REAL, _EXCHANGED], ids=["kept", "exchanged"])
def test_the_secret_service_of_gnome_keeps_a_key(
    desktop: tuple[str, dict[str, str]], tmp_path: Path, program: str
) -> None:
    """A real daemon on a bus of its own, and the backend that the product takes. Keys are made,
    exchanged and deleted; a keyring that is locked is named so."""
    unlock, environment = desktop
    script = f'{unlock} && exec "$0" -c "$1" "$2"'
    done = subprocess.run(
        ("dbus-run-session", "--", "sh", "-c", script, sys.executable, program, str(tmp_path)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "kept\n", done.stderr
