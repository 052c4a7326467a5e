"""``audit``: the trail is verified and given out; commands stand in it too."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from shell import Done

from ea_bridge.host import Host
from gateway.audit import head_of, note
from gateway.audit.checkpoint import FILE, write_checkpoint
from gateway.home.home import Home
from gateway.home.ledger import open_ledger_store
from gateway.storage.ledger import DATABASE

Run = Callable[..., Done]


@pytest.fixture(scope="module", name="built")
def build_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a trail of five rows, to be copied."""
    folder = tmp_path_factory.mktemp("built") / "home"
    Home(folder).close()
    with closing(open_ledger_store(folder)) as store, store.transaction() as connection:
        for name in "abcde":
            note(connection, "token_created", actor="cli", terminal=name)
    return folder


@pytest.fixture(name="home")
def copy_home(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "home"))


def sign(home: Path) -> None:
    """Make a checkpoint, as a daemon does."""
    with closing(open_ledger_store(home)) as store:
        head = head_of(store)
    with Home(home) as opened:
        write_checkpoint(home, opened.device, head, time.time_ns() // 1_000_000)


def tamper(home: Path, *statements: str) -> None:
    """Write past the triggers, which come back at the end."""
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as db:
        made = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'"
        ).fetchall()
        for name, _ in made:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, sql in made:
            db.execute(sql)


CUT = (
    "DELETE FROM audit WHERE n > 3",
    "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'audit'",
)


def test_what_commands_did_is_in_the_trail_without_their_secrets(run: Run, tmp_path: Path) -> None:
    Home(tmp_path).close()
    place = ("--home", str(tmp_path))
    made = [run("token", "create", "--name", name, *place).out.strip() for name in "ab"]
    made.append(run("token", "replace", "a", *place).out.strip())
    run("token", "revoke", "b", *place)
    run("secrets", "rotate", *place)
    done = run("audit", "export", *place)

    entries = [json.loads(line)["entry"] for line in done.out.splitlines()]
    assert [(entry["event"], entry.get("terminal")) for entry in entries] == [
        ("token_created", "a"),
        ("token_created", "b"),
        ("token_replaced", "a"),
        ("token_revoked", "b"),
        ("key_rotated", None),
    ]
    assert {entry["actor"] for entry in entries} == {"cli"}
    assert not [token for token in made if token[16:48] in done.out]


def test_an_export_can_be_verified_by_anybody(run: Run, home: Path) -> None:
    """By the rule that the command's help tells, with nothing of ours."""
    lines = run("audit", "export", "--home", str(home)).out.splitlines()
    previous = bytes(32)
    for number, line in enumerate(lines, 1):
        text = line[line.index('"entry":') + len('"entry":') : -1]
        digest = hashlib.sha256(text.encode()).digest()
        previous = hashlib.sha256(
            b"mgaud1" + previous + number.to_bytes(8, "big") + digest
        ).digest()
        assert json.loads(line)["n"] == number
        assert json.loads(line)["hash"] == previous.hex()
    assert len(lines) == 5


def test_an_export_of_some_events_from_some_row_on(run: Run, home: Path) -> None:
    place = ("--home", str(home))
    some = run("audit", "export", "--event", "token_created", "--from", "4", *place)
    assert [json.loads(line)["n"] for line in some.out.splitlines()] == [4, 5]
    assert run("audit", "export", "--event", "order", *place).out == ""


def test_an_intact_trail(run: Run, home: Path) -> None:
    done = run("audit", "verify", "--home", str(home))
    assert done.code == 0
    assert "5 rows, the last is 5: intact" in done.out
    assert "no checkpoint" in done.out
    sign(home)
    done = run("audit", "verify", "--home", str(home), "--json")
    assert done.code == 0
    facts = json.loads(done.out)
    assert (facts["intact"], facts["checkpoint"]["row"], facts["faults"]) == (True, 5, [])


@pytest.mark.parametrize(
    ("statement", "row", "kind"),
    [
        ("UPDATE audit SET entry = replace(entry, 'token', 'tokem') WHERE n = 2", 2, "changed"),
        ("UPDATE audit SET hash = randomblob(32) WHERE n = 5", 5, "changed"),
        ("DELETE FROM audit WHERE n = 3", 3, "missing"),
        ("DELETE FROM audit WHERE n = 5", 5, "cut"),
        ("INSERT INTO audit SELECT 0, entry, hash FROM audit WHERE n = 1", 0, "extra"),
    ],
)
def test_a_tampered_trail(run: Run, home: Path, statement: str, row: int, kind: str) -> None:
    tamper(home, statement)
    done = run("audit", "verify", "--home", str(home), "--json")
    assert done.code == 1
    assert {"row": row, "kind": kind} in [
        {"row": one["row"], "kind": one["kind"]} for one in json.loads(done.out)["faults"]
    ]
    assert "NOT as it was written" in run("audit", "verify", "--home", str(home)).out


def test_a_cut_tail_shows_by_the_checkpoint_alone(run: Run, home: Path) -> None:
    sign(home)
    tamper(home, *CUT)
    done = run("audit", "verify", "--home", str(home))
    assert done.code == 1
    assert "the checkpoint knows row 5, the last is 3" in done.out
    (home / FILE).unlink()
    assert run("audit", "verify", "--home", str(home)).code == 0


def test_a_copy_of_the_checkpoint_shows_it_too(run: Run, home: Path, tmp_path: Path) -> None:
    """Whoever cuts the trail may sign anew what is left; not so on another machine."""
    sign(home)
    copy = tmp_path / "elsewhere"
    (home / FILE).rename(copy)
    tamper(home, *CUT)
    sign(home)
    place = ("--home", str(home))
    assert run("audit", "verify", *place).code == 0
    assert run("audit", "verify", "--checkpoint", str(copy), *place).code == 1


@pytest.mark.parametrize("spoil", ["forged", "another", "no JSON", "no object"])
def test_a_checkpoint_that_nobody_signed(run: Run, home: Path, tmp_path: Path, spoil: str) -> None:
    sign(home)
    facts = json.loads((home / FILE).read_text())
    if spoil == "forged":
        head, _, signature = facts["checkpoint"].rpartition(".")
        turned = ("B" if signature[0] == "A" else "A") + signature[1:]
        (home / FILE).write_text(json.dumps({**facts, "checkpoint": f"{head}.{turned}"}))
    elif spoil == "another":
        Home(tmp_path / "other").close()
        sign(tmp_path / "other")
        (tmp_path / "other" / FILE).replace(home / FILE)
    else:
        (home / FILE).write_text("{" if spoil == "no JSON" else "[]")
    done = run("audit", "verify", "--home", str(home), "--json")
    assert done.code == 1
    assert [one["kind"] for one in json.loads(done.out)["faults"]] == ["checkpoint"]


def test_a_home_without_a_trail(run: Run, tmp_path: Path) -> None:
    for command in ("verify", "export"):
        done = run("audit", command, "--home", str(tmp_path / "nowhere"))
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert "no gateway has run there" in done.err


@pytest.mark.parametrize("command", [("audit", "verify"), ("audit", "export"), ("halt",)])
def test_a_home_that_cannot_be_looked_into(run: Run, command: tuple[str, ...]) -> None:
    """One line, as for somebody else's home: no traceback."""
    done = run(*command, "--home", "x" * 300)
    assert (done.code, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1


def test_a_note_that_cannot_be_written_undoes_nothing(run: Run, tmp_path: Path) -> None:
    """The token is there and is shown; a line says that the trail does not tell of it."""
    Home(tmp_path).close()
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 1000)
    done = run("token", "create", "--name", "a", "--home", str(tmp_path))
    assert done.code == 0
    assert done.out.startswith("mgt_")
    assert "not in the audit trail" in done.err


# --- archive ---------------------------------------------------------------------------------


def archived(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Archive all rows but the last, an hour after they were written; return the file."""
    config = home.parent / "file.toml"
    config.write_text('[secrets]\nstore = "file"\n')
    now_ns = time.time_ns() + 3600 * 10**9
    with monkeypatch.context() as patch:
        patch.setattr(Host, "wall_ns", staticmethod(lambda: now_ns))
        done = run("audit", "archive", "30m", "--home", str(home), "--config", str(config))
    assert (done.code, done.err) == (0, "")
    (file,) = (home / "audit-archive").iterdir()
    assert done.out.endswith(f"4 rows up to 4 are in {file}\n")
    return file


def test_old_rows_move_to_a_file(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail begins after them, and says so; both verify, by themselves and together."""
    exported = run("audit", "export", "--home", str(home)).out.splitlines()
    file = archived(run, home, monkeypatch)
    assert file.name == "audit-000000001-000000004.jsonl"
    assert file.read_text().splitlines() == exported[:4]
    left = run("audit", "export", "--home", str(home)).out.splitlines()
    assert left[0] == exported[4]
    said = json.loads(left[1])["entry"]
    assert (said["event"], said["first"], said["last"]) == ("audit_archived", 1, 4)
    done = run("audit", "verify", "--home", str(home), "--archive", str(file))
    assert done.code == 0, done.out
    assert "2 rows, the last is 6: intact\nit begins after row 4" in done.out
    done = run("audit", "archive", "30m", "--home", str(home))
    assert done.out.endswith("no row is older than 30m\n")


def test_a_changed_archive_is_told(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = archived(run, home, monkeypatch)
    file.write_bytes(file.read_bytes().replace(b"token_created", b"token_revoked", 1))
    done = run("audit", "verify", "--home", str(home), "--archive", str(file))
    assert done.code == 1
    assert "row 1, or its hash, is not as it was written" in done.out
    assert run("audit", "verify", "--home", str(home)).code == 0


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE audit_marks SET signed = replace(signed, 'checkpoint\": \"', "
            "'checkpoint\": \"A')",
            "damaged or forged",
        ),
        ("UPDATE audit_marks SET signed = '{}'", "damaged or forged"),
        (
            "INSERT INTO audit_marks SELECT 5, (SELECT hash FROM audit WHERE n = 5), signed "
            "FROM audit_marks",
            "not what was signed",
        ),
    ],
)
def test_a_forged_mark_is_found(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, statement: str, says: str
) -> None:
    """Whoever moves the begin of the trail cannot sign that; rows that fit are not enough."""
    archived(run, home, monkeypatch)
    tamper(home, statement, "DELETE FROM audit WHERE n <= (SELECT max(n) FROM audit_marks)")
    done = run("audit", "verify", "--home", str(home))
    assert done.code == 1
    assert says in done.out


def test_what_is_there_is_not_written_over(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then nothing is archived."""
    file = home / "audit-archive" / "audit-000000001-000000004.jsonl"
    file.parent.mkdir()
    file.write_text("mine")
    now_ns = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(Host, "wall_ns", staticmethod(lambda: now_ns))
    complaint = run("audit", "archive", "30m", "--home", str(home)).complaint
    assert (
        complaint
        == f"nothing was archived: {file} is there already; move it away, or name another folder"
    )
    assert file.read_text() == "mine"
    assert len(run("audit", "export", "--home", str(home)).out.splitlines()) == 5
    assert "no duration" in run("audit", "archive", "soon", "--home", str(home)).complaint
