"""Operators, their passwords and their tokens."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway.credentials.passwords import Cost, HashingPool, Passwords, Verified
from gateway.home.home import Home
from gateway.mt4_manager import Operator, OperatorBook, OperatorError, OperatorRole, access
from gateway.mt4_manager.access import LIFETIME_S, MAX_TOKENS, REFRESH_S, SESSION_S, TokenBook

GOOD = "seven purple lanterns sing"


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.s = 1_800_000_000

    def now(self) -> int:
        return self.s


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def book(home: Home) -> Iterator[OperatorBook]:
    pool = HashingPool()
    yield OperatorBook(home.store, Passwords(pool, b"p" * 32, Cost(8, 1, 1)))
    pool.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def tokens(home: Home, time: Time) -> TokenBook:
    return TokenBook(home.store, b"k" * 32, time.now)


def contents(home: Home) -> bytes:
    """Return all that lies in the home's files."""
    return b"".join(one.read_bytes() for one in home.folder.iterdir() if one.is_file())


async def test_there_is_nobody_at_first(book: OperatorBook) -> None:
    """No default user, whose password everybody knows."""
    assert book.all() == []
    assert await book.verify("admin", "admin") is None


async def test_a_password_lets_in_and_nothing_else_does(home: Home, book: OperatorBook) -> None:
    """It is kept as an Argon2id hash; names are found however they are typed."""
    await book.add(" Ann ", GOOD, OperatorRole.OPERATOR)
    found = await book.verify("ann", GOOD)
    assert found is not None
    assert (found.name, found.role) == ("ann", OperatorRole.OPERATOR)
    for name, password in (("ann", GOOD + " "), ("bob", GOOD), ("ann", "")):
        assert await book.verify(name, password) is None
    assert GOOD.encode() not in contents(home)
    row = home.store.one("SELECT password FROM manager_operators")
    assert row is not None
    assert row["password"].startswith("$argon2id$")


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", "short"), ("ann", "password123456"), ("ann", "annannannann"), ("", GOOD)],
)
async def test_what_cannot_be_an_operator(book: OperatorBook, name: str, password: str) -> None:
    """Passwords that are guessed first, and names that are none."""
    with pytest.raises(OperatorError):
        await book.add(name, password, OperatorRole.READ)
    assert book.all() == []


async def test_a_name_is_taken_once(book: OperatorBook) -> None:
    """The second one changes nothing; nor does what is about nobody."""
    await book.add("ann", GOOD, OperatorRole.READ)
    with pytest.raises(OperatorError, match="there is an operator"):
        await book.add("ANN", GOOD, OperatorRole.ADMIN)
    assert [one.role for one in book.all()] == [OperatorRole.READ]
    with pytest.raises(OperatorError):
        book.remove("bob")
    with pytest.raises(OperatorError):
        book.set_role("bob", OperatorRole.ADMIN)
    with pytest.raises(OperatorError):
        await book.set_password("bob", GOOD)


def test_a_role_includes_those_before_it() -> None:
    """Read, operator, admin, in that order."""
    pairs = {(a, b) for a in OperatorRole for b in OperatorRole if a.includes(b)}
    assert pairs == {
        (OperatorRole.READ, OperatorRole.READ),
        (OperatorRole.OPERATOR, OperatorRole.READ),
        (OperatorRole.OPERATOR, OperatorRole.OPERATOR),
        (OperatorRole.ADMIN, OperatorRole.READ),
        (OperatorRole.ADMIN, OperatorRole.OPERATOR),
        (OperatorRole.ADMIN, OperatorRole.ADMIN),
    }


@pytest.mark.parametrize("act", ["password", "anew", "role"])
async def test_a_login_that_is_overtaken(
    book: OperatorBook, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Whose password was exchanged while the old one was looked at does not get in with that; who
    has another role by now gets that.
    """
    await book.add("ann", GOOD, OperatorRole.READ)
    verify = book._passwords.verify

    async def overtaken(stored: str | None, password: str) -> Verified:
        verified = await verify(stored, password)
        if act == "password":
            await book.set_password("ann", GOOD + " again")
        elif act == "anew":
            book.remove("ann")
            await book.add("ann", GOOD + " again", OperatorRole.ADMIN)
        else:
            book.set_role("ann", OperatorRole.OPERATOR)
        return verified

    monkeypatch.setattr(book._passwords, "verify", overtaken)
    found = await book.verify("ann", GOOD)
    assert (found and found.role) == (OperatorRole.OPERATOR if act == "role" else None)


# --- tokens ------------------------------------------------------------------------------------


@pytest.fixture
async def ann(book: OperatorBook) -> Operator:
    return await book.add("ann", GOOD, OperatorRole.OPERATOR)


async def test_a_token_lives_for_eight_hours(
    home: Home, ann: Operator, tokens: TokenBook, time: Time
) -> None:
    """To the second; only its hash is kept."""
    token = tokens.issue(ann)
    admission = tokens.admit(token)
    assert admission is not None
    assert admission.operator == Operator("ann", OperatorRole.OPERATOR)
    assert admission.expires_at == time.s + 8 * 3600
    assert token.encode() not in contents(home)
    session = jwt.decode(token, options={"verify_signature": False})["jti"]
    assert session.encode() not in contents(home)
    time.s += LIFETIME_S - 1
    assert tokens.admit(token) is not None
    assert tokens.recheck(admission, OperatorRole.OPERATOR)
    time.s += 1
    assert tokens.admit(token) is None
    assert not tokens.recheck(admission, OperatorRole.READ)


async def test_a_token_is_a_json_web_token(ann: Operator, tokens: TokenBook, time: Time) -> None:
    """Any library reads its claims; the signature is HS256."""
    token = tokens.issue(ann)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims == {
        "iss": "mt-gateway",
        "sub": "ann",
        "iat": time.s,
        "exp": time.s + LIFETIME_S,
        "jti": claims["jti"],
    }


@pytest.mark.parametrize("wrong", ["", "x", "a.b.c", "x" * 300, "x" * 2000, "\udcff.\u00e9.\0"])
async def test_what_is_no_token(ann: Operator, tokens: TokenBook, wrong: str) -> None:
    """It opens nothing, and neither does one that was altered."""
    token = tokens.issue(ann)
    assert tokens.admit(wrong) is None
    assert tokens.admit(token.upper()) is None
    for part in range(3):
        parts = token.split(".")
        text = parts[part]
        parts[part] = text[:5] + ("A" if text[5] != "A" else "B") + text[6:]
        assert tokens.admit(".".join(parts)) is None


async def test_a_forged_token_opens_nothing(ann: Operator, tokens: TokenBook) -> None:
    """Without a signature, or with another key or algorithm, though the session is known."""
    claims = jwt.decode(tokens.issue(ann), options={"verify_signature": False})
    assert tokens.admit(jwt.encode(claims, "", "none")) is None
    assert tokens.admit(jwt.encode(claims, b"k" * 32, "HS256")) is None
    key = hmac.digest(b"k" * 32, b"sign", "sha256")
    assert tokens.admit(jwt.encode(claims, key * 2, "HS512")) is None
    assert tokens.admit(jwt.encode({**claims, "iss": "another"}, key, "HS256")) is None
    assert tokens.admit(jwt.encode({**claims, "jti": "0" * 64}, key, "HS256")) is None
    assert tokens.admit(jwt.encode(claims, key, "HS256")) is not None


async def test_its_successor_comes_in_the_last_hour(
    ann: Operator, tokens: TokenBook, time: Time
) -> None:
    """The same one with each answer; the old token opens until its end, the new one longer."""
    token = tokens.issue(ann)
    time.s += LIFETIME_S - REFRESH_S - 1
    early = tokens.admit(token)
    assert early is not None
    assert early.successor is None
    time.s += 1
    close = [tokens.admit(token) for _ in range(3)]
    successors = {one.successor for one in close if one is not None}
    assert len(successors) == 1
    successor = successors.pop()
    assert successor is not None
    assert successor != token
    later = tokens.admit(successor)
    assert later is not None
    assert later.expires_at == time.s + LIFETIME_S
    time.s += REFRESH_S
    assert tokens.admit(token) is None
    assert tokens.admit(successor) is not None


async def test_a_session_does_not_last_for_ever(
    ann: Operator, tokens: TokenBook, time: Time
) -> None:
    """After a week the password has to be given again, however often the token was renewed."""
    start, token = time.s, tokens.issue(ann)
    while (admission := tokens.admit(token)) is not None:
        token = admission.successor or token
        time.s += REFRESH_S // 2
    assert start + SESSION_S <= time.s <= start + SESSION_S + REFRESH_S


async def test_a_successor_needs_the_home_s_key(
    home: Home, ann: Operator, tokens: TokenBook, time: Time
) -> None:
    """Who has a token cannot work out the next one, nor sign it."""
    token = tokens.issue(ann)
    time.s += LIFETIME_S - 1
    ours, theirs = (
        TokenBook(home.store, key, time.now).admit(token) for key in (b"k" * 32, b"x" * 32)
    )
    assert ours is not None
    assert ours.successor is not None
    assert theirs is None


async def test_a_token_that_is_ended_at_this_moment(
    home: Home, book: OperatorBook, ann: Operator, tokens: TokenBook, time: Time
) -> None:
    """It has no successor: a command that signs out comes between two looks at the token."""
    token = tokens.issue(ann)
    time.s += LIFETIME_S - 1
    one = home.store.one

    def signed_out(*arguments: Any) -> Any:
        found = one(*arguments)
        if arguments[0].startswith("SELECT issued_at"):
            book.sign_out("ann")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home.store, "one", signed_out)
        admission = tokens.admit(token)
    assert admission is not None
    assert admission.successor is None
    assert home.store.all("SELECT * FROM manager_tokens") == []


@pytest.mark.parametrize("act", ["remove", "password", "sign_out"])
async def test_tokens_end_at_once(
    book: OperatorBook, ann: Operator, tokens: TokenBook, act: str
) -> None:
    """With the operator, with his old password, or when he is signed out; others' stay."""
    bob = await book.add("bob", GOOD, OperatorRole.READ)
    token, other = tokens.issue(ann), tokens.issue(bob)
    admission = tokens.admit(token)
    assert admission is not None
    if act == "remove":
        book.remove("Ann")
    elif act == "password":
        await book.set_password("Ann", GOOD + " again")
    else:
        assert book.sign_out("Ann") == 1
    assert tokens.admit(token) is None
    assert not tokens.recheck(admission, OperatorRole.READ)
    assert tokens.admit(other) is not None


async def test_a_role_counts_at_once(book: OperatorBook, ann: Operator, tokens: TokenBook) -> None:
    """For tokens that are out already, and for a change that is under way."""
    admission = tokens.admit(tokens.issue(ann))
    assert admission is not None
    book.set_role("ann", OperatorRole.READ)
    assert not tokens.recheck(admission, OperatorRole.OPERATOR)
    assert tokens.recheck(admission, OperatorRole.READ)


async def test_there_are_not_any_number_of_them(
    home: Home, ann: Operator, tokens: TokenBook, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest end; expired ones are not kept."""
    monkeypatch.setattr(access, "MAX_TOKENS", 3)
    assert MAX_TOKENS == 64
    issued = []
    for _ in range(5):
        issued.append(tokens.issue(ann))
        time.s += 1
    assert [tokens.admit(one) is not None for one in issued] == [False, False, True, True, True]
    time.s += LIFETIME_S
    tokens.issue(ann)
    row = home.store.one("SELECT count(*) AS n FROM manager_tokens")
    assert row is not None
    assert row["n"] == 1


async def test_a_token_of_somebody_who_was_removed_meanwhile(
    book: OperatorBook, ann: Operator, tokens: TokenBook
) -> None:
    """It opens nothing."""
    book.remove("ann")
    assert tokens.admit(tokens.issue(ann)) is None
