"""Views of terminals, tokens, machines and history: what templates show, in words for people."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from gateway.console.activity import BY_ADMINISTRATOR, ActivityEntry, place_of
from gateway.console.approvals import RequestView
from gateway.console.daemon_calls import FRESH_S, DaemonCalls, Figures
from gateway.console.devices import DeviceInfo
from gateway.console.reports import DAEMON_GONE, REPLACED, LoginInfo, RunInfo
from gateway.console.sessions import SessionInfo
from gateway.console.terminals import State, TerminalStatus
from gateway.console.tokens import TokenInfo
from gateway.credentials.record import Scope, TradeLimits


@dataclass(frozen=True)
class Chip:
    """A state in one or two words; the tone says how good it is, to those who see colours."""

    tone: str
    text: str


@dataclass(frozen=True)
class Moment:
    """A time within a sentence: seconds since 1970."""

    at: float
    exact: bool = False
    """Seconds matter."""


Sentence = Sequence[str | Moment]


@dataclass(frozen=True)
class ScopeWords:
    """A scope as people choose it."""

    value: str
    title: str
    words: str


SCOPES: Final = (
    ScopeWords("read", "Look", "Account, positions, prices and history. It cannot trade."),
    ScopeWords("trade", "Look and trade", "Also open, change and close orders and positions."),
    ScopeWords(
        "admin",
        "Look, trade and manage",
        "Also what concerns the gateway itself, such as stopping all trading.",
    ),
)
OWN: Final = "own"
SAME: Final = "same"
LIFETIMES: Final = (
    ("30", "in 30 days"),
    ("90", "in 90 days"),
    ("365", "in a year"),
    (OWN, "after a time of your own"),
    ("", "never"),
)
UNITS: Final = (("hours", "hours"), ("days", "days"), ("weeks", "weeks"))
PLATFORMS: Final = {"mt4": "MetaTrader 4", "mt5": "MetaTrader 5", None: "either"}
OVERLAPS: Final = (
    ("3600", "One hour", "Time to paste the new one into the EA and into your programs."),
    ("86400", "A day", "For programs that you cannot restart now."),
    (
        "0",
        "Not at all",
        "If somebody else may have it. Terminal and programs stop until they have the new one.",
    ),
)
_CHIPS: Final[dict[State, Chip]] = {
    "unused": Chip("idle", "Not connected yet"),
    "online": Chip("good live", "Live"),
    "silent": Chip("warn", "No contact"),
    "offline": Chip("idle", "Offline"),
    "pending": Chip("warn", "Waiting for approval"),
    "stopping": Chip("warn", "Not confirmed"),
    "stopped": Chip("idle", "Stopped"),
    "suspended": Chip("bad", "Suspended"),
}
_TOKEN_CHIPS: Final = {
    "active": Chip("good", "Active"),
    "superseded": Chip("warn", "Being replaced"),
    "disabled": Chip("bad", "Suspended"),
    "revoked": Chip("idle", "Revoked"),
    "expired": Chip("idle", "Expired"),
}
_EVENTS: Final = {
    "login": "Signed in",
    "login.password": "Password was right, code asked for",
    "login.code": "Code of the second factor",
    "second_factor.on": "Second factor on",
    "second_factor.off": "Second factor off",
    "second_factor.app_off": "Authenticator app off",
    "second_factor.codes": "New recovery codes",
    "second_factor.recovery": "Recovery code used",
    "notices.changed": "Mails about terminals chosen",
    "passkey.added": "Passkey added",
    "passkey.removed": "Passkey removed",
    "passkey.copied": "Passkey refused: it may have been copied",
    "password.given": "Gave the password again",
    "password.changed": "Password changed",
    "password.chosen": "Password chosen",
    "password.doubted": "A new password is needed: somebody else may know the old one",
    "user.created": "Account created",
    "user.disabled": "Account disabled",
    "user.enabled": "Account enabled",
    "user.admin": "Became administrator",
    "user.no_admin": "Administrator no more",
    "user.deleted": "Account deleted",
    "user.invited": "Invitation sent",
    "user.link": "Link of an invitation copied",
    "token.created": "Token created",
    "token.replaced": "Token replaced",
    "token.revoked": "Token revoked",
    "token.suspended": "Token suspended",
    "token.resumed": "Token in use again",
    "token.limits": "Limits set",
    "hook.created": "Hook created",
    "hook.changed": "Hook changed",
    "hook.on": "Hook switched on",
    "hook.off": "Hook switched off",
    "hook.deleted": "Hook deleted",
    "terminal.halted": "Trading halted",
    "terminal.resumed": "Trading goes on",
    "account.registered": "Trading account registered",
    "account.changed": "Trading account changed",
    "account.deleted": "Trading account deleted",
    "device.approved": "Machine approved",
    "device.revoked": "Machine revoked",
    "device.forgotten": "Machine may ask again",
    "device.asked": "Machine asked for approval",
    "device.refused": "Machine refused",
    "device.not_me": "You said “This was not me”: machine refused, token suspended",
    "device.wrong_code": "Wrong code for an approval",
    "device.copied": "Machine's key used in two places",
    "device.resumed": "Machine trusted again",
    "password.reset_asked": "New password asked for",
}
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def terminal_chip(terminal: TerminalStatus) -> Chip:
    """Return a terminal's state."""
    return _CHIPS[terminal.state]


def terminal_facts(terminal: TerminalStatus) -> Sentence:
    """Return what more there is to say of it."""
    where = f"On {terminal.device or 'a machine'}"
    since, seen = terminal.since, terminal.last_seen
    match terminal.state:
        case "unused" if terminal.did is not None:
            return (f"{where}: programs may use it; the EA does not yet. Paste it into the EA.",)
        case "unused":
            return ("Waiting for the first contact. Paste the token into the EA.",)
        case "online":
            return _said(where, since, "since", seen, "last heard of")
        case "silent":
            return (f"{where}, its gateway was last heard of ", Moment(seen or 0))
        case "offline" | "pending":
            return _said(where, since, "since", seen, "machine last heard of")
        case "stopping":
            return (
                f"{where}: not confirmed, it ends by ",
                Moment(terminal.ends_by or 0),
                " at the latest",
            )
        case "stopped" if terminal.stopped_at_ms is not None:
            return (f"{where}: stopped at ", Moment(terminal.stopped_at_ms / 1000, exact=True))
        case "stopped" if terminal.did is None:
            return ("It was never used.",)
        case "stopped":
            return (f"{where}: ended by itself, at the latest ", Moment(since or 0))
    return ("It works nowhere until you decide.",)


def _said(where: str, since: int | None, word: str, seen: int | None, seen_word: str) -> Sentence:
    parts: list[str | Moment] = [where]
    if since is not None:
        parts += [f", {word} ", Moment(since)]
    if seen is not None:
        parts += [f", {seen_word} ", Moment(seen)]
    return parts


def account_of(terminal: TerminalStatus) -> str:
    """Return which trading account a terminal is logged in to."""
    return f"{terminal.login} at {terminal.server}" if terminal.login else ""


def token_chip(token: TokenInfo) -> Chip:
    """Return a token's state."""
    return _TOKEN_CHIPS.get(token.status, Chip("idle", token.status))


def token_until(token: TokenInfo) -> Sentence:
    """Return when a token ends, or has ended."""
    if token.status == "revoked" and token.ended_at is not None:
        return ("revoked ", Moment(token.ended_at))
    if token.exp is None:
        return ("never ends by itself",)
    return ("expired " if token.status == "expired" else "ends ", Moment(token.exp))


def rights(token: TokenInfo) -> ScopeWords:
    """Return the widest scope of a token."""
    order = [Scope.ADMIN, Scope.TRADE, Scope.READ]
    # each scope contains those below it: one word says it all
    widest = next(scope for scope in order if scope in token.scopes)
    return next(words for words in SCOPES if words.value == widest)


def rights_words(token: TokenInfo) -> str:
    """Return all that a token may do."""
    widest = rights(token)
    elsewhere = " From other machines as well." if Scope.REMOTE in token.scopes else ""
    return f"{widest.title}. {widest.words}{elsewhere}"


def limits_words(limits: TradeLimits) -> str:
    """Return the limits as one sentence."""
    parts = []
    if limits.max_lot is not None:
        parts.append(f"{limits.max_lot} lots in one order")
    if limits.max_open_lots is not None:
        parts.append(f"{limits.max_open_lots} lots open in all")
    if limits.max_orders_per_min is not None:
        parts.append(f"{limits.max_orders_per_min} orders in a minute")
    if limits.max_daily_loss is not None:
        parts.append(f"a loss of {limits.max_daily_loss} in a day")
    if limits.allowed_symbols is not None:
        parts.append(f"only {', '.join(limits.allowed_symbols) or 'no symbol'}")
    if limits.collar_bps is not None:
        parts.append(f"prices within {limits.collar_bps / 100:g}% of the market")
    return "; ".join(parts) or "none"


_BY: Final = {
    BY_ADMINISTRATOR: "by an administrator",
    "command": "by a command on the console's machine",
}
_HOW: Final = {"link": "on its page", "code": "with the mail's code", "known": "known already"}


def entry_detail(entry: ActivityEntry, names: Mapping[str, str]) -> str:
    """Return what more there is to say of a line of the log: what it is about, and how."""
    text = entry.detail
    if entry.event == "token.limits":
        text = _limits_noted(text)
    elif entry.event == "device.approved":
        text = _HOW.get(text, text)
    # only there: somebody may call a token so
    elif entry.event.startswith(("user.", "second_factor.")):
        text = _BY.get(text, text)
    about = (names.get(one or "", "") for one in (entry.tid, entry.did))
    return ", ".join(
        [*(name for name in about if name and name not in text), *filter(None, [text])]
    )


def _limits_noted(text: str) -> str:
    try:
        return limits_words(TradeLimits.model_validate_json(text))
    except ValidationError:  # the line was cut: there were many symbols
        return ""


def entry_words(entry: ActivityEntry) -> str:
    """Return what a line of the log tells."""
    words = _EVENTS.get(entry.event, entry.event.replace(".", " ").replace("_", " ").capitalize())
    said_already = entry.outcome == "ok" or entry.event == "device.wrong_code"
    return words if said_already else f"{words}: {entry.outcome}"


def browser_of(agent: str) -> str:
    """Return browser and system of a ``User-Agent``, as far as it tells the truth."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or (agent[:40] if agent else "")


def from_where(address: str) -> str:
    """Return the place of an address."""
    return place_of(address) if address else ""


# --- history --------------------------------------------------------------------------------

_ENDS: Final = {
    REPLACED: "a newer link with the same token took its place",
    DAEMON_GONE: "the gateway stopped without a word; last heard of then",
    "shutdown": "the gateway was stopped",
    "the terminal said bye: shutdown": "the EA was removed, or the terminal closed",
    "the terminal said bye: account_changed": "the terminal changed its account",
    "silent for too long": "the terminal was silent for too long",
    "revoked": "the token was revoked",
    "expired": "the token expired",
    "account_disabled": "your account was disabled",
    "device_revoked": "the machine was revoked",
    "rights_changed": "the token's rights changed",
}
_REASONS: Final = {
    "unknown": "wrong token, or not known on that machine",
    "revoked": "the token is revoked",
    "expired": "the token has expired",
    "account_disabled": "the account is disabled",
    "device_pending": "the machine waits for approval",
    "device_revoked": "the machine is revoked",
    "lease_expired": "the console could not be reached for too long",
    "rights_changed": "the token's rights changed",
    "not_remote": "from another machine, which the token is not for",
    "busy": "the gateway could not check it just then",
    "proto": "the EA is of another version, or plays another part",
}
_WAYS: Final = {"http": "Program", "ws": "Program, stream", "terminal": "Terminal"}
_STATES: Final = {
    "online": Chip("good", "Live"),
    "unknown": Chip("warn", "No contact"),
    "pending": Chip("warn", "Waiting for approval"),
    "offline": Chip("idle", "Ended"),
}


def run_view(run: RunInfo) -> Mapping[str, Any]:
    """A session of a terminal."""
    reason = run.reason.replace("'", "")  # daemons differ in whether they quote the EA's word
    end = _ENDS.get(reason, run.reason)
    account = f"{run.login} at {run.server}" if run.login else ""
    return {
        "tid": run.tid,
        "name": run.name,
        "device": run.hostname or "a machine without name",
        "chip": _STATES[run.state],
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "why": end[:1].upper() + end[1:],
        "platform": run.platform.upper(),
        "account": account,
        "version": run.version,
    }


def _program(agent: str) -> str:
    """Return what used a token; behind the address, where another machine called."""
    address, _, rest = agent.partition(", ")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return browser_of(agent)
    return ", ".join(filter(None, [address, browser_of(rest)]))


def login_view(login: LoginInfo) -> Mapping[str, Any]:
    """Uses of a token by one program."""
    is_in = login.outcome == "ok"
    return {
        "tid": login.tid,
        "name": login.name,
        "device": login.hostname or "a machine without name",
        "chip": Chip("good", "Let in") if is_in else Chip("bad", "Refused"),
        "why": "" if is_in else _REASONS.get(login.reason, login.reason),
        "way": _WAYS.get(login.way, login.way),
        "agent": _program(login.agent),
        "first_at": login.first_at,
        "last_at": login.last_at,
        "count": login.count,
    }


View = Mapping[str, Any]


def terminal_view(terminal: TerminalStatus) -> View:
    """A terminal on a machine."""
    return {
        "tid": terminal.tid,
        "key": terminal.key,
        "name": terminal.name,
        "platform": terminal.platform,
        "account": account_of(terminal),
        "state": terminal.state,
        "chip": terminal_chip(terminal),
        "facts": terminal_facts(terminal),
    }


def token_view(token: TokenInfo, used_at: int | None = None) -> View:
    """A token.

    Args:
        token: to show.
        used_at: when it last let somebody in; ``None`` where that is not known.

    """
    return {
        "used": ("last used ", Moment(used_at)) if used_at else ("not used lately",),
        "tid": token.tid,
        "name": token.name,
        "platform": token.platform,
        "platform_words": PLATFORMS[token.platform],
        "state": token.status,
        "is_live": token.is_live,
        "chip": token_chip(token),
        "rights": rights(token).title,
        "rights_words": rights_words(token),
        "created_at": token.created_at,
        "until": token_until(token),
        "limits_words": limits_words(token.limits),
        "strict_terminal": token.strict_terminal,
        "replaced_by": token.replaced_by,
    }


def succession(token: TokenInfo, tokens: Iterable[TokenInfo]) -> Sequence[View]:
    """Return what there is to say of the token in a token's place, and of those before it.

    Each is a label, the other token, and a sentence.
    """
    lines = []
    for other in tokens:
        if other.tid == token.replaced_by:
            lines.append(_line("Replaced by", other, _used(other)))
        elif other.replaced_by == token.tid:
            until = token_until(other) if other.is_live else ("it has ended",)
            lines.append(_line("Replaces", other, (*until, "; ", *_used(token, "this one"))))
    return lines


def _line(label: str, other: TokenInfo, words: Sentence) -> View:
    return {"label": label, "tid": other.tid, "words": words}


def _used(token: TokenInfo, it: str = "it") -> Sentence:
    if token.linked_at is None:
        return (f"the EA has not used {it} yet: paste it in",)
    return (f"the EA uses {it} since ", Moment(token.linked_at))


def device_view(
    device: DeviceInfo, names: Mapping[str, str], terminals: Iterable[TerminalStatus]
) -> View:
    """A machine.

    Args:
        device: the machine.
        names: of the user's tokens, by id.
        terminals: of the user; some may be on it.

    """
    here = [terminal for terminal in terminals if terminal.did == device.did]
    return {
        "did": device.did,
        "name": device.hostname or "a machine without name",
        "os": device.os,
        "words": device.words,
        "label": device.label,
        "status": device.status,
        "chip": device_chip(device),
        "first_seen": device.first_seen_at,
        "last_seen": device.last_seen_at,
        "terminals": [{"tid": tid, "name": names[tid]} for tid in device.tids if tid in names],
        "facts": _stopped(device, here),
    }


def device_chip(device: DeviceInfo) -> Chip:
    """Return a machine's state."""
    if device.status != "approved":
        return Chip("bad", "Revoked")
    return Chip("good", "Connected") if device.is_online else Chip("idle", "Not connected")


def _stopped(device: DeviceInfo, here: Sequence[TerminalStatus]) -> Sentence:
    if device.status != "revoked":
        return ()
    open_end = [terminal for terminal in here if terminal.state == "stopping"]
    if open_end:
        return (
            "Not confirmed: its terminals end by ",
            Moment(max(terminal.ends_by or 0 for terminal in open_end)),
        )
    told = [terminal.stopped_at_ms for terminal in here if terminal.stopped_at_ms is not None]
    if told:
        return ("Its terminals stopped at ", Moment(max(told) / 1000, exact=True))
    return ("Revoked ", Moment(device.revoked_at)) if device.revoked_at else ()


def session_view(session: SessionInfo, current: str) -> View:
    """A browser that is signed in."""
    return {
        "sid": session.sid,
        "is_current": session.sid == current,
        "browser": browser_of(session.agent) or "An unknown browser",
        "place": from_where(session.ip),
        "created_at": session.created_at,
        "seen_at": session.seen_at,
    }


def entry_view(entry: ActivityEntry, names: Mapping[str, str]) -> View:
    """A line of the log; the names are those of tokens and machines, by their ids."""
    return {
        "at": entry.at,
        "words": entry_words(entry),
        "detail": entry_detail(entry, names),
        "place": from_where(entry.ip),
        "browser": browser_of(entry.agent),
    }


def version_of(terminals: Iterable[TerminalStatus], requests: Iterable[RequestView]) -> str:
    """Return what changes when a list gets or loses a line; a page asks to be loaded anew then."""
    # names only: what changes within a line is put into the open page without a reload
    names = [terminal.key for terminal in terminals] + [request.rid for request in requests]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def summary(terminals: Sequence[TerminalStatus], requests: Sequence[RequestView]) -> View:
    """Return the state of one token on all machines in one line: what concerns its owner most."""
    asking = [request for request in requests if request.tid == terminals[0].tid]
    if asking:
        facts = (f"{asking[0].device_name} asks for your approval, see Approvals.",)
        return {"chip": Chip("warn", "Waiting for approval"), "facts": facts}
    order = ("online", "stopping", "pending", "silent", "offline")
    rank = {state: number for number, state in enumerate(order)}
    first = min(terminals, key=lambda terminal: rank.get(terminal.state, len(order)))
    return {"chip": terminal_chip(first), "facts": terminal_facts(first)}


# --- figures of terminals -------------------------------------------------------------------

KNOWN_STATES: Final[frozenset[State]] = frozenset({"online", "silent", "offline"})
"""Of terminals whose machine may tell of them."""
NO_CHIP: Final = Chip("none", "")


def age_words(age_s: float) -> str:
    """Return how long ago something was."""
    seconds = max(0, int(age_s))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def money_words(balance: float, equity: float, currency: str) -> str:
    """Return balance and equity of an account."""
    return f"Balance {balance:,.2f}, equity {equity:,.2f} {currency}".rstrip()


def halt_words(by: str) -> str:
    """Return who halted trading, as a person may read it."""
    known = {
        "console": "on this console",
        "cli": "at the machine",
        "drawdown": "by the limit of drawdown",
    }
    return known.get(by, f"by {by}")


def followed_view(terminal: TerminalStatus, calls: DaemonCalls, now_s: int) -> View:
    """A terminal on a machine, with its figures; what is old is never shown as what is."""
    figures = None
    if terminal.did is not None and terminal.state in KNOWN_STATES:
        figures = calls.figures(terminal.did, terminal.tid)
    is_there = terminal.state == "online" and calls.is_there(terminal.did or "")
    money, stale = _money(figures, now_s, is_there=is_there)
    return {
        **terminal_view(terminal),
        "did": terminal.did,
        "money": money,
        "stale": stale,
        "halt_chip": _halt_chip(figures, now_s),
        "may_halt": terminal.did is not None and terminal.state in KNOWN_STATES,
    }


def _money(figures: Figures | None, now_s: int, *, is_there: bool) -> tuple[Sentence, bool]:
    if figures is None or figures.money is None:
        return (), False
    told, at = figures.money, figures.money_at
    words = money_words(told.balance or 0.0, told.equity or 0.0, told.currency)
    words += ", on paper" if told.paper else ""
    age_s = now_s - at
    if is_there and figures.told.linked and age_s <= FRESH_S:
        return (f"{words} ({age_words(age_s)})",), False
    return (f"Not live, from {age_words(age_s)} (", Moment(at), f"): {words}"), True


def _halt_chip(figures: Figures | None, now_s: int) -> Chip:
    if figures is None or not figures.told.halted_by:
        return NO_CHIP
    if now_s - figures.heard_at > FRESH_S:
        return Chip("idle", "Halted when last heard of")
    return Chip("bad", "Halted")
