"""Whose word counts about where a visitor is: the connection's, or that of a proxy we trust."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.console.web.security import OwnNames

PUBLIC = "https://console.example.com"


def _address(*forwarded: str, host: str = "console.example.com", trusted: bool = True) -> str:
    lines = [("Host", host), *(("X-Forwarded-For", line) for line in forwarded)]
    request = make_mocked_request("GET", "/", CIMultiDict(lines))
    names = OwnNames(7402, PUBLIC, trusted_proxy=trusted)
    return names.address(request.clone(remote="127.0.0.1"))


def test_without_a_trusted_proxy_nobody_names_an_address() -> None:
    """Neither the visitor's header counts, nor that the proxy's connection comes from here."""
    assert _address("203.0.113.9", trusted=False) == ""
    assert _address(trusted=False) == ""


@pytest.mark.parametrize(
    "lines",
    [
        ("198.51.100.1, 203.0.113.9",),
        ("127.0.0.1", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1,203.0.113.9"),
    ],
)
def test_the_trusted_proxys_own_entry_is_the_last_of_all_lines(lines: tuple[str, ...]) -> None:
    """Some proxies append to the visitor's line, others add one of their own below it."""
    assert _address(*lines) == "203.0.113.9"


@pytest.mark.parametrize("lines", [(), ("",), ("here",), ("203.0.113.9, here",), ("here", "")])
def test_a_proxy_that_says_nothing_useful_is_no_visitor_of_this_computer(
    lines: tuple[str, ...],
) -> None:
    """Its own address would be told to people as theirs."""
    assert _address(*lines) == ""


def test_under_a_local_name_the_connection_counts() -> None:
    """There is no proxy then."""
    assert _address("203.0.113.9", host="127.0.0.1:7402") == "127.0.0.1"
