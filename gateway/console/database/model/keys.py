"""Keys and other secrets of the console itself."""

from __future__ import annotations

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


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
