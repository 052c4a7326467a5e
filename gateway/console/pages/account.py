"""Pages of accounts: signing in and out, one's own account, those of others for administrators.

Somebody without a session signs in, asks for a new password, follows a link that works once, or
makes the first administrator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import segno
from aiohttp import web

from gateway.console.errors import (
    CodeNeeded,
    CodeRefused,
    ConsoleError,
    ConsoleProblem,
    Gone,
    Invalid,
    PasskeyRefused,
    SignInRefused,
    Taken,
    WeakPassword,
)
from gateway.console.links import INVITATION, RESET, RESET_S, SETUP
from gateway.console.notices import EVENTS, NoticeEvent
from gateway.console.passkeys import PasskeyAnswer, RelyingParty, is_installed
from gateway.console.second_factor import Setup
from gateway.console.sessions import SessionInfo
from gateway.console.user_info import UserInfo, checked_email, checked_name
from gateway.console.web.request_context import VISITOR, RequestContext, safe_path

from .context import PASSWORD_FIELD, PageContext, go, said
from .views import entry_view, session_view

_SIGN_IN_SAID: Final = {
    "out": "You are signed out.",
    "password": "Your new password is set. Sign in with it.",
    "welcome": "Your password is set. Sign in with it and your email address.",
    "late": "That took too long, or the password was changed meanwhile. Sign in again.",
}
_DIFFERENT: Final = "The two are not the same."


def given(visitor: RequestContext) -> str | PasskeyAnswer:
    """Return the second factor that a form brings: a passkey's answer, or a code."""
    answer = visitor.form.get("answer", "")
    if answer:
        return PasskeyAnswer(answer, RelyingParty.of(visitor.origin))
    return visitor.form.get("code", "")


class SignInPages:
    """The pages for people without a session."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._console = context.console

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in = self._context.signed_in
        return [
            web.get("/sign-in", self.ask),
            web.post("/sign-in", self.sign_in),
            web.post("/sign-in/code", self.take_code),
            web.post("/sign-out", self.sign_out),
            web.post("/step-up", signed_in(self.step_up)),
            web.get("/forgot", self.forgot),
            web.post("/forgot", self.send_link),
            web.get("/reset/{secret}", self.new_password),
            web.post("/reset/{secret}", self.set_password),
            web.get("/invitation/{secret}", self.first_password),
            web.post("/invitation/{secret}", self.set_first_password),
            web.get("/setup/{secret}", self.set_up),
            web.post("/setup/{secret}", self.make_administrator),
        ]

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Show the form, or go on for who is signed in already."""
        path = safe_path(request.query.get("next", "/"))
        if request[VISITOR].session is not None:
            return go(path)
        values = {"next": path, "said": said(request, _SIGN_IN_SAID), "email": ""}
        return await self._context.page(request, "sign_in", values)

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Begin a session; whatever was wrong, the answer is the same."""
        visitor, form = request[VISITOR], request[VISITOR].form
        path = safe_path(form.get("next", "/"))
        email = form.get("email", "")[:254]
        try:
            user = await self._console.users.authenticate(
                email,
                form.get("password", ""),
                visitor.address,
                agent=visitor.agent,
                browser=visitor.browser,
            )
            secret = await self._begin(visitor, user)
        except CodeNeeded:
            pending = await self._console.second_factors.ask(user)
            return await self._ask_code(request, user, pending, path)
        except SignInRefused as error:
            values = {"next": path, "email": email, "refused": str(error)}
            return await self._context.page(request, "sign_in", values, status=error.status)
        return await self._go_on(visitor, user, secret, path)

    async def take_code(self, request: web.Request) -> web.StreamResponse:
        """Take the second factor's code of a sign-in whose password was right."""
        visitor, form = request[VISITOR], request[VISITOR].form
        path, pending = safe_path(form.get("next", "/")), form.get("pending", "")
        factors = self._console.second_factors
        try:
            user = await factors.waiting(pending)
            user = await factors.finish(pending, given(visitor), visitor.address, visitor.agent)
        except Gone:
            return go("/sign-in", done="late")
        except CodeRefused as error:
            return await self._ask_code(request, user, pending, path, error)
        secret = await self._begin(visitor, user, with_code=True)
        return await self._go_on(visitor, user, secret, path)

    async def _ask_code(
        self,
        request: web.Request,
        user: UserInfo,
        pending: str,
        path: str,
        refused: CodeRefused | None = None,
    ) -> web.StreamResponse:
        """Show the question for the second factor, whose passkeys are those of this name."""
        party, factors = RelyingParty.of(request[VISITOR].origin), self._console.second_factors
        values = {
            "next": path,
            "question": await factors.question(user.id, pending, party),
            "factor": await factors.info(user.id),
            "refused": str(refused) if refused else "",
        }
        status = refused.status if refused else 200
        return await self._context.page(request, "sign_in_code", values, status=status)

    async def _go_on(
        self, visitor: RequestContext, user: UserInfo, secret: str, path: str
    ) -> web.StreamResponse:
        # a session from before goes: a cookie that somebody planted must not become ours
        if visitor.session is not None:
            await self._console.sessions.end(visitor.secret)
        visitor.begin(secret, await self._console.sessions.get(secret))
        visitor.remember(self._console.browsers.mark(user.id, visitor.browser))
        return go(path)

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """End the session; also when it has ended already."""
        visitor = request[VISITOR]
        if visitor.session is not None:
            await self._console.sessions.end(visitor.secret)
        visitor.end()
        return go("/sign-in", done="out")

    async def step_up(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Take the password again, then go on to the page that had asked for it."""
        form = request[VISITOR].form
        refused = await self._context.step_up(request, me, form.get(PASSWORD_FIELD, ""))
        if refused:
            return await self._context.ask_password(request, form.get("purpose", ""), refused)
        return go(safe_path(form.get("next", "/")))

    async def forgot(self, request: web.Request) -> web.StreamResponse:
        """Ask for the address."""
        return await self._context.page(request, "forgot", {"sent": False})

    async def send_link(self, request: web.Request) -> web.StreamResponse:
        """Send a link, if there is such an account; the page does not tell."""
        # returns before anything is looked up: the time of the answer tells nothing
        await self._console.request_reset(request[VISITOR].form.get("email", "")[:254])
        return await self._context.page(
            request, "forgot", {"sent": True, "minutes": RESET_S // 60}
        )

    # --- links that work once: to open one changes nothing --------------------------------------

    async def new_password(self, request: web.Request) -> web.StreamResponse:
        """Show the form of a reset link."""
        await self._console.links.peek(request.match_info["secret"], RESET)
        return await self._ask_new(request, _RESET_PAGE)

    async def set_password(self, request: web.Request) -> web.StreamResponse:
        """Set the new password, and end all sessions."""
        return await self._set_password(request, RESET, _RESET_PAGE, "password")

    async def first_password(self, request: web.Request) -> web.StreamResponse:
        """Show the form of an invitation."""
        await self._console.links.peek(request.match_info["secret"], INVITATION)
        return await self._ask_new(request, _INVITATION_PAGE)

    async def set_first_password(self, request: web.Request) -> web.StreamResponse:
        """Set the password of somebody who was invited."""
        return await self._set_password(request, INVITATION, _INVITATION_PAGE, "welcome")

    async def _set_password(
        self, request: web.Request, purpose: str, page: Mapping[str, object], done: str
    ) -> web.StreamResponse:
        form = request[VISITOR].form
        secret = request.match_info["secret"]
        problems = _differ(form)
        if not problems:
            try:
                await self._console.users.reset_password(secret, form["password"], purpose)
            except Gone:
                raise
            except ConsoleError as error:
                problems = {"password": str(error)}
        if problems:
            return await self._ask_new(request, page, problems)
        # all sessions have ended with the password, this browser's too
        request[VISITOR].end()
        return go("/sign-in", done=done)

    async def set_up(self, request: web.Request) -> web.StreamResponse:
        """Show the form that makes the first administrator."""
        await self._console.links.peek(request.match_info["secret"], SETUP)
        return await self._ask_new(request, _SETUP_PAGE)

    async def make_administrator(self, request: web.Request) -> web.StreamResponse:
        """Make the first administrator and sign in."""
        visitor, form = request[VISITOR], request[VISITOR].form
        problems = _differ(form)
        if not problems:
            try:
                user = await self._console.users.set_up(
                    request.match_info["secret"],
                    email=form.get("email", ""),
                    name=form.get("name", ""),
                    password=form["password"],
                )
            except Gone:
                raise
            except ConsoleError as error:
                field = "password" if error.word == "weak_password" else "email"
                problems = {field: str(error)}
        if problems:
            return await self._ask_new(request, _SETUP_PAGE, problems)
        secret = await self._begin(visitor, user)
        visitor.begin(secret, await self._console.sessions.get(secret))
        visitor.remember(self._console.browsers.mark(user.id))
        return go("/")

    async def _begin(
        self, visitor: RequestContext, user: UserInfo, *, with_code: bool = False
    ) -> str:
        return await self._console.sessions.create(
            user, visitor.address, visitor.agent, https=visitor.https, with_code=with_code
        )

    async def _ask_new(
        self,
        request: web.Request,
        texts: Mapping[str, object],
        problems: Mapping[str, str] | None = None,
    ) -> web.Response:
        values = {
            **texts,
            "action": request.path,
            "form": request[VISITOR].form,
            "problems": problems or {},
        }
        return await self._context.page(
            request, "new_password", values, status=422 if problems else 200
        )


_RESET_PAGE: Final = {
    "heading": "Choose a password",
    "lead": "Browsers signed in to this account are signed out. Terminals and programs go on.",
    "button": "Set the password",
    "ask_who": False,
}
_INVITATION_PAGE: Final = {
    "heading": "Welcome",
    "lead": "An administrator of this console has made an account for you; the mail says who. "
    "Choose its password: nobody else knows it.",
    "button": "Set the password",
    "ask_who": False,
}
_SETUP_PAGE: Final = {
    "heading": "Welcome",
    "lead": "This console has no users yet. Make the first account: it administers the console.",
    "button": "Create the account",
    "ask_who": True,
}


def _differ(form: Mapping[str, str]) -> dict[str, str]:
    if form.get("password", "") == "":
        return {"password": "Choose a password."}
    return {} if form["password"] == form.get("again") else {"again": _DIFFERENT}


_USERS_SAID: Final = {
    "invited": "The invitation is on its way.",
    "disabled": "The account is disabled, and everything of it stops.",
    "enabled": "The account is enabled.",
    "resent": "A fresh invitation is on its way; the link of the first one is worthless.",
    "role": "The role is changed.",
    "factor": "The second factor is off, and that person is signed out everywhere.",
    "deleted": "The account is deleted.",
}


class UserPages:
    """The pages of users. Not even an administrator sees another's terminals."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._users = context.console.users

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        admin, stepped_up = self._context.administrator, self._context.stepped_up
        user_path = "/users/{id:[A-Za-z0-9_-]{8,32}}"
        return [
            web.get("/users", admin(self.show_all)),
            web.post("/users", admin(stepped_up("users", self.invite, self._check_invitation))),
            web.post(user_path + "/resend", admin(stepped_up("users", self.resend))),
            web.post(user_path + "/link", admin(stepped_up("users", self.link))),
            web.post(user_path + "/role", admin(stepped_up("users", self.set_role))),
            web.post(user_path + "/second-factor", admin(stepped_up("users", self.end_factor))),
            web.get(user_path + "/delete", admin(self.ask_delete)),
            web.post(user_path + "/delete", admin(stepped_up("users", self.delete))),
            web.get(user_path + "/disable", admin(self.ask_disable)),
            web.post(user_path + "/disable", admin(stepped_up("users", self.disable))),
            web.post(user_path + "/enable", admin(stepped_up("users", self.enable))),
        ]

    async def show_all(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show who there is."""
        return await self._show(request)

    async def invite(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make an account and send its owner a link to choose a password."""
        form = request[VISITOR].form
        try:
            await self._context.console.invitations.invite(
                form.get("email", ""),
                form.get("name", ""),
                by=me.user,
                admin=form.get("admin") == "yes",
            )
        except (Invalid, Taken) as error:
            return await self._show(request, {"email": str(error)})
        return go("/users", done="invited")

    async def _check_invitation(
        self, request: web.Request, me: SessionInfo
    ) -> web.StreamResponse | None:
        form, problems = request[VISITOR].form, dict[str, str]()
        try:
            email = checked_email(form.get("email", ""))
            if await self._users.by_email(email) is not None:
                problems["email"] = "There is an account with this address already."
        except Invalid as error:
            problems["email"] = str(error)
        try:
            checked_name(form.get("name", ""))
        except Invalid as error:
            problems["name"] = str(error)
        return await self._show(request, problems) if problems else None

    async def resend(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Send the invitation again, with a fresh link."""
        await self._context.console.invitations.resend(request.match_info["id"], by=me.user)
        return go("/users", done="resent")

    async def link(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show a fresh link of an invitation, this once."""
        user = await self._users.get(request.match_info["id"])
        values = {
            "user": user,
            "link": await self._context.console.invitations.link(user.id, by=me.user),
        }
        return await self._context.page(request, "invitation_link", values, here="/users")

    async def set_role(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Make somebody an administrator, or no more; not oneself."""
        _demand_other(request, me)
        is_admin = request[VISITOR].form.get("admin") == "yes"
        await self._users.set_admin(request.match_info["id"], admin=is_admin, by=me.user.id)
        return go("/users", done="role")

    async def end_factor(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Switch off the second factor of somebody who has lost it; not one's own."""
        _demand_other(request, me)
        await self._context.console.second_factors.take_off(
            request.match_info["id"], by="administrator", actor=me.user.id
        )
        return go("/users", done="factor")

    async def ask_delete(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will be gone."""
        user = await self._users.get(request.match_info["id"])
        values = {"user": user, "has_tokens": await self._users.has_tokens(user.id)}
        return await self._context.page(request, "user_delete", values, here="/users")

    async def delete(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Delete an account that has made nothing; not one's own."""
        _demand_other(request, me)
        await self._users.delete(request.match_info["id"], by=me.user.id)
        return go("/users", done="deleted")

    async def ask_disable(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what will stop."""
        user = await self._users.get(request.match_info["id"])
        return await self._context.page(request, "user_disable", {"user": user}, here="/users")

    async def disable(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Disable an account, not one's own."""
        _demand_other(request, me)
        await self._users.disable(request.match_info["id"], by=me.user.id)
        return go("/users", done="disabled")

    async def enable(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Enable it again."""
        await self._users.enable(request.match_info["id"], by=me.user.id)
        return go("/users", done="enabled")

    async def _show(
        self, request: web.Request, problems: Mapping[str, str] | None = None
    ) -> web.Response:
        values = {
            "users": await self._users.list(),
            "factors": await self._context.console.second_factors.users(),
            "form": request[VISITOR].form,
            "problems": problems or {},
            "said": said(request, _USERS_SAID),
        }
        status = 422 if problems else 200
        return await self._context.page(request, "users", values, status=status, here="/users")


def _demand_other(request: web.Request, me: SessionInfo) -> None:
    if request.match_info["id"] == me.user.id:
        raise ConsoleProblem(400, "invalid", "You cannot do that to your own account.")


LOG_LINES: Final = 50
HERE: Final = "/account"
PASSKEYS: Final = "/account/passkeys"
_SAID: Final = {
    "password": "Your password is changed. You are signed out everywhere else.",
    "ended": "That browser is signed out.",
    "off": "The authenticator app is off.",
    "passkey": "The passkey is yours now: use it at the next sign-in.",
    "notices": "Kept: from now on you are told of these.",
    "test": "A test is on its way to your address.",
    "removed": "The passkey is removed. Delete it on your device as well.",
}
_NOTICE_WORDS: Final[Mapping[NoticeEvent, tuple[str, str]]] = {
    "away": ("A terminal is away", "Its link, its gateway or its machine; and when it is back."),
    "halt": ("Trading is halted", "Of a terminal, by whomever; and when the halt is lifted."),
    "alert": ("An alert became no order", "One of TradingView that was refused, late or unknown."),
}
_MUST: Final = "Please choose a new password now: somebody else may know the old one."


class AccountPages:
    """The pages of one's own account."""

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._console = context.console

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        signed_in, stepped_up = self._context.signed_in, self._context.stepped_up
        factor, passkey = "/account/second-factor", PASSKEYS + "/{id:[A-Za-z0-9_-]{8,32}}"
        return [
            web.get("/account", signed_in(self.show)),
            web.post(f"{factor}/begin", signed_in(stepped_up("factor", self.begin_factor))),
            web.post(factor, signed_in(stepped_up("factor", self.confirm_factor))),
            web.post(f"{factor}/codes", signed_in(stepped_up("factor", self.new_codes))),
            web.post(f"{factor}/off", signed_in(stepped_up("factor", self.end_factor))),
            web.get(f"{PASSKEYS}/new", signed_in(stepped_up("factor", self.ask_passkey))),
            web.post(PASSKEYS, signed_in(stepped_up("factor", self.add_passkey))),
            web.get(f"{passkey}/remove", signed_in(stepped_up("factor", self.ask_removal))),
            web.post(f"{passkey}/remove", signed_in(stepped_up("factor", self.remove_passkey))),
            web.post("/account/password", signed_in(self.change_password)),
            web.post("/account/notices", signed_in(stepped_up("notices", self.choose_notices))),
            web.post("/account/notices/test", signed_in(self.test_notices)),
            web.post(
                "/account/sessions/{sid:[A-Za-z0-9_-]{8,32}}/end", signed_in(self.end_session)
            ),
        ]

    async def show(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the account."""
        return await self._show(request, me)

    async def change_password(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Change the password: the old one is asked for, so there is no further question."""
        visitor, form = request[VISITOR], request[VISITOR].form
        if form.get("password", "") != form.get("again"):
            return await self._show(request, me, {"again": "The two are not the same."})
        try:
            await self._console.users.change_password(
                me.user.id,
                form.get("current", ""),
                form.get("password", ""),
                visitor.address,
                keep_sid=me.sid,
            )
        except SignInRefused as error:
            return await self._show(request, me, {"current": str(error)})
        except WeakPassword as error:
            return await self._show(request, me, {"password": str(error)})
        secret = await self._console.sessions.rotate(visitor.secret)
        visitor.begin(secret, await self._console.sessions.get(secret))
        return go("/account", done="password")

    async def begin_factor(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the secret of a new second factor, which waits for its first code."""
        setup = await self._console.second_factors.begin(me.user)
        return await self._ask_code(request, setup)

    async def confirm_factor(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Switch the second factor on, and show the recovery codes, this once."""
        code, factors = request[VISITOR].form.get("code", ""), self._console.second_factors
        try:
            codes = await factors.confirm(me.user, code, keep_sid=me.sid)
        except CodeRefused as error:
            return await self._ask_code(request, await factors.begun(me.user), str(error))
        return await self._context.page(request, "recovery_codes", {"codes": codes}, here=HERE)

    async def new_codes(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show new recovery codes, this once."""
        codes = await self._console.second_factors.new_codes(me.user)
        return await self._context.page(request, "recovery_codes", {"codes": codes}, here=HERE)

    async def end_factor(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Switch the second factor off."""
        code = request[VISITOR].form.get("code", "")
        try:
            await self._console.second_factors.remove(me.user, code)
        except CodeRefused as error:
            return await self._show(request, me, {"code": str(error)})
        return go("/account", done="off")

    async def ask_passkey(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Show the form that has the browser make a passkey."""
        return await self._ask_passkey(request, me)

    async def add_passkey(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Keep a passkey; the first second factor brings the recovery codes, shown this once."""
        visitor, form = request[VISITOR], request[VISITOR].form
        answer = PasskeyAnswer(form.get("answer", ""), RelyingParty.of(visitor.origin))
        try:
            codes = await self._console.second_factors.add_passkey(
                me.user, me.sid, form.get("name", ""), form.get("pending", ""), answer
            )
        except (Invalid, PasskeyRefused, Taken, Gone) as error:
            # the question is used up or wrong: the page asks anew
            return await self._ask_passkey(request, me, error)
        if not codes:
            return go("/account", done="passkey")
        return await self._context.page(request, "recovery_codes", {"codes": codes}, here=HERE)

    async def _ask_passkey(
        self, request: web.Request, me: SessionInfo, problem: ConsoleError | None = None
    ) -> web.StreamResponse:
        visitor = request[VISITOR]
        party = RelyingParty.of(visitor.origin)
        if party is None or not is_installed():
            return go("/account")
        factors = self._console.second_factors
        values = {
            "question": await factors.begin_passkey(me.user, me.sid, party),
            "party": party,
            "is_first": await factors.info(me.user.id) is None,
            "form": visitor.form,
            "refused": str(problem) if problem else "",
        }
        status = 422 if problem else 200
        return await self._context.page(request, "passkey_new", values, status=status, here=HERE)

    async def ask_removal(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Say what removing a passkey means, and ask for a second factor."""
        return await self._ask_removal(request, me)

    async def remove_passkey(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Forget a passkey."""
        visitor = request[VISITOR]
        try:
            await self._console.second_factors.remove_passkey(
                me.user,
                request.match_info["id"],
                given(visitor),
                sid=me.sid,
                pending=visitor.form.get("pending", ""),
            )
        except (CodeRefused, Gone) as error:
            return await self._ask_removal(request, me, error)
        return go("/account", done="removed")

    async def _ask_removal(
        self, request: web.Request, me: SessionInfo, problem: ConsoleError | None = None
    ) -> web.StreamResponse:
        factors, party = self._console.second_factors, RelyingParty.of(request[VISITOR].origin)
        values = {
            "passkey": await factors.passkey(me.user.id, request.match_info["id"]),
            "factor": await factors.info(me.user.id),
            "question": await factors.ask_in_session(me.user, me.sid, party),
            "refused": str(problem) if problem else "",
        }
        status = 422 if problem else 200
        return await self._context.page(
            request, "passkey_remove", values, status=status, here=HERE
        )

    async def _ask_code(
        self, request: web.Request, setup: Setup, problem: str = ""
    ) -> web.Response:
        picture = segno.make(setup.uri, error="m").svg_data_uri(scale=5, border=3, light="#fff")
        values = {"secret": setup.secret, "picture": picture, "problem": problem}
        status = 422 if problem else 200
        return await self._context.page(request, "second_factor", values, status=status, here=HERE)

    async def choose_notices(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Set of what this person is told by mail."""
        form = request[VISITOR].form
        minutes = form.get("away_minutes", "").strip()
        is_number = minutes.isascii() and minutes.isdecimal() and len(minutes) < 6
        events = [event for event in EVENTS if form.get(f"notice_{event}") == "yes"]
        try:
            await self._console.notices.choose(
                me.user, events, int(minutes) * 60 if is_number else 0
            )
        except Invalid as error:
            return await self._show(request, me, {"away_minutes": str(error)})
        return go("/account", done="notices")

    async def test_notices(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Send a mail that tells of nothing."""
        await self._console.notices.test(me.user)
        return go("/account", done="test")

    async def end_session(self, request: web.Request, me: SessionInfo) -> web.StreamResponse:
        """Sign another browser out."""
        await self._console.sessions.end_one(me.user.id, request.match_info["sid"])
        return go("/account", done="ended")

    async def _show(
        self, request: web.Request, me: SessionInfo, problems: Mapping[str, str] | None = None
    ) -> web.Response:
        sessions = await self._console.sessions.list(me.user.id)
        before = request.query.get("before", "")
        older_than = (
            int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
        )
        log = await self._console.activity.list(me.user.id, limit=LOG_LINES, before=older_than)
        names = await self._context.names(me.user.id)
        values = {
            "problems": problems or {},
            "factor": await self._console.second_factors.info(me.user.id),
            "notices": await self._console.notices.choice(me.user.id),
            "notice_words": _NOTICE_WORDS,
            "passkeys_here": RelyingParty.of(request[VISITOR].origin) is not None,
            "passkeys_installed": is_installed(),
            "localhost": self._context.localhost,
            "refused": _MUST if me.user.must_change_password and not problems else "",
            "sessions": [session_view(session, me.sid) for session in sessions],
            "activity": [entry_view(entry, names) for entry in log],
            "older": log[-1].id if len(log) == LOG_LINES else None,
            "said": said(request, _SAID),
        }
        status = 422 if problems else 200
        return await self._context.page(request, "account", values, status=status, here="/account")
