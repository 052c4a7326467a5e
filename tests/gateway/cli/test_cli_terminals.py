"""Which terminals are there: told by ``serve``, and to the owner of its home."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from commands import create_token, running
from shell import Done

from gateway.cli.status import TERMINALS
from gateway.home.home import Home
from gateway.home.terminals_file import FILE

Run = Callable[..., Done]
CONFIG = "[api]\nport = 0\n[bridge]\nport = 0\n"
ENOUGH_S = 30.0


def wait_for(pattern: str, log: Path) -> str:
    """Wait until a log holds what fits; return the line."""
    ends_s = time.monotonic() + ENOUGH_S
    while (found := re.search(f".*{pattern}.*", log.read_text())) is None:
        assert time.monotonic() < ends_s, log.read_text()
        time.sleep(0.02)
    return found[0]


def test_serve_tells_who_links_and_leaves_and_status_who_is_there(
    run: Run, tmp_path: Path
) -> None:
    """Without a token of any of them: who may read the home owns it."""
    home, log = tmp_path / "home", tmp_path / "serve.txt"
    Home(home).close()
    (home / "config.toml").write_text(CONFIG)
    assert TERMINALS == FILE
    with running(log, "serve", "--home", str(home)) as serve:
        none = run("status", "--home", str(home))
        assert (none.code, "none has linked" in none.out) == (1, True)
        token = create_token(home, "mt5-a")
        bridge = ("--bridge", serve.ready["bridge"])
        with running(tmp_path / "a.txt", "emulator", *bridge, MT_GATEWAY_TOKEN=token):
            told = wait_for("terminal mt5-a linked", log)
            assert "mt5, account 50012345 on 'Emulator-Demo' (demo)" in told
            assert os.stat(home / FILE).st_mode & 0o077 == 0
            here = run("status", "--home", str(home))
            assert here.code == 0, here.out
            assert re.search(
                r"^terminal 1 +mt5-a: ready since .*, mt5, 50012345 on Emulator-Demo$",
                here.out,
                re.MULTILINE,
            )
            assert "enabled" in here.out
            assert run("halt", "--reason", "news", "--home", str(home)).code == 0
            halted = run("status", "--home", str(home), "--json")
            assert halted.code == 1
            facts = json.loads(halted.out)
            assert [one["terminal"] for one in facts["terminals"]] == ["mt5-a"]
            assert [one["reason"] for one in facts["halts"]] == ["news"]
            assert "all halted by cli (news)" in run("status", "--home", str(home)).out
        wait_for("terminal mt5-a has left", log)
        gone = run("status", "--home", str(home))
        assert (gone.code, "mt5-a: disconnected" in gone.out) == (1, True)
        assert token not in here.out + log.read_text()
    assert not (home / FILE).exists()
