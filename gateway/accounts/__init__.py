"""The accounts that were registered, what they may do, and what became of their money.

A registered account belongs to whoever registered it with its password: the ``owner`` is that of
the token, empty where the home makes its own tokens. What was registered is enforced for every
order of its owner's terminals that are logged in to it, whoever sends it. Another person's are not
bound: that a login is somebody's is vouched for by terminals of their own, which say what they
like.
"""

from typing import TYPE_CHECKING

from gateway.lazy import names_of

if TYPE_CHECKING:
    from .book import (
        AccountBook,
        AccountChanges,
        AccountLimits,
        AccountType,
        AlreadyRegistered,
        NewAccount,
        RegisteredAccount,
        UnknownAccount,
    )
    from .history import LEDGER_TABLES
else:
    __getattr__ = names_of(
        __name__,
        book="AccountBook AccountLimits AccountType AccountChanges AlreadyRegistered NewAccount "
        "RegisteredAccount UnknownAccount",
        history="LEDGER_TABLES",
    )

__all__ = [
    "LEDGER_TABLES",
    "AccountBook",
    "AccountChanges",
    "AccountLimits",
    "AccountType",
    "AlreadyRegistered",
    "NewAccount",
    "RegisteredAccount",
    "UnknownAccount",
]
