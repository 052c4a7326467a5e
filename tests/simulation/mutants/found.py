"""What the simulation has found in the product, put back: each by the commit that mended it."""

from __future__ import annotations

from .mutation import Change, Mutant

JOURNAL = "gateway.trading.journal"
RECONCILE = "gateway.trading.reconcile"

FOUND = (
    Mutant(
        "found-any-position-of-netting",
        "On a netting account an order may be a close's whatever position it went into.",
        (
            Change(
                f"{RECONCILE}.matching",
                "        return order.entered == closes and not order.opens\n",
                "        return True\n",
            ),
            Change(
                f"{RECONCILE}.matching",
                "        if any(order.entered for order in orders):\n",
                "        if False:\n",
            ),
        ),
        "1b0db57 Tell closes on netting accounts by the position that orders went into",
    ),
    Mutant(
        "found-closed-while-under-way",
        "A ticket of MetaTrader 4 that is closed is given to a close that nothing was heard of, "
        "though another close of it is under way.",
        (
            Change(
                f"{RECONCILE}.service",
                "                if self._open_exits(account, exited) - ids:\n"
                "                    continue",
                "                if False:\n                    continue",
            ),
        ),
        "6674a44 Give no closed trade to a lost close while another waits for its answer",
    ),
    Mutant(
        "found-close-by-without-deals",
        "A receipt of a close-by that was found out before its deals showed lacks their price.",
        (
            Change(
                "gateway.trading.receipts",
                "    fills = request.action in _FILLING_ACTIONS and result.retcode in _FILLED\n",
                "    fills = request.action == TradeAction.DEAL and result.retcode in _FILLED\n",
            ),
        ),
        "f72938c Look for the deals of a close-by whose receipt lacks its price",
        led_by=("deals_lag", "next_close_by_fails"),
    ),
    Mutant(
        "found-back-without-snapshot",
        "Who comes back and has missed nothing is given no snapshot, though he may have had none.",
        (
            Change(
                "gateway.streams.service",
                "        if is_first and (entry.request.snapshot or recovered is False):\n",
                "        if is_first and not recovered:\n",
            ),
        ),
        "9795fb9 Give who comes back a snapshot though nothing was missed",
    ),
)
