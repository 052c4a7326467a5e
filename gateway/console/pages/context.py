"""Context of all pages: templates and files, the frame of a page, and its access rules."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from aiohttp import web

from gateway.console.errors import ConsoleProblem, SignInRefused, StepUpNeeded
from gateway.console.service import Console
from gateway.console.sessions import SessionInfo
from gateway.console.user_info import UserInfo
from gateway.console.web.request_context import (
    VISITOR,
    Handler,
    SessionHandler,
    SignInNeeded,
    safe_path,
    session_of,
)
from gateway.console.web.security import FORM_REFERRER, OwnNames

MEDIA_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOREVER: Final = "public, max-age=31536000, immutable"
_HASH_CHARACTERS: Final = 16


class StaticFiles:
    """The style sheet, the script and the icon; each URL has the hash of its content in it."""

    def __init__(self) -> None:
        self._url: dict[str, str] = {}
        self._content: dict[str, tuple[bytes, str]] = {}
        for file in (files(__package__) / "static").iterdir():
            stem, _, suffix = file.name.rpartition(".")
            content = file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            # a new version has a new name: browsers keep the old one for ever, and never show it
            name = f"{stem}.{digest[:_HASH_CHARACTERS]}.{suffix}"
            self._url[file.name] = f"/static/{name}"
            self._content[name] = (content, MEDIA_TYPES[suffix])

    def url(self, name: str) -> str:
        """Return where a file is; it may be cached for ever there."""
        return self._url[name]

    def routes(self) -> list[web.RouteDef]:
        """Return the route of the files."""
        return [web.get("/static/{name}", self._give)]

    async def _give(self, request: web.Request) -> web.StreamResponse:
        # looked up, not opened: no path of a visitor reaches the disk
        found = self._content.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        content, media_type = found
        return web.Response(
            body=content,
            content_type=media_type,
            charset="utf-8",
            headers={"Cache-Control": FOREVER},
        )


class Templates:
    """Templates of the pages. What is put into one is escaped."""

    def __init__(self, static: StaticFiles) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_source),
            autoescape=True,
            # a form that was not sent has no fields: they are shown empty
            undefined=jinja2.ChainableUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"iso": iso, "utc": utc}
        self._environment.globals["static"] = static.url

    def render(self, template: str, values: Mapping[str, Any], status: int = 200) -> web.Response:
        """Return a page."""
        text = self._environment.get_template(template).render(values)
        return web.Response(
            text=text,
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers={"Referrer-Policy": FORM_REFERRER},
        )


@cache
def page_files() -> tuple[StaticFiles, Templates]:
    """Return the files and templates of all pages; a process reads and translates each once."""
    static = StaticFiles()
    return static, Templates(static)


def _source(name: str) -> str | None:
    file = files(__package__) / "templates" / name
    return file.read_text("utf-8") if file.is_file() else None


def iso(at: float) -> str:
    """Return a time for programs."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def utc(at: float, exact: bool = False) -> str:
    """Return a time for people whose browser runs no script."""
    form = "%d %b %Y, %H:%M:%S UTC" if exact else "%d %b %Y, %H:%M UTC"
    return datetime.fromtimestamp(at, UTC).strftime(form).lstrip("0")


FormCheck = Callable[[web.Request, SessionInfo], Awaitable[web.StreamResponse | None]]
_TO_CHANGE_PASSWORD: Final = frozenset({"/account", "/account/password"})
"""Pages of one who must change his password."""
PASSWORD_FIELD: Final = "step_up_password"  # noqa: S105  # the name of a field
COPIED: Final = (
    "This machine's key is used in two places, and which of them answers nobody can tell: decide "
    "on the page Machines first."
)
NOT_CARRIED: Final = frozenset({"csrf", PASSWORD_FIELD, "broker_password"})
PURPOSES: Final = {
    "create": "create a token",
    "approve": "approve a machine",
    "limits": "change limits",
    "hook": "change a hook",
    "resume": "let trading go on",
    "accounts": "change a trading account",
    "factor": "change your second factor",
    "notices": "change what you are told",
    "users": "change somebody's account",
}
"""What a person is about to do that needs the password once more."""
_NAV: Final = (
    ("/", "Terminals"),
    ("/tokens", "Tokens"),
    ("/accounts", "Accounts"),
    ("/devices", "Machines"),
    ("/approve", "Approvals"),
    ("/history", "History"),
)
_ADMIN_NAV: Final = (*_NAV, ("/users", "Users"))


class PageContext:
    """Context in which pages are made for visitors.

    Args:
        console: the services.
        templates: the pages.
        names: what the console is called.

    """

    def __init__(self, console: Console, templates: Templates, names: OwnNames) -> None:
        self.console = console
        self.approvals = console.approvals
        self.terminals = console.terminals
        self._names = names
        self._templates = templates

    @property
    def localhost(self) -> str:
        """Where browsers allow passkeys, if not at the console's own URL."""
        return "" if self._names.https else self._names.localhost

    async def page(
        self,
        request: web.Request,
        template: str,
        values: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        here: str = "",
    ) -> web.Response:
        """Return a page.

        Args:
            request: that it answers.
            template: its name without ``.html``.
            values: that it shows.
            status: of HTTP.
            here: the entry of the navigation that it belongs to.

        """
        visitor = request[VISITOR]
        # before the page is rendered: its forms carry a token that is bound to this cookie
        visitor.stranger()
        frame = {
            "visitor": visitor,
            "outbox": self.console.mail.is_outbox,
            "here": here,
            "path": request.path,
            "console_url": self._names.url,
            "nav": (),
            "waiting": 0,
        }
        if visitor.user is not None:
            frame["nav"] = _ADMIN_NAV if visitor.user.is_admin else _NAV
            frame["waiting"] = await self.waiting(visitor.user)
        return self._templates.render(f"{template}.html", {**frame, **(values or {})}, status)

    async def names(self, user_id: str) -> Mapping[str, str]:
        """Return what a user's tokens and machines are called, by their ids."""
        tokens = await self.console.tokens.list(user_id)
        devices = await self.console.devices.list(user_id)
        return {one.tid: one.name for one in tokens} | {one.did: one.hostname for one in devices}

    async def waiting(self, user: UserInfo) -> int:
        """Return how many machines ask for the user's approval."""
        return len(await self.approvals.open_requests(user.id))

    async def show(
        self, request: web.Request, problem: ConsoleProblem, ref: str
    ) -> web.StreamResponse:
        """Return the page of a problem."""
        if isinstance(problem, SignInNeeded):
            return await self._to_sign_in(request)
        values = {"problem": problem, "ref": ref}
        # it failed before the visitor was met, so that nothing can be told of him
        if request.get(VISITOR) is None:
            frame = {"visitor": None, "outbox": False, **values}
            return self._templates.render("problem.html", frame, problem.status)
        return await self.page(request, "problem", values, status=problem.status)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Return the page from which one goes on to the page that was asked for."""
        frame = {
            "visitor": request[VISITOR],
            "outbox": False,
            # it goes into the page as a link: one that leads elsewhere becomes the start page
            "path": safe_path(request.raw_path),
        }
        return self._templates.render("continue.html", frame)

    async def _to_sign_in(self, request: web.Request) -> web.StreamResponse:
        """Have somebody without a session sign in and come back."""
        path = safe_path(request.raw_path)
        # what was to be sent is lost: to go back to its address would answer 405
        if request.method != "GET":
            return web.Response(status=303, headers={"Location": "/sign-in"})
        return go("/sign-in", next=path) if path != "/" else go("/sign-in")

    # --- who may see it ----------------------------------------------------------------------

    def signed_in(self, handler: SessionHandler) -> Handler:
        """Let those in who are signed in; the others sign in and come back."""

        async def answer(request: web.Request) -> web.StreamResponse:
            me = session_of(request)
            # nothing else is done before: whoever knows the old password could do it too
            if me.user.must_change_password and request.path not in _TO_CHANGE_PASSWORD:
                return go("/account")
            return await handler(request, me)

        return answer

    def administrator(self, handler: SessionHandler) -> Handler:
        """Let administrators in."""

        async def answer(request: web.Request, me: SessionInfo) -> web.StreamResponse:
            demand_admin(me)
            return await handler(request, me)

        return self.signed_in(answer)

    def stepped_up(
        self, purpose: str, handler: SessionHandler, check: FormCheck | None = None
    ) -> SessionHandler:
        """Let those in who gave their password within a quarter of an hour; ask the others for it.

        What they had asked for is not lost: the question carries the fields of a form along.
        Without https it is asked for each time something is to be done, and not to see a form.

        Args:
            purpose: of :data:`PURPOSES`.
            handler: does it.
            check: returns the page of a form that is wrong, before anybody is asked for a
                password; ``None`` for one that can be used.

        """
        sessions = self.console.sessions

        async def answer(request: web.Request, me: SessionInfo) -> web.StreamResponse:
            if request.method == "POST" and check is not None:
                wrong = await check(request, me)
                if wrong is not None:
                    return wrong
            # to look at a form changes nothing: the one use of the password is kept for the deed
            if request.method == "GET" and not me.https:
                return await handler(request, me)
            visitor = request[VISITOR]
            try:
                await sessions.use_step_up(visitor.secret, me)
            except StepUpNeeded:
                # the page that asks sends the whole form again, with the password beside it
                password = visitor.form.get(PASSWORD_FIELD)
                if password is None:
                    return await self.ask_password(request, purpose)
                refused = await self.step_up(request, me, password)
                if refused:
                    return await self.ask_password(request, purpose, refused)
                me = session_of(request)
                await sessions.use_step_up(visitor.secret, me)
            return await handler(request, me)

        return answer

    async def ask_password(
        self, request: web.Request, purpose: str, refused: str = ""
    ) -> web.Response:
        """Return the page that asks for the password again."""
        form = request[VISITOR].form
        if request.method == "GET":
            action, carried = "/step-up", {"next": request.raw_path, "purpose": purpose}
        elif request.path == "/step-up":
            action, carried = (
                "/step-up",
                {name: form.get(name, "") for name in ("next", "purpose")},
            )
        else:
            action = request.path
            # without the token, which changes with the session's secret, and without the password
            carried = {name: text for name, text in form.items() if name not in NOT_CARRIED}
        values = {
            "action": action,
            "carried": carried,
            "purpose": PURPOSES.get(purpose, "go on"),
            "refused": refused,
            "back": "/",
        }
        return await self.page(request, "step_up", values, status=403 if refused else 200)

    async def step_up(self, request: web.Request, me: SessionInfo, password: str) -> str:
        """Check the password again; the session gets a new secret. Returns why not, or nothing."""
        visitor, users = request[VISITOR], self.console.users
        try:
            await users.authenticate(
                me.user.email, password, visitor.address, event="password.given"
            )
        except SignInRefused as error:
            return str(error)
        # a new cookie: one that was read before this has no part in the new rights
        secret = await self.console.sessions.step_up(visitor.secret)
        visitor.begin(secret, await self.console.sessions.get(secret))
        return ""


def demand_admin(me: SessionInfo) -> None:
    """Refuse what is for administrators.

    Raises:
        ConsoleProblem: the user is none.

    """
    if not me.user.is_admin:
        raise ConsoleProblem(403, "not_admin", "This page is for administrators of the console.")


def go(path: str, **query: str) -> web.Response:
    """Return the answer after a form: go on there. A reload then sends nothing twice."""
    where = f"{path}?{urlencode(query)}" if query else path
    # 303: browsers follow it with GET, whatever the form was sent with
    return web.Response(status=303, headers={"Location": where})


def said(request: web.Request, sentences: Mapping[str, str]) -> str:
    """Return what the page before this one has done: a word in the query, never its text."""
    # a text in the address would let any link make this page say anything
    return sentences.get(request.query.get("done", ""), "")
