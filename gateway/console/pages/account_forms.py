"""Forms of trading accounts, read, and views of what machines tell of them.

What a machine tells is for people to look at: each member may be missing or of another type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gateway.console.daemon_calls import FRESH_S, Figures, MachineAnswer
from gateway.credentials.record import MAX_SECONDS

from .context import PASSWORD_FIELD
from .views import Chip, View, age_words, halt_words, money_words

BROKER_PASSWORD: Final = "broker_password"  # noqa: S105  # the name of a field
WAS: Final = "was_"
"""Before the name of a field: the hidden one that has what was there before."""
MAX_SYMBOLS: Final = 200
KINDS: Final = (("USD", "standard"), ("USC", "in US cents"))
PROBLEMS: Final = {
    "name": "Give a name of 1 to 100 letters.",
    "broker": "Give the broker's name, of 1 to 100 letters.",
    "login": "Login must be a number, as the broker gave it.",
    "server": "Give the name of the server, as MetaTrader shows it.",
    BROKER_PASSWORD: "Type the password; it is put into no page, so it is asked for each time.",
    "max_lot_size": "Give lots above 0, at most 100.",
    "risk_percent": "Give percent above 0, at most 100.",
    "allowed_symbols": f"Give at most {MAX_SYMBOLS} of the broker's symbols, commas between.",
    "mt5_path": "Give a path of at most 500 characters, or nothing.",
    "account_type": "Choose one.",
    PASSWORD_FIELD: "Give the password of your account on this console.",
}
_FIELDS: Final = {
    "password": BROKER_PASSWORD,
    "risk_pct": "risk_percent",
}
"""Fields of the form by the API's members, where they differ."""


@dataclass
class AccountForm:
    """A form that was read; it can be used if there are no ``problems``."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def read_registration(form: Mapping[str, str]) -> AccountForm:
    """Read the form of a new account, but for its password."""
    read = read_settings(form)
    login = form.get("login", "").strip()
    # `int` reads digits of all scripts
    is_number = login.isascii() and login.isdecimal() and len(login) <= 18 and login.strip("0")
    if is_number:
        read.values["login"] = int(login)
    else:
        read.problems["login"] = PROBLEMS["login"]
    read.values["server"] = _text(form, "server", 200, read.problems)
    return read


def read_settings(form: Mapping[str, str]) -> AccountForm:
    """Read the fields that can be changed without a login."""
    read = AccountForm()
    for name in ("name", "broker"):
        read.values[name] = _text(form, name, 100, read.problems)
    read.values["mt5_path"] = _text(form, "mt5_path", 500, read.problems, least=0)
    for name in ("is_live", "auto_trade_enabled", "paper_trade_enabled"):
        read.values[name] = form.get(name) == "yes"
    read.values["max_lot_size"] = _number(form, "max_lot_size", read.problems)
    read.values["risk_pct"] = round(_number(form, "risk_percent", read.problems) / 100, 6)
    read.values["account_type"] = form.get("account_type", "")
    if read.values["account_type"] not in {kind for kind, _ in KINDS}:
        read.problems["account_type"] = PROBLEMS["account_type"]
    symbols = [part.strip() for part in form.get("allowed_symbols", "").split(",")]
    symbols = [symbol for symbol in symbols if symbol]
    if len(symbols) > MAX_SYMBOLS or any(len(one) > 64 or not _is_plain(one) for one in symbols):
        read.problems["allowed_symbols"] = PROBLEMS["allowed_symbols"]
    read.values["allowed_symbols"] = symbols
    return read


def changed_settings(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that a person has changed in a form, which tells what was there before.

    What somebody else has changed meanwhile stays: a page that lay open must not end paper
    trading. A form that does not tell it, as a program's, changes everything.
    """
    values, was = read_settings(form).values, read_settings(shown_before(form))
    if was.problems:
        return values
    return {name: value for name, value in values.items() if value != was.values[name]}


def shown_before(form: Mapping[str, str]) -> dict[str, str]:
    """Return what stood in the fields of a form when its page was made."""
    return {name.removeprefix(WAS): form[name] for name in form if name.startswith(WAS)}


def read_server(form: Mapping[str, str], problems: dict[str, str]) -> str:
    """Read the server of an account whose login is to be tried anew."""
    return _text(form, "server", 200, problems)


def _text(
    form: Mapping[str, str], name: str, most: int, problems: dict[str, str], least: int = 1
) -> str:
    text = form.get(name, "").strip()
    if not least <= len(text) <= most or not _is_plain(text):
        problems[name] = PROBLEMS[name]
    return text


def _number(form: Mapping[str, str], name: str, problems: dict[str, str]) -> float:
    text = form.get(name, "").strip().replace(",", ".")
    whole, _, rest = text.partition(".")
    is_number = text.isascii() and whole.isdecimal() and (not rest or rest.isdecimal())
    number = float(text) if is_number and len(text) <= 12 else 0.0
    # what is rounded to nothing would be refused by the machine, in other words
    if not 0 < number <= 100 or round(number / 100, 6) == 0:
        problems[name] = PROBLEMS[name]
        return 1.0
    return number


def _is_plain(text: str) -> bool:
    return not any(ord(one) < 32 or ord(one) == 127 for one in text)


def shown_account(account: Mapping[str, Any]) -> dict[str, str]:
    """Return an account as the form shows it."""
    shown = {name: str(account.get(name, "")) for name in ("name", "broker", "mt5_path", "server")}
    shown["account_type"] = str(account.get("account_type", ""))
    shown["max_lot_size"] = f"{_float(account.get('max_lot_size')):g}"
    shown["risk_percent"] = f"{_float(account.get('risk_pct')) * 100:g}"
    symbols = account.get("allowed_symbols")
    shown["allowed_symbols"] = ", ".join(map(str, symbols)) if isinstance(symbols, list) else ""
    for name in ("is_live", "auto_trade_enabled", "paper_trade_enabled"):
        shown[name] = "yes" if account.get(name) is True else ""
    return shown


def problems_of(answer: MachineAnswer) -> dict[str, str]:
    """Return what a machine finds wrong with a form, by the name of the field."""
    detail = answer.content.get("detail") if isinstance(answer.content, Mapping) else None
    words = answer.problem
    if answer.status == 409:
        return {"login": words}
    if answer.status == 400:
        return {"mt5_path" if words.startswith("mt5_path") else BROKER_PASSWORD: words}
    if answer.status != 422 or not isinstance(detail, list):
        return {}
    found: dict[str, str] = {}
    for fault in detail:
        where = fault.get("loc") if isinstance(fault, Mapping) else None
        name = str(where[1]) if isinstance(where, list) and len(where) > 1 else ""
        name = _FIELDS.get(name, name)
        if name in PROBLEMS:
            found[name] = PROBLEMS[name]
    return found


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


# --- views ----------------------------------------------------------------------------------


def account_view(account: Mapping[str, Any], figures: Figures | None, now_s: int) -> View:
    """An account of a machine, with the figures of the terminal that is logged in to it."""
    money, stale = "", False
    if figures is not None and figures.money is not None:
        told, age_s = figures.money, now_s - figures.money_at
        stale = age_s > FRESH_S or not figures.told.linked
        money = money_words(told.balance or 0.0, told.equity or 0.0, told.currency)
        money = f"{'Not live: ' if stale else ''}{money} ({age_words(age_s)})"
    is_paper, is_auto = account.get("paper_trade_enabled"), account.get("auto_trade_enabled")
    symbols = account.get("allowed_symbols")
    limits = [
        f"{_float(account.get('max_lot_size')):g} lots in one order",
        f"{_float(account.get('risk_pct')) * 100:g}% at the stop loss",
        f"only {', '.join(map(str, symbols))}" if symbols and isinstance(symbols, list) else "",
    ]
    return {
        "id": _whole(account.get("id")),
        "name": str(account.get("name", "")),
        "broker": str(account.get("broker", "")),
        "login": _whole(account.get("login")),
        "server": str(account.get("server", "")),
        "limits": "; ".join(part for part in limits if part),
        "money": money,
        "stale": stale,
        "halt": Chip("bad", "Halted")
        if figures is not None and figures.told.halted_by and not stale
        else None,
        "kind": Chip("warn", "Real money") if account.get("is_live") else Chip("idle", "Demo"),
        "paper": Chip("idle", "Paper") if is_paper else None,
        "auto": Chip("good", "Auto trade on") if is_auto else Chip("idle", "Auto trade off"),
        "created_at": _moment(account.get("created_at")),
    }


def info_words(told: object) -> str:
    """Return what an account's terminal or its login told just now."""
    told = told if isinstance(told, Mapping) else {}
    money = money_words(
        _float(told.get("balance")),
        _float(told.get("equity")),
        str(told.get("currency", ""))[:16],
    )
    kind = "real money" if told.get("trade_mode") == 2 else "a demo account"
    return f"Verified just now: {money}; {kind}, leverage 1:{_whole(told.get('leverage'))}."


def stats_view(answer: MachineAnswer) -> View:
    """Statistics of an account; of one that cannot be told, why."""
    content = answer.content if isinstance(answer.content, Mapping) else {}
    if answer.problem:
        return {"problem": answer.problem}
    return {
        "trades": _whole(content.get("trade_count")),
        "won": _whole(content.get("winning_trades")),
        "rate": f"{_float(content.get('win_rate')) * 100:.1f}%",
        "pnl": f"{_float(content.get('total_pnl')):,.2f}",
    }


def log_view(answer: MachineAnswer) -> Sequence[View]:
    """Turns of the kill switch, the newest first."""
    lines = answer.content if isinstance(answer.content, list) else []
    return [
        {
            "chip": Chip("bad", "Halted")
            if line.get("action") == "activated"
            else Chip("good", "Resumed"),
            "at": _moment(line.get("created_at")),
            "by": halt_words(str(line.get("triggered_by", ""))[:64]),
            "reason": str(line.get("reason") or "")[:500],
        }
        for line in lines[:20]
        if isinstance(line, Mapping)
    ]


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _moment(value: object) -> float:
    """Return a time of the API as seconds since 1970; 0 where it is none."""
    try:
        at = datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return at if 0 <= at < MAX_SECONDS else 0.0
