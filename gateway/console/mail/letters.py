"""The letters that the console writes. Subjects are constants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from .letter import Button, Letter, said

_NOT_ASKED = "mt-gateway never asks for your password or your token by mail."
_WAS_NOT_YOU = "If that was not you, change your password now and look through your devices."


@dataclass(frozen=True)
class DeviceFacts:
    """What a letter tells of a machine and of the terminal on it."""

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
            ("Device", f"{said(self.name)} ({said(self.os)})"),
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
        subject="A new device asks to use your terminal's token",
        title="Is this your device?",
        lines=(
            "A device that you have not approved wants to use one of your tokens. Somebody has "
            "put that token into a terminal there. Approve it only if that was you.",
        ),
        facts=device.lines(at_s),
        buttons=(
            Button("Review", review),
            Button("This was not me", not_me, is_main=False),
        ),
        code=f"mt-gateway verify {code}",
        code_hint="Or, on that device itself, run this command:",
        closing=(
            f"The request ends {minutes} minutes after it was made. Opening a link decides "
            "nothing yet. Compare the words above with those that the device shows.",
            _NOT_ASKED,
        ),
    )


def device_approved(device: DeviceFacts, *, at_s: int, devices: str, not_me: str) -> Letter:
    """Tell that a machine was approved."""
    return Letter(
        kind="device-approved",
        subject="A device was approved",
        title="A device was approved",
        lines=("From now on this device may use your token.",),
        facts=device.lines(at_s),
        buttons=(
            Button("See your devices", devices),
            Button("This was not me", not_me, is_main=False),
        ),
        closing=(_WAS_NOT_YOU, _NOT_ASKED),
    )


def terminal_moved(device: DeviceFacts, *, at_s: int, devices: str) -> Letter:
    """Tell that a token is now used on a machine that was approved before."""
    return Letter(
        kind="terminal-moved",
        subject="A token is now used on one of your devices",
        title="A token is now used on one of your devices",
        lines=("You have approved this device before, so nothing was asked.",),
        facts=device.lines(at_s),
        buttons=(Button("See your devices", devices),),
        closing=(_WAS_NOT_YOU, _NOT_ASKED),
    )


def token_suspended(token_name: str, token_hint: str, *, reset: str) -> Letter:
    """Tell what "This was not me" has done."""
    return Letter(
        kind="token-suspended",
        subject="A token was suspended",
        title="The device was refused and the token suspended",
        lines=(
            "You told us that a request was not yours. Whoever made it has your token: it works "
            "nowhere now. Replace it with a new one, and change your password.",
        ),
        facts=(("Token", f"{said(token_name)} ({token_hint})"),),
        buttons=(Button("Change your password", reset),),
        closing=(_NOT_ASKED,),
    )


def device_copied(name: str, words: str, *, places: tuple[str, str], devices: str) -> Letter:
    """Warn that one device's key is used from two machines at once."""
    return Letter(
        kind="device-copied",
        subject="One of your devices answers from two places",
        title="One of your devices answers from two places at once",
        lines=(
            "Two programs hold the key of this device. Its folder was copied, by you or by a "
            "thief. We renew nothing for it until you decide: what it may do now ends within "
            "a quarter of an hour. Revoke the device if you do not know why this happens.",
        ),
        facts=(
            ("Device", said(name)),
            ("Words", words),
            ("From", places[0]),
            ("And from", places[1]),
        ),
        buttons=(Button("See your devices", devices),),
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
            "devices and tokens.",
            _NOT_ASKED,
        ),
    )


def when(at_s: int) -> str:
    """Return a time in UTC and in the console's own zone, where that is another."""
    utc = datetime.fromtimestamp(at_s, UTC)
    local = utc.astimezone()
    text = f"{utc:%d %B %Y, %H:%M} UTC"
    if local.utcoffset() == utc.utcoffset():
        return text
    return f"{text} ({local:%H:%M} at the console, UTC{local:%z})"
