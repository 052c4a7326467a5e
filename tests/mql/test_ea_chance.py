"""What is random in the EA, where clocks that begin with the program tell nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mql_compiler import Build, compiled

PROGRAMS = Path(__file__).parent / "programs"
INCLUDE = Path(__file__).parents[2] / "ea_bridge" / "mql5" / "Include"


@pytest.mark.parametrize("platform", ["mt5", "mt4"])
def test_what_is_random_differs_between_machines(
    platform: str, tmp_path: Path, mql_cache: Path
) -> None:
    """Terminals that start in the same second, as after a power cut, go different ways."""
    main = PROGRAMS / f"Chance.mq{platform[2]}"
    program = compiled(Build(main, mql_cache, (INCLUDE,)))

    def started(data_path: str = "C:/one", login: int = 1, server: str = "Demo") -> list[str]:
        config: dict[str, Any] = {
            "frozen": True,
            "symbols": [{"info": {"name": "EURUSD", "digits": 5, "point": 1e-05}}],
            "terminal": {"data_path": data_path},
            "account": {"login": login, "server": server},
            "files": str(tmp_path),
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        done = subprocess.run(
            [program, path], stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [line["text"] for line in lines if line["t"] == "print"]

    one = started()
    assert one == started(), "the clocks of this test stand still"
    for another in (started("D:/two"), started(login=2), started(server="Live")):
        assert another[0] != one[0]
        assert another[1] != one[1]
