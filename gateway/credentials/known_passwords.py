"""The passwords that are tried first: famous words, rows of keys, and what is on the door plate.

A list of whole passwords would hold few of twelve characters; what people do is to lengthen a
famous word. So what is known is taken out of the password, and what is left has to be worth
something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MIN_LEFT = 4
"""Letters and digits that must be left, without the known parts and without repetition."""

_FAMOUS = """
    password passwort passwd passphrase pass qwerty qwertz azerty letmein welcome willkommen admin
    administrator root user login logon guest secret geheim changeme default temp test testing
    iloveyou loveyou love monkey dragon football fussball baseball basketball hockey soccer master
    sunshine princess superman batman spiderman starwars pokemon naruto matrix ninja mustang
    ferrari porsche mercedes harley shadow hunter ranger buster killer cookie cheese pepper ginger
    flower butterfly whatever trustno access computer internet samsung google facebook microsoft
    windows linux apple android michael jordan jennifer jessica ashley nicole daniel thomas robert
    charlie andrew matthew joshua george maggie summer winter spring autumn monday friday january
    december august hello hallo world freedom liverpool chelsea arsenal barcelona juventus diamond
    silver golden orange banana purple chocolate money bitcoin crypto ethereum forex trading trader
    broker metatrader metaquotes gateway mtgateway mt4 mt5 console terminal account demo live
    abc aaa xxx asd qwe zxc qaz wsx edc 1q2w 3e4r 5t6y q1w2 e3r4 1qaz 2wsx
"""
_ROWS = (
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
)
_RUN = 4
_LEET = str.maketrans("0134578@$!|", "oleastbasil")
_REPEATED = re.compile(r"(.{1,6}?)\1+")


def is_known(password: str, about: Iterable[str] = ()) -> bool:
    """Whether next to nothing is left of a password without its well-known parts.

    Args:
        password: as typed.
        about: email and name of its owner.

    """
    own = {part for text in about for part in re.split(r"[^a-z0-9]+", text.lower())}
    words = set(_FAMOUS.split()) | {part for part in own if len(part) >= 3}
    text = password.lower()
    plain, leet = _left(text, words), _left(text.translate(_LEET), words)
    return min(len(plain), len(leet)) < MIN_LEFT


def _left(text: str, words: Iterable[str]) -> str:
    for row in _ROWS:
        text = _without_runs(text, row)
        text = _without_runs(text, row[::-1])
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, " ")
    text = _REPEATED.sub(r"\1", text)
    # a year or some digits behind a famous word make it no better
    text = re.sub(r"(?<![0-9])[0-9]{1,4}(?![0-9])", " ", text)
    return re.sub(r"[\W_]+", "", text)


def _without_runs(text: str, row: str) -> str:
    """Take out pieces of a row of keys, the longest first."""
    for length in range(len(row), _RUN - 1, -1):
        for at in range(len(row) - length + 1):
            text = text.replace(row[at : at + length], " ")
    return text
