"""Answers to bots: which of them give what was asked for."""

from __future__ import annotations

from .rpc_client import is_served


def test_an_error_serves_nobody() -> None:
    """Not even where another call of the batch is answered: that one is."""
    refused = {"id": 1, "error": {"code": -32001}}
    assert not is_served(refused)
    assert not is_served([refused, refused])
    assert is_served([refused, {"id": 2, "result": None}])
