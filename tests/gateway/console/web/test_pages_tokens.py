"""Tokens on the pages: made, seen once, watched, ended."""

from __future__ import annotations

import json
import time

from console_fixtures import Clock, Machine, approve
from page_client import PageClient

from ea_bridge.token import parse_token
from gateway.console.service import Console
from gateway.console.tokens import TokenInfo
from gateway.console.user_info import UserInfo
from gateway.credentials.daemon_api import EventAck, TerminalDescription, TerminalReport
from gateway.credentials.record import Scope

NEW_TOKEN = {"name": "demo", "platform": "mt5", "lifetime": "90", "scope": "trade"}
DESK = Machine("DESK-PC")


async def _token(console: Console, user: UserInfo, name: str = "demo") -> TokenInfo:
    return (await console.tokens.create(user.id, name))[1]


async def test_a_token_is_shown_once(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """No other page has it, and the page that has is not kept by anybody."""
    page = await ann.post("/tokens", NEW_TOKEN)
    assert page.status == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert page.text.count(page.token) == 1
    tid = parse_token(page.token)
    (made,) = await console.tokens.list(ann_user.id)
    assert (made.tid, made.platform, made.scopes) == (tid, "mt5", (Scope.TRADE,))
    for path in ("/", "/tokens", f"/tokens/{tid}", "/account", "/live", "/api/v1/tokens"):
        assert page.token[16:48] not in (await ann.get(path)).text


async def test_a_form_sent_twice_makes_one_token(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """The name is taken; the page says so at its field and keeps what was filled in."""
    await ann.post("/tokens", NEW_TOKEN)
    page = await ann.post("/tokens", {**NEW_TOKEN, "max_lot": "0.5"})
    assert page.status == 422
    assert "A token named demo exists already" in page.words
    assert 'value="0.5"' in page.text
    assert len(await console.tokens.list(ann_user.id)) == 1


BAD_FIELDS = (
    ("name", "-x"),
    ("name", ""),
    ("name", "two words"),
    ("name", "é"),
    ("name", "x" * 65),
    ("platform", "mt6"),
    ("lifetime", "1"),
    ("scope", "all"),
    ("max_lot", "much"),
    ("max_lot", "-1"),
    ("max_lot", "1e5"),
    ("max_open_lots", "NaN"),
    ("max_orders_per_min", "1.5"),
    ("max_daily_loss", "9" * 20),
    ("collar_bps", "0.5"),
    ("allowed_symbols", ","),
    ("allowed_symbols", ",".join(["EURUSD1"] * 1 + [f"S{n}" for n in range(300)])),
    ("allowed_symbols", "x" * 65),
)


async def test_what_is_wrong_is_said_at_its_field(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """And nothing is made."""
    for field, value in BAD_FIELDS:
        page = await ann.post("/tokens", {**NEW_TOKEN, field: value})
        assert page.status == 422, (field, value)
        assert "Please look at the marked fields" in page.words
    assert not await console.tokens.list(ann_user.id)


async def test_limits_are_set_seen_and_lifted(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """A comma is a decimal point, too. The token's page and its log say them; a new token in its
    place takes them over.
    """
    form = {"max_lot": "0,5", "max_orders_per_min": "30", "allowed_symbols": "EURUSD, XAUUSD"}
    form |= {"collar_bps": "50", "max_open_lots": "2", "max_daily_loss": "200"}
    page = await ann.post("/tokens", {**NEW_TOKEN, **form, "strict_terminal": "yes"})
    path = f"/tokens/{parse_token(page.token)}"
    told = (
        "0.5 lots in one order; 2 lots open in all; 30 orders in a minute; "
        "a loss of 200 in a day; only EURUSD, XAUUSD; prices within 0.5% of the market"
    )
    assert told in page.words
    assert f"Limits set {told}" in (await ann.get(path)).words
    assert (
        f"Limits that the new one takes over: {told}." in (await ann.get(path + "/replace")).words
    )
    page = await ann.get(path + "/limits")
    assert all(f'value="{value.replace(",5", ".5")}"' in page.text for value in form.values())
    assert (await ann.post(path + "/limits", {"max_lot": "x"})).status == 422
    assert (await ann.post(path + "/limits", {})).location == path + "?done=limits"
    (token,) = await console.tokens.list(ann_user.id)
    assert token.limits.max_lot is None
    assert not token.strict_terminal


async def test_a_lifetime_of_ones_own(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """Hours, days or weeks, from one hour to ten years; what is wrong is said at the field. One in
    its place lives as long, or as is chosen anew."""
    own = {**NEW_TOKEN, "lifetime": "own", "lifetime_unit": "days"}
    for count, unit in (
        *(("", "days"), ("0", "days"), ("1.5", "days"), ("-3", "days"), ("²", "days")),
        *(
            ("3651", "days"),
            ("522", "weeks"),
            ("9999999", "hours"),
            ("5", "years"),
            ("x", "hours"),
        ),
    ):
        page = await ann.post("/tokens", {**own, "lifetime_count": count, "lifetime_unit": unit})
        assert (page.status, "one hour at least, ten years" in page.words) == (422, True), count
    page = await ann.post("/tokens", {**own, "lifetime_count": "45"})
    path = f"/tokens/{parse_token(page.token)}"
    await ann.post(f"{path}/replace", {"overlap_s": "3600"})
    (old,) = [
        token for token in await console.tokens.list(ann_user.id) if token.status != "active"
    ]
    (new,) = [
        token for token in await console.tokens.list(ann_user.id) if token.status == "active"
    ]
    assert new.exp == new.created_at + 45 * 86_400
    assert old.replaced_by == new.tid
    again = {"overlap_s": "0", "lifetime": "own", "lifetime_count": "6", "lifetime_unit": "weeks"}
    wrong = {**again, "lifetime_unit": "moons"}
    assert (await ann.post(f"/tokens/{new.tid}/replace", wrong)).status == 422
    await ann.post(f"/tokens/{new.tid}/replace", again)
    (last,) = [
        token for token in await console.tokens.list(ann_user.id) if token.status == "active"
    ]
    assert last.exp == last.created_at + 42 * 86_400


async def test_the_pages_tell_who_uses_a_token_in_anothers_place(
    ann: PageClient, console: Console, ann_user: UserInfo, clock: Clock
) -> None:
    """That the EA has not come with it yet, and then since when it has; on both pages."""
    old = await _token(console, ann_user)
    await approve(console, old, DESK)
    _, new = await console.tokens.replace(ann_user.id, old.tid)
    assert "the EA has not used it yet" in (await ann.get(f"/tokens/{old.tid}")).words
    assert "the EA has not used this one yet" in (await ann.get(f"/tokens/{new.tid}")).words
    facts = TerminalDescription(platform="mt5", login=77, server="Demo", fp="ab" * 32)
    report = TerminalReport(tid=new.tid, state="online", since=clock.now, terminal=facts)
    await console.reports.report(DESK.did, [report])
    for other, words in ((old, "Replaced by"), (new, "Replaces")):
        page = (await ann.get(f"/tokens/{other.tid}")).words
        assert words in page
        assert "the EA uses " in page
    assert (await console.tokens.get(ann_user.id, new.tid)).linked_at == clock.now


async def test_a_replacement_is_shown_once_and_the_old_one_goes_on(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """For as long as was chosen."""
    old = await _token(console, ann_user)
    assert (await ann.post(f"/tokens/{old.tid}/replace", {"overlap_s": "7"})).status == 422
    page = await ann.post(f"/tokens/{old.tid}/replace", {"overlap_s": "3600"})
    assert parse_token(page.token) != old.tid
    now = await console.tokens.get(ann_user.id, old.tid)
    assert (now.status, now.exp) == ("superseded", console.now_s() + 3600)
    assert "Being replaced" in (await ann.get(f"/tokens/{old.tid}")).words


async def test_a_revocation_is_followed_until_the_machine_has_stopped(
    ann: PageClient, console: Console, ann_user: UserInfo, clock: Clock
) -> None:
    """Not confirmed, then stopped at; the page and the JSON that it follows say the same."""
    token = await _token(console, ann_user)
    await approve(console, token, DESK)
    async with console.db.begin() as session:
        assert await console.leases.make(session, token.tid, DESK.did)
    page = await ann.get(f"/tokens/{token.tid}/revoke")
    assert "Open positions stay open" in page.words
    page = await ann.post(f"/tokens/{token.tid}/revoke")
    words = (await ann.get(page.location)).words
    assert "The token is revoked" in words
    assert "DESK-PC: not confirmed, it ends by" in words
    live = json.loads((await ann.get("/live")).text)
    key = f"{token.tid}-{DESK.did}"
    assert live["facts"][f"{key}.chip"] == {"tone": "warn", "text": "Not confirmed"}
    at_ms = clock.now * 1000 + 234
    seq = await console.events.last(DESK.did)
    await console.events.acknowledge(DESK.did, [EventAck(seq=seq, at_ms=at_ms)])
    live = json.loads((await ann.get("/live")).text)
    assert live["facts"][f"{key}.chip"]["text"] == "Stopped"
    said, at = live["facts"][f"{key}.facts"]
    assert said == {"text": "On DESK-PC: stopped at "}
    assert at == {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(clock.now)) + ".234Z",
        "exact": True,
    }
    assert "stopped at" in (await ann.get("/")).words
    await ann.post(f"/devices/{DESK.did}/revoke")
    live = json.loads((await ann.get("/live")).text)
    assert live["facts"][f"{DESK.did}.chip"] == {"tone": "bad", "text": "Revoked"}
    said, _ = live["facts"][f"{DESK.did}.facts"]
    assert said == {"text": "Not confirmed: its terminals end by "}
    assert f'data-live="{DESK.did}.facts"' in (await ann.get("/devices")).text
    clock.forward(2 * 86_400)
    await ann.sign_in()
    assert "DESK-PC" not in (await ann.get("/")).words, "a day later it is history"


async def test_what_never_answers_ends_by_itself(
    ann: PageClient, console: Console, ann_user: UserInfo, clock: Clock
) -> None:
    """When the lease ends: a quarter of an hour at the latest."""
    token = await _token(console, ann_user)
    await approve(console, token, DESK)
    async with console.db.begin() as session:
        await console.leases.make(session, token.tid, DESK.did)
    await console.tokens.revoke(ann_user.id, token.tid)
    clock.forward(901)
    assert "ended by itself" in (await ann.get(f"/tokens/{token.tid}")).words


async def test_terminals_are_shown_as_their_daemon_reports_them(
    ann: PageClient, console: Console, ann_user: UserInfo, clock: Clock
) -> None:
    """Live, offline, and no contact when the daemon itself is silent."""
    token = await _token(console, ann_user)
    assert "Not connected yet" in (await ann.get("/")).words
    await approve(console, token, DESK)
    facts = TerminalDescription(platform="mt5", login=77, server="Demo", fp="ab" * 32)
    report = TerminalReport(tid=token.tid, state="online", since=clock.now, terminal=facts)
    await console.reports.report(DESK.did, [report])
    words = (await ann.get("/")).words
    assert "77 at Demo" in words
    assert "Live" in words
    clock.forward(61)
    assert "No contact" in (await ann.get("/")).words
    await console.devices.heard(DESK.did, "127.0.0.1")
    offline = report.model_copy(update={"state": "offline"})
    await console.reports.report(DESK.did, [offline])
    assert "Offline" in (await ann.get("/")).words


async def test_a_revoked_machine_may_be_let_ask_again(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """Until then it is refused without a question."""
    token = await _token(console, ann_user)
    await approve(console, token, DESK)
    page = await ann.get(f"/devices/{DESK.did}/revoke")
    assert "Your tokens stay good on other machines" in page.words
    assert (await ann.post(f"/devices/{DESK.did}/revoke")).location == "/devices?done=revoked"
    words = (await ann.get("/devices")).words
    assert "Revoked" in words
    assert "Let it ask again" in words
    assert (await ann.post(f"/devices/{DESK.did}/forget")).location == "/devices?done=forgotten"
    assert "DESK-PC" not in (await ann.get("/devices")).words


async def test_a_suspended_token_is_resumed_or_revoked(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """The page says why it does not work."""
    token = await _token(console, ann_user)
    await console.tokens.suspend(ann_user.id, token.tid)
    assert "This token is suspended" in (await ann.get(f"/tokens/{token.tid}")).words
    page = await ann.post(f"/tokens/{token.tid}/resume")
    assert page.location == f"/tokens/{token.tid}?done=resumed"
    assert (await console.tokens.get(ann_user.id, token.tid)).status == "active"
