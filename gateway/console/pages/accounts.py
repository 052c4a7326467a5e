"""Pages of trading accounts that are registered on machines: list, register, look, change, delete.

The accounts lie on the machines; nothing of them is kept here. Each page asks the machine for what
it shows, in the name of a token of the person's that may manage there. A broker's password passes
through one form, is sealed for the machine, and is put into no page, also not into the form that
is shown again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from gateway.console.activity import Outcome
from gateway.console.daemon_calls import Figures, MachineAnswer, MachineAway
from gateway.console.errors import ConsoleError, NotFound, StepUpNeeded
from gateway.console.sessions import SessionInfo
from gateway.console.terminals import TerminalStatus
from gateway.console.web.request_context import VISITOR, session_of
from gateway.credentials.console_call import CallName
from gateway.credentials.record import IMPLIED, Scope

from .account_forms import (
    BROKER_PASSWORD,
    KINDS,
    PROBLEMS,
    account_view,
    changed_settings,
    info_words,
    log_view,
    problems_of,
    read_registration,
    read_server,
    read_settings,
    shown_account,
    shown_before,
    stats_view,
)
from .context import COPIED, PASSWORD_FIELD, PageContext, go, said
from .views import KNOWN_STATES, View

HERE: Final = "/accounts"
MACHINE: Final = "/accounts/{did:[a-z2-7]{52}}"
ONE: Final = MACHINE + "/{account:[1-9][0-9]{0,17}}"
LOOK_S: Final = 8
"""For what a machine knows by itself."""
LOGIN_S: Final = 50
"""For a login: the first one to a server downloads its symbols."""
MARKED: Final = "Please look at the marked fields."
FRESH: Final = {
    "is_live": "",
    "max_lot_size": "0.10",
    "risk_percent": "1",
    "auto_trade_enabled": "yes",
    "account_type": "USD",
}
_SAID: Final = {
    "registered": "The machine has logged in to the account and registered it.",
    "changed": "The machine has saved the settings. They count from the next order on.",
    "password": "The machine has tried the new login and keeps it.",
    "deleted": "The machine has deleted the account and its password.",
}
NONE_MANAGES: Final = (
    "Accounts are managed in the name of a token of yours that may look, trade and manage, and "
    "that a terminal on this machine uses. There is none here."
)
OPTION_OFF: Final = (
    "The owner of this machine has not allowed it. Set manage_accounts = true under [console] in "
    "its config.toml, then start the gateway anew."
)
NOT_THERE: Final = "The machine is not connected: see that its gateway runs."


@dataclass(frozen=True)
class ManagedMachine:
    """A machine, as far as its accounts can be managed from here."""

    did: str
    name: str
    lines: Sequence[TerminalStatus]
    tid: str | None
    """Of the token in whose name it is asked."""
    why_not: str = ""
    """Why it cannot be asked; empty if it can."""


# --- pages ----------------------------------------------------------------------------------


class RegisteredAccountPages:
    """The pages of accounts. A machine of somebody else is not there."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._console = context.console
        self._calls = context.console.calls

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in, stepped_up = self._context.signed_in, self._context.stepped_up
        return [
            web.get(HERE, signed_in(self.show_all)),
            web.get(MACHINE + "/new", signed_in(self.new)),
            web.post(MACHINE, signed_in(self.register)),
            web.get(ONE, signed_in(self.show)),
            web.post(ONE, signed_in(stepped_up("accounts", self.change, self._check_change))),
            web.post(ONE + "/check", signed_in(self.check)),
            web.get(ONE + "/password", signed_in(self.ask_password)),
            web.post(ONE + "/password", signed_in(self.set_password)),
            web.get(ONE + "/delete", signed_in(self.ask_delete)),
            web.post(ONE + "/delete", signed_in(stepped_up("accounts", self.delete))),
        ]

    # --- look --------------------------------------------------------------------------------

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the accounts of all machines; each is asked now."""
        machines = await self._machines(me)
        listed = await asyncio.gather(*(self._list(machine) for machine in machines))
        values = {
            "machines": [
                {
                    "did": machine.did,
                    "name": machine.name,
                    "why_not": why_not,
                    "accounts": accounts,
                }
                for machine, (why_not, accounts) in zip(machines, listed, strict=True)
            ],
            "said": said(request, _SAID),
        }
        return await self._context.page(request, "accounts", values, here=HERE)

    async def _list(self, machine: ManagedMachine) -> tuple[str, Sequence[View]]:
        if machine.why_not:
            return machine.why_not, []
        try:
            answer = await self._ask(machine, "list_accounts")
        except ConsoleError as error:
            return str(error), []
        found = answer.content if isinstance(answer.content, list) else []
        accounts = [one for one in found if isinstance(one, Mapping)]
        return answer.problem, [self._view(machine, one) for one in accounts]

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show one account: its figures, settings, statistics and the log of its switch."""
        machine = await self._machine(request, me)
        return await self._page(request, machine, said_words=said(request, _SAID))

    async def check(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Ask the account's terminal for its money, or have a terminal log in to it."""
        machine = await self._machine(request, me)
        try:
            answer = await self._ask(
                machine, "get_account_info", account_id=_id(request), wait_s=LOGIN_S
            )
        except MachineAway as away:
            return await self._page(request, machine, refused=str(away))
        if answer.problem:
            return await self._page(request, machine, refused=answer.problem)
        words = info_words(answer.content)
        return await self._page(request, machine, said_words=words)

    # --- register ----------------------------------------------------------------------------

    async def new(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the form."""
        machine = await self._machine(request, me)
        return await self._ask_new(request, machine, FRESH, refused=machine.why_not)

    async def register(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Have the machine log in to an account and register it."""
        machine, form = await self._machine(request, me), request[VISITOR].form
        read = read_registration(form)
        await self._read_passwords(request, me, read.problems)
        if read.problems:
            return await self._ask_new(request, machine, form, read.problems)
        words = f"{read.values['login']} at {read.values['server']}"
        refused, problems = await self._change(
            request,
            me,
            machine,
            "register_account",
            body=read.values,
            password=form[BROKER_PASSWORD],
            detail=words,
        )
        if refused:
            return await self._ask_new(request, machine, form, problems, refused=refused)
        return go(HERE, done="registered")

    async def ask_password(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the form of another password or server."""
        machine = await self._machine(request, me)
        account, refused = await self._account(request, machine)
        return await self._ask_login(
            request, machine, shown_account(account), account, refused=refused
        )

    async def set_password(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Have the machine try another password or server, and keep it."""
        machine, form = await self._machine(request, me), request[VISITOR].form
        problems: dict[str, str] = {}
        server = read_server(form, problems)
        await self._read_passwords(request, me, problems)
        account, refused = await self._account(request, machine)
        if not problems and not refused:
            refused, problems = await self._change(
                request,
                me,
                machine,
                "update_account",
                account_id=_id(request),
                body={"server": server},
                password=form[BROKER_PASSWORD],
                detail=f"{account.get('login')}, password",
            )
        if problems or refused:
            return await self._ask_login(request, machine, form, account, problems, refused)
        return go(_path(request), done="password")

    # --- change ------------------------------------------------------------------------------

    async def change(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Have the machine change an account's limits and switches."""
        machine, form = await self._machine(request, me), request[VISITOR].form
        refused, problems = await self._change(
            request,
            me,
            machine,
            "update_account",
            account_id=_id(request),
            body=changed_settings(form),
            detail=form.get("name", "")[:100],
        )
        if refused:
            return await self._page(
                request, machine, form=form, problems=problems, refused=refused
            )
        return go(_path(request), done="changed")

    async def _check_change(
        self, request: web.Request, me: SessionInfo
    ) -> web.StreamResponse | None:
        problems = read_settings(request[VISITOR].form).problems
        if not problems:
            return None
        machine = await self._machine(request, me)
        return await self._page(
            request, machine, form=request[VISITOR].form, problems=problems, refused=MARKED
        )

    async def ask_delete(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will be gone."""
        machine = await self._machine(request, me)
        account, refused = await self._account(request, machine)
        return await self._ask_delete(request, machine, account, refused)

    async def delete(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Have the machine delete an account and its password."""
        machine = await self._machine(request, me)
        account, refused = await self._account(request, machine)
        if not refused:
            refused, _ = await self._change(
                request,
                me,
                machine,
                "delete_account",
                account_id=_id(request),
                detail=str(account.get("login", "")),
            )
        if refused:
            return await self._ask_delete(request, machine, account, refused)
        return go(HERE, done="deleted")

    # --- machines ----------------------------------------------------------------------------

    async def _machines(self, me: SessionInfo) -> Sequence[ManagedMachine]:
        tokens = await self._console.tokens.list(me.user.id)
        managing = {
            token.tid
            for token in tokens
            if token.is_live and any(Scope.ADMIN in IMPLIED[one] for one in token.scopes)
        }
        lines = [
            line
            for line in await self._context.terminals.list(me.user.id)
            if line.did is not None and (line.state in KNOWN_STATES or line.state == "unused")
        ]
        dids = dict.fromkeys(str(line.did) for line in lines)
        copied = await self._console.clones.suspended(me.user.id)
        machines = [
            self._new_machine(did, [line for line in lines if line.did == did], managing)
            for did in dids
        ]
        # a password would go to whoever has copied the key
        return [replace(one, why_not=COPIED) if one.did in copied else one for one in machines]

    def _new_machine(
        self, did: str, lines: Sequence[TerminalStatus], managing: Iterable[str]
    ) -> ManagedMachine:
        tid = next((line.tid for line in lines if line.tid in managing), None)
        why_not = ""
        if not self._calls.is_there(did):
            why_not = NOT_THERE
        elif self._calls.manages(did) is False:
            why_not = OPTION_OFF
        elif tid is None:
            why_not = NONE_MANAGES
        return ManagedMachine(
            did, lines[0].device or "a machine without name", lines, tid, why_not
        )

    async def _machine(self, request: web.Request, me: SessionInfo) -> ManagedMachine:
        for machine in await self._machines(me):
            if machine.did == request.match_info["did"]:
                return machine
        raise NotFound("There is no such machine of yours.")

    async def _ask(
        self,
        machine: ManagedMachine,
        name: CallName,
        *,
        account_id: int | None = None,
        body: Mapping[str, Any] | None = None,
        password: str = "",
        wait_s: int = LOOK_S,
    ) -> MachineAnswer:
        if machine.why_not or machine.tid is None:
            raise MachineAway(machine.why_not)
        return await self._calls.ask(
            machine.did,
            machine.tid,
            name,
            account_id=account_id,
            body=body,
            password=password,
            wait_s=wait_s,
        )

    async def _change(
        self,
        request: web.Request,
        me: SessionInfo,
        machine: ManagedMachine,
        name: CallName,
        *,
        detail: str,
        account_id: int | None = None,
        body: Mapping[str, Any] | None = None,
        password: str = "",
    ) -> tuple[str, dict[str, str]]:
        """Ask for a change and note it; return why it was refused, and what fields are wrong."""
        problems: dict[str, str] = {}
        try:
            answer = await self._ask(
                machine, name, account_id=account_id, body=body, password=password, wait_s=LOGIN_S
            )
            refused = answer.problem
            problems = problems_of(answer) if refused else {}
        except ConsoleError as error:
            refused = str(error)
        await self._note(request, me, machine, name, "refused" if refused else "ok", detail)
        return (MARKED if problems else refused), problems

    async def _note(
        self,
        request: web.Request,
        me: SessionInfo,
        machine: ManagedMachine,
        name: CallName,
        outcome: Outcome,
        detail: str,
    ) -> None:
        visitor = request[VISITOR]
        events = {"register_account": "registered", "delete_account": "deleted"}
        async with self._console.db.begin() as session:
            self._console.activity.note(
                session,
                f"account.{events.get(name, 'changed')}",
                user_id=me.user.id,
                outcome=outcome,
                tid=machine.tid,
                did=machine.did,
                ip=visitor.address,
                agent=visitor.agent,
                detail=f"{detail}, on {machine.name}",
            )

    async def _account(
        self, request: web.Request, machine: ManagedMachine
    ) -> tuple[Mapping[str, Any], str]:
        """Return an account as its machine tells it, and why it does not."""
        try:
            answer = await self._ask(machine, "get_account", account_id=_id(request))
        except MachineAway as away:
            return {}, str(away)
        if answer.status == 404:
            raise NotFound("There is no such account on this machine.")
        content = answer.content if isinstance(answer.content, Mapping) else {}
        return ({}, answer.problem) if answer.problem else (content, "")

    async def _read_passwords(
        self, request: web.Request, me: SessionInfo, problems: dict[str, str]
    ) -> None:
        """See that both passwords are there, and that the console's own is right.

        Each such form asks for it: the page that else asks for the password would have to carry
        the broker's along.
        """
        visitor = request[VISITOR]
        if not 0 < len(visitor.form.get(BROKER_PASSWORD, "")) <= 256:
            problems[BROKER_PASSWORD] = PROBLEMS[BROKER_PASSWORD]
        own = visitor.form.get(PASSWORD_FIELD, "")
        if not own:
            problems[PASSWORD_FIELD] = PROBLEMS[PASSWORD_FIELD]
        if problems:
            return
        refused = await self._context.step_up(request, me, own)
        if refused:
            problems[PASSWORD_FIELD] = refused
            return
        try:
            await self._console.sessions.use_step_up(visitor.secret, session_of(request))
        except StepUpNeeded:  # another act of the same moment has used it
            problems[PASSWORD_FIELD] = PROBLEMS[PASSWORD_FIELD]

    def _view(self, machine: ManagedMachine, account: Mapping[str, Any]) -> View:
        now_s = self._console.now_s()
        return account_view(account, self._figures(machine, account), now_s)

    def _figures(self, machine: ManagedMachine, account: Mapping[str, Any]) -> Figures | None:
        for line in machine.lines:
            figures = self._calls.figures(machine.did, line.tid)
            if figures is None or figures.money is None:
                continue
            told = figures.money
            same_server = told.server.casefold() == str(account.get("server", "")).casefold()
            if told.login == account.get("login") and same_server:
                return figures
        return None

    # --- pages -------------------------------------------------------------------------------

    async def _page(
        self,
        request: web.Request,
        machine: ManagedMachine,
        *,
        said_words: str = "",
        refused: str = "",
        form: Mapping[str, str] | None = None,
        problems: Mapping[str, str] | None = None,
    ) -> web.StreamResponse:
        account, away = await self._account(request, machine)
        stats, log = MachineAnswer(200, {}), MachineAnswer(200, [])
        if not away:
            try:
                stats, log = await asyncio.gather(
                    self._ask(machine, "get_account_stats", account_id=_id(request)),
                    self._ask(machine, "list_kill_switch_log"),
                )
            except MachineAway as error:
                away = str(error)
        values = {
            "machine": machine,
            "path": _path(request),
            "account": self._view(machine, account) if account else None,
            "stats": stats_view(stats),
            "log": log_view(log),
            "form": form if form is not None else shown_account(account),
            "was": shown_before(form) if form is not None else shown_account(account),
            "problems": problems or {},
            "kinds": KINDS,
            "said": said_words,
            "refused": refused or away,
        }
        status = 422 if problems else 503 if refused or away else 200
        return await self._context.page(request, "account_one", values, status=status, here=HERE)

    async def _ask_new(
        self,
        request: web.Request,
        machine: ManagedMachine,
        form: Mapping[str, str],
        problems: Mapping[str, str] | None = None,
        refused: str = "",
    ) -> web.StreamResponse:
        values = {
            "machine": machine,
            "form": form,
            "problems": problems or {},
            "kinds": KINDS,
            "refused": refused or (MARKED if problems else ""),
        }
        status = 422 if problems else 503 if refused else 200
        return await self._context.page(request, "account_new", values, status=status, here=HERE)

    async def _ask_login(
        self,
        request: web.Request,
        machine: ManagedMachine,
        form: Mapping[str, str],
        account: Mapping[str, Any],
        problems: Mapping[str, str] | None = None,
        refused: str = "",
    ) -> web.StreamResponse:
        values = {
            "machine": machine,
            "path": _path(request),
            "account": self._view(machine, account),
            "form": form,
            "problems": problems or {},
            "refused": refused or (MARKED if problems else ""),
        }
        status = 422 if problems else 503 if refused else 200
        return await self._context.page(request, "account_login", values, status=status, here=HERE)

    async def _ask_delete(
        self,
        request: web.Request,
        machine: ManagedMachine,
        account: Mapping[str, Any],
        refused: str,
    ) -> web.StreamResponse:
        values = {
            "machine": machine,
            "path": _path(request),
            "account": self._view(machine, account),
            "refused": refused,
        }
        status = 503 if refused else 200
        return await self._context.page(
            request, "account_delete", values, status=status, here=HERE
        )


def _id(request: web.Request) -> int:
    return int(request.match_info["account"])


def _path(request: web.Request) -> str:
    return f"/accounts/{request.match_info['did']}/{_id(request)}"
