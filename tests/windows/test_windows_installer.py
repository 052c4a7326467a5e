"""What the installer for Windows is made of, and the manifests: all that needs no Windows."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from external_programs import needed
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from user_path import with_folder, without_folder
from windows_installer import HERE, ROOT, BuildError, compile_installer, embeddable_python, program
from windows_manifests import COMMANDS, IN_USE, Release, write_manifests

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WINDOWS = {
    "sys_platform": "win32",
    "platform_system": "Windows",
    "os_name": "nt",
    "platform_machine": "AMD64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_version": "3.11",
    "python_full_version": "3.11.9",
}
LINE = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+) --hash=sha256:[0-9a-f]{64}")
LONG = ";".join([r"C:\long"] * 300)
BIN = r"C:\Users\it's me\AppData\Local\Programs\mt-gateway\bin"


def listed(*places: Path) -> dict[str, str]:
    """Return packages and versions of lists, each of whose lines has one SHA-256."""
    found = {}
    for line in (line for place in places for line in place.read_text("utf-8").splitlines()):
        match = LINE.fullmatch(line)
        assert match is not None, line
        assert match["name"] not in found
        found[match["name"]] = match["version"]
    return found


def test_the_lists_hold_what_the_product_needs() -> None:
    """Each dependency, and theirs, in a version that is allowed; nothing that nobody needs.

    What a package needs is read where it is installed in the listed version: what another one
    needs says nothing of the list.
    """
    lists = listed(HERE / "wheels.txt", HERE / "sdists.txt")
    wanted = [(one, "", True) for one in PROJECT["dependencies"]]
    reached, others = set(), _not_as_listed(lists)
    for text, extra, is_of_listed in wanted:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is not None and not marker.evaluate(WINDOWS | {"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        if is_of_listed:
            assert name in lists, f"{text}: run .github/windows/lock_wheels.py"
            assert lists[name] in requirement.specifier, text
        if name in reached and not requirement.extras:
            continue
        reached.add(name)
        needs = _needs(name)
        extras = ("", *requirement.extras)
        wanted += [(need, one, name not in others) for need in needs for one in extras]
    alone = {"colorama", "pywin32-ctypes"}
    assert lists.keys() - reached <= alone | others


def _needs(name: str) -> list[str]:
    """Return what a package needs; nothing of one that is for Windows alone."""
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []


def _not_as_listed(lists: dict[str, str]) -> set[str]:
    """Packages that are for Windows alone, or installed here in another version."""
    others = set()
    for name, version in lists.items():
        try:
            if distribution(name).version != version:
                others.add(name)
        except PackageNotFoundError:
            others.add(name)
    return others


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that stand for those of the installer."""
    stage = tmp_path_factory.mktemp("installer") / "stage"
    for name in ("python/python.exe", "site/a b/x.py", "site/a-b.py", "bin/mt-gateway.exe"):
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_text(name)
    return stage


def test_nsis_takes_the_script(stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a warning; and the same files make the same bytes."""
    needed("makensis")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(compile_installer(stage, tmp_path / name, "1.2.3").read_bytes())
    assert made[0] == made[1]
    assert made[0].startswith(b"MZ")


def test_another_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python.zip").write_bytes(b"another")
    with pytest.raises(BuildError, match=hashlib.sha256(b"another").hexdigest()):
        embeddable_python(tmp_path / "python.zip")


def test_the_program_runs_the_command_line() -> None:
    """Launchers look for a line that names Python, and for an archive behind it."""
    launcher = b"MZ launcher"
    made = program(launcher)
    assert made.startswith(launcher + b'#!"<launcher_dir>\\..\\python\\python.exe"\r\n')
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        [name] = archive.namelist()
        compile(archive.read(name), name, "exec")
    assert name == "__main__.py"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", BIN),
        (r"C:\tools", rf"C:\tools;{BIN}"),
        (r"%USERPROFILE%\bin;", rf"%USERPROFILE%\bin;{BIN}"),
        (LONG, f"{LONG};{BIN}"),
    ],
)
def test_a_path_gains_and_loses_the_folder(before: str, after: str) -> None:
    """Whatever else stands in it stays to the letter; but an end that is empty."""
    assert with_folder(before, BIN) == after
    assert with_folder(after, BIN) == after
    assert with_folder(after.upper() + "\\", BIN) == after.upper() + "\\"
    assert without_folder(after, BIN) == before.removesuffix(";")
    assert without_folder(before, BIN) == before
    assert without_folder(rf'"{BIN}\";{before}', BIN) == before


# --- manifests -----------------------------------------------------------------------------------

REQUIRED = {
    "version": {"DefaultLocale"},
    "defaultLocale": {"PackageLocale", "Publisher", "PackageName", "License", "ShortDescription"},
    "installer": {"Installers"},
}
"""What winget's schemas 1.6.0 require besides :data:`IN_EACH`."""
IN_EACH = {"PackageIdentifier", "PackageVersion", "ManifestType", "ManifestVersion"}
NAME = r'[^.\s\\/:*?"<>|\x01-\x1f]{1,32}'
TEXT_LENGTHS = {
    "Publisher": (2, 256),
    "PackageName": (2, 256),
    "License": (3, 512),
    "ShortDescription": (3, 256),
    "Moniker": (1, 40),
}
SCOOP_REQUIRED = {"version", "description", "homepage", "license"}
SCOOP_KNOWN = SCOOP_REQUIRED | {"architecture", "pre_install", "bin", "shortcuts", "notes"}
URL = "https://downloads.invalid/v1/mt-gateway-x64.exe"


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both package managers' manifests of one release."""
    folder = tmp_path_factory.mktemp("manifests")
    installer = folder / "mt-gateway-x64.exe"
    installer.write_bytes(b"an installer")
    release = Release(installer, "https://downloads.invalid/v1/", "https://homepage.invalid")
    write_manifests(folder, PROJECT, release)
    return folder


def test_winget_takes_the_manifests(manifests: Path) -> None:
    """By the forms that its schemas require; they can be had from microsoft/winget-cli."""
    found: dict[str, dict[str, Any]] = {}
    for path in (manifests / "winget").iterdir():
        manifest = yaml.safe_load(path.read_text("utf-8"))
        found[manifest["ManifestType"]] = manifest
        middle = {"version": "", "installer": ".installer", "defaultLocale": ".locale.en-US"}
        kind = manifest["ManifestType"]
        assert path.name == f"{manifest['PackageIdentifier']}{middle[kind]}.yaml"
    assert found.keys() == REQUIRED.keys()
    for kind, manifest in found.items():
        assert manifest.keys() >= IN_EACH | REQUIRED[kind]
        assert re.fullmatch(rf"{NAME}(\.{NAME}){{1,7}}", manifest["PackageIdentifier"])
        assert manifest["PackageVersion"] == PROJECT["version"]
        assert manifest["ManifestVersion"] == "1.6.0"
    described = found["defaultLocale"]
    assert found["version"]["DefaultLocale"] == described["PackageLocale"] == "en-US"
    for name, (least, most) in TEXT_LENGTHS.items():
        assert least <= len(described[name]) <= most
    assert len(set(described["Tags"])) == len(described["Tags"]) <= 16
    installer = found["installer"]
    assert installer["InstallerType"] == "nullsoft"
    assert (installer["Scope"], installer["UpgradeBehavior"]) == ("user", "install")
    [one] = installer["Installers"]
    assert one["Architecture"] == "x64"
    assert one["InstallerUrl"] == URL
    assert one["InstallerSha256"] == hashlib.sha256(b"an installer").hexdigest().upper()


def test_scoop_takes_the_manifest(manifests: Path) -> None:
    """By its schema, which knows no other names; it unpacks the installer by its 7-Zip."""
    manifest = json.loads((manifests / "scoop" / "mt-gateway.json").read_text("utf-8"))
    assert SCOOP_REQUIRED <= manifest.keys() <= SCOOP_KNOWN
    [(architecture, download)] = manifest["architecture"].items()
    assert architecture == "64bit"
    assert download == {
        "url": f"{URL}#/dl.7z",
        "hash": hashlib.sha256(b"an installer").hexdigest(),
    }
    assert [words[2] for words in manifest["shortcuts"]] == list(COMMANDS.values())


def test_installer_and_manifests_tell_the_same() -> None:
    """The exit code of a gateway that runs, the menu, and the name in the list of programs."""
    script = (HERE / "installer.nsi").read_text("utf-8")
    assert f"!define IN_USE {IN_USE}\n" in script
    assert f'"DisplayName" "${{NAME}}"' in script  # noqa: F541
    assert f'!define NAME "{PROJECT["name"]}"' in script
    assert f'"Publisher" "{PROJECT["authors"][0]["name"]}"' in script
    for label, command in COMMANDS.items():
        assert f'Shortcut "{label}" "{command}"' in script
        assert f'Delete "${{MENU}}\\{label}.lnk"' in script
