"""Browsers, and addresses, in which somebody has signed in before.

Whoever types an address into the form can fail with it, so an account's wait would be a way to
keep its owner out. A browser in which he has signed in keeps a cookie that says so: its tries are
counted apart from those of strangers. The cookie opens nothing. It is a random name and a code
that only the console can make, and is good for the one account.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from ea_bridge import host

from .sign_ins import SignIns

OF_BROWSER: Final = "browser "
"""What a browser's lane begins with."""
NOBODY: Final = "-"
"""No user's id."""
_NAME_BYTES: Final = 24
_NAME: Final = 32
"""Characters of it, in base64."""


class Browsers:
    """Makes and checks what such browsers keep.

    Args:
        key: 32 secret bytes.
        sign_ins: know the addresses.

    """

    def __init__(self, key: bytes, sign_ins: SignIns) -> None:
        self._key = key
        self._sign_ins = sign_ins

    def mark(self, user_id: str, kept: str = "") -> str:
        """Return what the browser is to keep; what it keeps already, where that is good."""
        if self.name(user_id, kept):
            return kept
        name = host.token_urlsafe(_NAME_BYTES)
        return name + self._code(user_id, name)

    def name(self, user_id: str, kept: str) -> str:
        """Return the browser's name; empty where this user has not signed in with it."""
        name, code = kept[:_NAME], kept[_NAME:]
        if not hmac.compare_digest(code.encode(), self._code(user_id, name).encode()):
            return ""
        return name

    async def lane(self, session: AsyncSession, user_id: str | None, ip: str, kept: str) -> str:
        """Return in which lane a try to sign in is counted; empty for that of strangers.

        Args:
            session: reads.
            user_id: whose account it is; ``None`` where there is none.
            ip: from where; empty where nobody knows.
            kept: what the browser keeps.

        """
        whose = user_id or NOBODY  # who has no account takes as long
        if name := self.name(whose, kept):
            return f"{OF_BROWSER}{name}"
        return f"ip {ip}" if ip and await self._sign_ins.is_known(session, whose, ip) else ""

    def _code(self, user_id: str, name: str) -> str:
        said = f"browser|{user_id}|{name}".encode()
        digest = hmac.digest(self._key, said, "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
