"""Pages of tokens: create, see once, list, change, replace, revoke; and the form, read.

What is missing or wrong in the form is said at its field, in plain words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from gateway.console.errors import ConsoleError, Invalid, Taken, TooMany
from gateway.console.reports import LoginInfo, RunInfo
from gateway.console.sessions import SessionInfo
from gateway.console.terminals import TerminalStatus
from gateway.console.tokens import AS_BEFORE, MAX_LIFETIME_S, TokenInfo, sentence
from gateway.console.web.request_context import VISITOR
from gateway.credentials.keyset import DAY_S, root_text
from gateway.credentials.record import (
    NAME,
    LimitsError,
    Scope,
    TradeLimits,
    read_count,
    read_number,
    read_symbols,
)

from .context import PageContext, go, said
from .views import (
    LIFETIMES,
    OVERLAPS,
    OWN,
    SAME,
    SCOPES,
    UNITS,
    View,
    entry_view,
    followed_view,
    login_view,
    run_view,
    succession,
    summary,
    token_view,
    version_of,
)

LIMITS: Final[Mapping[str, Callable[[str], object]]] = {
    "max_lot": read_number,
    "max_open_lots": read_number,
    "max_daily_loss": read_number,
    "max_orders_per_min": read_count,
    "collar_bps": read_count,
    "allowed_symbols": read_symbols,
}
"""The fields of the limits, all that a record has, and how each is read."""
HOUR_S: Final = 3600
UNITS_S: Final = {"hours": HOUR_S, "days": DAY_S, "weeks": 7 * DAY_S}
MAX_DIGITS: Final = 6
OWN_TIME: Final = "Give a whole number: one hour at least, ten years at most."
FRESH: Final = {
    "platform": "mt5",
    "lifetime": "90",
    "lifetime_unit": "days",
    "scope": "trade",
    "strict_terminal": "yes",
}
"""What a new form proposes."""


@dataclass
class TokenForm:
    """A form that was read; it can be used if there are no ``problems``."""

    name: str = ""
    platform: str | None = None
    scope: str = ""
    remote: bool = False
    lifetime_s: int | None = None
    limits: TradeLimits = field(default_factory=TradeLimits)
    strict_terminal: bool = True
    problems: dict[str, str] = field(default_factory=dict)
    """What to do, by the name of the field."""


def read_token(form: Mapping[str, str]) -> TokenForm:
    """Read the form of a new token."""
    read = read_limits(form)
    read.name = form.get("name", "").strip()
    if not NAME.fullmatch(read.name):
        read.problems["name"] = (
            "Give a name of 1 to 64 letters, digits, dots, dashes or underscores, without spaces. "
            "It begins with a letter or digit."
        )
    read.platform = form.get("platform") or None
    if read.platform not in ("mt4", "mt5", None):
        read.problems["platform"] = "Choose one of the platforms."
    read.lifetime_s = read_lifetime(form, read.problems)
    read.scope = form.get("scope", "")
    if read.scope not in {scope.value for scope in SCOPES}:
        read.problems["scope"] = "Choose what the token may do."
    read.remote = form.get("remote") == "yes"
    return read


def read_lifetime(form: Mapping[str, str], problems: dict[str, str]) -> int | None:
    """Return how long a token is to live: seconds, ``None`` for ever, or ``AS_BEFORE``.

    Args:
        form: with ``lifetime``, and for a time of one's own ``lifetime_count`` and
            ``lifetime_unit``.
        problems: gets what is wrong, under ``lifetime``.

    """
    chosen = form.get("lifetime", "")
    if chosen == SAME:
        return AS_BEFORE
    if chosen not in {value for value, _ in LIFETIMES}:
        problems["lifetime"] = "Choose one of the times."
        return None
    if chosen != OWN:
        return int(chosen) * DAY_S if chosen else None
    count, unit_s = (
        form.get("lifetime_count", "").strip(),
        UNITS_S.get(form.get("lifetime_unit", "")),
    )
    # `int` reads digits of all scripts, and fails at thousands of them
    if unit_s is None or not count.isascii() or not count.isdecimal() or len(count) > MAX_DIGITS:
        problems["lifetime"] = OWN_TIME
        return None
    lifetime_s = int(count) * unit_s
    if not HOUR_S <= lifetime_s <= MAX_LIFETIME_S:
        problems["lifetime"] = OWN_TIME
        return None
    return lifetime_s


def read_limits(form: Mapping[str, str]) -> TokenForm:
    """Read the fields of the limits; an empty one sets none."""
    read = TokenForm(strict_terminal=form.get("strict_terminal") == "yes")
    given: dict[str, object] = {}
    for name, read_field in LIMITS.items():
        text = form.get(name, "").strip()
        if text:
            try:
                given[name] = read_field(text)
            except LimitsError as error:
                read.problems[name] = sentence(error)
    read.limits = TradeLimits.model_validate(given)
    return read


def shown_limits(limits: TradeLimits) -> dict[str, str]:
    """Return limits as the form shows them."""
    shown = {name: getattr(limits, name) for name in LIMITS}
    shown["allowed_symbols"] = ", ".join(limits.allowed_symbols or ()) or None
    return {name: str(value) for name, value in shown.items() if value is not None}


_SAID: Final = {
    "revoked": "The token is revoked. Below you see when each machine has stopped.",
    "limits": "The limits are saved. Machines that are connected have them in a moment.",
    "resumed": "The token works again.",
}
LOG_LINES: Final = 20
HISTORY_LINES: Final = 5
MARKED: Final = "Please look at the marked fields."


class TokenPages:
    """The pages of tokens. A token of somebody else is not there."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._tokens = context.console.tokens

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in, stepped_up = self._context.signed_in, self._context.stepped_up
        page = "/tokens/{tid:[0-9A-Za-z]{12}}"
        return [
            web.get("/tokens", signed_in(self.show_all)),
            web.get("/tokens/new", signed_in(stepped_up("create", self.new))),
            web.post("/tokens", signed_in(stepped_up("create", self.create, self._check_new))),
            web.get(page, signed_in(self.show)),
            web.get(page + "/limits", signed_in(stepped_up("limits", self.limits))),
            web.post(
                page + "/limits",
                signed_in(stepped_up("limits", self.set_limits, self._check_limits)),
            ),
            web.get(page + "/replace", signed_in(stepped_up("create", self.ask_replace))),
            web.post(
                page + "/replace",
                signed_in(stepped_up("create", self.replace, self._check_replace)),
            ),
            web.get(page + "/revoke", signed_in(self.ask_revoke)),
            web.post(page + "/revoke", signed_in(self.revoke)),
            web.post(page + "/resume", signed_in(stepped_up("create", self.resume))),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show all tokens, those that work first."""
        tokens = await self._tokens.list(me.user.id)
        works = [token for token in tokens if token.is_live or token.status == "disabled"]
        used = await self._context.console.logins.last_used(me.user.id)
        lines = await self._context.terminals.list(me.user.id)
        views = {
            token.tid: {
                **token_view(token, used.get(token.tid)),
                "terminals": self._followed(line for line in lines if line.tid == token.tid),
            }
            for token in tokens
        }
        values = {
            "live": [views[token.tid] for token in works],
            "ended": [views[token.tid] for token in tokens if token not in works],
            "version": version_of(lines, await self._context.approvals.open_requests(me.user.id)),
        }
        return await self._context.page(request, "tokens", values, here="/tokens")

    def _followed(self, lines: Iterable[TerminalStatus]) -> Sequence[View]:
        console = self._context.console
        views = (followed_view(line, console.calls, console.now_s()) for line in lines)
        return [view for view in views if view["may_halt"]]

    async def new(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the form."""
        return await self._ask_new(request, FRESH)

    async def create(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make a token and show it, this once.

        The answer is the page itself: there is no address at which it could be seen again.
        """
        form = request[VISITOR].form
        read = read_token(form)
        try:
            text, token = await self._tokens.create(
                me.user.id,
                read.name,
                platform=read.platform,
                scopes=[read.scope, *([Scope.REMOTE] if read.remote else [])],
                lifetime_s=read.lifetime_s,
                limits=read.limits,
                strict_terminal=read.strict_terminal,
            )
        except Taken as error:
            return await self._ask_new(request, form, {"name": str(error)})
        except (Invalid, TooMany) as error:
            return await self._ask_new(request, form, refused=str(error))
        # no redirect here: there is no address at which a token could be seen again
        return await self._show_once(request, text, token)

    async def _check_new(self, request: web.Request, me: SessionInfo) -> web.StreamResponse | None:
        form = request[VISITOR].form
        read = read_token(form)
        live = {token.name for token in await self._tokens.list(me.user.id) if token.is_live}
        if read.name in live:
            read.problems["name"] = (
                f"A token named {read.name} exists already. Replace or revoke it, or rename this."
            )
        return await self._ask_new(request, form, read.problems) if read.problems else None

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show one token."""
        token, console = await self._mine(request, me), self._context.console
        terminals = await self._context.terminals.lines_of(token)
        listed = await self._context.terminals.list(me.user.id)
        requests = await self._context.approvals.open_requests(me.user.id)
        log = await self._context.console.activity.list(me.user.id, limit=200)
        used = await self._context.console.logins.last_used(me.user.id)
        names = {terminal.did: terminal.device for terminal in terminals if terminal.did}
        values = {
            "token": token_view(token, used.get(token.tid)),
            "terminals": [
                followed_view(terminal, console.calls, console.now_s()) for terminal in terminals
            ],
            "devices": [{"did": did, "name": name} for did, name in names.items()],
            "activity": [entry_view(one, names) for one in log if one.tid == token.tid][
                :LOG_LINES
            ],
            "runs": [run_view(run) for run in await self._runs(token)],
            "logins": [login_view(login) for login in await self._logins(token)],
            "of_one": True,
            "succession": succession(token, await self._tokens.list(me.user.id)),
            "version": version_of(listed, requests),
            "said": said(request, _SAID),
        }
        return await self._context.page(request, "token", values, here="/tokens")

    async def _runs(self, token: TokenInfo) -> Sequence[RunInfo]:
        runs = self._context.console.reports
        return await runs.list(token.user_id, limit=HISTORY_LINES, tid=token.tid)

    async def _logins(self, token: TokenInfo) -> Sequence[LoginInfo]:
        logins = self._context.console.logins
        return await logins.list(token.user_id, limit=HISTORY_LINES, tid=token.tid)

    async def limits(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the form of the limits."""
        token = await self._mine(request, me)
        form = shown_limits(token.limits)
        if token.strict_terminal:
            form["strict_terminal"] = "yes"
        return await self._ask_limits(request, token, form)

    async def set_limits(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Change the limits."""
        token = await self._mine(request, me)
        form = request[VISITOR].form
        read = read_limits(form)
        try:
            await self._tokens.update_limits(
                me.user.id, token.tid, read.limits, strict_terminal=read.strict_terminal
            )
        except Invalid as error:
            return await self._ask_limits(request, token, form, refused=str(error))
        return go(f"/tokens/{token.tid}", done="limits")

    async def _check_limits(
        self, request: web.Request, me: SessionInfo
    ) -> web.StreamResponse | None:
        token, form = await self._mine(request, me), request[VISITOR].form
        problems = read_limits(form).problems
        return await self._ask_limits(request, token, form, problems) if problems else None

    async def ask_replace(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Ask how long the old token goes on."""
        return await self._ask_overlap(request, await self._mine(request, me))

    async def replace(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make the successor and show it, this once."""
        token = await self._mine(request, me)
        form = request[VISITOR].form
        overlap_s = int(form["overlap_s"])
        lifetime_s = read_lifetime({"lifetime": SAME, **form}, {})
        try:
            text, fresh = await self._tokens.replace(
                me.user.id, token.tid, overlap_s=overlap_s, lifetime_s=lifetime_s
            )
        except ConsoleError as error:
            return await self._ask_overlap(request, token, str(error))
        return await self._show_once(request, text, fresh)

    async def _check_replace(
        self, request: web.Request, me: SessionInfo
    ) -> web.StreamResponse | None:
        token, form = await self._mine(request, me), request[VISITOR].form
        problems: dict[str, str] = {}
        # what the form offers, and nothing in between: the service would take any number
        if form.get("overlap_s", "") not in {seconds for seconds, _, _ in OVERLAPS}:
            return await self._ask_overlap(request, token, "Choose one of the three.")
        read_lifetime({"lifetime": SAME, **form}, problems)
        return await self._ask_overlap(request, token, problems=problems) if problems else None

    async def ask_revoke(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will stop."""
        token = await self._mine(request, me)
        if token.status == "revoked":
            return go(f"/tokens/{token.tid}")
        terminals = await self._context.terminals.lines_of(token)
        where = ", ".join(terminal.device for terminal in terminals if terminal.did)
        values = {"token": token_view(token), "where": where}
        return await self._context.page(request, "token_revoke", values, here="/tokens")

    async def revoke(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """End the token. No password is asked for: ending must be quick."""
        token = await self._tokens.revoke(me.user.id, request.match_info["tid"])
        return go(f"/tokens/{token.tid}", done="revoked")

    async def resume(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Let a suspended token work again."""
        token = await self._tokens.resume(me.user.id, request.match_info["tid"])
        return go(f"/tokens/{token.tid}", done="resumed")

    async def _mine(self, request: web.Request, me: SessionInfo) -> TokenInfo:
        return await self._tokens.get(me.user.id, request.match_info["tid"])

    async def _show_once(
        self, request: web.Request, text: str, token: TokenInfo
    ) -> web.StreamResponse:
        user_id = token.user_id
        terminals = await self._context.terminals.lines_of(token)
        listed = await self._context.terminals.list(user_id)
        requests = await self._context.approvals.open_requests(user_id)
        values = {
            "text": text,
            "root": root_text(await self._context.console.signing.root()),
            "token": token_view(token),
            "terminal": {**summary(terminals, requests), "key": token.tid},
            "version": version_of(listed, requests),
        }
        return await self._context.page(request, "token_created", values, here="/tokens")

    async def _ask_new(
        self,
        request: web.Request,
        form: Mapping[str, str],
        problems: Mapping[str, str] | None = None,
        refused: str = "",
    ) -> web.Response:
        problems = problems or {}
        values = {
            "form": form,
            "problems": problems,
            "refused": refused or (MARKED if problems else ""),
            "scopes": SCOPES,
            "lifetimes": LIFETIMES,
            "units": UNITS,
            "open_limits": bool(problems.keys() - {"name", "lifetime"})
            or any(form.get(f) for f in LIMITS),
        }
        status = 422 if problems or refused else 200
        return await self._context.page(
            request, "token_new", values, status=status, here="/tokens"
        )

    async def _ask_limits(
        self,
        request: web.Request,
        token: TokenInfo,
        form: Mapping[str, str],
        problems: Mapping[str, str] | None = None,
        refused: str = "",
    ) -> web.Response:
        values = {
            "token": token_view(token),
            "form": form,
            "problems": problems or {},
            "refused": refused or (MARKED if problems else ""),
        }
        status = 422 if problems or refused else 200
        return await self._context.page(
            request, "token_limits", values, status=status, here="/tokens"
        )

    async def _ask_overlap(
        self,
        request: web.Request,
        token: TokenInfo,
        refused: str = "",
        problems: Mapping[str, str] | None = None,
    ) -> web.Response:
        fresh = {"overlap_s": "3600", "lifetime": SAME, "lifetime_unit": "days"}
        values = {
            "token": token_view(token),
            "overlaps": OVERLAPS,
            "lifetimes": ((SAME, "after as long as the old one"), *LIFETIMES),
            "units": UNITS,
            "ends_label": "The new one ends",
            "form": {**fresh, **request[VISITOR].form},
            "problems": problems or {},
            "refused": refused or (MARKED if problems else ""),
        }
        status = 422 if problems or refused else 200
        return await self._context.page(
            request, "token_replace", values, status=status, here="/tokens"
        )
