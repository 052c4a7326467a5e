"""Tokens: create, see once, list, change, replace, revoke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from gateway.console.errors import ConsoleError, Invalid, Taken, TooMany
from gateway.console.logins import LoginInfo
from gateway.console.runs import RunInfo
from gateway.console.sessions import SessionInfo
from gateway.console.tokens import TokenInfo
from gateway.console.web.visitor import VISITOR
from gateway.credentials.keyset import root_text

from .desk import Desk, go, said
from .history_words import login_view, run_view
from .token_form import FRESH, LIMITS, read_lifetime, read_limits, read_token, shown_limits
from .views import entry_view, succession, summary, terminal_view, token_view, version_of
from .words import LIFETIMES, OVERLAPS, SAME, SCOPES, UNITS

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

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tokens = desk.console.tokens

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in, stepped_up = self._desk.signed_in, self._desk.stepped_up
        one = "/tokens/{tid:[0-9A-Za-z]{12}}"
        return [
            web.get("/tokens", signed_in(self.show_all)),
            web.get("/tokens/new", signed_in(stepped_up("create", self.new))),
            web.post("/tokens", signed_in(stepped_up("create", self.create))),
            web.get(one, signed_in(self.show)),
            web.get(one + "/limits", signed_in(stepped_up("limits", self.limits))),
            web.post(one + "/limits", signed_in(stepped_up("limits", self.set_limits))),
            web.get(one + "/replace", signed_in(stepped_up("create", self.ask_replace))),
            web.post(one + "/replace", signed_in(stepped_up("create", self.replace))),
            web.get(one + "/revoke", signed_in(self.ask_revoke)),
            web.post(one + "/revoke", signed_in(self.revoke)),
            web.post(one + "/resume", signed_in(stepped_up("create", self.resume))),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show all tokens, those that work first."""
        tokens = await self._tokens.list(me.user.id)
        works = [token for token in tokens if token.is_live or token.status == "disabled"]
        values = {
            "live": [token_view(token) for token in works],
            "ended": [token_view(token) for token in tokens if token not in works],
        }
        return await self._desk.page(request, "tokens", values, here="/tokens")

    async def new(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the form."""
        return await self._ask_new(request, FRESH)

    async def create(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make a token and show it, this once.

        The answer is the page itself: there is no address at which it could be seen again.
        """
        form = request[VISITOR].form
        read = read_token(form)
        refused = ""
        if not read.problems:
            try:
                text, token = await self._tokens.create(
                    me.user.id,
                    read.name,
                    platform=read.platform,
                    scopes=[read.scope],
                    lifetime_s=read.lifetime_s,
                    limits=read.limits,
                    strict_terminal=read.strict_terminal,
                )
            except Taken as error:
                read.problems["name"] = str(error)
            except (Invalid, TooMany) as error:
                refused = str(error)
            else:
                return await self._show_once(request, text, token)
        return await self._ask_new(request, form, read.problems, refused)

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show one token."""
        token = await self._mine(request, me)
        terminals = await self._desk.terminals.lines_of(token)
        listed = await self._desk.terminals.list(me.user.id)
        requests = await self._desk.approvals.open_requests(me.user.id)
        log = await self._desk.console.activity.list(me.user.id, limit=200)
        names = {terminal.did: terminal.device for terminal in terminals if terminal.did}
        values = {
            "token": token_view(token),
            "terminals": [terminal_view(terminal) for terminal in terminals],
            "devices": [{"did": did, "name": name} for did, name in names.items()],
            "activity": [entry_view(each) for each in log if each.tid == token.tid][:LOG_LINES],
            "runs": [run_view(each) for each in await self._runs(token)],
            "logins": [login_view(each) for each in await self._logins(token)],
            "of_one": True,
            "succession": succession(token, await self._tokens.list(me.user.id)),
            "version": version_of(listed, requests),
            "said": said(request, _SAID),
        }
        return await self._desk.page(request, "token", values, here="/tokens")

    async def _runs(self, token: TokenInfo) -> Sequence[RunInfo]:
        runs = self._desk.console.runs
        return await runs.list(token.user_id, limit=HISTORY_LINES, tid=token.tid)

    async def _logins(self, token: TokenInfo) -> Sequence[LoginInfo]:
        logins = self._desk.console.logins
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
        if read.problems:
            return await self._ask_limits(request, token, form, read.problems)
        try:
            await self._tokens.update_limits(
                me.user.id, token.tid, read.limits, strict_terminal=read.strict_terminal
            )
        except Invalid as error:
            return await self._ask_limits(request, token, form, refused=str(error))
        return go(f"/tokens/{token.tid}", done="limits")

    async def ask_replace(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Ask how long the old token goes on."""
        return await self._ask_overlap(request, await self._mine(request, me))

    async def replace(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make the successor and show it, this once."""
        token = await self._mine(request, me)
        form = request[VISITOR].form
        problems: dict[str, str] = {}
        overlap = form.get("overlap_s", "")
        if overlap not in {seconds for seconds, _, _ in OVERLAPS}:
            return await self._ask_overlap(request, token, "Choose one of the three.")
        lifetime_s = read_lifetime({"lifetime": SAME, **form}, problems)
        if problems:
            return await self._ask_overlap(request, token, problems=problems)
        try:
            text, fresh = await self._tokens.replace(
                me.user.id, token.tid, overlap_s=int(overlap), lifetime_s=lifetime_s
            )
        except ConsoleError as error:
            return await self._ask_overlap(request, token, str(error))
        return await self._show_once(request, text, fresh)

    async def ask_revoke(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will stop."""
        token = await self._mine(request, me)
        if token.status == "revoked":
            return go(f"/tokens/{token.tid}")
        terminals = await self._desk.terminals.lines_of(token)
        where = ", ".join(terminal.device for terminal in terminals if terminal.did)
        values = {"token": token_view(token), "where": where}
        return await self._desk.page(request, "token_revoke", values, here="/tokens")

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
        terminals = await self._desk.terminals.lines_of(token)
        listed = await self._desk.terminals.list(user_id)
        requests = await self._desk.approvals.open_requests(user_id)
        values = {
            "text": text,
            "root": root_text(await self._desk.console.signing.root()),
            "token": token_view(token),
            "terminal": {**summary(terminals, requests), "key": token.tid},
            "version": version_of(listed, requests),
        }
        return await self._desk.page(request, "token_created", values, here="/tokens")

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
        return await self._desk.page(request, "token_new", values, status=status, here="/tokens")

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
        return await self._desk.page(
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
        return await self._desk.page(
            request, "token_replace", values, status=status, here="/tokens"
        )
