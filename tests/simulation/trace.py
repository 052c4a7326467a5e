"""Trace of a run: one hash over all that can be seen from outside, and a log where they differ."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO


class Trace:
    """The SHA-256 over what was observable: bytes on the network, its ends, and answers.

    Args:
        log: takes each entry as a line, so that two runs can be compared; see ``difference.py``.

    """

    def __init__(self, log: Path | None = None) -> None:
        self._hash = hashlib.sha256()
        self._log: IO[bytes] | None = None if log is None else log.open("wb")

    def add(self, now: float, what: str, data: bytes = b"") -> None:
        """Take something that was seen, and when."""
        line = b"%.9f %b %b\n" % (now, what.encode(), data)
        self._hash.update(line)
        if self._log is not None:
            self._log.write(repr(line)[2:-3].encode() + b"\n")

    def close(self) -> str:
        """End it; return the hash."""
        if self._log is not None:
            self._log.close()
            self._log = None
        return self._hash.hexdigest()
