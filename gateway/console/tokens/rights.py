"""Rights of a token, and the number of tokens of a user, checked before a record is written."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console.database.model import (
    ApprovalRequest,
    Hook,
    Login,
    Run,
    Token,
    TokenDevice,
    User,
)
from gateway.console.errors import Invalid, Taken, TooMany
from gateway.console.records import is_live
from gateway.credentials.keyset import DAY_S
from gateway.credentials.record import (
    NAME,
    REMOTE_ALONE,
    LimitsError,
    Offline,
    Scope,
    TradeLimits,
)
from gateway.credentials.record import checked_limits as carried

MIN_LIFETIME_S = 60
"""Long enough to paste the token somewhere."""
MAX_LIFETIME_S = 3650 * DAY_S
"""Ten years; for longer, one that never ends says so plainly."""


def checked_name(name: str) -> str:
    """Return a name that a record can carry; raises ``Invalid``."""
    # the same as the daemon's own: the name becomes that of the terminal in every call
    if not NAME.fullmatch(name):
        raise Invalid(
            "A name has 1 to 64 letters, digits, dots, dashes or underscores, and begins with a "
            "letter or digit."
        )
    return name


def checked_platform(text: str | None) -> str | None:
    """Return ``mt4``, ``mt5`` or ``None``; raises ``Invalid``."""
    if text not in ("mt4", "mt5", None):
        raise Invalid("A platform is mt4 or mt5.")
    return text


def checked_scopes(names: Collection[str]) -> list[str]:
    """Return scopes in one order, each once; raises ``Invalid``."""
    try:
        # in one order: the record is signed, and must be the same whenever it is made
        scopes = sorted({Scope(name).value for name in names})
    except ValueError:
        raise Invalid(f"A scope is one of {', '.join(Scope)}.") from None
    if not scopes:
        raise Invalid("Choose a scope.")
    if scopes == [Scope.REMOTE]:
        raise Invalid(REMOTE_ALONE)
    return scopes


def expiry(now_s: int, lifetime_s: int | None) -> int | None:
    """Return the end of a life that begins now; raises ``Invalid``."""
    if lifetime_s is None:
        return None
    if not MIN_LIFETIME_S <= lifetime_s <= MAX_LIFETIME_S:
        raise Invalid("A token lives for a minute at least and ten years at most, or for ever.")
    return now_s + lifetime_s


def lifetime_of(created_at: int, exp: int | None) -> int | None:
    """Return for how long a token was made, as one in its place may live."""
    if exp is None:
        return None
    # an end that was cut by a replacement may lie sooner than any that can be asked for
    return min(max(exp - created_at, MIN_LIFETIME_S), MAX_LIFETIME_S)


def checked_limits(limits: TradeLimits) -> TradeLimits:
    """Return limits that a record can carry; raises ``Invalid``, which says what is wrong."""
    try:
        return carried(limits)
    except LimitsError as error:
        raise Invalid(sentence(error)) from None


def sentence(error: LimitsError) -> str:
    """Return what is wrong with limits as pages and answers tell it."""
    words = str(error)
    return f"{words[0].upper()}{words[1:]}."


def checked_offline(offline: Offline) -> Offline:
    """Refuse more than 24 hours without the console; raises ``Invalid``."""
    if not 0 <= offline.reduce_s <= DAY_S or not 0 <= offline.readonly_s <= DAY_S:
        raise Invalid("What is allowed without the console ends after 24 hours at most.")
    return offline


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
    # judged here, not in the query: an end by time alone is in no column
    live = [row for row in await session.scalars(wanted) if is_live(row, user, now_s)]
    # one that was resumed may stand beside those that it has replaced: they end by themselves
    rivals = [row for row in live if row.label == name and (not tid or row.replaced_by != tid)]
    if rivals:
        raise Taken(f"A token named {name} exists already. Replace or revoke it, or rename this.")
    if len(live) >= MAX_LIVE:
        raise TooMany(f"{MAX_LIVE} tokens at a time are the most; revoke one first.")
    if await _count(session, user.id) >= MAX_KEPT:
        # only when it is full: revoked tokens explain the history for as long as there is room
        await _forget(session, user.id)
        if await _count(session, user.id) >= MAX_KEPT:
            raise TooMany(f"{MAX_KEPT} tokens were made; that is the most.")


async def _count(session: AsyncSession, user_id: str) -> int:
    count = select(func.count()).select_from(Token).where(Token.user_id == user_id)
    return await session.scalar(count) or 0


async def _forget(session: AsyncSession, user_id: str) -> None:
    used = (
        select(table.tid).where(table.tid == Token.tid).exists()
        for table in (TokenDevice, ApprovalRequest, Run, Login, Hook)
    )
    await session.execute(
        delete(Token)
        .where(
            Token.user_id == user_id,
            Token.status == "revoked",
            # history, reports, requests and hooks point at their token: what they speak of stays
            *(~condition for condition in used),
        )
        .execution_options(synchronize_session=False)
    )
