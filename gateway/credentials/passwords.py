"""Passwords of the console and of operators: their strength, hashes, and waits between tries.

Refused are those that are tried first. A list of whole passwords would hold few of twelve
characters; what people do is to lengthen a famous word. So what is known is taken out of the
password, and what is left has to be worth something.

Argon2id over an HMAC of the password; the HMAC's key, the pepper, lies sealed, so that a copy of
the database alone can't even be guessed at. Hashing costs memory: :data:`MAX_HASHING` at a time
in threads of their own, :data:`MAX_WAITING` wait, others are told that it is busy.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from ea_bridge.host import random_bytes

MIN_LENGTH = 12
MAX_LENGTH = 256
MAX_HASHING = 2
MAX_WAITING = 50

T = TypeVar("T")


class HashingBusy(Exception):
    """Too many passwords are being hashed."""


class UnacceptablePassword(Exception):
    """A password is too short, too long, or among those that are tried first; the message is for
    the person who typed it.
    """


@dataclass(frozen=True)
class Cost:
    """Argon2's parameters."""

    memory_kib: int
    time: int
    lanes: int


PASSWORD_COST = Cost(memory_kib=65_536, time=3, lanes=4)
"""RFC 9106, second choice."""
CODE_COST = Cost(memory_kib=19_456, time=2, lanes=1)
"""For codes that live for minutes and have five tries: OWASP's floor."""


class HashingPool:
    """The threads that hash; shared by everything that does.

    Args:
        busy: raised where too many wait already.
        threads: two by default; a simulation has others.

    """

    def __init__(
        self, busy: type[Exception] = HashingBusy, threads: Executor | None = None
    ) -> None:
        self._busy = busy
        self._threads = threads or ThreadPoolExecutor(MAX_HASHING, thread_name_prefix="argon2")
        self._asked = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, run in a thread.

        Raises:
            HashingBusy: too many wait already.

        """
        # refused at once: a hash takes up to 64 MiB and a part of a second, and who stands behind
        # fifty others has given up before it is his turn
        if self._asked >= MAX_HASHING + MAX_WAITING:
            raise self._busy
        self._asked += 1
        loop = asyncio.get_running_loop()
        future = self._threads.submit(work)

        def done(_: object) -> None:
            loop.call_soon_threadsafe(self._done)

        # a caller that is cancelled leaves its thread at work: only its end makes room
        future.add_done_callback(done)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let no more in."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _done(self) -> None:
        self._asked -= 1


@dataclass(frozen=True)
class Verified:
    """Result of a check."""

    ok: bool
    is_outdated: bool = False
    """The hash was made with other parameters; make a new one while the password is at hand."""


class Passwords:
    """Hashes secrets that people type: passwords, and with another cost codes.

    Args:
        pool: runs the hashing.
        pepper: 32 secret bytes.
        cost: of new hashes.

    """

    def __init__(self, pool: HashingPool, pepper: bytes, cost: Cost = PASSWORD_COST) -> None:
        self._pool = pool
        self._pepper = pepper
        self._hasher = PasswordHasher(
            time_cost=cost.time,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            type=Type.ID,
        )
        self._nobody = _fits_nothing(cost)

    async def hash(self, password: str) -> str:
        """Return what may be stored.

        Raises:
            HashingBusy: too many passwords are being hashed.

        """
        return await self._pool.run(lambda: self._hasher.hash(self._peppered(password)))

    async def verify(self, stored: str | None, password: str) -> Verified:
        """Check a password; ``None`` costs the same and never fits.

        Raises:
            HashingBusy: too many passwords are being hashed.

        """
        return await self._pool.run(lambda: self._verify(stored, password))

    def _verify(self, stored: str | None, password: str) -> Verified:
        too_long = len(password) > MAX_LENGTH
        try:
            # one that is too long is hashed as well: the time must not tell that it was refused
            self._hasher.verify(stored or self._nobody, self._peppered(password[:MAX_LENGTH]))
        except (VerificationError, InvalidHashError):
            return Verified(False)
        if stored is None or too_long:
            return Verified(False)
        return Verified(True, self._hasher.check_needs_rehash(stored))

    def _peppered(self, password: str) -> bytes:
        # as it was typed, whatever it is: half a surrogate pair must not be an error
        return hmac.digest(self._pepper, password.encode("utf-8", "surrogatepass"), "sha256")


def _fits_nothing(cost: Cost) -> str:
    """Return a hash against which to check whoever does not exist: it costs the same.

    It is random: no password has it.
    """
    salt, digest = (b64encode(random_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    parameters = f"m={cost.memory_kib},t={cost.time},p={cost.lanes}"
    return f"$argon2id$v=19${parameters}${salt}${digest}"


def check_strength(password: str, *about: str) -> None:
    """Refuse passwords that are guessed first; there are no rules of composition.

    Args:
        password: as typed.
        about: the person's email and name.

    Raises:
        UnacceptablePassword: says why.

    """
    if len(password) < MIN_LENGTH:
        raise UnacceptablePassword(
            f"A password has at least {MIN_LENGTH} characters; four or five words that nobody "
            "would guess are good."
        )
    if len(password) > MAX_LENGTH:
        raise UnacceptablePassword(f"A password has at most {MAX_LENGTH} characters.")
    if is_known(password, about):
        raise UnacceptablePassword(
            "This password is among those that are tried first: it is made of well-known words, "
            "rows of keys, or your own name or email. Take another."
        )


MIN_LEFT = 4
"""Letters and digits that must be left, without the known parts and without repetition."""

_FAMOUS = """
    password passwort passwd passphrase pass qwerty qwertz azerty letmein welcome willkommen admin
    administrator root user login logon guest secret geheim changeme default temp test testing
    iloveyou loveyou love monkey dragon football fussball baseball basketball hockey soccer master
    sunshine princess superman batman spiderman starwars pokemon naruto matrix ninja mustang
    ferrari porsche mercedes harley shadow hunter ranger buster killer cookie cheese pepper ginger
    flower butterfly whatever trustno access computer internet samsung google facebook microsoft
    windows linux apple android michael jordan jennifer jessica ashley nicole daniel thomas robert
    charlie andrew matthew joshua george maggie summer winter spring autumn monday friday january
    december august hello hallo world freedom liverpool chelsea arsenal barcelona juventus diamond
    silver golden orange banana purple chocolate money bitcoin crypto ethereum forex trading trader
    broker metatrader metaquotes gateway mtgateway mt4 mt5 console terminal account demo live
    abc aaa xxx asd qwe zxc qaz wsx edc 1q2w 3e4r 5t6y q1w2 e3r4 1qaz 2wsx
"""
_ROWS = (
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
)
_RUN = 4
_LEET = str.maketrans("0134578@$!|", "oleastbasil")
_REPEATED = re.compile(r"(.{1,6}?)\1+")


def is_known(password: str, about: Iterable[str] = ()) -> bool:
    """Whether next to nothing is left of a password without its well-known parts.

    Args:
        password: as typed.
        about: email and name of its owner.

    """
    own = {part for text in about for part in re.split(r"[^a-z0-9]+", text.lower())}
    words = set(_FAMOUS.split()) | {part for part in own if len(part) >= 3}
    text = password.lower()
    # as typed, and with figures read as letters: p4ssw0rd is password
    plain, leet = _left(text, words), _left(text.translate(_LEET), words)
    return min(len(plain), len(leet)) < MIN_LEFT


def _left(text: str, words: Iterable[str]) -> str:
    for row in _ROWS:
        text = _without_runs(text, row)
        text = _without_runs(text, row[::-1])
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, " ")
    text = _REPEATED.sub(r"\1", text)
    # a year or some digits behind a famous word make it no better
    text = re.sub(r"(?<![0-9])[0-9]{1,4}(?![0-9])", " ", text)
    return re.sub(r"[\W_]+", "", text)


def _without_runs(text: str, row: str) -> str:
    """Take out pieces of a row of keys, the longest first."""
    for length in range(len(row), _RUN - 1, -1):
        for at in range(len(row) - length + 1):
            text = text.replace(row[at : at + length], " ")
    return text


FREE_TRIES = 3
MAX_DELAY_S = 900
MAX_FAILURES = 100
"""In a row; then only a new password helps."""


def delay_s(failures: int) -> int:
    """Return the wait after so many failures in a row: 0, 0, 0, 1, 2, 4 ... 900 s."""
    if failures <= FREE_TRIES:
        return 0
    # the exponent is bounded: a count is any number, a power of it is not
    return min(MAX_DELAY_S, 1 << min(failures - FREE_TRIES - 1, 10))
