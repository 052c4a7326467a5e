"""Call that a person makes from the console to one machine, an envelope of kind ``call``.

The console signs it for one machine, one token and one line, with a deadline. A line is what a
daemon opens with each stream: a fresh key, told in the signed request. So a call counts once, on
the stream that it was made for, and nobody who keeps one can use it later. A broker's password
does not stand in its body: it is sealed for the line's key (HPKE, RFC 9180), so that only the
program at the daemon's end of that very stream can open it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import Field

from ea_bridge import host

from .envelope import EnvelopeError, decode64, encode64
from .lease import DeviceId, Tid
from .record import First, Seconds, Signed, open_signed

MAX_CALL_S: Final = 60
"""The longest deadline: a clock that is wrong prolongs none."""
MAX_BODY: Final = 6_000
"""Characters of JSON: an envelope has room for so much."""
LINE_KEY_BYTES: Final = 32

CallId = Annotated[str, Field(pattern=r"^cc-[A-Za-z0-9_-]{22}$")]
LineKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""Public key of a line (X25519), base64url."""
CallName = Literal[
    "halt",
    "resume",
    "list_accounts",
    "register_account",
    "get_account",
    "update_account",
    "delete_account",
    "get_account_info",
    "get_account_stats",
    "list_kill_switch_log",
]
"""What may be asked: no more of a daemon than the console's pages use."""
HALT: Final[CallName] = "halt"
"""It must get through: a side that has too much under way takes it all the same."""
MAX_HALTS: Final = 8
"""At a time, beyond the bound of calls."""
SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SignedCall(Signed):
    """The payload of a ``call`` envelope. ``exp`` is exclusive."""

    v: First
    iss: str
    aud: Literal["mtgw-daemon"]
    did: DeviceId
    tid: Tid
    """The token in whose name it is: no more than its holder may."""
    line: LineKey
    cid: CallId
    name: CallName
    account_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    body: Annotated[str, Field(max_length=MAX_BODY)] = ""
    """JSON, without a password; empty where there is none."""
    sealed: Annotated[str, Field(max_length=1_600, repr=False)] = ""
    """A broker's password, sealed for the line."""
    iat: Seconds
    exp: Seconds


class SealedFault(ValueError):
    """What was sealed cannot be opened: it is for another line or another call."""


class LineSecret:
    """Private key of a line; it lives as long as its stream, and lies nowhere."""

    def __init__(self) -> None:
        self._key = X25519PrivateKey.from_private_bytes(host.random_bytes(LINE_KEY_BYTES))
        self.public = encode64(self._key.public_key().public_bytes_raw())

    def open(self, call: SignedCall) -> str:
        """Return the password that a call carries.

        Raises:
            SealedFault: it is none of this line and call.

        """
        try:
            box = decode64(call.sealed)
            return SUITE.decrypt(box, self._key, info=_purpose(call.line, call.cid)).decode()
        except (ValueError, InvalidTag):
            raise SealedFault("the call's password cannot be opened") from None


def is_line_key(text: str) -> bool:
    """Whether a text is the public key of a line."""
    try:
        return len(decode64(text)) == LINE_KEY_BYTES
    except ValueError:
        return False


def seal_for(line: str, cid: str, secret: str) -> str:
    """Seal a password for a line and a call.

    Raises:
        ValueError: the line's key is none.

    """
    key = X25519PublicKey.from_public_bytes(decode64(line))
    return encode64(SUITE.encrypt(secret.encode(), key, info=_purpose(line, cid)))


def _purpose(line: str, cid: str) -> bytes:
    return f"mgt-console-call-1|{line}|{cid}".encode()


def open_call(envelope: str, keys: Mapping[str, Ed25519PublicKey]) -> SignedCall:
    """Verify a ``call`` envelope; errors as of :func:`~.record.open_signed`."""
    call = open_signed(SignedCall, "call", envelope, keys)
    if not call.iat < call.exp <= call.iat + MAX_CALL_S:
        raise EnvelopeError("the call's deadline is none")
    return call
