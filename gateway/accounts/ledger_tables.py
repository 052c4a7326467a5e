"""What the ledger holds of registered accounts."""

from __future__ import annotations

from . import equity, switch_log, trades

LEDGER_TABLES = trades.TABLE + equity.TABLE + switch_log.TABLE
