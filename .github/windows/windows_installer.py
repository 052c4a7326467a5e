"""Build the installer for Windows, on Linux, and its manifests for winget and scoop.

``python .github/windows/windows_installer.py --release URL --homepage URL`` leaves them in
``dist/windows``. What goes in is pinned here, in ``wheels.txt`` and in ``sdists.txt``, each with
its SHA-256 (``lock_wheels.py`` writes both lists), and the same commit makes the same bytes. Needs
``makensis`` (Debian: ``nsis``) and pip; nothing is built for Windows, only unpacked.

=========  ======================================================================
in place   what it is
=========  ======================================================================
python     python.org's embeddable Python, as it is but for its search path
site       the wheels, ours among them
bin        ``mt-gateway.exe``, alone: the folder is put into the user's ``Path``
=========  ======================================================================
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from windows_manifests import Release, write_manifests

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = "3.11.9"
"""The last 3.11 that python.org has built for Windows."""
PYTHON_URL = f"https://www.python.org/ftp/python/{PYTHON}/python-{PYTHON}-embed-amd64.zip"
PYTHON_SHA256 = "009d6bf7e3b2ddca3d784fa09f90fe54336d5b60f0e0f305c37f400bf83cfd3b"
LAUNCHER = (
    "distlib==0.4.4 --hash=sha256:cf09d55b1e85a89576b036aeb71550bfd68320f3f21761ca329eadadad918638"
)
"""Whose wheel holds ``t64.exe``: it starts the Python that the line behind it names."""
SHEBANG = b'#!"<launcher_dir>\\..\\python\\python.exe"\r\n'
MAIN = "import sys\nfrom gateway.cli import main\nsys.exit(main())\n"
BUILDERS = ("hatchling==1.33.0", "setuptools==84.2.1")
"""What builds our wheel and the sdists; a version of it leaves its name in their metadata."""
SEARCH_PATH = "python311.zip\r\n.\r\n..\\site\r\n"
"""Of the installed Python: nothing of the user's, and no environment variable adds to it."""
FOR_WINDOWS = (
    "--platform=win_amd64",
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=cp311",
    "--abi=abi3",
    "--abi=none",
    "--only-binary=:all:",
)
DOS_EPOCH = 315_532_800
"""1980: no archive has earlier times."""


class BuildError(Exception):
    """The installer cannot be built; the message is for the person who builds."""


def build(out: Path, *, release: str, homepage: str, python: bytes) -> Path:
    """Write the installer and its manifests into a folder; return the installer.

    Args:
        out: made if it is not there.
        release: the URL of the folder that the installer will be downloaded from.
        homepage: the URL of the project's page.
        python: the archive of the embeddable Python.

    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mtg-installer-") as folder:
        stage = fill_stage(Path(folder), python)
        installer = compile_installer(stage, out, project["version"])
    write_manifests(out, project, Release(installer, release, homepage))
    return installer


def fill_stage(folder: Path, python: bytes) -> Path:
    """Lay out in ``folder / "stage"`` what will be in place."""
    wheels, stage = folder / "wheels", folder / "stage"
    fetch_listed(wheels)
    build_wheels(wheels, str(ROOT))
    unpack(python, stage / "python")
    (stage / "python" / "python311._pth").write_bytes(SEARCH_PATH.encode())
    for wheel in sorted(wheels.glob("*.whl")):
        install_wheel(wheel, stage / "site")
    fetch(folder / "launcher", LAUNCHER)
    [distlib] = (folder / "launcher").glob("*.whl")
    with zipfile.ZipFile(distlib) as archive:
        launcher = archive.read("distlib/t64.exe")
    (stage / "bin").mkdir()
    (stage / "bin" / "mt-gateway.exe").write_bytes(program(launcher))
    shutil.copyfile(HERE / "user_path.py", stage / "user_path.py")
    shutil.copyfile(ROOT / "LICENSE", stage / "LICENSE.txt")
    return stage


def embeddable_python(place: Path | None) -> bytes:
    """Return the archive of the embeddable Python, from a file or from python.org.

    Raises:
        BuildError: it is not the one that is pinned.

    """
    if place is not None:
        archive = place.read_bytes()
    else:
        with urllib.request.urlopen(PYTHON_URL, timeout=60) as answer:  # https
            archive = answer.read()
    if (found := hashlib.sha256(archive).hexdigest()) != PYTHON_SHA256:
        raise BuildError(f"{place or PYTHON_URL} has SHA-256 {found}, and not {PYTHON_SHA256}")
    return archive


def fetch_listed(folder: Path) -> None:
    """Put the wheels of both lists into a folder."""
    pip("download", *FOR_WINDOWS, "-d", str(folder), "-r", str(HERE / "wheels.txt"))
    build_wheels(folder, "-r", str(HERE / "sdists.txt"))


def fetch(folder: Path, requirement: str) -> None:
    """Put the wheel of one pinned requirement into a folder."""
    folder.mkdir()
    (folder / "requirement.txt").write_text(f"{requirement}\n", "utf-8")
    pip("download", "--only-binary=:all:", "-d", str(folder), "-r", f"{folder}/requirement.txt")


def build_wheels(folder: Path, *what: str) -> None:
    """Build wheels of sources that are pure Python, by pinned builders."""
    with tempfile.TemporaryDirectory() as place:
        constraints = Path(place) / "builders.txt"
        constraints.write_text("".join(f"{one}\n" for one in BUILDERS), "utf-8")
        # the second name is that of pip 25.3 and later
        pinned = dict.fromkeys(("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"), str(constraints))
        pip("wheel", "-w", str(folder), *what, environment=pinned)


def pip(verb: str, *words: str, environment: dict[str, str] | None = None) -> None:
    """Run pip without resolving anything.

    Raises:
        BuildError: it failed; what it said is above.

    """
    command = (sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", *words)
    done = subprocess.run(  # noqa: S603  # our own words
        (*command, "--disable-pip-version-check"),
        env=os.environ | (environment or {}),
        check=False,
    )
    if done.returncode:
        raise BuildError(f"pip {verb} failed: see above")


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack an embeddable Python, whose files lie in one folder."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        for name in files.namelist():
            if not name.endswith("/"):
                place = folder / PurePosixPath(name).name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(files.read(name))


def install_wheel(wheel: Path, site: Path) -> None:
    """Unpack a wheel as pip installs it, without scripts and headers.

    Raises:
        BuildError: it would write elsewhere.

    """
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            parts = PurePosixPath(name).parts
            if parts[0].endswith(".data"):
                if parts[1] not in ("purelib", "platlib"):
                    continue
                parts = parts[2:]
            if name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
                raise BuildError(f"{wheel.name} holds {name!r}")
            if not name.endswith("/"):
                place = site.joinpath(*parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(files.read(name))


def program(launcher: bytes) -> bytes:
    """Return ``mt-gateway.exe``: a launcher, which Python is meant, and what it is to run."""
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", (1980, 1, 1, 0, 0, 0)), MAIN)
    return launcher + SHEBANG + script.getvalue()


def compile_installer(stage: Path, out: Path, version: str) -> Path:
    """Make one program of a stage.

    Raises:
        BuildError: makensis is missing or found something wrong.

    """
    moment = built_at()
    files = sorted(path for path in stage.rglob("*") if path.is_file())
    for path in files:
        os.utime(path, (moment, moment))
    Path(f"{stage}.nsh").write_text(file_commands(stage, files), "utf-8")
    installer = out / f"mt-gateway-{version}-windows-x64.exe"
    defines = {
        "VERSION": version,
        "OUT": str(installer.absolute()),
        "STAGE": str(stage.absolute()),
        "SIZE_KB": str(sum(path.stat().st_size for path in files) // 1024),
    }
    makensis = shutil.which("makensis")
    if makensis is None:
        raise BuildError("there is no makensis: install nsis")
    words = [f"-D{name}={value}" for name, value in defines.items()]
    options = ("-V2", "-WX", "-INPUTCHARSET", "UTF8")
    command = [makensis, *options, *words, str(HERE / "installer.nsi")]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(moment)}
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603  # our own words
    if done.returncode:
        raise BuildError("makensis failed: see above")
    return installer


def file_commands(stage: Path, files: list[Path]) -> str:
    """Return the commands of NSIS that put files in place, folder by folder."""
    lines = []
    folder = None
    for path in sorted(files, key=lambda path: (path.parent, path.name)):
        if path.parent != folder:
            folder = path.parent
            below = str(folder.relative_to(stage)).replace("/", "\\")
            lines.append('SetOutPath "$INSTDIR{}"'.format("" if below == "." else f"\\{below}"))
        lines.append(f'File "{path}"')
    return "\n".join(lines) + "\n"


def built_at() -> int:
    """Return the time that all files get: that of the commit, so that it tells versions apart.

    Python takes compiled code for that of a source by the source's time and size.
    """
    if named := os.environ.get("SOURCE_DATE_EPOCH"):
        return max(int(named), DOS_EPOCH)
    git = ("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    done = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    return max(int(done.stdout or 0), DOS_EPOCH)


def main() -> int:
    """Return 0 if the installer is there."""
    parser = argparse.ArgumentParser(description="Build the installer for Windows.")
    parser.add_argument("--release", required=True, metavar="URL", help="folder of the downloads")
    parser.add_argument("--homepage", required=True, metavar="URL", help="page of the project")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "windows")
    parser.add_argument("--python", type=Path, metavar="ZIP", help=f"instead of {PYTHON_URL}")
    given = parser.parse_args()
    try:
        python = embeddable_python(given.python)
        installer = build(given.out, release=given.release, homepage=given.homepage, python=python)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{installer}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
