"""``console-user second-factor-off``: the way back for who has lost phone, passkeys and codes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pyotp
from console_fixtures import IP, Clock, person
from demo_process import ENDS_WITHIN_S, clean_environment
from warm_process import COMMAND, WarmProcess

from gateway.console.mail.transports import OUTBOX
from gateway.console.pages.views import entry_view
from gateway.console.service import Console


def command(home: Path, database: str, email: str) -> tuple[int, str]:
    """Run it; return the exit code and what it said."""
    file = home.with_suffix(".toml")
    # quoted as JSON is: the path of a file on Windows has backslashes
    file.write_text(
        f"[console_server]\ndatabase = {json.dumps(database)}\n[secrets]\nstore = 'file'\n",
        "utf-8",
    )
    words = ("console-user", "second-factor-off", email, "--home", home, "--config", file)
    pipe = subprocess.PIPE
    process = WarmProcess(
        (*COMMAND, *map(str, words)), stdout=pipe, stderr=pipe, env=clean_environment(), text=True
    )
    with process:
        out, err = process.communicate(timeout=ENDS_WITHIN_S)
    return process.returncode, out + err


def text_of(file: Path) -> str:
    """Return the plain text of a mail."""
    body = message_from_bytes(file.read_bytes(), policy=default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_who_holds_the_consoles_files_switches_it_off(
    console: Console, clock: Clock, database_url: str
) -> None:
    """While the console runs: the sessions end, the log and a mail tell who did it."""
    clock.now = int(time.time())  # the command has no other
    ann = await person(console, admin=True)

    async def run(email: str = "Ann@example.com") -> tuple[int, str]:
        return await asyncio.to_thread(command, console.home, database_url, email)

    setup = await console.second_factors.begin(ann)
    await console.second_factors.confirm(ann, pyotp.TOTP(setup.secret).at(clock()))
    await console.sessions.create(ann, IP, "", with_code=True)
    code, said = await run()
    assert (code, said.splitlines()[0]) == (0, "second factor off: Ann@example.com")
    assert await console.second_factors.info(ann.id) is None
    assert not await console.sessions.list(ann.id)
    noted, *_ = await console.activity.list(ann.id, event="second_factor.off")
    assert entry_view(noted, {})["detail"] == "by a command on the console's machine"
    clock.forward(3600)  # past the moment at which the command has queued it
    await console.mail.carry_due()
    texts = [text_of(file) for file in (console.home / OUTBOX).iterdir()]
    (told,) = (text for text in texts if "is off" in text)
    assert "Somebody at the console's own machine, by a command" in told
    # the password alone opens now
    assert await console.sessions.create(ann, IP, "")
    # said again, and of nobody: nothing to do is told as such
    assert await run() == (
        1,
        "mt-gateway: Ann@example.com has no second factor; nothing was changed\n",
    )
    assert await run("eve@example.com") == (
        1,
        "mt-gateway: nobody has an account with the address eve@example.com\n",
    )


async def test_a_folder_without_a_console_stays_one(tmp_path: Path) -> None:
    """Who mistypes the home is told so; no new console is made there."""
    code, said = await asyncio.to_thread(command, tmp_path / "nowhere", "", "ann@example.com")
    assert code == 1
    assert said == f"mt-gateway: there is no console in {tmp_path / 'nowhere'} yet\n"
    assert not (tmp_path / "nowhere").exists()
