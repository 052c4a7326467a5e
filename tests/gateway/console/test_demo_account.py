"""What the demo prepares in its console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from ea_bridge.token import parse_token
from gateway.config import Secrets
from gateway.console.demo_account import EMAIL, prepare_account
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.home.home import Home


@pytest_asyncio.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    """A console that keeps its key in a file, as the demo's."""
    settings = ConsoleSettings(secrets=Secrets(store="file"))
    async with open_console(tmp_path / "console", settings) as opened:
        yield opened


def contents(folder: Path) -> list[bytes]:
    """Return all that lies in the files of a folder."""
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


async def statuses(console: Console) -> dict[str, str]:
    """Return what has become of the demo's tokens, by id."""
    user = await console.users.by_email(EMAIL)
    assert user is not None
    return {one.tid: one.status for one in await console.tokens.list(user.id)}


async def test_the_next_run_goes_on_with_the_token(console: Console, tmp_path: Path) -> None:
    """Nothing that was pasted breaks, and nobody is told of revoked tokens or of a new password.
    On the disk both lie sealed."""
    with Home(tmp_path / "home") as home:
        first, second = (
            await prepare_account(console, home.device),
            await prepare_account(console, home.device),
        )
    assert second.token == first.token
    assert second.password == first.password
    assert await statuses(console) == {parse_token(first.token): "active"}
    for secret in (first.token, first.password):
        assert not any(secret.encode() in content for content in contents(tmp_path))


async def test_a_token_that_a_person_has_ended_is_replaced(
    console: Console, tmp_path: Path
) -> None:
    """The demo starts all the same, with a new one and only that."""
    with Home(tmp_path / "home") as home:
        first = await prepare_account(console, home.device)
        user = await console.users.by_email(EMAIL)
        assert user is not None
        await console.tokens.revoke(user.id, parse_token(first.token))
        second = await prepare_account(console, home.device)
        third = await prepare_account(console, home.device)
    assert second.token == third.token != first.token
    ended, live = parse_token(first.token), parse_token(second.token)
    assert await statuses(console) == {ended: "revoked", live: "active"}


async def test_a_password_that_was_changed_is_the_demos_again(
    console: Console, tmp_path: Path
) -> None:
    """What the demo prints lets its reader in, whatever was done on the pages."""
    with Home(tmp_path / "home") as home:
        first = await prepare_account(console, home.device)
        user = await console.users.by_email(EMAIL)
        assert user is not None
        await console.users.set_password(user.id, "something else altogether")
        assert not await console.users.has_password(user.id, first.password)
        second = await prepare_account(console, home.device)
        assert second.password == first.password
        assert await console.users.has_password(user.id, second.password)
