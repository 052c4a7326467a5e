"""The lease, the console's short word that a token may be used on a device, and its tiers.

A record says what a token may; it lasts. A lease lapses within a quarter of an hour unless it is
renewed, so that whoever cuts the daemon off from its console cannot keep a revoked token alive.
While the console is silent the token's tier sinks.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from .envelope import EnvelopeError
from .record import First, Seconds, Signed, open_signed


class Tier(enum.IntEnum):
    """Bounds of what a token may do while its console is silent; each includes the lesser ones.

    A token without a console always has ``FULL``.
    """

    NONE = 0
    """Nothing: revoked, expired, or the console was silent for too long."""
    READ = 1
    """Read and listen."""
    REDUCE = 2
    """Also close positions, cancel orders, and move a stop loss closer to the market."""
    FULL = 3
    """All that the scopes allow."""


LEASE_S = 900
"""From the last word of the console to the end of what is allowed without it."""
RENEW_S = 300
"""A lease that old is renewed."""

DeviceId = Annotated[str, Field(pattern=r"^[a-z2-7]{52}$")]
Tid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{12}$")]
Version = Annotated[int, Field(ge=1, le=2**53)]
Epoch = Annotated[int, Field(ge=0, le=2**53)]


class Lease(Signed):
    """The payload of a ``lease`` envelope. Times are seconds since 1970, ``exp`` is exclusive."""

    v: First
    iss: str
    aud: Literal["mtgw-daemon"]
    lid: Annotated[str, Field(min_length=1, max_length=64)]
    """Of this lease, for logs."""
    tid: Tid
    did: DeviceId
    rec_ver: Version
    """Of the record on which it stands; with an older record it does not count."""
    dev_ver: Version
    epoch: Epoch
    """Grows with each revocation; an older lease than one already seen is refused."""
    iat: Seconds
    nbf: Seconds
    exp: Seconds
    renew_after: Seconds
    server_time: Seconds
    """The console's clock when it was signed."""


def open_lease(envelope: str, keys: Mapping[str, Ed25519PublicKey]) -> Lease:
    """Verify a ``lease`` envelope; its dates are for who uses it.

    Raises:
        EnvelopeError: it is not one from these keys, lacks a member, or lasts too long.

    """
    lease = open_signed(Lease, "lease", envelope, keys)
    # whoever has an operational key for an hour must not make leases for years
    if lease.exp - lease.iat > LEASE_S:
        raise EnvelopeError(f"a lease for more than {LEASE_S} s")
    return lease
