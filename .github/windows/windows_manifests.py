"""What winget and scoop must know of a release: made from its version, address and SHA-256.

winget installs by the installer. Scoop unpacks it instead, keeps versions side by side, and has
shims and menu entries of its own: it neither runs the installer nor needs its uninstaller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IDENTIFIER = "mt-gateway.mt-gateway"
"""Publisher and package, as winget has it."""
LOCALE = "en-US"
WINGET_VERSION = "1.6.0"
"""Of the schema; the oldest that winget's repository takes is 1.4.0."""
IN_USE = 3
"""Exit code of the installer while the gateway runs; see ``installer.nsi``."""
COMMANDS = {"Demo": "demo", "Console": "console", "Doctor": "doctor"}
"""Entries in the Start menu."""


@dataclass(frozen=True)
class Release:
    """An installer, and where it can be had."""

    installer: Path
    folder: str
    """URL of the folder that it is downloaded from."""
    homepage: str

    @property
    def url(self) -> str:
        """Where the installer can be had."""
        return f"{self.folder.rstrip('/')}/{self.installer.name}"

    @property
    def sha256(self) -> str:
        """Of the installer."""
        return hashlib.sha256(self.installer.read_bytes()).hexdigest()


def write_manifests(out: Path, project: Mapping[str, Any], release: Release) -> None:
    """Write the manifests into ``winget`` and ``scoop`` below a folder.

    Args:
        out: where they go.
        project: the table of ``pyproject.toml``.
        release: what they tell of.

    """
    winget, scoop = out / "winget", out / "scoop"
    for folder in (winget, scoop):
        folder.mkdir(parents=True, exist_ok=True)
    for name, manifest in winget_manifests(project, release).items():
        (winget / name).write_text(yaml(manifest), "utf-8", newline="\r\n")
    told = json.dumps(scoop_manifest(project, release), indent=4)
    (scoop / "mt-gateway.json").write_text(told + "\n", "utf-8")


def winget_manifests(project: Mapping[str, Any], release: Release) -> dict[str, dict[str, Any]]:
    """Return the three manifests of winget by their names."""
    package = {"PackageIdentifier": IDENTIFIER, "PackageVersion": project["version"]}
    publisher = project["authors"][0]["name"]
    installed = {
        "DisplayName": project["name"],
        "Publisher": publisher,
        "ProductCode": project["name"],
    }
    installer = {
        "InstallerType": "nullsoft",
        "Scope": "user",
        "InstallModes": ["interactive", "silent", "silentWithProgress"],
        "UpgradeBehavior": "install",
        "Commands": [project["name"]],
        "ExpectedReturnCodes": [{"InstallerReturnCode": IN_USE, "ReturnResponse": "packageInUse"}],
        "UnsupportedArguments": ["location"],
        "AppsAndFeaturesEntries": [installed],
        "Installers": [
            {
                "Architecture": "x64",
                "InstallerUrl": release.url,
                "InstallerSha256": release.sha256.upper(),
            }
        ],
    }
    described = {
        "PackageLocale": LOCALE,
        "Publisher": publisher,
        "PackageName": project["name"],
        "PackageUrl": release.homepage,
        "License": project["license"],
        "ShortDescription": project["description"],
        "Moniker": project["name"],
        "Tags": project["keywords"],
    }
    return {
        f"{IDENTIFIER}.installer.yaml": package | installer | _kind("installer"),
        f"{IDENTIFIER}.locale.{LOCALE}.yaml": package | described | _kind("defaultLocale"),
        f"{IDENTIFIER}.yaml": package | {"DefaultLocale": LOCALE} | _kind("version"),
    }


def _kind(name: str) -> dict[str, str]:
    return {"ManifestType": name, "ManifestVersion": WINGET_VERSION}


def scoop_manifest(project: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """Return the manifest of scoop."""
    program = "bin\\mt-gateway.exe"
    return {
        "version": project["version"],
        "description": project["description"],
        "homepage": release.homepage,
        "license": project["license"],
        "architecture": {"64bit": {"url": f"{release.url}#/dl.7z", "hash": release.sha256}},
        "pre_install": (
            'Remove-Item "$dir\\`$PLUGINSDIR", "$dir\\uninstall.exe*" -Force -Recurse '
            "-ErrorAction SilentlyContinue"
        ),
        "bin": program,
        "shortcuts": [
            [program, f"mt-gateway {label}", command] for label, command in COMMANDS.items()
        ],
        "notes": "What the gateway keeps lies in %LOCALAPPDATA%\\mt-gateway, and stays when "
        "this is uninstalled.",
    }


def yaml(value: Mapping[str, Any]) -> str:
    """Return a mapping as YAML: names as they are, and texts as JSON writes them."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, one in value.items():
        if isinstance(one, Sequence) and not isinstance(one, str):
            lines.append(f"{name}:")
            lines += [line for item in one for line in _item(item)]
        else:
            lines.append(f"{name}: {json.dumps(one)}")
    return lines


def _item(item: object) -> list[str]:
    if not isinstance(item, Mapping):
        return [f"- {json.dumps(item)}"]
    first, *others = _lines(item)
    return [f"- {first}", *(f"  {line}" for line in others)]
