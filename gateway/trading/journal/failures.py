"""Errors that callers are told where the disk has failed over what they have asked for."""

from __future__ import annotations

import logging

from gateway.errors import InternalError, OrderUnresolved
from gateway.storage.reserve import RETRY_MS
from gateway.storage.store import CommitUnsure, DiskFull

from ..retcodes import CHECK_AFTER_MS
from .intents import Intent

logger = logging.getLogger(__name__)


def unsure(intent: Intent, failure: CommitUnsure) -> OrderUnresolved:
    """Log that a kill may bring back what is not written; return what its caller is told."""
    logger.error("order %s may be on the disk: %s", intent.asked.client_order_id, failure)
    return OrderUnresolved(
        "The disk of the gateway has failed over it: it is found out as soon as the disk works, "
        "and get_order tells",
        outcome="unknown",
        client_order_id=intent.asked.client_order_id,
        check_after_ms=CHECK_AFTER_MS,
    )


def not_written(client_order_id: str, error: Exception) -> InternalError:
    """Log that a command is not in the journal; return what its caller is told."""
    logger.error("order %s is not in the journal, so it is not sent: %s", client_order_id, error)
    if isinstance(error, DiskFull):
        return InternalError(
            "The disk of the gateway is full, so nothing was sent: make room on it. Closing and "
            "cancelling go on as long as the gateway's reserve lasts",
            reason="disk_full",
            retryable=True,
            retry_after_ms=RETRY_MS,
        )
    return InternalError(
        "The journal cannot be written, so nothing was sent; the gateway's log says why"
    )
