"""Bodies and answers of the API. Bodies are strict: an unknown member is refused.

Times are whole seconds since 1970 in UTC, or milliseconds where a name ends in ``_ms``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.console.sessions import SessionInfo
from gateway.console.tokens import MAX_LIFETIME_S, MAX_OVERLAP_S, MIN_LIFETIME_S
from gateway.credentials.record import MAX_SECONDS, Count, Lots, Platform, Scope
from gateway.http.rest.models import RequestModel, ResponseModel

Tid = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{12}$")]
Did = Annotated[str, Field(pattern=r"^[a-z2-7]{52}$")]
Rid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
RowId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,32}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Password = Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
Email = Annotated[str, Field(min_length=3, max_length=254)]
PersonName = Annotated[str, Field(min_length=1, max_length=100)]
Symbol = Annotated[str, Field(pattern=r"^[ -+\--~]{1,32}$")]
TokenStatus = Literal["active", "superseded", "disabled", "revoked", "expired"]


class ErrorResponse(ResponseModel):
    """Error: a stable word, what to do about it, and perhaps a line of the log."""

    error: str
    message: str
    ref: str | None = None


class DoneResponse(ResponseModel):
    """It is done."""

    done: Literal[True] = True


# --- oneself -----------------------------------------------------------------------------------


class SignIn(RequestModel):
    """Email and password of the person who signs in."""

    email: Annotated[str, Field(max_length=254, pattern=r"^[^\x00]*$")]
    password: Password
    code: Annotated[str, Field(max_length=40)] = ""
    """Of the app, where the account has a second factor; or a recovery code."""


class StepUp(RequestModel):
    """The password, given again."""

    password: Password


class NewPassword(RequestModel):
    """A change of the password."""

    current: Password
    new: Password


class User(ResponseModel):
    """A person with an account."""

    id: str
    email: str
    name: str
    is_admin: bool
    status: Literal["active", "disabled"]
    must_change_password: bool
    created_at: int
    last_login_at: int | None


class Me(ResponseModel):
    """The person who is signed in; ``csrf`` goes into the header ``Mgs-Csrf`` of every change."""

    user: User
    sid: str
    csrf: str
    step_up_until: int
    """Until then the acts that need the password again are allowed; without https, one of them."""


class Session(ResponseModel):
    """A browser that is signed in."""

    sid: str
    is_current: bool
    created_at: int
    seen_at: int
    ip: str
    agent: str

    @classmethod
    def of(cls, info: SessionInfo, current: str) -> Session:
        """Return what may be told of a session."""
        return cls(
            sid=info.sid,
            is_current=info.sid == current,
            created_at=info.created_at,
            seen_at=info.seen_at,
            ip=info.ip,
            agent=info.agent,
        )


class SessionList(ResponseModel):
    """All browsers that are signed in."""

    sessions: list[Session]


class ActivityLine(ResponseModel):
    """Something that was done."""

    id: int
    at: int
    event: str
    outcome: str
    tid: str | None
    did: str | None
    ip: str
    agent: str
    detail: str


class ActivityPage(ResponseModel):
    """Activity, the newest first; ``before`` asks for the next page."""

    activity: list[ActivityLine]
    before: int | None


# --- tokens ------------------------------------------------------------------------------------


class NewLimits(RequestModel):
    """Bounds of trading; what is null has none, and 0 allows nothing.

    Whoever runs the daemon may set tighter ones. Closing and cancelling always goes.
    """

    max_lot: Lots | None = None
    """Lots of one order."""
    max_open_lots: Lots | None = None
    """Lots of all positions and pending orders of the account together."""
    max_orders_per_min: Count | None = None
    """New orders in any 60 seconds."""
    allowed_symbols: Annotated[list[Symbol], Field(min_length=1, max_length=200)] | None = None
    """The only symbols that may be traded."""
    max_daily_loss: Lots | None = None
    """What the broker's day may have lost when new orders stop, in the account's currency."""
    collar_bps: Count | None = None
    """How far an order's prices may lie from the last tick, in hundredths of a percent."""


class TokenLimits(ResponseModel):
    """Bounds of trading; what is null has none."""

    max_lot: str | None
    max_open_lots: str | None
    max_orders_per_min: int | None
    allowed_symbols: list[str] | None
    max_daily_loss: str | None
    collar_bps: int | None


class NewToken(RequestModel):
    """A token to be made."""

    name: Name
    platform: Platform | None = None
    scopes: list[Annotated[Scope, Field(strict=False)]] = Field(
        [Scope.TRADE], min_length=1, max_length=4
    )
    lifetime_s: Annotated[int, Field(ge=MIN_LIFETIME_S, le=MAX_LIFETIME_S)] | None = 7_776_000
    """Null for a token that never ends by itself."""
    limits: NewLimits = NewLimits()
    strict_terminal: bool = True


class LimitsChange(RequestModel):
    """New bounds of a token: all of them."""

    limits: NewLimits
    strict_terminal: bool | None = None
    """Null leaves it as it is."""


class Replacement(RequestModel):
    """Overlap with the old token, and lifetime of the new one."""

    overlap_s: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S)] = MAX_OVERLAP_S
    lifetime_s: (
        Annotated[int, Field(ge=MIN_LIFETIME_S, le=MAX_LIFETIME_S)] | Literal["as_before"] | None
    ) = "as_before"
    """Of the new one; null for one that never ends by itself."""


class Token(ResponseModel):
    """A token, without what makes it one."""

    tid: str
    name: str
    platform: Platform | None
    status: TokenStatus
    is_live: bool
    created_at: int
    exp: Annotated[int, Field(le=MAX_SECONDS)] | None
    ended_at: int | None
    scopes: list[Scope]
    limits: TokenLimits
    strict_terminal: bool
    replaced_by: str | None
    linked_at: int | None
    """When a terminal was first linked with it."""


class TokenList(ResponseModel):
    """All tokens of a person, the newest first."""

    tokens: list[Token]


class MadeToken(ResponseModel):
    """A new token. Its text is in no other answer, ever."""

    token: Token
    auth_token: Annotated[str, Field(repr=False)]


class Terminal(ResponseModel):
    """A terminal on a machine."""

    tid: str
    name: str
    platform: str | None
    state: Literal[
        "unused", "online", "silent", "offline", "pending", "stopping", "stopped", "suspended"
    ]
    did: str | None
    device: str
    login: int
    server: str
    company: str
    since: int | None
    last_seen: int | None
    ends_by: int | None
    stopped_at_ms: int | None


class TerminalList(ResponseModel):
    """All terminals of a person."""

    terminals: list[Terminal]


# --- machines ----------------------------------------------------------------------------------


class Device(ResponseModel):
    """A machine."""

    did: str
    label: str
    words: str
    status: Literal["approved", "revoked"]
    os: str
    hostname: str
    version: str
    ip: str
    first_seen_at: int
    last_seen_at: int
    approved_at: int | None
    revoked_at: int | None
    is_online: bool
    tids: list[str]
    copied_to: list[str]
    """The two places from which it answers at once; empty unless its key was copied."""


class DeviceList(ResponseModel):
    """All machines of a person."""

    devices: list[Device]


class UserCode(RequestModel):
    """The code that the terminal shows."""

    user_code: Annotated[str, Field(min_length=1, max_length=32, repr=False)]


class Approval(ResponseModel):
    """A request for a person's approval."""

    rid: str
    status: Literal["pending", "approved", "refused", "expired", "dead"]
    created_at: int
    expires_at: int
    tries_left: int
    tid: str
    token_name: str
    did: str
    device_name: str
    device_os: str
    device_words: str
    is_new_device: bool
    place: str
    platform: str
    login: int
    server: str
    company: str
    other_devices: list[str]
    terminal_changed: bool


class ApprovalList(ResponseModel):
    """All open requests."""

    approvals: list[Approval]


# --- people ------------------------------------------------------------------------------------


class Invitation(RequestModel):
    """Somebody who is to get an account."""

    email: Email
    name: PersonName
    admin: bool = False


class UserList(ResponseModel):
    """Everybody with an account."""

    users: list[User]
