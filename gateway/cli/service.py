"""``service``: the system starts ``serve`` when its user logs in, and again after a crash.

=========  =====================================  ================================================
System     What is installed                      Why not as a service of the machine
=========  =====================================  ================================================
Linux      a unit of the user's systemd           the keyring is the user's
macOS      an agent of launchd                    the keyring is the user's
Windows    a task of the Task Scheduler at logon  terminal and keyring live in the user's session
=========  =====================================  ================================================

Nothing needs an administrator. What is written and run is one :class:`ServicePlan`, which
``--dry-run`` prints instead.
"""

from __future__ import annotations

import codecs
import os
import plistlib
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Annotated
from xml.sax.saxutils import escape

import typer

from gateway.cli.home import default_home, running
from gateway.cli.output import CliError

NAME = "mt-gateway"
LABEL = f"local.{NAME}"
"""Of launchd."""
LOG_FILE = "serve.log"
"""In the home, where the system has no log of its own."""
LOG_LINES = 100

Home = Annotated[
    Path | None, typer.Option(help="Of the gateway that is meant; if absent serve's default home.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be written and run; change nothing.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """Files and commands that make the gateway a service of one system, and end it."""

    file: Path
    """What describes the service to the system."""
    content: bytes
    install: tuple[tuple[str, ...], ...]
    """Commands, after the file was written."""
    remove: tuple[tuple[str, ...], ...]
    """Commands, before the file is taken away."""
    removed: tuple[tuple[str, ...], ...] = ()
    """Commands after that."""
    status: tuple[str, ...]
    logs: tuple[str, ...] | Path
    """A command, or a file."""
    advice: str
    """For the person, after the installation."""

    @property
    def text(self) -> str:
        """The file's content as a person reads it."""
        encoding = "utf-16" if self.content.startswith(codecs.BOM_UTF16_LE) else "utf-8"
        return self.content.decode(encoding)


def install(
    *,
    home: Home = None,
    config: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Settings file; the home's if absent."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Have the system start the gateway when you log in, and again after a crash."""
    plan = plan_for(sys.platform, home or default_home(), config)
    if dry_run:
        sys.stdout.write(f"{plan.file}:\n{plan.text.rstrip()}\n\n{_commands(plan.install)}")
        return
    if not plan.file.exists() and (found := running(home or default_home())):
        raise CliError(f"{found} runs there by hand: stop it, then install the service")
    (home or default_home()).mkdir(mode=0o700, parents=True, exist_ok=True)
    plan.file.parent.mkdir(parents=True, exist_ok=True)
    plan.file.write_bytes(plan.content)
    _run(plan.install)
    sys.stdout.write(f"installed: {plan.file}\n{plan.advice}\n")


def remove(*, home: Home = None, dry_run: DryRun = False) -> None:
    """Stop the service and take it away; home, tokens and orders stay."""
    plan = plan_for(sys.platform, home or default_home(), None)
    if dry_run:
        sys.stdout.write(
            f"{_commands(plan.remove)}take away {plan.file}\n{_commands(plan.removed)}"
        )
        return
    if not plan.file.exists():
        raise CliError(f"no service is installed: there is no {plan.file}")
    _run(plan.remove)
    plan.file.unlink()
    _run(plan.removed)
    sys.stdout.write(f"removed: {plan.file}; the home stays: {home or default_home()}\n")


def status(*, home: Home = None, dry_run: DryRun = False) -> None:
    """Show what the system says of the service. Its exit code is passed on."""
    plan = plan_for(sys.platform, home or default_home(), None)
    _show(plan.status, dry_run=dry_run)


def logs(*, home: Home = None, dry_run: DryRun = False) -> None:
    """Show the last lines of the service's log."""
    plan = plan_for(sys.platform, home or default_home(), None)
    if not isinstance(plan.logs, Path):
        _show(plan.logs, dry_run=dry_run)
        return
    if dry_run:
        sys.stdout.write(f"print {plan.logs}\n")
        return
    try:
        lines = plan.logs.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise CliError(f"{plan.logs} cannot be read: {error.strerror}") from error
    sys.stdout.write("".join(f"{line}\n" for line in lines[-LOG_LINES:]))


def plan_for(platform: str, home: Path, config: Path | None) -> ServicePlan:
    """Return the plan for a system, as ``sys.platform`` names it.

    Raises:
        CliError: a path cannot be written into such a file.

    """
    home = home.absolute()
    # -P: a folder with our name in the directory that the service starts in is not our program
    words = [sys.executable, "-P", "-m", "gateway", "serve", "--home", str(home)]
    if config is not None:
        words += ["--config", str(config.absolute())]
    if bad := [word for word in words if not word.isprintable()]:
        raise CliError(f"{bad[0]!r} has a character that such a file cannot hold", 2)
    if platform == "win32":
        return _task(home, words)
    return _agent(home, words) if platform == "darwin" else _unit(home, words)


# --- systemd -------------------------------------------------------------------------------------

_UNIT = """\
# Written by `mt-gateway service install`; `mt-gateway service remove` takes it away.
[Unit]
Description=Gateway between MetaTrader and trading programs
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
ExecStart={command}
Restart=on-failure
RestartSec=2
TimeoutStartSec=120
TimeoutStopSec=15
# its event loop tells that it turns: one that hangs trades nothing, and is started again
WatchdogSec=30
UMask=0077
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@resources @privileged
# the gateway itself forbids dumps of its memory
SystemCallFilter=setrlimit prlimit64

[Install]
WantedBy=default.target
"""


def _unit(home: Path, words: Sequence[str]) -> ServicePlan:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    if "$" in words[0]:  # systemd expands what follows the program alone, so it has no escape here
        raise CliError(f"systemd cannot start a program with a $ in its path: {words[0]}")
    unit = f"{NAME}.service"
    user = ("systemctl", "--user")
    command = " ".join(_systemd_word(word, at) for at, word in enumerate(words))
    return ServicePlan(
        file=Path(base) / "systemd" / "user" / unit,
        content=_UNIT.format(command=command).encode(),
        install=((*user, "daemon-reload"), (*user, "enable", "--now", unit)),
        remove=((*user, "disable", "--now", unit),),
        removed=((*user, "daemon-reload"),),
        status=(*user, "status", "--no-pager", unit),
        logs=("journalctl", "--user", "--no-pager", "-n", str(LOG_LINES), "-u", unit),
        advice="It starts when you log in and ends when you log out. To have it run from the "
        "machine's start on: loginctl enable-linger (the keyring may be closed then: "
        "see docs/service.md). After an update: systemctl --user restart mt-gateway",
    )


def _systemd_word(word: str, at: int) -> str:
    """Return a word of ExecStart as systemd reads it back."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{word}"' if at == 0 else '"{}"'.format(word.replace("$", "$$"))


# --- launchd -------------------------------------------------------------------------------------


def _agent(home: Path, words: Sequence[str]) -> ServicePlan:
    uid = os.getuid() if sys.platform != "win32" else 0
    file = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    agent = {
        "Label": LABEL,
        "ProgramArguments": [*words, "--log", str(home / LOG_FILE)],
        "RunAtLoad": True,
        # an end that was asked for, as by `mt-gateway drain`, stays an end
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 5,
        "ExitTimeOut": 15,
        "ProcessType": "Interactive",  # the system slows others down
        "Umask": 0o077,
    }
    target = f"gui/{uid}/{LABEL}"
    return ServicePlan(
        file=file,
        content=plistlib.dumps(agent),
        install=(("launchctl", "bootstrap", f"gui/{uid}", str(file)),),
        remove=(("launchctl", "bootout", target),),
        status=("launchctl", "print", target),
        logs=home / LOG_FILE,
        advice="It runs while you are logged in. After an update: "
        f"launchctl kickstart -k {target}",
    )


# --- Task Scheduler ------------------------------------------------------------------------------

_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Gateway between MetaTrader and trading programs</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <Enabled>true</Enabled>
    <Hidden>false</Hidden>
    <RunOnlyIfIdle>false</RunOnlyIfIdle>
    <WakeToRun>false</WakeToRun>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>5</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>10</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def _task(home: Path, words: Sequence[str]) -> ServicePlan:
    domain, user = os.environ.get("USERDOMAIN", ""), os.environ.get("USERNAME", "")
    program, *arguments = words
    # without a console window; what would be on it goes to the log
    if program.endswith("python.exe"):
        program = program.removesuffix("python.exe") + "pythonw.exe"
    arguments += ["--log", str(home / LOG_FILE)]
    content = _TASK.format(
        user=escape(f"{domain}\\{user}" if domain else user),
        command=escape(program),
        arguments=escape(subprocess.list2cmdline(arguments)),
    )
    file = home / "service.xml"
    return ServicePlan(
        file=file,
        content=codecs.BOM_UTF16_LE + content.encode("utf-16-le"),
        install=(
            ("schtasks", "/Create", "/TN", NAME, "/XML", str(file), "/F"),
            ("schtasks", "/Run", "/TN", NAME),
        ),
        remove=(("schtasks", "/End", "/TN", NAME), ("schtasks", "/Delete", "/TN", NAME, "/F")),
        status=("schtasks", "/Query", "/TN", NAME, "/V", "/FO", "LIST"),
        logs=home / LOG_FILE,
        advice="It starts at each logon. Before an update: mt-gateway drain; after it: "
        f"schtasks /Run /TN {NAME}",
    )


# --- commands of the system ----------------------------------------------------------------------


def _commands(commands: Sequence[Sequence[str]]) -> str:
    return "".join(f"run {join(command)}\n" for command in commands)


def _run(commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        try:
            # the words are ours, but for paths of this user; no shell reads them
            subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 (see above)
        except FileNotFoundError:
            raise CliError(
                f"there is no {command[0]} on this machine; --dry-run shows what to do by hand"
            ) from None
        except subprocess.CalledProcessError as error:
            raise CliError(
                f"{join(command)} failed with exit code {error.returncode}: see above"
            ) from None


def _show(command: Sequence[str], *, dry_run: bool) -> None:
    if dry_run:
        sys.stdout.write(_commands((command,)))
        return
    try:
        done = subprocess.run(command, check=False)  # noqa: S603 (as above)
    except FileNotFoundError:
        raise CliError(f"there is no {command[0]} on this machine") from None
    if done.returncode:
        raise typer.Exit(done.returncode)
