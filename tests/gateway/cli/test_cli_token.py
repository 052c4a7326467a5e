"""``token``: made, listed, replaced, revoked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_process import Demo, running_serve
from shell import Done

from ea_bridge.token import parse_token
from gateway.home.home import Home

Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _made(tmp_path: Path) -> None:
    """A home whose key lies in a file, so that no machine needs a keyring."""
    Home(tmp_path).close()


def test_the_token_alone_goes_to_stdout(run: Run, tmp_path: Path) -> None:
    """``TOKEN=$(mt-gateway token create --name mt5-a)`` works; what to do with it is on stderr."""
    done = run("token", "create", "--name", "mt5-a", "--home", str(tmp_path))
    assert done.code == 0
    tid = parse_token(done.out.removesuffix("\n"))
    assert "MT_GATEWAY_TOKEN" in done.err
    assert done.out.strip() not in done.err
    with Home(tmp_path) as home:
        assert [(one.label, one.tid) for one in home.issuer.list()] == [("mt5-a", tid)]


def test_scopes_and_expiry(run: Run, tmp_path: Path) -> None:
    """As given; by default a token may trade, and does not expire."""
    place = ("--json", "--home", str(tmp_path))
    own = json.loads(
        run("token", "create", "--name", "a", "--scope", "read", "--expires", "30d", *place).out
    )
    assert own["scopes"] == ["read"]
    assert own["expires"] - own["created"] == 30 * 86_400_000
    default = json.loads(run("token", "create", "--name", "b", *place).out)
    assert (default["scopes"], default["expires"]) == (["trade"], None)


def test_list_shows_no_secret(run: Run, tmp_path: Path) -> None:
    """Names, ids, rights and states; the secrets are not stored."""
    place = ("--home", str(tmp_path))
    token = run("token", "create", "--name", "mt5-a", *place).out.strip()
    run("token", "create", "--name", "mt5-b", *place)
    run("token", "revoke", "mt5-b", *place)
    done = run("token", "list", *place)
    rows = [line.split() for line in done.out.splitlines()]
    assert [(row[0], row[-2]) for row in rows[1:]] == [("mt5-a", "active"), ("mt5-b", "revoked")]
    assert rows[1][1] == parse_token(token)
    assert token not in done.out
    assert [one["terminal"] for one in json.loads(run("token", "list", "--json", *place).out)] == [
        "mt5-a",
        "mt5-b",
    ]


def test_replace_lets_the_old_one_go_on(run: Run, tmp_path: Path) -> None:
    """For the overlap; ``0s`` ends it at once."""
    place = ("--json", "--home", str(tmp_path))
    run("token", "create", "--name", "a", *place)
    run("token", "replace", "a", *place)
    states = [one["state"] for one in json.loads(run("token", "list", *place).out)]
    assert states == ["superseded", "active"]
    run("token", "replace", "a", "--overlap", "0s", *place)
    states = [one["state"] for one in json.loads(run("token", "list", *place).out)]
    assert states == ["revoked", "revoked", "active"]


LIMITS = {
    "--max-lot": "0,5",
    "--max-open-lots": "2",
    "--max-orders-per-minute": "30",
    "--max-daily-loss": "200.50",
    "--collar-bps": "50",
    "--allowed-symbols": "EURUSD, XAUUSD,EURUSD",
}


def _limits(run: Run, *place: str) -> list[dict[str, object]]:
    return [one["limits"] for one in json.loads(run("token", "list", *place).out)]


def test_limits_are_made_kept_and_changed(run: Run, tmp_path: Path) -> None:
    """A token gets all that a record has; its successor has the same but for what is given."""
    place = ("--json", "--home", str(tmp_path))
    options = [word for option in LIMITS.items() for word in option]
    made = json.loads(run("token", "create", "--name", "a", *options, *place).out)
    expected: dict[str, object] = {
        "max_lot": "0.5",
        "max_open_lots": "2",
        "max_orders_per_min": 30,
        "max_daily_loss": "200.50",
        "collar_bps": 50,
        "allowed_symbols": ["EURUSD", "XAUUSD"],
    }
    assert made["limits"] == expected
    other = ("--max-lot", "0.1", "--allowed-symbols", "none")
    new = json.loads(run("token", "replace", "a", *other, *place).out)
    assert new["limits"] == {**expected, "max_lot": "0.1", "allowed_symbols": None}
    assert _limits(run, *place) == [expected, new["limits"]]
    run("token", "limits", new["tid"], "--max-open-lots", "NONE", *place)
    assert _limits(run, *place) == [expected, {**new["limits"], "max_open_lots": None}]


def test_limits_are_listed_and_noted(run: Run, tmp_path: Path) -> None:
    """In the words of the options; the trail says who may what from when on."""
    place = ("--home", str(tmp_path))
    run("token", "create", "--name", "a", "--max-lot", "0.5", *place)
    done = run("token", "limits", "a", "--max-orders-per-minute", "0", *place)
    assert done.out.endswith(": max-lot 0.5; max-orders-per-minute 0\n")
    run("token", "create", "--name", "b", *place)
    lines = run("token", "list", *place).out.splitlines()
    assert lines[1].endswith("max-lot 0.5; max-orders-per-minute 0")
    assert lines[2].endswith("active  none")
    noted = [json.loads(line)["entry"] for line in run("audit", "export", *place).out.splitlines()]
    assert [(one["event"], one["limits"]) for one in noted] == [
        ("token_created", {"max_lot": "0.5"}),
        ("token_limits", {"max_lot": "0.5", "max_orders_per_min": 0}),
        ("token_created", {}),
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "--name", "a b"), "letters"),
        (("create", "--name=-x"), "begins with a letter or digit"),
        (("create", "--name", ".x"), "begins with a letter or digit"),
        (("create", "--name", "a", "--expires", "soon"), "duration"),
        (("revoke", "nobody"), "no live token"),
        (("replace", "nobody"), "no live token"),
        (("limits", "nobody", "--max-lot", "1"), "no live token"),
        (("limits", "nobody"), "--help lists them"),
        (("create", "--name", "a", "--max-lot", "-1"), "--max-lot '-1': write a number such as"),
        (("create", "--name", "a", "--max-daily-loss", "1,000"), "or 1000 without a comma"),
        (("create", "--name", "a", "--collar-bps", "0.5"), "--collar-bps '0.5': write a whole"),
        (("create", "--name", "a", "--allowed-symbols", ","), "name at least one symbol"),
        (("create", "--name", "a", "--allowed-symbols", "x" * 33), "at most 200 symbols"),
    ],
)
def test_mistakes_are_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    """What is wrong, without a traceback."""
    assert says in run("token", *arguments, "--home", str(tmp_path)).complaint


def test_a_home_that_cannot_be_used(run: Run, tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").touch()
    assert "file" in run("token", "list", "--home", str(tmp_path / "file")).complaint


def test_a_second_token_of_a_running_gateway(run: Run, tmp_path: Path) -> None:
    """What another process makes is known to the daemon at once, and so is its end."""
    with running_serve(tmp_path) as ready:
        home = ("--home", ready["home"])
        run("token", "create", "--name", "first", *home)
        token = run("token", "create", "--name", "second", *home).out.strip()
        known = ("--url", ready["rpc"].removesuffix("/rpc"), "--auth-token", token)
        assert json.loads(run("call", "get_ea_status", *known).out)["connected"] is False
        assert json.loads(run("call", "get_account_info", *known).err)["code"] == 1002
        run("token", "revoke", "second", *home)
        refused = json.loads(run("call", "get_ea_status", *known).err)
    assert (refused["code"], refused["data"]["reason"]) == (-32001, "revoked")


def test_a_gateway_with_a_console_makes_no_tokens(run: Run, demo: Demo, tmp_path: Path) -> None:
    """They would open nothing; whether the home knows its console already or the file names it."""
    says = "this gateway takes its tokens from its console"
    assert says in run("token", "create", "--name", "a", "--home", demo.home).complaint
    config = tmp_path / "console.toml"
    config.write_text('[secrets]\nstore = "file"\n[console]\nurl = "http://127.0.0.1:7402"\n')
    place = ("--home", str(tmp_path), "--config", str(config))
    complaint = run("token", "list", *place).complaint
    assert complaint.startswith(f"{says}: http://127.0.0.1:7402; they are made and revoked on")
