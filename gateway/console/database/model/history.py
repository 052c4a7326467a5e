"""What daemons report of their terminals and of who came in, for people to look at."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


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
    """How far a device's audit trail goes, as it has signed; see :mod:`gateway.console.trails`."""

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
