"""The token record: what the issuer says of one token, signed as an envelope of kind ``rec``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .envelope import EnvelopeError, open_envelope

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
Status = Literal["active", "revoked", "disabled", "superseded"]
HexKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Record(BaseModel):
    """A token's rights. Times are seconds since 1970, ``exp`` is exclusive.

    Neither the token nor anything that could open the gateway is in it: ``stored_key`` checks a
    holder and makes none.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    v: Literal[1] = 1
    iss: str
    aud: Literal["mtgw-daemon"] = "mtgw-daemon"
    tid: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{12}$")]
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    """Name of the terminal that the token is for."""
    platform: Literal["mt4", "mt5"] | None = None
    """The platform that the token is for; ``None`` leaves it open."""
    rec_ver: Annotated[int, Field(ge=1)]
    """Grows with each change; an older record than one already seen is refused."""
    status: Status
    created_at: int
    exp: int | None = None
    scopes: Annotated[list[Literal["read", "trade", "admin"]], Field(min_length=1)]
    stored_key: HexKey
    server_key_sha256: HexKey

    def payload(self) -> dict[str, Any]:
        """What is signed."""
        return self.model_dump(mode="json")


def open_record(envelope: str, keys: Mapping[str, Ed25519PublicKey]) -> Record:
    """Verify a ``rec`` envelope.

    Raises:
        EnvelopeError: it is not one from these keys, or lacks a member.

    """
    payload = open_envelope(envelope, "rec", keys)
    try:
        return Record.model_validate(payload)
    except ValidationError:
        raise EnvelopeError("a record lacks a member or has one of a wrong type") from None
