"""What a daemon asks of its console, over real HTTP."""

from __future__ import annotations

import pytest
from approval_fixtures import Terminal, approve_shown, last_post
from console_fixtures import Clock, Machine, person
from daemon_fixtures import Daemon

from ea_bridge.token import derive_keys
from gateway.console.daemon_api import authentication
from gateway.console.daemon_api.authentication import BURST_OF_ADDRESS
from gateway.console.daemon_api.routes import BURST_OF_CONTACTS
from gateway.console.service import Console
from gateway.credentials.daemon_api import (
    Confirm,
    Contact,
    EventAck,
    OpenRequests,
    Sync,
    TerminalReport,
)
from gateway.credentials.device import HEADER_NONCE, HEADER_SIGNATURE, HEADER_TIME, sign_request
from gateway.credentials.envelope import decode64, encode64
from gateway.credentials.event import open_event, open_state
from gateway.credentials.keyset import open_keyset, parse_root
from gateway.credentials.lease import open_lease
from gateway.credentials.record import open_record


async def _approved(console: Console, daemon: Daemon):
    ann = await person(console)
    text, token = await console.tokens.create(ann.id, "MT5-Live")
    terminal = Terminal(text, daemon.machine)
    verdict = await daemon.dial(terminal)
    code = (await last_post(console)).code
    path = f"/v1/daemon/requests/{verdict.rid}/confirm"
    answer = await daemon.call("POST", path, Confirm(ecode=code))
    assert (answer.status, answer.body["status"]) == (200, "approved")
    return ann, token, terminal


@pytest.mark.alike
async def test_from_first_contact_to_a_lease(console: Console, daemon: Daemon):
    """Contact, proof, mail, code; then record, server key and lease, all signed."""
    _, token, terminal = await _approved(console, daemon)
    told = await daemon.sync()

    keys = open_keyset(told.keys, parse_root(told.root))
    [one] = told.tokens
    record = open_record(one.record, keys.keys_for("rec", told.server_time))
    assert one.lease is not None
    assert one.server_key is not None
    lease = open_lease(one.lease, keys.keys_for("lease", told.server_time))
    assert (record.tid, record.devices[0].did) == (token.tid, daemon.machine.did)
    assert (lease.did, lease.exp - lease.iat) == (daemon.machine.did, 900)
    assert decode64(one.server_key) == derive_keys(terminal.token).server_key
    state = open_state(told.state, keys.keys_for("state", told.server_time))
    events = [open_event(event, keys.keys_for("evt", told.server_time)) for event in told.events]
    assert (state.tids, state.seq) == ((token.tid,), events[-1].seq)
    assert events[-1].type == "device.approved"


@pytest.mark.alike
async def test_a_sync_may_be_asked_again(console: Console, daemon: Daemon):
    """It changes nothing that counts: same records, same events, same versions."""
    await _approved(console, daemon)
    first, second = await daemon.sync(), await daemon.sync()
    assert first.tokens[0].record == second.tokens[0].record
    assert (first.events, first.state) == (second.events, second.state)
    last = await console.events.last(daemon.machine.did)
    assert (await daemon.sync(since=last)).events == ()


@pytest.mark.alike
async def test_a_revoked_token_is_told_without_lease(console: Console, daemon: Daemon):
    """The record says why; the server key is not handed out any more."""
    ann, token, _ = await _approved(console, daemon)
    await console.tokens.revoke(ann.id, token.tid)
    told = await daemon.sync()
    keys = open_keyset(told.keys, parse_root(told.root))
    [one] = told.tokens
    assert open_record(one.record, keys.keys_for("rec", told.server_time)).status == "revoked"
    assert (one.lease, one.server_key) == (None, None)


@pytest.mark.alike
async def test_nobody_elses_tokens_are_told(console: Console, daemon: Daemon):
    """A device that waits gets none; another user's token stays unknown to it."""
    await _approved(console, daemon)
    bob = await person(console, "bob")
    text, _ = await console.tokens.create(bob.id, "B")
    other = Daemon(daemon.url, daemon.http, daemon.clock, Machine("other"))
    assert (await other.dial(Terminal(text, other.machine))).status == "pending"
    told = await other.sync()
    assert told.tokens == ()
    keys = open_keyset(told.keys, parse_root(told.root))
    assert open_state(told.state, keys.keys_for("state", told.server_time)).tids == ()


@pytest.mark.alike
async def test_the_state_is_signed_for_its_question(console: Console, daemon: Daemon):
    """So that nobody can give the answer a second time."""
    await _approved(console, daemon)
    told = await daemon.sync(nonce="once")
    keys = open_keyset(told.keys, parse_root(told.root)).keys_for("state", told.server_time)
    assert open_state(told.state, keys).nonce == "once"


@pytest.mark.alike
async def test_a_device_that_was_never_met(daemon: Daemon):
    """404, so that the daemon knows to begin with a contact."""
    answer = await daemon.call("POST", "/v1/daemon/sync", Sync(since=0))
    assert (answer.status, answer.body["error"]) == (404, "unknown_device")


@pytest.mark.alike
async def test_keys_are_public(console: Console, daemon: Daemon):
    """Who pins the root can read the set without any signature."""
    answer = await daemon.call("GET", "/v1/keys", headers={})
    assert answer.status == 200
    open_keyset(answer.body["keys"], parse_root(answer.body["root"]))


@pytest.mark.alike
async def test_reports_and_acknowledgements(console: Console, daemon: Daemon):
    """What the terminals do is shown to their owner; a stop is confirmed."""
    ann, token, terminal = await _approved(console, daemon)
    facts = terminal.hello().terminal
    report = TerminalReport(
        tid=token.tid, state="online", since=daemon.clock() - 5, terminal=facts
    )
    stranger = report.model_copy(update={"tid": "A" * 12})
    await daemon.sync(terminals=(report, stranger))
    [run] = await console.reports.active(ann.id)
    assert (run.state, run.tid, run.login) == ("online", token.tid, 5001234)

    await console.tokens.revoke(ann.id, token.tid)
    seq = await console.events.last(daemon.machine.did)
    ack = EventAck(seq=seq, at_ms=1_800_000_000_123, closed_ws=2, closed_bridge=1)
    await daemon.sync(acks=(ack,))
    [stopped] = await console.events.confirmation(ann.id, tid=token.tid)
    assert (stopped.stopped_at_ms, stopped.closed_ws) == (1_800_000_000_123, 2)


@pytest.mark.alike
async def test_the_verdict_can_be_asked_for(console: Console, daemon: Daemon):
    """Pending, then approved; without the codes, and to this device alone."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    verdict = await daemon.dial(Terminal(text, daemon.machine))
    path = f"/v1/daemon/requests/{verdict.rid}"
    answer = await daemon.call("GET", path)
    assert (answer.body["status"], answer.body["user_code"]) == ("pending", None)
    assert answer.body["expires_s"] == 600
    await approve_shown(console, ann.id, verdict)
    assert (await daemon.call("GET", path)).body["status"] == "approved"

    other = Daemon(daemon.url, daemon.http, daemon.clock, Machine("other"))
    await other.machine.seen_by(console)
    assert (await other.call("GET", path)).status == 410
    assert (await daemon.call("GET", "/v1/daemon/requests/" + "A" * 24)).status == 410


@pytest.mark.alike
async def test_a_wrong_code_says_how_many_tries_are_left(console: Console, daemon: Daemon):
    """Then the request is gone."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    verdict = await daemon.dial(Terminal(text, daemon.machine))
    path = f"/v1/daemon/requests/{verdict.rid}/confirm"
    code = (await last_post(console)).code
    wrong = Confirm(ecode="0" * 8 if code != "0" * 8 else "1" * 8)
    for left in (4, 3, 2, 1, 0):
        answer = await daemon.call("POST", path, wrong)
        assert (answer.status, answer.body["error"]) == (403, "wrong_code")
        assert answer.body["tries_left"] == left
    answer = await daemon.call("POST", path, Confirm(ecode=code))
    assert (answer.status, answer.body["error"]) == (410, "gone")


# --- signatures --------------------------------------------------------------------------------


@pytest.mark.alike
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/daemon/sync", b'{"since":0}'),
        ("/v1/daemon/requests/AAAAAAAAAAAAAAAAAAAA/confirm", b'{"ecode":"12345678"}'),
    ],
)
async def test_forged_calls_are_refused(console: Console, daemon: Daemon, path: str, body: bytes):
    """Signed by another key, for another path, method or body, or with a header changed."""
    await daemon.machine.seen_by(console)
    good = daemon.signed("POST", path, body)
    others = sign_request(Machine().key, "POST", path, body, time_s=daemon.clock())
    signature = bytearray(decode64(good[HEADER_SIGNATURE]))
    signature[0] ^= 1
    forged = [
        others | {"Mgt-Device": daemon.machine.did},
        daemon.signed("GET", path, body),
        daemon.signed("POST", path + "?x=1", body),
        daemon.signed("POST", path, body + b" "),
        {**good, HEADER_NONCE: encode64(bytes(16))},
        {**good, HEADER_TIME: str(daemon.clock() + 1)},
        {**good, HEADER_SIGNATURE: encode64(bytes(signature))},
        {**good, HEADER_SIGNATURE: ""},
        {k: v for k, v in good.items() if k != HEADER_NONCE},
    ]
    for headers in forged:
        answer = await daemon.call("POST", path, body, headers)
        assert (answer.status, answer.body["error"]) == (401, "bad_signature"), headers
    assert (await daemon.call("POST", path, body, good)).status != 401


async def test_a_call_counts_once(console: Console, daemon: Daemon, clock: Clock):
    """Replayed it is refused, as long as its time would let it pass."""
    await daemon.machine.seen_by(console)
    body = b'{"since":0}'
    headers = daemon.signed("POST", "/v1/daemon/sync", body)
    assert (await daemon.call("POST", "/v1/daemon/sync", body, headers)).status == 200
    for late in (0, 59):
        clock.forward(late)
        answer = await daemon.call("POST", "/v1/daemon/sync", body, headers)
        assert (answer.status, answer.body["error"]) == (401, "replayed")
    clock.forward(2)
    answer = await daemon.call("POST", "/v1/daemon/sync", body, headers)
    assert answer.body["error"] == "clock_skewed"


@pytest.mark.alike
@pytest.mark.parametrize("off_s", [-3600, -61, 61, 86_400])
async def test_a_wrong_clock_is_told_the_time(console: Console, daemon: Daemon, off_s: int):
    """So that the daemon can say that its machine's clock is wrong."""
    await daemon.machine.seen_by(console)
    body, path = b'{"since":0}', "/v1/daemon/sync"
    when = daemon.clock() + off_s
    headers = sign_request(daemon.machine.key, "POST", path, body, time_s=when)
    answer = await daemon.call("POST", path, body, headers)
    assert (answer.status, answer.body["error"]) == (401, "clock_skewed")
    assert answer.body["server_time"] == daemon.clock()


@pytest.mark.alike
async def test_a_contact_is_signed_by_the_key_that_it_names(console: Console, daemon: Daemon):
    """A relay cannot enrol another machine's key."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    hello = Terminal(text, Machine("victim")).hello()
    answer = await daemon.call("POST", "/v1/daemon/contact", hello)
    assert (answer.status, answer.body["error"]) == (401, "bad_signature")


@pytest.mark.alike
async def test_what_nobody_signed_uses_up_no_first_contacts(console: Console, daemon: Daemon):
    """All machines behind one address share them."""
    for _ in range(BURST_OF_CONTACTS + 15):
        assert (await daemon.call("POST", "/v1/daemon/contact", b"junk")).status == 400
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    hello = Terminal(text, daemon.machine).hello()
    assert (await daemon.call("POST", "/v1/daemon/contact", hello)).status == 200


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.alike
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"since":-1}',
        b'{"since":"0"}',
        b'{"since":1e3}',
        b'{"since":0,"acks":[{"seq":0,"at_ms":0}]}',
        b'{"since":0,"terminals":[{"tid":"x","state":"online","since":0}]}',
        b'{"since":NaN}',
        b"\xff\xfe",
        b'{"since":0,"terminals":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
async def test_bad_bodies(console: Console, daemon: Daemon, body: bytes):
    """400, in our words."""
    await daemon.machine.seen_by(console)
    answer = await daemon.call("POST", "/v1/daemon/sync", body)
    assert (answer.status, answer.body["error"]) == (400, "bad_body")
    assert set(answer.body) == {"error", "message"}


@pytest.mark.alike
async def test_large_bodies(console: Console, daemon: Daemon):
    """413 beyond 64 KiB."""
    await daemon.machine.seen_by(console)
    answer = await daemon.call("POST", "/v1/daemon/sync", b" " * 65_537)
    assert (answer.status, answer.body["error"]) == (413, "too_large")


@pytest.fixture
def unfilled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets of calls do not fill again, however slowly a busy machine makes the calls."""
    monkeypatch.setattr(authentication, "PER_S_OF_ADDRESS", 0.0)
    monkeypatch.setattr(authentication, "PER_S_OF_DEVICE", 0.0)


@pytest.mark.alike
@pytest.mark.usefixtures("unfilled")
async def test_strangers_of_the_same_address_stop_no_device(console: Console, daemon: Daemon):
    """Behind a proxy or on one machine all have the same; only what nobody signed is counted."""
    await _approved(console, daemon)
    other = Daemon(daemon.url, daemon.http, daemon.clock, Machine("stranger"))
    forged = {**daemon.signed("GET", "/v1/daemon/requests"), "Mgt-Signature": "A" * 86}
    for headers in ({}, other.signed("GET", "/v1/daemon/requests"), forged):
        statuses: list[int] = []
        while 429 not in statuses[-1:]:
            answer = await daemon.call("GET", "/v1/daemon/requests", headers=headers)
            statuses.append(answer.status)
            assert len(statuses) < 2 * BURST_OF_ADDRESS
        assert (await daemon.call("GET", "/v1/daemon/requests")).status == 200


@pytest.mark.alike
@pytest.mark.usefixtures("unfilled")
async def test_too_many_calls_of_one_device(console: Console, daemon: Daemon):
    """429; another device is not concerned."""
    await daemon.machine.seen_by(console)
    statuses = [
        (await daemon.call("GET", "/v1/daemon/requests/" + "A" * 24)).status for _ in range(90)
    ]
    assert 429 in statuses
    other = Daemon(daemon.url, daemon.http, daemon.clock, Machine("other"))
    await other.machine.seen_by(console)
    assert (await other.call("POST", "/v1/daemon/sync", Sync(since=0))).status == 200


# --- nobody learns who exists ------------------------------------------------------------------


@pytest.mark.alike
async def test_an_unknown_token_looks_like_a_known_one(console: Console, daemon: Daemon):
    """Same shape of answer, proofs that stay the same when asked again, the same refusal."""
    ann = await person(console)
    text, token = await console.tokens.create(ann.id, "A")
    hello = Terminal(text, daemon.machine).hello()
    seen = {}
    for tid in (token.tid, "0" * 12):
        asked = Contact.model_validate(hello.model_dump() | {"tid": tid})
        first = await daemon.call("POST", "/v1/daemon/contact", asked)
        again = await daemon.call("POST", "/v1/daemon/contact", asked)
        assert first.body["proof"] == again.body["proof"]
        assert first.body["eid"] != again.body["eid"]
        path = f"/v1/daemon/contact/{first.body['eid']}"
        refused = await daemon.call("POST", path, b'{"client_proof":"' + b"0" * 64 + b'"}')
        seen[tid] = (first.status, set(first.body), len(first.body["proof"]), refused.body)
    assert seen[token.tid] == seen["0" * 12]


async def test_what_waits_on_this_device(console: Console, daemon: Daemon):
    """For ``mt-gateway verify``: the device's own requests, while they can be approved."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    other = Daemon(daemon.url, daemon.http, daemon.clock, Machine("other"))
    verdict = await daemon.dial(Terminal(text, daemon.machine))
    await other.dial(Terminal(text, other.machine))

    answer = await daemon.call("GET", "/v1/daemon/requests")
    [waiting] = OpenRequests.model_validate(answer.body).requests
    assert waiting.rid == verdict.rid
    await console.approvals.refuse(ann.id, verdict.rid)
    answer = await daemon.call("GET", "/v1/daemon/requests")
    assert OpenRequests.model_validate(answer.body).requests == ()
