"""``shim`` and ``run``: programs that import MetaTrader5 find the drop-in."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from demo_process import clean_environment

from gateway.cli import shim
from gateway.cli.output import CliError


def run(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder among those where packages lie."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=clean_environment() | {"PYTHONPATH": str(path), "PYTHONUTF8": "1"},
        cwd=path,
        capture_output=True,
        text=True,
        check=False,
    )


def unpacked(wheel: Path, folder: Path) -> Path:
    """Unpack a wheel, which is all that an installer does with it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_is_the_distribution_that_programs_ask_for(tmp_path: Path) -> None:
    """With its name, the version that they pin, and every name of the drop-in."""
    wheel = shim.write_wheel(tmp_path / "made", "5.0.5735")
    assert wheel.name == "MetaTrader5-5.0.5735+gateway-py3-none-any.whl"
    folder = unpacked(wheel, tmp_path / "site")
    program = (
        "import MetaTrader5 as mt5, importlib.metadata as metadata\n"
        "from packaging.requirements import Requirement\n"
        "from gateway.client import mt5 as ours\n"
        "found = metadata.version('MetaTrader5')\n"
        "assert Requirement('MetaTrader5==5.0.5735').specifier.contains(found)\n"
        "assert mt5.__version__ == '5.0.5735' and found == '5.0.5735+gateway'\n"
        "assert all(getattr(mt5, name) is getattr(ours, name) for name in ours.__all__)\n"
        "assert mt5._core is ours and callable(mt5._RawOrder)\n"
        "print(mt5.initialize(), mt5.last_error()[0])"
    )
    done = run("-c", program, path=folder)
    assert (done.stdout, done.stderr) == ("False -10003\n", "")


@pytest.mark.parametrize("version", ["", "5.0.x", "5.0.1+other", "../5", "5.0.6231 "])
def test_a_version_that_is_none_is_refused(version: str, tmp_path: Path) -> None:
    """Before anything is written."""
    with pytest.raises(CliError, match="a version looks like"):
        shim.install(version=version, wheel=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ("Name: MetaTrader5\nVersion: 5.0.6231\n", "the real MetaTrader5 5.0.6231"),
        ("", "a module MetaTrader5 of another kind"),
    ],
)
def test_the_real_package_is_left_alone(
    metadata: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither command touches it, nor a module that merely has its name."""
    (tmp_path / "MetaTrader5.py").touch()
    if metadata:
        info = tmp_path / "MetaTrader5-5.0.6231.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{metadata}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for command in (shim.install, shim.uninstall):
        with pytest.raises(CliError, match=told):
            command()


def test_where_there_is_nothing_to_take_out(tmp_path: Path) -> None:
    """It is said so; and of a program that is no Python, too."""
    with pytest.raises(CliError, match="MetaTrader5 is not installed"):
        shim.uninstall()
    with pytest.raises(CliError, match="is no Python"):
        shim.install(python=tmp_path / "python")


def test_a_script_is_run_over_the_drop_in(tmp_path: Path) -> None:
    """With its arguments and its neighbours, as python itself runs it."""
    (tmp_path / "beside.py").write_text("WORD = 'neighbour'\n")
    script = tmp_path / "bot.py"
    script.write_text(
        "import sys\nimport MetaTrader5 as mt5\nimport beside\n"
        "from MetaTrader5 import TradePosition, order_send\n"
        "if __name__ == '__main__':\n"
        "    print(beside.WORD, sys.argv[1:], mt5.__author__, TradePosition.n_fields)\n"
    )
    for chosen in ((str(script),), ("-m", "bot")):
        done = run("-m", "gateway.client.mt5", "run", *chosen, "--now", path=tmp_path)
        told = "neighbour ['--now'] MetaQuotes Ltd. 19\n"
        assert (done.stdout, done.stderr) == (told, "")


@pytest.mark.parametrize("arguments", [(), ("walk", "bot.py"), ("run",), ("run", "-m")])
def test_a_run_of_nothing_tells_how(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """In one line."""
    done = run("-m", "gateway.client.mt5", *arguments, path=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python -m gateway.client.mt5 run")
