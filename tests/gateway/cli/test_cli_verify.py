"""``verify``: the mail's command, as it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from demo_process import Demo, running_serve
from shell import Done

Run = Callable[..., Done]


def test_the_running_gateway_knows_its_console(run: Run, demo: Demo) -> None:
    """So that nobody has to name a file: the console is asked, and nothing waits there."""
    complaint = run("verify", "1234-5678", "--home", demo.home).complaint
    assert complaint == "no terminal of this machine waits for approval; start it first"


def test_no_gateway_runs(run: Run, tmp_path: Path) -> None:
    """Nobody knows which console is meant; the ways to say it are named."""
    complaint = run("verify", "12345678", "--home", str(tmp_path)).complaint
    assert complaint == f"no gateway runs in {tmp_path}: start it, or give its --home or --config"


def test_a_gateway_without_a_console(run: Run, tmp_path: Path) -> None:
    """Its tokens are its own: no mail can be meant."""
    with running_serve(tmp_path) as ready:
        complaint = run("verify", "12345678", "--home", ready["home"]).complaint
    assert complaint.endswith("makes its own tokens: nothing waits there")


def test_what_is_no_code(run: Run) -> None:
    """Letters are the terminal's code, which goes to the console's page."""
    assert "8 digits of the mail" in run("verify", "ABCD-EFGH").complaint
