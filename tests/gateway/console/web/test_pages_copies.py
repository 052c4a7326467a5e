"""A machine whose folder was copied, on the page of machines."""

from __future__ import annotations

from console_fixtures import Machine
from page_client import PageClient, knock

from gateway.console.service import Console

DESK = Machine("DESK-PC")


async def _copied(console: Console) -> None:
    [user] = await console.users.list()
    text, _ = await console.tokens.create(user.id, "demo-eurusd")
    verdict = await knock(console, text, DESK)
    assert verdict.rid is not None
    assert verdict.user_code is not None
    await console.approvals.approve(user.id, verdict.rid, verdict.user_code)
    await console.clones.alarm(DESK.did, "203.0.113.7", "198.51.100.9")


async def test_the_owner_is_warned_and_decides(ann: PageClient, console: Console) -> None:
    """Both places are named; one button says that they are his, the other revokes."""
    await _copied(console)
    words = (await ann.get("/devices")).words
    assert "two places at once: address 203.0.113.7 and address 198.51.100.9" in words
    assert "Both are mine" in words
    assert "Revoke" in words

    page = await ann.post(f"/devices/{DESK.did}/resume")
    assert page.location == "/devices?done=resumed"
    assert not await console.clones.held(DESK.did)
    assert "two places" not in (await ann.get("/devices")).words


async def test_nobody_else_decides(
    ann: PageClient, stranger: PageClient, console: Console
) -> None:
    """Nor is there anything to decide about other machines."""
    await _copied(console)
    page = await ann.post(f"/devices/{Machine().did}/resume")
    assert page.status == 404
    page = await stranger.post(f"/devices/{DESK.did}/resume")
    assert page.status in (303, 403)
    assert await console.clones.held(DESK.did)
