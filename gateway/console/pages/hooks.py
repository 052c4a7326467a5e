"""Pages of hooks: make one, see its address once, change, switch off, delete; and their alerts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from gateway.console.errors import Invalid, NotFound, TooMany
from gateway.console.hook_template import HookTemplate
from gateway.console.hooks import AlertInfo, HookInfo
from gateway.console.sessions import SessionInfo
from gateway.console.tokens import TokenInfo
from gateway.console.web.request_context import VISITOR
from gateway.credentials.record import IMPLIED, NAME, Scope

from .context import PageContext, go, said
from .views import Chip, View

HERE: Final = "/tokens"
MARKED: Final = "Please look at the marked fields."
_MAX_DIGITS: Final = 9
FRESH: Final = {
    "sizing": "volume",
    "size": "0.01",
    "sl": "none",
    "tp": "none",
    "deadline_s": "30",
    "dry_run": "yes",
}
SIZINGS: Final = (
    ("volume", "Lots", "The same for each alert."),
    ("risk", "Percent of the equity", "That much is lost at the stop loss, which is needed."),
    ("alert", "As the alert says", "In its member volume, in lots."),
)
STOPS: Final = (
    ("none", "none"),
    ("percent", "percent from the price"),
    ("alert", "as the alert says, a price"),
)
_PROBLEMS: Final = {
    "symbols": "Write one a line, such as BTCUSD = BTCUSD.m; 200 at most.",
    "size": "Give a number above 0.",
    "sl_pct": "Give a number above 0.",
    "tp_pct": "Give a number above 0.",
    "deadline_s": "Give 5 to 300 seconds.",
}
_CHIPS: Final = {
    "waiting": Chip("warn", "Waiting"),
    "told": Chip("warn", "With the machine"),
    "done": Chip("good", "Done"),
    "checked": Chip("good", "Checked"),
    "not_sent": Chip("bad", "Not sent"),
    "rejected": Chip("bad", "Rejected"),
    "unknown": Chip("bad", "Not known"),
    "late": Chip("bad", "Too late"),
    "refused": Chip("bad", "Refused"),
}
_WHY: Final = {
    "waiting": "The machine has not taken it yet.",
    "told": "The machine has not said what became of it. It is asked again.",
    "checked": "A dry run: the order would be accepted now.",
    "unknown": "The order may have been carried out: look at the terminal. It is asked again.",
    "late": "The deadline was over before the machine began: nothing was sent. Is it connected, "
    "and is accept_alerts = true in its config.toml?",
}
_SAID: Final = {
    "changed": "The hook is saved.",
    "off": "The hook is off: its alerts are refused.",
    "on": "The hook is on.",
    "deleted": "The hook and its alerts are deleted.",
}


def read_template(form: Mapping[str, str], problems: dict[str, str]) -> HookTemplate | None:
    """Read the form of a hook.

    Args:
        form: as it was sent.
        problems: gets what is wrong, by the name of the field.

    """
    symbols = _symbols(form.get("symbols", ""))
    if symbols is None:
        problems["symbols"] = _PROBLEMS["symbols"]
    given: dict[str, Any] = {"symbols": symbols or {}}
    for name in ("sizing", "sl", "tp"):
        given[name] = form.get(name, "")
    for name in ("mapped_only", "tradingview_only", "dry_run"):
        given[name] = form.get(name) == "yes"
    deadline = form.get("deadline_s", "").strip()
    # `int` reads digits of all scripts, and fails where there are thousands
    is_number = deadline.isascii() and deadline.isdecimal() and len(deadline) < _MAX_DIGITS
    given["deadline_s"] = int(deadline) if is_number else 0
    given["size"] = None if given["sizing"] == "alert" else _number(form, "size", problems)
    for name in ("sl", "tp"):
        if given[name] == "percent":
            given[f"{name}_pct"] = _number(form, f"{name}_pct", problems)
    if given["sizing"] == "risk" and given["sl"] == "none":
        problems["sl"] = "A risk needs a stop loss."
    try:
        return HookTemplate.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            field = str(fault["loc"][0]) if fault["loc"] else ""
            if field:
                problems.setdefault(field, _PROBLEMS.get(field, "Choose one."))
        problems.setdefault("sizing", "Choose one.")
        return None


def problems_of(form: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with the form of a hook, by the name of the field."""
    problems: dict[str, str] = {}
    read_template(form, problems)
    if not NAME.fullmatch(form.get("name", "").strip()):
        problems["name"] = "Give 1 to 64 letters, digits, dots, dashes or underscores."
    if not form.get("tid"):
        problems["tid"] = "Choose a token."
    return problems


def _checked(form: Mapping[str, str]) -> HookTemplate:
    """Return the template of a form that nothing is wrong with."""
    template = read_template(form, {})
    assert template is not None  # checked before the password was asked for
    return template


def _number(form: Mapping[str, str], name: str, problems: dict[str, str]) -> str | None:
    text = form.get(name, "").strip()
    whole, _, rest = text.partition(".")
    is_number = text.isascii() and whole.isdecimal() and (not rest or rest.isdecimal())
    if not is_number or text.endswith(".") or not text.strip("0.") or len(text) > 12:
        problems[name] = _PROBLEMS[name]
        return None
    return text


def _symbols(text: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        theirs, _, ours = (part.strip() for part in line.partition("="))
        if not theirs or theirs in found:
            return None
        found[theirs] = ours or theirs
    return found


def shown_template(hook: HookInfo) -> dict[str, str]:
    """Return a hook as the form shows it."""
    kept = hook.template.model_dump()
    lines = [f"{theirs} = {ours}" for theirs, ours in hook.template.symbols.items()]
    shown = {"name": hook.name, "tid": hook.tid, "symbols": "\n".join(lines)}
    for name in ("sizing", "size", "sl", "sl_pct", "tp", "tp_pct", "deadline_s"):
        shown[name] = "" if kept[name] is None else str(kept[name])
    for name in ("mapped_only", "tradingview_only", "dry_run"):
        shown[name] = "yes" if kept[name] else ""
    return shown


def message_of(template: HookTemplate) -> str:
    """Return the message that a person pastes into the alert on TradingView."""
    parts = {"symbol": "{{ticker}}", "side": "{{strategy.order.action}}", "time": "{{time}}"}
    parts["id"] = "{{strategy.order.id}}"
    if template.sizing == "alert":
        parts["volume"] = "{{strategy.order.contracts}}"
    for name, mode in (("sl", template.sl), ("tp", template.tp)):
        if mode == "alert":
            parts[name] = "{{plot_0}}" if name == "sl" else "{{plot_1}}"
    return json.dumps(parts, indent=2)


def alert_view(alert: AlertInfo) -> View:
    """An alert and what became of it."""
    why = alert.message or _WHY.get(alert.status, "")
    filled = ""
    if alert.status == "done":
        at = f" at {alert.price}" if alert.price else ""
        ticket = f", order {alert.ticket}" if alert.ticket else ""
        filled = f"{alert.volume} lots{at}{ticket}"
    return {
        "hook_id": alert.hook_id,
        "hook": alert.hook,
        "at": alert.at,
        "words": alert.words or "no order could be read",
        "chip": _CHIPS.get(alert.status, Chip("idle", alert.status)),
        "why": filled or why,
        "repeats": alert.repeats,
    }


class HookPages:
    """The pages of hooks. A hook of somebody else is not there."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._hooks = context.console.hooks

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in, stepped_up = self._context.signed_in, self._context.stepped_up
        page = "/hooks/{hook:[A-Za-z0-9_-]{16}}"
        return [
            web.get("/hooks", signed_in(self.show_all)),
            web.get("/hooks/new", signed_in(stepped_up("hook", self.new))),
            web.post("/hooks", signed_in(stepped_up("hook", self.create, self._check_new))),
            web.get(page, signed_in(self.edit)),
            web.post(page, signed_in(stepped_up("hook", self.change, self._check_change))),
            web.post(page + "/off", signed_in(self.switch_off)),
            web.post(page + "/on", signed_in(stepped_up("hook", self.switch_on))),
            web.get(page + "/delete", signed_in(self.ask_delete)),
            web.post(page + "/delete", signed_in(self.delete)),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the hooks, and the last alerts of all."""
        alerts = await self._hooks.alerts(me.user.id)
        values = {
            "hooks": await self._hooks.list(me.user.id),
            "alerts": [alert_view(alert) for alert in alerts],
            "said": said(request, _SAID),
        }
        return await self._context.page(request, "hooks", values, here=HERE)

    async def new(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the form."""
        return await self._ask(request, me, FRESH)

    async def create(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make a hook and show its address, this once."""
        form = request[VISITOR].form
        template = _checked(form)
        try:
            secret, hook = await self._hooks.create(
                me.user.id, form["name"].strip(), form["tid"], template
            )
        except (Invalid, NotFound, TooMany) as error:
            return await self._ask(request, me, form, refused=str(error))
        values = {
            "hook": hook,
            "address": f"{self._context.console.url()}/hook/{secret}",
            "message": message_of(template),
        }
        return await self._context.page(request, "hook_made", values, here=HERE)

    async def edit(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show one hook: its form and its alerts."""
        hook = await self._mine(request, me)
        return await self._ask(request, me, shown_template(hook), hook=hook)

    async def change(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Save a hook."""
        hook = await self._mine(request, me)
        form = request[VISITOR].form
        template = _checked(form)
        name, tid = form["name"].strip(), form["tid"]
        try:
            await self._hooks.change(me.user.id, hook.id, name, tid, template)
        except (Invalid, NotFound) as error:
            return await self._ask(request, me, form, refused=str(error), hook=hook)
        return go("/hooks", done="changed")

    async def switch_off(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Refuse a hook's alerts. No password is asked for: ending must be quick."""
        await self._hooks.switch(me.user.id, request.match_info["hook"], on=False)
        return go("/hooks", done="off")

    async def switch_on(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Take a hook's alerts again."""
        await self._hooks.switch(me.user.id, request.match_info["hook"], on=True)
        return go("/hooks", done="on")

    async def ask_delete(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will be gone."""
        values = {"hook": await self._mine(request, me)}
        return await self._context.page(request, "hook_delete", values, here=HERE)

    async def delete(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Delete a hook."""
        await self._hooks.delete(me.user.id, request.match_info["hook"])
        return go("/hooks", done="deleted")

    async def _mine(self, request: web.Request, me: SessionInfo) -> HookInfo:
        return await self._hooks.get(me.user.id, request.match_info["hook"])

    async def _check_new(self, request: web.Request, me: SessionInfo) -> web.StreamResponse | None:
        form, problems = request[VISITOR].form, problems_of(request[VISITOR].form)
        return await self._ask(request, me, form, problems) if problems else None

    async def _check_change(
        self, request: web.Request, me: SessionInfo
    ) -> web.StreamResponse | None:
        hook = await self._mine(request, me)
        form, problems = request[VISITOR].form, problems_of(request[VISITOR].form)
        return await self._ask(request, me, form, problems, hook=hook) if problems else None

    async def _tokens(self, me: SessionInfo) -> Sequence[TokenInfo]:
        tokens = await self._context.console.tokens.list(me.user.id)
        return [token for token in tokens if token.is_live and _may_trade(token)]

    async def _ask(
        self,
        request: web.Request,
        me: SessionInfo,
        form: Mapping[str, str],
        problems: Mapping[str, str] | None = None,
        refused: str = "",
        hook: HookInfo | None = None,
    ) -> web.Response:
        problems = problems or {}
        alerts = await self._hooks.alerts(me.user.id, hook.id) if hook is not None else ()
        values = {
            "hook": hook,
            "form": form,
            "problems": problems,
            "refused": refused or (MARKED if problems else ""),
            "tokens": await self._tokens(me),
            "sizings": SIZINGS,
            "stops": STOPS,
            "alerts": [alert_view(alert) for alert in alerts],
            "message": "" if hook is None else message_of(hook.template),
            "sees_addresses": bool(request[VISITOR].address),
        }
        status = 422 if problems or refused else 200
        return await self._context.page(request, "hook_form", values, status=status, here=HERE)


def _may_trade(token: TokenInfo) -> bool:
    return any(Scope.TRADE in IMPLIED[scope] for scope in token.scopes)
