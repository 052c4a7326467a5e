"""A demo that is stopped and started again in its home: an account that goes on, as a broker's."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from demo_process import Demo, running_demo

from gateway.client import SyncGatewayClient

Json = dict[str, Any]
ORIGIN = "http://127.0.0.1:8123"


def post(url: str, demo: Demo, body: Json, **headers: str) -> tuple[int, Any, Json]:
    """Post with the demo's token; status, headers and body of the answer."""
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 (our own)
    given = {"Authorization": f"Bearer {demo.auth_token}", "Content-Type": "application/json"}
    for name, value in (given | headers).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (our own)
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, json.load(refused)


def client_of(demo: Demo) -> SyncGatewayClient:
    """A client of a running demo."""
    return SyncGatewayClient(demo.url, demo.auth_token)


def buy(client: SyncGatewayClient, name: str) -> Json:
    """A tenth of a lot."""
    receipt = client.place_order(symbol="EURUSD", side="buy", volume=0.1, client_order_id=name)
    return dict(receipt["order"])


def tickets(client: SyncGatewayClient) -> dict[str, Any]:
    """What the account has, by what does not move with the market."""
    past = client.get_history_orders(kind="deals", limit=5000)["deals"]
    return {
        "positions": [one["ticket"] for one in client.get_positions()],
        "orders": [one["ticket"] for one in client.get_orders()],
        "deals": [one["ticket"] for one in past],
        "balance": client.get_account_info()["balance"],
    }


def test_the_account_goes_on_where_it_was(tmp_path: Path) -> None:
    """Positions, orders, deals and money are there again; tickets go on; what was written down of
    passwords and token holds; an order that comes again is the same order."""
    home = tmp_path / "home"
    with running_demo(home) as demo, client_of(demo) as client:
        first = buy(client, "my-1")
        closed = buy(client, "my-2")
        client.close_position(ticket=closed["position"])
        before = tickets(client)
        told = (demo.console_password, demo.auth_token, demo.account, demo.manager["password"])
    assert first["position"] in before["positions"]

    with running_demo(home) as demo, client_of(demo) as client:
        assert tickets(client) == before
        again = (demo.console_password, demo.auth_token, demo.account, demo.manager["password"])
        assert again == told
        assert buy(client, "my-1")["order"] == first["order"]
        now = client.get_order(client_order_id="my-1")["now"]
        assert now is not None
        assert [one["ticket"] for one in now["positions"]] == [first["position"]]
        later = buy(client, "my-3")
        used = {*before["positions"], *before["orders"], closed["order"], closed["position"]}
        assert later["order"] > max(used)
        client.close_position(ticket=first["position"])


def test_a_demo_that_is_killed_has_what_it_answered(tmp_path: Path) -> None:
    """No answer comes before the books are written."""
    home = tmp_path / "home"
    with suppress(KeyError), running_demo(home) as demo, client_of(demo) as client:
        order = buy(client, "my-1")
        raise KeyError  # which leaves by a kill
    with running_demo(home) as demo, client_of(demo) as client:
        positions = client.get_positions()
        assert [one["ticket"] for one in positions] == [order["position"]]


def test_a_position_is_no_older_than_its_order(tmp_path: Path) -> None:
    """The emulated clock is that of the machine: what the terminal stamps lies between the call
    and its answer."""
    with running_demo(tmp_path / "home") as demo, client_of(demo) as client:
        order = buy(client, "my-1")
        record = client.get_order(client_order_id="my-1")
        [position] = client.get_positions()
        assert position["time"] is not None
        assert record["time_created"] <= position["time"] <= order["time"]


def test_paper_can_be_tried(tmp_path: Path) -> None:
    """The account that the demo tells of can be registered for paper trading with its token."""
    with running_demo(tmp_path / "home") as demo, client_of(demo) as client:
        body = {"name": "Paper", "broker": "demo", **demo.account, "paper_trade_enabled": True}
        status, _, made = post(f"{demo.url}/api/v1/accounts", demo, body)
        assert status == 201, made
        bid = client.get_symbol_info(symbol="EURUSD")["bid"]
        assert bid is not None
        stop = round(bid - 0.005, 5)
        receipt = client.place_order(symbol="EURUSD", side="buy", volume=0.1, sl=stop)
        assert receipt["paper"] is True


def test_a_page_can_be_allowed(tmp_path: Path) -> None:
    """``--allow-origin``; every other page is told which setting that is."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}}
    with running_demo(tmp_path / "home", "--allow-origin", ORIGIN) as demo:
        _, headers, answer = post(demo.rpc, demo, body, Origin=ORIGIN)
        assert headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "result" in answer
        status, _, refused = post(demo.rpc, demo, body, Origin="http://a.test")
        assert status == 403
        assert refused["error"]["data"]["setting"] == "api.allowed_origins"
        assert "--allow-origin" in refused["error"]["message"]
