"""Whatever can cross the wire is answered by the emulated server; its books stay in order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from manager_bench import IDS, ManagerBench
from msgspec import inspect, json

from ea_bridge.commands import Command
from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager.emulator.accounts import cents
from ea_bridge.mt4_manager.model import ReturnCode
from ea_bridge.protocol import codec
from ea_bridge.protocol.messages import Cmd, Res

LOGINS, ORDERS = (100_001, 100_002, 100_003), tuple(range(1_000_001, 1_000_009))
GROUPS = ("demoforex", "real-usd", "vip-usd")
LIKELY: dict[str, tuple[Any, ...]] = {
    "login": LOGINS,
    "orderby": LOGINS,
    "logins": ([100_001], [100_003, 100_002, 100_003]),
    "order": ORDERS,
    "orders": ([1_000_001], [1_000_003, 1_000_002]),
    "cmd": (0, 1, 2, 6, 6, 7),
    "command": (0, 1, 2, 3, 4),
    "type": (83,),
    "price": (1.0, -1.0, 0.01, 250.5, -99.99),
    "profit": (5.0, -3.21),
    "open_price": (1.1, 150.0),
    "volume": (1, 250),
    "expiration": (2_000_000_000,),
    "password": ("Secret123", "Another1"),
    "name": ("Ada", "Bo"),
    "group": (*GROUPS, "*", "real*,!real-eur"),
    "newgroup": GROUPS,
    "symbol": ("EURUSD", "XAUUSD"),
    "leverage": (1, 100),
    "from_s": (0,),
    "to_s": (2_000_000_000,),
    "enable": (0, 1),
    "comment": ("", "a note"),
}
"""Values by member that lead somewhere, so that not everything is refused at once."""
SOME = 3
"""Of many members that may be left out."""


def values(kind: inspect.Type, name: str = "") -> st.SearchStrategy[Any]:
    """Return what a member may be on the wire."""
    any_ = _any(kind, name)
    if name not in LIKELY:
        return any_
    likely = st.sampled_from(LIKELY[name])
    return st.one_of(likely, likely, likely, any_)


def _any(kind: inspect.Type, name: str) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.Metadata():
            return _any(kind.type, name)
        case inspect.IntType(ge=low, le=high):
            return st.integers(-(2**31) if low is None else low, 2**31 if high is None else high)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.StrType(max_length=longest):
            return st.text(max_size=min(longest or 40, 40))
        case inspect.ListType():
            return st.lists(values(kind.item_type), min_size=kind.min_length or 0, max_size=5)
        case inspect.StructType():
            return _members(kind)
        case inspect.UnionType():
            return st.one_of([_any(one, name) for one in kind.types])
        case inspect.NoneType():
            return st.none()
    raise TypeError(kind)


def _members(kind: inspect.StructType) -> st.SearchStrategy[dict[str, Any]]:
    """Return an object with what it needs, and some of what may be left out."""
    members = {one.encode_name: values(one.type, one.name) for one in kind.fields}
    needed = {one.encode_name for one in kind.fields if one.required}
    others = sorted(members.keys() - needed)
    chosen = (
        st.lists(st.sampled_from(others), max_size=SOME, unique=True) if others else st.just([])
    )
    return chosen.flatmap(
        lambda some: st.fixed_dictionaries({name: members[name] for name in (*needed, *some)})
    )


COMMANDS = {op: values(inspect.type_info(one.params)) for op, one in c.MANAGER_COMMANDS.items()}
STEPS = st.sampled_from(sorted(COMMANDS)).flatmap(lambda op: st.tuples(st.just(op), COMMANDS[op]))


def asked(op: str, params: dict[str, Any]) -> Cmd:
    """Return the command as the peer reads it from its line."""
    line = json.encode({"t": "cmd", "id": next(IDS), "op": op, **params})
    cmd = codec.Decoder(c.MANAGER_COMMANDS).decode(line)
    assert isinstance(cmd, Cmd)
    return cmd


def check(command: Command[Any, Any], answer: list[Res]) -> None:
    """An answer is whole and readable, or a refusal with a code."""
    assert answer
    for res in answer:
        assert len(codec.encode(res)) <= codec.MAX_LINE_TO_DAEMON
        if res.ok:
            command.decoder.decode(res.d)
        else:
            assert res.msg
            assert res.err in (0, 4003)
            assert res.err or ReturnCode(res.retcode) not in (ReturnCode.OK, ReturnCode.OK_NONE)
    assert [res.part for res in answer] == list(range(len(answer)))
    assert [res.last for res in answer] == [False] * (len(answer) - 1) + [True]


def run(steps: list[tuple[str, dict[str, Any]]]) -> None:
    bench = ManagerBench(users=3, positions=1.0, closed=0.5, online=1.0)
    fixed = {op: {"fix_balance": 1} for op in ("adm_trade_record_modify", "adm_trades_delete")}
    for op, params in steps:
        if op in ("connect", "disconnect"):
            continue  # nothing else would be answered from then on
        cmd = asked(op, params | fixed.get(op, {}))
        check(c.MANAGER_COMMANDS[op], bench.manager.executor.execute(cmd))
    books = bench.books
    assert bench.drift() <= {(0, 0)}
    held = [number for account in books.by_login() for number in account.open + account.closed]
    assert sorted(held) == sorted([*books.open, *books.closed])
    for account in books.by_login():
        user = account.user
        assert (cents(user.balance), cents(user.credit)) == (account.balance, account.credit)
        assert user.group in books.groups


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, max_size=12))
def test_nothing_that_can_be_asked_breaks_it(steps: list[tuple[str, dict[str, Any]]]):
    """No internal error, no answer that cannot be read, no cent out of place."""
    run(steps)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, max_size=30))
def test_nothing_that_can_be_asked_breaks_it_in_the_long_run(
    steps: list[tuple[str, dict[str, Any]]],
):
    """The same, longer."""
    run(steps)
