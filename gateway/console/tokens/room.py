"""How many tokens a user may have, and under which names."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console.database.model import ApprovalRequest, Login, Run, Token, TokenDevice, User
from gateway.console.errors import Taken, TooMany
from gateway.console.records import is_live

MAX_LIVE = 200
"""Live tokens of one user."""
MAX_KEPT = 1000
"""Tokens of one user in all; then revoked ones that were used nowhere are forgotten."""


async def demand_room(
    session: AsyncSession, user: User, name: str, now_s: int, *, tid: str = ""
) -> None:
    """Refuse a token that cannot live beside the others.

    Args:
        session: of a transaction that has locked the user.
        user: whose.
        name: of the token that is to live.
        now_s: seconds since 1970.
        tid: its id, if it was there before; those that it has replaced go on beside it.

    Raises:
        Taken: another live token has the name.
        TooMany: there are :data:`MAX_LIVE` live ones, or :data:`MAX_KEPT` in all.

    """
    wanted = select(Token).where(Token.user_id == user.id, Token.status != "revoked")
    live = [row for row in await session.scalars(wanted) if is_live(row, user, now_s)]
    rivals = [row for row in live if row.label == name and (not tid or row.replaced_by != tid)]
    if rivals:
        raise Taken(f"A token named {name} exists already. Replace or revoke it, or rename this.")
    if len(live) >= MAX_LIVE:
        raise TooMany(f"{MAX_LIVE} tokens at a time are the most; revoke one first.")
    if await _count(session, user.id) >= MAX_KEPT:
        await _forget(session, user.id)
        if await _count(session, user.id) >= MAX_KEPT:
            raise TooMany(f"{MAX_KEPT} tokens were made; that is the most.")


async def _count(session: AsyncSession, user_id: str) -> int:
    count = select(func.count()).select_from(Token).where(Token.user_id == user_id)
    return await session.scalar(count) or 0


async def _forget(session: AsyncSession, user_id: str) -> None:
    used = (
        select(table.tid).where(table.tid == Token.tid).exists()
        for table in (TokenDevice, ApprovalRequest, Run, Login)
    )
    await session.execute(
        delete(Token)
        .where(Token.user_id == user_id, Token.status == "revoked", *(~one for one in used))
        .execution_options(synchronize_session=False)
    )
