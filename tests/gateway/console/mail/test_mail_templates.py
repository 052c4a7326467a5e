"""What letters say: one content in two renderings, nothing that somebody else could put in."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.mail import BadAddress, check_address, templates
from gateway.console.mail.templates import MAX_SAID, DeviceFacts, Letter, said

FACTS = DeviceFacts(
    name="desk",
    os="Windows 11",
    words="lusab-babad-gutih-tugad",
    place="address 203.0.113.7",
    token_name="MT5-Live",
    token_hint="A1b2…E5f6",
    platform="mt5",
    login=5001234,
    server="Demo-Server",
    company="A Broker",
)
AT = 1_800_000_000


def _new_device(facts: DeviceFacts = FACTS) -> Letter:
    return templates.new_device(
        facts,
        at_s=AT,
        minutes=10,
        review="http://127.0.0.1:7402/approve/x",
        not_me="http://127.0.0.1:7402/not-me/x",
        code="01234567",
    )


def _invitation(name: str = "Ann") -> Letter:
    return templates.invitation(
        "http://127.0.0.1:7402/invitation/x",
        by=(name, "ann@example.com"),
        address="bob@example.com",
        console="http://127.0.0.1:7402",
        forgot="http://127.0.0.1:7402/forgot",
        at_s=AT,
        minutes=4320,
    )


def _all(facts: DeviceFacts = FACTS) -> list[Letter]:
    url = "http://127.0.0.1:7402/devices"
    return [
        _new_device(facts),
        templates.device_approved(facts, at_s=AT, devices=url, not_me=url),
        templates.terminal_moved(facts, at_s=AT, devices=url),
        templates.token_suspended(facts.token_name, facts.token_hint, reset=url),
        templates.device_copied(facts.name, facts.words, places=("here", "there"), devices=url),
        templates.password_reset(url, minutes=30),
        _invitation(),
        templates.password_changed(at_s=AT, forgot=url),
        templates.new_sign_in(facts.place, facts.os, at_s=AT, sessions=url),
    ]


def test_the_question_names_what_a_person_can_check():
    """Machine, words, place, time in UTC, token, terminal, both links, the command."""
    text = _new_device().text()
    for part in (
        "desk (Windows 11)",
        "lusab-babad-gutih-tugad",
        "address 203.0.113.7",
        "15 January 2027, 08:00 UTC",
        "MT5-Live (A1b2…E5f6)",
        "MT5, account 5001234 at Demo-Server",
        "A Broker",
        "Review:\n  http://127.0.0.1:7402/approve/x\n",
        "This was not me:\n  http://127.0.0.1:7402/not-me/x\n",
        "mt-gateway verify 01234567",
        "10 minutes",
    ):
        assert part in text, part


def test_an_invitation_names_who_invites_and_where():
    """By name and address, with the console's address, which the link begins with."""
    text = _invitation().text()
    for part in ("Ann (ann@example.com)", "Ann, ann@example.com", "bob@example.com", "72 hours"):
        assert part in text, part
    assert "  Console       http://127.0.0.1:7402\n" in text
    assert "Choose a password:\n  http://127.0.0.1:7402/invitation/x\n" in text
    assert "evil" not in _invitation(HOSTILE).text().replace("evil.example", "")
    assert "http://evil" not in _invitation(HOSTILE).text()


@pytest.mark.parametrize("letter", _all(), ids=lambda one: one.kind)
def test_both_parts_say_the_same(letter: Letter):
    """And the HTML part loads nothing from anywhere and runs nothing."""
    page = letter.html()
    plain = html.unescape(page)
    for part in (letter.title, *letter.lines, *letter.closing, *(v for _, v in letter.facts)):
        assert part in plain
    for button in letter.buttons:
        assert f'href="{button.url}"' in page
        assert button.url in letter.text()
    assert not re.search(r"<(script|img|link|iframe|form|style|svg)|url\(|@import| on\w+=", page)
    assert "src=" not in page
    assert letter.subject.isascii()


HOSTILE = '"><script>alert(1)</script>\r\nBcc: eve@example.com\u202e http://evil.example'


@pytest.mark.parametrize(
    "letter",
    _all(
        replace(
            FACTS, name=HOSTILE, os=HOSTILE, server=HOSTILE, company=HOSTILE, token_name=HOSTILE
        )
    ),
    ids=lambda one: one.kind,
)
def test_what_programs_say_stays_text(letter: Letter):
    """No markup, no line of its own, no link, no character that turns text around."""
    assert "<script" not in letter.html()
    assert "\nBcc" not in letter.text()
    for rendered in (letter.text(), letter.html()):
        assert "http://evil" not in rendered
        assert "eve@example.com" not in rendered
        assert "\u202e" not in rendered
    assert "evil" not in letter.subject


@given(st.text(max_size=300))
def test_what_is_said_is_short_and_on_one_line(text: str):
    """Whatever it was."""
    shown = said(text)
    assert 0 < len(shown) <= MAX_SAID
    assert shown.isprintable()
    assert "://" not in shown


# --- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann.O'Neil+mt@Mail.Example.COM", "Ann.O'Neil+mt@mail.example.com"),
        ("a@localhost", "a@localhost"),
        ("a" * 64 + "@b.co", "a" * 64 + "@b.co"),
    ],
)
def test_addresses(given_: str, kept: str):
    """What is before the ``@`` stays as it is."""
    assert check_address(given_) == kept


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        " a@b",
        "a@b ",
        "a@b\n",
        "a@b\r\nRCPT TO:<c@d>",
        "a@-b",
        "a@b-",
        "a@b..c",
        "a@.b",
        "a@b.",
        ".a@b",
        "a.@b",
        "a..b@c",
        '"a b"@c',
        "a@[127.0.0.1]",
        "a(comment)@b",
        "ä@b",
        "a@ä",
        "a@b,c@d",
        "<a@b>",
        "a\0@b",
        "a" * 65 + "@b",
        "a@" + "b" * 64,
        "a@" + "b." * 130 + "c",
    ],
)
def test_odd_addresses(odd: str):
    """Are none."""
    with pytest.raises(BadAddress):
        check_address(odd)


@given(st.text(max_size=40), st.sampled_from(["\r", "\n", "\0", "\t", " ", ",", "<", ">", "@"]))
def test_no_address_carries_a_command(text: str, odd: str):
    """Whatever stands around it."""
    with pytest.raises(BadAddress):
        check_address(f"ann{odd}{text}@example.com")
