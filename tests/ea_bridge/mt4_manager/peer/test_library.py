"""The library: loaded, known, called by the places of its methods."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from manager_library import Fake

from ea_bridge.mt4_manager.peer.layouts import UserRecord
from ea_bridge.mt4_manager.peer.library import METHODS, SLOTS, Interface, Library, LibraryError


def test_slots_are_of_the_class():
    """No two methods have one place, and none lies beyond the class or among COM's own three,
    but for ``Release``.
    """
    places = [slot.index for slot in METHODS.values()]

    assert len(set(places)) == len(places)
    assert max(places) < SLOTS
    assert min(places) == METHODS["Release"].index == 2


def test_calls_reach_the_methods_of_their_names(fake: Fake):
    """Each with ``this``, its arguments and its result."""
    interface = Library(fake.path).create()

    assert interface.call("Connect", b"203.0.113.10:443") == 0
    assert interface.call("Login", 224, b"wrong") == 65
    assert interface.call("Login", 224, b"let-me-in") == 0
    assert interface.call("ServerTime") == 1772901814
    assert interface.call("ErrorDescription", 134) == b"Not enough money"

    interface.release()
    assert fake.do("live") == 0


def test_a_list_is_copied_and_given_back(fake: Fake):
    """What we keep of it does not lie in the library's memory."""
    interface = _connected(fake)
    interface.call("UserRecordNew", ctypes.byref(UserRecord(name=b"Ann")))

    [user] = interface.list("UsersRequest", UserRecord)

    assert (user.login, user.name) == (100, b"Ann")
    assert fake.do("unfreed") == 0
    interface.release()


def test_an_empty_list_is_no_address(fake: Fake):
    """Nothing is read and nothing given back."""
    interface = _connected(fake)

    assert interface.list("UsersRequest", UserRecord) == []
    interface.release()


@pytest.mark.parametrize(("main", "build"), [(399, 1353), (401, 1), (400, 1089)])
def test_a_library_of_another_order_is_not_called(fake: Fake, main: int, build: int):
    """Its methods could lie elsewhere."""
    fake.do("version", main, build)

    with pytest.raises(LibraryError, match=f"is version {main}, build {build}"):
        Library(fake.path)


def test_a_newer_build_is_told_of(fake: Fake, caplog: pytest.LogCaptureFixture):
    """It is called with its own version, which it accepts, and named in the log."""
    fake.do("version", 400, 1420)

    Library(fake.path).create().release()

    assert "build 1420" in caplog.text


def test_what_is_no_library_is_refused(tmp_path: Path):
    """With what would be one."""
    path = tmp_path / "mtmanapi.dll"
    path.write_bytes(b"MZ")

    with pytest.raises(LibraryError, match=r"this Python has 64 bits and needs mtmanapi64\.dll"):
        Library(path)


def _connected(fake: Fake) -> Interface:
    interface = Library(fake.path).create()
    interface.call("Connect", b"203.0.113.10:443")
    interface.call("Login", 224, b"let-me-in")
    return interface
