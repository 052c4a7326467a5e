"""The console's tables.

Times are whole seconds since 1970 unless a name ends in ``_ms``. What a thief of the database
must not use is hashed (``*_hash``) or sealed (see :data:`SEALED`). A column that is added here is
added to the migrations too; a test compares both.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gateway.credentials.secrets import SealedColumn


class Base(DeclarativeBase):
    """Base of the tables; constraints have names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: BigInteger, str: Text, bool: Boolean, bytes: LargeBinary}  # noqa: RUF012 - SQLAlchemy reads it so


# --- people, their sessions, and their acts ----------------------------------------------------


class User(Base):
    """A person who logs in."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    """As the person wrote it; mails go there."""
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case: one account per address."""
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str]
    is_admin: Mapped[bool]
    status: Mapped[str] = mapped_column(String(16))
    """``active`` or ``disabled``."""
    must_change_password: Mapped[bool] = mapped_column(default=False)
    """Somebody may know it: nothing else is done before it is changed."""
    created_at: Mapped[int]
    password_changed_at: Mapped[int]
    last_login_at: Mapped[int | None]


class Session(Base):
    """A browser that is logged in."""

    __tablename__ = "sessions"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of what the cookie holds."""
    sid: Mapped[str] = mapped_column(String(24), unique=True)
    """Names the session in lists; opens nothing."""
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[int]
    seen_at: Mapped[int]
    step_up_at: Mapped[int]
    """When the password was last given; 0 if that counts no more."""
    https: Mapped[bool]
    """It began over https: no other server gets its cookie."""
    ip: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(256))


class SecondFactor(Base):
    """Authenticator app of a user."""

    __tablename__ = "second_factors"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    secret: Mapped[str]
    """Sealed."""
    confirmed_at: Mapped[int | None]
    """When its first code was seen; before that none is asked for."""
    last_step: Mapped[int]
    """Time step of the last code that was taken: none of it or before it counts again."""


class RecoveryCode(Base):
    """A code that stands in for the app or a passkey once."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)


class Passkey(Base):
    """Passkey of a user; the key that could sign never leaves the person's device."""

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    """In base64url, as browsers name it."""
    rp_id: Mapped[str] = mapped_column(String(253))
    """Host name of the console under which it was made, and works."""
    name: Mapped[str] = mapped_column(String(64))
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    """Of its last use; 0 for one that does not count."""
    created_at: Mapped[int]
    used_at: Mapped[int | None]


class OneTimeLink(Base):
    """A link that works once: the first administrator's, a password reset."""

    __tablename__ = "one_time_links"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[int]
    exp: Mapped[int]
    taken_at: Mapped[int | None]


class Throttle(Base):
    """Failures of one account or address, whether the account exists or not."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    count: Mapped[int]
    at: Mapped[int] = mapped_column(index=True)
    """Of an account: the last failure. Of an address: the beginning of its minute."""


class Activity(Base):
    """Line of the activity log; never a secret, never a code."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_user_id_id", "user_id", "id"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[int] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(String(24))
    event: Mapped[str] = mapped_column(String(48))
    """Such as ``login``, ``token.created``, ``device.approved``."""
    outcome: Mapped[str] = mapped_column(String(16))
    """``ok``, ``refused`` or ``failed``."""
    tid: Mapped[str | None] = mapped_column(String(12))
    did: Mapped[str | None] = mapped_column(String(52))
    ip: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(256))
    detail: Mapped[str] = mapped_column(String(500))


class NoticeChoice(Base):
    """Events of which a user is told by mail; see :mod:`gateway.console.notices`."""

    __tablename__ = "notice_choices"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    events: Mapped[str]
    """JSON list."""
    away_s: Mapped[int]
    since: Mapped[int]
    """When it was chosen."""


# --- tokens, machines, and messages between them and the console -------------------------------


class Token(Base):
    """Token, as its signed record is made from it."""

    __tablename__ = "tokens"
    __table_args__ = (Index("ix_tokens_user_id_label", "user_id", "label"),)

    tid: Mapped[str] = mapped_column(String(12), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    label: Mapped[str] = mapped_column(String(64))
    platform: Mapped[str | None] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(16))
    """``active``, ``superseded``, ``disabled`` (suspended) or ``revoked``."""
    rec_ver: Mapped[int]
    epoch: Mapped[int]
    """Grows whenever something is taken away; a lease of an older epoch is worth nothing."""
    created_at: Mapped[int]
    exp: Mapped[int | None]
    ended_at: Mapped[int | None]
    """When it was revoked."""
    suspended_from: Mapped[str | None] = mapped_column(String(16))
    """The status that a suspended token has again when it is resumed."""
    replaced_by: Mapped[str | None] = mapped_column(String(12))
    linked_at: Mapped[int | None]
    """When a terminal was first linked with it."""
    scopes: Mapped[str]
    """JSON list."""
    limits: Mapped[str]
    """JSON of :class:`gateway.credentials.record.TradeLimits`."""
    offline: Mapped[str]
    """JSON of :class:`gateway.credentials.record.Offline`."""
    strict_terminal: Mapped[bool]
    stored_key: Mapped[str] = mapped_column(String(64))
    server_key: Mapped[str]
    """Sealed."""
    server_key_sha256: Mapped[str] = mapped_column(String(64))


class Device(Base):
    """A machine whose daemon has spoken to this console."""

    __tablename__ = "devices"

    did: Mapped[str] = mapped_column(String(52), primary_key=True)
    pub: Mapped[str] = mapped_column(String(64))
    os: Mapped[str] = mapped_column(String(100))
    hostname: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(64))
    ip: Mapped[str] = mapped_column(String(64), default="")
    first_seen_at: Mapped[int]
    last_seen_at: Mapped[int]
    seq: Mapped[int] = mapped_column(default=0)
    """Number of its newest event."""
    acked_seq: Mapped[int] = mapped_column(default=0)
    """The newest event that it said it has obeyed."""


class UserDevice(Base):
    """Decision of a user about a machine."""

    __tablename__ = "user_devices"

    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True, index=True)
    status: Mapped[str] = mapped_column(String(16))
    """``approved`` or ``revoked``."""
    dev_ver: Mapped[int]
    approved_at: Mapped[int | None]
    approved_by: Mapped[str] = mapped_column(String(32), default="")
    """``link`` or ``code``."""
    revoked_at: Mapped[int | None]


class TokenDevice(Base):
    """A token that is, or was, used on a machine."""

    __tablename__ = "token_devices"

    tid: Mapped[str] = mapped_column(ForeignKey("tokens.tid"), primary_key=True)
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True, index=True)
    status: Mapped[str] = mapped_column(String(16))
    """``approved`` or ``revoked``."""
    dev_ver: Mapped[int]
    terminal_fp: Mapped[str] = mapped_column(String(128), default="")
    approved_at: Mapped[int | None]
    approved_by: Mapped[str] = mapped_column(String(32), default="")
    first_seen_at: Mapped[int]
    last_seen_at: Mapped[int]
    lease_exp: Mapped[int] = mapped_column(default=0)
    """End of the newest lease that was handed out."""


class DeviceEvent(Base):
    """Event for a device, in order and without gaps."""

    __tablename__ = "device_events"
    __table_args__ = (Index("ix_device_events_tid", "tid"),)

    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str | None] = mapped_column(String(24), index=True)
    """Whose tokens it is about; none for what is about the console's keys."""
    tid: Mapped[str | None] = mapped_column(String(12))
    """None for every token of the user on this device."""
    iat: Mapped[int]
    envelope: Mapped[str]
    ends_by: Mapped[int]
    """By when the device's leases end by themselves, should it never hear of this."""
    acked_at: Mapped[int | None]
    """When the answer of the device came in."""
    stopped_at_ms: Mapped[int | None]
    """What the device says of itself: when it had stopped."""
    closed_ws: Mapped[int | None]
    closed_bridge: Mapped[int | None]
    orders_in_flight: Mapped[int | None]


class RequestNonce(Base):
    """A signed request that came in already."""

    __tablename__ = "request_nonces"

    did: Mapped[str] = mapped_column(String(52), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    exp: Mapped[int] = mapped_column(index=True)


# --- alerts of TradingView -----------------------------------------------------------------------


class Hook(Base):
    """Address at which TradingView's alerts for one token come in."""

    __tablename__ = "hooks"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    tid: Mapped[str] = mapped_column(ForeignKey("tokens.tid"))
    name: Mapped[str] = mapped_column(String(64))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the last part of its address."""
    is_on: Mapped[bool]
    template: Mapped[str]
    """JSON of :class:`gateway.console.hook_template.HookTemplate`."""
    created_at: Mapped[int]


class HookAlert(Base):
    """An alert that came in, and what became of it."""

    __tablename__ = "hook_alerts"
    __table_args__ = (
        Index("ix_hook_alerts_hook_id_id", "hook_id", "id"),
        Index("ix_hook_alerts_did_status", "did", "status"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    hook_id: Mapped[str] = mapped_column(ForeignKey("hooks.id", ondelete="CASCADE"))
    aid: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The ``client_order_id``; none of what was refused, so that it can be sent again."""
    at: Mapped[int] = mapped_column(index=True)
    exp: Mapped[int | None]
    did: Mapped[str | None] = mapped_column(String(52))
    """The machine that is to carry it out."""
    status: Mapped[str] = mapped_column(String(16))
    """``waiting``, ``told`` (the machine), ``refused`` (here), or what the machine says."""
    words: Mapped[str] = mapped_column(String(200))
    """The order, for people."""
    error: Mapped[str] = mapped_column(String(48), default="")
    message: Mapped[str] = mapped_column(String(200), default="")
    ticket: Mapped[int] = mapped_column(default=0)
    volume: Mapped[str] = mapped_column(String(24), default="")
    price: Mapped[str] = mapped_column(String(24), default="")
    envelope: Mapped[str]
    """As the machine is told it; empty of what was refused."""
    repeats: Mapped[int] = mapped_column(default=0)
    """How often it was posted again, which did nothing."""
    ended_at: Mapped[int | None]


# --- first contacts, questions to users, and mails ---------------------------------------------


class Contact(Base):
    """A first contact of a terminal through a daemon."""

    __tablename__ = "contacts"

    eid: Mapped[str] = mapped_column(String(32), primary_key=True)
    did: Mapped[str] = mapped_column(String(52), index=True)
    pub: Mapped[str] = mapped_column(String(64))
    tid: Mapped[str] = mapped_column(String(12))
    """As the terminal said it; perhaps nobody's."""
    os: Mapped[str] = mapped_column(String(100))
    hostname: Mapped[str] = mapped_column(String(255))
    version: Mapped[str] = mapped_column(String(64))
    terminal: Mapped[str]
    """JSON of its facts: platform, login, server, company, fp."""
    cnonce: Mapped[str] = mapped_column(String(64))
    snonce: Mapped[str] = mapped_column(String(64))
    ip: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]
    exp: Mapped[int] = mapped_column(index=True)
    proved_at: Mapped[int | None]


class ApprovalRequest(Base):
    """A question to a user: is this machine yours?"""

    __tablename__ = "approval_requests"

    rid: Mapped[str] = mapped_column(String(32), primary_key=True)
    eid: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    tid: Mapped[str] = mapped_column(ForeignKey("tokens.tid"), index=True)
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    """``open``, ``approved``, ``refused``, ``dead`` (too many tries, or a newer one)."""
    user_code_hash: Mapped[str]
    ecode_hash: Mapped[str]
    link_hash: Mapped[str] = mapped_column(String(64), unique=True)
    revoke_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Of the link in the mail that tells of the approval."""
    tries_left: Mapped[int]
    terminal: Mapped[str]
    """JSON of its facts."""
    ip: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[int]
    exp: Mapped[int]
    decided_at: Mapped[int | None]
    decided_by: Mapped[str] = mapped_column(String(32), default="")


class CopiedDevice(Base):
    """A machine whose key was used from two places at once: it gets no leases of this user."""

    __tablename__ = "copied_devices"

    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    """Who has approved it, and is to decide."""
    at: Mapped[int]
    place: Mapped[str] = mapped_column(String(200))
    other_place: Mapped[str] = mapped_column(String(200))


class DeviceChain(Base):
    """Answers that a device got, to notice that two machines ask with its key."""

    __tablename__ = "device_chains"

    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True)
    chain: Mapped[str]
    """JSON of a :class:`gateway.console.clone_detector.Chain`."""


class QueuedMail(Base):
    """A mail that is to be sent, or was."""

    __tablename__ = "mails"
    __table_args__ = (Index("ix_mails_status_next_try_at", "status", "next_try_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    dedupe: Mapped[str] = mapped_column(String(100), unique=True)
    """One mail goes out for it."""
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    tid: Mapped[str | None] = mapped_column(String(12), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    address: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str]
    """Sealed: it may hold codes. Empty once it is sent or given up."""
    status: Mapped[str] = mapped_column(String(16))
    """``queued``, ``sent``, ``failed`` or ``expired``."""
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int]
    next_try_at: Mapped[int]
    exp: Mapped[int]
    sent_at: Mapped[int | None]
    error: Mapped[str] = mapped_column(String(200), default="")


# --- reports of daemons about terminals and callers --------------------------------------------


class Run(Base):
    """A terminal's time at work with a token, as its daemon reports it."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_tid_did_ended_at", "tid", "did", "ended_at"),
        Index("ix_runs_did_run", "did", "run"),
        Index("ix_runs_user_id_started_at", "user_id", "started_at"),
    )

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    tid: Mapped[str] = mapped_column(ForeignKey("tokens.tid"))
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"))
    run: Mapped[str] = mapped_column(String(64), server_default="", default="")
    """The daemon's name for it; empty of a daemon that has none, and while it waits."""
    state: Mapped[str] = mapped_column(String(16))
    """``online``, ``offline`` or ``pending``."""
    since: Mapped[int]
    started_at: Mapped[int]
    reported_at: Mapped[int]
    ended_at: Mapped[int | None]
    reason: Mapped[str] = mapped_column(String(64), server_default="", default="")
    """Why it ended, in the daemon's words, or ``daemon_gone`` or ``replaced`` in ours."""
    platform: Mapped[str] = mapped_column(String(8))
    login: Mapped[int]
    server: Mapped[str] = mapped_column(String(128))
    company: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(64), server_default="", default="")
    """Of the EA and its terminal."""
    terminal_fp: Mapped[str] = mapped_column(String(128))


class Login(Base):
    """Uses of a token in one way by one program within an hour, let in or refused alike."""

    __tablename__ = "logins"
    __table_args__ = (
        UniqueConstraint("did", "line"),
        Index("ix_logins_user_id_id", "user_id", "id"),
        Index("ix_logins_tid_id", "tid", "id"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    tid: Mapped[str] = mapped_column(ForeignKey("tokens.tid"))
    did: Mapped[str] = mapped_column(ForeignKey("devices.did"))
    line: Mapped[str] = mapped_column(String(64))
    """The daemon's name for it: told again it is the same."""
    way: Mapped[str] = mapped_column(String(16))
    """``http``, ``ws`` or ``terminal``."""
    reason: Mapped[str] = mapped_column(String(32))
    """Why not; empty for who was let in."""
    agent: Mapped[str] = mapped_column(String(64))
    """What the program says of itself."""
    first_at: Mapped[int]
    last_at: Mapped[int] = mapped_column(index=True)
    count: Mapped[int]


class DeviceTrail(Base):
    """Length of a device's audit trail, as it has signed; see
    :mod:`gateway.console.audit_trails`.
    """

    __tablename__ = "device_trails"

    did: Mapped[str] = mapped_column(ForeignKey("devices.did"), primary_key=True)
    n: Mapped[int]
    """The last row."""
    hash: Mapped[str] = mapped_column(String(64))
    newest: Mapped[str]
    """The envelope that says so."""
    newest_at: Mapped[int] = mapped_column(server_default="0", default=0)
    """When it was told."""
    earlier: Mapped[str] = mapped_column(server_default="[]", default="[]")
    """Those that were the newest on earlier days, a JSON list, the oldest first."""
    contradiction: Mapped[str] = mapped_column(default="")
    """One that does not go together with it."""
    contradicted_at: Mapped[int | None]


# --- keys and other secrets of the console itself ----------------------------------------------


class SecretKey(Base):
    """The keys that seal secrets, to recognise them; they themselves lie elsewhere."""

    __tablename__ = "secret_keys"
    __table_args__ = (
        Index(
            "ix_secret_keys_current",
            "state",
            unique=True,
            sqlite_where=text("state = 'current'"),
            postgresql_where=text("state = 'current'"),
        ),
    )

    kid: Mapped[str] = mapped_column(String(32), primary_key=True)
    check_value: Mapped[bytes]
    store: Mapped[str] = mapped_column(String(32))
    salt: Mapped[bytes]
    state: Mapped[str] = mapped_column(String(16))
    """``current`` seals everything; ``coming`` and ``retired`` are those of an exchange."""


class SealedValue(Base):
    """A secret of the console's own, such as the pepper of passwords."""

    __tablename__ = "sealed_values"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    sealed: Mapped[str]


class SigningKey(Base):
    """``root`` and the operational keys."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    """In the order of their making; the root has 0."""
    private_key: Mapped[str]
    """Sealed."""
    nbf: Mapped[int]
    exp: Mapped[int | None]
    removed_at: Mapped[int | None]
    """Since when its signatures count no more, whatever its end was."""


class KeySet(Base):
    """The signed sets of operational keys."""

    __tablename__ = "key_sets"

    ver: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    envelope: Mapped[str]


SEALED = (
    SealedColumn("tokens", "tid", "server_key"),
    SealedColumn("signing_keys", "kid", "private_key"),
    SealedColumn("sealed_values", "name", "sealed"),
    SealedColumn("mails", "id", "body"),
    SealedColumn("second_factors", "user_id", "secret"),
)
"""Columns that hold what :class:`gateway.credentials.secrets.SecretBox` sealed."""
