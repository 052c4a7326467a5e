"""A new machine: what the EA shows, and how a person lets it in from the terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from linked_ea import DEVICE, Compile, LinkedEa, plain_config

from ea_bridge.protocol.handshake import auth_message, server_proof
from ea_bridge.protocol.messages import Auth, Hello
from ea_bridge.server import Admitted, CodeRejected, ConsoleChallenge, NotAdmitted, Relay, Waiting
from ea_bridge.token import derive_keys

BOTH = pytest.mark.parametrize("platform", ["mt5", "mt4"])
CODE, USER_CODE = "12345678", "BCDF-GHJK"
URL = "https://console.example/approve"


class Console:
    """Knows the token, asks a person, and takes the code of the mail."""

    def __init__(self, ea: LinkedEa) -> None:
        self.codes: list[str] = []
        self.approved = asyncio.Event()
        self._ea = ea
        self._admitted = ea.doorman.verdict

    async def fetch_challenge(self, hello: Hello, snonce: str) -> ConsoleChallenge | NotAdmitted:
        """Prove that the token is known."""
        about = auth_message(hello.tid, bytes.fromhex(hello.cnonce), bytes.fromhex(snonce), DEVICE)
        proof = server_proof(derive_keys(self._ea.token).server_key, about)
        return ConsoleChallenge(id="1", proof=proof.hex())

    async def prove(
        self, challenge: ConsoleChallenge, auth: Auth
    ) -> Admitted | Waiting | NotAdmitted:
        """The machine is new."""
        return Waiting(id="1", user_code=USER_CODE, url=URL, expires_s=600)

    async def outcome(self, waiting: Waiting) -> Admitted | NotAdmitted:
        """Wait for the person."""
        await self.approved.wait()
        return self._let_in()

    async def verify(self, waiting: Waiting, code: str) -> Admitted | CodeRejected | NotAdmitted:
        """Check a code that was typed at the terminal."""
        self.codes.append(code)
        return self._let_in() if code == CODE else CodeRejected(tries_left=4)

    def _let_in(self) -> Admitted:
        self._ea.doorman.verdict = self._admitted
        assert isinstance(self._admitted, Admitted)
        return self._admitted


async def unapproved(ea: LinkedEa) -> Console:
    """End the link; the daemon asks the console from now on."""
    await ea.live()
    console = ea.enroller = Console(ea)
    ea.doorman.verdict = Relay()
    await ea.restart_daemon()
    return console


@BOTH
async def test_a_new_machine_shows_where_it_is_approved_and_waits(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """It opens no page by itself; after the approval it dials again at once."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        console = await unapproved(ea)
        alert = await ea.terminal.heard(lambda line: line["t"] == "alert")
        assert URL in alert["text"]
        assert USER_CODE in alert["text"]
        assert ea.registry.sessions() == []
        console.approved.set()
        await ea.live()
        assert console.codes == []


@BOTH
async def test_the_code_of_the_mail_can_be_typed_at_the_terminal(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """As an input, where the page is out of reach."""
    ea = LinkedEa(compile_ea(platform), plain_config(tmp_path), verification_code=CODE)
    async with ea:
        console = await unapproved(ea)
        await ea.live()
        assert console.codes == [CODE]


async def test_a_wrong_code_is_tried_once(tmp_path: Path, compile_ea: Compile) -> None:
    """Tries are few: the person is told, and the machine waits on."""
    ea = LinkedEa(compile_ea("mt5"), plain_config(tmp_path), verification_code="87654321")
    async with ea:
        console = await unapproved(ea)
        alert = await ea.terminal.heard(lambda line: "tries left" in line.get("text", ""))
        assert alert["t"] == "alert"
        assert alert["text"].endswith("tries left: 4")
        console.approved.set()
        await ea.live()
        assert console.codes == ["87654321"]


async def test_what_is_no_code_is_not_sent(tmp_path: Path, compile_ea: Compile) -> None:
    """It would cost a try."""
    ea = LinkedEa(compile_ea("mt5"), plain_config(tmp_path), verification_code="1234 5678")
    async with ea:
        console = await unapproved(ea)
        await ea.terminal.heard(lambda line: "8 digits" in line.get("text", ""))
        console.approved.set()
        await ea.live()
        assert console.codes == []
