"""Connection of the peer to the trade server: made, kept, made again, given up.

Theory of operation
===================

There are two interfaces. One asks the server directly; that is what money and changes go through.
Another is switched to pumping, in which the server keeps it up to date by itself: an interface
that pumps cannot ask, so the two are logged in side by side, as managers' programs do.

Pumping tells about itself from a thread of the library. All that our callback does there is to
set flags; everything else, making and releasing interfaces above all, happens in the one thread
that calls this class, since an interface is not safe for threads.

What ``connect`` was told is kept in memory until ``disconnect``: :meth:`supervise`, called again
and again, connects anew when the server was lost. Until then every call is refused with
``RET_NO_CONNECT``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from ctypes import byref
from enum import Enum
from typing import Any

from ea_bridge import host
from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.model import ConnectParams, ManagerConnection, ReturnCode

from .layouts import ConCommon
from .library import NOTIFY, Interface, Library

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
PUMP_START_PUMPING, PUMP_STOP_PUMPING = 0, 14
HIDE_NEWS, HIDE_MAIL = 2, 4
"""``CLIENT_FLAGS_HIDENEWS`` and ``CLIENT_FLAGS_HIDEMAIL``: what nobody asks for."""

NO_CONNECT = int(ReturnCode.NO_CONNECT)
SUCCESSES = (int(ReturnCode.OK), int(ReturnCode.OK_NONE))
FINAL = frozenset(
    {ReturnCode.OLD_VERSION, ReturnCode.ACCOUNT_DISABLED, ReturnCode.BAD_ACCOUNT_INFO}
)
"""Refusals of a login that time does not heal. A server counts wrong ones, so nobody here tries
again; the daemon does, at a pace of its own."""

_log = logging.getLogger(__name__)


class Pumping(Enum):
    """States of an interface that is switched to pumping."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    STOPPED = "stopped"


class ServerConnection:
    """Connection of one manager to one server. Use it in one thread alone.

    Args:
        library: makes interfaces.
        encode: what texts are as bytes.
        pumps: whether there is to be an interface that pumps.
        clock: seconds that only grow.

    """

    def __init__(
        self,
        library: Library,
        *,
        encode: Callable[[str], bytes],
        pumps: bool = True,
        clock: Callable[[], float] = host.monotonic_s,
    ) -> None:
        self.connected = False
        """As it was when the server was last asked something; may be read in any thread."""
        self._library = library
        self._encode = encode
        self._pumps = pumps
        self._clock = clock
        self._wanted: ConnectParams | None = None
        self._direct: Interface | None = None
        self._pump: Interface | None = None
        self._pumping = Pumping.OFF
        self._generation = 0
        self._notify = NOTIFY(self._notified)  # lives as long as a library could call it
        self._retry_s = FIRST_RETRY_S
        self._retry_at = 0.0

    # --- commands --------------------------------------------------------------------------

    def connect(self, params: ConnectParams) -> ManagerConnection:
        """Connect and log in; where there is a connection, it is given up first.

        Raises:
            CommandRefused: with the code that ``Connect`` or ``Login`` gave. Then nothing is tried
            by
                itself, whatever was connected before.

        """
        self.disconnect()
        self._open(params)
        # only now: a login that was refused is not tried again by itself
        self._wanted = params
        _log.info("connected to %s as manager %d", params.server, params.login)
        return self.state()

    def disconnect(self) -> ManagerConnection:
        """Give the connection up, and what ``connect`` was told."""
        if self._wanted is not None:
            _log.info("disconnected from %s", self._wanted.server)
        self._wanted = None
        self._close()
        return self.state()

    def state(self) -> ManagerConnection:
        """Say whether there is a connection, where to and as whom."""
        self._poll()
        if self._wanted is None or not self.connected:
            return ManagerConnection(connected=False)
        return ManagerConnection(
            connected=True, server=self._wanted.server, login=self._wanted.login
        )

    def direct(self) -> Interface:
        """Return the interface that asks the server.

        Raises:
            CommandRefused: there is no connection; nothing was sent.

        """
        self._poll()
        if self._direct is None or not self.connected:
            raise CommandRefused("there is no connection to the trade server", retcode=NO_CONNECT)
        return self._direct

    def pump(self) -> Interface | None:
        """Return the interface that pumps; ``None`` until it has everything, or without one."""
        # refused where the server is lost: a pump would go on with what it had
        self.direct()
        return self._pump if self._pumping is Pumping.ON else None

    def supervise(self) -> None:
        """Mend what is broken, if it is time to: call it about once a second."""
        wanted = self._wanted
        if wanted is None or self._clock() < self._retry_at:
            return
        self._poll()
        try:
            if not self.connected:
                self._close()
                self._open(wanted)
                _log.info("connected to the trade server again")
            elif self._pumps and self._pumping in (Pumping.OFF, Pumping.STOPPED):
                self._start_pumping(wanted)
        except CommandRefused as no:
            if no.retcode in FINAL:
                _log.error("the trade server does not let us in any more: %s", no)
                self.disconnect()
                return
            _log.warning(
                "the trade server is not reached: %s; the next try is in %.0f s",
                no,
                self._retry_s,
            )
            self._retry_at = self._clock() + self._retry_s
            self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
        else:
            self._retry_s = FIRST_RETRY_S

    # --- interfaces ------------------------------------------------------------------------

    def _open(self, params: ConnectParams) -> None:
        direct = self._library.create()
        try:
            self._log_in(direct, params)
            self._check(direct)
        except BaseException:
            direct.release()
            raise
        self._direct = direct
        self.connected = True
        if self._pumps:
            try:
                self._start_pumping(params)
            except CommandRefused as no:  # the rest works without
                _log.warning("pumping has not begun: %s", no)

    def _log_in(self, interface: Interface, params: ConnectParams) -> None:
        demand(interface, "Connect", self._encode(params.server))
        demand(interface, "Login", params.login, self._encode(params.password))
        # symbols are a copy of the library's own, and empty before
        demand(interface, "SymbolsRefresh")

    def _check(self, interface: Interface) -> None:
        """See in one deep record that methods and layout are those of this library."""
        common = ConCommon()
        code = interface.call("ManagerCommon", byref(common))
        # a manager who may not read the configuration can work all the same
        if code not in SUCCESSES:
            _log.warning("the server's configuration may not be read: code %d", code)
            return
        if not (
            0 < common.port < 65_536
            and -13 < common.timezone < 15
            and 0 <= common.endhour < 24
            and 0 <= common.endminute < 60
            and 0 < common.server_build < 10_000
        ):
            interface.call("Disconnect")
            raise CommandRefused(
                "the library's records are not laid out as they were in the builds that we know: "
                "nothing is asked of it",
                retcode=int(ReturnCode.OLD_VERSION),
            )

    def _start_pumping(self, params: ConnectParams) -> None:
        self._stop_pumping()
        pump = self._library.create()
        try:
            self._log_in(pump, params)
            # the library's thread may still tell of an interface that was given up
            self._generation += 1
            self._pumping = Pumping.STARTING
            flags = HIDE_NEWS | HIDE_MAIL
            demand(pump, "PumpingSwitchEx", self._notify, flags, self._generation)
        except BaseException:
            self._pumping = Pumping.OFF
            pump.release()
            raise
        self._pump = pump

    def _notified(self, code: int, _type: int, _data: int | None, param: int | None) -> None:
        """In a thread of the library; ``param`` is what the switch was given."""
        if param != self._generation:
            return  # of an interface that was given up
        if code == PUMP_START_PUMPING and self._pumping is Pumping.STARTING:
            self._pumping = Pumping.ON
        elif code == PUMP_STOP_PUMPING and self._pumping is not Pumping.OFF:
            self._pumping = Pumping.STOPPED

    def _stop_pumping(self) -> None:
        # off before it is released: its callback may come in the middle
        pump, self._pump = self._pump, None
        self._pumping = Pumping.OFF
        if pump is not None:
            pump.call("Disconnect")
            pump.release()

    def _close(self) -> None:
        self._stop_pumping()
        direct, self._direct = self._direct, None
        self.connected = False
        if direct is not None:
            direct.call("Disconnect")
            direct.release()

    def _poll(self) -> None:
        # asked each time: the library does not tell when it loses the server
        self.connected = self._direct is not None and bool(self._direct.call("IsConnected"))


def demand(interface: Interface, method: str, *arguments: Any) -> None:
    """Call a method that gives a return code.

    Raises:
        CommandRefused: it is no success.

    """
    code = interface.call(method, *arguments)
    if code not in SUCCESSES:
        raise CommandRefused(f"{method}: {describe(interface, code)}", retcode=code)


def describe(interface: Interface, code: int) -> str:
    """Return the library's own words for a return code."""
    words: bytes | None = interface.call("ErrorDescription", code)
    return (words or b"").decode("ascii", "replace") or f"code {code}"
