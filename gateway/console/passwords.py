"""The passwords of the console, with its own errors: see :mod:`gateway.credentials.passwords`."""

from __future__ import annotations

from concurrent.futures import Executor

from gateway.credentials.passwords import (
    CODE_COST,
    MAX_HASHING,
    MAX_WAITING,
    PASSWORD_COST,
    Cost,
    HashingPool,
    KnownPassword,
    Passwords,
    Verified,
    check_strength,
)

from .errors import TooBusy, WeakPassword

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
    "hashing_pool",
]


def hashing_pool(threads: Executor | None = None) -> HashingPool:
    """Return the threads that hash; where too many wait they raise :class:`~.errors.TooBusy`."""
    return HashingPool(TooBusy, threads)


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
