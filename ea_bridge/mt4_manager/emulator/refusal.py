"""How the emulated server says no."""

from __future__ import annotations

from ea_bridge.mt4_manager.executor import Refused
from ea_bridge.mt4_manager.model import ReturnCode


def refuse(code: ReturnCode, said: str) -> Refused:
    """Return a refusal with a code of the Manager API."""
    return Refused(said, retcode=int(code))


def invalid(said: str) -> Refused:
    """``RET_INVALID_DATA``."""
    return refuse(ReturnCode.INVALID_DATA, said)


def no_account(login: int) -> Refused:
    """``RET_BAD_ACCOUNT_INFO``."""
    return refuse(ReturnCode.BAD_ACCOUNT_INFO, f"there is no login {login}")
