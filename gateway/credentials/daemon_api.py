"""Bodies of ``/v1/daemon/...``, in JSON: the words between daemon and console.

Every request is signed by the device (:mod:`.device`). Errors are ``{"error": word, "message":
what to do}``. What the console claims counts only as far as it is in a signed envelope; what the
daemon claims of its terminals is for people to look at.

========================================== ======================= ==================
``POST /v1/daemon/contact``                 :class:`Contact`        :class:`ContactAnswer`
``POST /v1/daemon/contact/{eid}``           :class:`ContactProof`   :class:`ApprovalVerdict`
``GET  /v1/daemon/requests``                                        :class:`OpenRequests`
``GET  /v1/daemon/requests/{rid}``                                  :class:`ApprovalVerdict`
``POST /v1/daemon/requests/{rid}/confirm``  :class:`Confirm`        :class:`ApprovalVerdict`
``POST /v1/daemon/sync``                    :class:`Sync`           :class:`Synced`
``POST /v1/daemon/history``                 :class:`History`        :class:`Noted`
``GET  /v1/daemon/trail``                                           :class:`TrailTold`
``POST /v1/daemon/trail``                   :class:`Witness`        :class:`TrailTold`
``GET  /v1/daemon/stream``                  WebSocket               below
``GET  /v1/keys``                           unsigned                :class:`Keys`
========================================== ======================= ==================

On the stream the console sends :class:`Pushed` and :class:`Heartbeat`, the daemon
:class:`Acknowledged` and :class:`Report`; each is one text message. A daemon that opens it with
``?alerts=1`` is sent :class:`PushedAlert` too, and answers :class:`AlertOutcome`. One that gives
the key of a line with ``?line=`` is sent :class:`PushedCall`, answers :class:`CallAnswer`, and
tells :class:`Summary`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .alert import AlertId
from .console_call import CallId
from .envelope import MAX_ENVELOPE
from .event import EventSeq
from .lease import Tid
from .record import Count, Platform, Seconds

HEARTBEAT_S = 10
MAX_BODY_BYTES = 65_536
"""Of a request; an answer grows with the number of tokens."""
MAX_TERMINALS = 256
"""Told in one report."""
MAX_LINES = 100
"""Of each sort, in one report of what has been."""
MAX_EARLIER = 64
"""Rows of an audit trail, of so many days, that the console keeps beside the newest."""
MAX_SUMMARIES = 20
"""Terminals in one message; more are told in several. So many fit into :data:`MAX_BODY_BYTES`
though each letter of their texts takes six bytes."""
MAX_EVENTS = 1000
"""Given in one answer; who missed more starts over from the state."""

Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=128)]
"""Said by a program on somebody's machine: shown to people, never trusted, always escaped."""
Envelope = Annotated[str, Field(max_length=MAX_ENVELOPE)]
Seq = Annotated[int, Field(ge=0, le=2**53)]
Line = Annotated[str, Field(pattern=r"^([0-9A-Za-z]{1,32}\.[0-9A-Za-z_-]{1,31})?$")]
"""A daemon's own name for a line of its history: the start of the daemon, a dot, a number. Told
again it is the same line. Empty of a daemon that has no names."""
Rid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
"""Id of a contact or of an approval request; it opens nothing by itself."""


class Body(BaseModel):
    """Base of what we read: strict; a member that we don't know yet is ignored."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", hide_input_in_errors=True, allow_inf_nan=False
    )


class TerminalDescription(Body):
    """Facts that a terminal says of itself."""

    platform: Platform
    login: Annotated[int, Field(ge=0, lt=2**63)]
    server: Text
    company: Text = ""
    fp: Hex32
    """Fingerprint of the terminal: a label, not a proof."""
    version: Text = ""
    """Of the EA, and the build of its terminal."""


class Contact(Body):
    """A terminal dials in with a token that this device does not know."""

    pub: Annotated[str, Field(min_length=43, max_length=43)]
    """The device's public key, base64url."""
    os: Text
    hostname: Text
    version: Text
    """Of the daemon."""
    tid: Tid
    terminal: TerminalDescription
    cnonce: Hex32
    snonce: Hex32


class ContactAnswer(Body):
    """The console's proof that it knows the token, good for this device alone."""

    eid: Rid
    proof: Hex32


class ContactProof(Body):
    """The EA's proof, as it came."""

    client_proof: Hex32


DeniedCode = Literal[
    "unknown", "revoked", "expired", "account_disabled", "device_revoked", "busy", "refused"
]


class ApprovalVerdict(Body):
    """Verdict on a contact or an approval request.

    ``pending`` has the members from ``rid`` to ``expires_s``; ``denied`` has ``code``:
    ``unknown`` (also for a wrong proof), ``busy`` (limits: try later), ``refused`` (a person said
    no, or the request ran out), or what is wrong with the token.
    """

    status: Literal["approved", "pending", "denied"]
    code: DeniedCode | None = None
    rid: Rid | None = None
    user_code: Annotated[str, Field(max_length=16)] | None = None
    """Shown on the terminal, typed on the console's page; only when the request is made."""
    url: Annotated[str, Field(max_length=512)] | None = None
    """The page where it is approved."""
    expires_s: Annotated[int, Field(ge=0, le=3600)] | None = None


class OpenRequest(Body):
    """One approval request of this device that waits for a person."""

    rid: Rid
    tid: Tid
    terminal: TerminalDescription
    expires_s: Annotated[int, Field(ge=0, le=3600)]


class OpenRequests(Body):
    """All of them, the newest first; the token's name is not told to a stranger's machine."""

    requests: Annotated[tuple[OpenRequest, ...], Field(strict=False)]


class Confirm(Body):
    """The code of the mail, typed at the terminal or into ``mt-gateway verify``."""

    ecode: Annotated[str, Field(pattern=r"^[0-9]{8}$")]


class TerminalReport(Body):
    """Report of a daemon on a token's terminal."""

    tid: Tid
    state: Literal["online", "offline", "pending"]
    since: Seconds
    terminal: TerminalDescription | None = None
    run: Line = ""
    """Names its session; ``since`` is then when that began, or ended."""
    reason: Text = ""
    """Why it is offline."""


class RunReport(Body):
    """One session of a terminal, from its begin to its end."""

    run: Line
    tid: Tid
    began: Seconds
    ended: Seconds | None = None
    reason: Text = ""
    """Why it ended."""
    terminal: TerminalDescription


Way = Literal["http", "ws", "terminal"]


class LoginReport(Body):
    """Report on who came with a token in one way, let in or refused alike, within an hour.

    Attempts of one program are counted in one line; the newest count of a line holds.
    """

    line: Line
    tid: Tid
    way: Way
    reason: Annotated[str, Field(pattern=r"^[a-z_]{0,32}$")] = ""
    """Why not, as error -32001 or ``denied`` says it; empty for who was let in."""
    agent: Text = ""
    """What the program says of itself."""
    first: Seconds
    last: Seconds
    count: Annotated[int, Field(ge=1, le=2**53)] = 1


class History(Body):
    """History of sessions and logins; told again until the console has answered."""

    boot: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
    """Random, new with each start of the daemon: sessions of an earlier one are over."""
    runs: Annotated[tuple[RunReport, ...], Field(strict=False, max_length=MAX_LINES)] = ()
    logins: Annotated[tuple[LoginReport, ...], Field(strict=False, max_length=MAX_LINES)] = ()


class Noted(Body):
    """Answer to a history report: it is stored, as far as it is about this device's tokens."""

    noted: Literal[True] = True


class EventAck(Body):
    """Acknowledgement of what a daemon did about an event; told once that is true."""

    seq: EventSeq
    at_ms: Annotated[int, Field(ge=0, le=2**53)]
    """UTC milliseconds, by the daemon's clock."""
    closed_ws: Count = 0
    closed_bridge: Count = 0
    orders_in_flight: Count = 0
    """Already written to the EA when the gate closed: their outcome is reconciled."""


class Sync(Body):
    """Give me all that holds now. Asked often: it changes nothing but what is reported."""

    since: Seq
    """The last event that the daemon has."""
    nonce: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    """Fresh and random; the state that comes back is signed with it."""
    after: Envelope = ""
    """The newest state that this home has stored, as it came: shows that who asks is who was
    answered. Empty if there is none."""
    terminals: Annotated[
        tuple[TerminalReport, ...], Field(strict=False, max_length=MAX_TERMINALS)
    ] = ()
    acks: Annotated[tuple[EventAck, ...], Field(strict=False, max_length=MAX_EVENTS)] = ()


class TokenOffer(Body):
    """One token, as this device may know it."""

    tid: Tid
    record: Envelope
    server_key: Annotated[str, Field(min_length=43, max_length=43)] | None = Field(
        default=None, repr=False
    )
    """Base64url; only for an approved device. The record has its SHA-256."""
    lease: Envelope | None = None
    """``None`` where the token may not be used: its record says why."""


class Synced(Body):
    """All that holds now."""

    server_time: Seconds
    root: Annotated[str, Field(max_length=64)]
    """As in ``[console] root``; a daemon believes the one that it has pinned."""
    keys: Envelope
    state: Envelope
    tokens: Annotated[tuple[TokenOffer, ...], Field(strict=False)]
    events: Annotated[tuple[Envelope, ...], Field(strict=False, max_length=MAX_EVENTS)] = ()
    """Those after ``since``, in their order."""
    heartbeat_s: Annotated[int, Field(ge=1, le=60)] = HEARTBEAT_S


class Witness(Body):
    """Witness of how far the audit trail of this machine goes; see :mod:`.trail`."""

    newest: Envelope
    before: Envelope = ""
    """Over the row that the console has, as it stands in the trail now."""
    is_archived: bool = False
    """That row is not in the trail any more, but in an archive."""


class TrailTold(Body):
    """Head of the trail that the console has."""

    newest: Envelope = ""
    """Empty if nothing."""
    earlier: Annotated[tuple[Envelope, ...], Field(strict=False, max_length=MAX_EARLIER)] = ()
    """Those that were the newest on earlier days; told to who asks alone."""
    contradicted_at: Seconds | None = None
    """When the device has told what does not go together with that."""


class Keys(Body):
    """The console's keys."""

    root: Annotated[str, Field(max_length=64)]
    keys: Envelope
    server_time: Seconds
    """For people whose clock is wrong; not signed."""


class Pushed(Body):
    """Console: something has changed."""

    t: Literal["evt"]
    e: Envelope


class Heartbeat(Body):
    """Console: I am here; ``seq`` is the last event of this device."""

    t: Literal["hb"]
    seq: Seq
    time: Seconds
    line: bool = False
    """It has the stream's line, and knows :class:`Summary`: an older console would end the
    stream at such a message."""


class Acknowledged(EventAck):
    """Daemon: done."""

    t: Literal["ack"]


class Report(Body):
    """Daemon: the state of these terminals has changed."""

    t: Literal["report"]
    terminals: Annotated[tuple[TerminalReport, ...], Field(strict=False, max_length=MAX_TERMINALS)]


class PushedAlert(Body):
    """Console: an order of an alert, told until the daemon has said what became of it."""

    t: Literal["alert"]
    e: Envelope
    again: bool = False
    """It was told before: perhaps it is carried out already."""


AlertEnd = Literal["done", "checked", "not_sent", "rejected", "unknown", "late"]


class AlertOutcome(Body):
    """Daemon: what became of an alert.

    ``checked``: a dry run, and nothing is against the order. ``late``: its deadline was over, and
    nothing was sent. The others are the outcomes of every trade.
    """

    t: Literal["alert"] = "alert"
    aid: AlertId
    outcome: AlertEnd
    error: Annotated[str, Field(pattern=r"^[a-z0-9_]{0,48}$")] = ""
    """Name of the error of the API, such as ``kill_switch_active``."""
    message: Annotated[str, Field(max_length=200)] = ""
    """The error in words, for people."""
    ticket: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Of the order; 0 where there is none."""
    volume: Annotated[str, Field(max_length=24)] = ""
    """In lots, as filled or as it would have been sent."""
    price: Annotated[str, Field(max_length=24)] = ""
    """At which it was filled."""


class PushedCall(Body):
    """Console: a call that a person makes; see :mod:`.console_call`."""

    t: Literal["call"]
    e: Envelope


class CallAnswer(Body):
    """Daemon: the answer to a call, as its REST API would give it."""

    t: Literal["call"] = "call"
    cid: CallId
    status: Annotated[int, Field(ge=200, le=599)]
    """Of HTTP."""
    body: Annotated[str, Field(max_length=MAX_BODY_BYTES)] = ""
    """JSON; empty where there is none."""


class TerminalSummary(Body):
    """Figures of a terminal as its daemon sees it: for people to look at, never trusted."""

    tid: Tid
    at: Seconds
    """When they were taken, by the daemon's clock."""
    linked: bool
    login: Annotated[int, Field(ge=0, lt=2**63)] = 0
    server: Text = ""
    currency: Annotated[str, Field(max_length=16)] = ""
    balance: float | None = None
    """``None``: the terminal is not linked, or did not say."""
    equity: float | None = None
    paper: bool = False
    """The sums are those of paper trading."""
    halted_by: Text = ""
    """``console``, ``cli``, ``drawdown``, or ``token`` and its public id; empty: not halted."""
    halted_at: Seconds | None = None
    halt_reason: Annotated[str, Field(max_length=200)] = ""


class Summary(Body):
    """Daemon: the figures of these terminals."""

    t: Literal["summary"]
    manages: bool
    """Whether its accounts may be managed from the console."""
    terminals: Annotated[
        tuple[TerminalSummary, ...], Field(strict=False, max_length=MAX_SUMMARIES)
    ]
