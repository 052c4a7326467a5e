"""The orders of the past, as far as limits count them: read from the journal's tables."""

from __future__ import annotations

from collections.abc import Callable

from ea_bridge.model import TradeAction
from gateway.errors import InternalError
from gateway.storage.store import Store, StoreError
from gateway.trading.journal.intents import PAPER_FP
from gateway.trading.terminal import GuardedTerminal

from .pace import SentOrder

MAX_READ = 100_000
"""Of the newest commands; a limit counts far fewer."""
_SENT = f"""
    SELECT min(sent.created_ms), json_extract(sent.request, '$.symbol'),
        min(json_extract(sent.memo, '$.broker_ms')), min(json_extract(sent.memo, '$.day'))
    FROM (SELECT * FROM sends ORDER BY command_id DESC LIMIT {MAX_READ}) AS sent
    JOIN orders ON orders.id = sent.order_id
    WHERE orders.login = ? AND orders.server = ? AND (sent.fp = '{PAPER_FP}') = ?
        AND sent.stage != 'not_sent' AND sent.created_ms > ?
        AND json_extract(sent.request, '$.action')
            IN ({TradeAction.DEAL:d}, {TradeAction.PENDING:d})
        AND coalesce(json_extract(sent.request, '$.position'), 0) = 0
    GROUP BY sent.order_id
"""  # noqa: S608  # our own words and numbers


def sent_orders(store: Store) -> Callable[[GuardedTerminal, int], list[SentOrder]]:
    """Return what tells the new orders that the account of a terminal was sent since a moment, at
    the market or on paper, wherever the terminal trades.
    """

    def history(terminal: GuardedTerminal, since_ms: int) -> list[SentOrder]:
        account = terminal.journal.account
        if account is None:
            return []
        try:
            rows = store.all(_SENT, *account, terminal.is_paper, since_ms)
        except StoreError:
            raise InternalError("The journal cannot be read, so nothing is sent") from None
        return [SentOrder(*row) for row in rows]

    return history
