"""The JSON-RPC front gets any text, and hostile shapes."""

from __future__ import annotations

import asyncio
import json
import logging

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonrpc_front import Front
from web_server_fixture import Server

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON_VALUES,
        "method": st.sampled_from(["sum", "update", "trade", "explode", "no_json", "nope"])
        | JSON_VALUES,
        "params": JSON_VALUES,
        "id": JSON_VALUES,
        "auth_token": JSON_VALUES,
    },
)
TEXTS = (
    st.binary(max_size=200)
    | (JSON_VALUES | MEMBERS | st.lists(MEMBERS, max_size=6)).map(lambda v: repr(v).encode())
    | (JSON_VALUES | MEMBERS | st.lists(MEMBERS | JSON_VALUES, max_size=6)).map(
        lambda v: json.dumps(v).encode()
    )
)


def check_any_answer(text: bytes) -> None:
    """Whatever comes in: an answer in the right shape, or none, and no exception."""

    async def run() -> None:
        front = Front()
        body = (await front.raw(text)).body
        if body is None:
            return
        answer = orjson.loads(body)
        assert b"hunter2" not in body
        for item in answer if isinstance(answer, list) else [answer]:
            assert item["jsonrpc"] == "2.0"
            assert item.keys() in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
            assert type(item["id"]) in (int, str, float, type(None))
            if "error" in item:
                assert {"code", "message", "data"} == item["error"].keys()
                assert {"name", "retryable"} <= item["error"]["data"].keys()

    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(run())
    finally:
        logging.disable(logging.NOTSET)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS)
def test_any_text_gets_a_well_formed_answer(text: bytes) -> None:
    """T6, short form."""
    check_any_answer(text)


@pytest.mark.long
@pytest.mark.timeout(0)
@settings(max_examples=200_000, deadline=None)
@given(text=TEXTS)
def test_any_text_gets_a_well_formed_answer_at_length(text: bytes) -> None:
    """T6, long form."""
    check_any_answer(text)


async def test_hostile_shapes_do_not_hold_up_the_loop(house: Server) -> None:
    """Nesting and batches at every limit are answered, and the next caller is served."""
    shapes = [
        b"[" * 1000 + b"]" * 1000,
        b"[" + b"1," * 30_000 + b"1]",
        b'{"jsonrpc":"2.0","id":1,"method":"sum","params":{"a":' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"jsonrpc":"2.0","id":"' + b"x" * 60_000 + b'","method":"sum","params":[1]}',
        b'{"jsonrpc":"2.0","id":1,"method":"' + b"sum" * 20_000 + b'"}',
        b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"sum","params":{'
        + b",".join(b'"k%d":1' % n for n in range(5000))
        + b"}}",
    ]
    for shape in shapes:
        status, _, body = await house.post(shape)
        assert status == 200
        assert orjson.loads(body)
    assert (await house.rpc("sum", a=1))["result"] == 1
