"""Requests that change something come from our own pages: each of the three layers by itself."""

from __future__ import annotations

import pytest
from page_client import PageClient

from gateway.console.errors import ConsoleProblem
from gateway.console.service import Console
from gateway.console.web.security import check_token

NEW_TOKEN = {"name": "demo", "platform": "mt5", "lifetime": "90", "scope": "trade"}
UNCHANGED = 403


async def _tokens(console: Console) -> int:
    return len(await console.tokens.list((await console.users.list())[0].id))


SITES = ("cross-site", "same-site", "none", "same-origin, cross-site", "")
ORIGINS = (
    None,
    "null",
    "http://evil.test",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "https://127.0.0.1:{port}",
    "http://localhost:{port}",
    "http://127.0.0.1:{port}.evil.test",
    "http://127.0.0.1:{port}, http://evil.test",
    "HTTP://127.0.0.1:{port}",
    "",
)


async def test_layer_one_a_browser_that_says_another_site_asks_is_refused(
    ann: PageClient, console: Console
) -> None:
    """Even with the right origin and token; another port of this machine is only same-site."""
    for site in SITES:
        page = await ann.post("/tokens", NEW_TOKEN, Sec_Fetch_Site=site)
        assert (page.status, await _tokens(console)) == (UNCHANGED, 0), site


async def test_layer_two_another_origin_is_refused(ann: PageClient, console: Console) -> None:
    """Even with the right token, and without ``Sec-Fetch-Site`` as from an old browser."""
    port = ann.url.rpartition(":")[2]
    for origin in ORIGINS:
        sent = None if origin is None else origin.format(port=port)
        page = await ann.post("/tokens", NEW_TOKEN, Sec_Fetch_Site=None, Origin=sent)
        assert (page.status, await _tokens(console)) == (UNCHANGED, 0), origin


@pytest.mark.parametrize("given", ["", "0" * 64, "other", "é" * 8])
async def test_layer_three_a_form_without_the_visitors_token_is_refused(
    ann: PageClient, bob: PageClient, console: Console, given: str
) -> None:
    """Even with the right origin; a token of another session is none."""
    csrf = bob.csrf if given == "other" else given
    page = await ann.post("/tokens", {**NEW_TOKEN, "csrf": csrf})
    assert (page.status, await _tokens(console)) == (UNCHANGED, 0)


async def test_the_api_takes_the_token_from_the_header_alone(
    ann: PageClient, console: Console
) -> None:
    """The same three layers."""
    body = {"name": "demo"}
    for headers in (
        {"Mgs_Csrf": None},
        {"Mgs_Csrf": "0" * 64},
        {"Origin": "http://evil.test"},
        {"Origin": None},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        assert (await ann.api("POST", "/tokens", body, **headers)).status == UNCHANGED
    assert await _tokens(console) == 0
    assert (await ann.api("POST", "/tokens", body)).status == 201


def test_a_token_of_bytes_that_are_no_text_is_refused_as_any_other() -> None:
    """So a header comes to the server that holds them."""
    with pytest.raises(ConsoleProblem):
        check_token("\udcff\udcfe", "a cookie")


@pytest.mark.parametrize("path", ["/sign-in", "/forgot"])
async def test_forms_before_signing_in_are_bound_to_their_visitor(
    stranger: PageClient, path: str
) -> None:
    """Nobody is signed in to an account that is not his by a page of another site."""
    form = {"email": "ann@example.com", "password": "x"}
    await stranger.get(path)
    assert (await stranger.post(path, {**form, "csrf": "0" * 64})).status == UNCHANGED
    kept = dict(stranger.cookies)
    stranger.cookies.clear()
    page = await stranger.post(path, form)
    assert page.status == UNCHANGED
    assert "keeps no cookies" in page.words
    stranger.cookies = kept
    assert (await stranger.post(path, form, Origin="http://evil.test")).status == UNCHANGED
    assert (await stranger.post(path, form)).status in (200, 401)


async def test_what_only_looks_changes_nothing_and_needs_no_token(ann: PageClient) -> None:
    """GET and HEAD go through from anywhere."""
    for site in ("cross-site", "none", None):
        assert (await ann.get("/tokens", Sec_Fetch_Site=site)).status == 200
    assert (await ann.ask("HEAD", "/tokens")).status == 200


async def test_a_form_of_another_type_is_no_form(ann: PageClient) -> None:
    """What a page of another site can send without asking is ``text/plain`` at most."""
    page = await ann.ask("POST", "/tokens", {"Content-Type": "text/plain"}, data="csrf=x")
    assert page.status == 415
    page = await ann.ask("POST", "/tokens", {"Content-Type": "application/json"}, data="{}")
    assert page.status == 415
