"""``history pull``, killed in the middle of the second year of three."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from demo_process import clean_environment
from scripted_gateway import TOKEN, ScriptedGateway

STATUS = {"server": "Broker-Demo", "company": "Broker Ltd", "platform": "mt5"}
YEARS = {1_672_531_200_000: "2023", 1_704_067_200_000: "2024", 1_735_689_600_000: "2025"}


def bars(time: int, cursor: str | None) -> dict[str, Any]:
    bar = dict.fromkeys(("open", "high", "low", "close", "tick_volume", "spread"), 1)
    bar |= {"time": time, "broker_time": time, "real_volume": 0}
    following = "more" if cursor is None else None
    whole = {"next_cursor": following, "complete": True, "reason": None}
    return {"symbol": "EURUSD", "timeframe": "D1", "bars": [bar], **whole}


async def test_a_killed_pull_goes_on(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """The year that was whole is not asked for again, and of the other nothing was there."""
    out = tmp_path / "x.csv"
    reached = asyncio.Event()

    async def always(_: Any) -> Any:
        return STATUS | {"name": "EURUSD"}

    async def prices(params: dict[str, Any]) -> Any:
        if YEARS[params["from"]] == "2024" and params["cursor"] and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()  # until the connection is gone
        return bars(params["from"], params["cursor"])

    gateway.replies = {"get_ea_status": always, "get_symbol_info": always}
    gateway.replies["get_history_prices"] = prices
    span = ("--from", "2023-01-01", "--to", "2025-06-30", "--timeframe", "D1")
    words = ("history", "pull", "EURUSD", *span, "--out", str(out), "--url", gateway.url)

    def start() -> Any:
        return asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *words),
            env=clean_environment() | {"MT_GATEWAY_TOKEN": TOKEN},
        )

    process = await start()
    await reached.wait()
    process.kill()
    await process.wait()
    year = tmp_path / "x.csv.parts" / "Broker-Demo" / "EURUSD" / "D1"
    assert {path.name for path in year.glob("*.csv")} == {"2023.csv"}
    assert not out.exists()

    gateway.asked.clear()
    assert await (await start()).wait() == 0
    asked = [YEARS[params["from"]] for name, params in gateway.asked if name.endswith("prices")]
    assert asked == ["2024", "2024", "2025", "2025"]
    assert len(out.read_text().splitlines()) == 1 + 2 * 3
    # the draft that the kill left went with the other parts
    assert set(os.listdir(tmp_path)) == {"x.csv", "x.csv.json"}
