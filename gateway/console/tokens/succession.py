"""Succession of tokens for one terminal: a new one takes over machines of the old ones."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console.database.model import Token, TokenDevice
from gateway.console.events import PendingEvent

REPLACED = "replaced"
"""By whom a machine was approved for a token that took over another's machines."""


async def same_name(session: AsyncSession, row: Token) -> Sequence[Token]:
    """Return a user's tokens for the terminal that one is for, that are not revoked; locked."""
    same = select(Token).where(
        Token.user_id == row.user_id, Token.label == row.label, Token.status != "revoked"
    )
    return (await session.scalars(same.order_by(Token.tid).with_for_update())).all()


async def before(session: AsyncSession, row: Token) -> Sequence[Token]:
    """Return the tokens that one replaces, and that work beside it, or may again."""
    return [token for token in await same_name(session, row) if token.replaced_by == row.tid]


async def inherit(
    session: AsyncSession, fresh: Token, olds: Sequence[Token], now_s: int
) -> tuple[PendingEvent, ...]:
    """Approve for a new token the machines on which those that it replaces are approved.

    The owner has just said so: a machine that he has approved stays approved. So programs there
    may use the new token at once, and not only when the terminal has come with it.

    Args:
        session: of a transaction that has locked the user and the old tokens.
        fresh: the new token, complete.
        olds: what it replaces, as it was before that.
        now_s: seconds since 1970.

    Returns:
        What the machines are to be told.

    """
    session.add(fresh)
    await session.flush()
    approved = select(TokenDevice).where(
        TokenDevice.tid.in_([old.tid for old in olds]), TokenDevice.status == "approved"
    )
    newest: dict[str, TokenDevice] = {}
    for link in await session.scalars(approved.order_by(TokenDevice.last_seen_at)):
        newest[link.did] = link
    for link in newest.values():
        session.add(
            TokenDevice(
                tid=fresh.tid,
                did=link.did,
                status="approved",
                dev_ver=1,
                terminal_fp=link.terminal_fp,
                approved_at=now_s,
                approved_by=REPLACED,
                first_seen_at=now_s,
                last_seen_at=now_s,
                lease_exp=0,
            )
        )
    await session.flush()
    return tuple(
        PendingEvent(did, "token.updated", fresh.user_id, fresh.tid, fresh.rec_ver, fresh.epoch)
        for did in newest
    )
