"""Which addresses we write to: few kinds, no cleverness.

Mail libraries differ in what they make of odd addresses; some drop what follows a line end, some
send it as a command. So nothing odd reaches them.
"""

from __future__ import annotations

import re

MAX_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3 without the angle brackets."""
MAX_LOCAL = 64

_LOCAL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII
)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)


class BadAddress(ValueError):
    """The text is no mail address that we would write to."""


def check_address(text: str) -> str:
    """Return the address as it is to be kept: the part after the ``@`` in lower case.

    Raises:
        BadAddress: it is not ASCII, has not one ``@``, is too long, quoted or otherwise odd.

    """
    local, at, domain = text.rpartition("@")
    fits = len(text) <= MAX_ADDRESS and len(local) <= MAX_LOCAL
    if not (at and fits and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        raise BadAddress("give one mail address in plain letters, such as name@example.com")
    return f"{local}@{domain.lower()}"
