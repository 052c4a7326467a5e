"""The passwords of the console, with its own errors: see :mod:`gateway.credentials.passwords`."""

from __future__ import annotations

from concurrent.futures import Executor

from gateway.credentials import passwords
from gateway.credentials.passwords import (
    CODE_COST,
    MAX_HASHING,
    MAX_WAITING,
    PASSWORD_COST,
    Cost,
    KnownPassword,
    Passwords,
    Verified,
    check_strength,
)

from .errors import Busy, WeakPassword

__all__ = [
    "CODE_COST",
    "MAX_HASHING",
    "MAX_WAITING",
    "PASSWORD_COST",
    "Cost",
    "HashingPool",
    "Passwords",
    "Verified",
    "check_password",
]


class HashingPool(passwords.HashingPool):
    """The threads that hash; where too many wait it raises :class:`~.errors.Busy`."""

    def __init__(self, threads: Executor | None = None) -> None:
        super().__init__(Busy, threads)


def check_password(password: str, *about: str) -> None:
    """Refuse passwords that are guessed first.

    Args:
        password: as typed.
        about: the person's email and name.

    Raises:
        WeakPassword: says why.

    """
    try:
        check_strength(password, *about)
    except KnownPassword as error:
        raise WeakPassword(str(error)) from None
