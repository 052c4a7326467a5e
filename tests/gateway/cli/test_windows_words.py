"""What a person on Windows is told: words for PowerShell, and who may use the home."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli.doctor import folder
from gateway.cli.doctor.windows import access_of, closing
from gateway.cli.output import shell_word
from gateway.cli.run import _demo_text
from gateway.options import Ready

READY = Ready(
    rpc="http://127.0.0.1:7400/rpc",
    bridge="127.0.0.1:7401",
    auth_token="mgt_secret",
    home="C:\\Users\\it's me\\demo",
)
ME = "S-1-5-21-1-2-3-1001"
INHERITED = f"O:{ME}D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;FA;;;{ME})"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("C:\\Users\\me\\home", "C:\\Users\\me\\home"),
        ("C:\\Users\\it's me", "'C:\\Users\\it''s me'"),
        ("a;b", "'a;b'"),
        ("$env:X", "'$env:X'"),
        ("`x`", "'`x`'"),
        ("", "''"),
    ],
)
def test_words_of_powershell(text: str, word: str) -> None:
    """Single quotes take everything as it is; one within is doubled."""
    assert shell_word(text, "win32") == word


def test_the_demo_speaks_powershell_on_windows() -> None:
    told = _demo_text(READY, "win32")
    assert "curl" not in told
    assert "export" not in told
    assert "$env:MT_GATEWAY_TOKEN='mgt_secret'" in told
    assert "--home 'C:\\Users\\it''s me\\demo'" in told
    body = re.search(r"-Body '([^']*)'", told)
    assert body is not None
    assert json.loads(body[1])["method"] == "get_account_info"
    # a line goes on behind a backtick that nothing follows
    assert [
        line for line in told.splitlines() if line.rstrip().endswith("`") and line[-1] == " "
    ] == []


def test_the_demo_speaks_sh_elsewhere() -> None:
    told = _demo_text(READY, "linux")
    assert "$env:" not in told
    assert "  export MT_GATEWAY_URL=http://127.0.0.1:7400 MT_GATEWAY_TOKEN=mgt_secret\n" in told
    assert " \\\n    -H 'Content-Type: application/json' -d '{" in told


@pytest.mark.parametrize(
    ("sddl", "writers", "readers"),
    [
        (INHERITED, [], []),
        (f"{INHERITED}(A;OICIID;0x1200a9;;;BU)", [], ["Users"]),
        (f"{INHERITED}(A;OICIID;0x1301bf;;;AU)", ["Authenticated Users"], []),
        (f"{INHERITED}(A;OICI;FR;;;WD)(A;OICI;FA;;;WD)", ["Everyone"], []),
        (f"{INHERITED}(A;;FA;;;S-1-5-21-1-2-3-1002)", ["S-1-5-21-1-2-3-1002"], []),
        (f"{INHERITED}(D;;FA;;;WD)", [], []),
        (f"O:{ME}G:{ME}D:PAI(A;;FA;;;SY)(A;;GXGR;;;IU)", [], ["Interactive"]),
        (f"O:{ME}D:(A;;CCSWWPLO;;;BU)", [], ["Users"]),
        (f"O:{ME}D:(A;;CCDC;;;BU)", ["Users"], []),
        (f"O:{ME}D:NO_ACCESS_CONTROL", ["Everyone"], []),
        (f"O:{ME}D:", ["Everyone"], []),
    ],
)
def test_who_may_use_a_folder(sddl: str, writers: list[str], readers: list[str]) -> None:
    """Not its owner, the system or administrators; a denial gives nobody anything."""
    assert access_of(sddl) == (writers, readers)


@pytest.mark.parametrize(
    "sddl", ["", "nonsense", "D:(A;;FA;;;WD)", f"{INHERITED}(XA;;FX;;;WD;(@User.a==1))"]
)
def test_what_is_no_list(sddl: str) -> None:
    with pytest.raises(ValueError, match="no owner"):
        access_of(sddl)


@pytest.mark.parametrize(
    ("sddl", "verdict"),
    [
        (INHERITED, "ok"),
        (f"{INHERITED}(A;;FR;;;BU)", "warning"),
        (f"{INHERITED}(A;;FA;;;BU)", "problem"),
        ("nonsense", "warning"),
    ],
)
def test_what_the_doctor_makes_of_it(tmp_path: Path, sddl: str, verdict: str) -> None:
    """Reading is a warning, writing a problem, as on other systems; not to know is never well."""
    look: Callable[[Path], str] = lambda _: sddl  # noqa: E731 (one line says it)
    found = folder._listed_access(tmp_path, look)
    assert found.verdict == verdict
    assert (found.remedy == f"run in PowerShell: {closing(tmp_path)}") == (verdict != "ok")
