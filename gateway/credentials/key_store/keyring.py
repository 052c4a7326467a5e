"""The key in the keyring of the system, which opens when its user logs in.

The package of that name would choose a backend itself: by ``PYTHON_KEYRING_BACKEND`` or
``keyringrc.cfg`` it imports any module, and without them it may take one that writes plain text.
So the backends are named here, and built by class; nothing else is ever asked.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from importlib import import_module
from types import new_class
from typing import Any, TypeVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from gateway.credentials.secrets import KEY_BYTES, KnownKey, SecretsError, decode_key, encode_key

WAIT_S = 10.0
"""For an answer: a keyring may be waiting for a person whom nobody sees."""

_WINDOWS = ("keyring.backends.Windows", "WinVaultKeyring")
_LINUX = (
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
)
_MACOS = ("keyring.backends.macOS", "Keyring")
_USER = "kek"
_FOR_NEW = (
    "or keep the key of this new home in a file: run once mt-gateway secrets move --to file (or "
    "--to passphrase), for the console with --console, and with the --home if you name one; or "
    'write the two lines [secrets] and store = "file" into the file that --config names'
)
_FOR_OLD = "or take the key from a recovery kit: mt-gateway secrets restore --to file"

Backends = Callable[[], Iterator[type[KeyringBackend]]]
T = TypeVar("T")


def allowed_backends(platform: str = sys.platform) -> Iterator[type[KeyringBackend]]:
    """Yield the backends of a platform that encrypt what they keep, the preferred one first."""
    named = {"win32": (_WINDOWS,), "darwin": (_MACOS,)}.get(platform, _LINUX)
    for module, name in named:
        yield getattr(import_module(module), name)


class Keyring:
    """An entry in the keyring, one for each home.

    Args:
        backends: those that may be used; the first that works is.
        wait_s: for an answer.
        probe: see that it keeps and forgets, before anything depends on it; who only looks does
            without.

    """

    name = "keyring"
    remedy = "log in as the user who made this home, or restore the keyring from a backup"

    def __init__(
        self,
        backends: Backends = allowed_backends,
        wait_s: float = WAIT_S,
        *,
        probe: bool = True,
    ) -> None:
        self._backends = backends
        self._wait_s = wait_s
        self._probes = probe

    @property
    def place(self) -> str:
        """The keyring; entries have no names that a person knows."""
        return "the key in the keyring"

    def find(self, salt: bytes, *, new: bool) -> bytes | None:
        """Try the keyring, then read the entry; see
        :class:`~gateway.credentials.secrets.KeyStore`."""

        instead = _FOR_NEW if new else _FOR_OLD

        def read() -> str | None:
            backend = self._backend(instead)
            if self._probes:
                _probe(backend)
            return backend.get_password(_entry(salt), _USER)

        text = self._ask(read, instead)
        return None if text is None else decode_key(text, self.place)

    def make(self, salt: bytes) -> bytes:
        """Keep a new key, and see that it is kept."""
        key = secrets.token_bytes(KEY_BYTES)

        def keep() -> str | None:
            backend = self._backend(_FOR_NEW)
            backend.set_password(_entry(salt), _USER, encode_key(key))
            return backend.get_password(_entry(salt), _USER)

        if self._ask(keep, _FOR_NEW) != encode_key(key):
            raise SecretsError(f"the keyring did not keep the key; repair it, {_FOR_NEW}")
        return key

    def forget(self, known: KnownKey) -> None:
        """Delete the entry, and see that it is gone."""
        entry = _entry(known.salt)

        def delete() -> str | None:
            backend = self._backend(_FOR_OLD)
            if backend.get_password(entry, _USER) is not None:
                backend.delete_password(entry, _USER)
            return backend.get_password(entry, _USER)

        if self._ask(delete, _FOR_OLD) is not None:
            raise SecretsError("the keyring did not delete the old key; repair it and try again")

    def _backend(self, instead: str) -> KeyringBackend:
        """Build the first backend that works; may block."""
        reasons = []
        for kind in self._backends():
            try:
                _ = kind.priority
            except Exception as error:  # D-Bus raises all sorts
                reasons.append(str(error))
            else:
                return _build(kind)
        raise SecretsError(
            f"there is no keyring ({', '.join(reasons)}); log in to a desktop session, {instead}"
        )

    def _ask(self, work: Callable[[], T], instead: str) -> T:
        """Do it in a thread of its own, which is given up when it takes too long."""
        outcome: Future[T] = Future()
        threading.Thread(target=_settle, args=(outcome, work), name="keyring", daemon=True).start()
        try:
            return outcome.result(self._wait_s)
        except SecretsError:
            raise
        except TimeoutError:
            raise SecretsError(
                f"the keyring does not answer within {self._wait_s:g} s; it may be waiting for "
                f"its password: unlock it and start again, {instead}"
            ) from None
        except KeyringLocked as error:
            raise SecretsError(
                f"the keyring is locked; unlock it and start again, {instead}"
            ) from error
        except Exception as error:
            raise SecretsError(
                f"the keyring refuses ({type(error).__name__}: {error}); repair it, {instead}"
            ) from error


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # raised where it is waited for
        outcome.set_exception(error)


def _entry(salt: bytes) -> str:
    """Return the name of a service: Windows renames entries of one service that has two users."""
    return f"mt-gateway/{salt.hex()}"


def _build(kind: type[KeyringBackend]) -> KeyringBackend:
    """Make a backend on which the environment has no hold."""

    def fill(body: dict[str, Any]) -> None:
        body["set_properties_from_env"] = lambda self: None  # KEYRING_PROPERTY_*
        body["keychain"] = None  # of macOS: not that of KEYCHAIN_PATH, but the user's own

    backend: KeyringBackend = new_class(kind.__name__, (kind,), exec_body=fill)()
    if "persist" in vars(kind):  # of Windows: otherwise it follows the user to other machines
        backend.persist = "local machine"  # type: ignore[attr-defined]  # WinVaultKeyring's own
    return backend


def _probe(backend: KeyringBackend) -> None:
    """See that it keeps and forgets, before anything depends on it."""
    entry, canary = f"mt-gateway/probe-{secrets.token_hex(8)}", secrets.token_urlsafe(KEY_BYTES)
    backend.set_password(entry, _USER, canary)
    try:
        kept = backend.get_password(entry, _USER)
    finally:
        backend.delete_password(entry, _USER)
    if kept != canary or backend.get_password(entry, _USER) is not None:
        raise SecretsError(f"the keyring does not keep what it is given; repair it, {_FOR_NEW}")
