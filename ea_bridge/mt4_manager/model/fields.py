"""Bounds of the members of the Manager API's records.

Texts are fixed arrays of bytes there: one of 32 holds 31. What is longer is refused, never cut.
Times are seconds of the **server's** clock; 0 where there is none. Money is in the currency of
the account's group.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Int = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""A C ``int``."""
UInt = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""A C ``unsigned int``: an IPv4 address, a colour."""
Time = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""``__time32_t``, before the year 2038."""
Login = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Ticket = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""The number of an order."""

Text12 = Annotated[str, Meta(max_length=11)]
Text16 = Annotated[str, Meta(max_length=15)]
Text32 = Annotated[str, Meta(max_length=31)]
Text48 = Annotated[str, Meta(max_length=47)]
Text64 = Annotated[str, Meta(max_length=63)]
Text96 = Annotated[str, Meta(max_length=95)]
Text128 = Annotated[str, Meta(max_length=127)]
Text256 = Annotated[str, Meta(max_length=255)]
