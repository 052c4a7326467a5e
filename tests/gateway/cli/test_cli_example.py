"""The example of all settings, copied as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from commands import running
from shell import Done

from gateway.config import example

Run = Callable[..., Done]


def test_a_home_without_a_keyring_works_with_the_example(run: Run, tmp_path: Path) -> None:
    """On a server the key lies in a file, as the home was told once; the example does not undo
    that, and limits nothing."""
    home = tmp_path / "home"
    assert run("secrets", "move", "--to", "file", "--home", str(home)).code == 0
    free = re.sub(r"^port = 74..$", "port = 0", example(), flags=re.MULTILINE)
    (home / "config.toml").write_text(free)
    assert run("token", "create", "--name", "a", "--home", str(home)).code == 0
    log = tmp_path / "serve.txt"
    with running(log, "serve", "--home", str(home)) as serve:
        assert serve.ready["config"] == str(home / "config.toml")
        found = run("doctor", "--json", "--home", str(home)).out
    assert log.read_text() == ""
    verdicts = {one["name"]: one["verdict"] for one in json.loads(found)}
    assert {verdicts[name] for name in ("config", "home", "database", "key")} == {"ok"}


def test_a_limit_of_nothing_is_told_at_the_start(run: Run, tmp_path: Path) -> None:
    """By ``serve`` and by ``doctor``: files of before meant no limit by it."""
    home = tmp_path / "home"
    assert run("secrets", "move", "--to", "file", "--home", str(home)).code == 0
    ports = "[api]\nport = 0\n[bridge]\nport = 0\n"
    (home / "config.toml").write_text(f"{ports}[trading]\nmax_lot = 0\norders_per_second = 0\n")
    log = tmp_path / "serve.txt"
    with running(log, "serve", "--home", str(home)):
        pass
    assert "[trading] max_lot = 0 allows nothing; remove the line to lift it" in log.read_text()
    assert 'orders_per_second = 0 allows nothing; write "none" to lift it' in log.read_text()
    told = json.loads(run("doctor", "--json", "--home", str(home)).out)
    (config,) = (one for one in told if one["name"] == "config")
    assert config["verdict"] == "warning"
    assert "max_lot = 0 allows nothing; [trading] orders_per_second = 0" in config["found"]
    assert config["remedy"] == 'remove the line to lift it; or write "none" to lift it'
