"""State of a user's terminals: put together from tokens, machines, reports and endings.

A terminal is listed once for each machine that its token was used on; a token that was used
nowhere yet is listed once, without machine. What has ended stays in the list for a day, so that
one can see whether it has stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from .database import Database
from .database.model import Device, Run, Token, TokenDevice, UserDevice
from .devices import ONLINE_S
from .events import Confirmation, Events
from .tokens import REPLACED, TokenInfo, Tokens

State = Literal[
    "unused", "online", "silent", "offline", "pending", "stopping", "stopped", "suspended"
]
KEEP_ENDED_S = 86_400
AWAY: frozenset[State] = frozenset({"offline", "silent"})


@dataclass(frozen=True)
class TerminalStatus:
    """One terminal on one machine. Times are seconds since 1970 unless they end in ``_ms``."""

    tid: str
    name: str
    platform: str | None
    state: State
    """``unused``: its token was used nowhere yet, or by no terminal there. ``silent``: its daemon
    has not been heard of for a minute. ``pending``: the person has to approve. ``stopping``:
    ended, and the machine has not said yet that it obeys. ``suspended``: until its owner
    decides."""
    did: str | None = None
    device: str = ""
    login: int = 0
    """Number of the trading account; 0 where it is not known."""
    server: str = ""
    company: str = ""
    since: int | None = None
    """Since when it is in this state, as far as that is known."""
    last_seen: int | None = None
    ends_by: int | None = None
    """``stopping``: when it ends by itself at the latest."""
    stopped_at_ms: int | None = None
    """``stopped``: when, by the machine's own clock; ``None``: by itself, unconfirmed."""

    @property
    def key(self) -> str:
        """Names the line."""
        return unused_key(self.tid) if self.did is None else f"{self.tid}-{self.did}"


@dataclass(frozen=True)
class _Use:
    """A token on a machine, as the tables have it."""

    link: TokenDevice
    device: Device
    mine: UserDevice | None


class TerminalOverview:
    """Overview of what a user's terminals are doing.

    Args:
        db: with the tables.
        tokens: of the users.
        events: whether what was ended has stopped.
        now_s: seconds since 1970.

    """

    def __init__(
        self, db: Database, tokens: Tokens, events: Events, now_s: Callable[[], int]
    ) -> None:
        self._db = db
        self._tokens = tokens
        self._events = events
        self._now_s = now_s

    async def list(self, user_id: str) -> Sequence[TerminalStatus]:
        """Return the terminals of a user, those of the newest tokens first.

        A terminal that has come with the token in another's place is not listed as offline under
        the old one.
        """
        tokens = await self._tokens.list(user_id)
        linked = {token.tid for token in tokens if token.linked_at is not None}
        # the EA has come with the new token: its silence under the old one is no fault to show
        moved = {token.tid for token in tokens if token.replaced_by in linked and token.is_live}
        lines = await self._of(user_id, [token for token in tokens if self._is_listed(token)])
        return [
            terminal
            for terminal in lines
            if terminal.tid not in moved or terminal.state not in AWAY
        ]

    async def lines_of(self, token: TokenInfo) -> Sequence[TerminalStatus]:
        """Return the lines of one token, however long ago it ended."""
        return await self._of(token.user_id, [token])

    async def _of(self, user_id: str, tokens: Sequence[TokenInfo]) -> Sequence[TerminalStatus]:
        uses, runs = await self._read(user_id)
        endings = await self._events.confirmation(user_id, limit=200)
        lines: list[TerminalStatus] = []
        for token in tokens:
            mine = [use for use in uses if use.link.tid == token.tid]
            lines += [
                self._line(token, use, runs.get((token.tid, use.link.did)), endings)
                for use in mine
                # a token without a machine has a line, too: it waits to be pasted into an EA
            ] or [_unused(token)]
        return lines

    def _is_listed(self, token: TokenInfo) -> bool:
        if token.is_live or token.status == "disabled":
            return True
        ended = token.ended_at if token.status == "revoked" else token.exp
        return ended is not None and self._now_s() - ended < KEEP_ENDED_S

    async def _read(self, user_id: str) -> tuple[Sequence[_Use], dict[tuple[str, str], Run]]:
        wanted = (
            select(TokenDevice, Device, UserDevice)
            .join(Device, Device.did == TokenDevice.did)
            .join(Token, Token.tid == TokenDevice.tid)
            .outerjoin(
                UserDevice,
                (UserDevice.did == TokenDevice.did) & (UserDevice.user_id == Token.user_id),
            )
            .where(Token.user_id == user_id)
            .order_by(Device.hostname, Device.did)
        )
        # ascending: of several runs of one terminal the dict below keeps the one read last
        newest = select(Run).where(Run.user_id == user_id).order_by(Run.reported_at, Run.since)
        async with self._db.session() as session:
            uses = [_Use(*row) for row in (await session.execute(wanted))]
            runs = {(run.tid, run.did): run for run in await session.scalars(newest)}
        return uses, runs

    def _line(
        self, token: TokenInfo, use: _Use, run: Run | None, endings: Iterable[Confirmation]
    ) -> TerminalStatus:
        base = {
            "tid": token.tid,
            "name": token.name,
            "platform": token.platform or (run.platform if run else None),
            "did": use.device.did,
            "device": use.device.hostname,
            "login": run.login if run else 0,
            "server": run.server if run else "",
            "company": run.company if run else "",
            "last_seen": use.device.last_seen_at,
        }
        ended = self._ended(token, use, endings)
        return TerminalStatus(**base, **(ended or self._working(token, use, run)))  # type: ignore[arg-type]  # one dict of all members

    def _ended(
        self, token: TokenInfo, use: _Use, endings: Iterable[Confirmation]
    ) -> dict[str, object] | None:
        over_at = self._over_at(token, use)
        if over_at is None:
            return None
        told = next(
            (ending for ending in endings if _concerns(ending, token.tid, use.device.did)), None
        )
        stopped: State = "suspended" if token.status == "disabled" else "stopped"
        # it was never to be told, or longer ago than endings are read: it is over in any case
        if told is None:
            return {"state": stopped, "since": over_at}
        if told.stopped_at_ms is not None:
            at = told.stopped_at_ms
            return {"state": stopped, "since": at // 1000, "stopped_at_ms": at}
        # not confirmed: until its last lease is over it may trade on, and the page has to say so
        if told.ends_by > self._now_s():
            return {"state": "stopping", "since": told.asked_at, "ends_by": told.ends_by}
        return {"state": stopped, "since": told.ends_by}

    def _over_at(self, token: TokenInfo, use: _Use) -> int | None:
        """Return when a token's time on a machine was over; ``None`` where it is not."""
        if not token.is_live:
            return token.ended_at or token.exp or self._now_s()
        if use.mine is not None and use.mine.status == "revoked":
            return use.mine.revoked_at or self._now_s()
        return None

    def _working(self, token: TokenInfo, use: _Use, run: Run | None) -> dict[str, object]:
        if run is None and token.linked_at is None and use.link.approved_by == REPLACED:
            return {"state": "unused"}  # it took over the machine of the token before it
        last_seen = use.device.last_seen_at
        # a terminal that has ended in order stays offline: a silent daemon adds nothing to that
        if self._now_s() - last_seen >= ONLINE_S and (run is None or run.state != "offline"):
            return {"state": "silent", "since": last_seen}
        if run is None:
            return {"state": "offline", "since": use.link.last_seen_at}
        return {"state": run.state, "since": run.since}


def unused_key(tid: str) -> str:
    """Return the name of the line of a token that was used nowhere yet."""
    return f"{tid}-unused"


def _unused(token: TokenInfo) -> TerminalStatus:
    state: State = "unused"
    if not token.is_live:
        state = "suspended" if token.status == "disabled" else "stopped"
    return TerminalStatus(token.tid, token.name, token.platform, state, since=token.ended_at)


def _concerns(ending: Confirmation, tid: str, did: str) -> bool:
    return ending.did == did and ending.tid in (tid, None)
