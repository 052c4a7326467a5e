"""``verify``: the mail's command, as it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from demo_process import Demo, running_serve
from shell import Done

from gateway.cli.output import CliError
from gateway.cli.verify import _chosen
from gateway.credentials.daemon_api import OpenRequest, TerminalDescription

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


def waiting(login: int, tid: str) -> OpenRequest:
    """Return a request that waits."""
    terminal = TerminalDescription.model_construct(login=login)
    return OpenRequest.model_construct(rid="r", tid=tid, terminal=terminal, expires_s=600)


def test_one_of_several_that_wait_is_named_by_login_or_token() -> None:
    """Two terminals of one account have two tokens; a code tried on another is a try lost."""
    first, second, other = waiting(1, "A" * 12), waiting(1, "B" * 12), waiting(2, "C" * 12)
    several = (first, second, other)
    assert _chosen((first,), (None, None)) is first
    assert _chosen(several, (2, None)) is other
    assert _chosen(several, (None, "B" * 12)) is second
    for wanted in ((None, None), (1, None), (3, None)):
        with pytest.raises(CliError, match=f"1 \\(token {'A' * 12}\\).*--login or --token"):
            _chosen(several, wanted)
