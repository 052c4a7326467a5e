"""The id by which a program knows its own order."""

from __future__ import annotations

import uuid


def new_client_order_id() -> str:
    """Return a ``client_order_id`` that nobody has used.

    Make it once for an order, before the first try: sent again under the same id, a request is
    recognised and not executed twice.
    """
    return f"py-{uuid.uuid4().hex}"
