"""The fingerprint by which a terminal is known again: a label, not a proof."""

from __future__ import annotations

import hashlib

from ea_bridge.protocol.messages import Hello


def terminal_fp(hello: Hello) -> str:
    """Return what the EA says, or what can be made of its ``hello``, as 64 hexadecimal digits.

    The EA's own one also covers its data folder and an id that it has saved.
    """
    if hello.fp:
        return hello.fp
    parts = (hello.platform, hello.company, str(hello.login), hello.server)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
