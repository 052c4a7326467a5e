"""Detection of a device's key that is used in two places: somebody has copied its folder.

It shows in two streams that both answer (:mod:`.daemon_api`), and in questions that do not follow
from each other. Until a person decides, the device gets no leases: its rights end within a
quarter of an hour, while revocations still reach both places. Revoking the device is one
decision, :meth:`CloneDetector.resume` ("both are mine") the other.

Theory of operation
===================

Each question of a home names the answer that this home has stored last.
A daemon asks one question at a time, each with a fresh nonce; the answer is signed with it
(:class:`~gateway.credentials.event.DeviceState`), and the next question carries the newest answer
that is on the daemon's disk. So the questions of one home are a chain, and of two homes with one
key the chain forks. The rule, for the nonce in what a question carries:

* It is the *base*, what the home was known to have, or one of those *given* in answer to that:
  the home itself. One of those given becomes the base, and the others can never come: of two
  answers on the same base a home has stored one.
* It was the base until :data:`LATE_S` ago: a question that was given up and arrives late. Nobody
  waits for the answer, so it has no leases, and whoever comes back with it is a copy.
* The home has nothing yet, or its answer was signed after the last one that we remember giving
  (we were restored from a backup): the chain begins anew with it. If that was the copy, it shows
  once the home itself asks.
* Anything else is a fork: two homes, or one that was set back to an earlier day. It is told once;
  from then on both branches are known, and what they may do is for the device's owners to say.

So no loss, delay or order of answers, no restart of either side and no kill between answer and
disk forks the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.credentials.device import device_words

from .activity import ActivityLog, place_of
from .approvals import PAGE_DEVICES
from .database import Database, insert_missing
from .database.model import CopiedDevice, Device, DeviceChain, Token, User, UserDevice
from .errors import NotFound
from .mail import MailQueue, templates
from .signing import Signing
from .user_info import locked_user

LATE_S = 120
"""Twice what a device's clock may differ: a question that is older is not let in any more."""
MAX_GIVEN = 16
"""Answers on one base that were all lost; only the newest can have been stored."""
MAX_LEFT = 64
MAX_BRANCHES = 4

Step = Literal["known", "late", "forked"]


class StoredAnswer(NamedTuple):
    """Answer that a home has stored last, as its next question names it."""

    nonce: str
    """Empty for a home that has none."""
    iat: int


class Branch(BaseModel):
    """One home."""

    base: str
    given: list[str]
    """The oldest first."""
    ip: str
    """Where it asked from last."""


class Chain(BaseModel):
    """Questions and answers of one device, from which a copy shows."""

    at: int = 0
    """No answer that we remember was signed later; seconds since 1970."""
    branches: list[Branch] = []
    """The one that asked last stands last."""
    left: list[tuple[str, int]] = []
    """What was a base, and until when."""

    def follow(self, kept: StoredAnswer | None, nonce: str, ip: str, now_s: int) -> Step:
        """Take a question; see the module's docstring.

        Args:
            kept: what it carries; ``None`` if that is not of our making.
            nonce: its own.
            ip: where it comes from.
            now_s: seconds since 1970.

        """
        # a clock may be set back: what lies far ahead of it is over, too
        self.left = [base for base in self.left if abs(now_s - base[1]) <= LATE_S][-MAX_LEFT:]
        memory_s, self.at = self.at, now_s + 1  # signed a moment after this
        if kept is None:
            return self._fork(nonce, nonce, ip)
        branch = self._branch(kept.nonce)
        if branch is not None:
            self._go_on(branch, kept.nonce, nonce, now_s)
            branch.ip = ip
            return "known"
        # late, not forked: the home itself gave this question up, and nobody waits for the answer
        if any(kept.nonce == left for left, _ in self.left):
            return "late"
        # newer than all we remember: we were restored from a backup, and know less than the home
        if not kept.nonce or not self.branches or kept.iat > memory_s:
            self.branches = [Branch(base=kept.nonce, given=[nonce], ip=ip)]
            return "known"
        return self._fork(kept.nonce, nonce, ip)

    def _branch(self, kept: str) -> Branch | None:
        found = (branch for branch in self.branches if kept in (branch.base, *branch.given))
        return next(found, None)

    def _go_on(self, branch: Branch, kept: str, nonce: str, now_s: int) -> None:
        # the answers given beside this one can never come any more; the old base may, with a
        # question that was given up and is still on its way
        if kept != branch.base:
            self.left.append((branch.base, now_s))
            branch.base, branch.given = kept, []
        # the home may store this answer or lose it: until it asks again both are possible
        branch.given = [*branch.given, nonce][-MAX_GIVEN:]
        # to the end: the alarm names the place of the branch that asked last
        self.branches.remove(branch)
        self.branches.append(branch)

    def _fork(self, kept: str, nonce: str, ip: str) -> Step:
        branch = Branch(base=kept, given=[nonce], ip=ip)
        # bounded: who has the key could fork for ever
        self.branches = [*self.branches, branch][-MAX_BRANCHES:]
        return "forked"


class CloneDetector:
    """Detector of devices whose key is used in two places.

    Args:
        db: with the tables.
        signing: knows what we have signed.
        activity: the log.
        mail: warns people.
        url: where they find the console.
        now_s: seconds since 1970.

    """

    def __init__(
        self,
        db: Database,
        signing: Signing,
        activity: ActivityLog,
        mail: MailQueue,
        url: Callable[[], str],
        now_s: Callable[[], int],
    ) -> None:
        self._db = db
        self._signing = signing
        self._activity = activity
        self._mail = mail
        self._url = url
        self._now_s = now_s

    async def held(self, did: str) -> frozenset[str]:
        """Return the tokens that get no lease on a device: their owners have not decided yet."""
        tids = (
            select(Token.tid)
            .join(CopiedDevice, CopiedDevice.user_id == Token.user_id)
            .where(CopiedDevice.did == did)
        )
        async with self._db.session() as session:
            return frozenset(await session.scalars(tids))

    async def alarm(self, did: str, ip: str, other_ip: str) -> None:
        """Suspend a device for all who have approved it, and warn each once until he decides.

        Each decides for himself: whoever has copied the machine of another can have it approved
        for an account of his own.
        """
        async with self._db.begin() as session:
            await self._alarm(session, did, ip, other_ip)

    async def follow(self, did: str, after: str, nonce: str, ip: str) -> bool:
        """Take a device's question as the next of its chain; a fork is an alarm.

        Chain and alarm are one transaction, and questions of one device take turns, in whatever
        process: a fork is told, and told once.

        Args:
            did: who asks.
            after: the state that it has stored, as it says.
            nonce: of the question.
            ip: where it comes from.

        Returns:
            Whether the answer may be used; see the docstring of the module.

        """
        async with self._db.begin() as session:
            await insert_missing(session, DeviceChain, did=did, chain=Chain().model_dump_json())
            # the row lock makes questions of one device take turns, also between processes
            row = await session.get_one(DeviceChain, did, with_for_update=True)
            chain = Chain.model_validate_json(row.chain)
            # read before the question is taken, which puts its own address there
            other_ip = chain.branches[-1].ip if chain.branches else ip
            kept = await self._kept(session, did, after)
            step = chain.follow(kept, nonce, ip, self._now_s())
            # not stored: the fork must be found again once somebody has approved the device
            if step == "forked" and not await self._alarm(session, did, other_ip, ip):
                return False  # nobody is there yet who could be told
            row.chain = chain.model_dump_json()
        # a fork that was told is followed like a chain: what it may do is held back by `held`
        return step != "late"

    async def resume(self, user_id: str, did: str) -> None:
        """Give a device leases for a user's tokens again: he says that it is his in both places.

        Raises:
            NotFound: the user has approved no such device, or it is not suspended.

        """
        async with self._db.begin() as session:
            await locked_user(session, user_id)
            mine = await session.get(UserDevice, (user_id, did))
            # a revoked machine has nothing to resume: it has to be approved anew
            if mine is None or mine.status != "approved":
                raise NotFound("There is no such machine.")
            ended = delete(CopiedDevice).where(
                CopiedDevice.did == did, CopiedDevice.user_id == user_id
            )
            # of two clicks at once one deletes the row, and the log has one line of it
            if (await session.scalars(ended.returning(CopiedDevice.did))).first() is None:
                raise NotFound("This machine is not suspended.")
            self._activity.note(session, "device.resumed", user_id=user_id, did=did)

    async def suspended(self, user_id: str) -> dict[str, tuple[str, str]]:
        """Return the user's devices that wait for a decision, with both places."""
        wanted = (
            select(CopiedDevice)
            .join(
                UserDevice,
                (UserDevice.did == CopiedDevice.did)
                & (UserDevice.user_id == CopiedDevice.user_id),
            )
            .where(CopiedDevice.user_id == user_id, UserDevice.status == "approved")
        )
        async with self._db.session() as session:
            rows = await session.scalars(wanted)
            return {row.did: (row.place, row.other_place) for row in rows}

    async def _kept(self, session: AsyncSession, did: str, after: str) -> StoredAnswer | None:
        if not after:
            return StoredAnswer("", 0)
        # also with a key that has run out: a home may have been switched off for months
        state = await self._signing.open_state(session, after)
        # the state of another device, put into this home, is no answer that it got
        return None if state is None or state.did != did else StoredAnswer(state.nonce, state.iat)

    async def _alarm(self, session: AsyncSession, did: str, ip: str, other_ip: str) -> bool:
        """Return whether there was anybody to warn."""
        places = (place_of(ip), place_of(other_ip))
        owners = await self._owners(session, did)
        device = await session.get_one(Device, did)
        for user in owners:
            # once until he decides: two machines ask every few minutes, and each question forks
            if await session.get(CopiedDevice, (did, user.id)) is None:
                await self._hold(session, user, device, places)
        return bool(owners)

    async def _owners(self, session: AsyncSession, did: str) -> list[User]:
        wanted = (
            select(User)
            .join(UserDevice, UserDevice.user_id == User.id)
            .where(UserDevice.did == did, UserDevice.status == "approved")
        )
        # before the device's row, as all who lock both
        wanted = wanted.order_by(User.id).with_for_update(of=User)
        return list(await session.scalars(wanted))

    async def _hold(
        self, session: AsyncSession, user: User, device: Device, places: tuple[str, str]
    ) -> None:
        await insert_missing(
            session,
            CopiedDevice,
            did=device.did,
            user_id=user.id,
            at=self._now_s(),
            place=places[0],
            other_place=places[1],
        )
        letter = templates.device_copied(
            device.hostname,
            device_words(device.did),
            places=places,
            devices=self._url() + PAGE_DEVICES,
        )
        await self._mail.put(
            session,
            letter,
            address=user.email,
            # with the time: after a decision the next alarm is a new mail
            dedupe=f"{letter.kind}:{user.id}:{device.did}:{self._now_s()}",
            user_id=user.id,
        )
        self._activity.note(
            session,
            "device.copied",
            user_id=user.id,
            outcome="failed",
            did=device.did,
            detail=f"{device.hostname}: {places[0]} and {places[1]}",
        )
