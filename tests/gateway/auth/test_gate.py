"""The rules of the gate."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ea_bridge.protocol.messages import Hello
from ea_bridge.server import Admitted, Refused
from ea_bridge.token import derive_keys, new_token, parse_token
from gateway.auth import gate as module
from gateway.auth.caller import Caller
from gateway.auth.gate import BLIND_S, MESSAGES, Gate, TerminalDoor
from gateway.auth.home import Home
from gateway.credentials.issuer import published
from gateway.credentials.keyset import DAY_S
from gateway.credentials.scope import Scope
from gateway.errors import Unauthorized
from gateway.store import DATABASE

START = 1_800_000_000


@dataclass
class House:
    """A home and the gate before it, with clocks that a test sets."""

    folder: Path
    now: int = START
    monotonic: float = 0.0
    changes: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = Home(self.folder, now_s=lambda: self.now)
        self.gate = self.new_gate()
        self.gate.on_change(lambda tid, reason: self.changes.append((tid, reason)))

    def new_gate(self) -> Gate:
        return Gate(self.home.book(), "device", lambda: self.now, lambda: self.monotonic)

    def admit(self, name: str = "demo", **arguments: object) -> tuple[str, Caller]:
        token, _ = self.home.issuer.create(name, **arguments)  # type: ignore[arg-type]
        return token, self.gate.admit(token)

    def revoke_elsewhere(self, which: str) -> None:
        """Revoke as ``mt-gateway token revoke`` does, in another process."""
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; from gateway.auth.home import Home\n"
                "Home(Path(sys.argv[1])).issuer.revoke(sys.argv[2])",
                str(self.folder),
                which,
            ],
            check=True,
            timeout=60,
        )

    def alter(self, sql: str, *values: object) -> None:
        """Write to the database behind everybody's back."""
        with sqlite3.connect(self.folder / DATABASE) as db:
            db.execute(sql, values)
        db.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path / "home")
    yield built
    built.home.close()


def reason(check: Callable[[], object]) -> str:
    """Return why a check refuses, ``""`` if it does not."""
    try:
        check()
    except Unauthorized as error:
        assert error.message
        return str(error.data["reason"])
    return ""


async def delivered() -> None:
    """Let the loop deliver what was told to the listeners."""
    await asyncio.sleep(0)


# --- letting in ----------------------------------------------------------------------------


def test_the_holder_of_a_token_is_let_in(house: House) -> None:
    """For the one terminal of the token, with all that its scopes imply."""
    token, caller = house.admit("demo", scopes=["trade"])
    assert caller.tid == parse_token(token)
    assert caller.terminal == "demo"
    assert caller.scopes == {Scope.READ, Scope.TRADE}
    assert caller.device == "device"
    house.gate.recheck(caller)


@pytest.mark.parametrize(
    ("scopes", "held"),
    [
        (["read"], {Scope.READ}),
        (["trade"], {Scope.READ, Scope.TRADE}),
        (["admin"], set(Scope)),
        (["admin", "read"], set(Scope)),
    ],
)
def test_scopes_include_lesser_ones(house: House, scopes: list[str], held: set[Scope]) -> None:
    """``read`` alone does not trade."""
    assert house.admit("demo", scopes=scopes)[1].scopes == held


def test_each_refusal_has_its_reason(house: House) -> None:
    """A mistyped token is told from an unknown one without a lookup."""
    token, _ = house.admit()
    assert reason(lambda: house.gate.admit("")) == "missing"
    assert reason(lambda: house.gate.admit("hunter2")) == "malformed"
    assert reason(lambda: house.gate.admit(token[:-1])) == "malformed"
    assert reason(lambda: house.gate.admit(new_token())) == "unknown"
    mistyped = token[:20] + ("x" if token[20] != "x" else "y") + token[21:]
    with pytest.raises(Unauthorized, match="checksum does not match"):
        house.gate.admit(mistyped)


def test_a_wrong_secret_is_unknown(house: House) -> None:
    """The right public id with another secret and a right checksum opens nothing."""
    from ea_bridge import token as format_

    token, _ = house.admit()
    body = token[:16] + new_token()[16:48]
    forged = body + format_._checksum(body)
    assert parse_token(forged) == parse_token(token)
    assert reason(lambda: house.gate.admit(forged)) == "unknown"


async def test_an_unknown_token_takes_the_same_steps(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parse, derive, compare: nobody can time which tokens exist."""
    token, _ = house.admit()
    house.home.issuer.revoke("demo")
    steps: list[str] = []

    def count(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            steps.append(name)
            return work(*arguments)

        return counted

    monkeypatch.setattr(module, "derive_keys", count("derive", derive_keys))
    monkeypatch.setattr(
        module.hmac, "compare_digest", count("compare", module.hmac.compare_digest)
    )
    for text, why in ((new_token(), "unknown"), (token, "revoked")):
        steps.clear()
        assert reason(lambda text=text: house.gate.admit(text)) == why  # type: ignore[misc]
        # the first comparison is the checksum's
        assert steps == ["compare", "derive", "compare"]


async def test_what_became_of_a_token_is_told_to_its_holder_alone(house: House) -> None:
    """Who merely knows the public id learns nothing."""
    from ea_bridge import token as format_

    token, _ = house.admit()
    house.home.issuer.revoke("demo")
    body = token[:16] + new_token()[16:48]
    assert reason(lambda: house.gate.admit(token)) == "revoked"
    assert reason(lambda: house.gate.admit(body + format_._checksum(body))) == "unknown"


# --- ends ----------------------------------------------------------------------------------


async def test_a_token_ends_exactly_at_its_expiry(house: House) -> None:
    """The second named in the record is the first that is refused."""
    token, caller = house.admit(lifetime_s=60)
    house.now += 59
    house.gate.recheck(caller)
    house.gate.admit(token)
    house.now += 1
    assert reason(lambda: house.gate.recheck(caller)) == "expired"
    assert reason(lambda: house.gate.admit(token)) == "expired"


async def test_an_expiry_is_told_once(house: House) -> None:
    """So that connections that say nothing end too."""
    _, caller = house.admit(lifetime_s=60)
    house.gate.expire()
    await delivered()
    assert house.changes == []
    house.now += 60
    for _ in range(3):
        house.gate.expire()
    await delivered()
    assert house.changes == [(caller.tid, "expired")]


async def test_a_revocation_is_seen_at_once(house: House) -> None:
    """By the very next check, and told to all who listen."""
    token, caller = house.admit()
    house.home.issuer.revoke("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    assert reason(lambda: house.gate.admit(token)) == "revoked"
    await delivered()
    assert house.changes == [(caller.tid, "revoked")]


async def test_a_revocation_by_another_process_is_seen_at_once(house: House) -> None:
    """Nothing but the database connects the two."""
    _, caller = house.admit()
    house.gate.recheck(caller)
    house.revoke_elsewhere("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"


async def test_a_silent_connection_hears_of_a_revocation(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch looks by itself, without any call."""
    monkeypatch.setattr(module, "POLL_S", 0.001)
    token, _ = house.admit()
    told = asyncio.get_running_loop().create_future()
    house.gate.on_change(lambda tid, why: told.set_result((tid, why)))
    watching = asyncio.create_task(house.gate.watch())
    house.home.issuer.revoke("demo")
    assert await told == (parse_token(token), "revoked")
    watching.cancel()


async def test_listeners_are_called_from_the_loop(house: House) -> None:
    """Never from inside a check: it may stand in the middle of writing an order."""
    _, caller = house.admit()
    house.home.issuer.revoke("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    assert house.changes == []
    await delivered()
    assert len(house.changes) == 1


async def test_who_looks_for_endings_is_not_left_waiting(house: House) -> None:
    """What looks by itself tells before it returns: until then events would still go out."""
    token, _ = house.admit()
    house.home.issuer.revoke("demo")
    house.gate.expire()
    assert house.changes == [(parse_token(token), "revoked")]
    await delivered()
    assert len(house.changes) == 1


async def test_a_listener_that_fails_keeps_no_other_from_hearing(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Each ends what is its own."""
    heard: list[str] = []
    house.gate.on_change(lambda tid, why: [][0])
    house.gate.on_change(lambda tid, why: heard.append(why))
    house.admit()
    house.home.issuer.revoke("demo")
    house.gate.expire()
    assert heard == ["revoked"]
    assert "was not ended" in caplog.text


async def test_a_listener_can_leave(house: House) -> None:
    """What it gets back ends it."""
    heard: list[str] = []
    leave = house.gate.on_change(lambda tid, why: heard.append(tid))
    leave()
    house.admit()
    house.home.issuer.revoke("demo")
    house.gate.refresh()
    await delivered()
    assert heard == []
    assert len(house.changes) == 1


async def test_other_tokens_go_on(house: House) -> None:
    """A revocation ends one token."""
    house.admit("one")
    _, other = house.admit("two")
    house.home.issuer.revoke("one")
    house.gate.recheck(other)
    await delivered()
    assert len(house.changes) == 1


async def test_replacing_a_token_cuts_nobody_off(house: House) -> None:
    """The old one goes on until the overlap ends, then it ends."""
    old_token, old = house.admit()
    new_token_, _ = house.home.issuer.replace("demo", overlap_s=3600)
    house.gate.recheck(old)
    house.gate.admit(old_token)
    new = house.gate.admit(new_token_)
    assert new.terminal == old.terminal
    await delivered()
    assert house.changes == []
    house.now += 3600
    house.gate.expire()
    assert reason(lambda: house.gate.recheck(old)) == "expired"
    house.gate.recheck(new)
    await delivered()
    assert house.changes == [(old.tid, "expired")]


async def test_new_keys_of_the_issuer_change_nothing_for_callers(house: House) -> None:
    """The records are signed anew, the rights are the same."""
    _, caller = house.admit()
    house.now += 80 * DAY_S
    house.home.issuer.renew()
    house.gate.recheck(caller)
    await delivered()
    assert house.changes == []


async def test_a_signature_counts_as_long_as_its_key(house: House) -> None:
    """Without a renewal everything ends with the key; with one it goes on."""
    token, _ = house.admit()
    house.now += 90 * DAY_S
    assert reason(lambda: house.gate.admit(token)) == "lease_expired"
    house.home.issuer.renew()
    house.gate.admit(token)


async def test_the_watch_has_the_issuer_renew_its_keys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once an hour, so that a daemon that runs for months goes on."""
    monkeypatch.setattr(module, "POLL_S", 0.001)
    renewed = asyncio.Event()
    watching = asyncio.create_task(house.gate.watch(renewed.set))
    await asyncio.sleep(0.01)
    house.monotonic += module.RENEW_S - 1
    await asyncio.sleep(0.01)
    assert not renewed.is_set()
    house.monotonic += 1
    await asyncio.wait_for(renewed.wait(), 5)
    watching.cancel()


# --- what should not be --------------------------------------------------------------------


async def test_an_old_record_does_not_undo_a_revocation(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither while we run nor after a restart, though its signature is right."""
    token, caller = house.admit()
    (old,) = published(house.home.store).records
    house.home.issuer.revoke("demo")
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    house.alter("UPDATE records SET envelope = ?", old.envelope)
    assert reason(lambda: house.gate.admit(token)) == "revoked"
    restarted = house.new_gate()
    assert reason(lambda: restarted.admit(token)) == "revoked"
    assert "older than one seen before" in caplog.text


async def test_an_old_key_set_is_refused(house: House) -> None:
    """A key that was taken out of the set does not come back in."""
    token, _ = house.admit()
    old = published(house.home.store)
    house.now += 80 * DAY_S
    house.home.issuer.renew()
    house.gate.admit(token)
    house.alter("DELETE FROM key_sets WHERE ver = 2")
    house.alter("UPDATE records SET envelope = ?", old.records[0].envelope)
    assert reason(lambda: house.gate.admit(token)) == "lease_expired"
    assert reason(lambda: house.new_gate().admit(token)) == "unknown"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM records",
        "UPDATE records SET envelope = 'x'",
        "UPDATE records SET server_key = 'x'",
        "UPDATE records SET tid = 'ZZZZZZZZZZZZ'",
    ],
)
async def test_a_record_that_goes_or_breaks_opens_nothing(house: House, sql: str) -> None:
    """Silence must not keep a door open."""
    token, caller = house.admit()
    house.alter(sql)
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    assert reason(lambda: house.new_gate().admit(token)) == "unknown"
    await delivered()
    assert house.changes == [(caller.tid, "revoked")]


@pytest.mark.parametrize(
    "gap", ["UPDATE records SET tid = 'ZZZZZZZZZZZZ'", "UPDATE records SET envelope = 'x'"]
)
async def test_a_caller_of_the_past_is_let_in_again(house: House, gap: str) -> None:
    """A record that was gone or broken comes back, but nobody slips over the gap."""
    token, caller = house.admit()
    (row,) = published(house.home.store).records
    house.alter(gap)
    house.gate.refresh()
    house.alter("UPDATE records SET tid = ?, envelope = ?", row.tid, row.envelope)
    assert reason(lambda: house.gate.recheck(caller)) == "revoked"
    house.gate.recheck(house.gate.admit(token))


async def test_without_a_key_set_nobody_is_verified(house: House) -> None:
    """Known tokens rest until there is one again; the log says why."""
    token, caller = house.admit()
    (row,) = house.home.store.all("SELECT ver, envelope FROM key_sets")
    house.alter("DELETE FROM key_sets")
    assert reason(lambda: house.gate.recheck(caller)) == "lease_expired"
    house.alter("INSERT INTO key_sets VALUES (?, ?)", row["ver"], row["envelope"])
    house.gate.recheck(caller)
    house.gate.admit(token)


async def test_a_store_that_cannot_be_read_is_borne_for_a_moment(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was known holds for five seconds, then nobody is let in; it heals by itself."""
    from gateway.store import StoreError

    token, caller = house.admit()
    fails = True

    def data_version() -> tuple[int, int]:
        if fails:
            raise StoreError("the disk reports errors")
        return (-1, -1)

    monkeypatch.setattr(house.home.store, "data_version", data_version)
    house.gate.recheck(caller)
    house.monotonic += BLIND_S
    house.gate.recheck(caller)
    house.monotonic += 0.1
    assert reason(lambda: house.gate.recheck(caller)) == "lease_expired"
    assert reason(lambda: house.gate.admit(token)) == "lease_expired"
    assert caplog.text.count("the disk reports errors") == 1
    fails = False
    house.gate.recheck(caller)
    house.gate.admit(token)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be exchanged there")
async def test_an_exchanged_database_locks_everybody_out(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """From the file that we read no revocation would ever reach us; the log says: restart."""
    monkeypatch.setattr(module, "POLL_S", 0.001)
    _, caller = house.admit()
    copy = house.folder / "copy"
    shutil.copy(house.folder / DATABASE, copy)
    copy.replace(house.folder / DATABASE)
    told = asyncio.Event()
    house.gate.on_change(lambda tid, why: told.set())
    watching = asyncio.create_task(house.gate.watch())
    await asyncio.wait_for(told.wait(), 5)
    assert reason(lambda: house.gate.recheck(caller)) == "lease_expired"
    await asyncio.sleep(0.01)
    assert caplog.text.count("restart") == 1
    watching.cancel()


async def test_a_token_shows_up_nowhere(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs, not in errors with all their causes, not in what is printed of a caller."""
    caplog.set_level(logging.DEBUG)
    token, caller = house.admit()
    canary = token[16:48]
    shown = [repr(caller), repr(house.gate._book.entries())]
    house.home.issuer.revoke("demo")
    for text in (token, token[:-1], token[:30] + "!" + token[31:]):
        try:
            house.gate.admit(text)
        except Unauthorized as error:
            shown += [repr(error), str(error), repr(error.as_dict())]
            shown += [repr(error.__cause__), repr(error.__suppress_context__ or error.__context__)]
    assert not [text for text in shown if canary in text]
    assert canary not in caplog.text


def test_every_reason_has_a_sentence() -> None:
    """Also for whoever reads the message alone."""
    assert all(text and text[0].isupper() for text in MESSAGES.values())


# --- terminals -----------------------------------------------------------------------------


def hello(token: str, platform: str = "mt5") -> Hello:
    return Hello(
        proto="1-1",
        tid=parse_token(token),
        cnonce=bytes(32),  # type: ignore[arg-type]
        boot="b",
        platform=platform,
        login=1,
        server="s",
    )


def test_a_terminal_is_admitted_with_the_keys_of_its_token(house: House) -> None:
    """With them the bridge proves and checks; the terminal has the token's name."""
    token, caller = house.admit()
    admitted = TerminalDoor(house.gate).admit(hello(token))
    assert isinstance(admitted, Admitted)
    assert admitted.keys == derive_keys(token)
    assert (admitted.terminal, admitted.generation) == ("demo", caller.generation)


def test_a_terminal_with_an_unknown_token_gets_no_keys(house: House) -> None:
    """The bridge then leads the handshake with keys that fit nothing."""
    refused = TerminalDoor(house.gate).admit(hello(new_token()))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.keys) == ("unknown", None)


@pytest.mark.parametrize("end", ["expired", "revoked"])
async def test_a_terminal_learns_why_its_token_ended(house: House, end: str) -> None:
    """Once it has proved that it holds it: that is what the keys are for."""
    token, _ = house.admit(lifetime_s=60)
    if end == "revoked":
        house.home.issuer.revoke("demo")
    else:
        house.now += 60
    refused = TerminalDoor(house.gate).admit(hello(token))
    assert isinstance(refused, Refused)
    assert refused.code == end
    assert refused.keys == derive_keys(token)
    assert refused.terminal == "demo"


def test_a_token_for_one_platform_is_not_for_the_other(house: House) -> None:
    """An MT4 token in an MT5 terminal is a mix-up; the reason says so."""
    token, _ = house.admit(platform="mt4")
    door = TerminalDoor(house.gate)
    assert isinstance(door.admit(hello(token, "mt4")), Admitted)
    refused = door.admit(hello(token, "mt5"))
    assert isinstance(refused, Refused)
    assert "for mt4, not for mt5" in refused.reason


async def test_a_terminal_may_try_again_when_we_cannot_tell(house: House) -> None:
    """A record that cannot be verified now is no end: the EA comes back."""
    token, _ = house.admit()
    house.alter("DELETE FROM key_sets")
    refused = TerminalDoor(house.gate).admit(hello(token))
    assert isinstance(refused, Refused)
    assert refused.code == "busy"


async def test_the_terminal_of_a_token_is_known_after_its_end(house: House) -> None:
    """Whoever ends its connections has to find them."""
    _, caller = house.admit()
    house.home.issuer.revoke("demo")
    assert house.gate.label(caller.tid) == "demo"
    assert house.gate.label("A" * 12) is None
