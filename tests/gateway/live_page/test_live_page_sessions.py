"""Sessions of the live page: two secrets, both needed; short lives; no more than the token may."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.auth.caller import Caller, Scope
from gateway.errors import GatewayError, Overloaded, Unauthorized
from gateway.live_page.sessions import (
    CODE_S,
    IDLE_S,
    LONGEST_S,
    MAX_CODES,
    MAX_SESSIONS,
    PageSessions,
)

TRADER = Caller("tid", "main", frozenset({Scope.READ, Scope.TRADE}), 1, "device")


class Scene:
    """Sessions, on a clock of the test's."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.refused: GatewayError | None = None
        self.ended: list[Caller] = []
        self.sessions = PageSessions(self._recheck, self.ended.append, lambda: self.now_s)

    def _recheck(self, _: Caller) -> None:
        if self.refused is not None:
            raise self.refused

    def refusal(self, cookies: list[str], csrf: str) -> str:
        """Return why a request is refused."""
        with pytest.raises(Unauthorized) as caught:
            self.sessions.caller(cookies, csrf)
        return str(caught.value.data["reason"])


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Sessions of which no timer is left behind."""
    built = Scene()
    yield built
    built.sessions.close()


async def test_both_secrets_are_needed(scene: Scene) -> None:
    """The cookie that another port of this machine can make a browser send opens nothing."""
    given = scene.sessions.begin(TRADER, trade=True)
    other = scene.sessions.begin(TRADER, trade=True)
    assert scene.sessions.caller([other.cookie, given.cookie], given.csrf) == TRADER
    for cookies, csrf in (
        ([given.cookie], ""),
        ([], given.csrf),
        ([other.cookie], given.csrf),
        ([given.csrf], given.cookie),
        (["\udcff"], "\udcff"),
    ):
        assert scene.refusal(cookies, csrf) == "signed_out"


async def test_a_session_reads_unless_it_was_asked_to_trade(scene: Scene) -> None:
    """And it never may more than its token."""
    reading = scene.sessions.begin(TRADER, trade=False)
    assert scene.sessions.caller([reading.cookie], reading.csrf).scopes == {Scope.READ}
    reader = Caller("tid", "main", frozenset({Scope.READ}), 1, "device")
    asking = scene.sessions.begin(reader, trade=True)
    assert scene.sessions.caller([asking.cookie], asking.csrf).scopes == {Scope.READ}


async def test_a_session_ends_unused_and_after_half_a_day(scene: Scene) -> None:
    """Use prolongs it, but not for ever; what it has open is ended with it."""
    given = scene.sessions.begin(TRADER, trade=True)
    began_s = scene.now_s
    while scene.now_s + IDLE_S / 2 < began_s + LONGEST_S:
        scene.now_s += IDLE_S / 2
        scene.sessions.caller([given.cookie], given.csrf)
    scene.now_s = began_s + LONGEST_S
    assert scene.refusal([given.cookie], given.csrf) == "expired"
    idle = scene.sessions.begin(TRADER, trade=True)
    scene.now_s += IDLE_S
    assert scene.refusal([idle.cookie], idle.csrf) == "expired"
    assert scene.refusal([idle.cookie], idle.csrf) == "signed_out"
    assert len(scene.ended) == 2


async def test_a_session_ends_with_the_rights_of_its_token(scene: Scene) -> None:
    """And stays ended, though the token should get them back."""
    given = scene.sessions.begin(TRADER, trade=True)
    scene.refused = Unauthorized("revoked", reason="revoked")
    assert scene.refusal([given.cookie], given.csrf) == "revoked"
    scene.refused = None
    assert scene.refusal([given.cookie], given.csrf) == "signed_out"
    assert scene.ended == [TRADER]


async def test_a_code_opens_one_session_within_a_minute(scene: Scene) -> None:
    """The second use, a late one and a guess are told the same."""
    code = scene.sessions.new_code(TRADER, trade=True)
    assert scene.sessions.redeem(code) == (TRADER, True)
    late = scene.sessions.new_code(TRADER, trade=False)
    scene.now_s += CODE_S
    for wrong in (code, late, "", "é" * 43):
        with pytest.raises(Unauthorized) as caught:
            scene.sessions.redeem(wrong)
        assert caught.value.data["reason"] == "expired"


async def test_a_code_of_a_revoked_token_opens_nothing(scene: Scene) -> None:
    """It is looked at again when the code is used."""
    code = scene.sessions.new_code(TRADER, trade=True)
    scene.refused = Unauthorized("revoked", reason="revoked")
    with pytest.raises(Unauthorized):
        scene.sessions.redeem(code)


async def test_sessions_and_codes_are_bounded(scene: Scene) -> None:
    """A new session ends the one unused for longest; codes that have run out make room."""
    first, second = (scene.sessions.begin(TRADER, trade=True) for _ in range(2))
    scene.sessions.caller([first.cookie], first.csrf)
    for _ in range(MAX_SESSIONS - 1):
        scene.sessions.begin(TRADER, trade=True)
    assert len(scene.sessions) == MAX_SESSIONS
    assert scene.sessions.is_alive(first.cookie)
    assert not scene.sessions.is_alive(second.cookie)
    for _ in range(MAX_CODES):
        scene.sessions.new_code(TRADER, trade=True)
    with pytest.raises(Overloaded):
        scene.sessions.new_code(TRADER, trade=True)
    scene.now_s += CODE_S
    scene.sessions.new_code(TRADER, trade=True)


async def test_signing_out_ends_one_session(scene: Scene) -> None:
    """Another one of the same token goes on."""
    given, other = (scene.sessions.begin(TRADER, trade=True) for _ in range(2))
    scene.sessions.sign_out([given.cookie, other.cookie], given.csrf)
    assert scene.refusal([given.cookie, other.cookie], given.csrf) == "signed_out"
    assert scene.sessions.caller([given.cookie, other.cookie], other.csrf) == TRADER
