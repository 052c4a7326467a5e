"""How an emulated terminal introduces itself to the daemon."""

from __future__ import annotations

import hashlib

from ea_bridge.model import Account, AccountTradeMode, MarginMode
from ea_bridge.protocol.handshake import SPAN
from ea_bridge.protocol.messages import Hello

from .desk import Desk

EA_VERSION = "1.0.0"
TRADE_MODES = {
    AccountTradeMode.DEMO: "demo",
    AccountTradeMode.CONTEST: "contest",
    AccountTradeMode.REAL: "real",
}
"""The kinds of accounts, as the EA words them."""


def introduction(
    desk: Desk, account: Account, *, tid: str, cnonce: str, boot: str, q: int
) -> Hello:
    """Return the first message of a link."""
    hedges = account.margin_mode == MarginMode.RETAIL_HEDGING
    return Hello(
        proto=SPAN,
        tid=tid,
        cnonce=cnonce,
        boot=boot,
        platform=desk.platform,
        login=account.login,
        server=account.server,
        ea=EA_VERSION,
        build=desk.terminal().build,
        company=account.company,
        currency=account.currency,
        mode="hedging" if hedges else "netting",
        trade=TRADE_MODES.get(AccountTradeMode(account.trade_mode or 0), ""),
        caps=",".join(desk.caps),
        q=q,
        fp=_fingerprint(desk.platform, account),
    )


def _fingerprint(platform: str, account: Account) -> str:
    """Return ``hello.fp``; it has no data folder, so that each run of an emulator is the same."""
    said = "\n".join(("emulator", platform, account.company, str(account.login), account.server))
    return hashlib.sha256(said.encode()).hexdigest()
