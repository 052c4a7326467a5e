"""Checks of the head of an HTTP request, before anything else in it is looked at.

aiohttp's parser is more lenient than we want to be: it takes ``HTTP/2.0``, ``HTTP/0.9`` and no
version at all, reads ``Transfer-Encoding: gzip, chunked`` as if nothing were packed, and fails at
an ``Expect`` that is no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

VERSIONS: Final = frozenset({(1, 0), (1, 1)})


class HeadFault(NamedTuple):
    """Fault for which a request is refused by its head alone."""

    status: int
    reason: str
    """A stable name."""
    remedy: str


BAD_VERSION: Final = HeadFault(505, "http_version", "Speak HTTP/1.1 or HTTP/1.0")
BAD_CODING: Final = HeadFault(
    501, "transfer_encoding", "Send the body with Content-Length, or chunked and nothing else"
)
BAD_EXPECTATION: Final = HeadFault(417, "expect", "Expect 100-continue or nothing")


def head_fault(version: tuple[int, int], headers: Mapping[str, str]) -> HeadFault | None:
    """Return what is wrong with the head of a request; ``None`` if it may be looked at further.

    Args:
        version: major and minor, as the request line says.
        headers: found by their names in whatever case.

    """
    if version not in VERSIONS:
        return BAD_VERSION
    coding = headers.get("Transfer-Encoding")
    if coding is not None and coding.strip().lower() != "chunked":
        return BAD_CODING
    expectation = headers.get("Expect")
    if expectation is not None and expectation.strip().lower() != "100-continue":
        return BAD_EXPECTATION
    return None
