"""Passkeys (WebAuthn): what a browser is asked for, and checks of its answers.

A question's challenge is made from a one-time link of :mod:`.links`, whose secret the page
carries: of a sign-in that waits, or of a session. So it belongs to that one, has an end, and is
used up with the link. The key itself never leaves the person's device.

Browsers tie a passkey to the console's host name. They let pages use one over https, or at
``localhost``; an IP address is no name. Every port of a host shares its passkeys, so that the
origin in the answer is compared whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from .errors import PasskeyRefused
from .user_info import UserInfo

RP_NAME: Final = "mt-gateway console"
PENDING_S: Final = 300
"""For so long a question of a session can be answered."""
MAX_PASSKEYS: Final = 20
"""Of one user."""
MAX_NAME: Final = 64
MAX_CREDENTIAL: Final = 1023
"""Bytes of a passkey's own name, as WebAuthn bounds it."""
MAX_ANSWER: Final = 16_384
"""Characters of a browser's answer; with a certificate it has 4,000."""
_CREDENTIAL_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class RelyingParty:
    """Console as a browser knows it: under one name a passkey works, under others it does not."""

    id: str
    origin: str

    @classmethod
    def of(cls, origin: str) -> RelyingParty | None:
        """Return that of an origin; ``None`` where browsers allow no passkeys."""
        parts = urlsplit(origin)
        name = parts.hostname or ""
        if parts.scheme != "https" and name != "localhost":
            return None
        return None if _is_address(name) else cls(name, origin)


@dataclass(frozen=True)
class PasskeyAnswer:
    """Answer of a browser, as its JSON came in."""

    text: str = field(repr=False)
    party: RelyingParty | None
    """The console as this browser knows it."""

    @property
    def credential_id(self) -> str:
        """Which passkey it is of; not checked yet.

        Raises:
            PasskeyRefused: it names none.

        """
        if len(self.text) > MAX_ANSWER:
            raise PasskeyRefused
        try:
            said = json.loads(self.text)
        except (ValueError, RecursionError):
            raise PasskeyRefused from None
        named = said.get("id") if isinstance(said, dict) else None
        # checked whole: PostgreSQL takes no NUL, not even to look for
        if not isinstance(named, str) or not _CREDENTIAL_ID.fullmatch(named):
            raise PasskeyRefused
        return named


@dataclass(frozen=True)
class NewPasskey:
    """Passkey as a browser has made it."""

    credential_id: str
    """In base64url, as answers name it."""
    public_key: bytes
    sign_count: int


def is_installed() -> bool:
    """Whether the package that checks answers is there: the extra ``passkeys``."""
    return find_spec("webauthn") is not None


async def load() -> None:
    """Load the package in a thread: it takes half a second, for which others would wait."""
    await asyncio.to_thread(_library)


def creation_options(
    party: RelyingParty, pending: str, user: UserInfo, known: Sequence[str]
) -> str:
    """Return what a browser is asked for to make a passkey, as JSON.

    Args:
        party: the console.
        pending: secret of the question's link.
        user: whose it will be.
        known: credential ids that the user has already.

    """
    webauthn, structs = _library()
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=RP_NAME,
        user_id=user.id.encode(),
        user_name=user.email,
        user_display_name=user.name or user.email,
        challenge=_challenge(pending),
        timeout=PENDING_S * 1000,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.PREFERRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
    )
    return str(webauthn.options_to_json(options))


def request_options(party: RelyingParty, pending: str, known: Sequence[str]) -> str:
    """Return what a browser is asked for to use one of some passkeys, as JSON."""
    webauthn, structs = _library()
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=_challenge(pending),
        timeout=PENDING_S * 1000,
        allow_credentials=_descriptors(known),
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return str(webauthn.options_to_json(options))


def check_new(answer: PasskeyAnswer, pending: str) -> NewPasskey:
    """Check a browser's answer to :func:`creation_options`.

    Raises:
        PasskeyRefused: it is no answer to this question, or the person was not verified.

    """
    found = _checked("verify_registration_response", answer, pending)
    if len(found.credential_id) > MAX_CREDENTIAL:
        raise PasskeyRefused
    return NewPasskey(_text(found.credential_id), found.credential_public_key, found.sign_count)


def check_use(answer: PasskeyAnswer, pending: str, public_key: bytes, sign_count: int) -> int:
    """Check a browser's answer to :func:`request_options`, and return the new sign count.

    Raises:
        PasskeyRefused: it is no answer to this question, the key is another, the person was not
            verified, or the count has not grown, as when a copy of the key is in use.

    """
    # the library would refuse an old count, too, but in no word that tells it from other faults
    found = _checked(
        "verify_authentication_response",
        answer,
        pending,
        credential_public_key=public_key,
        credential_current_sign_count=0,
    )
    count = int(found.new_sign_count)
    # passkeys that are synchronised between devices do not count: theirs stays 0
    if (count or sign_count) and count <= sign_count:
        raise PasskeyRefused(is_copied=True)
    return count


def _checked(function: str, answer: PasskeyAnswer, pending: str, **more: Any) -> Any:
    party, is_short = answer.party, len(answer.text) <= MAX_ANSWER
    # without its link a challenge is nobody's: it could be answered again and again
    if party is None or not pending or not is_short or not is_installed():
        raise PasskeyRefused
    webauthn, _ = _library()
    try:
        return getattr(webauthn, function)(
            credential=answer.text,
            expected_challenge=_challenge(pending),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            # beside the password: who finds the device must not be able to use it
            require_user_verification=True,
            **more,
        )
    # whoever has a password may send any bytes, and the library's parsers fail in many ways
    except Exception:
        raise PasskeyRefused from None


def _challenge(pending: str) -> bytes:
    # a hash: it goes to the person's device and back, and must not open what the link opens
    return hashlib.sha256(b"mgt-console-passkey|" + pending.encode("utf-8", "replace")).digest()


def _library() -> tuple[Any, Any]:
    # not at the start: a console without passkeys need not wait for it
    import webauthn
    from webauthn.helpers import structs

    return webauthn, structs


def _descriptors(known: Sequence[str]) -> Sequence[Any]:
    from webauthn.helpers import base64url_to_bytes

    _, structs = _library()
    return [structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known]


def _text(raw: bytes) -> str:
    from webauthn.helpers import bytes_to_base64url

    return bytes_to_base64url(raw)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
