"""Addresses, waits, error classes, order ids."""

from __future__ import annotations

import re

import pytest

from gateway.client import new_client_order_id
from gateway.client.errors import error_from
from gateway.client.protocol import parse_address
from gateway.client.subscription import LAST_RETRY_S, MAX_ANNOUNCED_S, retry_delay_s
from gateway.errors import GatewayError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:7400",
        "http://127.0.0.1:7400/",
        "http://127.0.0.1:7400/rpc",
        "http://127.0.0.1:7400/v1/rpc",
        "ws://127.0.0.1:7400/ws",
    ],
)
def test_any_door_names_the_gateway(url: str) -> None:
    """Users paste the URL that they have at hand."""
    address = parse_address(url)
    assert address.rpc == "http://127.0.0.1:7400/rpc"
    assert address.ws == "ws://127.0.0.1:7400/ws"


def test_tls_stays_tls() -> None:
    """A gateway behind a proxy may have a path of its own."""
    address = parse_address("https://host/mt/rpc")
    assert (address.rpc, address.ws) == ("https://host/mt/rpc", "wss://host/mt/ws")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:7400",
        "ftp://127.0.0.1",
        "http://",
        "http://u:p@127.0.0.1:7400",
        "http://127.0.0.1:7400/rpc?auth_token=mgt_x",
        "http://127.0.0.1:7400/#mgt_x",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """Above all those that carry a secret; the complaint does not repeat it."""
    with pytest.raises(ValueError, match="the gateway's URL") as caught:
        parse_address(url)
    assert "mgt_" not in str(caught.value)


def test_waits_grow_and_scatter() -> None:
    """Each wait is half chance; it doubles up to a bound, and never overflows."""
    assert retry_delay_s(0, rng=lambda: 0.0) == pytest.approx(0.05)
    assert retry_delay_s(1, rng=lambda: 1.0) == pytest.approx(0.2)
    assert retry_delay_s(10_000, rng=lambda: 1.0) == LAST_RETRY_S


def test_an_announced_restart_is_believed_within_reason() -> None:
    """The wait starts after the restart; a gateway cannot send clients away for a day."""
    assert retry_delay_s(0, 3000, rng=lambda: 1.0) == pytest.approx(3.1)
    assert retry_delay_s(0, 10**9, rng=lambda: 0.0) <= MAX_ANNOUNCED_S + 1


def _listed(cls: type[GatewayError]) -> list[type[GatewayError]]:
    children = [child for child in cls.__subclasses__() if child.__module__ == "gateway.errors"]
    return [*children, *(deeper for child in children for deeper in _listed(child))]


@pytest.mark.parametrize("error", [e for e in _listed(GatewayError) if "code" in vars(e)])
def test_every_error_comes_back_as_itself(error: type[GatewayError]) -> None:
    """The error object of each class makes that class again, message and data included."""
    sent = error("Do that.", limit=3, outcome="rejected")
    back = error_from(sent.as_dict())
    assert type(back) is error
    assert (back.message, back.data, back.outcome) == (sent.message, sent.data, "rejected")
    assert back.retryable == error.retryable


def test_order_ids_are_fresh_and_allowed() -> None:
    """The gateway takes up to 64 letters, digits, dots, colons, dashes and underscores."""
    ids = {new_client_order_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", one) for one in ids)
