"""Mails that the console writes, and their two renderings: plain text and HTML.

Both renderings come from the same parts, so that they cannot differ. Text of a program or a person
is cleaned and stands in the body alone; subjects are constants.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

WIDTH = 72
MAX_SAID = 64

_ODD_IN_A_NAME = str.maketrans({":": " ", "/": " ", "\\": " ", "<": " ", ">": " ", "@": " "})
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Button:
    """Something to do."""

    label: str
    url: str
    is_main: bool = True


@dataclass(frozen=True)
class Letter:
    """Content of a mail. It may hold codes and links: it is sealed while it waits."""

    kind: str
    """Names the sort, such as ``new-device``; in lists and file names."""
    subject: str
    """A constant: nothing that somebody else could choose."""
    title: str
    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    buttons: tuple[Button, ...] = ()
    code: str = ""
    code_hint: str = ""
    closing: tuple[str, ...] = ()

    def text(self) -> str:
        """Render as plain text."""
        return "\n\n".join(self._paragraphs()) + "\n"

    def html(self) -> str:
        """Render as HTML that loads nothing from anywhere."""
        return _PAGES.get_template("letter.html").render(letter=self)

    def _paragraphs(self) -> Iterator[str]:
        yield self.title
        yield from (textwrap.fill(line, WIDTH) for line in self.lines)
        if self.facts:
            wide = max(len(name) for name, _ in self.facts) + 2
            yield "\n".join(f"  {name:<{wide}}{value}" for name, value in self.facts)
        yield from (f"{button.label}:\n  {button.url}" for button in self.buttons)
        if self.code:
            yield f"{textwrap.fill(self.code_hint, WIDTH)}\n\n  {self.code}"
        yield from (textwrap.fill(line, WIDTH) for line in self.closing)


def said(text: str, most: int = MAX_SAID) -> str:
    """Return what a program says of itself, fit to be shown: short, one line, no link.

    Characters that control, hide or turn text around are dropped.

    Args:
        text: of any length.
        most: characters that are kept.

    """
    kept = "".join(
        # C and Z: controls, line ends, and what turns the direction of the text around
        " " if unicodedata.category(character)[0] in "CZ" else character
        for character in text
    )
    # mail programs make links of what looks like an address: without these signs none does
    words = kept.translate(_ODD_IN_A_NAME).split()
    short = " ".join(words)[:most]
    return short or "(nothing said)"


_NOT_ASKED = "mt-gateway never asks for your password or your token by mail."
_WAS_NOT_YOU = "If that was not you, change your password now and look through your machines."


@dataclass(frozen=True)
class DeviceFacts:
    """Facts about a machine and the terminal on it, for a mail."""

    name: str
    os: str
    words: str
    place: str
    token_name: str
    token_hint: str
    platform: str
    login: int
    server: str
    company: str

    def lines(self, at_s: int) -> tuple[tuple[str, str], ...]:
        """Return name and value of each."""
        terminal = f"{self.platform.upper()}, account {self.login} at {said(self.server)}"
        return (
            ("Machine", f"{said(self.name)} ({said(self.os)})"),
            ("Words", self.words),
            ("From", self.place),
            ("When", when(at_s)),
            ("Token", f"{said(self.token_name)} ({self.token_hint})"),
            ("Terminal", terminal),
            *((("Broker", said(self.company)),) if self.company else ()),
        )


def new_device(
    device: DeviceFacts, *, at_s: int, minutes: int, review: str, not_me: str, code: str
) -> Letter:
    """Ask whether a machine is the person's own."""
    return Letter(
        kind="new-device",
        subject="A new machine asks to use your terminal's token",
        title="Is this your machine?",
        lines=(
            "A machine that you have not approved wants to use one of your tokens. Somebody has "
            "put that token into a terminal there. Approve it only if that was you.",
        ),
        facts=device.lines(at_s),
        buttons=(
            Button("Review", review),
            Button("This was not me", not_me, is_main=False),
        ),
        code=f"mt-gateway verify {code}",
        code_hint="Or, on that machine itself, run this command:",
        closing=(
            f"The request ends {minutes} minutes after it was made. Opening a link decides "
            "nothing yet. Compare the words above with those that the machine shows.",
            _NOT_ASKED,
        ),
    )


def device_approved(device: DeviceFacts, *, at_s: int, devices: str, not_me: str) -> Letter:
    """Tell that a machine was approved."""
    return Letter(
        kind="device-approved",
        subject="A machine was approved",
        title="A machine was approved",
        lines=("From now on this machine may use your token.",),
        facts=device.lines(at_s),
        buttons=(
            Button("See your machines", devices),
            Button("This was not me", not_me, is_main=False),
        ),
        closing=(_WAS_NOT_YOU, _NOT_ASKED),
    )


def terminal_moved(device: DeviceFacts, *, at_s: int, devices: str) -> Letter:
    """Tell that a token is now used on a machine that was approved before."""
    return Letter(
        kind="terminal-moved",
        subject="A token is now used on one of your machines",
        title="A token is now used on one of your machines",
        lines=("You have approved this machine before, so nothing was asked.",),
        facts=device.lines(at_s),
        buttons=(Button("See your machines", devices),),
        closing=(_WAS_NOT_YOU, _NOT_ASKED),
    )


def token_suspended(token_name: str, token_hint: str, *, reset: str) -> Letter:
    """Tell what "This was not me" has done."""
    return Letter(
        kind="token-suspended",
        subject="A token was suspended",
        title="The machine was refused and the token suspended",
        lines=(
            "You told us that a request was not yours. Whoever made it has your token: it works "
            "nowhere now. Replace it with a new one, and change your password.",
        ),
        facts=(("Token", f"{said(token_name)} ({token_hint})"),),
        buttons=(Button("Change your password", reset),),
        closing=(_NOT_ASKED,),
    )


def device_copied(name: str, words: str, *, places: tuple[str, str], devices: str) -> Letter:
    """Warn that one machine's key is used from two places at once."""
    return Letter(
        kind="device-copied",
        subject="One of your machines answers from two places",
        title="One of your machines answers from two places at once",
        lines=(
            "Two programs hold the key of this machine. Its folder was copied, by you or by a "
            "thief. We renew nothing for it until you decide: what it may do now ends within "
            "a quarter of an hour. Revoke the machine if you do not know why this happens.",
        ),
        facts=(
            ("Machine", said(name)),
            ("Words", words),
            ("From", places[0]),
            ("And from", places[1]),
        ),
        buttons=(Button("See your machines", devices),),
        closing=(_NOT_ASKED,),
    )


def password_reset(url: str, *, minutes: int) -> Letter:
    """Let a person choose a new password."""
    return Letter(
        kind="password-reset",
        subject="Choose a new password",
        title="Choose a new password",
        lines=("Somebody, you we hope, has asked for a new password for your account.",),
        buttons=(Button("Choose a new password", url),),
        closing=(
            f"The link works once, for {minutes} minutes. If you did not ask, do nothing: your "
            "password stays as it is.",
            _NOT_ASKED,
        ),
    )


def invitation(
    url: str,
    *,
    by: tuple[str, str],
    address: str,
    console: str,
    forgot: str,
    at_s: int,
    minutes: int,
) -> Letter:
    """Let a person for whom somebody made an account choose a password.

    Args:
        url: where the password is chosen.
        by: name and address of who invites.
        address: of who is invited.
        console: where the console is.
        forgot: the page for a link that is over.
        at_s: when.
        minutes: for which the link works.

    """
    name, inviter = said(by[0]), by[1]
    return Letter(
        kind="invitation",
        subject="Your account for mt-gateway",
        title=f"{name} has made an account for you",
        lines=(
            f"{name} ({inviter}) administers the mt-gateway console at {console} and has made "
            "an account for you there. On it you connect MetaTrader terminals with your "
            "programs. Choose a password to begin; nobody else knows it.",
        ),
        facts=(
            ("Invited by", f"{name}, {inviter}"),
            ("Console", console),
            ("Your account", address),
            ("When", when(at_s)),
        ),
        buttons=(Button("Choose a password", url),),
        closing=(
            f"The link works once, for {minutes // 60} hours, and begins with the console's "
            f"address above. After that, have a new one sent: {forgot}",
            "If you do not know who invites you, ask in another way than by answering this mail, "
            "or do nothing: the account opens nothing before a password is chosen.",
            _NOT_ASKED,
        ),
    )


def new_sign_in(place: str, agent: str, *, at_s: int, sessions: str) -> Letter:
    """Tell that somebody signed in from where nobody did before."""
    return Letter(
        kind="new-sign-in",
        subject="A new sign-in to your account",
        title="A new sign-in to your account",
        lines=("Somebody signed in with your password.",),
        facts=(("From", place), ("With", said(agent)), ("When", when(at_s))),
        buttons=(Button("See your sessions", sessions),),
        closing=(_WAS_NOT_YOU, _NOT_ASKED),
    )


def password_changed(*, at_s: int, forgot: str) -> Letter:
    """Tell that an account has another password now."""
    return Letter(
        kind="password-changed",
        subject="Your password was changed",
        title="Your password was changed",
        lines=("Your account has a new password. Your terminals and programs go on.",),
        facts=(("When", when(at_s)),),
        buttons=(Button("Choose a new password", forgot),),
        closing=(
            "If it was you, do nothing. Else choose a new password now, and look through your "
            "machines and tokens.",
            _NOT_ASKED,
        ),
    )


_SECOND_FACTOR = {
    "second_factor.on": ("is on", "From now on a sign-in needs a code of your app, too."),
    "second_factor.off": ("is off", "From now on the password alone signs in."),
    "second_factor.app_off": ("has lost its app", "Codes of the app sign in no more."),
    "second_factor.recovery": ("was replaced once", "One of your recovery codes was used."),
    "passkey.added": (
        "has a new passkey",
        "Beside your password a sign-in needs it, or another second factor.",
    ),
    "passkey.removed": ("has lost a passkey", "It does not sign in any more."),
    "passkey.copied": (
        "refused a passkey",
        "Your password was right, and the passkey's count had not grown: two devices may hold "
        "copies of it. Remove that passkey, and choose a new password.",
    ),
}
Remover = Literal["administrator", "command"]
"""Who switches the second factor of somebody else off."""
_REMOVERS: dict[Remover, str] = {
    "administrator": "An administrator of the console",
    "command": "Somebody at the console's own machine, by a command",
}


def second_factor(
    event: str, by: Remover | None, passkey: str, *, at_s: int, account: str
) -> Letter:
    """Tell that an account's second factor has changed, or that a recovery code was used."""
    what, line = _SECOND_FACTOR[event]
    return Letter(
        kind="second-factor",
        subject="The second factor of your account",
        title=f"Your second factor {what}",
        lines=(line,),
        facts=(
            *((("Passkey", said(passkey)),) if passkey else ()),
            ("When", when(at_s)),
            *((("By", _REMOVERS[by]),) if by else ()),
        ),
        buttons=(Button("See your account", account),),
        closing=(_WAS_NOT_YOU, _NOT_ASKED),
    )


NOTICE: Final = "notice-"
"""What the kinds of mails about terminals begin with."""


def notice(
    kind: str, title: str, line: str, facts: Sequence[tuple[str, str]], *, url: str
) -> Letter:
    """Tell what somebody has asked to be told of terminals."""
    return Letter(
        kind=NOTICE + kind,
        subject=_NOTICES[kind],
        title=title,
        lines=(line,) if line else (),
        facts=tuple(facts),
        buttons=(Button("Open the console", url),),
        closing=("You have asked for these mails on the page Account, and can end them there.",),
    )


_NOTICES: Final = {
    "away": "A terminal is away",
    "away-over": "A terminal is back",
    "halt": "Trading of a terminal is halted",
    "halt-over": "A terminal may trade again",
    "alert": "An alert became no order",
    "test": "A test of your notices",
}
"""Subjects: constants, as of all mails."""


def when(at_s: int) -> str:
    """Return a time in UTC and in the console's own zone, where that is another."""
    utc = datetime.fromtimestamp(at_s, UTC)
    local = utc.astimezone()
    text = f"{utc:%d %B %Y, %H:%M} UTC"
    if local.utcoffset() == utc.utcoffset():
        return text
    return f"{text} ({local:%H:%M} at the console, UTC{local:%z})"
