"""A person approves a machine: by the mail's link, or by its code at the device."""

from __future__ import annotations

import pytest
from approval_fixtures import Terminal, approve_shown, last_post, posts
from console_fixtures import Clock, Machine, offer, person

from ea_bridge.token import parse_token
from gateway.console.approvals import RequestGone, WrongCode
from gateway.console.service import Console
from gateway.credentials.device import device_words

pytestmark = pytest.mark.alike


async def _asked(console: Console, name: str = "ann", machine: Machine | None = None):
    user = await person(console, name)
    text, token = await console.tokens.create(user.id, "MT5-Live")
    terminal = Terminal(text, machine or Machine())
    return user, token, terminal, await terminal.dial(console)


async def test_a_new_machine_gets_a_code_to_show_and_nothing_else(console: Console):
    """Its user gets one mail; record, server key and lease stay where they are."""
    ann, _, terminal, verdict = await _asked(console)

    assert (verdict.status, verdict.expires_s) == ("pending", 600)
    assert verdict.url == f"{console.url()}/requests/{verdict.rid}"
    letters = "BCDFGHJKLMNPQRSTVWXZ"
    code = verdict.user_code or ""
    assert len(code) == 9
    assert code[4] == "-"
    assert set(code.replace("-", "")) <= set(letters)
    assert (await offer(console, terminal.machine)).tokens == {}
    [post] = await posts(console)
    assert (post.kind, post.address) == ("new-device", ann.email)


async def test_the_page_shows_what_a_person_should_look_at(console: Console):
    """Machine, words to compare, place, token and terminal."""
    ann, token, terminal, verdict = await _asked(console)
    [view] = await console.approvals.open_requests(ann.id)
    link = (await last_post(console)).secret("approve")

    assert view == await console.approvals.by_link(link)
    assert view == await console.approvals.by_rid(ann.id, verdict.rid or "")
    assert (view.device_name, view.device_os, view.is_new_device) == ("desk", "Windows 11", True)
    assert view.device_words == device_words(terminal.machine.did)
    assert (view.place, view.token_name) == ("address 203.0.113.7", "MT5-Live")
    assert view.token_hint == f"{token.tid[:4]}…{token.tid[-4:]}"
    assert (view.platform, view.login, view.server) == ("mt5", 5001234, "Demo-Server")
    assert (view.tries_left, view.other_devices, view.terminal_changed) == (5, (), False)


async def test_approved_on_the_page_with_the_code_of_the_terminal(console: Console):
    """Then the machine may have all, a second mail tells of it, and the request is over."""
    ann, token, terminal, verdict = await _asked(console)
    view = await console.approvals.approve(ann.id, verdict.rid, f" {verdict.user_code.lower()} ")

    assert view.status == "approved"
    told = await offer(console, terminal.machine)
    lease = told.lease(token.tid)
    assert lease is not None
    assert lease.did == terminal.machine.did
    [device] = told.record(token.tid).devices
    assert (device.status, device.approved_by) == ("approved", "link")
    assert [letter.kind for letter in await posts(console)] == ["new-device", "device-approved"]
    assert await console.approvals.open_requests(ann.id) == []
    after = await console.approvals.verdict(terminal.machine.did, verdict.rid)
    assert after.status == "approved"


async def test_approved_at_the_device_with_the_code_of_the_mail(console: Console):
    """The mail alone approves nothing: it takes the device's signature too."""
    _, token, terminal, verdict = await _asked(console)
    code = (await last_post(console)).code
    with pytest.raises(RequestGone):
        await console.approvals.confirm(Machine().did, verdict.rid, code)

    after = await console.approvals.confirm(terminal.machine.did, verdict.rid, code)

    assert after.status == "approved"
    told = await offer(console, terminal.machine)
    assert told.record(token.tid).devices[0].approved_by == "code"


async def test_opening_the_link_decides_nothing(console: Console):
    """Scanners of mail open links before people do."""
    _, _, terminal, _ = await _asked(console)
    link = (await last_post(console)).secret("approve")
    for _ in range(3):
        view = await console.approvals.by_link(link)
        assert view is not None
        assert (view.status, view.tries_left) == ("pending", 5)
    assert (await offer(console, terminal.machine)).tokens == {}
    assert await console.approvals.by_link("A" * 43) is None


async def test_refused(console: Console):
    """The machine hears it; the codes are worth nothing any more; the token lives on."""
    ann, token, terminal, verdict = await _asked(console)
    await console.approvals.refuse(ann.id, verdict.rid)

    after = await console.approvals.verdict(terminal.machine.did, verdict.rid)
    assert (after.status, after.code) == ("denied", "refused")
    with pytest.raises(RequestGone):
        await console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    with pytest.raises(RequestGone):
        await console.approvals.refuse(ann.id, verdict.rid)
    assert (await console.tokens.get(ann.id, token.tid)).is_live


async def test_a_machine_hears_of_no_request_whose_token_has_ended(console: Console):
    """Its code would approve nothing, and stand in the way of the others."""
    ann, token, terminal, _ = await _asked(console)
    did = terminal.machine.did
    [waiting] = (await console.approvals.open_of_device(did)).requests
    assert waiting.tid == token.tid
    await console.tokens.revoke(ann.id, token.tid)
    assert (await console.approvals.open_of_device(did)).requests == ()


async def test_this_was_not_me(console: Console):
    """Kills the request, suspends the token, ends all sessions, asks for a new password; works
    once."""
    ann, token, terminal, verdict = await _asked(console)
    thief = await console.sessions.create(ann, "192.0.2.1", "a browser")
    secret = (await last_post(console)).secret("not-me")
    view = await console.approvals.not_me(secret)

    assert view.status == "refused"
    assert (await console.tokens.get(ann.id, token.tid)).status == "disabled"
    [user] = [account for account in await console.users.list() if account.id == ann.id]
    assert user.must_change_password
    assert await console.sessions.get(thief) is None
    assert [letter.kind for letter in await posts(console)] == ["new-device", "token-suspended"]
    with pytest.raises(RequestGone):
        await console.approvals.not_me(secret)
    with pytest.raises(RequestGone):
        await console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    assert (await terminal.dial(console)).code == "account_disabled"


async def test_the_approvals_mail_takes_it_back(console: Console):
    """ "This was not me" after the fact revokes the machine as well."""
    ann, token, terminal, verdict = await _asked(console)
    await console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    secret = (await last_post(console, "device-approved")).secret("not-me")
    await console.approvals.not_me(secret)

    told = await offer(console, terminal.machine)
    assert told.lease(token.tid) is None
    assert told.record(token.tid).status == "disabled"
    assert (await console.devices.get(ann.id, terminal.machine.did)).status == "revoked"


async def test_a_known_machine_is_not_asked_about_again(console: Console):
    """Another token of the user comes up there: let in at once, with a notice."""
    ann, _, terminal, verdict = await _asked(console)
    await console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    text, second = await console.tokens.create(ann.id, "Second")
    after = await Terminal(text, terminal.machine, fp="cd" * 32).dial(console)

    assert after.status == "approved"
    assert (await posts(console))[-1].kind == "terminal-moved"
    assert (await offer(console, terminal.machine)).lease(second.tid) is not None
    again = await Terminal(text, terminal.machine, fp="cd" * 32).dial(console)
    assert again.status == "approved"
    assert len(await posts(console, "terminal-moved")) == 1


async def test_a_token_that_lives_elsewhere_is_asked_about(console: Console):
    """Even on a machine that the user knows; the page names the other one."""
    ann, _, terminal, verdict = await _asked(console)
    await console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    text, _ = await console.tokens.create(ann.id, "Second")
    laptop = Machine("laptop")
    other = await Terminal(text, laptop).dial(console)
    await approve_shown(console, ann.id, other)

    asked = await Terminal(text, terminal.machine).dial(console)

    assert asked.status == "pending"
    [view] = await console.approvals.open_requests(ann.id)
    assert (view.other_devices, view.is_new_device) == (("laptop",), False)


async def test_another_terminal_on_the_machine_is_asked_about(console: Console):
    """Where the token is strict about it, which is the default."""
    ann, token, terminal, verdict = await _asked(console)
    await console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    assert (await terminal.dial(console)).status == "approved"
    other = Terminal(terminal.token, terminal.machine, fp="cd" * 32)

    assert (await other.dial(console)).status == "pending"
    [view] = await console.approvals.open_requests(ann.id)
    assert view.terminal_changed

    await console.tokens.update_limits(ann.id, token.tid, token.limits, strict_terminal=False)
    assert (await other.dial(console)).status == "approved"


@pytest.mark.parametrize("fate", ["revoked", "expired", "account_disabled", "device_revoked"])
async def test_what_is_wrong_is_told_to_who_holds_the_token(
    console: Console, clock: Clock, fate: str
):
    """And nothing is asked or mailed."""
    ann = await person(console)
    text, token = await console.tokens.create(ann.id, "A", lifetime_s=3600)
    terminal = Terminal(text)
    first = await terminal.dial(console)
    match fate:
        case "revoked":
            await console.tokens.revoke(ann.id, token.tid)
        case "expired":
            clock.forward(3600)
        case "account_disabled":
            await console.tokens.suspend(ann.id, token.tid)
        case _:
            await approve_shown(console, ann.id, first)
            await console.devices.revoke(ann.id, terminal.machine.did)
    sent = len(await posts(console))
    verdict = await terminal.dial(console)

    assert (verdict.status, verdict.code) == ("denied", fate)
    assert len(await posts(console)) == sent


async def test_who_has_not_the_token_learns_nothing(console: Console):
    """A wrong proof, a proof that was used, a contact of another device: one answer."""
    _, token, terminal, _ = await _asked(console)
    sent = len(await posts(console))
    hello = terminal.hello()
    answer = await console.approvals.contact(terminal.machine.did, hello, "")
    wrong = await console.approvals.prove(terminal.machine.did, answer.eid, "00" * 32)
    late = await console.approvals.prove(terminal.machine.did, answer.eid, terminal.proof(hello))
    answer = await console.approvals.contact(terminal.machine.did, hello, "")
    other = await console.approvals.prove(Machine().did, answer.eid, terminal.proof(hello))

    mine = await console.approvals.prove(terminal.machine.did, answer.eid, terminal.proof(hello))

    assert mine.status == "pending"  # nobody else can use a contact up
    assert wrong == late == other
    assert (wrong.status, wrong.code) == ("denied", "unknown")
    assert len(await posts(console)) == sent + 1
    assert parse_token(terminal.token) == token.tid


async def test_a_wrong_code_is_counted(console: Console):
    """The fifth ends the request, the right code included."""
    ann, _, terminal, verdict = await _asked(console)
    for left in (4, 3):
        with pytest.raises(WrongCode) as caught:
            await console.approvals.approve(ann.id, verdict.rid, "BBBB-BBBB")
        assert caught.value.tries_left == left
    for left in (2, 1, 0):
        with pytest.raises(WrongCode) as caught:
            await console.approvals.confirm(terminal.machine.did, verdict.rid, "00000000")
        assert caught.value.tries_left == left
    with pytest.raises(RequestGone):
        await console.approvals.approve(ann.id, verdict.rid, verdict.user_code)
    view = await console.approvals.by_rid(ann.id, verdict.rid)
    assert view is not None
    assert view.status == "dead"
