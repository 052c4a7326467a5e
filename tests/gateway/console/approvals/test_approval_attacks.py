"""Attacks on approvals: none may approve a machine, and what may be tried is counted exactly."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from approval_fixtures import Terminal, approve_shown, last_post, posts
from console_fixtures import IP, Clock, Machine, offer, person
from sqlalchemy import func, select

from gateway.console.approvals import RequestGone, WrongCode
from gateway.console.database.model import ApprovalRequest, TokenDevice
from gateway.console.errors import TooMany
from gateway.console.service import Console


async def _asked(console: Console, name: str = "ann"):
    user = await person(console, name)
    text, token = await console.tokens.create(user.id, "MT5-Live")
    terminal = Terminal(text)
    return user, token, terminal, await terminal.dial(console)


async def _bound(console: Console) -> int:
    async with console.db.session() as session:
        return await session.scalar(select(func.count()).select_from(TokenDevice)) or 0


async def _outcome(call) -> str:
    try:
        await call
    except (RequestGone, WrongCode, TooMany) as error:
        return type(error).__name__
    return "ok"


@pytest.mark.parametrize("way", ["link", "code"])
async def test_a_hundred_wrong_codes_at_once_are_five(console: Console, way: str):
    """Five are counted, the others find the request gone; then it is dead."""
    ann, _, terminal, verdict = await _asked(console)

    def guess(number: int):
        if way == "link":
            return console.approvals.approve(ann.id, verdict.rid, f"BBBB{number:04}")
        return console.approvals.confirm(terminal.machine.did, verdict.rid, f"{number:08}")

    outcomes = Counter(await asyncio.gather(*(_outcome(guess(n)) for n in range(100))))

    assert outcomes == {"WrongCode": 5, "RequestGone": 95}
    view = await console.approvals.by_rid(ann.id, verdict.rid)
    assert view is not None
    assert (view.status, view.tries_left) == ("dead", 0)
    right = console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    assert await _outcome(right) == "RequestGone"
    assert await _bound(console) == 0


async def test_two_right_codes_at_once_approve_once(console: Console):
    """By link and by code: one decision, one mail, one new version."""
    ann, token, terminal, verdict = await _asked(console)
    code = (await last_post(console)).code
    outcomes = await asyncio.gather(
        _outcome(console.approvals.approve(ann.id, verdict.rid, verdict.user_code)),
        _outcome(console.approvals.confirm(terminal.machine.did, verdict.rid, code)),
        _outcome(console.approvals.approve(ann.id, verdict.rid, verdict.user_code)),
    )
    assert sorted(outcomes) == ["RequestGone", "RequestGone", "ok"]
    assert len(await posts(console, "device-approved")) == 1
    assert (await offer(console, terminal.machine)).record(token.tid).rec_ver == 2


async def test_approve_and_refuse_at_once(console: Console):
    """One of them counts."""
    ann, _, _, verdict = await _asked(console)
    outcomes = await asyncio.gather(
        _outcome(console.approvals.approve(ann.id, verdict.rid, verdict.user_code)),
        _outcome(console.approvals.refuse(ann.id, verdict.rid)),
    )
    assert sorted(outcomes) == ["RequestGone", "ok"]
    view = await console.approvals.by_rid(ann.id, verdict.rid)
    assert view is not None
    assert (view.status == "approved") == (outcomes[0] == "ok") == bool(await _bound(console))


async def test_a_code_counts_once(console: Console):
    """Replayed it finds the request gone, also after the machine was revoked."""
    ann, _, terminal, verdict = await _asked(console)
    code = (await last_post(console)).code
    await console.approvals.confirm(terminal.machine.did, verdict.rid, code)
    await console.devices.revoke(ann.id, terminal.machine.did)
    for again in (
        console.approvals.confirm(terminal.machine.did, verdict.rid, code),
        console.approvals.approve(ann.id, verdict.rid, verdict.user_code),
    ):
        assert await _outcome(again) == "RequestGone"
    assert (await console.devices.get(ann.id, terminal.machine.did)).status == "revoked"


@pytest.mark.alike
async def test_another_users_request_is_not_there(console: Console):
    """Not to be seen, refused or approved, even with the right code; no try is lost."""
    ann, _, _, verdict = await _asked(console)
    bob = await person(console, "bob")
    assert await console.approvals.by_rid(bob.id, verdict.rid) is None
    assert await console.approvals.open_requests(bob.id) == []
    for call in (
        console.approvals.approve(bob.id, verdict.rid, verdict.user_code),
        console.approvals.refuse(bob.id, verdict.rid),
    ):
        assert await _outcome(call) == "RequestGone"
    view = await console.approvals.by_rid(ann.id, verdict.rid)
    assert view is not None
    assert (view.status, view.tries_left) == ("pending", 5)


@pytest.mark.alike
async def test_codes_of_another_request_are_worth_nothing(console: Console):
    """Each code is bound to its request, each kind to its way."""
    ann, _, terminal, verdict = await _asked(console)
    mail_code = (await last_post(console)).code
    text, _ = await console.tokens.create(ann.id, "Second")
    other = await Terminal(text, Machine("laptop")).dial(console)
    assert other.rid is not None
    for call in (
        console.approvals.approve(ann.id, other.rid, verdict.user_code),
        console.approvals.approve(ann.id, verdict.rid, mail_code),
        console.approvals.confirm(terminal.machine.did, verdict.rid, verdict.user_code),
    ):
        assert await _outcome(call) == "WrongCode"
    assert await _bound(console) == 0


async def test_ten_minutes(console: Console, clock: Clock):
    """Then every way is over, and the terminal hears it."""
    ann, _, terminal, verdict = await _asked(console)
    post = await last_post(console)
    clock.forward(600)
    for call in (
        console.approvals.approve(ann.id, verdict.rid, verdict.user_code),
        console.approvals.confirm(terminal.machine.did, verdict.rid, post.code),
        console.approvals.refuse(ann.id, verdict.rid),
    ):
        assert await _outcome(call) == "RequestGone"
    after = await console.approvals.verdict(terminal.machine.did, verdict.rid)
    assert (after.status, after.code) == ("denied", "refused")
    view = await console.approvals.by_link(post.secret("approve"))
    assert view is not None
    assert view.status == "expired"


@pytest.mark.alike
async def test_not_me_works_for_a_day(console: Console, clock: Clock):
    """Who reads the mail late still takes the token out of a thief's hands."""
    ann, token, _, _ = await _asked(console)
    secret = (await last_post(console)).secret("not-me")
    clock.forward(86_399)
    await console.approvals.not_me(secret)
    assert (await console.tokens.get(ann.id, token.tid)).status == "disabled"


@pytest.mark.alike
async def test_not_me_is_over_after_a_day(console: Console, clock: Clock):
    """An old mail must not suspend tokens for ever."""
    ann, token, _, _ = await _asked(console)
    secret = (await last_post(console)).secret("not-me")
    clock.forward(86_400)
    assert await _outcome(console.approvals.not_me(secret)) == "RequestGone"
    assert await _outcome(console.approvals.not_me("A" * 43)) == "RequestGone"
    assert (await console.tokens.get(ann.id, token.tid)).is_live


@pytest.mark.alike
async def test_a_new_request_ends_the_old_one(console: Console):
    """Of the same token and machine; its codes are worth nothing any more."""
    ann, _, terminal, first = await _asked(console)
    code = (await last_post(console)).code
    second = await terminal.dial(console)
    assert second.status == "pending"
    assert (
        await _outcome(console.approvals.approve(ann.id, first.rid, first.user_code))
        == "RequestGone"
    )
    assert (
        await _outcome(console.approvals.confirm(terminal.machine.did, first.rid, code))
        == "RequestGone"
    )
    assert [request.rid for request in await console.approvals.open_requests(ann.id)] == [
        second.rid
    ]


@pytest.mark.alike
async def test_three_mails_an_hour_for_a_token(console: Console, clock: Clock):
    """However often it is tried, from whatever machines; then again an hour later."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    codes = []
    for _ in range(6):
        verdict = await Terminal(text, Machine()).dial(console)
        codes.append(verdict.code)
        if verdict.rid is not None:  # so that it is the mails that are counted
            await console.approvals.refuse(ann.id, verdict.rid)
    assert codes == [None] * 3 + ["busy"] * 3
    assert len(await posts(console)) == 3
    clock.forward(3600)
    assert (await Terminal(text, Machine()).dial(console)).status == "pending"


@pytest.mark.alike
async def test_ten_mails_a_day_for_a_user(console: Console, clock: Clock):
    """Whatever the tokens; another user is not concerned."""
    ann, bob = await person(console), await person(console, "bob")
    texts = [(await console.tokens.create(ann.id, f"T{n}"))[0] for n in range(12)]
    codes = []
    for text in texts:
        codes.append((await Terminal(text).dial(console)).code)
        clock.forward(600)
    assert codes == [None] * 10 + ["busy"] * 2
    text, _ = await console.tokens.create(bob.id, "B")
    assert (await Terminal(text).dial(console)).status == "pending"
    clock.forward(86_400)
    assert (await Terminal(texts[11]).dial(console)).status == "pending"


@pytest.mark.alike
async def test_three_open_requests_of_a_user(console: Console):
    """A fourth is busy; one that was decided makes room, one that takes its own place too."""
    ann = await person(console)
    terminals = [
        Terminal((await console.tokens.create(ann.id, f"T{n}"))[0], Machine(f"m{n}"))
        for n in range(4)
    ]
    verdicts = [await terminal.dial(console) for terminal in terminals]
    assert [verdict.code for verdict in verdicts] == [None, None, None, "busy"]
    assert (await terminals[0].dial(console)).status == "pending"
    assert verdicts[1].rid is not None
    await console.approvals.refuse(ann.id, verdicts[1].rid)
    assert (await terminals[3].dial(console)).status == "pending"


async def test_many_contacts_at_once_keep_the_limits(console: Console):
    """Twenty machines with one token: three mails, and no more than that many requests."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    dials = [Terminal(text, Machine(f"m{n}")).dial(console) for n in range(20)]
    verdicts = Counter(result.code for result in await asyncio.gather(*dials))
    assert verdicts == {None: 3, "busy": 17}
    assert len(await posts(console)) == 3
    assert len(await console.approvals.open_requests(ann.id)) == 3


async def test_many_tokens_at_once_keep_the_limits(console: Console):
    """Ten tokens of one user on ten machines: three requests wait."""
    ann = await person(console)
    texts = [(await console.tokens.create(ann.id, f"T{n}"))[0] for n in range(10)]
    dials = [Terminal(text, Machine(f"m{n}")).dial(console) for n, text in enumerate(texts)]
    verdicts = Counter(result.code for result in await asyncio.gather(*dials))
    assert verdicts == {None: 3, "busy": 7}
    assert len(await posts(console)) == 3


async def test_one_terminal_at_once_has_one_open_request(console: Console):
    """Enrollments of one token and machine that race leave one request that can be approved."""
    ann, _, terminal, _ = await _asked(console)
    await asyncio.gather(terminal.dial(console), terminal.dial(console))
    async with console.db.session() as session:
        wanted = select(func.count()).where(ApprovalRequest.status == "open")
        assert await session.scalar(wanted) == 1
    assert len(await console.approvals.open_requests(ann.id)) == 1


@pytest.mark.alike
async def test_a_squatter_that_relays_is_shown_as_another_machine(console: Console):
    """A program on the daemon's port enrols its own key: the words and the place are its own."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    real, squatter = Machine("desk"), Machine("desk")
    first = await Terminal(text, real).dial(console)
    await approve_shown(console, ann.id, first)

    asked = await Terminal(text, squatter).dial(console, ip="198.51.100.9")

    assert asked.status == "pending"
    [view] = await console.approvals.open_requests(ann.id)
    known = await console.devices.get(ann.id, real.did)
    assert view.device_words != known.words
    assert view.other_devices == ("desk",)
    assert view.place == "address 198.51.100.9"


@pytest.mark.alike
async def test_a_proof_fits_no_other_device(console: Console):
    """The device's id is in both proofs: what one device got opens nothing for another."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "A")
    real, thief = Terminal(text, Machine()), Terminal(text, Machine())
    hello = real.hello()
    stolen = real.proof(hello)
    answer = await console.approvals.contact(thief.machine.did, hello, IP)
    assert not real.is_console(hello, answer.proof)
    verdict = await console.approvals.prove(thief.machine.did, answer.eid, stolen)
    assert (verdict.status, verdict.code) == ("denied", "unknown")


@pytest.mark.alike
async def test_an_approval_that_comes_too_late(console: Console):
    """The token was revoked meanwhile: the right code approves nothing."""
    ann, token, _, verdict = await _asked(console)
    await console.tokens.revoke(ann.id, token.tid)
    right = console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    assert await _outcome(right) == "RequestGone"
    assert await _bound(console) == 0


async def test_codes_are_kept_as_hashes(console: Console):
    """Argon2id for what people type, SHA-256 for the link; the mail is sealed."""
    _, _, _, verdict = await _asked(console)
    post = await last_post(console)
    async with console.db.session() as session:
        row = await session.get_one(ApprovalRequest, verdict.rid)
    assert row.user_code_hash.startswith("$argon2id$")
    assert row.ecode_hash.startswith("$argon2id$")
    assert len(row.link_hash) == 64
    kept = " ".join(str(value) for value in vars(row).values())
    for secret in (verdict.user_code, post.code, post.secret("approve")):
        assert secret not in kept


@pytest.mark.alike
async def test_an_unknown_token_costs_the_same_work(
    console: Console, monkeypatch: pytest.MonkeyPatch
):
    """As many secrets opened, as many rows written, as many proofs computed."""
    from gateway.console.approvals import admission as contacts
    from gateway.credentials.secrets import SecretBox

    ann, _, terminal, _ = await _asked(console)
    work: Counter[str] = Counter()

    def counted(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def call(*args, **kwargs):
            work[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    counted(SecretBox, "open")
    counted(contacts, "server_proof")
    counted(contacts, "is_client_proof")
    counted(contacts, "mac")
    seen = []
    for tid in (terminal.hello().tid, "0" * 12):
        work.clear()
        hello = terminal.hello().model_copy(update={"tid": tid})
        answer = await console.approvals.contact(terminal.machine.did, hello, IP)
        await console.approvals.prove(terminal.machine.did, answer.eid, "0" * 64)
        seen.append(dict(work))
    assert seen[0]["open"] == seen[1]["open"] == 1
    assert seen[0] == seen[1]
    assert ann
