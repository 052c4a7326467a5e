"""``secrets``: the key is shown, exchanged and moved."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from demo_process import Demo
from key_home import Run, kek, passphrase_file

from gateway.console.service import open_console
from gateway.credentials.key_store.file import KeyFile
from gateway.credentials.key_store.passphrase import NEW_PASSPHRASE_FILE, PASSPHRASE_FILE
from gateway.credentials.secrets import KnownKey, SecretsError, encode_key
from gateway.home.home import KEY_FILE, Home, HomeLock

# --- status --------------------------------------------------------------------------------


def test_status_tells_where_the_key_lies(secrets: Run, folder: Path) -> None:
    """And what it seals; never the key itself."""
    done = secrets("status")
    assert done.code == 0
    assert f"{folder / KEY_FILE} fits the database" in done.out
    assert "1 records.server_key" in done.out
    assert "mt-gateway secrets recovery-kit prints one" in done.out
    assert encode_key(kek(folder)) not in done.out
    facts = json.loads(secrets("status", "--json").out)
    assert (facts["store"], facts["key"], facts["check"]) == ("file", "k1", "ok")
    assert facts["not_deleted"] == []


def test_status_of_a_key_that_is_lost(secrets: Run, folder: Path) -> None:
    """With the remedy, and an exit code for programs."""
    (folder / KEY_FILE).unlink()
    done = secrets("status")
    assert done.code == 1
    assert "is missing" in done.out
    assert "restore the file from a backup" in done.out


def test_status_of_a_home_that_is_none(run: Run, tmp_path: Path) -> None:
    """Nothing is made."""
    assert "no secrets" in run("secrets", "status", "--home", str(tmp_path / "none")).complaint
    assert not (tmp_path / "none").exists()


def test_status_while_a_gateway_runs(run: Run, demo: Demo) -> None:
    """It only looks."""
    assert run("secrets", "status", "--home", demo.home).code == 0


# --- rotate and move -----------------------------------------------------------------------


def test_rotate_makes_a_new_key(secrets: Run, folder: Path) -> None:
    """And says of what; the old one is gone."""
    before = kek(folder)
    done = secrets("rotate")
    assert done.code == 0
    assert "new key k2" in done.out
    assert encode_key(before) not in (folder / KEY_FILE).read_text()
    assert kek(folder) != before


def test_a_running_gateway_is_not_robbed_of_its_key(run: Run, demo: Demo) -> None:
    """Each command that exchanges the key names the process that has to be stopped first."""
    for command in (("rotate",), ("move", "--to", "file"), ("restore",)):
        complaint = run("secrets", *command, "--home", demo.home).complaint
        assert "a gateway runs in" in complaint
        assert "stop it first" in complaint


def test_nor_is_one_that_is_only_starting(secrets: Run, folder: Path) -> None:
    """It has not said yet where it listens."""
    with Home(folder):
        assert "another command of mt-gateway works in" in secrets("rotate").complaint
    assert secrets("rotate").code == 0


def test_nothing_opens_while_the_key_is_exchanged(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that was sealed with the old key would open nothing any more."""
    monkeypatch.setattr("gateway.home.home.WAIT_S", 0.05)
    alone = HomeLock(folder, alone=True)
    try:
        complaint = run("token", "create", "--name", "B", "--home", str(folder)).complaint
        assert "is being exchanged; try again" in complaint
    finally:
        alone.release()


def test_a_key_that_is_not_deleted_is_told(
    secrets: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the exchange and by the status; the next exchange deletes it."""

    def refuse(self: KeyFile, known: KnownKey) -> None:
        raise SecretsError("the disk is read-only")

    with monkeypatch.context() as patch:
        patch.setattr(KeyFile, "forget", refuse)
        done = secrets("rotate")
    assert (done.code, "k1: the disk is read-only" in done.err) == (0, True)
    assert "k1 in file" in secrets("status").out
    assert secrets("rotate").err == ""
    assert "not deleted" not in secrets("status").out


def test_systemds_key_is_not_made_by_us(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way around is named."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "mt-gateway-kek").write_text(encode_key(bytes(range(32))))
    (tmp_path / "mt-gateway-kek").chmod(0o400)
    place = ("--home", str(folder))
    assert run("secrets", "move", "--to", "systemd", *place).code == 0
    assert kek(folder) == bytes(range(32))
    assert "secrets move --to file" in run("secrets", "rotate", *place).complaint
    assert run("secrets", "move", "--to", "file", *place).code == 0
    assert kek(folder) != bytes(range(32))


def test_a_home_moves_to_a_passphrase_and_changes_it(
    secrets: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one opens, the new one comes from where the environment says."""
    passphrase_file(monkeypatch, folder, PASSPHRASE_FILE, "correct horse battery staple")
    assert secrets("move", "--to", "passphrase").code == 0
    assert not (folder / KEY_FILE).exists()
    passphrase_file(monkeypatch, folder, NEW_PASSPHRASE_FILE, "another horse battery staple")
    assert secrets("rotate").code == 0
    assert "start again with the right one" in secrets("rotate").complaint
    monkeypatch.setenv(PASSPHRASE_FILE, os.environ[NEW_PASSPHRASE_FILE])
    assert "fits the database" in secrets("status").out
    monkeypatch.delenv(PASSPHRASE_FILE)
    assert "asked for at each start" in secrets("status").out


def test_it_lies_there_already(secrets: Run) -> None:
    """Another command is meant."""
    assert "mt-gateway secrets rotate" in secrets("move", "--to", "file").complaint


def test_a_setting_that_says_otherwise_is_to_be_changed(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is told; until then the gateway refuses."""
    passphrase_file(monkeypatch, folder, PASSPHRASE_FILE, "correct horse battery staple")
    config = tmp_path / "config.toml"
    config.write_text('[secrets]\nstore = "file"\n')
    place = ("--home", str(folder), "--config", str(config))
    done = run("secrets", "move", "--to", "passphrase", *place)
    assert 'write store = "passphrase" under [secrets]' in done.out
    assert 'it was made with store = "passphrase"' in run("token", "list", *place).complaint
    config.write_text('[secrets]\nstore = "passphrase"\n')
    assert run("token", "list", *place).code == 0


# --- a new home ----------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_folder_around_a_default_home(run: Run, tmp_path: Path) -> None:
    """It is the home of ``serve``: whoever makes it, makes it for its owner alone."""
    assert run("secrets", "move", "--to", "file", "--console").code == 0
    assert (tmp_path / "default").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="needs a machine without a keyring")
@pytest.mark.usefixtures("folder")
def test_a_machine_without_a_keyring(run: Run, tmp_path: Path) -> None:
    """The first command says what to type, word for word; after that everything is as usual."""
    place = ("--home", str(tmp_path / "new"))
    create = ("token", "create", "--name", "A")
    for words in (create, ("serve",)):
        do, why = run(*words, *place).advice
        assert why.startswith("there is no keyring (")
    first, _, command = do.partition("mt-gateway ")
    assert first == "run once: "
    assert run("console", *place).advice[0] == f"{do.replace(' --home', ' --console --home')}"
    done = run(*command.split())
    assert (done.code, done.err) == (0, "")
    assert "A new home in" in done.out
    assert run(*create, *place).code == 0
    assert run("secrets", "status", *place).code == 0


def test_who_names_a_key_file_wants_it_there(run: Run, tmp_path: Path) -> None:
    """The store need not be said as well."""
    config = tmp_path / "config.toml"
    config.write_text(f'[secrets]\nkey_file = "{(tmp_path / "elsewhere.key").as_posix()}"\n')
    place = ("--home", str(tmp_path / "new"), "--config", str(config))
    assert run("token", "create", "--name", "A", *place).code == 0
    assert (tmp_path / "elsewhere.key").exists()
    assert run("secrets", "rotate", *place).code == 0
    assert run("token", "list", *place).code == 0


# --- the console ---------------------------------------------------------------------------


def console_kek(folder: Path) -> bytes:
    async def opened() -> bytes:
        async with open_console(folder) as console:
            return console.box.kek

    return asyncio.run(opened())


@pytest.mark.usefixtures("folder")
def test_the_consoles_key_is_looked_after_alike(run: Run, tmp_path: Path) -> None:
    """A new console is made where a person wants its key; there it stays without a setting."""
    console = tmp_path / "console"
    command = ("--console", "--home", str(console))
    assert "no console in" in run("secrets", "rotate", *command).complaint
    made = run("secrets", "move", "--to", "file", *command)
    assert (made.code, made.err) == (0, "")
    assert "A new console in" in made.out
    before = console_kek(console)
    done = run("secrets", "rotate", *command)
    assert (done.code, done.err) == (0, "")
    assert "new key k2" in done.out
    assert console_kek(console) != before
    assert "already" in run("secrets", "move", "--to", "file", *command).complaint


@pytest.mark.usefixtures("folder")
def test_a_running_console_is_not_robbed_of_its_key(run: Run, tmp_path: Path, demo: Demo) -> None:
    """Nor is that of a demo."""
    place = ("--home", str(Path(demo.home) / "console"))
    assert "console" in run("secrets", "rotate", "--console", *place).complaint
