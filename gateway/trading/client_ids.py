"""Client order ids: the caller's own name for what it asks of the market.

The id is known before the order is sent, so it tells orders apart when tickets are not known yet.
The terminal gets a short tag of it in the order's comment.
"""

from __future__ import annotations

import base64
import hashlib
import re

from ea_bridge import host

PATTERN = r"^[A-Za-z0-9._:-]{1,64}$"
MAX_COMMENT = 31
"""Characters of a comment that MetaTrader keeps."""
TAG_LENGTH = 10

_TAG = re.compile(r"g[A-Z2-7]{9}(?: |\Z)")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_client_order_id(now_ms: int) -> str:
    """Return ``gw-`` and a ULID: 48 bits of time, then 80 random ones; sorts by time."""
    number = (now_ms & (2**48 - 1)) << 80 | host.randbits(80)
    return "gw-" + "".join(_CROCKFORD[number >> 5 * place & 31] for place in range(25, -1, -1))


def tag(login: int, server: str, client_order_id: str) -> str:
    """Return ``g`` and nine base32 characters of SHA-256(login|server|client_order_id).

    A hint for finding the order again, not a proof: brokers may overwrite comments.
    """
    digest = hashlib.sha256(f"{login}|{server}|{client_order_id}".encode()).digest()
    return "g" + base64.b32encode(digest).decode("ascii")[: TAG_LENGTH - 1]


def is_tagged(comment: str) -> bool:
    """Whether a comment begins with a tag."""
    return _TAG.match(comment) is not None


def tagged_comment(login: int, server: str, client_order_id: str, comment: str) -> str:
    """Return the tag, and the caller's comment cut to the room that is left."""
    return f"{tag(login, server, client_order_id)} {comment}".rstrip()[:MAX_COMMENT].rstrip()
