"""What ``mt-gateway emulator`` can be told of account and broker: docs/emulator.md."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from demo_process import clean_environment, running_serve
from warm_process import COMMAND, WarmProcess

from gateway.client import SyncGatewayClient
from gateway.errors import InvalidStops, OrderRejected, PriceChanged, RiskLimit

Json = dict[str, Any]
PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text("utf-8")
RULES = re.search(r"## Rules, requotes and parts\n\n<!--.*-->\n```sh\n(.*?)```", PAGE, re.DOTALL)


def words_of_the_page(bridge: str, token: str, folder: Path) -> list[str]:
    """The command of the how-to, for a gateway and a folder of the test's."""
    assert RULES is not None
    _, *words = shlex.split(RULES[1].replace("\\\n", " "))
    real = {"--bridge": bridge, "--auth-token": token, "--folder": str(folder / "terminal")}
    return [real.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def token_of(folder: Path) -> str:
    """A token of the gateway in a folder."""
    words = ("token", "create", "--name", "A", "--json", "--home", str(folder / "home"))
    config = ("--config", str(folder / "config.toml"))
    done = subprocess.run(
        [*COMMAND, *words, *config],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    return str(json.loads(done.stdout)["auth_token"])


@contextmanager
def linked(words: list[str]) -> Iterator[None]:
    """Run an emulated terminal until the block is left."""
    process = WarmProcess(
        (*COMMAND, *words, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate()


def buy(client: SyncGatewayClient, **changes: Any) -> Json:
    """A tenth of a lot of EURUSD."""
    order: Json = {"symbol": "EURUSD", "side": "buy", "volume": 0.1} | changes
    return dict(client.place_order(**order))


def test_the_how_to_does_what_it_says(tmp_path: Path) -> None:
    """Account, rules, requotes, parts and latency; and the account is there again."""
    with running_serve(tmp_path) as ready:
        token = token_of(tmp_path)
        words = words_of_the_page(ready["bridge"], token, tmp_path)
        url = ready["rpc"].removesuffix("/rpc")
        with SyncGatewayClient(url, token) as client:
            with linked(words):
                account = client.get_account_info()
                assert (account["login"], account["leverage"]) == (7001, 30)
                info = client.get_symbol_info(symbol="EURUSD")
                assert info["trade_stops_level"] == 50
                assert info["trade_freeze_level"] == 20
                assert info["trade_exemode"] == "instant"
                assert info["bid"] is not None
                with pytest.raises(InvalidStops):
                    buy(client, sl=round(info["bid"] - 0.0004, 5))
                for _ in range(2):
                    with pytest.raises(PriceChanged):
                        buy(client, deviation=500)
                with pytest.raises(OrderRejected):
                    buy(client, deviation=500, type_filling="fok")
                part = buy(client, deviation=500, type_filling="ioc")
                assert part["order"]["state"] == "partial"
                assert part["order"]["filled_volume"] == 0.05
                assert part["timing_ms"]["terminal"] >= 300
            with linked(words):
                [position] = client.get_positions()
                assert position["ticket"] == part["order"]["position"]


def test_real_money_is_refused_where_it_is_not_allowed(tmp_path: Path) -> None:
    """An account that says it is live, and a gateway that is for play money alone."""
    with running_serve(tmp_path, "[trading]\nallow_live = false\n") as ready:
        token = token_of(tmp_path)
        words = ["emulator", "--bridge", ready["bridge"], "--auth-token", token, "--live"]
        with linked(words), SyncGatewayClient(ready["rpc"][:-4], token) as client:
            assert client.get_account_info()["trade_mode"] == "real"
            with pytest.raises(RiskLimit) as refused:
                buy(client)
            assert refused.value.data["rule"] == "live_account"


@pytest.mark.parametrize("text", ["0", "nan", "-1"])
def test_what_cannot_be_filled_is_no_part(text: str) -> None:
    """A line that says what to give instead."""
    words = ("emulator", "--bridge", "127.0.0.1:1", "--auth-token", "x", "--partial-fill", text)
    done = subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, check=False, env=clean_environment()
    )
    assert done.returncode == 2
    assert "give lots above 0" in done.stderr
