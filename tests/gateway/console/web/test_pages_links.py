"""Links that work once: the first administrator, a forgotten password, an invitation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from approval_fixtures import posts
from console_fixtures import CHEAP, PASSWORD
from page_client import PageClient, mailed_path, mailed_text

from gateway.config import ConsoleServer as ServerSettings
from gateway.config import Secrets
from gateway.console.links import RESET_S
from gateway.console.server import PageServer, ready, run_console
from gateway.console.service import Console
from gateway.console.settings import ConsoleSettings
from gateway.options import ConsoleReady

NEW = "another fine sentence"
FORM = {"name": "Ann", "email": "ann@example.com", "password": NEW, "again": NEW}


async def test_the_first_start_makes_one_administrator_by_a_link(
    stranger: PageClient, server: PageServer, console: Console
) -> None:
    """It works once, and only while nobody has an account."""
    announced = await ready(console, server)
    assert announced.setup_url is not None
    path = announced.setup_url.removeprefix(server.url)
    assert (await stranger.get(path)).status == 200
    for wrong in ({"again": "else"}, {"password": "short", "again": "short"}, {"email": "no"}):
        page = await stranger.post(path, {**FORM, **wrong})
        assert (page.status, 'aria-invalid="true"' in page.text) == (422, True)
        assert NEW not in page.text, "a password is never sent back"
    assert (await stranger.post(path, FORM)).location == "/"
    page = await stranger.get("/")
    assert "Create your first token" in page.words
    assert (await console.users.list())[0].is_admin
    assert (await stranger.get(path)).status == 410
    assert (await stranger.post(path, FORM)).status == 410
    assert (await ready(console, server)).setup_url is None


async def test_a_forgotten_password_is_replaced_by_a_mailed_link(
    ann: PageClient, stranger: PageClient, console: Console
) -> None:
    """The page is the same for an address without account; all sessions end."""
    await stranger.get("/forgot")
    pages = [
        await stranger.post("/forgot", {"email": email})
        for email in ("ann@example.com", "nobody@example.com", "no address")
    ]
    assert len({(page.status, page.words) for page in pages}) == 1
    path = await mailed_path(console, "/reset/")
    for site in ("cross-site", "none", "same-origin"):
        assert (await stranger.get(path, Sec_Fetch_Site=site)).status == 200
    assert (await stranger.post(path, {"password": "short", "again": "short"})).status == 422
    page = await stranger.post(path, {"password": NEW, "again": NEW})
    assert page.location == "/sign-in?done=password"
    assert (await ann.get("/")).status == 303
    assert (await stranger.get(path)).status == 410
    await stranger.sign_in(password=NEW)


async def test_an_invitation_lets_somebody_choose_a_password(
    ann: PageClient, stranger: PageClient, console: Console
) -> None:
    """Nobody else ever knows it; a second account with the address is refused."""
    invited = {"name": "Eve", "email": "eve@example.com"}
    assert (await ann.post("/users", invited)).location == "/users?done=invited"
    page = await ann.post("/users", invited)
    assert (page.status, "already" in page.words) == (422, True)
    path = await mailed_path(console, "/invitation/")
    mail = mailed_text(console, path)
    assert "ann (ann@example.com)" in mail
    assert ann.url in mail
    assert "Welcome" in (await stranger.get(path)).words
    assert (await stranger.post(path, {"password": "short", "again": "short"})).status == 422
    page = await stranger.post(path, {"password": NEW, "again": NEW})
    assert page.location == "/sign-in?done=welcome"
    await stranger.sign_in("eve@example.com", NEW)
    assert (await stranger.get("/users")).status == 403
    assert (await stranger.get(path)).status == 410
    assert not await posts(console, "password-changed"), "it is the first"
    eve = await console.users.by_email("eve@example.com")
    assert eve is not None
    await console.users.change_password(eve.id, NEW, NEW + "!", "127.0.0.1")
    assert len(await posts(console, "password-changed")) == 1


async def test_a_reset_before_the_first_password(
    ann: PageClient, stranger: PageClient, console: Console
) -> None:
    """Who has let the invitation run out asks for a link: it is the first password all the same,
    and opens what the invitation would have."""
    await ann.post("/users", {"name": "Eve", "email": "eve@example.com"})
    invitation = await mailed_path(console, "/invitation/")
    await stranger.get("/forgot")
    page = await stranger.post("/forgot", {"email": "eve@example.com"})
    assert f"once, for {RESET_S // 60} minutes" in page.words
    path = await mailed_path(console, "/reset/")
    assert f"once, for {RESET_S // 60} minutes" in mailed_text(console, path)
    await stranger.get(path)
    await stranger.post(path, {"password": NEW, "again": NEW})
    await stranger.sign_in("eve@example.com", NEW)
    assert not await posts(console, "password-changed")
    assert (await stranger.get(invitation)).status == 410


async def test_no_code_and_no_link_of_a_mail_is_on_a_page(
    ann: PageClient, console: Console
) -> None:
    """Not even where mails only go to a folder; that they do is said plainly."""
    page = await ann.get("/")
    assert "mails are written to the folder outbox in the console's home" in page.words
    assert str(console.home) not in page.text


async def test_run_console_serves_until_it_is_cancelled(tmp_path: Path) -> None:
    """What the command line runs: it says where it serves, and the set-up link."""
    announced: asyncio.Queue[ConsoleReady] = asyncio.Queue()
    settings = ConsoleSettings(
        console_server=ServerSettings(port=0), secrets=Secrets(store="file")
    )
    home = tmp_path / "home"
    for is_first in (True, False):
        running = asyncio.create_task(
            run_console(home, settings, announced.put_nowait, costs=CHEAP)
        )
        ready_ = await announced.get()
        assert (ready_.setup_url is not None) == is_first
        assert ready_.root.startswith("mgr1_")
        assert ready_.outbox == str(home / "outbox")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            if is_first:
                assert ready_.setup_url is not None
                visitor = PageClient(ready_.console, http)
                path = ready_.setup_url.removeprefix(ready_.console)
                await visitor.get(path)
                await visitor.post(path, {**FORM, "password": PASSWORD, "again": PASSWORD})
            async with http.get(ready_.console + "/sign-in") as answer:
                assert answer.status == 200
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
