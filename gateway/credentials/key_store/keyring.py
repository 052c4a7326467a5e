"""The key in the keyring of the system, which opens when its user logs in.

The package of that name would choose a backend itself: by ``PYTHON_KEYRING_BACKEND`` or
``keyringrc.cfg`` it imports any module, and without them it may take one that writes plain text.
So the backends are named here, and built by class; nothing else is ever asked.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from importlib import import_module
from types import new_class
from typing import Any, TypeVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from ea_bridge import host
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
        options: that name the home to a command, such as ``--home /srv/mt-gateway``.

    """

    name = "keyring"
    remedy = "log in as the user who made this home, or restore the keyring from a backup"

    def __init__(
        self,
        backends: Backends = allowed_backends,
        wait_s: float = WAIT_S,
        *,
        probe: bool = True,
        options: str = "",
    ) -> None:
        self._backends = backends
        self._wait_s = wait_s
        self._probes = probe
        self.options = options

    @property
    def place(self) -> str:
        """The keyring; entries have no names that a person knows."""
        return "the key in the keyring"

    def find(self, salt: bytes, *, new: bool) -> bytes | None:
        """Try the keyring, then read the entry; see
        :class:`~gateway.credentials.secrets.KeyStore`."""

        def read() -> str | None:
            backend = self._backend(new=new)
            if self._probes:
                self._probe(backend)
            return backend.get_password(_entry(salt), _USER)

        text = self._ask(read, new=new)
        return None if text is None else decode_key(text, self.place)

    def make(self, salt: bytes) -> bytes:
        """Keep a new key, and see that it is kept."""
        key = host.random_bytes(KEY_BYTES)

        def keep() -> str | None:
            backend = self._backend(new=True)
            # then read back: a backend may accept a key and keep nothing
            backend.set_password(_entry(salt), _USER, encode_key(key))
            return backend.get_password(_entry(salt), _USER)

        if self._ask(keep, new=True) != encode_key(key):
            raise self._failed("the keyring did not keep the key", "repair it", new=True)
        return key

    def forget(self, known: KnownKey) -> None:
        """Delete the entry, and see that it is gone."""
        entry = _entry(known.salt)

        def delete() -> str | None:
            backend = self._backend(new=False)
            # to delete what is not there is an error with some backends
            if backend.get_password(entry, _USER) is not None:
                backend.delete_password(entry, _USER)
            return backend.get_password(entry, _USER)

        if self._ask(delete, new=False) is not None:
            raise SecretsError("the keyring did not delete the old key; repair it and try again")

    def _backend(self, *, new: bool) -> KeyringBackend:
        """Build the first backend that works; may block."""
        reasons = []
        for kind in self._backends():
            try:
                # reading it says whether the backend can be used on this machine
                _ = kind.priority
            except Exception as error:  # D-Bus raises all sorts
                reasons.append(str(error))
            else:
                return _build(kind)
        absent = f"there is no keyring ({', '.join(reasons)})"
        raise self._failed(absent, "log in to a desktop session", new=new)

    def _ask(self, work: Callable[[], T], *, new: bool) -> T:
        """Do it in a thread of its own, which is given up when it takes too long."""
        outcome: Future[T] = Future()
        # given up, never joined: one that waits for its password would hold up our end
        threading.Thread(target=_settle, args=(outcome, work), name="keyring", daemon=True).start()
        try:
            return outcome.result(self._wait_s)
        except SecretsError:
            raise
        except TimeoutError:
            waits = f"the keyring does not answer within {self._wait_s:g} s"
            remedy = "unlock it, for it may be waiting for its password"
            raise self._failed(waits, remedy, new=new) from None
        except KeyringLocked as error:
            raise self._failed("the keyring is locked", "unlock it", new=new) from error
        except Exception as error:
            refuses = f"the keyring refuses ({type(error).__name__}: {error})"
            raise self._failed(refuses, "repair it", new=new) from error

    def _probe(self, backend: KeyringBackend) -> None:
        """See that it keeps and forgets, before anything depends on it."""
        entry, canary = (
            f"mt-gateway/probe-{host.token_hex(8)}",
            host.token_urlsafe(KEY_BYTES),
        )
        backend.set_password(entry, _USER, canary)
        try:
            kept = backend.get_password(entry, _USER)
        finally:
            # also where reading failed: no probe stays in somebody's keyring
            backend.delete_password(entry, _USER)
        if kept != canary or backend.get_password(entry, _USER) is not None:
            raise self._failed("the keyring does not keep what it is given", "repair it", new=True)

    def _failed(self, what: str, remedy: str, *, new: bool) -> SecretsError:
        """Return what is wrong, below what to type: nobody reads a paragraph for it."""
        if new:
            command = f"run once: mt-gateway secrets move --to file{self.options}"
            return SecretsError(
                f"{command}\n{what}; the key of this new home then lies in a file. "
                f"Or {remedy}, and start again"
            )
        command = f"mt-gateway secrets restore --to file{self.options}"
        return SecretsError(
            f"{remedy}, and start again\n{what}; who has a recovery kit may run instead: {command}"
        )


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
