"""Linked orders of one account, on a terminal that is logged in to another one meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contingent_parts import Stand, quiet
from msgspec.structs import replace

from gateway.trading.journal import AccountKey


def leave_when(stand: Stand, asked: str) -> Callable[[], None]:
    """Log the terminal in to another account when it is asked; return what brings it back."""
    script, account, hello = stand.scene.script, stand.account, stand.scene.hello
    shown = dict(script.answers)

    def log_in(login: int) -> None:
        stand.account = AccountKey(login, account.server)
        stand.scene.hello = script.hello = replace(hello, login=login)

    def switch(_: object) -> Any:
        log_in(777)
        return []

    def back() -> None:
        script.answers |= shown
        log_in(hello.login)
        stand.scene.connect(stand.keeper)

    script.answers |= {"orders_get": [], "history_orders_get": [], asked: switch}
    return back


@pytest.mark.parametrize("asked", ["orders_get", "history_orders_get"])
async def test_what_another_account_shows_is_no_end(stand: Stand, asked: str) -> None:
    """An order that is not there is not gone: it is cancelled when the terminal is back."""
    first, second, third = (stand.place() for _ in range(3))
    linked = await stand.scene.ask("link_oco", tickets=[first, second, third])
    back = leave_when(stand, asked)
    stand.fill(first)
    await quiet(stand)
    assert stand.sent == []
    back()
    await quiet(stand)
    assert stand.orders == {}
    [told] = await stand.scene.ask("get_oco_links", past=10)
    assert (told["id"], told["state"]) == (linked["id"], "done")
    assert [one["end"] for one in told["orders"]] == ["filled", "canceled", "canceled"]


@pytest.mark.parametrize("asked", ["orders_get", "history_orders_get"])
async def test_a_look_that_ends_in_another_account_ends_nothing(stand: Stand, asked: str) -> None:
    """The orders wait on, each of them, and so does their link."""
    first, second = stand.place(), stand.place()
    await stand.scene.ask("link_oco", tickets=[first, second])
    back = leave_when(stand, asked)
    stand.scene.connect(stand.keeper)
    await quiet(stand)
    back()
    await quiet(stand)
    assert (stand.sent, sorted(stand.orders)) == ([], [first, second])
    [told] = await stand.scene.ask("get_oco_links")
    assert told["state"] == "active"
