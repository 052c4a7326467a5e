"""Page on which trading of a terminal is halted, and a halt of this console's is lifted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from gateway.console.activity import Outcome
from gateway.console.daemon_calls import MachineAnswer, MachineAway
from gateway.console.errors import NotFound
from gateway.console.sessions import SessionInfo
from gateway.console.terminals import TerminalStatus
from gateway.console.web.request_context import VISITOR
from gateway.credentials.console_call import CallName

from .context import COPIED, PageContext, go
from .views import KNOWN_STATES, age_words, halt_words

MAX_REASON: Final = 200
TERMINAL: Final = "/terminals/{tid:[0-9A-Za-z]{12}}/{did:[a-z2-7]{52}}"
_SAID: Final = {
    "halted": ("good", "Confirmed by the machine: trading is halted."),
    "resumed": ("good", "Confirmed by the machine: trading goes on."),
    "left": ("warn", "The machine has lifted this console's halt, and another one is left."),
}


class HaltPages:
    """The page of one terminal's halt. A terminal of somebody else is not there."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._console = context.console

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in, stepped_up = self._context.signed_in, self._context.stepped_up
        return [
            web.get(TERMINAL + "/halt", signed_in(self.show)),
            # no password is asked for: ending must be quick
            web.post(TERMINAL + "/halt", signed_in(self.halt)),
            web.post(TERMINAL + "/resume", signed_in(stepped_up("resume", self.resume))),
        ]

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show whether the terminal is halted, as far as its machine has said."""
        return await self._page(request, await self._mine(request, me))

    async def halt(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Halt trading, and say whether the machine has confirmed it."""
        terminal, form = await self._mine(request, me), request[VISITOR].form
        reason = form.get("reason", "").strip()
        if len(reason) > MAX_REASON or not reason.isprintable():
            problems = {"reason": f"Give at most {MAX_REASON} characters, in one line."}
            return await self._page(request, terminal, form=form, problems=problems)
        return await self._turn(request, me, terminal, "halt", {"reason": reason})

    async def resume(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Lift a halt that was made here; the machine keeps any other."""
        return await self._turn(request, me, await self._mine(request, me), "resume", None)

    async def _turn(
        self,
        request: web.Request,
        me: SessionInfo,
        terminal: TerminalStatus,
        name: CallName,
        body: Mapping[str, str] | None,
    ) -> web.StreamResponse:
        try:
            answer = await self._console.calls.ask(
                terminal.did or "", terminal.tid, name, body=body
            )
            problem = answer.problem
        except MachineAway as away:
            answer, problem = None, str(away)
        # it was asked all the same: it may be the right one that has halted
        if terminal.did in await self._console.clones.suspended(me.user.id):
            problem = COPIED
        await self._note(request, me, terminal, name, "failed" if problem else "ok")
        if answer is None or problem:
            words = f"Not confirmed. {problem}"
            return await self._page(request, terminal, refused=words, form=request[VISITOR].form)
        self._console.calls.turned(terminal.did or "", terminal.tid, answer.content)
        done = "halted" if name == "halt" else "left" if _halts(answer) else "resumed"
        return go(f"{_path(terminal)}/halt", done=done)

    async def _note(
        self,
        request: web.Request,
        me: SessionInfo,
        terminal: TerminalStatus,
        name: str,
        outcome: Outcome,
    ) -> None:
        visitor = request[VISITOR]
        async with self._console.db.begin() as session:
            self._console.activity.note(
                session,
                "terminal.halted" if name == "halt" else "terminal.resumed",
                user_id=me.user.id,
                outcome=outcome,
                tid=terminal.tid,
                did=terminal.did,
                ip=visitor.address,
                agent=visitor.agent,
                detail=terminal.device,
            )

    async def _mine(self, request: web.Request, me: SessionInfo) -> TerminalStatus:
        wanted = request.match_info["tid"], request.match_info["did"]
        for terminal in await self._context.terminals.list(me.user.id):
            if (terminal.tid, terminal.did) == wanted and terminal.state in KNOWN_STATES:
                return terminal
        raise NotFound("There is no such terminal of yours.")

    async def _page(
        self,
        request: web.Request,
        terminal: TerminalStatus,
        *,
        refused: str = "",
        form: Mapping[str, str] | None = None,
        problems: Mapping[str, str] | None = None,
    ) -> web.StreamResponse:
        calls, now_s = self._console.calls, self._console.now_s()
        figures = calls.figures(terminal.did or "", terminal.tid)
        tone, words = _SAID.get(request.query.get("done", ""), ("", ""))
        told: dict[str, Any] = {}
        if figures is not None:
            halt = figures.told
            told = {
                "known": True,
                "age": age_words(now_s - figures.heard_at),
                "halted_by": halt_words(halt.halted_by) if halt.halted_by else "",
                "halted_at": halt.halted_at,
                "reason": halt.halt_reason,
                "is_ours": halt.halted_by == "console",
            }
        values = {
            "terminal": terminal,
            "action": _path(terminal),
            "is_there": calls.is_there(terminal.did or ""),
            "said": words,
            "said_tone": tone,
            "refused": refused,
            "form": form or {},
            "problems": problems or {},
            **told,
        }
        status = 422 if problems else 503 if refused else 200
        return await self._context.page(request, "halt", values, status=status, here="/")


def _path(terminal: TerminalStatus) -> str:
    return f"/terminals/{terminal.tid}/{terminal.did}"


def _halts(answer: MachineAnswer) -> bool:
    return isinstance(answer.content, dict) and bool(answer.content.get("halts"))
