"""A home that has a console: forgetting ``--config`` does not undo it, whatever the command."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_process import ENDED, ENDS_WITHIN_S, clean_environment, running_demo, running_serve
from shell import Done
from warm_process import COMMAND, WarmProcess

from gateway.app import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.home.home_console import HomeConsole, WrongHome, noted_console

Run = Callable[..., Done]
URL = "http://127.0.0.1:1"
"""Of a console that nobody runs: it is the configuration that counts."""
ALONE = '[api]\nport = 0\n[bridge]\nport = 0\n[secrets]\nstore = "file"\n'
NAMED = f'{ALONE}[console]\nurl = "{URL}"\n'


@pytest.fixture(name="home")
def make_home(tmp_path: Path) -> Path:
    """A home with a token of its own, from before there was a console."""
    folder = tmp_path / "home"
    with Home(folder) as home:
        home.issuer.create("old")
    return folder


def serve(*arguments: object) -> Done:
    """Start ``serve``; it is stopped as soon as it serves."""
    command = (*COMMAND, "serve", "--json", *map(str, arguments))
    pipe = subprocess.PIPE
    with WarmProcess(
        command, stdout=pipe, stderr=pipe, env=clean_environment(), text=True
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if ready:
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=ENDS_WITHIN_S)
    return Done(process.returncode, ready + out, err)


def named_elsewhere(tmp_path: Path) -> Path:
    """A file outside of the home, that names the console."""
    file = tmp_path / "elsewhere.toml"
    file.write_text(NAMED)
    return file


def test_once_served_with_a_console_a_home_keeps_it(run: Run, home: Path, tmp_path: Path) -> None:
    """Without the file nothing is served, and no token is made that would never work."""
    served = serve("--home", home, "--config", named_elsewhere(tmp_path))
    assert json.loads(served.out)["console"] == URL
    forgotten = serve("--home", home)
    assert f"takes its tokens from a console at {URL}, and no [console] url is set" in (
        forgotten.complaint
    )
    for command in (("create", "--name", "a"), ("list",), ("revoke", "old"), ("replace", "old")):
        complaint = run("token", *command, "--home", str(home)).complaint
        assert complaint.startswith(f"this gateway takes its tokens from its console: {URL};")


def test_doctor_tells_of_a_console_that_no_configuration_names(
    run: Run, home: Path, tmp_path: Path
) -> None:
    """Before somebody wonders why the gateway does not start."""
    serve("--home", home, "--config", named_elsewhere(tmp_path))
    done = run("doctor", "--json", "--home", str(home))
    found = {one["name"]: one for one in json.loads(done.out)}
    assert done.code == 1
    assert found["console"]["verdict"] == "problem"
    assert URL in found["console"]["found"]
    assert f"keep it as {home / 'config.toml'}" in found["console"]["remedy"]


def test_every_command_reads_the_file_of_the_home(run: Run, home: Path) -> None:
    """``token create`` is refused before the first start; ``serve`` needs no option."""
    (home / "config.toml").write_text(NAMED)
    made = run("token", "create", "--name", "a", "--home", str(home))
    assert made.complaint.startswith(f"this gateway takes its tokens from its console: {URL};")
    assert json.loads(serve("--home", home).out)["console"] == URL
    doctor = json.loads(run("doctor", "--json", "--home", str(home)).out)
    found = {one["name"]: one["found"] for one in doctor}
    assert found["config"] == str(home / "config.toml")
    assert found["console"] == f"{URL} cannot be reached"
    assert URL in run("verify", "1234-5678", "--home", str(home)).complaint


def test_a_broken_file_of_the_home_stops_every_command(run: Run, home: Path) -> None:
    """Who cannot read what counts does not go on as if it said nothing."""
    (home / "config.toml").symlink_to(home / "nowhere")
    commands = (("token", "list"), ("secrets", "status"), ("manager-user", "list"))
    said = [run(*words, "--home", str(home)).complaint for words in commands]
    assert [one.startswith(f"{home / 'config.toml'}: cannot be read") for one in said] == [
        True
    ] * 3
    assert "cannot be read" in serve("--home", home).complaint


def test_a_file_that_is_named_counts_instead(home: Path, tmp_path: Path) -> None:
    """Two files are never mixed."""
    (home / "config.toml").write_text("[api]\nport = 1\n")
    file = tmp_path / "other.toml"
    file.write_text(ALONE)
    assert serve("--home", home, "--config", file).code == ENDED


def test_a_demo_and_serve_do_not_share_a_home(run: Run, home: Path, tmp_path: Path) -> None:
    """Each would undo the other's tokens; a demo finds its own home again."""
    theirs = tmp_path / "demo"
    for _ in range(2):
        with running_demo(theirs):
            pass
    assert serve("--home", theirs).complaint == (
        f"{theirs} is the home of a demo: give another --home"
    )
    assert "its console" in run("token", "create", "--name", "a", "--home", str(theirs)).complaint
    console = next(
        one
        for one in json.loads(run("doctor", "--json", "--home", str(theirs)).out)
        if one["name"] == "console"
    )
    assert (console["verdict"], console["found"]) == (
        "skipped",
        "the demo's own, which runs with it",
    )
    free = ("--port", "0", "--bridge-port", "0", "--console-port", "0")
    done = run("demo", *free, "--home", str(home))
    assert done.complaint == f"{home} is the home of serve: give the demo another --home"


def test_a_home_without_a_console_is_as_it_was(run: Run, tmp_path: Path) -> None:
    """Its tokens are its own."""
    with running_serve(tmp_path):
        home = tmp_path / "home"
        assert run("token", "create", "--name", "a", "--home", str(home)).code == 0


def test_a_home_of_an_older_version_counts_by_the_root_that_it_believes(home: Path) -> None:
    """It has not noted where its console is."""
    with Home(home) as opened:
        with opened.store.transaction() as db:
            db.execute("INSERT INTO console (only, root) VALUES (1, 'mgr1_x')")
        assert noted_console(opened.store) == HomeConsole()
        with pytest.raises(WrongHome, match="takes its tokens from a console, and no"):
            Gateway(opened, Config())
