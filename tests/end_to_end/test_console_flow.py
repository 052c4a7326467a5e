"""The console as people use it: from the first link to a terminal that trades, and to its end.

Console, daemons and terminals are processes, the mail server and the browser are real. Nobody
reloads a page unless it says so.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from chromium import chromium
from console_person import Person, person, revoke
from console_town import FAST, Machine, Town, asked, town
from playwright.async_api import Browser, expect
from product import WsClient, open_http
from programs import WAIT_S, Program, program

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("console-flow"),
    pytest.mark.timeout(600),
]

Record = Callable[[str, object], None]
UNAUTHENTICATED, TOKEN_REVOKED = -32001, 4506
NOT_YET = {(UNAUTHENTICATED, "unknown"), (UNAUTHENTICATED, "device_pending")}
"""A machine that waits learns of the token a moment after the console has met it."""
IN_STEP = "in step with the console again"
NEW_DEVICE = "A new machine asks"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A console that nobody has an account on yet."""
    async with town(tmp_path_factory.mktemp("town")) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium_cache: Path) -> AsyncIterator[Browser]:
    """Chromium, for all that follows."""
    async with chromium(chromium_cache) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def console_runs(place: Town) -> None:
    """What one test has ended does not fail the next."""
    if place.console is not None and not place.console.runs:
        await place.start_console()


@pytest.fixture(scope="module")
def pictures(pytestconfig: pytest.Config) -> Path | None:
    """Where pictures of the pages go, if somebody wants to look at them."""
    folder = pytestconfig.getoption("--pictures")
    return None if folder is None else Path(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(place: Town, browser: Browser, pictures: Path | None) -> Person:
    """The first administrator, at her desk."""
    one = await person(browser, place.url, pictures, "ann@example.com")
    await one.set_up(place.setup_url, "Ann")
    await one.sees("Create your first token")
    await one.picture("first page")
    return one


async def test_from_the_first_link_to_the_first_tick(
    place: Town,
    browser: Browser,
    ann: Person,
    pictures: Path | None,
    record_testsuite_property: Record,
) -> None:
    """A person makes an account and a token, approves the machine that the mail asks about with
    the code that the terminal shows, and the terminal links by itself; before that nothing is
    answered. The page that is open shows it live."""
    token = await ann.create_token("eurusd")
    await ann.picture("token created")
    machine = await place.machine("desk")
    assert await machine.refusal(token) == (UNAUTHENTICATED, "unknown")
    terminal = await machine.terminal(token, *FAST)
    code = await asked(terminal)
    assert await machine.refusal(token) in NOT_YET
    await ann.sees("asks for your approval")
    await ann.picture("token created, asked")

    mail = await place.post.mail(NEW_DEVICE)
    phone = await person(browser, place.url, pictures, ann.email, phone=True)
    await phone.read_mail(mail.page, "Review")
    await phone.sees("Sign in")
    await phone.picture("phone sign in")
    await phone.sign_in()
    await phone.sees("Is this machine yours?")
    await phone.picture("phone review")
    words = await phone.words()
    for fact in (socket.gethostname(), machine.words, "this computer", "MT5", "eurusd"):
        assert fact in words
    assert machine.words in mail.text
    await phone.fill(user_code="BBBB-BBBB")
    await phone.click("Approve this machine")
    await phone.confirm()
    await phone.sees("4 tries are left")
    await phone.picture("phone wrong code")
    assert await machine.refusal(token) in NOT_YET

    await ann.open("/")
    await phone.fill(user_code=code)
    await phone.click("Approve this machine")
    await phone.type_password_again()
    clicked = time.monotonic()
    approving = asyncio.create_task(phone.click("Continue"))
    await terminal.ready()
    linked_ms = (time.monotonic() - clicked) * 1000
    record_testsuite_property("click of approve to linked", f"{linked_ms:.0f} ms")
    await approving
    await phone.sees("may use your token")
    await phone.picture("phone approved")

    assert await (await machine.rpc(token)).call("get_account_info")
    listener = await machine.ws(token)
    await listener.call("subscribe", channels=["tick:EURUSD"])
    assert await listener.event("tick:EURUSD", lambda event: event["type"] == "update")
    await ann.sees("Live")
    await expect(ann.page.get_by_text("A machine asks for your approval")).to_be_hidden()
    await ann.picture("overview live")
    await place.post.mail("A machine was approved")
    assert len(place.post.about(NEW_DEVICE)) == 1
    assert all(place.post.tls)
    await phone.page.context.close()
    await machine.leave(terminal)


@dataclass
class Approved:
    """A machine that was approved with the code of the mail, and what was said meanwhile."""

    machine: Machine
    token: str
    terminal: Program
    wrong: tuple[int, str]
    right: tuple[int, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def laptop(place: Town, ann: Person) -> Approved:
    """A machine of Ann's with a terminal."""
    token = await ann.create_token("gold")
    before = len(place.post.about(NEW_DEVICE))
    machine = await place.machine("laptop")
    terminal = await machine.terminal(token)
    await asked(terminal)
    mail = await place.post.mail(NEW_DEVICE, after=before)
    wrong = await machine.verify("00000000")
    right = await machine.verify(mail.code)
    await terminal.ready()
    return Approved(machine, token, terminal, wrong, right)


@dataclass
class Linked:
    """A terminal that is linked, and somebody who listens to it."""

    name: str
    token: str
    terminal: Program
    listener: WsClient

    async def closed(self) -> tuple[int, float]:
        """Return with which code the listener was cut off, and when."""
        code, _ = await self.listener.closed()
        return code, time.monotonic()


async def linked(ann: Person, machine: Machine, name: str) -> Linked:
    """Have Ann link another terminal on a machine that she has approved."""
    token = await ann.create_token(name)
    terminal = await machine.terminal(token)
    await terminal.ready()
    listener = await machine.ws(token)
    await listener.call("subscribe", channels=["tick:EURUSD"])
    return Linked(name, token, terminal, listener)


async def test_the_code_of_the_mail_typed_into_the_machine(laptop: Approved) -> None:
    """A wrong code says so, with the tries that are left; the right one links the terminal."""
    code, said = laptop.wrong
    assert code == 1
    assert "not the code of the mail; 4 tries are left" in said
    code, said = laptop.right
    assert code == 0
    assert "approved" in said
    assert await (await laptop.machine.rpc(laptop.token)).call("get_account_info")


async def test_a_token_is_revoked_on_its_page(
    place: Town, ann: Person, laptop: Approved, record_testsuite_property: Record
) -> None:
    """Open connections end at once and nothing is answered any more; the page says when it
    stopped. Other tokens do not notice. A known machine was not asked about again."""
    mails = len(place.post.about(NEW_DEVICE))
    one = await linked(ann, laptop.machine, "silver")
    assert len(place.post.about(NEW_DEVICE)) == mails
    await ann.follow("I have copied it")
    await ann.sees("Live")
    await ann.picture("token live")
    await ann.follow("Revoke…")
    await ann.picture("token revoke")
    code, took_ms = await revoke(ann, asyncio.create_task(one.closed()))
    record_testsuite_property("click of revoke to the close of /ws", f"{took_ms:.0f} ms")
    assert code == TOKEN_REVOKED
    assert await laptop.machine.refusal(one.token) == (UNAUTHENTICATED, "revoked")
    await one.terminal.said(r"refused the token: .*\('revoked'\)")
    await ann.sees("stopped at")
    await ann.picture("token stopped")
    assert laptop.machine.daemon is not None
    assert " ERROR " not in laptop.machine.daemon.log, "nothing went wrong"
    assert await (await laptop.machine.rpc(laptop.token)).call("get_account_info")
    await one.terminal.kill()


async def test_a_machine_that_cannot_be_reached(ann: Person, laptop: Approved) -> None:
    """The page does not claim what nobody has confirmed; once the machine is back it does."""
    one = await linked(ann, laptop.machine, "copper")
    assert laptop.machine.daemon is not None
    await laptop.machine.daemon.end()
    await ann.follow("I have copied it")
    await ann.follow("Revoke…")
    await ann.click("Revoke now")
    await ann.sees("not confirmed, it ends by")
    await ann.picture("token not confirmed")
    await laptop.machine.start()
    await ann.sees("stopped at")
    assert await laptop.machine.refusal(one.token) == (UNAUTHENTICATED, "revoked")
    await one.terminal.kill()


async def test_a_machine_is_revoked(
    place: Town, ann: Person, laptop: Approved, record_testsuite_property: Record
) -> None:
    """All its terminals stop. A daemon that was killed right then and finds no console when it
    starts again has not forgotten. The machine may ask again, if its owner wants that."""
    machine = laptop.machine
    one = await linked(ann, machine, "platinum")
    await ann.open("/devices")
    await ann.picture("devices")
    row = ann.page.get_by_role("listitem").filter(has_text=machine.words)
    await row.get_by_role("link", name="Revoke").click()
    await ann.picture("device revoke")
    code, took_ms = await revoke(ann, asyncio.create_task(one.closed()))
    assert machine.daemon is not None
    assert place.console is not None
    await machine.daemon.kill()
    record_testsuite_property("click of revoke (machine) to the close of /ws", f"{took_ms:.0f} ms")
    assert code == TOKEN_REVOKED
    await ann.picture("device revoked")
    await place.console.kill()
    await machine.start()
    for token in (one.token, laptop.token):
        assert await machine.refusal(token) == (UNAUTHENTICATED, "device_revoked")
    await place.start_console()
    await machine.daemon.said(IN_STEP, timeout_s=60)
    await ann.open("/devices")
    await expect(row).to_contain_text("stopped at")
    before = len(place.post.about(NEW_DEVICE))
    await row.get_by_role("button", name="Let it ask again").click()
    await ann.confirm()
    await ann.sees("may ask for your approval again")
    await asyncio.gather(laptop.terminal.end(), one.terminal.end())
    async with asyncio.timeout(WAIT_S):
        while await machine.refusal(laptop.token) not in NOT_YET:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.05)
    laptop.terminal = await machine.terminal(laptop.token)
    mail = await place.post.mail(NEW_DEVICE, after=before)
    assert (await machine.verify(mail.code))[0] == 0
    await laptop.terminal.ready()
    one.terminal = await machine.terminal(one.token)
    await one.terminal.ready()
    assert len(place.post.about(NEW_DEVICE)) == before + 1
    for token in (laptop.token, one.token):
        assert await (await machine.rpc(token)).call("get_account_info")
    await one.terminal.kill()


async def test_the_console_is_away(place: Town, ann: Person, laptop: Approved) -> None:
    """A daemon that starts meanwhile serves what it knows for as long as the leases say, and
    tells a terminal that it does not know to come again. Once the console is back, all is well."""
    machine = laptop.machine
    token = await ann.create_token("later")
    assert machine.daemon is not None
    assert place.console is not None
    await place.console.kill()
    await machine.daemon.end()
    await machine.start()
    await machine.calls_again(laptop.token)
    stranger = await machine.terminal(token)
    told = await stranger.said(r"\('busy'\); the next try is in (\d+) s")
    assert 1 <= int(told[1]) <= 60
    assert await machine.refusal(token) == (UNAUTHENTICATED, "unknown")
    await place.start_console()
    await stranger.ready(timeout_s=90)
    assert await (await machine.rpc(token)).call("get_account_info")
    await ann.sees("Live")
    await machine.leave(stranger, laptop.terminal)


async def test_this_was_not_me(
    place: Town, browser: Browser, ann: Person, pictures: Path | None
) -> None:
    """Somebody else's machine gets nothing, the token works nowhere, and its owner, whom the
    administrator had invited, has to choose a new password."""
    await ann.open("/users")
    await ann.fill(name="Bob", email="bob@example.com")
    await ann.click("Send the invitation")
    await ann.confirm()
    await ann.picture("users")
    bob = await person(browser, place.url, pictures, "bob@example.com", phone=True)
    invitation = await place.post.mail("Your account", bob.email)
    await bob.read_mail(invitation.page, "Choose a password")
    await bob.fill(password=bob.password, again=bob.password)
    await bob.picture("phone invited")
    await bob.click("Set the password")
    await bob.sign_in()
    await bob.sees("Create your first token")
    await bob.picture("phone first page")
    token = await bob.create_token("stolen")
    await bob.picture("phone token created")
    thief = await place.machine("thief")
    terminal = await thief.terminal(token)
    await asked(terminal)
    mail = await place.post.mail(NEW_DEVICE, bob.email)
    await bob.read_mail(mail.page, "This was not me")
    await bob.sees("This was not you?")
    await bob.picture("phone not me")
    await bob.click("This was not me: stop it")
    await bob.sees("is suspended")
    await bob.picture("phone stopped")
    assert await terminal.exit_code() == 1
    assert (await thief.refusal(token))[0] == UNAUTHENTICATED
    await bob.click("Sign in and change the password", role="link")
    await bob.sign_in()
    await bob.sees("Please choose a new password now")
    await bob.picture("phone must change")
    await bob.open("/")
    await bob.sees("Please choose a new password now")
    new = "another long password"
    await bob.fill(current=bob.password, password=new, again=new)
    await bob.click("Change the password")
    await bob.sees("Your password is changed")
    await bob.open("/")
    await bob.sees("Suspended")
    await bob.picture("phone suspended")
    await place.post.mail("A token was suspended", bob.email)
    await bob.page.context.close()
    await thief.leave()


async def test_the_demo(tmp_path: Path, browser: Browser, pictures: Path | None) -> None:
    """Whoever starts the demo can sign in to its console, see the terminal live, and link another
    one without being asked about the machine again."""
    home = tmp_path / "demo"
    ports = ("--port", "0", "--bridge-port", "0", "--console-port", "0")
    async with program("demo", *ports, "--home", str(home)) as demo:
        ready = await demo.ready()
        one = await person(browser, ready["console"], pictures, ready["console_email"])
        one.password = ready["console_password"]
        await one.open("/")
        await one.sign_in()
        await one.sees("Live")
        await one.picture("demo live")
        token = await one.create_token("second")
        await one.picture("demo token created")
        bridge = ("--bridge", ready["bridge"], "--auth-token", token)
        async with program("emulator", *bridge) as terminal:
            await terminal.ready()
            await one.sees("Live")
            await one.open("/")
            await one.picture("demo two terminals")
            async with open_http(ready["rpc"], token) as client:
                assert await client.call("get_account_info")
            await terminal.end()
        await demo.end()
        assert not list((home / "console" / "outbox").glob("*new-device*"))
